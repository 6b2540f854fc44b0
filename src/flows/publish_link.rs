//! Links come into being, change and go: checked, committed, then made followable, in this order. Whoever does that holds
//! the lock of the link's id, or every lock, from before the commit: of two who do it at once, the later one is seen.

use super::cart_draft::{CartDraft, StockPolicyDraft};
use super::context::Context;
use super::error::Error;
use super::experiment_draft::ExperimentChange;
use super::hand_out_codes;
use super::keep_utm_templates;
use super::link_facts;
use super::link_filing::FilingChange;
use super::lock_link;
use super::reception_draft::ReceptionChange;
use crate::books::link::NewLink;
use crate::books::{self, Tx, View};
use crate::domain::campaign::CONTENT_ID_MAX;
use crate::domain::click::{UTM_MAX, UTM_NAMES};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::link::{EXTERNAL_ID_MAX, Link, LinkTerms, TEXT_MAX};
use crate::domain::link_domain::LinkDomain;
use crate::domain::slug::{self, GENERATED_LENGTH, SLUG_MAX, SlugError};
use crate::domain::time::Timestamp;

#[cfg(test)]
mod tests;

/// What stands before an external id where an id is meant.
const EXTERNAL: &str = "ext_";

/// No link is older: 1990-01-01, before there was a web.
const FIRST_BIRTH: Timestamp = Timestamp(631_152_000_000);

/// Draws before a generated slug is given up; with 62^7 slugs one draw is almost always enough.
const DRAWS_MAX: usize = 20;

/// What a caller says of a link. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct LinkChange {
    pub destination: Option<String>,
    pub domain: Option<String>,
    pub slug: Option<String>,
    pub slug_length: Option<usize>,
    pub slug_prefix: Option<String>,
    pub external_id: Option<Option<String>>,
    pub tenant_id: Option<Option<String>>,
    /// Public id of the creator.
    pub creator_id: Option<Option<String>>,
    pub tracks_conversions: Option<bool>,
    pub is_archived: Option<bool>,
    pub is_disabled: Option<bool>,
    pub expires_at: Option<Option<Timestamp>>,
    pub expired_url: Option<Option<String>>,
    pub clicks_max: Option<Option<u64>>,
    pub title: Option<Option<String>>,
    pub description: Option<Option<String>>,
    pub comments: Option<Option<String>>,
    /// In the order of [`UTM_NAMES`].
    pub utm: [Option<Option<String>>; 5],
    /// Public id of the template that fills in what `utm` and `reference` do not say.
    pub utm_template: Option<String>,
    /// The parameter `ref` of the destination.
    pub reference: Option<Option<String>>,
    pub cart: Option<Option<CartDraft>>,
    pub stock_policy: Option<Option<StockPolicyDraft>>,
    pub experiment: ExperimentChange,
    pub reception: ReceptionChange,
    /// Public id of the campaign.
    pub campaign_id: Option<Option<String>>,
    pub content_id: Option<Option<String>>,
    pub content_url: Option<Option<String>>,
    pub filing: FilingChange,
    /// When a link that comes from elsewhere was made there. For new links alone.
    pub created_at: Option<Timestamp>,
    /// Whether letter case counts in `slug`, where the domain does not decide that. For new links alone.
    pub is_exact: Option<bool>,
}

/// Makes a link; it can be followed when this returns.
pub async fn create(context: &Context, workspace: WorkspaceNo, mut change: LinkChange) -> Result<Link, Error> {
    lock_link::seal(context, std::slice::from_mut(&mut change)).await?;
    let (inner, id) = (context.clone(), new_id(context));
    // Who changes it at once waits until it is published.
    let _order = context.inner.locks.of(&id).await;
    let made = context
        .inner
        .books
        .commit(move |tx| insert_as(&inner, tx, workspace, id, change));
    let link = made.await?;
    context.inner.table.put(&link, None);
    hand_out_codes::prepare(context, None).await;
    Ok(link)
}

/// Changes a link; followers see the change when this returns.
pub async fn update(
    context: &Context,
    workspace: WorkspaceNo,
    id: &str,
    mut change: LinkChange,
) -> Result<Link, Error> {
    lock_link::seal(context, std::slice::from_mut(&mut change)).await?;
    let id = own_id(context, workspace, id).await?;
    let _order = context.inner.locks.of(&id).await;
    let inner = context.clone();
    let changed = context
        .inner
        .books
        .commit(move |tx| change_in(&inner, tx, workspace, &id, change));
    let Changed { before, after } = changed.await?;
    context.inner.table.put(&after, Some(&before));
    hand_out_codes::prepare(context, None).await;
    Ok(after)
}

/// Deletes a link; its slug is free and its clicks stay in the log.
pub async fn delete(context: &Context, workspace: WorkspaceNo, id: &str) -> Result<Link, Error> {
    let id = own_id(context, workspace, id).await?;
    let _order = context.inner.locks.of(&id).await;
    let gone = context.inner.books.commit(move |tx| delete_in(tx, workspace, &id));
    let link = gone.await?;
    context.inner.table.remove(&link);
    Ok(link)
}

/// The id under which changes of the link called `id` wait for each other: however it is called, it is one link.
async fn own_id(context: &Context, workspace: WorkspaceNo, id: &str) -> Result<String, Error> {
    let id = id.to_owned();
    if !id.starts_with(EXTERNAL) {
        return Ok(id);
    }
    let found = context.inner.books.read(move |view| find(view, workspace, &id));
    Ok(found.await?.id)
}

/// A link before and after a change.
pub(super) struct Changed {
    pub before: Link,
    pub after: Link,
}

/// Changes the link called `id` in a transaction of the caller's, who publishes it afterwards.
pub(super) fn change_in(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    id: &str,
    change: LinkChange,
) -> Result<Changed, Error> {
    let before = find(tx, workspace, id)?;
    let mut after = before.clone();
    place(context, tx, workspace, &change, &mut after)?;
    let filing = change.filing.resolve(tx, workspace)?;
    apply(context, tx, workspace, change, &mut after.terms)?;
    after.updated_at = context.inner.clock.now();
    books::link::update(tx, &after)?;
    filing.store(tx, after.no)?;
    let (was, is) = link_facts::of_change(&before, &after);
    books::audit::note(tx, Some(&after.id), Some(was), Some(is))?;
    Ok(Changed { before, after })
}

/// Deletes the link called `id` in a transaction of the caller's, who unpublishes it afterwards.
pub(super) fn delete_in(tx: &Tx<'_>, workspace: WorkspaceNo, id: &str) -> Result<Link, Error> {
    let link = find(tx, workspace, id)?;
    books::link::delete(tx, link.no)?;
    books::audit::note(tx, Some(&link.id), Some(link_facts::said_of(&link)), None)?;
    Ok(link)
}

/// The link that a caller names by its id or as `ext_` and its external id.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, id: &str) -> Result<Link, Error> {
    let found = match id.strip_prefix(EXTERNAL) {
        Some(external_id) => books::link::by_external_id(view, workspace, external_id)?,
        None => books::link::by_id(view, workspace, id)?,
    };
    found.ok_or(Error::NotFound { what: "link" })
}

/// The domain that a caller names, or where links of the workspace go when it names none.
pub fn domain_for(
    context: &Context,
    view: &View<'_>,
    workspace: WorkspaceNo,
    named: Option<&str>,
) -> Result<LinkDomain, Error> {
    let missing = || Error::invalid("domain", "is not a domain of this workspace: POST /domains first");
    let found = match named {
        Some(name) if context.public().is_meant_by(name) => books::link_domain::by_no(view, DomainNo::DEFAULT)?,
        Some(name) => books::link_domain::by_slug(view, &name.to_ascii_lowercase())?
            .filter(|domain| domain.workspace == Some(workspace)),
        None => match books::link_domain::primary(view, workspace)? {
            Some(primary) => Some(primary),
            None => books::link_domain::by_no(view, DomainNo::DEFAULT)?,
        },
    };
    found.ok_or_else(missing)
}

/// The public id of a link that is to be made: also the name of its lock.
pub(super) fn new_id(context: &Context) -> String {
    context.new_id("link_")
}

/// Makes a link in a transaction of the caller's, who holds every lock and publishes it afterwards.
pub(super) fn insert(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    change: LinkChange,
) -> Result<Link, Error> {
    insert_as(context, tx, workspace, new_id(context), change)
}

/// As [`insert`], under a public id whose lock the caller holds.
pub(super) fn insert_as(
    context: &Context,
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    id: String,
    change: LinkChange,
) -> Result<Link, Error> {
    if change.destination.is_none() && !matches!(change.cart, Some(Some(_))) {
        return Err(Error::invalid("url", "is required"));
    }
    let created_at = birth(context, change.created_at)?;
    let domain = domain_for(context, tx, workspace, change.domain.as_deref())?;
    let mut link = Link {
        no: LinkNo(0),
        id,
        workspace,
        domain: domain.no,
        slug: String::new(),
        is_exact: true,
        terms: LinkTerms::default(),
        created_at,
        updated_at: created_at,
    };
    if let Some(key) = &change.slug {
        (link.slug, link.is_exact) = (custom_slug(key)?, change.is_exact.unwrap_or(domain.is_case_sensitive));
        not_for_carts(&domain, &link.slug)?;
    } else {
        link.slug = generated_slug(context, tx, &domain, change.slug_length, change.slug_prefix.as_deref())?;
    }
    let filing = change.filing.resolve(tx, workspace)?;
    apply(context, tx, workspace, change, &mut link.terms)?;
    let new = NewLink {
        id: link.id,
        workspace: link.workspace,
        domain: link.domain,
        slug: link.slug,
        is_exact: link.is_exact,
        terms: link.terms,
        created_at: link.created_at,
    };
    let link = books::link::insert(tx, &new)?;
    filing.store(tx, link.no)?;
    books::audit::note(tx, Some(&link.id), None, Some(link_facts::said_of(&link)))?;
    Ok(link)
}

/// When a new link was made: now, or elsewhere at `said`.
fn birth(context: &Context, said: Option<Timestamp>) -> Result<Timestamp, Error> {
    let now = context.inner.clock.now();
    match said {
        None => Ok(now),
        Some(at) if (FIRST_BIRTH..=now).contains(&at) => Ok(at),
        Some(_) => Err(Error::invalid(
            "createdAt",
            "must lie between 1990 and now: mend it, or leave it out",
        )),
    }
}

/// Moves a link to another domain or slug.
fn place(
    context: &Context,
    view: &View<'_>,
    workspace: WorkspaceNo,
    change: &LinkChange,
    link: &mut Link,
) -> Result<(), Error> {
    if change.slug_length.is_some() || change.slug_prefix.is_some() {
        return Err(Error::invalid("keyLength", "and prefix are only for new links"));
    }
    if let Some(name) = &change.domain {
        link.domain = domain_for(context, view, workspace, Some(name))?.no;
    }
    let moves = change.domain.is_some();
    let new_slug = change.slug.as_deref().filter(|key| *key != link.slug);
    if moves || new_slug.is_some() {
        let domain = books::link_domain::by_no(view, link.domain)?.ok_or(Error::NotFound { what: "domain" })?;
        if let Some(key) = new_slug {
            (link.slug, link.is_exact) = (custom_slug(key)?, domain.is_case_sensitive);
        }
        not_for_carts(&domain, &link.slug)?;
    }
    Ok(())
}

/// A domain that is bound to a store takes carts at these paths, so no link there could be followed.
fn not_for_carts(domain: &LinkDomain, slug: &str) -> Result<(), Error> {
    let folded = slug::fold(slug);
    if domain.store.is_some() && (folded == "checkout" || folded.starts_with("buy/")) {
        return Err(Error::invalid(
            "key",
            "is a path where this domain takes carts: use anything but checkout and buy/…",
        ));
    }
    Ok(())
}

pub(super) fn custom_slug(key: &str) -> Result<String, Error> {
    slug::parse_custom(key).map_err(|error| {
        let message = match error {
            SlugError::Empty => "must not be empty",
            SlugError::TooLong => "must have at most 190 characters",
            SlugError::Malformed => "must not contain control characters or empty segments",
            SlugError::Reserved => "begins with a path that the server keeps for itself",
        };
        Error::invalid("key", message)
    })
}

fn generated_slug(
    context: &Context,
    view: &View<'_>,
    domain: &LinkDomain,
    length: Option<usize>,
    prefix: Option<&str>,
) -> Result<String, Error> {
    let length = length.unwrap_or(GENERATED_LENGTH);
    if !(3..=SLUG_MAX).contains(&length) {
        return Err(Error::invalid("keyLength", "must be from 3 to 190"));
    }
    let prefix = prefix
        .map(|prefix| prefix.trim_matches('/'))
        .filter(|prefix| !prefix.is_empty());
    let mut random = [0; SLUG_MAX * 2];
    for _ in 0..DRAWS_MAX {
        context.inner.entropy.fill(&mut random);
        let Some(drawn) = slug::generate(length, &random) else {
            continue;
        };
        let slug = match prefix {
            Some(prefix) => custom_slug(&format!("{prefix}/{drawn}"))?,
            None => drawn,
        };
        if books::link::by_slug(view, domain.no, &slug)?.is_none() {
            return Ok(slug);
        }
    }
    Err(Error::Conflict {
        field: "keyLength",
        message: "leaves no free key: choose a longer one".to_owned(),
    })
}

/// Writes what the caller said into `terms`.
pub(super) fn apply(
    context: &Context,
    view: &View<'_>,
    workspace: WorkspaceNo,
    mut change: LinkChange,
    terms: &mut LinkTerms,
) -> Result<(), Error> {
    let kept = keep_utm_templates::fill(view, workspace, &mut change)?;
    set(
        &mut terms.external_id,
        text("externalId", change.external_id, EXTERNAL_ID_MAX)?,
    );
    set(
        &mut terms.tenant_id,
        text("tenantId", change.tenant_id, EXTERNAL_ID_MAX)?,
    );
    set(&mut terms.title, text("title", change.title, TEXT_MAX)?);
    set(
        &mut terms.description,
        text("description", change.description, TEXT_MAX)?,
    );
    set(&mut terms.comments, text("comments", change.comments, TEXT_MAX)?);
    set(&mut terms.expires_at, change.expires_at);
    set(&mut terms.clicks_max, change.clicks_max);
    set(&mut terms.tracks_conversions, change.tracks_conversions);
    set(&mut terms.is_archived, change.is_archived);
    if let Some(is_disabled) = change.is_disabled {
        terms.disabled_at = is_disabled.then(|| terms.disabled_at.unwrap_or_else(|| context.inner.clock.now()));
    }
    if terms.clicks_max == Some(0) {
        return Err(Error::invalid("maxClicks", "must be at least 1"));
    }
    if let Some(url) = change.expired_url {
        let checked = url
            .map(|url| context.check_destination("expiredUrl", &url))
            .transpose()?;
        terms.expired_url = checked.map(String::from);
    }
    if let Some(id) = change.creator_id {
        terms.creator = match id {
            Some(id) => {
                let creator = books::creator::by_id(view, workspace, &id)?
                    .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?;
                if creator.departure.is_some() && terms.creator != Some(creator.no) {
                    let message = format!("is {}: it gets no links", creator.status());
                    return Err(Error::invalid("partnerId", message));
                }
                Some(creator.no)
            }
            None => None,
        };
    }
    if let Some(id) = change.campaign_id {
        let find = |id: String| {
            let found = books::campaign::by_id(view, workspace, &id)?;
            let missing = || Error::invalid("campaignId", "is not a campaign of this workspace");
            Ok::<_, Error>(found.ok_or_else(missing)?.no)
        };
        terms.campaign = id.map(find).transpose()?;
    }
    set(
        &mut terms.content_id,
        text("contentId", change.content_id, CONTENT_ID_MAX)?,
    );
    if let Some(url) = change.content_url {
        let checked = url
            .map(|url| context.check_destination("contentUrl", &url))
            .transpose()?;
        terms.content_url = checked.map(String::from);
    }
    if let Some(policy) = change.stock_policy {
        terms.stock_policy = policy
            .map(|draft| draft.resolve(context))
            .transpose()?
            .unwrap_or_default();
    }
    apply_destination(
        context,
        view,
        workspace,
        change.destination,
        change.cart,
        change.utm,
        terms,
    )?;
    // What no caller has said is not refused for a cart: it is left out.
    let kept = kept.filter(|_| terms.cart.is_none()).map(Some);
    if let Some(said) = text("ref", change.reference.or(kept), UTM_MAX)? {
        refer(context, said, terms)?;
    }
    change.experiment.apply(context, view, workspace, terms)?;
    change.reception.apply(context, view, workspace, terms)?;
    check_code_pools(view, terms)
}

/// A creator's pool goes with links of that creator: who is credited must not hang on which of the two is asked.
fn check_code_pools(view: &View<'_>, terms: &LinkTerms) -> Result<(), Error> {
    let variants = terms.experiment.iter().flat_map(|experiment| &experiment.variants);
    let variants = variants
        .enumerate()
        .map(|(place, variant)| (format!("testVariants[{place}]."), variant.cart.as_ref()));
    let rules = terms.reception.rules.iter().enumerate();
    let rules = rules.map(|(place, rule)| (format!("rules[{place}]."), rule.target.cart.as_ref()));
    let own = std::iter::once((String::new(), terms.cart.as_ref()));
    for (within, cart) in own.chain(variants).chain(rules) {
        let Some(no) = cart.and_then(|cart| cart.code_pool) else {
            continue;
        };
        let owner = books::code_pool::by_no(view, no)?.and_then(|pool| pool.creator);
        if owner.is_some() && owner != terms.creator {
            let message = "is a pool of another partner than the link's partnerId";
            return Err(Error::invalid(format!("{within}cart.codePoolId"), message));
        }
    }
    Ok(())
}

/// Settles where the link leads: a cart's own URL, or the destination with its UTM parameters written in.
fn apply_destination(
    context: &Context,
    view: &View<'_>,
    workspace: WorkspaceNo,
    destination: Option<String>,
    cart: Option<Option<CartDraft>>,
    utm: [Option<Option<String>>; 5],
    terms: &mut LinkTerms,
) -> Result<(), Error> {
    let mut named_utm: [Option<Option<String>>; 5] = Default::default();
    for ((place, name), value) in named_utm.iter_mut().zip(UTM_NAMES).zip(utm) {
        *place = text(name, value, UTM_MAX)?;
    }
    let says_utm = named_utm.iter().any(Option::is_some);
    let was_cart = terms.cart.is_some();
    let drops_cart = matches!(cart, Some(None));
    if drops_cart && was_cart && destination.is_none() {
        return Err(Error::invalid("url", "is required when the cart is taken away"));
    }
    // Clients that send a whole link back send its cart's URL as well: that is no new destination.
    let destination = destination.filter(|url| !was_cart || *url != terms.destination);
    let checked = destination
        .map(|url| context.check_destination("url", &url))
        .transpose()?;
    let keeps_cart = was_cart && !drops_cart && checked.is_none();
    if let Some(Some(draft)) = cart {
        take_utm(&mut terms.utm, named_utm);
        let (cart, url) = draft.resolve(context, view, workspace, &terms.utm)?;
        (terms.cart, terms.destination) = (Some(cart), url);
        return Ok(());
    }
    // A destination that is the cart of a known store becomes a cart link by itself, unless the caller said `cart: null`.
    if let Some(url) = checked.as_ref().filter(|_| !drops_cart)
        && let Some((draft, mut utm)) = CartDraft::recognise(view, workspace, url)?
    {
        take_utm(&mut utm, named_utm);
        let (cart, url) = draft.resolve(context, view, workspace, &utm)?;
        (terms.cart, terms.destination, terms.utm) = (Some(cart), url, utm);
        return Ok(());
    }
    if keeps_cart {
        if says_utm {
            take_utm(&mut terms.utm, named_utm);
            let draft = redraft(view, terms)?;
            terms.destination = draft.resolve(context, view, workspace, &terms.utm)?.1;
        }
        return Ok(());
    }
    if checked.is_none() && !says_utm {
        return Ok(());
    }
    terms.cart = None;
    let url = match checked {
        Some(url) => url,
        None => context.check_destination("url", &terms.destination)?,
    };
    let url = with_utm(url, named_utm);
    terms.destination = context.check_destination("url", url.as_str())?.into();
    terms.utm = utm_of(&url);
    Ok(())
}

fn take_utm(utm: &mut [Option<String>; 5], named: [Option<Option<String>>; 5]) {
    for (own, named) in utm.iter_mut().zip(named) {
        set(own, named);
    }
}

/// A stored cart as if the caller had said it again.
pub(super) fn redraft(view: &View<'_>, terms: &LinkTerms) -> Result<CartDraft, Error> {
    let cart = terms.cart.as_ref().ok_or(Error::NotFound { what: "cart" })?;
    let store = books::store::by_no(view, cart.store)?.ok_or(Error::NotFound { what: "store" })?;
    let pool = match cart.code_pool {
        Some(no) => books::code_pool::by_no(view, no)?,
        None => None,
    };
    Ok(CartDraft {
        store_id: store.id,
        items: cart.items.clone(),
        discount_codes: cart.discount_codes.clone(),
        note: cart.note.clone(),
        attributes: cart.attributes.clone(),
        continue_to: cart.continue_to.clone(),
        landing: cart.landing,
        code_pool_id: pool.map(|pool| pool.id),
    })
}

/// Writes the parameter `ref` into the destination; `None` takes it out. Carts carry none: their shop reads who is
/// credited from the click id.
fn refer(context: &Context, said: Option<String>, terms: &mut LinkTerms) -> Result<(), Error> {
    if terms.cart.is_some() {
        return match said {
            Some(_) => Err(Error::invalid("ref", "goes with a url, not with a cart")),
            None => Ok(()),
        };
    }
    let url = context.check_destination("url", &terms.destination)?;
    let url = with_parameters(url, [("ref", Some(said))]);
    terms.destination = context.check_destination("url", url.as_str())?.into();
    Ok(())
}

fn with_utm(url: url::Url, named: [Option<Option<String>>; 5]) -> url::Url {
    with_parameters(url, UTM_NAMES.into_iter().zip(named))
}

/// Sets each parameter that is said, or takes it out.
fn with_parameters<'a>(
    mut url: url::Url,
    named: impl IntoIterator<Item = (&'a str, Option<Option<String>>)>,
) -> url::Url {
    for (name, value) in named {
        let Some(value) = value else { continue };
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(other, _)| other != name)
            .map(|(a, b)| (a.into_owned(), b.into_owned()))
            .collect();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(others);
        if let Some(value) = value {
            query.append_pair(name, &value);
        }
        let query = query.finish();
        url.set_query((!query.is_empty()).then_some(&query));
    }
    url
}

fn utm_of(url: &url::Url) -> [Option<String>; 5] {
    UTM_NAMES.map(|name| {
        url.query_pairs()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.into_owned())
    })
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn text(field: &str, value: Option<Option<String>>, max: usize) -> Result<Option<Option<String>>, Error> {
    if let Some(Some(text)) = &value
        && text.chars().count() > max
    {
        return Err(Error::invalid(field, format!("must have at most {max} characters")));
    }
    // An empty text means "none", as in the dialect.
    Ok(value.map(|text| text.filter(|text| !text.is_empty())))
}
