//! Guards the price of a landing page: three items with pictures, prices, quantities and a code, in the language with
//! the longest letters. A redirect costs a few microseconds; the page may cost 40.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use hopcart::domain::money::Currency;
use hopcart::web::pages::{
    Accent, ItemState, LandingItem, LandingPage, Language, Storefront, landing_csp, landing_page,
};

fn item(index: usize) -> LandingItem<'static> {
    LandingItem {
        index,
        title: "Dewy Barrier Serum with Niacinamide & Zinc, 30 ml",
        image_url: Some("https://cdn.glow.example/files/serum-front.jpg?v=1&width=640"),
        quantity: 2,
        quantity_max: 99,
        price: Some(123_490),
        state: ItemState::Available,
    }
}

fn landing(criterion: &mut Criterion) {
    let items = [item(0), item(1), item(2)];
    let codes = ["MIA10".to_owned()];
    let accent = Accent::parse("#c2255c");
    let page = LandingPage {
        shop: Storefront {
            language: Language::Arabic,
            store_name: "Glow Botanics",
            logo_url: Some("https://cdn.glow.example/logo.png"),
            accent,
            creator_name: Some("Mia Fernández"),
            creator_image: Some("https://cdn.glow.example/mia.jpg"),
        },
        currency: Currency::EUR,
        items: &items,
        codes: &codes,
        action: "/_/go",
        token: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        notice: None,
    };
    let hosts = ["cdn.glow.example".to_owned()];
    criterion.bench_function("landing page, 3 items", |bencher| {
        bencher.iter(|| landing_page(black_box(&page)));
    });
    criterion.bench_function("landing page's policy", |bencher| {
        bencher.iter(|| landing_csp(black_box(accent), &hosts, "https://glow.example"));
    });
    criterion.bench_function("language of a header", |bencher| {
        bencher.iter(|| Language::of_accept_language(black_box("ar-EG,ar;q=0.9,en-US;q=0.8,en;q=0.7")));
    });
}

criterion_group!(benches, landing);
criterion_main!(benches);
