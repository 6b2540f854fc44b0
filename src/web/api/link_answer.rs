//! A link as the dialect answers it: 51 fields, and ours after them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use axum::Json;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::conversion::home_currency;
use super::error::ApiError;
use super::link_query::domain_name;
use super::qr::QR_TEXT_GOOD;
use super::reception_body::{geo_view, rule_view};
use super::{Api, Caller};
use crate::books::conversion::Brought;
use crate::books::{self, View};
use crate::clicklog::Totals;
use crate::domain::cart::{Cart, ItemName};
use crate::domain::click::ClassSet;
use crate::domain::experiment::Variant;
use crate::domain::id::{CampaignNo, CodePoolNo, CreatorNo, DomainNo, FolderNo, StoreNo, TagNo, WorkspaceNo};
use crate::domain::link::Link;
use crate::domain::reception::{Rule, Target};
use crate::domain::tag::Tag;
use crate::flows::Error;
use crate::flows::lock_link::PASSWORD_SHOWN;

/// The answer; null where the dialect says so.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LinkView {
    pub id: String,
    pub domain: String,
    pub key: String,
    pub url: String,
    track_conversion: bool,
    external_id: Option<String>,
    tenant_id: Option<String>,
    program_id: Option<String>,
    pub partner_id: Option<String>,
    archived: bool,
    expires_at: Option<String>,
    expired_url: Option<String>,
    disabled_at: Option<String>,
    password: Option<String>,
    proxy: bool,
    pub title: Option<String>,
    description: Option<String>,
    image: Option<String>,
    video: Option<String>,
    rewrite: bool,
    do_index: bool,
    ios: Option<String>,
    android: Option<String>,
    geo: Option<Value>,
    public_stats: bool,
    tags: Vec<Value>,
    folder_id: Option<String>,
    pub comments: Option<String>,
    pub short_link: String,
    qr_code: String,
    #[serde(rename = "utm_source")]
    utm_source: Option<String>,
    #[serde(rename = "utm_medium")]
    utm_medium: Option<String>,
    #[serde(rename = "utm_campaign")]
    utm_campaign: Option<String>,
    #[serde(rename = "utm_term")]
    utm_term: Option<String>,
    #[serde(rename = "utm_content")]
    utm_content: Option<String>,
    test_variants: Option<Value>,
    test_started_at: Option<String>,
    test_completed_at: Option<String>,
    user_id: Option<String>,
    workspace_id: String,
    pub clicks: u64,
    leads: u64,
    conversions: u64,
    sales: u64,
    /// Of the only currency, else of the workspace's own; `sale_amounts` has all of them.
    sale_amount: i64,
    last_clicked: Option<String>,
    pub created_at: String,
    updated_at: String,
    tag_id: Option<String>,
    project_id: String,
    webhook_ids: Vec<String>,
    // Ours.
    max_clicks: Option<u64>,
    rules: Vec<Value>,
    open_in_browser: bool,
    cart: Option<Value>,
    stock_policy: Option<Value>,
    campaign_id: Option<String>,
    content_id: Option<String>,
    content_url: Option<String>,
    /// Whether letter case counts in the key.
    case_sensitive: bool,
    /// Revenue less what was given back, by currency.
    sale_amounts: BTreeMap<String, i64>,
    /// What works and should still be looked at.
    warnings: Vec<Value>,
}

/// Names that answers need and links hold as numbers.
#[derive(Default)]
pub(super) struct Names {
    domains: HashMap<DomainNo, String>,
    creators: HashMap<CreatorNo, String>,
    stores: HashMap<StoreNo, String>,
    campaigns: HashMap<CampaignNo, String>,
    /// Deleted ones have none.
    pools: HashMap<CodePoolNo, Option<String>>,
    tags: HashMap<TagNo, Tag>,
    folders: HashMap<FolderNo, String>,
    /// The workspace's own.
    currency: Option<String>,
}

/// `link` as an answer.
pub(super) async fn answer_one(api: &Api, caller: &Caller, link: Link) -> Result<Json<LinkView>, ApiError> {
    let mut answers = answer(api, caller, vec![link]).await?;
    answers
        .pop()
        .map(Json)
        .ok_or_else(|| ApiError::not_found("The link was not found."))
}

/// `links` as answers, in their order, with their clicks from the log, and leads and sales from the books: those that the
/// link is credited with, by the last touch.
pub(super) async fn answer(api: &Api, caller: &Caller, links: Vec<Link>) -> Result<Vec<LinkView>, ApiError> {
    let (inner, workspace_id) = (api.clone(), caller.workspace_id.clone());
    let answers = api.context.books().read(move |view| {
        let mut names = Names::default();
        links
            .iter()
            .map(|link| answer_in(&inner, view, &mut names, link, &workspace_id))
            .collect::<Result<Vec<_>, Error>>()
    });
    Ok(answers.await?)
}

/// `link` as an answer, as of `view`.
pub(super) fn answer_in(
    api: &Api,
    view: &View<'_>,
    names: &mut Names,
    link: &Link,
    workspace_id: &str,
) -> Result<LinkView, Error> {
    names.learn(api, view, link)?;
    // A link that was just made must be answered even while the log is away: its clicks are then unknown.
    let totals = api.clicks.totals(link.no).unwrap_or_else(|error| {
        tracing::warn!(%error, "a link is answered without its clicks");
        Totals::default()
    });
    let mut link_view = view_of(api, link, names, &totals, workspace_id);
    link_view.file(view, link, names)?;
    link_view.add(books::conversion::of_link(view, link.no)?, names, view, link.workspace)?;
    link_view.webhook_ids = books::webhook::of_link(view, link.no)?;
    Ok(link_view)
}

/// Links and refusals as the answer of a bulk call: a refusal stands with what was refused.
pub(super) async fn answer_by(
    api: &Api,
    caller: &Caller,
    results: Vec<(Value, Result<Link, ApiError>)>,
) -> Result<Vec<Value>, ApiError> {
    let links = results.iter().filter_map(|(_, result)| result.as_ref().ok()).cloned();
    let mut links = answer(api, caller, links.collect()).await?.into_iter();
    let told = results.into_iter().map(|(said, result)| match result {
        Ok(_) => serde_json::to_value(links.next()).unwrap_or_default(),
        Err(error) => json!({ "link": said, "error": error.message(), "code": error.closed_code() }),
    });
    Ok(told.collect())
}

impl LinkView {
    /// Says where the link is filed.
    fn file(&mut self, view: &View<'_>, link: &Link, names: &mut Names) -> Result<(), Error> {
        for no in books::tag::of_link(view, link.no)? {
            if let Entry::Vacant(unknown) = names.tags.entry(no)
                && let Some(tag) = books::tag::by_no(view, no)?
            {
                unknown.insert(tag);
            }
            if let Some(tag) = names.tags.get(&no) {
                self.tag_id.get_or_insert_with(|| tag.id.clone());
                self.tags
                    .push(json!({ "id": tag.id, "name": tag.name, "color": tag.color }));
            }
        }
        if let Some(no) = books::folder::of_link(view, link.no)? {
            if let Entry::Vacant(unknown) = names.folders.entry(no)
                && let Some(folder) = books::folder::by_no(view, no)?
            {
                unknown.insert(folder.id);
            }
            self.folder_id = names.folders.get(&no).cloned();
        }
        Ok(())
    }

    fn add(
        &mut self,
        brought: Brought,
        names: &mut Names,
        view: &View<'_>,
        workspace: WorkspaceNo,
    ) -> Result<(), Error> {
        (self.leads, self.conversions, self.sales) = (brought.leads, brought.conversions, brought.sales);
        self.sale_amount = amount_of(&brought.amounts, || match &names.currency {
            Some(currency) => Ok(currency.clone()),
            None => Ok(names.currency.insert(home_currency(view, workspace)?).clone()),
        })?;
        self.sale_amounts = brought.amounts;
        Ok(())
    }
}

/// What answers show where the dialect has one amount: the only one there is, else that of the currency `home`.
pub(super) fn amount_of(
    amounts: &BTreeMap<String, i64>,
    home: impl FnOnce() -> Result<String, Error>,
) -> Result<i64, Error> {
    if amounts.len() < 2 {
        return Ok(amounts.values().next().copied().unwrap_or(0));
    }
    Ok(amounts.get(&home()?).copied().unwrap_or(0))
}

/// The variants of `link`, as its answer shows them.
pub(super) async fn variants_of(api: &Api, link: &Link) -> Result<Vec<Value>, ApiError> {
    let (inner, link) = (api.clone(), link.clone());
    let views = api.context.books().read(move |view| {
        let mut names = Names::default();
        names.learn(&inner, view, &link)?;
        let variants = link.terms.experiment.iter().flat_map(|experiment| &experiment.variants);
        Ok::<_, Error>(variants.map(|variant| variant_view(variant, &names)).collect())
    });
    Ok(views.await?)
}

/// What is answered for a link that was deleted while its clicks are still in the log.
pub(super) fn deleted(api: &Api, caller: &Caller, link: crate::domain::id::LinkNo) -> LinkView {
    deleted_of(api, (caller.workspace, &caller.workspace_id), link)
}

/// As [`deleted`], of a workspace by its number and public id.
pub(super) fn deleted_of(
    api: &Api,
    (workspace, workspace_id): (WorkspaceNo, &str),
    link: crate::domain::id::LinkNo,
) -> LinkView {
    let gone = Link {
        no: link,
        id: format!("link_deleted_{}", link.0),
        workspace,
        domain: DomainNo::DEFAULT,
        slug: "(deleted)".to_owned(),
        is_exact: false,
        terms: Default::default(),
        created_at: Default::default(),
        updated_at: Default::default(),
    };
    view_of(api, &gone, &Names::default(), &Totals::default(), workspace_id)
}

impl Names {
    fn learn(&mut self, api: &Api, view: &View<'_>, link: &Link) -> Result<(), Error> {
        if let Entry::Vacant(unknown) = self.domains.entry(link.domain) {
            unknown.insert(domain_name(api, view, link.domain)?);
        }
        if let Some(no) = link.terms.creator.filter(|no| !self.creators.contains_key(no)) {
            let id = books::creator::by_no(view, no)?.map(|creator| creator.id);
            self.creators.insert(no, id.unwrap_or_default());
        }
        if let Some(no) = link.terms.campaign.filter(|no| !self.campaigns.contains_key(no)) {
            let id = books::campaign::by_no(view, no)?.map(|campaign| campaign.id);
            self.campaigns.insert(no, id.unwrap_or_default());
        }
        let variants = link.terms.experiment.iter().flat_map(|experiment| &experiment.variants);
        let targets = link.terms.reception.targets().filter_map(|target| target.cart.as_ref());
        let carts = variants.filter_map(|variant| variant.cart.as_ref()).chain(targets);
        for cart in link.terms.cart.iter().chain(carts) {
            self.learn_store(view, cart.store)?;
            if let Some(no) = cart.code_pool.filter(|no| !self.pools.contains_key(no)) {
                let id = books::code_pool::by_no(view, no)?.map(|pool| pool.id);
                self.pools.insert(no, id);
            }
        }
        Ok(())
    }

    fn learn_store(&mut self, view: &View<'_>, no: StoreNo) -> Result<(), Error> {
        if let Entry::Vacant(unknown) = self.stores.entry(no) {
            let id = books::store::by_no(view, no)?.map(|store| store.id);
            unknown.insert(id.unwrap_or_default());
        }
        Ok(())
    }

    fn store(&self, no: StoreNo) -> &str {
        self.stores.get(&no).map_or("", String::as_str)
    }
}

fn view_of(api: &Api, link: &Link, names: &Names, totals: &Totals, workspace_id: &str) -> LinkView {
    let terms = link.terms.clone();
    let public = api.context.public();
    let domain = names
        .domains
        .get(&link.domain)
        .cloned()
        .unwrap_or_else(|| public.authority.clone());
    let short_link = short_link(&public.scheme, &domain, &link.slug);
    let experiment = terms.experiment.as_ref();
    let variants = experiment.map(|it| it.variants.iter().map(|variant| variant_view(variant, names)));
    let qr_text = format!("{short_link}?qr=1");
    let warnings = qr_warning(&qr_text).into_iter().collect();
    let qr_target: String = url::form_urlencoded::byte_serialize(qr_text.as_bytes()).collect();
    let reception = &terms.reception;
    let target = |target: &Option<Target>| target.as_ref().map(|target| target.destination.clone());
    let rule = |rule: &Rule| rule_view(rule, rule.target.cart.as_ref().map(|cart| cart_view(cart, names)));
    let rules = reception.rules.iter().map(rule);
    let [utm_source, utm_medium, utm_campaign, utm_term, utm_content] = terms.utm;
    LinkView {
        id: link.id.clone(),
        key: link.slug.clone(),
        url: terms.destination,
        track_conversion: terms.tracks_conversions,
        external_id: terms.external_id,
        tenant_id: terms.tenant_id,
        program_id: None,
        partner_id: terms.creator.and_then(|no| names.creators.get(&no).cloned()),
        archived: terms.is_archived,
        expires_at: terms.expires_at.map(|at| at.to_string()),
        expired_url: terms.expired_url,
        disabled_at: terms.disabled_at.map(|at| at.to_string()),
        password: reception.password.as_ref().map(|_| PASSWORD_SHOWN.to_owned()),
        proxy: reception.is_card,
        title: terms.title,
        description: terms.description,
        image: reception.image.clone(),
        video: reception.video.clone(),
        rewrite: false,
        do_index: false,
        ios: target(&reception.ios),
        android: target(&reception.android),
        geo: geo_view(reception),
        public_stats: false,
        tags: Vec::new(),
        folder_id: None,
        comments: terms.comments,
        qr_code: format!("{}/qr?url={qr_target}", api.base_url),
        short_link,
        utm_source,
        utm_medium,
        utm_campaign,
        utm_term,
        utm_content,
        test_variants: variants.map(Iterator::collect),
        test_started_at: experiment.map(|it| it.started_at.to_string()),
        test_completed_at: experiment.and_then(|it| it.completed_at).map(|at| at.to_string()),
        user_id: None,
        workspace_id: workspace_id.to_owned(),
        clicks: ClassSet::default().sum(&totals.counts),
        leads: 0,
        conversions: 0,
        sales: 0,
        sale_amount: 0,
        last_clicked: totals.last_human_at.map(|at| at.to_string()),
        created_at: link.created_at.to_string(),
        updated_at: link.updated_at.to_string(),
        tag_id: None,
        project_id: workspace_id.to_owned(),
        webhook_ids: Vec::new(),
        max_clicks: terms.clicks_max,
        rules: rules.collect(),
        open_in_browser: reception.leaves_apps,
        campaign_id: terms.campaign.and_then(|no| names.campaigns.get(&no).cloned()),
        content_id: terms.content_id,
        content_url: terms.content_url,
        case_sensitive: link.is_exact,
        stock_policy: terms
            .cart
            .is_some()
            .then(|| json!({ "onOut": terms.stock_policy.on_out, "redirectUrl": terms.stock_policy.redirect_url })),
        sale_amounts: BTreeMap::new(),
        cart: terms.cart.as_ref().map(|cart| cart_view(cart, names)),
        warnings,
        domain,
    }
}

/// Said when a picture of `text` would be hard to scan.
fn qr_warning(text: &str) -> Option<Value> {
    let count = text.chars().count();
    let message = format!(
        "would hold {count} characters; codes of more than {QR_TEXT_GOOD} are hard to scan from a phone or a poster: \
         choose a shorter key"
    );
    (count > QR_TEXT_GOOD).then(|| json!({ "field": "qrCode", "message": message }))
}

/// A link's address: each character of the slug that a path cannot hold is percent-encoded.
pub(super) fn short_link(scheme: &str, domain: &str, slug: &str) -> String {
    format!("{scheme}://{domain}{}", path_of(slug))
}

/// A slug as a path.
pub(super) fn path_of(slug: &str) -> String {
    let mut path = "/".to_owned();
    for segment in slug.split('/') {
        if !path.ends_with('/') {
            path.push('/');
        }
        path.extend(percent_encoding::utf8_percent_encode(segment, PATH_SEGMENT));
    }
    path
}

/// Everything but RFC 3986's unreserved characters and the sub-delimiters that paths commonly hold.
const PATH_SEGMENT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b',')
    .remove(b';')
    .remove(b':')
    .remove(b'@')
    .remove(b'=')
    .remove(b'+');

/// The dialect's two fields, and ours: what a caller may send back as it is.
fn variant_view(variant: &Variant, names: &Names) -> Value {
    let mut view = json!({ "url": variant.destination, "percentage": variant.percentage, "name": variant.name });
    match &variant.cart {
        Some(cart) if variant.is_own_cart => view["discountCodes"] = json!(cart.discount_codes),
        Some(cart) => view["cart"] = cart_view(cart, names),
        None => {}
    }
    view
}

fn cart_view(cart: &Cart, names: &Names) -> Value {
    let items: Vec<Value> = cart
        .items
        .iter()
        .map(|item| {
            let (name, value) = match &item.name {
                ItemName::Sku(sku) => ("sku", sku),
                ItemName::Variant(variant_id) => ("variantId", variant_id),
            };
            json!({ name: value, "quantity": item.quantity, "fallbacks": item.fallbacks })
        })
        .collect();
    let attributes: Map<String, Value> = cart
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    json!({
        "storeId": names.store(cart.store),
        "items": items,
        "discountCodes": cart.discount_codes,
        "codePoolId": cart.code_pool.and_then(|no| names.pools.get(&no)),
        "note": cart.note,
        "attributes": attributes,
        "landing": cart.landing,
        "continueTo": cart.continue_to,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_codes_are_warned_of() {
        assert_eq!(qr_warning(&"x".repeat(QR_TEXT_GOOD)), None);
        let warning = qr_warning(&"x".repeat(QR_TEXT_GOOD + 1)).expect("a warning");
        assert_eq!(warning["field"], "qrCode");
    }

    #[test]
    fn short_links_can_be_pasted() {
        assert_eq!(
            short_link("https", "go.brand.example", "mia/summer"),
            "https://go.brand.example/mia/summer"
        );
        assert_eq!(
            short_link("http", "127.0.0.1:8080", "grün & gut?"),
            "http://127.0.0.1:8080/gr%C3%BCn%20%26%20gut%3F"
        );
    }
}
