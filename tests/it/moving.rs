//! Brands move in and out: files of other services are imported, an export brings a workspace to another server, and what is
//! cut off goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::server::{Api, KEY, TestServer, eventually, id_of};

/// The program with `words` against `server`.
fn run(server: &TestServer, key: &str, words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .args(words)
        .env("HOPCART_SERVER", format!("http://{}", server.running().admin))
        .env("HOPCART_API_KEY", key)
        .output();
    output.expect("the program")
}

/// As [`run`], of what must succeed: its standard output.
pub fn good(server: &TestServer, words: &[&str]) -> String {
    let output = run(server, KEY, words);
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{words:?}: {out}{err}");
    out
}

fn fixture(name: &str) -> String {
    format!("{}/fixtures/import/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A directory with a copy of a fixture, so that nothing is left beside the fixture itself.
fn copied(name: &str) -> (TempDir, String) {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join(name);
    fs::copy(fixture(name), &file).expect("copied");
    (home, file.display().to_string())
}

fn written(home: &TempDir, name: &str, text: &str) -> String {
    let file = home.path().join(name);
    fs::write(&file, text).expect("written");
    file.display().to_string()
}

fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    lines.collect()
}

/// What a brand has before its links come: a store, a partner, a campaign and a pool, made in another order than on the
/// other server, so that no id is the same by chance.
fn settle(api: &Api<'_>) -> [String; 4] {
    let store = api.store();
    api.products(&store, &[("HERB", "44017", Some(50)), ("POT", "44018", Some(50))]);
    let partner = id_of(&api.post(
        "/partners",
        &json!({ "name": "Mia", "tenantId": "mia-1", "email": "mia@brand.example" }),
    ));
    let campaign = id_of(&api.post("/campaigns", &json!({ "name": "Spring" })));
    let pool = json!({ "storeId": store, "name": "Singles", "partnerId": partner });
    let pool = id_of(&api.post("/discount-codes/pools", &pool));
    api.patch("/settings", &json!({ "appSchemes": ["myshop"] }));
    api.post("/domains", &json!({ "slug": "go.brand.example" }));
    [store, partner, campaign, pool]
}

/// Links with every field that a link can have.
fn fill(server: &TestServer, [store, partner, campaign, pool]: &[String; 4]) {
    let (api, own) = (server.api(), server.running().public.to_string());
    api.post("/tags", &json!({ "name": "Spring", "color": "red" }));
    api.post("/tags", &json!({ "name": "a|b", "color": "blue" }));
    let folder = id_of(&api.post("/folders", &json!({ "name": "Seasons, all" })));
    let cart = json!({ "storeId": store, "items": [{ "sku": "HERB", "quantity": 2 }, { "variantId": "44018", "quantity": 1 }],
        "discountCodes": ["MIA10"], "note": "for you", "attributes": { "a": "b" }, "landing": "page" });
    for body in [
        json!({ "url": "https://shop.example/a?utm_source=x&b=1", "key": "plain", "domain": "go.brand.example" }),
        json!({ "url": "https://shop.example/a", "key": "all", "domain": "go.brand.example", "externalId": "ext-1",
            "tenantId": "t-1", "partnerId": partner, "campaignId": campaign, "contentId": "post-1",
            "contentUrl": "https://video.example/1", "trackConversion": true, "expiresAt": "2027-01-01T00:00:00Z",
            "expiredUrl": "https://shop.example/over", "title": "=Title, with \"quotes\"", "description": " two\nlines ",
            "comments": "'quoted", "utm_medium": "social", "ref": "mia", "ios": "myshop://a", "android": "https://shop.example/droid",
            "geo": { "DE": "https://shop.example/de", "FR": "https://shop.example/fr" }, "proxy": true,
            "image": "https://img.example/a.png", "tagNames": ["Spring", "a|b"], "folderId": folder, "maxClicks": 500,
            "openInBrowser": true }),
        json!({ "cart": cart, "key": "cart", "domain": own, "partnerId": partner, "utm_source": "mia",
            "stockPolicy": { "onOut": "redirect", "redirectUrl": "https://shop.example/out" } }),
        json!({ "cart": { "storeId": store, "items": [{ "sku": "POT", "quantity": 1 }], "codePoolId": pool }, "key": "pool",
            "partnerId": partner }),
        json!({ "url": "https://shop.example/rules", "key": "rules", "domain": own, "archived": true, "rules": [
            { "device": ["Mobile"], "country": ["DE"], "url": "https://shop.example/m" },
            { "query": { "name": "a", "value": "b" }, "from": "2026-01-01T00:00:00Z", "cart": cart } ] }),
        json!({ "url": "https://shop.example/v", "key": "variants", "testVariants": [
            { "url": "https://shop.example/v", "percentage": 40, "name": "one" },
            { "url": "https://shop.example/w", "percentage": 60, "name": "two" } ] }),
        json!({ "url": "https://shop.example/g" }),
        json!({ "url": "https://shop.example/locked", "key": "locked", "domain": own, "password": "open sesame" }),
        json!({ "url": "https://shop.example/off", "key": "off", "disabled": true }),
    ] {
        api.link(&body);
    }
}

/// Every link as it is exported, without what is the server's own.
fn inventory(server: &TestServer) -> Vec<Value> {
    let own = server.running().public.to_string();
    let exported = good(server, &["export", "links", "--format", "jsonl"]);
    let mut links: Vec<Value> = lines(&exported)
        .into_iter()
        .map(|link| {
            let mut text = link.to_string().replace(&own, "DEFAULT");
            for (id, about) in link["refs"].as_object().expect("refs") {
                text = text.replace(id.as_str(), about["name"].as_str().expect("a name"));
            }
            let mut link: Value = serde_json::from_str(&text).expect("JSON");
            let fields = link.as_object_mut().expect("an object");
            for name in [
                "id",
                "workspaceId",
                "projectId",
                "folderId",
                "tagId",
                "updatedAt",
                "qrCode",
                "shortLink",
            ] {
                fields.remove(name);
            }
            for tag in link["tags"].as_array_mut().expect("tags") {
                tag.as_object_mut().expect("a tag").remove("id");
            }
            link
        })
        .collect();
    links.sort_by_key(|link| link["key"].as_str().map(str::to_owned));
    links
}

#[test]
fn an_export_makes_the_same_links_on_an_empty_server() {
    let from = TestServer::start();
    fill(&from, &settle(&from.api()));
    from.clock.advance(60_000);
    let home = tempfile::tempdir().expect("a directory");
    let before = inventory(&from);
    assert_eq!(before.len(), 9);
    for format in ["csv", "jsonl"] {
        let to = TestServer::start();
        to.clock.advance(3_600_000);
        to.api().post("/campaigns", &json!({ "name": "Other" }));
        settle(&to.api());
        let file = written(
            &home,
            &format!("links.{format}"),
            &good(&from, &["export", "links", "--format", format]),
        );
        let moves = format!("{}={}", from.running().public, to.running().public);
        let words = ["import", file.as_str(), "--move", &moves];
        let said = good(&to, &words);
        assert!(
            said.ends_with("9 rows (csv): 9 created, 1 not taken over in full\n"),
            "{said}"
        );
        assert!(said.contains("its password is in no export"), "{said}");
        let mut expected = before.clone();
        for link in &mut expected {
            if link["key"] == "locked" {
                // The one thing that no export has: the link is switched off until it has a password again.
                link["password"] = Value::Null;
                link["notExported"] = Value::Null;
                link["disabledAt"] = json!("2026-11-21T11:30:00.000Z");
            }
            if link["key"] == "off" {
                link["disabledAt"] = json!("2026-11-21T11:30:00.000Z");
            }
        }
        let after = inventory(&to);
        for (was, is) in expected.iter().zip(&after) {
            for (name, value) in was.as_object().expect("an object") {
                assert_eq!(&is[name], value, "{format}: {name} of {}", was["key"]);
            }
        }
        assert_eq!(after, expected);
        let again = good(&to, &words);
        assert!(
            again.ends_with("9 rows (csv): 0 created, 9 there already, 1 not taken over in full\n"),
            "{again}"
        );
        assert_eq!(to.api().get("/links/count?showArchived=true"), 9);
        let locked = to.follow("/locked");
        assert_eq!(locked.status, 410, "a link whose password was lost opens to nobody");
        assert_eq!(to.follow("/rules").status, 302);
    }
}

#[test]
fn ids_that_mean_nothing_here_are_named_or_dropped() {
    let from = TestServer::start();
    fill(&from, &settle(&from.api()));
    let home = tempfile::tempdir().expect("a directory");
    let file = written(
        &home,
        "links.jsonl",
        &good(&from, &["export", "links", "--format", "jsonl"]),
    );
    let to = TestServer::start();
    let own = to.running().public.to_string();
    let output = run(&to, KEY, &["import", &file, "--domain", &own, "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let rows = lines(&String::from_utf8_lossy(&output.stdout));
    let of = |key: &str| {
        let link = format!("{own}/{key}");
        rows.iter()
            .find(|row| row["link"] == link)
            .unwrap_or_else(|| panic!("{key}"))
    };
    for (key, field, word) in [
        ("all", "partnerId", "mia-1"),
        ("cart", "partnerId", "POST /partners"),
        ("rules", "cart.storeId", "https://shop.example"),
    ] {
        let row = of(key);
        assert_eq!(
            (&row["status"], &row["field"]),
            (&json!("failed"), &json!(field)),
            "{row}"
        );
        assert!(row["message"].as_str().is_some_and(|text| text.contains(word)), "{row}");
    }
    assert_eq!(of("plain")["status"], "created");
    let output = run(
        &to,
        KEY,
        &["import", &file, "--domain", &own, "--drop-unknown", "--json"],
    );
    let rows = lines(&String::from_utf8_lossy(&output.stdout));
    let all = rows
        .iter()
        .find(|row| row["link"] == format!("{own}/all"))
        .expect("a row");
    // Its app scheme is no scheme of this brand's.
    assert_eq!(
        (&all["status"], &all["field"]),
        (&json!("failed"), &json!("ios")),
        "{all}"
    );
    let sum = rows.last().expect("a sum");
    assert_eq!((&sum["known"], &sum["failed"]), (&json!(5), &json!(4)), "{sum}");
}

#[test]
fn a_dry_run_writes_nothing() {
    let server = TestServer::start();
    let (home, file) = copied("shlink.csv");
    let own = server.running().public.to_string();
    let words = ["import", file.as_str(), "--domain", &own, "--dry-run"];
    let output = run(&server, KEY, &words);
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert_eq!(out, "2 rows (shlink): 2 would be created\n");
    assert!(err.contains("would also make: tag spring, tag video"), "{err}");
    for path in ["/links/count", "/tags/count"] {
        assert_eq!(server.api().get(path), 0, "{path}");
    }
    assert_eq!(server.follow("/two").status, 404);
    assert_eq!(fs::read_dir(home.path()).expect("a directory").count(), 1);
    good(&server, &words[..4]);
    let link = server.api().get(&format!("/links/info?domain={own}&key=aBc12"));
    assert_eq!(
        (&link["createdAt"], &link["caseSensitive"], &link["tags"][1]["name"]),
        (&json!("2021-03-04T04:06:07.000Z"), &json!(true), &json!("video"))
    );
    assert_eq!(server.follow("/two").status, 302);
    assert_eq!(
        good(&server, &words),
        "2 rows (shlink): 0 would be created, 2 there already\n"
    );
}

#[test]
fn every_row_is_told() {
    let server = TestServer::start();
    server.api().post("/domains", &json!({ "slug": "go.brand.example" }));
    let (home, file) = copied("bitly.csv");
    let report = home.path().join("report.csv").display().to_string();
    let output = run(&server, KEY, &["import", &file, "--report", &report]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.ends_with("4 rows (bitly): 2 created, 2 failed, 1 not taken over in full\n"),
        "{said}"
    );
    let text = fs::read_to_string(&report).expect("a report");
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 5);
    assert!(
        rows[1].starts_with("1,2,created,go.brand.example/launch,link_"),
        "{text}"
    );
    assert!(
        rows[2].starts_with("2,3,failed,bit.ly/3xyzaBc,,domain,is not a domain of this workspace"),
        "{text}"
    );
    assert!(rows[3].contains("go.brand.example/b"), "{text}");
    assert!(rows[4].starts_with("4,5,failed,,,Link,must be a short link"), "{text}");
    // What was wrong is mended, and the same file sent again.
    let output = run(
        &server,
        KEY,
        &["import", &file, "--move", "bit.ly=go.brand.example", "--json"],
    );
    let told = lines(&String::from_utf8_lossy(&output.stdout));
    let statuses: Vec<&Value> = told.iter().map(|row| &row["status"]).collect();
    assert_eq!(
        statuses[..4],
        ["known", "created", "known", "failed"]
            .map(|word| json!(word))
            .each_ref()[..]
    );
    assert_eq!(
        told[4],
        json!({ "format": "bitly", "dryRun": false, "rows": 4, "created": 1, "known": 2, "failed": 1, "noted": 1 })
    );
}

#[test]
fn links_that_differ_from_what_is_there_are_refused() {
    let server = TestServer::start();
    let api = server.api();
    api.link(&json!({ "url": "https://shop.example/a", "key": "a", "title": "Old" }));
    let other = server.other_brand("Other");
    other.link(&json!({ "url": "https://shop.example/b", "key": "b" }));
    let sent = json!([
        { "url": "https://shop.example/a", "key": "a", "title": "Old" },
        { "url": "https://shop.example/a", "key": "A", "title": "Old" },
        { "url": "https://shop.example/z", "key": "a", "title": "New" },
        { "url": "https://shop.example/b", "key": "b" },
        { "url": "https://shop.example/c", "key": "c", "createdAt": "2031-01-01" },
        { "url": "https://shop.example/d", "key": "d", "createdAt": "1980-01-01" },
        { "url": "https://shop.example/e", "key": "e", "createdAt": "2020-02-03", "externalId": "e" },
        { "url": "https://shop.example/e", "externalId": "e" },
        { "key": "f" },
    ]);
    let told = api.post("/links/import", &sent);
    assert_eq!(
        (&told["created"], &told["known"], &told["failed"]),
        (&json!(1), &json!(2), &json!(6)),
        "{told}"
    );
    for (place, field, part) in [
        (1, "key", "differs in key"),
        (2, "key", "differs in title, url"),
        (3, "key", "is taken already"),
        (4, "createdAt", "between 1990 and now"),
        (5, "createdAt", "between 1990 and now"),
        (8, "url", "is required"),
    ] {
        let result = &told["results"][place];
        assert_eq!(result["field"], field, "{result}");
        assert!(
            result["message"].as_str().is_some_and(|text| text.contains(part)),
            "{result}"
        );
    }
    assert_eq!(
        api.get("/links/info?externalId=e")["createdAt"],
        "2020-02-03T00:00:00.000Z"
    );
    assert_eq!(api.get("/links?sortOrder=asc")[0]["key"], "e", "by age");
}

/// Rows enough for two slices and a half.
fn many(home: &TempDir) -> (String, usize) {
    let rows = 4_500;
    let mut text = "url,key\n".to_owned();
    for row in 0..rows {
        // Every tenth has no name of its own.
        let key = if row % 10 == 0 {
            String::new()
        } else {
            format!("k{row}")
        };
        text += &format!("https://shop.example/{row},{key}\n");
    }
    (written(home, "many.csv", &text), rows)
}

fn place_file(file: &str) -> PathBuf {
    Path::new(&format!("{file}.hopcart-import")).to_owned()
}

#[test]
fn an_import_that_is_cut_off_goes_on() {
    let server = TestServer::start();
    let api = server.api();
    let home = tempfile::tempdir().expect("a directory");
    let (file, rows) = many(&home);
    let report = home.path().join("report.csv").display().to_string();
    let slow = api.post("/keys", &json!({ "name": "slow", "callsPerMinute": 1 }));
    let slow = slow["key"].as_str().expect("a key");
    let words = ["import", file.as_str(), "--report", &report];
    // One call a minute: the second slice is refused.
    let output = run(&server, slow, &words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("stopped after row 2000: 2000 created; running it again goes on there"),
        "{said}"
    );
    assert_eq!(api.get("/links/count"), 2000);
    assert!(place_file(&file).is_file());
    // As if the answer to the first slice had never come: the place is lost, and half of the report was written.
    let place = fs::read_to_string(place_file(&file)).expect("a place");
    server.clock.advance(60_000);
    let output = run(&server, slow, &words);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("goes on after row 2000") && said.contains("stopped after row 4000"),
        "{said}"
    );
    fs::write(place_file(&file), place).expect("written");
    let said = good(&server, &words);
    assert_eq!(said, "4500 rows (csv): 2500 created, 2000 there already\n");
    assert_eq!(api.get("/links/count"), rows);
    assert!(!place_file(&file).exists(), "it is at its end");
    let text = fs::read_to_string(&report).expect("a report");
    let told: Vec<String> = text
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(
        told,
        (1..=rows).map(|row| row.to_string()).collect::<Vec<_>>(),
        "each row once"
    );
    // From the beginning: nothing doubles, rows without a key neither.
    let said = good(&server, &["import", &file]);
    assert_eq!(said, "4500 rows (csv): 0 created, 4500 there already\n");
    assert_eq!(api.get("/links/count"), rows);
}

#[test]
fn what_cannot_be_done_has_its_exit_code() {
    let server = TestServer::start();
    let (_home, file) = copied("dub.csv");
    for (words, code, part) in [
        (vec!["import", "/nowhere.csv"], 2, "cannot be read"),
        (vec!["import", file.as_str(), "--from", "yourls"], 2, "invalid value"),
        (
            vec!["import", file.as_str(), "--map", "url=Nothing"],
            1,
            "has no column Nothing",
        ),
        (vec!["import", file.as_str()], 1, "2 of 2 rows failed"),
        (vec!["export", "orders", "--store", "store_x"], 1, "storeId"),
    ] {
        let output = run(&server, KEY, &words);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        assert!(said.contains(part), "{words:?}: {said}");
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr());
    let output = Command::new(env!("CARGO_BIN_EXE_hopcart"))
        .args([
            "import",
            &file,
            "--server",
            &format!("http://{}", nobody.expect("an address")),
        ])
        .output()
        .expect("the program");
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[test]
fn clicks_and_orders_are_exported_to_the_last() {
    let server = TestServer::start();
    let api = server.api();
    let store = api.store();
    api.link(&json!({ "url": "https://shop.example/a", "key": "a", "trackConversion": true }));
    for _ in 0..3 {
        server.follow("/a");
    }
    server.send(&crate::http::Request::get("/a").header("User-Agent", "Googlebot/2.1"));
    let counted = |query: &str| {
        api.get(&format!("/events?interval=all&{query}"))
            .as_array()
            .map_or(0, Vec::len)
    };
    eventually("every click", || (counted("include=repeats,bots") == 4).then_some(()));
    let clicks = lines(&good(&server, &["export", "clicks", "--format", "jsonl"]));
    assert_eq!(clicks.len(), 4);
    let mut ids: Vec<&str> = clicks.iter().filter_map(|click| click["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), &clicks[0]["key"]), (4, &json!("a")));
    assert_eq!(
        clicks.iter().filter(|click| click["flags"] == json!(["bot"])).count(),
        1
    );
    let table = good(&server, &["export", "clicks", "--since", "2026-11-21T10:00:00Z"]);
    assert_eq!(table.lines().count(), 5);
    assert_eq!(
        good(&server, &["export", "clicks", "--until", "2026-11-21T10:00:00Z"])
            .lines()
            .count(),
        1
    );

    let home = tempfile::tempdir().expect("a directory");
    let orders = "orderId,name,orderedAt,updatedAt,currency,revenue,discounts,paid,test,cancelledAt,customerId,discountCodes,clickId,refundId,refunded,refundedAt\n\
        1001,#1001,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,EUR,120.50,5.00,true,false,,c-1,MIA10 VIP,,r1,20.00,2026-11-20T12:00:00Z\n\
        1001,#1001,2026-11-20T10:00:00Z,2026-11-20T11:00:00Z,EUR,120.50,5.00,true,false,,c-1,MIA10 VIP,,r2,1.25,2026-11-20T13:00:00Z\n\
        1002,=Odd,2026-11-19T10:00:00Z,2026-11-19T10:00:00Z,EUR,10.00,0.00,false,true,2026-11-19T12:00:00Z,,,,,,\n";
    let file = written(&home, "orders.csv", orders);
    good(&server, &["orders", "import", &file, "--store", &store]);
    let exported = good(&server, &["export", "orders", "--store", &store]);
    assert_eq!(exported.lines().count(), 4, "{exported}");
    let other = TestServer::start();
    let there = other.api().store();
    let file = written(&home, "exported.csv", &exported);
    good(&other, &["orders", "import", &file, "--store", &there]);
    let orders = |server: &TestServer| {
        let mut orders = lines(&good(server, &["export", "orders", "--format", "jsonl"]));
        for order in &mut orders {
            let fields = order.as_object_mut().expect("an object");
            fields.retain(|name, _| !matches!(name.as_str(), "id" | "storeId"));
        }
        orders
    };
    let (was, is) = (orders(&server), orders(&other));
    assert_eq!((was.len(), was[0]["refunds"].as_array().map(Vec::len)), (2, Some(2)));
    assert_eq!(was, is);
    let period = ["export", "orders", "--since", "2026-11-20", "--until", "2026-11-21"];
    assert_eq!(good(&server, &period).lines().count(), 3);
}
