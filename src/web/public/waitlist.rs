//! The waiting list's form, `POST /_/waitlist`: whoever leaves an address and ticks the box is on the list when the
//! thanks go out. The commit runs on the background runtime, so that a spike of forms does not slow followers.
//!
//! Whatever is not taken is answered with a page that can be sent again, or that leads on.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, HeaderMap, HeaderName};
use hyper::{Method, Request, Response, StatusCode};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use super::landing::WAITLIST;
use super::shopfront::{self, Reader, shown_picture, storefront};
use super::{reply, text_of};
use crate::domain::cart::{Cart, ItemName};
use crate::domain::email;
use crate::domain::form_token::FormToken;
use crate::domain::id::StoreNo;
use crate::domain::store::{Shelf, StoreLook};
use crate::domain::time::Timestamp;
use crate::flows::join_waitlist::{self, Joined};
use crate::flows::{Context, Error};
use crate::redirect::{CreatorRecord, Keys, LinkRecord, Refusal, StoreRecord, Throttle};
use crate::web::pages::{
    FollowerPage, ItemState, LandingItem, Language, Refused, Storefront, WaitlistPage, consent_text, sold_out_page,
    thanks_page, waitlist_page,
};

/// Largest form, in bytes: the longest token (1,068), an address with every byte escaped (762), names and a tick.
const BODY_MAX: usize = 2048;
/// A form is a packet or two: whoever needs longer than this is not a browser.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Forms worked on at once; more are told to come back. One commit takes many of them.
const AT_ONCE_MAX: usize = 256;
/// Forms of one network (IPv4 address, IPv6 /64) in a minute: many people behind one carrier's address, yet no flood.
const PER_MINUTE_MAX: u32 = 20;

/// What the forms of waiting lists need; one for all workers.
#[derive(Clone)]
pub struct Waitlist {
    inner: Arc<Inner>,
}

struct Inner {
    context: Context,
    keys: Arc<ArcSwap<Keys>>,
    runtime: Handle,
    places: Arc<Semaphore>,
    throttle: Throttle,
}

impl Waitlist {
    /// Works on `runtime`; `throttle_key` must be fresh from the system's entropy.
    pub fn new(context: Context, keys: Arc<ArcSwap<Keys>>, runtime: Handle, throttle_key: [u8; 32]) -> Self {
        Self {
            inner: Arc::new(Inner {
                context,
                keys,
                runtime,
                places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
                throttle: Throttle::new(PER_MINUTE_MAX, throttle_key),
            }),
        }
    }

    /// Takes one form from `address`.
    pub(super) async fn take(&self, address: IpAddr, request: Request<Incoming>) -> Response<Full<Bytes>> {
        if request.method() != Method::POST {
            return reply::only_post();
        }
        let tally = self.inner.context.waitlist_tally();
        // The throttle counts every form: its limit is of submissions here, not of misses.
        if self.inner.throttle.miss(address, self.inner.context.clock().now()) {
            add(&tally.throttled);
            return reply::refused(Refusal::TooMany);
        }
        if !is_form(request.headers()) {
            add(&tally.refused);
            let words = "Send the form as application/x-www-form-urlencoded.\n";
            return reply::text(StatusCode::UNSUPPORTED_MEDIA_TYPE, words);
        }
        let Ok(place) = Arc::clone(&self.inner.places).try_acquire_owned() else {
            add(&tally.unavailable);
            return reply::refused(Refusal::Unavailable);
        };
        let text = |name: HeaderName| text_of(request.headers(), name.as_str());
        let reader = Reader::of(text(ACCEPT_LANGUAGE), text(ACCEPT_ENCODING));
        let body = Limited::new(request.into_body(), BODY_MAX).collect();
        let body = match tokio::time::timeout(BODY_TIMEOUT, body).await {
            Ok(Ok(body)) => body.to_bytes(),
            failed => {
                add(&tally.refused);
                return match failed {
                    Err(_) => reply::text(StatusCode::REQUEST_TIMEOUT, "The form came too slowly.\n"),
                    Ok(_) => reply::text(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.\n"),
                };
            }
        };
        let inner = Arc::clone(&self.inner);
        let work = self.inner.runtime.spawn(async move {
            let _place = place;
            inner.work(reader, &body).await
        });
        work.await.unwrap_or_else(|_| reply::refused(Refusal::Unavailable))
    }
}

impl Inner {
    async fn work(&self, reader: Reader, body: &[u8]) -> Response<Full<Bytes>> {
        let (form, now) = (Form::read(body), self.context.clock().now());
        let (tally, keys) = (self.context.waitlist_tally(), self.keys.load_full());
        let Some(token) = FormToken::verify(&form.token, &keys.click_id) else {
            add(&tally.refused);
            return reply::page(FollowerPage::NotFound);
        };
        let Some(shown) = self.find(&token, now) else {
            if !self.context.table().is_loaded() {
                add(&tally.unavailable);
                return reply::refused(Refusal::Unavailable);
            }
            add(&tally.refused);
            return self.gone(token.store, reader);
        };
        let (email, refused) = match (email::parse(&form.email), form.has_consent) {
            (None, _) => (None, Some(Refused::BadEmail)),
            (Some(_), false) => (None, Some(Refused::NoConsent)),
            (email, true) => (email.filter(|_| !token.is_expired(now)), None),
        };
        let Some(email) = email else {
            add(&tally.refused);
            let fresh = FormToken {
                issued_at: now,
                ..token
            }
            .sign(&keys.click_id);
            let html = shown.form(&fresh, &form.email, refused, reader.language);
            return shopfront::page(&shown.store, reader, StatusCode::UNPROCESSABLE_ENTITY, html);
        };
        match join_waitlist::join(&self.context, shown.request(email, reader.language)).await {
            Ok(Joined::Added | Joined::Known) => {
                let html = thanks_page(&shown.shop(reader.language), &shown.store.front);
                shopfront::page(&shown.store, reader, StatusCode::OK, html)
            }
            Ok(Joined::Full) => reply::refused(Refusal::Unavailable),
            Err(Error::NotFound { .. }) => self.gone(token.store, reader),
            Err(error) => {
                tracing::error!(%error, "an address was not put on its waiting list");
                reply::refused(Refusal::Unavailable)
            }
        }
    }

    /// What the page of `token` showed, while its link is the same and can be followed.
    fn find(&self, token: &FormToken, now: Timestamp) -> Option<Shown> {
        let table = self.context.table();
        let link = table.link(token.domain, &token.slug)?;
        let is_same = link.no == token.link && link.workspace == token.workspace;
        let is_open = !link.is_disabled && link.expires_at.is_none_or(|end| end > now);
        let is_cart = link.offer(token.variant).store() == Some(token.store);
        if !(is_same && is_open && is_cart) {
            return None;
        }
        Some(Shown {
            store_no: token.store,
            store: table.store(token.store)?,
            creator: link.creator.and_then(|creator| table.creator(creator)),
            link,
            variant: token.variant,
        })
    }

    /// The link is gone: the way to the shop, if there is one.
    fn gone(&self, store: StoreNo, reader: Reader) -> Response<Full<Bytes>> {
        match self.context.table().store(store) {
            Some(store) => {
                let html = sold_out_page(&storefront(&store, None, reader.language), &store.front);
                shopfront::page(&store, reader, StatusCode::GONE, html)
            }
            None => reply::page(FollowerPage::Gone),
        }
    }
}

/// A link whose page was shown, with what is known of it now.
struct Shown {
    store_no: StoreNo,
    link: Arc<LinkRecord>,
    variant: u8,
    store: Arc<StoreRecord>,
    creator: Option<Arc<CreatorRecord>>,
}

impl Shown {
    fn shop(&self, language: Language) -> Storefront<'_> {
        storefront(&self.store, self.creator.as_deref(), language)
    }

    fn cart(&self) -> Option<&Cart> {
        self.link.offer(self.variant).cart.as_ref().map(|record| &record.cart)
    }

    /// The page once more, with what was typed.
    fn form(&self, token: &str, email: &str, refused: Option<Refused>, language: Language) -> String {
        let shelf = self.store.shelf.load();
        waitlist_page(&WaitlistPage {
            shop: self.shop(language),
            items: &self
                .cart()
                .map_or_else(Vec::new, |cart| items(cart, &shelf, &self.store.look)),
            action: WAITLIST,
            token,
            email,
            refused,
            front_url: &self.store.front,
        })
    }

    fn request(&self, email: String, language: Language) -> join_waitlist::Request {
        join_waitlist::Request {
            workspace: self.link.workspace,
            store: self.store_no,
            link: self.link.no,
            email,
            consent: consent_text(language, &self.store.name),
            language: language.tag(),
            skus: self
                .cart()
                .map_or_else(Vec::new, |cart| skus(cart, &self.store.shelf.load())),
        }
    }
}

/// The form as it was sent; of a name that comes twice the first counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Form {
    token: String,
    email: String,
    has_consent: bool,
}

impl Form {
    fn read(body: &[u8]) -> Self {
        let value = |wanted: &str| {
            let mut pairs = url::form_urlencoded::parse(body);
            let found = pairs.find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        Self {
            token: value("token"),
            email: value("email"),
            has_consent: value("consent") == "yes",
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = text_of(headers, CONTENT_TYPE.as_str())
        .split(';')
        .next()
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// What the cart asks for, in the brand's words.
fn skus(cart: &Cart, shelf: &Shelf) -> Vec<String> {
    let items = cart.items.iter().map(|item| match &item.name {
        ItemName::Sku(sku) => sku.clone(),
        ItemName::Variant(variant_id) => shelf.sku_of(variant_id).unwrap_or(variant_id).to_owned(),
    });
    items.collect()
}

fn items<'a>(cart: &'a Cart, shelf: &'a Shelf, look: &StoreLook) -> Vec<LandingItem<'a>> {
    let items = cart.items.iter().enumerate().map(|(index, item)| {
        let (name, found) = match &item.name {
            ItemName::Sku(sku) => (sku, shelf.by_sku(sku)),
            ItemName::Variant(variant_id) => (variant_id, shelf.by_variant(variant_id)),
        };
        LandingItem {
            index,
            title: found.map_or(name.as_str(), |found| &found.title),
            image_url: shown_picture(look, found.and_then(|found| found.image_url.as_deref())),
            quantity: item.quantity,
            quantity_max: item.quantity,
            price: None,
            state: ItemState::OutOfStock,
        }
    });
    items.collect()
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::domain::cart::{CartItem, Landing};
    use crate::domain::store::{OversellPolicy, Product};

    #[test]
    fn forms_are_read_as_browsers_send_them() {
        for (body, token, email, has_consent) in [
            (
                "token=a-b_c&email=mia%40shop.example&consent=yes",
                "a-b_c",
                "mia@shop.example",
                true,
            ),
            ("consent=yes&email=a%2Bb+c%40x&token=t", "t", "a+b c@x", true),
            ("token=t&email=a&consent=on", "t", "a", false),
            (
                "token=t&token=u&email=a&email=b&consent=no&consent=yes",
                "t",
                "a",
                false,
            ),
            ("Token=t&EMAIL=a", "", "", false),
            ("email=%ff%00", "", "\u{fffd}\0", false),
            ("", "", "", false),
        ] {
            let expected = Form {
                token: token.to_owned(),
                email: email.to_owned(),
                has_consent,
            };
            assert_eq!(Form::read(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn only_forms_are_taken() {
        for (kind, expected) in [
            (Some("application/x-www-form-urlencoded"), true),
            (Some("Application/X-WWW-Form-Urlencoded ; charset=UTF-8"), true),
            (Some("multipart/form-data; boundary=x"), false),
            (Some("application/json"), false),
            (Some(""), false),
            (None, false),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(kind) = kind {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            }
            assert_eq!(is_form(&headers), expected, "{kind:?}");
        }
    }

    #[test]
    fn items_are_told_in_the_brands_words() {
        let product = Product {
            sku: "MUG".to_owned(),
            variant_id: "17".to_owned(),
            title: "Mug".to_owned(),
            image_url: Some("https://cdn.example/mug.jpg".to_owned()),
            price: None,
            price_at: None,
            stock: Some(0),
            policy: OversellPolicy::Deny,
            stock_at: Timestamp(1),
            cost: None,
        };
        let item = |name| CartItem {
            name,
            quantity: 2,
            fallbacks: vec![],
        };
        let cart = Cart {
            store: StoreNo(1),
            items: vec![
                item(ItemName::Sku("MUG".to_owned())),
                item(ItemName::Variant("17".to_owned())),
                item(ItemName::Variant("99".to_owned())),
                item(ItemName::Sku("NONE".to_owned())),
            ],
            discount_codes: vec![],
            note: None,
            attributes: vec![],
            continue_to: None,
            landing: Landing::Direct,
            code_pool: None,
        };
        let shelf = Shelf::new(&[product]);
        assert_eq!(skus(&cart, &shelf), ["MUG", "MUG", "99", "NONE"]);
        let look = StoreLook {
            image_hosts: vec!["cdn.example".to_owned()],
            ..StoreLook::default()
        };
        let told: Vec<_> = items(&cart, &shelf, &look)
            .iter()
            .map(|item| (item.title, item.image_url))
            .collect();
        let picture = Some("https://cdn.example/mug.jpg");
        assert_eq!(told, [("Mug", picture), ("Mug", picture), ("99", None), ("NONE", None)]);
    }
}
