//! Orders, refunds and spend in other currencies: left out and counted until a rate of their day is known, and converted
//! by it from then on.

use std::process::Command;

use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::server::{KEY, SECRET, TestServer, delivery};

/// A store in euros with three orders of 53.82: two in euros, one in dollars of 2026-11-20, partly given back.
fn brand() -> TestServer {
    let server = TestServer::start();
    let store = server.api().store();
    for (id, currency) in [(1, "EUR"), (2, "EUR"), (3, "USD")] {
        let mut order: Value =
            serde_json::from_str(include_str!("../../fixtures/shopify/orders_paid.json")).expect("JSON");
        order["id"] = json!(id);
        (order["currency"], order["presentment_currency"]) = (json!(currency), json!(currency));
        let sent = delivery(&store, "orders/paid", &format!("d{id}"), &order, SECRET);
        assert_eq!(server.send(&sent).status, 200);
    }
    let mut refund: Value =
        serde_json::from_str(include_str!("../../fixtures/shopify/refunds_create.json")).expect("JSON");
    refund["order_id"] = json!(3);
    assert_eq!(
        server
            .send(&delivery(&store, "refunds/create", "r1", &refund, SECRET))
            .status,
        200
    );
    server
}

/// Orders, gross, refunds and what was left out, in `currency`.
fn figures(server: &TestServer, query: &str) -> [i64; 4] {
    let rows = server
        .api()
        .get(&format!("/reports/performance?groupBy=store&interval=all{query}"));
    ["orders", "grossRevenue", "refunds", "unconverted"].map(|name| rows[0][name].as_i64().expect("a number"))
}

fn rate(date: &str, rate: &str) -> Value {
    json!({ "rates": [{ "base": "USD", "quote": "EUR", "date": date, "rate": rate }] })
}

#[test]
fn an_order_in_another_currency_counts_once_its_rate_is_known() {
    let server = brand();
    assert_eq!(figures(&server, ""), [2, 2 * 5382, 0, 1]);
    assert_eq!(figures(&server, "&currency=USD")[..2], [1, 5382], "what needs no rate");
    // Too old by a day, then of the week before, then of the day itself: the nearest counts.
    server.api().put("/rates", &rate("2026-11-12", "9"));
    assert_eq!(figures(&server, "")[3], 1);
    server.api().put("/rates", &rate("2026-11-13", "2"));
    let dollars = figures(&server, "&currency=USD")[2];
    assert_eq!(figures(&server, ""), [3, 2 * 5382 + 2 * 5382, 2 * dollars, 0]);
    server.api().put("/rates", &rate("2026-11-20", "0.5"));
    // 26.91, and the refund's 17.91 halved and rounded to the even cent.
    assert_eq!(figures(&server, ""), [3, 2 * 5382 + 2691, (dollars + 1) / 2, 0]);
    // Both ways round.
    assert_eq!(figures(&server, "&currency=USD"), [3, 5382 + 2 * 2 * 5382, dollars, 0]);
    let rates = server.api().get("/rates?base=USD&start=2026-11-13");
    assert_eq!(
        rates,
        json!([{ "base": "USD", "quote": "EUR", "date": "2026-11-20", "rate": "0.5" },
            { "base": "USD", "quote": "EUR", "date": "2026-11-13", "rate": "2" }])
    );
    let by_code = server.api().get("/reports/performance?groupBy=code&interval=all");
    assert_eq!(
        (&by_code[0]["key"], &by_code[0]["orders"]),
        (&json!("mia10"), &json!(3))
    );
    server.api().patch("/settings", &json!({ "currency": "usd" }));
    assert_eq!(
        figures(&server, ""),
        [3, 5382 + 4 * 5382, dollars, 0],
        "the brand's own currency"
    );
    assert_eq!(server.other_brand("Others").get("/rates"), json!([]));
}

#[test]
fn rates_come_as_files_and_bad_rows_are_named() {
    let server = TestServer::start();
    let send = |query: &str, text: &str| {
        let request = Request::new("PUT", &format!("/rates{query}"))
            .header("Authorization", &format!("Bearer {KEY}"))
            .header("Content-Type", "text/csv")
            .body(text);
        http::send(server.running().admin, &request)
    };
    let text = "date;base;quote;rate\n2026-11-20;EUR;USD;1.0834\n2026-11-20;EUR;EUR;1\n;;;\n2026-11-21;EUR;JPY;x\n";
    let told = send("?dryRun=true", text).json();
    assert_eq!(
        [&told["rows"], &told["upserted"], &told["skipped"], &told["failed"]],
        [4, 1, 1, 2]
    );
    assert_eq!(server.api().get("/rates"), json!([]), "a dry run");
    let told = send("", text).json();
    let bad: Vec<_> = told["errors"]
        .as_array()
        .expect("errors")
        .iter()
        .map(|error| error["field"].clone())
        .collect();
    assert_eq!(bad, ["quote", "rate"]);
    assert_eq!(server.api().get("/rates").as_array().map(Vec::len), Some(1));
    assert!(
        send("", "date,base,quote,rate\nx,EUR,USD,1\n")
            .refusal(422)
            .starts_with("row 1 (line 2), date:")
    );
    assert!(send("", "sku,title\nA,b\n").refusal(422).starts_with("header:"));
    let refused = server
        .api()
        .call("PUT", "/rates", Some(&rate("2026-11-20", "-1")))
        .refusal(422);
    assert!(refused.starts_with("rates[0].rate:"), "{refused}");
    let many = json!({ "rates": vec![json!({}); 10_001] });
    assert!(
        server
            .api()
            .call("PUT", "/rates", Some(&many))
            .refusal(422)
            .starts_with("rates:")
    );
}

#[test]
fn the_command_line_imports_rates() {
    let server = TestServer::start();
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("rates.csv");
    std::fs::write(
        &file,
        "base,quote,date,rate\nEUR,USD,2026-11-20,1.0834\nEUR,USD,2026-11-21,no\n",
    )
    .expect("written");
    let output = Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .args(["rates", "import", file.to_str().expect("a path")])
        .args(["--server", &format!("http://{}", server.running().admin)])
        .env("HOPCART_API_KEY", KEY)
        .output()
        .expect("the program");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(
        said.contains("2 rows (rates): 1 taken, 1 failed") && said.contains("must be a decimal"),
        "{said}"
    );
    assert_eq!(server.api().get("/rates")[0]["rate"], "1.0834");
}
