//! What of a cart can be bought: by stock, by the link's policy, and by what a landing page showed.
//!
//! One rule for an item, [`Picked::of`], whoever asks; pieces already taken by an earlier line of the same cart count.

use serde::{Deserialize, Serialize};

use super::{Cart, CartItem, ItemName, QUANTITY_MAX};
use crate::domain::store::{Shelf, ShelfItem};

/// What to do when an item cannot be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum OnOut {
    /// Put in its first fallback that can be bought; without one, leave it out.
    #[default]
    Fallback,
    /// Leave it out.
    Drop,
    /// Go to [`StockPolicy::redirect_url`].
    Redirect,
    /// Send the cart as written: the shop decides.
    Pass,
    /// As [`Self::Fallback`]; when nothing is left, a page that takes an e-mail address.
    Waitlist,
}

/// A link's rule for what is sold out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct StockPolicy {
    pub on_out: OnOut,
    /// Serialised URL for carts of which nothing can be bought; without one, the store's front.
    pub redirect_url: Option<String>,
}

/// A line that can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    pub variant_id: &'a str,
    pub quantity: u32,
}

/// What [`choose`] decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice<'a> {
    /// These lines, as written.
    Whole(Vec<Line<'a>>),
    /// These lines, of which at least one is a fallback.
    WithFallback(Vec<Line<'a>>),
    /// These lines; at least one is missing.
    Reduced(Vec<Line<'a>>),
    /// Nothing: go to the policy's page or the store's front.
    Nothing,
}

/// What becomes of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picked<'a> {
    /// It can be bought as written. A variant that the brand never described has nothing on the shelf.
    Own {
        variant_id: &'a str,
        found: Option<&'a ShelfItem>,
    },
    /// Its fallback number `place` stands in.
    Fallback { place: usize, found: &'a ShelfItem },
    /// Neither can be bought.
    Out { found: Option<&'a ShelfItem> },
}

impl<'a> Picked<'a> {
    fn of(item: &'a CartItem, on_out: OnOut, shelf: &'a Shelf, lines: &[Line<'_>]) -> Self {
        let taken = |variant_id: &str| {
            let same = lines.iter().find(|line| line.variant_id == variant_id);
            same.map_or(0, |line| line.quantity)
        };
        let sells = |found: &ShelfItem| found.can_sell(item.quantity + taken(&found.variant_id));
        let found = match &item.name {
            ItemName::Sku(sku) => shelf.by_sku(sku),
            ItemName::Variant(variant_id) => shelf.by_variant(variant_id),
        };
        // A variant that the brand never described has no stock to look at: it is sent as written.
        let variant_id = match (found, &item.name) {
            (Some(found), _) => Some(&*found.variant_id),
            (None, ItemName::Variant(variant_id)) => Some(variant_id.as_str()),
            (None, ItemName::Sku(_)) => None,
        };
        match variant_id {
            Some(variant_id) if on_out == OnOut::Pass || found.is_none_or(sells) => Self::Own { variant_id, found },
            _ if matches!(on_out, OnOut::Fallback | OnOut::Waitlist) => {
                let mut fallbacks = item.fallbacks.iter().enumerate();
                fallbacks
                    .find_map(|(place, sku)| {
                        let found = shelf.by_sku(sku).filter(|found| sells(found))?;
                        Some(Self::Fallback { place, found })
                    })
                    .unwrap_or(Self::Out { found })
            }
            _ => Self::Out { found },
        }
    }

    /// The variant that goes into the cart.
    pub fn variant_id(&self) -> Option<&'a str> {
        match self {
            Self::Own { variant_id, .. } => Some(variant_id),
            Self::Fallback { found, .. } => Some(&found.variant_id),
            Self::Out { .. } => None,
        }
    }

    /// What the shelf says of what goes into the cart, or of what is out.
    pub fn found(&self) -> Option<&'a ShelfItem> {
        match self {
            Self::Own { found, .. } | Self::Out { found } => *found,
            Self::Fallback { found, .. } => Some(found),
        }
    }

    /// One byte for a page's token: 0 = out, 1 = as written, from 2 on a fallback.
    pub fn code(&self) -> u8 {
        match self {
            Self::Out { .. } => 0,
            Self::Own { .. } => 1,
            Self::Fallback { place, .. } => u8::try_from(place + 2).unwrap_or(0),
        }
    }
}

/// Chooses the lines of `cart` that `shelf` can sell. Two lines that end on one variant are one line, and never more
/// than is left.
pub fn choose<'a>(cart: &'a Cart, policy: &StockPolicy, shelf: &'a Shelf) -> Choice<'a> {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(cart.items.len());
    let (mut has_fallback, mut is_reduced) = (false, false);
    for item in &cart.items {
        let picked = Picked::of(item, policy.on_out, shelf, &lines);
        match picked {
            Picked::Out { .. } if policy.on_out == OnOut::Redirect => return Choice::Nothing,
            Picked::Out { .. } => is_reduced = true,
            Picked::Own { variant_id, .. } => add(&mut lines, variant_id, item.quantity),
            Picked::Fallback { found, .. } => {
                has_fallback = true;
                add(&mut lines, &found.variant_id, item.quantity);
            }
        }
    }
    match (lines.is_empty(), is_reduced, has_fallback) {
        (true, ..) => Choice::Nothing,
        (_, true, _) => Choice::Reduced(lines),
        (_, _, true) => Choice::WithFallback(lines),
        _ => Choice::Whole(lines),
    }
}

fn add<'a>(lines: &mut Vec<Line<'a>>, variant_id: &'a str, quantity: u32) {
    match lines.iter_mut().find(|line| line.variant_id == variant_id) {
        Some(line) => line.quantity = (line.quantity + quantity).min(QUANTITY_MAX),
        None => lines.push(Line { variant_id, quantity }),
    }
}

/// What becomes of each item of `cart`, in its order, and how many pieces of it can be asked for at most: for a page
/// that shows them one by one.
pub fn pick<'a>(cart: &'a Cart, policy: &StockPolicy, shelf: &'a Shelf) -> Vec<(Picked<'a>, u32)> {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(cart.items.len());
    let mut all = Vec::with_capacity(cart.items.len());
    for item in &cart.items {
        let picked = Picked::of(item, policy.on_out, shelf, &lines);
        let taken = picked.variant_id().map_or(0, |variant_id| {
            let same = lines.iter().find(|line| line.variant_id == variant_id);
            same.map_or(0, |line| line.quantity)
        });
        if let Some(variant_id) = picked.variant_id() {
            add(&mut lines, variant_id, item.quantity);
        }
        let most = match picked.found() {
            Some(found) if policy.on_out != OnOut::Pass => found.quantity_max(taken, QUANTITY_MAX),
            _ => QUANTITY_MAX - taken.min(QUANTITY_MAX),
        };
        all.push((picked, most));
    }
    all
}

/// What a follower asks for on a landing page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refill<'a> {
    Lines(Vec<Line<'a>>),
    /// What the page showed cannot be bought any more, or not in these quantities.
    StockChanged,
    /// Every quantity was 0.
    NothingChosen,
}

/// The lines for `quantities` of what a page showed: `shown` holds each item's [`Picked::code`]. Exactly what the page
/// showed or nothing: a fallback that was not shown never slips in.
pub fn refill<'a>(
    cart: &'a Cart,
    policy: &StockPolicy,
    shelf: &'a Shelf,
    shown: &[u8],
    quantities: &[u32],
) -> Refill<'a> {
    let mut lines: Vec<Line<'a>> = Vec::with_capacity(cart.items.len());
    for (place, item) in cart.items.iter().enumerate() {
        let quantity = quantities.get(place).copied().unwrap_or(0);
        let code = shown.get(place).copied().unwrap_or(0);
        if quantity == 0 || code == 0 {
            continue;
        }
        let found = match (code, &item.name) {
            (1, ItemName::Sku(sku)) => shelf.by_sku(sku),
            (1, ItemName::Variant(variant_id)) => shelf.by_variant(variant_id),
            _ => item
                .fallbacks
                .get(usize::from(code - 2))
                .and_then(|sku| shelf.by_sku(sku)),
        };
        let variant_id = match (found, code, &item.name) {
            (Some(found), ..) => &*found.variant_id,
            (None, 1, ItemName::Variant(variant_id)) => variant_id.as_str(),
            _ => return Refill::StockChanged,
        };
        add(&mut lines, variant_id, quantity.min(QUANTITY_MAX));
    }
    let is_left = |line: &Line<'_>| {
        policy.on_out == OnOut::Pass
            || shelf
                .by_variant(line.variant_id)
                .is_none_or(|found| found.can_sell(line.quantity))
    };
    match (lines.is_empty(), lines.iter().all(is_left)) {
        (true, _) => Refill::NothingChosen,
        (_, false) => Refill::StockChanged,
        _ => Refill::Lines(lines),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{cart, product};
    use super::*;
    use crate::domain::store::{OversellPolicy, Product};

    fn told(choice: &Choice<'_>) -> String {
        let lines = |word: &str, lines: &[Line<'_>]| {
            let pairs: Vec<_> = lines
                .iter()
                .map(|line| format!("{}:{}", line.variant_id, line.quantity))
                .collect();
            format!("{word} {}", pairs.join(","))
        };
        match choice {
            Choice::Whole(chosen) => lines("whole", chosen),
            Choice::WithFallback(chosen) => lines("fallback", chosen),
            Choice::Reduced(chosen) => lines("reduced", chosen),
            Choice::Nothing => "nothing".into(),
        }
    }

    #[test]
    fn stock_decides() {
        let shelf = Shelf::new(&[
            product("full", "1", Some(10)),
            product("empty", "2", Some(0)),
            product("untracked", "3", None),
            product("last", "4", Some(1)),
            product("oversold", "5", Some(-3)),
            Product {
                policy: OversellPolicy::Continue,
                ..product("backorder", "6", Some(0))
            },
        ]);
        let none: &[&str] = &[];
        for (items, on_out, expected) in [
            (&[("full", 2, none)][..], OnOut::Fallback, "whole 1:2"),
            (
                &[("untracked", 99, none), ("backorder", 1, none)],
                OnOut::Fallback,
                "whole 3:99,6:1",
            ),
            (&[("empty", 1, &["oversold", "full"])], OnOut::Fallback, "fallback 1:1"),
            (&[("empty", 1, none), ("full", 1, none)], OnOut::Fallback, "reduced 1:1"),
            (&[("empty", 1, none)], OnOut::Fallback, "nothing"),
            (
                &[("empty", 1, &["full"]), ("full", 1, none)],
                OnOut::Drop,
                "reduced 1:1",
            ),
            (
                &[("full", 1, none), ("empty", 1, &["full"])],
                OnOut::Redirect,
                "nothing",
            ),
            (&[("empty", 3, &["full"])], OnOut::Pass, "whole 2:3"),
            (
                &[("last", 1, none), ("empty", 1, &["last", "full"])],
                OnOut::Fallback,
                "fallback 4:1,1:1",
            ),
            (
                &[("full", 1, none), ("empty", 2, &["full"])],
                OnOut::Fallback,
                "fallback 1:3",
            ),
            (&[("last", 2, none)], OnOut::Fallback, "nothing"),
        ] {
            let policy = StockPolicy {
                on_out,
                redirect_url: None,
            };
            assert_eq!(
                told(&choose(&cart(items), &policy, &shelf)),
                expected,
                "{items:?} {on_out:?}"
            );
        }
    }

    #[test]
    fn a_page_offers_what_is_left_and_gets_what_it_showed() {
        let shelf = Shelf::new(&[
            product("a", "1", Some(5)),
            product("b", "2", Some(0)),
            product("c", "3", None),
            product("d", "4", Some(0)),
        ]);
        let cart = cart(&[("a", 2, &[]), ("b", 1, &["d", "c"]), ("d", 1, &[]), ("a", 1, &[])]);
        let policy = StockPolicy::default();
        let picked = pick(&cart, &policy, &shelf);
        let told: Vec<_> = picked.iter().map(|(picked, most)| (picked.code(), *most)).collect();
        assert_eq!(told, [(1, 5), (3, QUANTITY_MAX), (0, 0), (1, 3)]);
        let shown: Vec<u8> = told.iter().map(|(code, _)| *code).collect();
        let refilled = |shelf: &Shelf, quantities: &[u32]| match refill(&cart, &policy, shelf, &shown, quantities) {
            Refill::Lines(lines) => {
                let pairs = lines
                    .iter()
                    .map(|line| format!("{}:{}", line.variant_id, line.quantity));
                pairs.collect::<Vec<_>>().join(",")
            }
            other => format!("{other:?}"),
        };
        for (quantities, expected) in [
            (&[2, 1, 0, 1][..], "1:3,3:1"),
            (&[0, 99, 7, 0], "3:99"),
            (&[0, 0, 1, 0], "NothingChosen"),
            (&[], "NothingChosen"),
            (&[5, 1, 0, 1], "StockChanged"),
            (&[1, 1000, 0, 0], "1:1,3:99"),
        ] {
            assert_eq!(refilled(&shelf, quantities), expected, "{quantities:?}");
        }
        // The first choice is back, the fallback that was shown is still what is sold.
        let back = Shelf::new(&[
            product("a", "1", Some(5)),
            product("b", "2", Some(9)),
            product("c", "3", None),
        ]);
        assert_eq!(refilled(&back, &[0, 1, 0, 0]), "3:1");
        let gone = Shelf::new(&[product("a", "1", Some(5))]);
        assert_eq!(refilled(&gone, &[0, 1, 0, 0]), "StockChanged");
    }

    #[test]
    fn undescribed_variants_are_sent_as_written() {
        let mut cart = cart(&[("x", 1, &[])]);
        cart.items[0].name = ItemName::Variant("77".into());
        assert_eq!(
            told(&choose(&cart, &StockPolicy::default(), &Shelf::default())),
            "whole 77:1"
        );
    }
}
