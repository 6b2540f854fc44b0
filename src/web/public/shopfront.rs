//! A store as its pages show it, from what the hot path keeps of it: name, colour, logo; and how pages go out: under
//! the store's policy, packed where the browser takes that.
//!
//! Pictures are shown from hosts that the store lists and from nowhere else.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_ENCODING, CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, VARY};
use hyper::{Response, StatusCode};

use super::{packed, reply};
use crate::domain::store::StoreLook;
use crate::redirect::{CreatorRecord, StoreRecord};
use crate::web::pages::{Accent, FollowerPage, Language, Storefront, landing_csp};

/// Who reads a page: in which language it is drawn, and whether it may come packed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader {
    pub language: Language,
    takes_gzip: bool,
}

impl Reader {
    /// Whoever sent these headers.
    pub fn of(accept_language: &str, accept_encoding: &str) -> Self {
        Self {
            language: Language::of_accept_language(accept_language),
            takes_gzip: packed::takes_gzip(accept_encoding),
        }
    }
}

/// What all pages of `store` have in common when `creator` sends followers there.
pub(super) fn storefront<'a>(
    store: &'a StoreRecord,
    creator: Option<&'a CreatorRecord>,
    language: Language,
) -> Storefront<'a> {
    let shown = |url| shown_picture(&store.look, url);
    Storefront {
        language,
        store_name: &store.name,
        logo_url: shown(store.look.logo_url.as_deref()),
        accent: accent(store),
        creator_name: creator.map(|creator| &*creator.name),
        creator_image: shown(creator.and_then(|creator| creator.image_url.as_deref())),
    }
}

/// `url` when it is an `https` picture on one of the store's hosts.
pub(super) fn shown_picture<'a>(look: &StoreLook, url: Option<&'a str>) -> Option<&'a str> {
    let url = url?;
    let rest = url.strip_prefix("https://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.strip_suffix(":443").unwrap_or(authority);
    let is_listed = look.image_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
    is_listed.then_some(url)
}

/// A page of `store`, which nobody keeps.
pub(super) fn page(store: &StoreRecord, reader: Reader, status: StatusCode, html: String) -> Response<Full<Bytes>> {
    let csp = landing_csp(accent(store), &store.look.image_hosts, origin(&store.front));
    // The policy is made of checked parts: this cannot be reached, and no page goes out without one.
    let Ok(csp) = HeaderValue::from_maybe_shared(Bytes::from(csp)) else {
        return reply::page(FollowerPage::Unavailable);
    };
    let packed = reader
        .takes_gzip
        .then(|| packed::gzip(&html, reader.language))
        .flatten();
    let is_packed = packed.is_some();
    let mut response = reply::html(status, packed.unwrap_or_else(|| html.into()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, csp);
    headers.insert(REFERRER_POLICY, reply::REFERRER_POLICY);
    headers.insert(VARY, HeaderValue::from_static("accept-encoding, accept-language"));
    if is_packed {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

fn accent(store: &StoreRecord) -> Option<Accent> {
    store.look.accent.as_deref().and_then(Accent::parse)
}

/// Scheme, host and port of a serialised URL.
fn origin(url: &str) -> &str {
    let end = url.match_indices('/').nth(2).map_or(url.len(), |(at, _)| at);
    &url[..end]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::id::{CreatorNo, StoreNo, WorkspaceNo};
    use crate::domain::store::{Permalink, Provider, Store};
    use crate::domain::time::Timestamp;

    fn store(base_url: &str, look: StoreLook) -> StoreRecord {
        let store = Store {
            no: StoreNo(1),
            id: "store_1".to_owned(),
            workspace: WorkspaceNo(1),
            name: "Glow & Co".to_owned(),
            provider: Provider::Shopify,
            base_url: base_url.to_owned(),
            currency: "EUR".to_owned(),
            permalink: Permalink::default(),
            look,
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: Timestamp(1),
        };
        StoreRecord::new(&store, Arc::default())
    }

    fn look() -> StoreLook {
        StoreLook {
            accent: Some("#C2255C".to_owned()),
            logo_url: Some("https://cdn.glow.example/logo.png".to_owned()),
            image_hosts: vec!["cdn.glow.example".to_owned(), "img.glow.example:8443".to_owned()],
            ..StoreLook::default()
        }
    }

    #[test]
    fn pictures_come_from_listed_hosts() {
        for (url, is_shown) in [
            ("https://cdn.glow.example/a.jpg", true),
            ("https://CDN.Glow.example/a.jpg?v=1", true),
            ("https://cdn.glow.example:443/a.jpg", true),
            ("https://cdn.glow.example", true),
            ("https://img.glow.example:8443/a.jpg", true),
            ("https://img.glow.example/a.jpg", false),
            ("https://cdn.glow.example:8443/a.jpg", false),
            ("http://cdn.glow.example/a.jpg", false),
            ("//cdn.glow.example/a.jpg", false),
            ("https://evil.example/cdn.glow.example", false),
            ("https://cdn.glow.example@evil.example/", false),
            ("https://evil.example\\@cdn.glow.example/", false),
            ("https://evil.example#cdn.glow.example", false),
            ("https://cdn.glow.example.evil.example/", false),
            ("data:image/png;base64,x", false),
            ("", false),
        ] {
            assert_eq!(shown_picture(&look(), Some(url)).is_some(), is_shown, "{url}");
            assert_eq!(shown_picture(&StoreLook::default(), Some(url)), None, "{url}");
        }
    }

    #[test]
    fn a_store_looks_as_its_brand_said() {
        let record = store("https://glow.example/", look());
        let mia = CreatorRecord {
            no: CreatorNo(1),
            id: "pn_1".into(),
            workspace: WorkspaceNo(1),
            name: "Mia".into(),
            image_url: Some("https://cdn.elsewhere.example/mia.jpg".into()),
            names: Vec::new(),
        };
        let shop = storefront(&record, Some(&mia), Language::German);
        assert_eq!((shop.creator_name, shop.creator_image), (Some("Mia"), None));
        assert_eq!((shop.language, shop.store_name), (Language::German, "Glow & Co"));
        assert_eq!(shop.logo_url, Some("https://cdn.glow.example/logo.png"));
        assert_eq!(shop.accent.map(|accent| accent.to_string()).as_deref(), Some("#c2255c"));
        let plain = store("https://glow.example/", StoreLook::default());
        let shop = storefront(&plain, None, Language::English);
        assert_eq!((shop.logo_url, shop.accent), (None, None));
    }

    #[test]
    fn pages_go_out_under_the_stores_policy() {
        for (base_url, front) in [
            ("https://glow.example/x", None),
            ("http://127.0.0.1:9/", Some("http://127.0.0.1:9")),
        ] {
            let response = page(
                &store(base_url, look()),
                Reader::of("", ""),
                StatusCode::OK,
                "<p>".to_owned(),
            );
            let header = |name: &str| response.headers()[name].to_str().expect("text").to_owned();
            let csp = header("content-security-policy");
            assert!(
                csp.contains("img-src 'self' https://cdn.glow.example https://img.glow.example:8443;"),
                "{csp}"
            );
            assert!(csp.matches("'sha256-").count() == 2 && !csp.contains("unsafe"), "{csp}");
            let form_action = front.map_or("'self' https:".to_owned(), |front| format!("'self' https: {front}"));
            assert!(csp.contains(&format!("form-action {form_action};")), "{csp}");
            assert_eq!(header("content-type"), "text/html; charset=utf-8");
            assert_eq!(header("cache-control"), "private, no-store");
        }
    }
}
