//! Landing pages as HTTP: what `redirect` decided, drawn in the follower's language; and the form that comes back.
//!
//! Shows nothing that is not known for sure: no price that is not fresh. Decides nothing.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header;
use hyper::{Method, Request, Response, StatusCode};

use super::shopfront::{self, Reader, shown_picture, storefront};
use super::{reply, text_of};
use crate::domain::cart::{ItemName, Picked};
use crate::domain::store::ShelfItem;
use crate::domain::{cart, money, query};
use crate::redirect::{self, FORM_MAX, Page, PageKind, PageNotice};
use crate::web::pages::{
    ItemState, LandingItem, LandingPage, Language, Notice, WaitlistPage, landing_page, sold_out_page, waitlist_page,
};

/// Where a landing page's form goes.
pub(super) const GO: &str = "/_/go";
/// Where a waiting list's form goes.
pub(super) const WAITLIST: &str = "/_/waitlist";

const MS_PER_HOUR: i64 = 60 * 60 * 1000;

/// The answer that shows `page`; 422 when it comes back because of what was sent.
pub fn respond(page: &Page, request: &redirect::Request<'_>) -> Response<Full<Bytes>> {
    let reader = Reader::of(request.accept_language, request.accept_encoding);
    let status = match page.notice {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    shopfront::page(&page.store, reader, status, draw(page, request, reader.language))
}

fn draw(page: &Page, request: &redirect::Request<'_>, language: Language) -> String {
    let shop = storefront(&page.store, page.creator.as_deref(), language);
    if page.kind == PageKind::SoldOut {
        return sold_out_page(&shop, &page.store.front);
    }
    let Some(record) = page.cart() else {
        return sold_out_page(&shop, &page.store.front);
    };
    let picked = cart::pick(&record.cart, &record.policy, &page.shelf);
    let items: Vec<LandingItem<'_>> = picked
        .iter()
        .zip(&record.cart.items)
        .enumerate()
        .map(|(index, ((picked, most), item))| LandingItem {
            index,
            title: title(picked.found(), picked.variant_id(), &item.name),
            image_url: shown_picture(
                &page.store.look,
                picked.found().and_then(|found| found.image_url.as_deref()),
            ),
            quantity: item.quantity,
            quantity_max: *most,
            price: picked.found().and_then(|found| fresh_price(found, page)),
            state: state(picked, &item.name, page),
        })
        .collect();
    if page.kind == PageKind::Waitlist {
        return waitlist_page(&WaitlistPage {
            shop,
            items: &items,
            action: WAITLIST,
            token: &page.token,
            email: "",
            refused: None,
            front_url: &page.store.front,
        });
    }
    let kept = query::forwarded_to_cart(request.query);
    let action = if kept.is_empty() {
        GO.to_owned()
    } else {
        format!("{GO}?{kept}")
    };
    landing_page(&LandingPage {
        shop,
        currency: money::currency(&page.store.currency).unwrap_or(money::Currency::XXX),
        items: &items,
        // Which code a follower gets of a pool is decided at the tap.
        codes: match record.cart.code_pool {
            Some(_) => &[],
            None => &record.cart.discount_codes,
        },
        action: &action,
        token: &page.token,
        notice: page.notice.map(|notice| match notice {
            PageNotice::StockChanged => Notice::StockChanged,
            PageNotice::Expired => Notice::PageExpired,
            PageNotice::NothingChosen => Notice::NothingChosen,
        }),
    })
}

/// The product's name; a variant that the brand never described goes by its id.
fn title<'a>(found: Option<&'a ShelfItem>, variant_id: Option<&'a str>, name: &'a ItemName) -> &'a str {
    let written = match name {
        ItemName::Sku(name) | ItemName::Variant(name) => name.as_str(),
    };
    found.map_or(variant_id.unwrap_or(written), |found| &found.title)
}

fn state<'a>(picked: &Picked<'a>, name: &'a ItemName, page: &'a Page) -> ItemState<'a> {
    match picked {
        Picked::Own { .. } => ItemState::Available,
        Picked::Out { .. } => ItemState::OutOfStock,
        Picked::Fallback { .. } => {
            let wanted = match name {
                ItemName::Sku(sku) => page.shelf.by_sku(sku),
                ItemName::Variant(variant_id) => page.shelf.by_variant(variant_id),
            };
            ItemState::Replaced {
                instead_of: title(wanted, None, name),
            }
        }
    }
}

/// The price while it is fresh. One that was told in the future, by a clock that was set back since, is fresh.
fn fresh_price(found: &ShelfItem, page: &Page) -> Option<i64> {
    let (price, told_at) = found.price?;
    let fresh_ms = i64::from(page.store.look.price_fresh_hours) * MS_PER_HOUR;
    (page.now.since(told_at) <= fresh_ms).then_some(price)
}

/// The form that a landing page sent.
///
/// # Errors
/// The answer to what is no such form.
pub(super) async fn read_form(
    request: Request<Incoming>,
) -> Result<(hyper::http::request::Parts, String), Response<Full<Bytes>>> {
    if request.method() != Method::POST {
        return Err(reply::only_post());
    }
    let kind = text_of(request.headers(), header::CONTENT_TYPE.as_str());
    if !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(reply::text(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "Send the page's form.\n",
        ));
    }
    let (parts, body) = request.into_parts();
    match Limited::new(body, FORM_MAX).collect().await {
        Ok(body) => match String::from_utf8(body.to_bytes().into()) {
            Ok(form) => Ok((parts, form)),
            Err(_) => Err(reply::text(StatusCode::BAD_REQUEST, "The form is not UTF-8.\n")),
        },
        Err(_) => Err(reply::text(StatusCode::PAYLOAD_TOO_LARGE, "The form is too long.\n")),
    }
}
