//! What a cart must look like before it is kept: what all platforms share, and what each can carry. Nothing that a
//! platform would drop without a word is taken.

use super::{
    ATTRIBUTES_MAX, CLICK_ID_ATTRIBUTE, CODE_MAX, CODES_MAX, Cart, CartBase, CartItem, CartRequest, FALLBACKS_MAX,
    ITEMS_MAX, ItemName, Line, QUANTITY_MAX, URL_MAX, amazon, continue_to, encode, shopify, ucp, write,
};
use crate::domain::click_id::CLICK_ID_LENGTH;
use crate::domain::store::{Provider, Shelf};

/// Why a cart cannot be carried by its platform. `field` is where in the cart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartError {
    pub field: String,
    pub message: &'static str,
}

type Checked = Result<(), CartError>;

const NO_CARTS: &str = "cannot be sold by a cart: this store is no shop but what /track/sale tells";

fn error(field: impl Into<String>, message: &'static str) -> CartError {
    CartError {
        field: field.into(),
        message,
    }
}

fn ensure(is_good: bool, field: &str, message: &'static str) -> Checked {
    if is_good { Ok(()) } else { Err(error(field, message)) }
}

/// Checks what every platform shares and what `provider` can carry; the shelf knows the store's products.
///
/// # Errors
/// The first field that cannot be carried.
pub fn check(cart: &Cart, provider: Provider, base: &CartBase, shelf: &Shelf) -> Result<(), CartError> {
    ensure(!cart.items.is_empty(), "items", "must name at least one item")?;
    ensure(cart.items.len() <= ITEMS_MAX, "items", "must have at most 50 items")?;
    for (place, item) in cart.items.iter().enumerate() {
        check_item(item, provider, shelf)
            .map_err(|inner| error(format!("items[{place}].{}", inner.field), inner.message))?;
    }
    check_codes(cart, provider, base)?;
    check_attributes(cart, provider)?;
    if cart.note.is_some()
        && let Some(message) = why_no_note(provider)
    {
        return Err(error("note", message));
    }
    if let Some(path) = &cart.continue_to {
        if let Some(message) = why_no_continue_to(cart, provider, base) {
            return Err(error("continueTo", message));
        }
        let is_path = continue_to::canonical(path).is_some();
        ensure(
            is_path,
            "continueTo",
            "must be a path in the shop such as /pages/thanks",
        )?;
    }
    ensure(
        longest_url(cart, provider, base, shelf) <= URL_MAX,
        "",
        "makes a URL of more than 2000 characters: use fewer items, codes or attributes",
    )
}

fn check_item(item: &CartItem, provider: Provider, shelf: &Shelf) -> Checked {
    const UNKNOWN: &str = "is not a product of this store: PUT /products first";
    let is_payable = (1..=QUANTITY_MAX).contains(&item.quantity);
    ensure(is_payable, "quantity", "must be from 1 to 99")?;
    let variant_id = match &item.name {
        ItemName::Sku(sku) => &*shelf.by_sku(sku).ok_or_else(|| error("sku", UNKNOWN))?.variant_id,
        ItemName::Variant(variant_id) => variant_id,
    };
    check_variant(provider, variant_id).map_err(|message| error("variantId", message))?;
    ensure(
        item.fallbacks.len() <= FALLBACKS_MAX,
        "fallbacks",
        "must have at most 10 entries",
    )?;
    if let Some(rank) = item.fallbacks.iter().position(|sku| shelf.by_sku(sku).is_none()) {
        return Err(error(format!("fallbacks[{rank}]"), UNKNOWN));
    }
    Ok(())
}

fn check_codes(cart: &Cart, provider: Provider, base: &CartBase) -> Checked {
    const FIELD: &str = "discountCodes";
    let codes = &cart.discount_codes;
    let (most, message) = match provider {
        Provider::Shopify | Provider::Ucp => (CODES_MAX, "must have at most 5 codes"),
        Provider::WooCommerce => (1, "must have at most one code: WooCommerce's checkout links take one"),
        Provider::BigCommerce => (1, "must have at most one code: BigCommerce's checkout links take one"),
        Provider::Stripe => (1, "must have at most one code: a payment link takes one"),
        Provider::Amazon => (0, "are not carried by Amazon's cart links"),
        Provider::Ecwid => (0, "are not carried by Ecwid's cart links"),
        Provider::Template if base.url.contains("{codes}") => (CODES_MAX, "must have at most 5 codes"),
        Provider::Template => (0, "are not named in the store's template: add {codes} to it"),
        Provider::Api => (0, NO_CARTS),
    };
    ensure(codes.len() <= most, FIELD, message)?;
    ensure(cart.code_pool.is_none() || most > 0, "codePoolId", message)?;
    for (place, code) in codes.iter().enumerate() {
        check_code(code).map_err(|message| error(format!("{FIELD}[{place}]"), message))?;
    }
    if provider == Provider::Stripe {
        return check_payment_link(cart);
    }
    Ok(())
}

/// A payment link sells what it sells: neither another item nor another quantity stands in its URL.
fn check_payment_link(cart: &Cart) -> Checked {
    let [item] = cart.items.as_slice() else {
        return Err(error(
            "items",
            "must have exactly one item: a payment link sells one thing",
        ));
    };
    let quantity_message = "must be 1: a payment link has its own quantity";
    ensure(item.quantity == 1, "items[0].quantity", quantity_message)?;
    let fallbacks_message = "must be empty: a payment link sells one thing";
    ensure(item.fallbacks.is_empty(), "items[0].fallbacks", fallbacks_message)
}

fn check_attributes(cart: &Cart, provider: Provider) -> Checked {
    const FIELD: &str = "attributes";
    let attributes = &cart.attributes;
    ensure(
        attributes.len() <= ATTRIBUTES_MAX,
        FIELD,
        "must have at most 20 entries",
    )?;
    let is_ours = |name: &str| name.is_empty() || name.eq_ignore_ascii_case(CLICK_ID_ATTRIBUTE);
    ensure(
        !attributes.iter().any(|(name, _)| is_ours(name)),
        FIELD,
        "must not contain an empty name or hop_id, which the server sets itself",
    )?;
    let is_twice = |place: usize| attributes[..place].iter().any(|(name, _)| *name == attributes[place].0);
    let message = "must not contain a name twice";
    ensure(!(0..attributes.len()).any(is_twice), FIELD, message)?;
    let message = match provider {
        Provider::Shopify => return Ok(()),
        Provider::Ucp => return ucp::check_attributes(cart).map_err(|message| error(FIELD, message)),
        Provider::Amazon => {
            let is_tag = |(name, value): &(String, String)| name == amazon::TAG && amazon::is_tag(value);
            let message = "may contain AssociateTag only, of letters, digits and hyphens";
            return ensure(attributes.iter().all(is_tag), FIELD, message);
        }
        Provider::WooCommerce => "are not carried by WooCommerce's checkout links",
        Provider::BigCommerce => "are not carried by BigCommerce's checkout links",
        Provider::Stripe => "are not carried by Stripe's payment links",
        Provider::Ecwid => "are not carried by Ecwid's cart links: use the note",
        Provider::Template => "are not carried by a template",
        Provider::Api => NO_CARTS,
    };
    ensure(attributes.is_empty(), FIELD, message)
}

fn why_no_note(provider: Provider) -> Option<&'static str> {
    match provider {
        Provider::Shopify | Provider::Ecwid => None,
        Provider::Ucp => Some("is not carried by UCP permalinks: use an attribute"),
        Provider::WooCommerce => Some("is not carried by WooCommerce's checkout links"),
        Provider::BigCommerce => Some("is not carried by BigCommerce's checkout links"),
        Provider::Stripe => Some("is not carried by Stripe's payment links"),
        Provider::Amazon => Some("is not carried by Amazon's cart links"),
        Provider::Template => Some("is not carried by a template"),
        Provider::Api => Some(NO_CARTS),
    }
}

fn why_no_continue_to(cart: &Cart, provider: Provider, base: &CartBase) -> Option<&'static str> {
    match provider {
        Provider::Ucp => None,
        Provider::Shopify if base.endpoint.is_none() => {
            Some("is not carried by Shopify's /cart links: set the store's permalink to buy")
        }
        Provider::Shopify if !shopify::fits_buy(cart) => {
            Some("is carried by /buy only, which takes no note and no control characters in attributes")
        }
        Provider::Shopify => None,
        Provider::Template if base.url.contains("{continue_to}") => None,
        Provider::Template => Some("is not named in the store's template: add {continue_to} to it"),
        Provider::Api => Some(NO_CARTS),
        Provider::WooCommerce => Some("is not carried by WooCommerce's checkout links"),
        Provider::BigCommerce => Some("is not carried by BigCommerce's checkout links"),
        Provider::Stripe => Some("is not carried by Stripe's payment links"),
        Provider::Amazon => Some("is not carried by Amazon's cart links"),
        Provider::Ecwid => Some("is not carried by Ecwid's cart links"),
    }
}

/// Characters of the cart's URL with a click id and, for every item, its longest name among its own and its
/// fallbacks'. UTM parameters come on top.
fn longest_url(cart: &Cart, provider: Provider, base: &CartBase, shelf: &Shelf) -> usize {
    let names: Vec<&str> = cart.items.iter().map(|item| longest_name(item, shelf)).collect();
    let line = |(item, variant_id): (&CartItem, _)| Line {
        variant_id,
        quantity: item.quantity,
    };
    let lines: Vec<Line<'_>> = cart.items.iter().zip(names).map(line).collect();
    let click_id = "0".repeat(CLICK_ID_LENGTH);
    let length = |code: Option<&str>| {
        let mut url = String::new();
        let request = CartRequest {
            base,
            cart,
            lines: &lines,
            code,
            click_id: Some(&click_id),
            request_query: "",
            utm: &std::array::from_fn(|_| None),
        };
        write(&mut url, provider, &request);
        url.len()
    };
    let longest_code = cart.code_pool.map(|_| "x".repeat(CODE_MAX));
    length(None).max(longest_code.map_or(0, |code| length(Some(&code))))
}

fn longest_name<'a>(item: &'a CartItem, shelf: &'a Shelf) -> &'a str {
    let variant_of = |sku: &String| shelf.by_sku(sku).map(|found| &*found.variant_id);
    let own = match &item.name {
        ItemName::Sku(sku) => variant_of(sku),
        ItemName::Variant(variant_id) => Some(variant_id.as_str()),
    };
    let names = own.into_iter().chain(item.fallbacks.iter().filter_map(variant_of));
    names.max_by_key(|name| name.len()).unwrap_or_default()
}

/// Whether `provider` can carry `variant_id` in a cart URL.
///
/// # Errors
/// What the id must look like.
pub fn check_variant(provider: Provider, variant_id: &str) -> Result<(), &'static str> {
    let has_separator = variant_id.chars().any(|c| matches!(c, ',' | ':') || c.is_control());
    let (is_good, message) = match provider {
        Provider::Shopify => (
            shopify::variant_number(variant_id).is_some(),
            "must be a Shopify variant number such as 44017, or its gid",
        ),
        Provider::Ucp => return ucp::check_id(variant_id),
        Provider::WooCommerce => (
            encode::is_product_number(variant_id),
            "must be a WooCommerce product or variation number such as 1234",
        ),
        Provider::BigCommerce => (
            !variant_id.is_empty() && !has_separator,
            "must be a BigCommerce product number or SKU without commas, colons or control characters",
        ),
        Provider::Stripe => (!variant_id.is_empty(), "must not be empty"),
        Provider::Amazon => (
            amazon::is_asin(variant_id),
            "must be an ASIN: ten capitals and digits such as B01M8L5Z3Y",
        ),
        Provider::Ecwid => (
            encode::is_product_number(variant_id),
            "must be an Ecwid product number such as 66821181",
        ),
        Provider::Api => (false, NO_CARTS),
        Provider::Template => (
            !variant_id.is_empty() && !variant_id.contains([',', ':']),
            "must not be empty or contain a comma or colon",
        ),
    };
    if is_good { Ok(()) } else { Err(message) }
}

/// Whether `code` can stand in a cart URL: codes are separated by commas there.
///
/// # Errors
/// What a code must look like.
pub fn check_code(code: &str) -> Result<(), &'static str> {
    if code.is_empty() || code.chars().count() > CODE_MAX {
        return Err("must have 1 to 64 characters");
    }
    if code.chars().any(|c| c == ',' || c.is_control() || c.is_whitespace()) {
        return Err("must not contain commas, spaces or control characters");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cart, product};
    use super::*;

    type Change = fn(&mut Cart);

    #[test]
    fn carts_are_checked_on_write() {
        let shelf = Shelf::new(&[product("mug", "44017", None), product("odd", "abc", None)]);
        let good = cart(&[("mug", 1, &[])]);
        let with = |change: fn(&mut Cart)| {
            let mut cart = good.clone();
            change(&mut cart);
            check(
                &cart,
                Provider::Shopify,
                &CartBase::plain(Provider::Shopify, "https://shop.example/"),
                &shelf,
            )
            .map_err(|error| error.field)
        };
        assert_eq!(with(|_| {}), Ok(()));
        for (change, field) in [
            ((|cart| cart.items.clear()) as fn(&mut Cart), "items"),
            (|cart| cart.items[0].quantity = 0, "items[0].quantity"),
            (|cart| cart.items[0].quantity = 100, "items[0].quantity"),
            (|cart| cart.items[0].name = ItemName::Sku("none".into()), "items[0].sku"),
            (
                |cart| cart.items[0].name = ItemName::Sku("odd".into()),
                "items[0].variantId",
            ),
            (
                |cart| cart.items[0].fallbacks = vec!["none".into()],
                "items[0].fallbacks[0]",
            ),
            (|cart| cart.discount_codes = vec!["A,B".into()], "discountCodes[0]"),
            (|cart| cart.discount_codes = vec![String::new()], "discountCodes[0]"),
            (
                |cart| cart.attributes = vec![("hop_id".into(), "x".into())],
                "attributes",
            ),
            (
                |cart| cart.attributes = vec![("a".into(), "1".into()), ("a".into(), "2".into())],
                "attributes",
            ),
            (|cart| cart.continue_to = Some("/x".into()), "continueTo"),
            (|cart| cart.note = Some("n".repeat(2000)), ""),
        ] {
            assert_eq!(with(change), Err(field.to_owned()));
        }
    }

    #[test]
    fn every_platform_refuses_what_it_cannot_carry() {
        use Provider::*;
        let codes: Change = |cart| cart.discount_codes = vec!["A".into(), "B".into()];
        let code: Change = |cart| cart.discount_codes = vec!["A".into()];
        let note: Change = |cart| cart.note = Some("n".into());
        let attribute: Change = |cart| cart.attributes = vec![("k".into(), "v".into())];
        let line_break: Change = |cart| cart.attributes = vec![("k".into(), "a\nb".into())];
        let tag: Change = |cart| cart.attributes = vec![("AssociateTag".into(), "mia-21".into())];
        let bad_tag: Change = |cart| cart.attributes = vec![("AssociateTag".into(), "a&b".into())];
        let next: Change = |cart| cart.continue_to = Some("/x".into());
        let next_and_note: Change = |cart| {
            cart.continue_to = Some("/x".into());
            cart.note = Some("n".into());
        };
        let elsewhere: Change = |cart| cart.continue_to = Some("/..//evil.example".into());
        let two: Change = |cart| {
            let item = cart.items[0].clone();
            cart.items.push(item);
        };
        let pair: Change = |cart| cart.items[0].quantity = 2;
        let long: Change = |cart| cart.items[0].name = ItemName::Variant("é".repeat(256));
        let word: Change = |cart| cart.items[0].name = ItemName::Variant("a:b".into());
        let front = "https://shop.example/";
        let buy = "https://shop.example/buy";
        let template = "https://shop.example/?p={items}&c={codes}&n={continue_to}";
        for (provider, base_url, id, change, expected) in [
            (Shopify, front, "1", codes, None),
            (
                Shopify,
                front,
                "1",
                next,
                Some((
                    "continueTo",
                    "is not carried by Shopify's /cart links: set the store's permalink to buy",
                )),
            ),
            (Shopify, buy, "1", next, None),
            (Shopify, buy, "1", note, None),
            (
                Shopify,
                buy,
                "1",
                next_and_note,
                Some((
                    "continueTo",
                    "is carried by /buy only, which takes no note and no control characters in attributes",
                )),
            ),
            (
                Shopify,
                front,
                "1",
                word,
                Some((
                    "items[0].variantId",
                    "must be a Shopify variant number such as 44017, or its gid",
                )),
            ),
            (Ucp, buy, "gid://x/1", codes, None),
            (Ucp, buy, "1", next, None),
            (Ucp, buy, "1", attribute, None),
            (
                Ucp,
                buy,
                "1",
                elsewhere,
                Some(("continueTo", "must be a path in the shop such as /pages/thanks")),
            ),
            (
                Ucp,
                buy,
                "1",
                note,
                Some(("note", "is not carried by UCP permalinks: use an attribute")),
            ),
            (
                Ucp,
                buy,
                "1",
                line_break,
                Some((
                    "attributes",
                    "must not contain control characters: a UCP permalink with one is refused as a whole",
                )),
            ),
            (
                Ucp,
                buy,
                "1",
                long,
                Some((
                    "items[0].variantId",
                    "must have 1 to 255 characters and no control characters",
                )),
            ),
            (WooCommerce, front, "12", code, None),
            (
                WooCommerce,
                front,
                "12",
                codes,
                Some((
                    "discountCodes",
                    "must have at most one code: WooCommerce's checkout links take one",
                )),
            ),
            (
                WooCommerce,
                front,
                "012",
                code,
                Some((
                    "items[0].variantId",
                    "must be a WooCommerce product or variation number such as 1234",
                )),
            ),
            (
                WooCommerce,
                front,
                "12",
                note,
                Some(("note", "is not carried by WooCommerce's checkout links")),
            ),
            (
                WooCommerce,
                front,
                "12",
                attribute,
                Some(("attributes", "are not carried by WooCommerce's checkout links")),
            ),
            (
                WooCommerce,
                front,
                "12",
                next,
                Some(("continueTo", "is not carried by WooCommerce's checkout links")),
            ),
            (BigCommerce, front, "SKU 1", code, None),
            (
                BigCommerce,
                front,
                "1",
                codes,
                Some((
                    "discountCodes",
                    "must have at most one code: BigCommerce's checkout links take one",
                )),
            ),
            (
                BigCommerce,
                front,
                "1",
                word,
                Some((
                    "items[0].variantId",
                    "must be a BigCommerce product number or SKU without commas, colons or control characters",
                )),
            ),
            (
                BigCommerce,
                front,
                "1",
                attribute,
                Some(("attributes", "are not carried by BigCommerce's checkout links")),
            ),
            (Stripe, front, "price_1", code, None),
            (
                Stripe,
                front,
                "price_1",
                codes,
                Some(("discountCodes", "must have at most one code: a payment link takes one")),
            ),
            (
                Stripe,
                front,
                "price_1",
                two,
                Some(("items", "must have exactly one item: a payment link sells one thing")),
            ),
            (
                Stripe,
                front,
                "price_1",
                pair,
                Some(("items[0].quantity", "must be 1: a payment link has its own quantity")),
            ),
            (
                Stripe,
                front,
                "price_1",
                |cart| cart.items[0].fallbacks = vec!["mug".into()],
                Some(("items[0].fallbacks", "must be empty: a payment link sells one thing")),
            ),
            (
                Stripe,
                front,
                "price_1",
                note,
                Some(("note", "is not carried by Stripe's payment links")),
            ),
            (Amazon, front, "B01M8L5Z3Y", tag, None),
            (
                Amazon,
                front,
                "B01M8L5Z3Y",
                bad_tag,
                Some((
                    "attributes",
                    "may contain AssociateTag only, of letters, digits and hyphens",
                )),
            ),
            (
                Amazon,
                front,
                "B01M8L5Z3Y",
                attribute,
                Some((
                    "attributes",
                    "may contain AssociateTag only, of letters, digits and hyphens",
                )),
            ),
            (
                Amazon,
                front,
                "B01M8L5Z3Y",
                code,
                Some(("discountCodes", "are not carried by Amazon's cart links")),
            ),
            (
                Amazon,
                front,
                "1",
                tag,
                Some((
                    "items[0].variantId",
                    "must be an ASIN: ten capitals and digits such as B01M8L5Z3Y",
                )),
            ),
            (Ecwid, front, "66821181", note, None),
            (
                Ecwid,
                front,
                "66821181",
                code,
                Some(("discountCodes", "are not carried by Ecwid's cart links")),
            ),
            (
                Ecwid,
                front,
                "66821181",
                attribute,
                Some(("attributes", "are not carried by Ecwid's cart links: use the note")),
            ),
            (
                Ecwid,
                front,
                "x",
                note,
                Some(("items[0].variantId", "must be an Ecwid product number such as 66821181")),
            ),
            (Template, template, "x", codes, None),
            (Template, template, "x", next, None),
            (
                Template,
                "https://shop.example/?p={items}",
                "x",
                code,
                Some((
                    "discountCodes",
                    "are not named in the store's template: add {codes} to it",
                )),
            ),
            (
                Template,
                "https://shop.example/?p={items}",
                "x",
                next,
                Some((
                    "continueTo",
                    "is not named in the store's template: add {continue_to} to it",
                )),
            ),
            (
                Template,
                template,
                "x",
                note,
                Some(("note", "is not carried by a template")),
            ),
        ] {
            let shelf = Shelf::new(&[product("mug", "44017", None)]);
            let mut cart = cart(&[("mug", 1, &[])]);
            cart.items[0].name = ItemName::Variant(id.into());
            change(&mut cart);
            let found = check(&cart, provider, &CartBase::plain(provider, base_url), &shelf).err();
            let found = found.as_ref().map(|error| (error.field.as_str(), error.message));
            assert_eq!(found, expected, "{provider:?} {base_url}");
        }
    }

    #[test]
    fn the_url_budget_counts_the_longest_stand_in() {
        let long = "é".repeat(255);
        let names: Vec<String> = (0..6).map(|place| format!("item{place}")).collect();
        let mut products: Vec<_> = names.iter().map(|name| product(name, name, None)).collect();
        products.push(product("long", &long, None));
        let shelf = Shelf::new(&products);
        let wanted: Vec<(&str, u32, &[&str])> = names.iter().map(|name| (name.as_str(), 1, &["long"][..])).collect();
        let found = check(
            &cart(&wanted),
            Provider::Ucp,
            &CartBase::plain(Provider::Ucp, "https://shop.example/buy"),
            &shelf,
        );
        assert_eq!(found.map_err(|error| error.field), Err(String::new()));
    }
}
