//! Link domains are added and changed; a domain serves as soon as this returns.

use super::audit_facts;
use super::context::Context;
use super::error::Error;
use crate::books::{self, Tx, View};
use crate::domain::consent::ConsentMode;
use crate::domain::host::{self, HostError};
use crate::domain::id::{DomainNo, WorkspaceNo};
use crate::domain::link_domain::{LinkDomain, REDIR_HOSTS_MAX};

/// What a caller says of a domain. `None` = not said.
#[derive(Debug, Clone, Default)]
pub struct DomainChange {
    pub slug: Option<String>,
    pub is_primary: Option<bool>,
    pub is_archived: Option<bool>,
    pub is_case_sensitive: Option<bool>,
    pub consent: Option<ConsentMode>,
    pub has_legal_basis: Option<bool>,
    pub cookie_domain: Option<Option<String>>,
    /// Public id of the store whose carts the domain takes; `Some(None)` = none any more.
    pub store: Option<Option<String>>,
    pub not_found_url: Option<Option<String>>,
    pub expired_url: Option<Option<String>>,
    pub redir_hosts: Option<Vec<String>>,
}

/// Adds a domain to a workspace. The workspace's first one becomes its primary.
pub async fn create(
    context: &Context,
    workspace: WorkspaceNo,
    change: DomainChange,
    consent: ConsentMode,
) -> Result<LinkDomain, Error> {
    let slug = change
        .slug
        .as_deref()
        .ok_or_else(|| Error::invalid("slug", "is required"))?;
    let slug = parse_slug(context, slug)?;
    let now = context.inner.clock.now();
    let mut domain = LinkDomain {
        no: DomainNo(0),
        id: context.new_id("dom_"),
        workspace: Some(workspace),
        slug,
        is_primary: false,
        is_archived: false,
        is_case_sensitive: false,
        consent,
        has_legal_basis: false,
        cookie_domain: None,
        store: None,
        not_found_url: None,
        expired_url: None,
        redir_hosts: Vec::new(),
        proof: proof(context),
        verified_at: None,
        created_at: now,
        updated_at: now,
    };
    let store = change.store.clone();
    apply(context, change, &mut domain)?;
    let _order = context.inner.locks.of("domains").await;
    let made = context.inner.books.commit(move |tx| {
        bind(tx, workspace, store, &mut domain)?;
        domain.is_primary |= books::link_domain::primary(tx, workspace)?.is_none();
        let domain = books::link_domain::insert(tx, domain)?;
        books::audit::note(tx, Some(&domain.id), None, Some(audit_facts::of_domain(&domain)))?;
        Ok::<_, Error>((domain, books::link_domain::all(tx)?))
    });
    let (domain, all) = made.await?;
    context.put_domains(&all);
    Ok(domain)
}

/// Changes the domain called `slug`.
pub async fn update(
    context: &Context,
    workspace: WorkspaceNo,
    slug: &str,
    change: DomainChange,
) -> Result<LinkDomain, Error> {
    let new_slug = change
        .slug
        .as_deref()
        .map(|slug| parse_slug(context, slug))
        .transpose()?;
    let _order = context.inner.locks.of("domains").await;
    let (now, slug) = (context.inner.clock.now(), slug.to_ascii_lowercase());
    let inner = context.clone();
    let changed = context.inner.books.commit(move |tx| {
        let mut domain = find(tx, workspace, &slug)?;
        let before = audit_facts::of_domain(&domain);
        if let Some(new_slug) = new_slug.filter(|slug| *slug != domain.slug) {
            domain.slug = new_slug;
            domain.verified_at = None;
        }
        bind(tx, workspace, change.store.clone(), &mut domain)?;
        apply(&inner, change, &mut domain)?;
        domain.updated_at = now;
        books::link_domain::update(tx, &domain)?;
        books::audit::note(
            tx,
            Some(&domain.id),
            Some(before),
            Some(audit_facts::of_domain(&domain)),
        )?;
        Ok::<_, Error>((domain, books::link_domain::all(tx)?))
    });
    let (domain, all) = changed.await?;
    context.put_domains(&all);
    Ok(domain)
}

/// Deletes the domain called `slug`: its host means nothing here any more.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] while it has links, which would go with it unasked.
pub async fn delete(context: &Context, workspace: WorkspaceNo, slug: &str) -> Result<LinkDomain, Error> {
    let slug = slug.to_ascii_lowercase();
    let _order = context.inner.locks.of("domains").await;
    let gone = context.inner.books.commit(move |tx| {
        let domain = find(tx, workspace, &slug)?;
        if books::link_domain::has_links(tx, domain.no)? {
            return Err(Error::Conflict {
                field: "slug",
                message: "still has links: delete them, or move them to another domain, first".to_owned(),
            });
        }
        books::link_domain::delete(tx, domain.no)?;
        books::audit::note(tx, Some(&domain.id), Some(audit_facts::of_domain(&domain)), None)?;
        Ok((domain, books::link_domain::all(tx)?))
    });
    let (domain, all) = gone.await?;
    context.put_domains(&all);
    Ok(domain)
}

/// A new word for a TXT record.
fn proof(context: &Context) -> String {
    let mut random = [0; 16];
    context.inner.entropy.fill(&mut random);
    format!("{:032x}", u128::from_be_bytes(random))
}

/// The workspace's domain called `slug`, or with that id.
pub fn find(view: &View<'_>, workspace: WorkspaceNo, slug: &str) -> Result<LinkDomain, Error> {
    let found = match books::link_domain::by_slug(view, slug)? {
        Some(domain) => Some(domain),
        None => books::link_domain::by_id(view, slug)?,
    };
    found
        .filter(|domain| domain.workspace == Some(workspace))
        .ok_or(Error::NotFound { what: "domain" })
}

fn parse_slug(context: &Context, slug: &str) -> Result<String, Error> {
    if context.public().is_meant_by(slug) {
        return Err(Error::Conflict {
            field: "slug",
            message: "is this server's default domain".to_owned(),
        });
    }
    host::parse_domain(slug, context.inner.destinations.private_allowed).map_err(|error| {
        Error::invalid(
            "slug",
            match error {
                HostError::Malformed => "must be a host name such as go.brand.com, without scheme, port or path",
                HostError::NotPublic => "must be a public host name",
            },
        )
    })
}

/// The hosts of `redir_url` in the form in which they are compared.
fn redir_hosts(context: &Context, said: Vec<String>) -> Result<Vec<String>, Error> {
    if said.len() > REDIR_HOSTS_MAX {
        return Err(Error::invalid(
            "redirHosts",
            format!("must have at most {REDIR_HOSTS_MAX} hosts"),
        ));
    }
    let checked = said.iter().enumerate().map(|(place, host)| {
        let message = "must be a public host name such as shop.brand.com, without scheme, port or path";
        let bad = || Error::invalid(format!("redirHosts[{place}]"), message);
        let host = host::parse_domain(host, false).map_err(|_| bad())?;
        context
            .allow_destination(&format!("https://{host}/"))
            .map_err(|_| bad())?;
        Ok(host)
    });
    checked.collect()
}

fn bind(
    tx: &Tx<'_>,
    workspace: WorkspaceNo,
    said: Option<Option<String>>,
    domain: &mut LinkDomain,
) -> Result<(), Error> {
    let Some(id) = said else { return Ok(()) };
    if id.is_some()
        && domain.store.is_none()
        && let Some(slug) = books::link::slug_of_carts(tx, domain.no)?
    {
        return Err(Error::Conflict {
            field: "storeId",
            message: format!(
                "would hide the link /{slug}: a bound domain takes carts there; give it another key first"
            ),
        });
    }
    let unknown = || Error::invalid("storeId", "is not a store of this workspace");
    domain.store = match id {
        Some(id) => Some(books::store::by_id(tx, workspace, &id)?.ok_or_else(unknown)?.no),
        None => None,
    };
    Ok(())
}

fn apply(context: &Context, change: DomainChange, domain: &mut LinkDomain) -> Result<(), Error> {
    for (field, said, place) in [
        ("notFoundUrl", change.not_found_url, &mut domain.not_found_url),
        ("expiredUrl", change.expired_url, &mut domain.expired_url),
    ] {
        if let Some(said) = said {
            let checked = said.map(|url| context.check_destination(field, &url));
            *place = checked.transpose()?.map(String::from);
        }
    }
    if let Some(hosts) = change.redir_hosts {
        domain.redir_hosts = redir_hosts(context, hosts)?;
    }
    domain.is_primary = change.is_primary.unwrap_or(domain.is_primary);
    domain.is_archived = change.is_archived.unwrap_or(domain.is_archived);
    domain.is_case_sensitive = change.is_case_sensitive.unwrap_or(domain.is_case_sensitive);
    domain.consent = change.consent.unwrap_or(domain.consent);
    domain.has_legal_basis = change.has_legal_basis.unwrap_or(domain.has_legal_basis);
    if let Some(parent) = change.cookie_domain {
        domain.cookie_domain = parent.map(|parent| parent.trim_start_matches('.').to_ascii_lowercase());
    }
    if let Some(parent) = &domain.cookie_domain {
        // Browsers drop a cookie whose domain is not the host itself or above it (RFC 6265 section 5.3).
        let is_above = domain.slug == *parent
            || domain
                .slug
                .strip_suffix(parent.as_str())
                .is_some_and(|head| head.ends_with('.'));
        if !is_above || !parent.contains('.') {
            return Err(Error::invalid(
                "cookieDomain",
                "must be the domain itself or a parent domain of it",
            ));
        }
    }
    Ok(())
}
