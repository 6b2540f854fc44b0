//! The landing page: a creator's cart, before the follower goes on to the shop's checkout.
//!
//! Says what is in the cart and nothing that only the shop can know: no discount, no total. Works without a script:
//! one form, one button.

use maud::{Markup, html};

use super::language::Language;
use super::price::Price;
use super::storefront::{Layout, Storefront, around, frame, intro};
use crate::domain::money::Currency;

/// Most pieces that the list of quantities offers: a list that a thumb can still scroll.
const CHOICES_MAX: u32 = 10;

/// What the landing page shows.
#[derive(Debug, Clone, Copy)]
pub struct LandingPage<'a> {
    pub shop: Storefront<'a>,
    /// Of every price on the page.
    pub currency: Currency,
    pub items: &'a [LandingItem<'a>],
    /// Discount codes that the shop is asked to apply.
    pub codes: &'a [String],
    /// Where the form posts `token` and the quantities `q0`, `q1`, …
    pub action: &'a str,
    /// Opaque, signed by the server.
    pub token: &'a str,
    pub notice: Option<Notice>,
}

/// A line of the cart.
#[derive(Debug, Clone, Copy)]
pub struct LandingItem<'a> {
    /// Place in the link's cart: the form's field is `q` and this number.
    pub index: usize,
    pub title: &'a str,
    /// Checked: on a host that the store lists.
    pub image_url: Option<&'a str>,
    /// Pieces that the link asks for.
    pub quantity: u32,
    /// Most pieces that can be bought: 1 to 99, or what is in stock.
    pub quantity_max: u32,
    /// Minor units for one piece; `None` when it is unknown or no longer fresh.
    pub price: Option<i64>,
    pub state: ItemState<'a>,
}

/// Whether a line can be bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemState<'a> {
    Available,
    /// Can be bought, and stands in for something that cannot.
    Replaced {
        /// Title of what the link asks for.
        instead_of: &'a str,
    },
    OutOfStock,
}

/// Why the follower sees this page again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The page no longer shows what can be bought.
    StockChanged,
    /// The token is too old.
    PageExpired,
    /// Every quantity was 0.
    NothingChosen,
}

impl Notice {
    pub const ALL: [Self; 3] = [Self::StockChanged, Self::PageExpired, Self::NothingChosen];

    const fn text(self, language: Language) -> &'static str {
        let words = language.words();
        match self {
            Self::StockChanged => words.stock_changed,
            Self::PageExpired => words.page_expired,
            Self::NothingChosen => words.nothing_chosen,
        }
    }
}

/// The whole page, to be sent as `text/html; charset=utf-8` under [`super::storefront::landing_csp`].
pub fn landing_page(page: &LandingPage<'_>) -> String {
    let shop = &page.shop;
    let words = shop.language.words();
    let is_anything_left = page.items.iter().any(|item| item.state != ItemState::OutOfStock);
    let content = html! {
        (intro(shop, words.cart_ready, &subtitle(shop, page.items.len())))
        @if let Some(notice) = page.notice { p.notice role="alert" { (notice.text(shop.language)) } }
        form method="post" action=(page.action) {
            input type="hidden" name="token" value=(page.token);
            (items(page))
            div.sum {
                @if !page.codes.is_empty() { (codes(page)) }
                p.small { (around(words.pay_at, shop.store_name)) }
                @if is_anything_left {
                    div.pay { button.go type="submit" { (words.to_checkout) } }
                }
            }
        }
    };
    frame(shop, words.cart_ready, Layout::TwoColumns, &content)
}

/// "Picked by Mia · 3 items".
fn subtitle(shop: &Storefront<'_>, count: usize) -> Markup {
    let (number, noun) = shop.language.items(count);
    html! {
        @if let Some(name) = shop.creator_name {
            (around(shop.language.words().picked_by, name)) " · "
        }
        @if let Some(number) = number { (number) "\u{a0}" }
        (noun)
    }
}

/// All lines; a single one gets a large picture.
fn items(page: &LandingPage<'_>) -> Markup {
    let buyable = page.items.iter().filter(|item| item.state != ItemState::OutOfStock);
    // A cart's only line cannot be taken out: there would be nothing to check out.
    let least = u32::from(buyable.count() < 2);
    html! {
        ul.card.one[page.items.len() == 1] role="list" {
            @for (place, item) in page.items.iter().enumerate() {
                li.item.out[item.state == ItemState::OutOfStock] {
                    (picture(item, place == 0))
                    div.about {
                        h2 { bdi { (item.title) } }
                        @match item.state {
                            ItemState::OutOfStock => p.badge { (page.shop.language.words().sold_out) },
                            ItemState::Available => (offer(page, item, least)),
                            ItemState::Replaced { instead_of } => {
                                p.muted { (around(page.shop.language.words().instead_of, instead_of)) }
                                (offer(page, item, least))
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The line's picture. The title stands right beside it, so there is nothing left to describe. Only the first one is
/// surely on the screen, so the others may wait.
pub(super) fn picture(item: &LandingItem<'_>, is_first: bool) -> Markup {
    let loading = (!is_first).then_some("lazy");
    let priority = is_first.then_some("high");
    html! {
        @match item.image_url {
            Some(url) => {
                img.pic src=(url) alt="" width="640" height="640" loading=[loading] fetchpriority=[priority]
                    decoding="async";
            }
            None => {
                svg.pic viewBox="0 0 24 24" aria-hidden="true" { path d="M5 8h14l1 12H4zM9 8V7a3 3 0 0 1 6 0v1" {} }
            }
        }
    }
}

/// Price and quantity of a line that can be bought.
fn offer(page: &LandingPage<'_>, item: &LandingItem<'_>, least: u32) -> Markup {
    let language = page.shop.language;
    html! {
        div.row {
            p.price {
                @if let Some(minor) = item.price {
                    bdi dir="ltr" { (Price { minor, currency: page.currency, language }) }
                    @if item.quantity > 1 { " " small { (language.words().each) } }
                }
            }
            (quantity(item, least, language.words().quantity))
        }
    }
}

/// The control for the number of pieces: a list, or a field where the link asks for more than a list should hold.
fn quantity(item: &LandingItem<'_>, least: u32, label: &str) -> Markup {
    let most = item.quantity_max.max(1);
    let chosen = item.quantity.clamp(1, most);
    let field = format_args!("q{}", item.index);
    html! {
        div.qty {
            label for=(field) { (label) span.unseen { ": " (item.title) } }
            @if chosen <= CHOICES_MAX {
                select id=(field) name=(field) {
                    @for number in least..=most.min(CHOICES_MAX) {
                        option value=(number) selected[number == chosen] { (number) }
                    }
                }
            } @else {
                input id=(field) name=(field) type="number" inputmode="numeric" required
                    min=(least) max=(most) value=(chosen);
            }
        }
    }
}

/// "MIA10 is applied at checkout". What it takes off is for the shop to say.
fn codes(page: &LandingPage<'_>) -> Markup {
    let words = page.shop.language.words();
    let sentence = if page.codes.len() == 1 { words.code } else { words.codes };
    html! {
        div.code {
            svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" {
                path d="M3 3h8l10 10-8 8L3 11zM7.5 7.5h0" {}
            }
            p {
                (sentence.0)
                @for (place, code) in page.codes.iter().enumerate() {
                    @if place > 0 { (words.comma) }
                    b { bdi { (code) } }
                }
                (sentence.1)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::landing_sample as sample;
    use crate::web::pages::tags::{self, Tag};

    /// The fields of the form: name and value, as a browser would post them untouched.
    fn fields(page: &str) -> Vec<(String, String)> {
        let bare = sample::without_styles(page);
        let tags = tags::assert_sound(&bare);
        let value = |tag: &Tag<'_>, name| tag.value(name).unwrap_or_default().to_owned();
        let mut fields: Vec<(String, String)> = Vec::new();
        for tag in &tags {
            match tag.name {
                "input" => fields.push((value(tag, "name"), value(tag, "value"))),
                "select" => fields.push((value(tag, "name"), String::new())),
                "option" if tag.value("selected").is_some() => {
                    fields.last_mut().expect("a select around it").1 = value(tag, "value");
                }
                _ => {}
            }
        }
        fields
    }

    fn pairs(fields: &[(String, String)]) -> Vec<(&str, &str)> {
        fields.iter().map(|(name, value)| (&**name, &**value)).collect()
    }

    #[test]
    fn the_form_posts_what_the_page_shows() {
        let page = landing_page(&sample::three_items(Language::English));
        assert!(page.contains("<form method=\"post\" action=\"/_/go\">"));
        assert_eq!(page.matches("<button").count(), 1);
        let fields = fields(&page);
        assert_eq!(
            pairs(&fields),
            [("token", "tok.en-1"), ("q0", "1"), ("q1", "2"), ("q2", "1")]
        );
    }

    #[test]
    fn what_is_sold_out_has_no_field_and_what_replaces_says_so() {
        let view = sample::three_items(Language::English);
        let items = sample::one_out_one_replaced();
        let page = landing_page(&LandingPage { items: &items, ..view });
        let fields = fields(&page);
        assert_eq!(pairs(&fields), [("token", "tok.en-1"), ("q0", "1"), ("q2", "1")]);
        assert!(page.contains("<p class=\"badge\">Sold out</p>"));
        assert!(page.contains("Instead of <bdi>Lip Oil, Cherry</bdi>, which is sold out"));
    }

    #[test]
    fn quantities_stay_within_their_bounds() {
        let view = sample::three_items(Language::English);
        for (quantity, quantity_max, lines, expected) in [
            (1, 99, 1, "min 1 max 10 value 1"),
            (1, 99, 2, "min 0 max 10 value 1"),
            (5, 3, 1, "min 1 max 3 value 3"),
            (0, 3, 1, "min 1 max 3 value 1"),
            (1, 0, 1, "min 1 max 1 value 1"),
            (10, 99, 1, "min 1 max 10 value 10"),
            (12, 99, 1, "field min 1 max 99 value 12"),
            (12, 11, 2, "field min 0 max 11 value 11"),
            (u32::MAX, u32::MAX, 1, "field min 1 max 4294967295 value 4294967295"),
        ] {
            let item = LandingItem {
                quantity,
                quantity_max,
                ..view.items[0]
            };
            let items = vec![item; lines];
            let items: Vec<_> = items
                .into_iter()
                .enumerate()
                .map(|(index, item)| LandingItem { index, ..item })
                .collect();
            let page = landing_page(&LandingPage { items: &items, ..view });
            let bare = sample::without_styles(&page);
            let tags = tags::assert_sound(&bare);
            let field = tags.iter().find(|tag| tag.value("id") == Some("q0")).expect("a field");
            let actual = if field.name == "input" {
                let number = |name| field.number(name);
                format!(
                    "field min {} max {} value {}",
                    number("min"),
                    number("max"),
                    number("value")
                )
            } else {
                let options: Vec<_> = tags.iter().filter(|tag| tag.name == "option").collect();
                let options = &options[..options.len() / lines];
                let chosen: Vec<_> = options.iter().filter(|tag| tag.value("selected").is_some()).collect();
                assert_eq!(chosen.len(), 1);
                let number = |tag: &Tag<'_>| tag.number("value");
                format!(
                    "min {} max {} value {}",
                    number(options[0]),
                    number(options[options.len() - 1]),
                    number(chosen[0])
                )
            };
            assert_eq!(actual, expected, "{quantity} of {quantity_max}");
        }
    }

    #[test]
    fn pictures_reserve_their_place_and_only_the_first_hurries() {
        let page = landing_page(&sample::three_items(Language::English));
        let bare = sample::without_styles(&page);
        let tags = tags::assert_sound(&bare);
        let pictures: Vec<_> = tags.iter().filter(|tag| tag.value("class") == Some("pic")).collect();
        assert_eq!(pictures.len(), 3);
        for (place, picture) in pictures.iter().enumerate() {
            assert_eq!((picture.number("width"), picture.number("height")), (640, 640));
            assert_eq!(picture.value("decoding"), Some("async"));
            assert_eq!(picture.value("loading"), (place > 0).then_some("lazy"));
            assert!(picture.value("alt").is_some());
        }
    }

    #[test]
    fn codes_are_named_and_never_computed() {
        let view = sample::three_items(Language::English);
        let one = landing_page(&view);
        assert!(one.contains("<b><bdi>MIA10</bdi></b> is applied at checkout"));
        let codes = ["MIA10".to_owned(), "SHIPFREE".to_owned()];
        let two = landing_page(&LandingPage { codes: &codes, ..view });
        assert!(two.contains("<b><bdi>MIA10</bdi></b>, <b><bdi>SHIPFREE</bdi></b> are applied at checkout"));
        let none = landing_page(&LandingPage { codes: &[], ..view });
        assert!(!none.contains("at checkout"));
    }

    #[test]
    fn prices_are_shown_one_by_one_or_not_at_all() {
        let view = sample::three_items(Language::German);
        let page = landing_page(&view);
        assert_eq!(page.matches("€</bdi>").count(), 3);
        assert!(page.contains("<bdi dir=\"ltr\">24,90\u{a0}€</bdi></p>"));
        // Two pieces: the price says that it is for one.
        assert!(page.contains("<bdi dir=\"ltr\">18,00\u{a0}€</bdi> <small>pro Stück</small>"));
        let items: Vec<_> = view
            .items
            .iter()
            .map(|item| LandingItem { price: None, ..*item })
            .collect();
        assert!(!landing_page(&LandingPage { items: &items, ..view }).contains('€'));
    }

    #[test]
    fn a_notice_is_announced() {
        let view = sample::three_items(Language::French);
        for notice in Notice::ALL {
            let page = landing_page(&LandingPage {
                notice: Some(notice),
                ..view
            });
            assert!(page.contains(&format!("role=\"alert\">{}</p>", notice.text(Language::French))));
        }
        assert!(!landing_page(&view).contains("role=\"alert\""));
    }

    #[test]
    fn nothing_to_buy_is_nothing_to_check_out() {
        let view = sample::three_items(Language::English);
        let items: Vec<_> = view
            .items
            .iter()
            .map(|item| LandingItem {
                state: ItemState::OutOfStock,
                ..*item
            })
            .collect();
        for items in [&items[..], &[]] {
            let page = landing_page(&LandingPage { items, ..view });
            tags::assert_sound(&sample::without_styles(&page));
            assert!(!page.contains("<button") && !page.contains("<select"));
        }
    }
}
