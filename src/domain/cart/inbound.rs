//! Carts that others link to on a domain bound to a store: UCP permalinks (`/buy/{items}?{query}`, Universal Commerce
//! Protocol, `dev.ucp.shopping.permalink`) and `/checkout?products=ID:QTY,…&coupon=CODE` (Meta Shops, WooCommerce,
//! BigCommerce). Every byte is a stranger's: bounded, decoded once, never a click id, never a secret passed on.
//!
//! A shopping error (a code that cannot be, an unknown field) is told in `ignored` and the cart goes on; what cannot
//! be read safely is an error, and the follower goes to the store's front.

use percent_encoding::percent_decode_str;

use super::{ATTRIBUTES_MAX, CLICK_ID_ATTRIBUTE, CODES_MAX, ITEMS_MAX, QUANTITY_MAX, check_code, continue_to, ucp};
use crate::domain::store::NAME_MAX;

/// Longest path or query that is read, in bytes: UCP asks for URLs of 2,048 at least, and catalogs' may be longer.
pub const TEXT_MAX: usize = 4096;
/// Most parameters in one query: every code, attribute and campaign name fits several times.
pub const PARAMETERS_MAX: usize = 64;

/// Names at the root of UCP's cart and checkout schemas with the discount and fulfillment extensions, and the
/// permalink's own; everything else is not UCP's.
const UCP_ROOTS: [&str; 22] = [
    "actions",
    "attribution",
    "buyer",
    "context",
    "continue_to",
    "continue_url",
    "correspondence",
    "currency",
    "discounts",
    "expires_at",
    "fulfillment",
    "id",
    "line_items",
    "links",
    "messages",
    "order",
    "payment",
    "policies",
    "signals",
    "status",
    "totals",
    "ucp",
];

/// Parameters that no redirect repeats: credentials and persons (UCP permalink, "Privacy").
const SENSITIVE: [&str; 18] = [
    "access_token",
    "api_key",
    "apikey",
    "authorization",
    "auth",
    "client_secret",
    "email",
    "id_token",
    "jwt",
    "password",
    "phone",
    "refresh_token",
    "secret",
    "session",
    "session_id",
    "sid",
    "signature",
    "token",
];

/// Why a link cannot be read. The follower goes to the store's front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InboundError {
    /// More than [`TEXT_MAX`] bytes, or more items, codes, attributes or parameters than a cart has.
    TooMuch,
    /// An item list that is not of the grammar, or a quantity outside 1 to 99.
    Items,
    /// Bytes that are no UTF-8, or a control character.
    Malformed,
    /// Two parameters say the same thing; their order must not decide.
    Ambiguous,
}

/// The query of a UCP permalink.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UcpQuery {
    /// `discounts/codes/N`, by N.
    pub codes: Vec<String>,
    /// `attribution/…` without the click id's name, in the order of the link.
    pub attribution: Vec<(String, String)>,
    /// Canonical path and query on the endpoint's own origin.
    pub continue_to: Option<String>,
    /// Parameters that are not UCP's, to be kept on the way on.
    pub rest: Vec<(String, String)>,
    /// Names that were left out: unknown or unfit UCP fields, an unsafe `continue_to`, secrets, a forged click id.
    pub ignored: Vec<String>,
}

/// The query of a products link.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductsQuery {
    /// Ids of the shop or of Meta's catalog, with quantities.
    pub items: Vec<(String, u32)>,
    /// Whether an id stood there twice; the last quantity won.
    pub has_duplicates: bool,
    pub code: Option<String>,
    /// Other parameters, to be kept on the way on: `utm_…`, `fbclid`, `cart_origin`, `order_source`.
    pub rest: Vec<(String, String)>,
    /// Names that were left out: an unfit code, secrets, a forged click id.
    pub ignored: Vec<String>,
}

/// Reads the item path of a permalink, what stands after the endpoint and its slash. It is never percent-decoded:
/// an id that needs it has a `~` form. An id may stand there twice; both lines are told.
///
/// # Errors
/// Anything but `token:quantity` pairs within a cart's bounds.
pub fn parse_ucp_items(path: &str) -> Result<Vec<(String, u32)>, InboundError> {
    if path.len() > TEXT_MAX {
        return Err(InboundError::TooMuch);
    }
    let mut items = Vec::new();
    for pair in path.split(',') {
        if items.len() == ITEMS_MAX {
            return Err(InboundError::TooMuch);
        }
        let (token, digits) = pair.split_once(':').ok_or(InboundError::Items)?;
        let id = ucp::id_of_token(token).ok_or(InboundError::Items)?;
        items.push((id, quantity(digits).ok_or(InboundError::Items)?));
    }
    Ok(items)
}

/// A positive decimal number without leading zeros, up to [`QUANTITY_MAX`].
pub(super) fn quantity(digits: &str) -> Option<u32> {
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = is_number.then(|| digits.parse().ok()).flatten()?;
    (number <= QUANTITY_MAX).then_some(number)
}

/// Reads the query of a permalink. A name with or without leading slashes is one pointer.
///
/// # Errors
/// Two parameters of one pointer, control characters or bad UTF-8 in what is read, and too much of anything.
pub fn parse_ucp_query(query: &str) -> Result<UcpQuery, InboundError> {
    let mut found = UcpQuery::default();
    let mut codes: Vec<(u32, String)> = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    for (raw_name, raw_value) in pairs(query)? {
        let name = decode(raw_name)?;
        let pointer = name.trim_start_matches('/');
        let mut tokens = pointer
            .split('/')
            .map(|token| token.replace("~1", "/").replace("~0", "~"));
        let root = tokens.next().unwrap_or_default();
        if !UCP_ROOTS.contains(&&*root) {
            sort_out(&mut found.rest, &mut found.ignored, name, decode(raw_value)?);
            continue;
        }
        if seen.iter().any(|other| other == pointer) {
            return Err(InboundError::Ambiguous);
        }
        seen.push(pointer.to_owned());
        if pointer == "continue_to" {
            found.continue_to = continue_to::of_query_value(raw_value);
            if found.continue_to.is_none() {
                found.ignored.push(name);
            }
            continue;
        }
        let value = decode(raw_value)?;
        let path: Vec<String> = tokens.collect();
        match (&*root, path.as_slice()) {
            ("discounts", [list, place]) if list == "codes" && check_code(&value).is_ok() => match place_of(place) {
                Some(place) => codes.push((place, value)),
                None => found.ignored.push(name),
            },
            ("attribution", [key]) if !key.is_empty() && !key.eq_ignore_ascii_case(CLICK_ID_ATTRIBUTE) => {
                found.attribution.push((key.clone(), value));
            }
            _ => found.ignored.push(name),
        }
    }
    if codes.len() > CODES_MAX || found.attribution.len() > ATTRIBUTES_MAX {
        return Err(InboundError::TooMuch);
    }
    codes.sort_by_key(|(place, _)| *place);
    found.codes = codes.into_iter().map(|(_, code)| code).collect();
    Ok(found)
}

/// An array index of JSON Pointer (RFC 6901): `0` or a number that does not start with one.
fn place_of(text: &str) -> Option<u32> {
    if text == "0" { Some(0) } else { quantity(text) }
}

/// Reads `products=ID[:QTY],…&coupon=CODE`, commas and colons percent-encoded or not. Meta, WooCommerce and
/// BigCommerce write the same; only WooCommerce says what a repeated id means, and so it is read for all: the last
/// quantity wins, at the first one's place. A missing quantity is 1 (WooCommerce).
///
/// # Errors
/// No products, an entry that is not of the grammar, `products` or `coupon` twice, and too much of anything.
pub fn parse_products_query(query: &str) -> Result<ProductsQuery, InboundError> {
    let mut found = ProductsQuery::default();
    let mut products = None;
    let mut coupon = None;
    for (raw_name, raw_value) in pairs(query)? {
        let (name, value) = (decode(raw_name)?, decode(raw_value)?);
        match &*name {
            "products" if products.replace(value.clone()).is_some() => return Err(InboundError::Ambiguous),
            "coupon" if coupon.replace(value.clone()).is_some() => return Err(InboundError::Ambiguous),
            "products" | "coupon" => {}
            // BigCommerce's word for what is done anyway.
            "action" if value == "buy" => {}
            _ => sort_out(&mut found.rest, &mut found.ignored, name, value),
        }
    }
    let products = products.ok_or(InboundError::Items)?;
    for entry in products.split(',').filter(|entry| !entry.is_empty()) {
        let (id, digits) = entry.split_once(':').unwrap_or((entry, "1"));
        let quantity = quantity(digits).ok_or(InboundError::Items)?;
        if id.is_empty() || id.chars().count() > NAME_MAX {
            return Err(InboundError::Items);
        }
        if let Some((_, earlier)) = found.items.iter_mut().find(|(other, _)| other == id) {
            *earlier = quantity;
            found.has_duplicates = true;
        } else if found.items.len() == ITEMS_MAX {
            return Err(InboundError::TooMuch);
        } else {
            found.items.push((id.to_owned(), quantity));
        }
    }
    if found.items.is_empty() {
        return Err(InboundError::Items);
    }
    match coupon {
        Some(code) if check_code(&code).is_ok() => found.code = Some(code),
        Some(code) if !code.is_empty() => found.ignored.push("coupon".to_owned()),
        _ => {}
    }
    Ok(found)
}

/// The raw pairs of a query, bounded.
pub(super) fn pairs(query: &str) -> Result<impl Iterator<Item = (&str, &str)>, InboundError> {
    let texts = || query.split('&').filter(|pair| !pair.is_empty());
    if query.len() > TEXT_MAX || texts().count() > PARAMETERS_MAX {
        return Err(InboundError::TooMuch);
    }
    Ok(texts().map(|pair| pair.split_once('=').unwrap_or((pair, ""))))
}

/// Form-decodes strictly: what would be replaced or could break a line is an error.
fn decode(raw: &str) -> Result<String, InboundError> {
    let text = decode_text(raw).ok_or(InboundError::Malformed)?;
    if text.chars().any(char::is_control) {
        return Err(InboundError::Malformed);
    }
    Ok(text)
}

/// Form-decodes; `None` for bad UTF-8.
pub(super) fn decode_text(raw: &str) -> Option<String> {
    let spaced = raw.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8().ok()?;
    Some(text.into_owned())
}

fn sort_out(rest: &mut Vec<(String, String)>, ignored: &mut Vec<String>, name: String, value: String) {
    let bare = name.trim_start_matches('/');
    let is_kept = !bare.is_empty()
        && !bare.eq_ignore_ascii_case(CLICK_ID_ATTRIBUTE)
        && !SENSITIVE.iter().any(|secret| bare.eq_ignore_ascii_case(secret));
    if is_kept {
        rest.push((name, value));
    } else {
        ignored.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(items: Result<Vec<(String, u32)>, InboundError>) -> Result<String, InboundError> {
        let word = |(id, quantity): &(String, u32)| format!("{id} x{quantity}");
        items.map(|items| items.iter().map(word).collect::<Vec<_>>().join(", "))
    }

    fn words(pairs: &[(String, String)]) -> String {
        let word = |(name, value): &(String, String)| format!("{name}={value}");
        pairs.iter().map(word).collect::<Vec<_>>().join("&")
    }

    #[test]
    fn item_paths_are_read_exactly() {
        use InboundError::*;
        let many = ["a:1"; 51].join(",");
        let long = "a".repeat(TEXT_MAX + 1);
        for (path, expected) in [
            ("sku_123:2,sku_456:1", Ok("sku_123 x2, sku_456 x1")),
            (
                "sku_kit:3,~Z2lkOi8vc2hvcGlmeS9Qcm9kdWN0VmFyaWFudC83MDg4MTQxMg:2",
                Ok("sku_kit x3, gid://shopify/ProductVariant/70881412 x2"),
            ),
            ("a:99", Ok("a x99")),
            ("a:1,a:2", Ok("a x1, a x2")),
            ("..:1", Ok(".. x1")),
            ("", Err(Items)),
            ("a", Err(Items)),
            ("a:0", Err(Items)),
            ("a:01", Err(Items)),
            ("a:+1", Err(Items)),
            ("a:100", Err(Items)),
            ("a:99999999999", Err(Items)),
            ("a:1,", Err(Items)),
            ("a:1:2", Err(Items)),
            ("a%20b:1", Err(Items)),
            ("a%3A1", Err(Items)),
            ("~:1", Err(Items)),
            ("~YWI=:1", Err(Items)),
            ("~Cg:1", Err(Items)),
            ("a:1/b", Err(Items)),
            (&many, Err(TooMuch)),
            (&long, Err(TooMuch)),
        ] {
            assert_eq!(told(parse_ucp_items(path)), expected.map(str::to_owned), "{path}");
        }
    }

    #[test]
    fn the_specifications_query_is_sorted() {
        let query = "continue_to=/collections/spring&buyer/email=alice%40example.com&buyer/unknown=foo&attribution/utm_source=email&utm_medium=sms&color=black&access_token=secret&/discounts/codes/1=B&discounts%2Fcodes%2F0=A&line_items/0/quantity=5&attribution/hop_id=forged&hop_id=forged&currency=EUR&discounts/codes/00=C&attribution/a~1b~0c=x+y%2B";
        let found = parse_ucp_query(query).expect("a query");
        assert_eq!(found.codes, ["A", "B"]);
        assert_eq!(words(&found.attribution), "utm_source=email&a/b~c=x y+");
        assert_eq!(found.continue_to.as_deref(), Some("/collections/spring"));
        assert_eq!(words(&found.rest), "utm_medium=sms&color=black");
        assert_eq!(
            found.ignored,
            [
                "buyer/email",
                "buyer/unknown",
                "access_token",
                "line_items/0/quantity",
                "attribution/hop_id",
                "hop_id",
                "currency",
                "discounts/codes/00",
            ]
        );
    }

    #[test]
    fn bad_queries_are_told_apart() {
        use InboundError::*;
        let many = "a=1&".repeat(PARAMETERS_MAX + 1);
        let codes: String = (0..6).map(|place| format!("discounts/codes/{place}=A&")).collect();
        for (query, expected) in [
            ("buyer/email=a&/buyer/email=a", Err(Ambiguous)),
            ("discounts/codes/0=A&//discounts/codes/0=B", Err(Ambiguous)),
            ("continue_to=/a&continue_to=/a", Err(Ambiguous)),
            ("continue_to=/a&%2Fcontinue_to=/b", Err(Ambiguous)),
            ("utm_source=a&utm_source=b", Ok(())),
            ("attribution/k=%0d%0aX", Err(Malformed)),
            ("utm_source=%FF", Err(Malformed)),
            ("utm%00=a", Err(Malformed)),
            (&*many, Err(TooMuch)),
            (&*codes, Err(TooMuch)),
            ("", Ok(())),
            ("&&=x", Ok(())),
        ] {
            assert_eq!(parse_ucp_query(query).map(drop), expected, "{query}");
        }
        for unsafe_path in [
            "//evil.example",
            "https://evil.example",
            "/%5Cevil.example",
            "/a%0d%0ab",
            "%FF",
        ] {
            let found = parse_ucp_query(&format!("continue_to={unsafe_path}")).expect("a query");
            assert_eq!((found.continue_to, &*found.ignored[0]), (None, "continue_to"));
        }
    }

    #[test]
    fn products_links_are_read() {
        use InboundError::*;
        let many: String = (0..51).map(|id| format!("{id}:1,")).collect();
        let many = format!("products={many}");
        for (query, expected) in [
            (
                "products=12345%3A3%2C23456%3A1&coupon=SUMMERSALE20&fbclid=f&cart_origin=facebook",
                Ok("12345 x3, 23456 x1 [SUMMERSALE20] fbclid=f&cart_origin=facebook"),
            ),
            ("products=12:2,34&coupon=", Ok("12 x2, 34 x1 [] ")),
            (
                "products=SKU%201:2&order_source=www&action=buy",
                Ok("SKU 1 x2 [] order_source=www"),
            ),
            ("products=1:2,2:1,1:5", Ok("1 x5, 2 x1 [] ")),
            (
                "products=wc_post_id_123:1,&coupon=A%2CB&token=x",
                Ok("wc_post_id_123 x1 [] "),
            ),
            ("coupon=A", Err(Items)),
            ("products=", Err(Items)),
            ("products=1:0", Err(Items)),
            ("products=1:100", Err(Items)),
            ("products=:1", Err(Items)),
            ("products=1:1:color", Err(Items)),
            ("products=1:x", Err(Items)),
            ("products=1&products=2", Err(Ambiguous)),
            ("products=1&coupon=A&coupon=B", Err(Ambiguous)),
            ("products=1%00", Err(Malformed)),
            (&*many, Err(TooMuch)),
        ] {
            let found = parse_products_query(query).map(|found| {
                let items = told(Ok(found.items)).unwrap_or_default();
                format!("{items} [{}] {}", found.code.unwrap_or_default(), words(&found.rest))
            });
            assert_eq!(found, expected.map(str::to_owned), "{query}");
        }
        let found = parse_products_query("products=1:2,1:3&coupon=A+B&token=x").expect("a query");
        assert!(found.has_duplicates);
        assert_eq!(found.ignored, ["token", "coupon"]);
    }

    proptest! {
        #[test]
        fn no_text_panics_or_passes_a_secret_on(text in "\\PC{0,80}", value in "[a-z]{1,9}") {
            let _ = (parse_ucp_items(&text), parse_ucp_query(&text), parse_products_query(&text));
            let query = format!("{}&access_token={value}&/hop_id={value}", text.replace('&', ""));
            if let Ok(found) = parse_ucp_query(&query) {
                prop_assert!(!found.rest.iter().any(|(name, _)| name == "access_token" || name == "/hop_id"));
            }
        }
    }
}
