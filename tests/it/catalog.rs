//! A store's catalogue: products by JSON and by file, each row by itself, all of them in one snapshot; and the command
//! that sends files of any length.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use crate::http::{self, Answer, Request};
use crate::server::{KEY, TestServer};

const SHOPIFY: &str = include_str!("../../fixtures/catalog/shopify_export.csv");
const GOOGLE: &str = include_str!("../../fixtures/catalog/google_feed.tsv");

/// Sends a file to `/products`.
fn send(server: &TestServer, query: &str, kind: &str, file: impl Into<Vec<u8>>) -> Answer {
    let request = Request::new("PUT", &format!("/products?{query}"))
        .header("Authorization", &format!("Bearer {KEY}"))
        .header("Content-Type", kind)
        .body(file);
    http::send(server.running().admin, &request)
}

fn put_csv(server: &TestServer, store: &str, file: &str) -> Value {
    let answer = send(server, &format!("storeId={store}"), "text/csv", file);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// SKU, variant, price and stock of the store's products.
fn products(server: &TestServer, store: &str) -> Vec<(String, String, Value, Value)> {
    let listed = server.api().get(&format!("/products?storeId={store}"));
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let row = |product: &Value| {
        (
            text(&product["sku"]),
            text(&product["variantId"]),
            product["price"].clone(),
            product["stock"].clone(),
        )
    };
    listed.as_array().expect("a list").iter().map(row).collect()
}

fn row(sku: &str, variant: &str, price: Value, stock: Value) -> (String, String, Value, Value) {
    (sku.to_owned(), variant.to_owned(), price, stock)
}

/// The cart that `/m` leads to.
fn cart(server: &TestServer) -> String {
    let answer = server.follow("/m");
    assert_eq!(answer.status, 303);
    let location = answer.location().to_owned();
    let path = location.strip_prefix("https://shop.example/cart/").unwrap_or(&location);
    path.split('?').next().expect("a path").to_owned()
}

#[test]
fn a_bad_row_of_json_does_not_hold_back_the_others() {
    let server = TestServer::start();
    let (api, store) = (server.api(), server.api().store());
    let answer = api.put(
        "/products",
        &json!({ "storeId": store, "products": [
            { "sku": "A", "variantId": 1, "title": "A", "price": 500, "stock": 1 },
            { "sku": "B", "variantId": "x", "title": "B" },
            { "sku": "C", "variantId": 3, "title": "C", "price": "5.00" },
            { "sku": "A", "variantId": 4, "title": "Another A" },
            { "sku": "D", "variantId": 5, "title": "D", "imageUrl": "javascript:alert(1)" },
            { "sku": "E", "variantId": 6, "title": "E", "colour": "red" },
            { "sku": "F", "variantId": 7 },
            "G",
            { "sku": "H", "variantId": 8, "title": "H" },
        ] }),
    );
    let counts = ["rows", "upserted", "skipped", "failed"].map(|name| answer[name].as_u64());
    assert_eq!(counts, [Some(9), Some(2), Some(0), Some(7)]);
    let errors: Vec<_> = answer["errors"].as_array().expect("errors").iter().collect();
    let places: Vec<_> = errors
        .iter()
        .map(|error| (error["row"].as_u64(), error["field"].as_str()))
        .collect();
    assert_eq!(
        places,
        [
            (Some(1), Some("variantId")),
            (Some(2), Some("price")),
            (Some(3), Some("sku")),
            (Some(4), Some("imageUrl")),
            (Some(5), Some("colour")),
            (Some(6), Some("title")),
            (Some(7), Some("body")),
        ]
    );
    assert!(
        errors[3]["message"]
            .as_str()
            .is_some_and(|text| text.contains("http://")),
        "{answer}"
    );
    let expected = [
        row("A", "1", json!(500), json!(1)),
        row("H", "8", json!(null), json!(null)),
    ];
    assert_eq!(products(&server, &store), expected);
}

#[test]
fn shopifys_export_becomes_carts_at_once() {
    let server = TestServer::start();
    let (api, store) = (server.api(), server.api().store());
    api.products(&store, &[("MUG-SAND-S", "1", Some(0)), ("BOWL", "2", Some(9))]);
    api.link(&json!({ "key": "m", "cart": { "storeId": store, "items": [
        { "sku": "BOWL", "fallbacks": ["MUG-SAND-S"] },
    ] } }));
    assert_eq!(cart(&server), "2:1");
    let answer = put_csv(&server, &store, SHOPIFY);
    assert_eq!(answer["format"], "shopify");
    let counts = ["rows", "upserted", "skipped", "failed"].map(|name| answer[name].as_u64());
    assert_eq!(counts, [Some(7), Some(4), Some(1), Some(2)]);
    let places: Vec<_> = answer["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| (error["row"].as_u64(), error["line"].as_u64(), error["field"].as_str()))
        .collect();
    let expected = [
        (Some(6), Some(9), Some("Variant SKU")),
        (Some(7), Some(10), Some("Variant ID")),
    ];
    assert_eq!(places, expected);
    assert!(
        answer["errors"][1]["message"]
            .as_str()
            .is_some_and(|text| text.contains("Matrixify")),
        "{answer}"
    );
    assert_eq!(cart(&server), "44017001:1", "the bowl is a draft, the mug is back");

    // A file of Shopify's own has no ids: the store knows them.
    let own = "Handle,Title,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty\n\
               moss-mug,Moss mug,MUG-SAND-S,shopify,0\n";
    assert_eq!(put_csv(&server, &store, own)["upserted"], 1);
    let mug = products(&server, &store)
        .into_iter()
        .find(|product| product.0 == "MUG-SAND-S");
    assert_eq!(
        mug,
        Some(row("MUG-SAND-S", "44017001", json!(1990), json!(0))),
        "price and id stay"
    );
    assert_eq!(
        server.follow("/m").location().split('?').next(),
        Some("https://shop.example/")
    );
}

#[test]
fn googles_feed_and_our_own_columns_are_taken() {
    let server = TestServer::start();
    let store = server.api().store();
    let answer = send(
        &server,
        &format!("storeId={store}"),
        "text/tab-separated-values; charset=UTF-8",
        GOOGLE,
    );
    let answer = (answer.status, answer.json());
    assert_eq!(
        (answer.0, answer.1["upserted"].as_u64(), answer.1["failed"].as_u64()),
        (200, Some(4), Some(1))
    );
    assert_eq!(answer.1["errors"][0]["field"], "price");
    let expected = [
        row("44017003", "44017003", json!(8000), json!(null)),
        row("BOWL", "44017004", json!(3500), json!(0)),
        row("MUG-SAND-L", "44017002", json!(2400), json!(null)),
        row("MUG-SAND-S", "44017001", json!(1750), json!(12)),
    ];
    assert_eq!(products(&server, &store), expected);
    let own = "\u{feff}SKU;Price;Stock\r\nBOWL;36.00;4\r\nMUG-SAND-S;;\r\n";
    assert_eq!(put_csv(&server, &store, own)["upserted"], 2);
    let after = products(&server, &store);
    assert_eq!(after[1], row("BOWL", "44017004", json!(3600), json!(4)));
    assert_eq!(
        after[3],
        row("MUG-SAND-S", "44017001", json!(null), json!(null)),
        "empty cells say none"
    );
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let server = TestServer::start();
    let store = server.api().store();
    let dry = send(&server, &format!("storeId={store}&dryRun=true"), "text/csv", SHOPIFY);
    let mut dry = dry.json();
    assert_eq!(
        (dry["dryRun"].as_bool(), dry["upserted"].as_u64()),
        (Some(true), Some(4))
    );
    assert!(products(&server, &store).is_empty());
    dry["dryRun"] = json!(false);
    assert_eq!(put_csv(&server, &store, SHOPIFY), dry);
    let body = json!({ "storeId": store, "products": [{ "sku": "BOWL", "variantId": 1, "title": "B" }] });
    let answer = server.api().put("/products?dryRun=1", &body);
    assert_eq!(
        (answer["dryRun"].as_bool(), answer["upserted"].as_u64()),
        (Some(true), Some(1))
    );
    assert_eq!(
        products(&server, &store)[0],
        row("BOWL", "44017004", json!(3500), json!(0))
    );
}

#[test]
fn what_cannot_be_taken_at_all_is_a_422_that_names_the_field() {
    let server = TestServer::start();
    let store = server.api().store();
    let query = format!("storeId={store}");
    for (query, kind, file, start) in [
        (query.as_str(), "text/csv", "", "header: is missing"),
        (&query, "text/csv", "name,amount\na,1\n", "header: is not known"),
        (
            &query,
            "text/csv",
            "Handle,Title\na,b\n",
            "header: has no column Variant SKU",
        ),
        (
            &query,
            "text/csv",
            "sku,price\nA,x\n",
            "row 1 (line 2), price: must be a decimal",
        ),
        (
            &query,
            "text/csv",
            "sku,Title\nA,\nB,b\n",
            "row 1 (line 2), variantId: is missing",
        ),
        (
            &query,
            "text/csv; charset=iso-8859-1",
            "sku\nA\n",
            "Content-Type: must be UTF-8",
        ),
        (
            &query,
            "Text/CSV ; Charset=\"UTF-8\"",
            "sku\n\"\"\n\"A\"\n",
            "row 2 (line 3), variantId:",
        ),
        ("", "text/csv", "sku\nA\n", "storeId: is required"),
        ("storeId=store_none", "text/csv", "sku\nA\n", "storeId: is not a store"),
        (
            &format!("{query}&colour=red"),
            "text/csv",
            "sku\nA\n",
            "colour: is not a known query",
        ),
        (
            &format!("{query}&dryRun=maybe"),
            "text/csv",
            "sku\nA\n",
            "dryRun: must be true or false",
        ),
        (
            &query,
            "application/json",
            "{}",
            "storeId: is not a known query parameter",
        ),
        ("", "application/json", "{}", "storeId: is required"),
        (
            "",
            "application/json",
            "{\"storeId\":\"x\",\"products\":{}}",
            "products: invalid type",
        ),
    ] {
        let answer = send(&server, query, kind, file);
        let message = answer.refusal(422);
        assert!(message.starts_with(start), "{query} {kind} {file:?}: {message}");
    }
    let all_bad = send(&server, &query, "text/csv", "sku,stock\nA,x\n\nB,y\n").json();
    assert_eq!(all_bad["failed"], 2);
    assert_eq!(all_bad["errors"][1]["row"], 2);
    assert_eq!(all_bad["errors"][1]["line"], 4);
    assert_eq!(all_bad["error"]["code"], "unprocessable_entity");
    assert!(products(&server, &store).is_empty());
    let many = format!("sku\n{}", "A\n".repeat(10_001));
    let message = send(&server, &query, "text/csv", many).refusal(422);
    assert!(message.starts_with("rows: must be at most 10000"), "{message}");
    let many = json!({ "storeId": store, "products": vec![json!({}); 10_001] });
    let message = server.api().call("PUT", "/products", Some(&many)).refusal(422);
    assert!(message.starts_with("products: must have at most 10000"), "{message}");
}

#[test]
fn ten_thousand_rows_are_one_call_and_errors_are_listed_up_to_a_bound() {
    let server = TestServer::start();
    let (api, store) = (server.api(), server.api().store());
    // The widest rows there are.
    let (pad, image) = ("x".repeat(245), "i".repeat(2020));
    let line = |row: usize| format!("{row:06}{pad},{row},{row:06}{pad},19.90,{row},deny,https://cdn.test/{image}\n");
    let file: String = (0..10_000).map(line).collect();
    let file = format!("sku,variantId,title,price,stock,policy,imageUrl\n{file}");
    assert!(file.len() > 20 << 20, "{}", file.len());
    let answer = put_csv(&server, &store, &file);
    assert_eq!(
        (answer["upserted"].as_u64(), answer["failed"].as_u64()),
        (Some(10_000), Some(0))
    );
    let sku = format!("009999{pad}");
    api.link(&json!({ "key": "m", "cart": { "storeId": store, "items": [{ "sku": sku, "quantity": 9 }] } }));
    assert_eq!(cart(&server), "9999:9");

    let bad: String = (0..9_999).map(|row| format!("N{row},x\n")).collect();
    let answer = put_csv(&server, &store, &format!("sku,stock\n{bad}{sku},3\n"));
    assert_eq!(
        (answer["upserted"].as_u64(), answer["failed"].as_u64()),
        (Some(1), Some(9_999))
    );
    assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1_000));
    assert_ne!(cart(&server), "9999:9", "three are too few");
    let small = TestServer::with(|config| config.limits.catalog_bytes_max = 4096);
    let store = small.api().store();
    assert_eq!(
        send(&small, &format!("storeId={store}"), "text/csv", "x".repeat(5000)).status,
        413
    );
}

/// Runs `hopcart products` against the server.
fn command(server: &TestServer, words: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .arg("products")
        .args(words)
        .env("HOPCART_SERVER", format!("http://{}", server.running().admin))
        .env("HOPCART_API_KEY", KEY)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A command that refuses its words has closed it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("an end")
}

#[test]
fn the_command_sends_files_of_any_length() {
    let server = TestServer::start();
    let store = server.api().store();
    let shopify = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/catalog/shopify_export.csv");
    let dry = command(&server, &["import", shopify, "--store", &store, "--dry-run"], "");
    let said = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert_eq!(dry.status.code(), Some(1), "{said}");
    for part in ["would be taken", "Variant SKU", "Variant ID", "2 failed"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(String::from_utf8_lossy(&dry.stderr).contains("2 of 7 rows failed"));
    assert!(products(&server, &store).is_empty());

    let rows: String = (0..25_000).map(|row| format!("S{row},{row},T,1.00,{row}\n")).collect();
    let file = format!("sku,variantId,title,price,stock\n{rows}");
    let done = command(&server, &["import", "-", "--store", &store, "--json"], &file);
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    let told: Value = serde_json::from_slice(&done.stdout).expect("JSON");
    assert_eq!(
        (told["rows"].as_u64(), told["upserted"].as_u64()),
        (Some(25_000), Some(25_000))
    );

    // The last slice has no good row; its rows are named all the same.
    let bad: String = (10_000..10_003).map(|row| format!("N{row},x\n")).collect();
    let good: String = (0..10_000).map(|row| format!("S{row},7\n")).collect();
    let mixed = command(
        &server,
        &["import", "-", "--store", &store, "--json"],
        &format!("sku,stock\n{good}{bad}"),
    );
    assert_eq!(mixed.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&mixed.stdout).expect("JSON");
    assert_eq!(
        (told["upserted"].as_u64(), told["failed"].as_u64()),
        (Some(10_000), Some(3))
    );
    assert_eq!(
        (told["errors"][2]["row"].as_u64(), told["errors"][2]["line"].as_u64()),
        (Some(10_003), Some(10_004))
    );

    let listed = command(&server, &["list", "--store", &store], "");
    let said = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(said.contains("S10000") && said.contains("1.00 EUR"), "{said}");
    for (words, input, code) in [
        (&["import", "/nonexistent/file.csv", "--store", &store][..], "", 2),
        (&["import", "-", "--store", "store_none"], "sku\nA\n", 1),
        (&["import", "-", "--store", &store], "what,is,this\n", 1),
        (&["import", "-", "--store", &store], "sku,title\n", 1),
    ] {
        let output = command(&server, words, input);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(!output.stderr.is_empty(), "{words:?}");
    }
}
