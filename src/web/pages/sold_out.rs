//! The page for a cart of which nothing can be bought, where the brand keeps no waiting list.

use maud::html;

use super::storefront::{Storefront, farewell};

/// An empty bag.
const BAG: &str = "M5 8h14l1 12H4zM9 8V7a3 3 0 0 1 6 0v1";

/// Says that everything is gone, and leads to the store's front.
pub fn sold_out_page(shop: &Storefront<'_>, front_url: &str) -> String {
    let words = shop.language.words();
    farewell(
        shop,
        BAG,
        words.sold_out_for_now,
        &html! { (words.all_sold_out) },
        front_url,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::language::Language;
    use crate::web::pages::{landing_sample as sample, tags};

    #[test]
    fn there_is_a_way_on() {
        for language in Language::ALL {
            let page = sold_out_page(&sample::storefront(language), "https://glow.example/");
            let bare = sample::without_styles(&page);
            let tags = tags::assert_sound(&bare);
            let links: Vec<_> = tags.iter().filter_map(|tag| tag.value("href")).collect();
            assert_eq!(links, ["https://glow.example/"]);
        }
    }
}
