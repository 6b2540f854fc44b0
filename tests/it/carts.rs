//! Carts on every platform: destinations that are a store's cart become cart links by themselves, each provider writes
//! its own grammar, and every link has a picture to scan.

use serde_json::json;

use crate::http::Request;
use crate::server::{TestServer, eventually, id_of};

#[test]
fn a_destination_that_is_a_stores_cart_becomes_a_cart_link() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    let cart = "https://shop.example/cart/44017:2,44018:1?discount=MIA10&utm_source=insta";
    let link = api.link(&json!({ "key": "cart", "url": cart }));
    assert_eq!(link["cart"]["storeId"], json!(store));
    assert_eq!(
        link["cart"]["items"],
        json!([
            { "variantId": "44017", "quantity": 2, "fallbacks": [] },
            { "variantId": "44018", "quantity": 1, "fallbacks": [] },
        ])
    );
    assert_eq!(link["cart"]["discountCodes"], json!(["MIA10"]));
    assert_eq!(link["utm_source"], json!("insta"));
    let answer = server.follow("/cart");
    assert_eq!(answer.status, 303);
    let location = answer.location();
    assert!(
        location.starts_with("https://shop.example/cart/44017:2,44018:1?discount=MIA10&attributes%5Bhop_id%5D="),
        "{location}"
    );
    assert!(location.ends_with("&utm_source=insta"), "{location}");

    // What it is told explicitly, what no cart link can say, and another shop's cart stay plain destinations.
    for (key, body) in [
        ("told", json!({ "url": cart, "cart": null })),
        (
            "more",
            json!({ "url": "https://shop.example/cart/44017:1?payment=shop_pay" }),
        ),
        ("other", json!({ "url": "https://other.example/cart/44017:1" })),
    ] {
        let mut body = body;
        body["key"] = json!(key);
        assert_eq!(api.link(&body)["cart"], json!(null), "{key}");
        assert_eq!(server.follow(&format!("/{key}")).status, 302, "{key}");
    }
}

#[test]
fn another_brands_store_makes_no_cart_of_a_destination() {
    let server = TestServer::start();
    server.api().store();
    let other = server.other_brand("Other");
    let link = other.link(&json!({ "key": "cart", "url": "https://shop.example/cart/44017:2" }));
    assert_eq!(link["cart"], json!(null));
}

#[test]
fn every_provider_writes_its_own_cart() {
    let server = TestServer::start();
    let api = server.api();
    for (provider, base_url, variant, start) in [
        (
            "ucp",
            "https://ucp.example/buy",
            "SKU 1",
            "https://ucp.example/buy/~U0tVIDE:1?discounts/codes/0=MIA10&attribution/hop_id=",
        ),
        (
            "woocommerce",
            "https://woo.example/",
            "17",
            "https://woo.example/checkout-link/?products=17:1&coupon=MIA10&utm_id=",
        ),
        (
            "bigcommerce",
            "https://big.example/",
            "17",
            "https://big.example/checkout/?products=17:1&coupon=MIA10&",
        ),
    ] {
        let store = id_of(&api.post(
            "/stores",
            &json!({ "name": provider, "provider": provider, "baseUrl": base_url, "currency": "EUR" }),
        ));
        api.products(&store, &[("MUG", variant, None)]);
        api.link(&json!({ "key": provider, "cart": {
            "storeId": store, "items": [{ "sku": "MUG" }], "discountCodes": ["MIA10"],
        } }));
        let answer = server.follow(&format!("/{provider}"));
        assert_eq!(answer.status, 303, "{provider}");
        let location = answer.location().replace("%2F", "/");
        assert!(location.starts_with(start), "{provider}: {location}");
    }
}

#[test]
fn every_link_has_a_picture_to_scan_and_scans_are_told_apart() {
    let server = TestServer::start();
    let api = server.api();
    let link = api.link(&json!({ "key": "poster", "url": "https://shop.example/" }));
    let picture = link["qrCode"].as_str().expect("an address").to_owned();
    let target = &picture[picture.find("/qr").expect("a path")..];
    let get = |target: &str| crate::http::send(server.running().admin, &Request::get(target));
    let png = get(target);
    assert_eq!((png.status, png.header("content-type")), (200, Some("image/png")));
    assert!(png.body.starts_with(b"\x89PNG"));
    let svg = get(&format!("{target}&format=svg&level=H&size=300&fgColor=%23123456"));
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert!(
        svg.text().starts_with("<svg") && svg.text().contains("#123456"),
        "{}",
        svg.text()
    );
    let long = get(&format!("/qr?url={}", "x".repeat(513)));
    assert_eq!(long.status, 200);
    assert!(
        long.header("hopcart-warning")
            .is_some_and(|warning| warning.contains("512"))
    );
    assert_eq!(png.header("hopcart-warning"), None);
    assert_eq!(link["warnings"], json!([]));
    let key = "ü".repeat(100);
    let warned = api.link(&json!({ "key": key, "url": "https://shop.example/" }));
    assert_eq!(warned["warnings"][0]["field"], json!("qrCode"), "{warned}");
    for bad in [
        "/qr",
        "/qr?url=x&size=9",
        "/qr?url=x&level=Z",
        "/qr?url=x&fgColor=red",
        "/qr?url=x&logo=https://a.example/b.png",
    ] {
        get(bad).refusal(422);
    }
    assert_eq!(server.follow("/poster?qr=1").location(), "https://shop.example/");
    eventually("the scan is counted", || {
        (api.clicks("groupBy=count") == 1).then_some(())
    });
    let triggers = api.get("/analytics?groupBy=triggers");
    assert_eq!(triggers[0]["trigger"], json!("qr"), "{triggers}");
}
