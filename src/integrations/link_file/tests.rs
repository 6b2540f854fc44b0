//! Every format as a table, files as their vendors write them, our own export there and back, and text that nobody wrote.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const OWN: &str = include_str!("../../../fixtures/import/own.csv");
const BITLY: &str = include_str!("../../../fixtures/import/bitly.csv");
const DUB: &str = include_str!("../../../fixtures/import/dub.csv");
const DUB_JSON: &str = include_str!("../../../fixtures/import/dub.json");
const SHLINK: &str = include_str!("../../../fixtures/import/shlink.csv");
const SHLINK_JSON: &str = include_str!("../../../fixtures/import/shlink.json");

fn file<'a>(text: &'a str, options: &Options) -> LinkFile<&'a [u8]> {
    LinkFile::open(text.as_bytes(), options).unwrap_or_else(|error| panic!("{error}"))
}

/// What the rows tell: `Err` = `field: message`.
fn read(text: &str) -> Vec<Result<Draft, String>> {
    let entries = file(text, &Options::default());
    let told = entries.map(|entry| {
        let told = entry.expect("a row").told;
        told.map_err(|error| format!("{}: {}", error.field, error.message))
    });
    told.collect()
}

/// The bodies of the rows, which are all good.
fn bodies(text: &str) -> Vec<Value> {
    let rows = read(text).into_iter();
    rows.map(|row| Value::Object(row.expect("a good row").fields)).collect()
}

fn names(draft: &Draft) -> Vec<&str> {
    draft.tags.iter().flatten().map(|tag| tag.name.as_str()).collect()
}

#[test]
fn any_table_with_the_usual_names_is_read() {
    let rows = read(OWN);
    assert_eq!(rows.len(), 4);
    let spring = rows[0].as_ref().expect("a good row");
    assert_eq!(
        Value::Object(spring.fields.clone()),
        json!({
            "url": "https://shop.example/spring", "domain": "go.brand.example", "key": "spring", "title": "Spring sale",
            "expiresAt": "2027-05-31T00:00:00.000Z", "maxClicks": 500, "utm_source": "newsletter", "comments": "for Mia",
        })
    );
    assert_eq!(
        (names(spring), spring.folder.as_deref()),
        (vec!["spring", "sale"], Some("Seasons"))
    );
    let bare = rows[1].as_ref().expect("a good row");
    assert_eq!(
        Value::Object(bare.fields.clone()),
        json!({ "url": "https://shop.example/summer" })
    );
    assert_eq!(rows[2].as_ref().expect("a good row").text("title"), Some("=SUM(1)"));
    assert_eq!(
        rows[3],
        Err("max clicks: must be a whole number without separators".to_owned())
    );
    let whole = file(OWN, &Options::default());
    assert_eq!(whole.ignored(), ["colour"]);
    let places: Vec<_> = whole
        .map(|entry| entry.map(|entry| (entry.row, entry.line)).expect("a row"))
        .collect();
    assert_eq!(
        places,
        [(1, 2), (2, 3), (4, 5), (5, 6)],
        "the blank row counts and tells nothing"
    );
}

#[test]
fn bitlys_export_is_read() {
    let rows = read(BITLY);
    let good: Vec<&Draft> = rows.iter().flatten().collect();
    assert_eq!((rows.len(), good.len()), (4, 3));
    assert_eq!(
        Value::Object(good[0].fields.clone()),
        json!({
            "url": "https://shop.example/launch", "domain": "go.brand.example", "key": "launch", "title": "Launch",
            "createdAt": "2024-03-05T14:21:09.000Z", "caseSensitive": true,
        })
    );
    assert_eq!(names(good[0]), ["launch", "video"]);
    assert_eq!(
        Value::Object(good[1].fields.clone()),
        json!({
            "url": "https://shop.example/second", "domain": "bit.ly", "key": "3xyzaBc", "archived": true,
            "createdAt": "2023-11-30T08:00:00.000Z", "caseSensitive": true,
        })
    );
    assert_eq!((good[2].text("key"), good[2].notes.len()), (Some("a"), 1));
    assert!(good[2].notes[0].contains("go.brand.example/b"), "{:?}", good[2].notes);
    assert_eq!(
        rows[3],
        Err("Link: must be a short link such as go.brand.example/spring".to_owned())
    );
    assert_eq!(file(BITLY, &Options::default()).format(), Some(Format::Bitly));
}

#[test]
fn dubs_export_is_read() {
    assert_eq!(
        bodies(DUB),
        [
            json!({
                "url": "https://shop.example/mia?utm_source=mia", "domain": "go.brand.example", "key": "mia",
                "createdAt": "2025-02-01T10:00:00.000Z",
            }),
            json!({
                "url": "https://shop.example/leo", "domain": "go.brand.example", "key": "leo", "archived": true,
                "createdAt": "2025-02-02T10:00:00.000Z",
            }),
        ]
    );
    let table = file(DUB, &Options::default());
    assert_eq!((table.format(), table.ignored().len()), (Some(Format::Dub), 0));
}

#[test]
fn dubs_answers_are_read() {
    let rows = read(DUB_JSON);
    let mia = rows[0].as_ref().expect("a good row");
    assert_eq!(
        Value::Object(mia.fields.clone()),
        json!({
            "domain": "go.brand.example", "key": "mia", "url": "https://shop.example/mia?utm_source=mia",
            "trackConversion": true, "externalId": "mia-2025", "partnerId": "pn_dub1",
            "expiresAt": "2027-01-01T00:00:00.000Z", "expiredUrl": "https://shop.example/over", "proxy": true,
            "title": "Mia's kit", "description": "All of it", "image": "https://img.example/a.png",
            "ios": "https://apps.example/a", "geo": { "DE": "https://shop.example/de" }, "comments": "first",
            "testVariants": [
                { "url": "https://shop.example/a", "percentage": 40 }, { "url": "https://shop.example/b", "percentage": 60 }
            ],
            "testStartedAt": "2026-01-01T00:00:00.000Z", "createdAt": "2025-02-01T10:00:00.000Z",
        })
    );
    let red = FileTag {
        name: "mia".to_owned(),
        color: Some("red".to_owned()),
    };
    assert_eq!(mia.tags, Some(vec![red]));
    let notes = mia.notes.join("\n");
    for word in ["rewrite", "fold_9", "webhooks"] {
        assert!(notes.contains(word), "{notes}");
    }
    let hidden = rows[1].as_ref().expect("a good row");
    assert_eq!(
        Value::Object(hidden.fields.clone()),
        json!({ "domain": "go.brand.example", "key": "hidden", "url": "https://shop.example/hidden", "disabled": true })
    );
}

#[test]
fn shlinks_exports_are_read() {
    assert_eq!(
        bodies(SHLINK),
        [
            json!({
                "url": "https://shop.example/one", "domain": "s.brand.example", "key": "aBc12", "title": "One",
                "createdAt": "2021-03-04T04:06:07.000Z", "caseSensitive": true,
            }),
            json!({
                "url": "https://shop.example/two", "domain": "go.brand.example", "key": "two",
                "createdAt": "2021-03-05T04:06:07.000Z", "caseSensitive": true,
            }),
        ]
    );
    let rows = read(SHLINK_JSON);
    let one = rows[0].as_ref().expect("a good row");
    assert_eq!(
        Value::Object(one.fields.clone()),
        json!({
            "url": "https://shop.example/one", "domain": "s.brand.example", "key": "aBc12", "title": "One",
            "createdAt": "2021-03-04T04:06:07.000Z", "expiresAt": "2027-01-02T00:00:00.000Z", "maxClicks": 100,
            "caseSensitive": true,
        })
    );
    assert_eq!((names(one), one.notes.len()), (vec!["spring", "video"], 2));
    let two = rows[1].as_ref().expect("a good row");
    assert_eq!(
        (two.text("android"), two.text("domain")),
        (Some("https://shop.example/droid"), Some("go.brand.example"))
    );
    assert!(two.notes[0].contains("https://shop.example/desk"));
}

#[test]
fn columns_can_be_named() {
    let options = Options {
        columns: vec![
            ("url".to_owned(), "Goes to".to_owned()),
            ("key".to_owned(), "Short".to_owned()),
        ],
        is_exact: Some(true),
        ..Options::default()
    };
    let text = "Short,Goes to\nabc,https://shop.example/\n";
    let row = file(text, &options).next().expect("a row").expect("read").told;
    assert_eq!(
        Value::Object(row.expect("a good row").fields),
        json!({ "key": "abc", "url": "https://shop.example/", "caseSensitive": true })
    );
    for (columns, part) in [
        (vec![], "names no column url"),
        (vec![("url", "Missing")], "has no column Missing"),
        (vec![("colour", "Short")], "is no field of a link"),
    ] {
        let columns = columns.into_iter().map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
        let options = Options {
            columns,
            ..Options::default()
        };
        let error = LinkFile::open(text.as_bytes(), &options).err().expect(part).to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn odd_files_say_what_they_are() {
    for (text, part) in [
        ("", "is empty"),
        ("\u{feff}a,b\n1,2\n", "names no column url"),
        ("[{\"url\":", "within an object"),
    ] {
        let error = match LinkFile::open(text.as_bytes(), &Options::default()) {
            Err(error) => error,
            Ok(mut file) => file.next_entry().expect_err(text),
        };
        assert!(error.to_string().contains(part), "{text:?}: {error}");
    }
    let rows = read("url,key\nhttps://a.example/,b,c\nhttps://a.example/\n");
    assert!(
        rows[0]
            .as_ref()
            .expect_err("too wide")
            .starts_with("row: has more cells")
    );
    assert!(rows[1].is_ok(), "a short row has empty cells");
    let mut bad = b"url\n".to_vec();
    bad.extend([0xff, 0xfe, b'\n']);
    let mut file = LinkFile::open(bad.as_slice(), &Options::default()).expect("a header");
    let told = file.next_entry().expect("a row").expect("one").told;
    assert!(told.expect_err("bytes").message.contains("UTF-8"));
}

/// Text that an answer may have: never empty.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~äß€\u{1f6d2}]{1,12}", "[=+@'\" \n|,;-]{1,4}"]
}

proptest! {
    #[test]
    fn an_export_tells_an_import_everything(
        title in proptest::option::of(text()),
        comments in proptest::option::of(text()),
        external_id in proptest::option::of(text()),
        key in "[-a-zA-Z0-9_=@]{1,8}",
        archived in any::<bool>(),
        exact in any::<bool>(),
        clicks in proptest::option::of(1..u64::MAX),
        tags in proptest::collection::vec("[a-z|'\"]{1,6}", 0..3),
        folder in proptest::option::of("[a-z,|]{1,6}"),
        off in any::<bool>(),
    ) {
        let named: Vec<Value> = tags.iter().map(|name| json!({ "id": "tag_1", "name": name, "color": "red" })).collect();
        let link = json!({
            "id": "link_1", "domain": "go.brand.example", "key": key, "url": "https://a.example/?utm_source=x&b=1",
            "utm_source": "x", "title": title, "comments": comments, "externalId": external_id, "archived": archived,
            "caseSensitive": exact, "maxClicks": clicks, "tags": named, "folder": folder,
            "disabledAt": off.then_some("2026-01-01T00:00:00.000Z"), "createdAt": "2026-01-01T00:00:00.000Z",
            "clicks": 7, "geo": { "DE": "https://a.example/de" }, "refs": { "pn_1": { "partner": "=mia" } },
            "rules": [], "shortLink": "https://go.brand.example/x", "cart": null, "stockPolicy": null,
        });
        let fields = link.as_object().expect("an object");
        let mut csv = export::line(export::header());
        csv.extend(export::line(export::row(fields)));
        let told = |source: &[u8]| {
            let mut file = LinkFile::open(source, &Options::default()).expect("a file");
            let entry = file.next_entry().expect("a row").expect("one");
            entry.told.expect("a good row")
        };
        let (table, object) = (told(&csv), told(link.to_string().as_bytes()));
        let as_set = |tags: &Option<Vec<FileTag>>| tags.clone().unwrap_or_default();
        prop_assert_eq!(&table.fields, &object.fields);
        prop_assert_eq!(as_set(&table.tags), as_set(&object.tags));
        prop_assert_eq!((&table.folder, &table.refs), (&object.folder, &object.refs));
        prop_assert_eq!(table.text("title"), title.as_deref());
        prop_assert_eq!(table.fields.contains_key("disabled"), off);
    }

    #[test]
    fn any_bytes_are_read_to_their_end(bytes in proptest::collection::vec(any::<u8>(), 0..300), head in 0usize..3) {
        let mut source = ["url,key,tags\n", "[", ""][head].as_bytes().to_vec();
        source.extend(bytes);
        if let Ok(file) = LinkFile::open(source.as_slice(), &Options::default()) {
            let rows = file.take(1_000).take_while(Result::is_ok).count();
            prop_assert!(rows <= 300);
        }
    }
}
