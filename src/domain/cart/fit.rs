//! Makes a cart that a stranger wrote one that the store's platform can carry: what it cannot is left out, told by
//! name, and the rest goes on.

use super::{Cart, CartBase, CartItem, ItemName, Landing, check};
use crate::domain::id::StoreNo;
use crate::domain::store::{Provider, Shelf};

/// What an inbound link asks for: ids of the platform, of the brand (SKUs) or of a catalog that uses either.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    pub items: Vec<(String, u32)>,
    pub codes: Vec<String>,
    pub attributes: Vec<(String, String)>,
    pub continue_to: Option<String>,
}

/// The cart at `store` that is left of `asked`, and the names of what is not in it; `None` when no item is left.
pub fn fit(
    asked: Asked,
    store: StoreNo,
    provider: Provider,
    base: &CartBase,
    shelf: &Shelf,
) -> Option<(Cart, Vec<String>)> {
    let item = |(id, quantity): (String, u32)| CartItem {
        // A catalog's id is the brand's own name of the product where it is one.
        name: match shelf.by_sku(&id) {
            Some(_) => ItemName::Sku(id),
            None => ItemName::Variant(id),
        },
        quantity,
        fallbacks: Vec::new(),
    };
    let mut cart = Cart {
        store,
        items: asked.items.into_iter().map(item).collect(),
        discount_codes: asked.codes,
        note: None,
        attributes: asked.attributes,
        continue_to: asked.continue_to,
        landing: Landing::Direct,
        code_pool: None,
    };
    let mut left_out = Vec::new();
    // Each turn takes something away, so there are at most as many as the cart has parts.
    while let Err(error) = check(&cart, provider, base, shelf) {
        left_out.push(take_away(&mut cart, &error.field)?);
    }
    Some((cart, left_out))
}

/// Takes away what `field` names, or, when the whole is too long, what can best be done without.
fn take_away(cart: &mut Cart, field: &str) -> Option<String> {
    let place = field
        .strip_prefix("items[")
        .and_then(|rest| rest.split(']').next()?.parse::<usize>().ok());
    if let Some(place) = place.filter(|place| *place < cart.items.len()) {
        let gone = cart.items.remove(place);
        return Some(match gone.name {
            ItemName::Sku(id) | ItemName::Variant(id) => id,
        });
    }
    let is_about = |name: &str| field.starts_with(name);
    if !cart.attributes.is_empty() && !is_about("discountCodes") && !is_about("continueTo") {
        return cart.attributes.pop().map(|(name, _)| name);
    }
    if cart.continue_to.is_some() && !is_about("discountCodes") {
        cart.continue_to = None;
        return Some("continue_to".to_owned());
    }
    if let Some(code) = cart.discount_codes.pop() {
        return Some(code);
    }
    // Too long with nothing but items: the last ones go.
    match cart.items.len() {
        0 | 1 => None,
        _ => cart.items.pop().map(|gone| match gone.name {
            ItemName::Sku(id) | ItemName::Variant(id) => id,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::product;
    use super::*;
    use proptest::prelude::*;

    fn asked(items: &[(&str, u32)]) -> Asked {
        Asked {
            items: items
                .iter()
                .map(|(id, quantity)| ((*id).to_owned(), *quantity))
                .collect(),
            ..Asked::default()
        }
    }

    fn fitted(asked: Asked, provider: Provider, base_url: &str) -> Option<(String, Vec<String>)> {
        let shelf = Shelf::new(&[product("MUG", "44017", None)]);
        let (cart, left_out) = fit(
            asked,
            StoreNo(1),
            provider,
            &CartBase::plain(provider, base_url),
            &shelf,
        )?;
        let items: Vec<_> = cart
            .items
            .iter()
            .map(|item| match &item.name {
                ItemName::Sku(id) => format!("sku {id} x{}", item.quantity),
                ItemName::Variant(id) => format!("{id} x{}", item.quantity),
            })
            .collect();
        let codes = cart.discount_codes.join("+");
        let next = cart.continue_to.unwrap_or_default();
        let attributes = cart.attributes.len();
        Some((format!("{} {codes} {attributes} {next}", items.join(",")), left_out))
    }

    #[test]
    fn what_a_platform_cannot_carry_is_left_out() {
        let full = Asked {
            codes: vec!["A".into(), "B".into()],
            attributes: vec![("source".into(), "mail".into())],
            continue_to: Some("/pages/thanks".into()),
            ..asked(&[("MUG", 2), ("44018", 1), ("not a number", 1)])
        };
        use Provider::*;
        for (provider, base_url, expected) in [
            (Shopify, "https://shop.example/", "sku MUG x2,44018 x1 A+B 1 "),
            (
                Ucp,
                "https://shop.example/buy",
                "sku MUG x2,44018 x1,not a number x1 A+B 1 /pages/thanks",
            ),
            (WooCommerce, "https://shop.example/", "sku MUG x2,44018 x1 A 0 "),
        ] {
            let (told, left_out) = fitted(full.clone(), provider, base_url).expect("a cart");
            assert_eq!(told, expected, "{provider:?}: {left_out:?}");
        }
        assert_eq!(fitted(asked(&[("x y", 1)]), Shopify, "https://shop.example/"), None);
        assert_eq!(fitted(asked(&[]), Shopify, "https://shop.example/"), None);
    }

    #[test]
    fn a_cart_that_is_too_long_loses_its_end() {
        let id = |place: usize| (format!("{place}{}", "9".repeat(60)), 1);
        let many = Asked {
            items: (10..60).map(id).collect(),
            codes: vec!["MIA10".into()],
            ..Asked::default()
        };
        let shelf = Shelf::default();
        let base = CartBase::plain(Provider::Ucp, "https://shop.example/buy");
        let (cart, left_out) = fit(many, StoreNo(1), Provider::Ucp, &base, &shelf).expect("a cart");
        assert!(cart.items.len() > 20 && cart.items.len() < 50, "{}", cart.items.len());
        assert_eq!(left_out[0], "MIA10");
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_fits(
            items in proptest::collection::vec(("\\PC{0,12}|[0-9]{1,20}", 0u32..200), 0..8),
            codes in proptest::collection::vec("\\PC{0,9}", 0..8),
            attributes in proptest::collection::vec(("\\PC{0,9}", "\\PC{0,9}"), 0..4),
            next in proptest::option::of("/?[a-z/.%\\\\]{0,9}"),
        ) {
            let asked = Asked { items, codes, attributes, continue_to: next };
            for (provider, base_url) in [
                (Provider::Shopify, "https://shop.example/"),
                (Provider::Ucp, "https://shop.example/buy"),
                (Provider::WooCommerce, "https://shop.example/"),
                (Provider::BigCommerce, "https://shop.example/"),
                (Provider::Stripe, "https://buy.stripe.com/4gw3cd"),
                (Provider::Amazon, "https://www.amazon.de/"),
                (Provider::Ecwid, "https://site.example/"),
                (Provider::Template, "https://s.example/?p={items}&c={codes}"),
            ] {
                let base = CartBase::plain(provider, base_url);
                if let Some((cart, _)) = fit(asked.clone(), StoreNo(1), provider, &base, &Shelf::default()) {
                    prop_assert_eq!(check(&cart, provider, &base, &Shelf::default()), Ok(()));
                }
            }
        }
    }
}
