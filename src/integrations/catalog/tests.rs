//! Every format as a table, files as spreadsheets and strangers write them, and text that nobody wrote.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::domain::product::take;
use crate::domain::store::{OversellPolicy, Provider};
use crate::domain::time::Timestamp;

const SHOPIFY: &str = include_str!("../../../fixtures/catalog/shopify_export.csv");
const GOOGLE: &str = include_str!("../../../fixtures/catalog/google_feed.tsv");

fn read(text: impl AsRef<[u8]>) -> Catalog {
    parse(text.as_ref(), Currency::EUR).unwrap_or_else(|error| panic!("{}: {error}", error.field()))
}

/// The only row's draft.
fn one(text: &str) -> ProductDraft {
    let catalog = read(text);
    let [entry] = &catalog.entries[..] else {
        panic!("{catalog:?}")
    };
    entry.told.clone().unwrap_or_else(|error| panic!("{text}: {error:?}"))
}

/// The only row's error: column and message.
fn fault(text: &str) -> (String, String) {
    let catalog = read(text);
    let [entry] = &catalog.entries[..] else {
        panic!("{catalog:?}")
    };
    let error = entry.told.clone().expect_err(text);
    (error.column, error.message)
}

fn draft(sku: &str, variant: &str, title: &str) -> ProductDraft {
    ProductDraft {
        sku: sku.to_owned(),
        variant_id: Some(variant.to_owned()),
        title: Some(title.to_owned()),
        ..ProductDraft::default()
    }
}

#[test]
fn our_own_columns_say_what_the_api_says() {
    let full =
        "sku,variantId,title,price,stock,policy,imageUrl\nMUG,44017,Mug,19.90,12,continue,https://cdn.test/1.png\n";
    assert_eq!(
        one(full),
        ProductDraft {
            image_url: Some(Some("https://cdn.test/1.png".to_owned())),
            price: Some(Some(1990)),
            stock: Some(Some(12)),
            policy: Some(OversellPolicy::Continue),
            ..draft("MUG", "44017", "Mug")
        }
    );
    let empty = ProductDraft {
        variant_id: None,
        title: None,
        image_url: Some(None),
        price: Some(None),
        stock: Some(None),
        policy: Some(OversellPolicy::Deny),
        ..draft("MUG", "", "")
    };
    assert_eq!(
        one("sku,variantId,title,price,stock,policy,imageUrl\nMUG,,,,,,\n"),
        empty,
        "empty cells"
    );
    let absent = ProductDraft {
        sku: "MUG".to_owned(),
        ..ProductDraft::default()
    };
    assert_eq!(one("sku,colour\nMUG,red\n"), absent, "absent columns");
    assert_eq!(
        one("sku,variantId,title,price,stock,policy,imageUrl\nMUG\n"),
        empty,
        "a row that ends early"
    );
}

#[test]
fn cells_that_cannot_be_taken_are_named() {
    for (text, column, part) in [
        ("SKU,Title\n,Mug\n", "SKU", "is required"),
        ("sku,price\nA,19,90\n", "row", "more cells"),
        ("sku;price\nA;19,90\n", "price", "a decimal such as 19.90"),
        ("sku,price\nA,\"1,299.00\"\n", "price", "a decimal"),
        ("sku,price\nA,€ 5\n", "price", "a decimal"),
        ("sku,price\nA,5 EUR net\n", "price", "a decimal"),
        (
            "sku,price\nA,5.00 USD\n",
            "price",
            "is in USD, but the store sells in EUR",
        ),
        (
            "sku,price\nA,usd 5.00\n",
            "price",
            "is in USD, but the store sells in EUR",
        ),
        ("sku,price\nA,5.001\n", "price", "digits behind the point"),
        ("sku,price\nA,99999999999999999999\n", "price", "too large"),
        ("sku,stock\nA,many\n", "stock", "a whole number"),
        ("sku,stock\nA,1.5\n", "stock", "a whole number"),
        ("sku,policy\nA,maybe\n", "policy", "deny or continue"),
        (
            "sku,Variant ID\nA,4.40178E+13\n",
            "Variant ID",
            "rounded by a spreadsheet",
        ),
        ("Handle,Variant SKU,Status\nmug,A,gone\n", "Status", "must be active"),
        ("Handle,Variant SKU\n,A\n", "Handle", "is required"),
        (
            "Handle,Variant SKU,Variant Inventory Policy\nmug,A,maybe\n",
            "Variant Inventory Policy",
            "deny or continue",
        ),
        (
            "Handle,Variant SKU,Variant Inventory Qty\nmug,A,x\n",
            "Variant Inventory Qty",
            "whole number",
        ),
        (
            "Handle,Variant SKU,Variant Price\nmug,,5.00\n",
            "Variant SKU",
            "give the variant a SKU",
        ),
        ("id,link,title\n,x,Mug\n", "id", "is required"),
        ("id,availability\nA,soon\n", "availability", "must be in_stock"),
        ("id,link,sale_price\nA,x,1 USD\n", "sale_price", "is in USD"),
        ("id,link,inventory\nA,x,lots\n", "inventory", "whole number"),
    ] {
        let (found, message) = fault(text);
        assert_eq!(found, column, "{text}: {message}");
        assert!(message.contains(part), "{text}: {message}");
    }
}

#[test]
fn prices_are_read_by_the_currency() {
    let price = |text: &str, currency| {
        let catalog = parse(format!("sku\tprice\nA\t{text}\n").as_bytes(), currency).expect("a file");
        catalog.entries[0].told.clone().expect("good").price
    };
    for (text, currency, expected) in [
        ("19.90", Currency::EUR, Some(1990)),
        ("19.9 EUR", Currency::EUR, Some(1990)),
        ("eur 19", Currency::EUR, Some(1900)),
        (" 19.90  EUR ", Currency::EUR, Some(1990)),
        ("1200 JPY", Currency::JPY, Some(1200)),
        ("1.234", Currency::KWD, Some(1234)),
        ("0", Currency::EUR, Some(0)),
        ("", Currency::EUR, None),
    ] {
        assert_eq!(price(text, currency), Some(expected), "{text}");
    }
}

#[test]
fn shopifys_export_is_read_row_by_row_and_product_by_product() {
    let catalog = read(SHOPIFY);
    assert_eq!((catalog.format, catalog.rows, catalog.skipped), (Format::Shopify, 7, 1));
    let image = |name: &str| Some(Some(format!("https://cdn.moss.example/{name}.jpg")));
    let expected = [
        (
            1,
            2,
            Ok(ProductDraft {
                image_url: image("mug-sand"),
                price: Some(Some(1990)),
                stock: Some(Some(12)),
                policy: Some(OversellPolicy::Deny),
                ..draft("MUG-SAND-S", "44017001", "Moss mug - Sand / Small")
            }),
        ),
        (
            2,
            5,
            Ok(ProductDraft {
                image_url: image("mug-1"),
                price: Some(Some(2400)),
                stock: Some(Some(-1)),
                policy: Some(OversellPolicy::Continue),
                ..draft("MUG-SAND-L", "44017002", "Moss mug - Sand / Large")
            }),
        ),
        (
            4,
            7,
            Ok(ProductDraft {
                image_url: image("voucher"),
                price: Some(Some(8000)),
                stock: Some(None),
                policy: Some(OversellPolicy::Deny),
                ..draft("VOUCHER", "44017003", "Workshop voucher")
            }),
        ),
        (
            5,
            8,
            Ok(ProductDraft {
                image_url: Some(None),
                price: Some(Some(3500)),
                stock: Some(Some(0)),
                policy: Some(OversellPolicy::Deny),
                ..draft("BOWL", "44017004", "Winter bowl")
            }),
        ),
        (6, 9, Err("Variant SKU")),
        (
            7,
            10,
            Ok(ProductDraft {
                variant_id: None,
                image_url: Some(None),
                price: Some(Some(1200)),
                stock: Some(Some(6)),
                policy: Some(OversellPolicy::Deny),
                ..draft("PLATE", "", "Plate")
            }),
        ),
    ];
    let told: Vec<_> = catalog
        .entries
        .iter()
        .map(|entry| {
            (
                entry.row,
                entry.line,
                entry.told.as_ref().map_err(|error| error.column.as_str()),
            )
        })
        .collect();
    assert_eq!(told.len(), expected.len());
    for (told, expected) in told.iter().zip(&expected) {
        assert_eq!((told.0, told.1, told.2.cloned()), *expected);
    }
    assert_eq!(catalog.column_of("variantId"), "Variant ID");
    assert_eq!(catalog.column_of("imageUrl"), "Variant Image");
}

#[test]
fn shopifys_newer_names_and_missing_columns() {
    let newer = "Title,URL handle,Status,SKU,Option1 value,Price,Inventory tracker,Inventory quantity,\
                 Continue selling when out of stock,Product image URL,Variant image URL\n\
                 Mug,mug,Active,MUG,Sand,5,shopify,4,CONTINUE,https://cdn.test/1.png,\n";
    assert_eq!(
        one(newer),
        ProductDraft {
            variant_id: None,
            image_url: Some(Some("https://cdn.test/1.png".to_owned())),
            price: Some(Some(500)),
            stock: Some(Some(4)),
            policy: Some(OversellPolicy::Continue),
            ..draft("MUG", "", "Mug - Sand")
        }
    );
    let stock = |tracker: &str, quantity: &str| {
        let header = "Handle,Variant SKU,Variant Inventory Tracker,Variant Inventory Qty";
        one(&format!("{header}\nmug,MUG,{tracker},{quantity}\n")).stock
    };
    assert_eq!(stock("", "0"), Some(None), "no tracker: the quantity means nothing");
    assert_eq!(stock("shopify", ""), None, "several locations: the export does not say");
    assert_eq!(stock("shopify", "0"), Some(Some(0)));
    assert_eq!(one("Handle,Variant SKU\nmug,MUG\n").stock, None);
    assert_eq!(
        one("Handle,Variant SKU,Variant Inventory Qty\nmug,MUG,7\n").stock,
        Some(Some(7))
    );
}

#[test]
fn rows_of_a_handle_need_not_stand_together() {
    let text = "Handle,Title,Variant SKU,Option1 Value,Status,Image Src\n\
                mug,Mug,M1,Sand,draft,https://cdn.test/m.png\npot,Pot,P1,Default Title,active,\nmug,,M2,Clay,,\n";
    let catalog = read(text);
    let last = catalog.entries[2].told.clone().expect("good");
    assert_eq!(last.title.as_deref(), Some("Mug - Clay"));
    assert_eq!(last.stock, Some(Some(0)), "the product is a draft");
    assert_eq!(last.image_url, Some(Some("https://cdn.test/m.png".to_owned())));
    let long = format!(
        "Handle,Title,Variant SKU,Option1 Value\nmug,{},M1,Sand\n",
        "x".repeat(250)
    );
    assert_eq!(
        one(&long).title.map(|title| title.len()),
        Some(250),
        "without its option"
    );
}

#[test]
fn googles_feed_is_read_with_the_ids_that_carts_take() {
    let catalog = read(GOOGLE);
    assert_eq!((catalog.format, catalog.rows, catalog.skipped), (Format::Google, 5, 0));
    let told = |row: usize| catalog.entries[row - 1].told.clone();
    let image = |name: &str| Some(Some(format!("https://cdn.moss.example/{name}.jpg")));
    let small = ProductDraft {
        image_url: image("mug-sand"),
        price: Some(Some(1750)),
        stock: Some(Some(12)),
        policy: Some(OversellPolicy::Deny),
        ..draft("MUG-SAND-S", "44017001", "Moss mug, sand, small")
    };
    assert_eq!(told(1), Ok(small));
    let large = ProductDraft {
        image_url: image("mug-sand"),
        price: Some(Some(2400)),
        stock: Some(None),
        policy: Some(OversellPolicy::Continue),
        ..draft("MUG-SAND-L", "44017002", "Moss mug, sand, large")
    };
    assert_eq!(told(2), Ok(large), "a sale with dates is left alone");
    let voucher = ProductDraft {
        image_url: image("voucher"),
        price: Some(Some(8000)),
        stock: Some(None),
        policy: Some(OversellPolicy::Deny),
        ..draft("44017003", "44017003", "Workshop voucher")
    };
    assert_eq!(told(3), Ok(voucher), "without an mpn the id is the SKU");
    assert_eq!(
        told(4).map(|bowl| bowl.stock),
        Ok(Some(Some(0))),
        "out of stock, whatever the quantity"
    );
    assert_eq!(told(5).expect_err("dollars").column, "price");
}

#[test]
fn availabilities_and_ids_are_read_in_every_spelling() {
    let (deny, go_on) = (Some(OversellPolicy::Deny), Some(OversellPolicy::Continue));
    for (word, quantity, expected) in [
        ("in_stock", "", (Some(None), deny)),
        ("In Stock", "3", (Some(Some(3)), deny)),
        ("out_of_stock", "", (Some(Some(0)), deny)),
        ("out of stock", "3", (Some(Some(0)), deny)),
        ("discontinued", "3", (Some(Some(0)), deny)),
        ("preorder", "", (Some(None), go_on)),
        ("backorder", "0", (Some(Some(0)), go_on)),
        ("available for order", "", (Some(None), go_on)),
        ("", "3", (Some(Some(3)), None)),
        ("", "", (None, None)),
    ] {
        for name in ["quantity", "quantity_to_sell_on_facebook", "Inventory"] {
            let told = one(&format!("id,availability,{name}\nA,{word},{quantity}\n"));
            assert_eq!((told.stock, told.policy), expected, "{word} {name}={quantity}");
        }
    }
    for (id, variant) in [
        ("shopify_US_7001_44017", "44017"),
        ("Shopify_us_7001_44017", "44017"),
        ("shopify_ZZ_7001_", "shopify_ZZ_7001_"),
        ("shopify_US_7001_44017_x", "shopify_US_7001_44017_x"),
        ("shopify_1_7001_44017", "shopify_1_7001_44017"),
        ("other_US_7001_44017", "other_US_7001_44017"),
        ("44017", "44017"),
    ] {
        let told = one(&format!("id,link\n{id},x\n"));
        assert_eq!((told.variant_id.as_deref(), told.sku.as_str()), (Some(variant), id));
    }
}

#[test]
fn files_are_read_as_spreadsheets_write_them() {
    let expected = draft("MUG", "44017", "Mug, \"small\"\nand blue");
    for text in [
        "sku,variantId,title\nMUG,44017,\"Mug, \"\"small\"\"\nand blue\"\n",
        "\u{feff}sku,variantId,title\nMUG,44017,\"Mug, \"\"small\"\"\nand blue\"",
        "sku;variantId;title\r\nMUG;44017;\"Mug, \"\"small\"\"\nand blue\"\r\n",
        "SKU\tVARIANT ID\tTITLE\nMUG\t44017\t\"Mug, \"\"small\"\"\nand blue\"\n",
        "\"sku\",\"variant_id\",\"Title\"\n MUG , 44017 ,\" Mug, \"\"small\"\"\nand blue \"\n",
        "title,sku,extra,variantId\n\"Mug, \"\"small\"\"\nand blue\",MUG,x,44017\n",
        "# Required | The brand's number, unique,# Recommended\nsku,variantId,title\nMUG,44017,\"Mug, \"\"small\"\"\nand blue\"\n",
        "\n\nsku,variantId,title\n\n\nMUG,44017,\"Mug, \"\"small\"\"\nand blue\"\n\n",
    ] {
        assert_eq!(one(text), expected, "{text}");
    }
    assert_eq!(
        one("sku,title\rMUG,Mug\r").title.as_deref(),
        Some("Mug"),
        "old line ends"
    );
    let blank = read("sku,title\nA,a\n,\n , \nB,b\n");
    assert_eq!((blank.rows, blank.skipped, blank.entries.len()), (4, 2, 2));
    assert_eq!(
        one("sku\ttitle\nTV\t27\" screen\n").title.as_deref(),
        Some("27\" screen")
    );
    let open = read("sku,title\nA,\"never closed\nB,b\nC,c\n");
    assert_eq!(open.entries.len(), 1, "the rest is in the quotes: {open:?}");
    let latin = read(b"sku,title\nA,a\nB,gr\xfcn\nC,c\n");
    let good: Vec<_> = latin.entries.iter().map(|entry| entry.told.is_ok()).collect();
    assert_eq!(good, [true, false, true]);
    assert_eq!(read("sku,title\n").rows, 0);
}

#[test]
fn lines_are_where_rows_begin() {
    let catalog = read("sku,title\nA,\"a\nb\nc\"\n\nB,b\r\nC,c\n");
    let places: Vec<_> = catalog.entries.iter().map(|entry| (entry.row, entry.line)).collect();
    assert_eq!(places, [(1, 2), (2, 6), (3, 7)]);
    for end in ["\n", "\r\n"] {
        // Longer than any buffer on the way.
        let rows: String = (0..9_000).map(|row| format!("A{row},\"a{end}b\"{end}")).collect();
        let catalog = read(format!("# remark{end}{end}sku,title{end}{rows}"));
        let last = catalog.entries.last().expect("rows");
        assert_eq!((last.row, last.line), (9_000, 3 + 2 * 8_999 + 1), "{end:?}");
    }
}

#[test]
fn what_is_no_catalogue_is_said_of_the_whole_file() {
    let field = |text: &[u8]| parse(text, Currency::EUR).map(|_| ()).expect_err("refused").field();
    for text in [
        "",
        "\n\n",
        "# only a remark\n",
        "PK\u{3}\u{4}zip",
        "{\"sku\": 1}",
        "name,price\na,1\n",
    ] {
        assert_eq!(field(text.as_bytes()), "header", "{text:?}");
    }
    assert_eq!(field(&vec![b'x'; 1 << 20]), "header");
    assert_eq!(field(b"\xff\xfes\0k\0u\0"), "body");
    let many = format!("sku\n{}", "A\n".repeat(PRODUCTS_PER_CALL_MAX + 1));
    assert_eq!(field(many.as_bytes()), "rows");
    let most = format!("sku\n{}", "A\n".repeat(PRODUCTS_PER_CALL_MAX));
    assert_eq!(read(most).rows, PRODUCTS_PER_CALL_MAX);
}

fn slices(text: &str, rows: usize, bytes: usize) -> Vec<Slice> {
    let slices = Slices::of(text.as_bytes(), SliceLimits { rows, bytes }).expect("a header");
    slices.collect::<Result<_, _>>().expect("rows")
}

#[test]
fn slices_are_files_and_keep_products_together() {
    let cut = slices("sku,title\nA,\"a\nb\"\nB,b\nC,\"c \"\"d\"\"\"\n", 2, 1 << 20);
    let texts: Vec<_> = cut
        .iter()
        .map(|slice| String::from_utf8_lossy(&slice.csv).into_owned())
        .collect();
    assert_eq!(
        texts,
        ["sku,title\nA,\"a\nb\"\nB,b\n", "sku,title\nC,\"c \"\"d\"\"\"\n"]
    );
    assert_eq!(cut[1].rows_before, 2);
    assert_eq!(
        (cut[0].line(2), cut[1].line(1), cut[1].line(2)),
        (Some(4), Some(5), None)
    );

    let shopify: Vec<usize> = slices(SHOPIFY, 1, 1 << 20).iter().map(Slice::rows).collect();
    assert_eq!(shopify, [3, 1, 1, 1, 1], "the first product has three rows");
    let by_bytes: Vec<usize> = slices("sku\nAAAA\nBBBB\nCCCC\n", 100, 8)
        .iter()
        .map(Slice::rows)
        .collect();
    assert_eq!(by_bytes, [2, 1]);
    assert!(slices("sku\n", 5, 5).is_empty());
}

#[test]
fn slices_say_what_the_file_says() {
    for text in [SHOPIFY, GOOGLE] {
        let whole = read(text);
        let mut told = Vec::new();
        for slice in slices(text, 2, 1 << 20) {
            for entry in read(&slice.csv).entries {
                let line = slice.line(entry.row).expect("a line");
                told.push((slice.rows_before + entry.row, line, entry.told));
            }
        }
        let expected: Vec<_> = whole
            .entries
            .into_iter()
            .map(|entry| (entry.row, entry.line, entry.told))
            .collect();
        assert_eq!(told, expected);
    }
}

/// Text that looks like a catalogue for long enough to get past the header.
fn catalogues() -> impl Strategy<Value = String> {
    let header = prop::sample::select(vec![
        "sku,variantId,title,price,stock,policy,imageUrl\n",
        "Handle\tTitle\tVariant SKU\tVariant ID\tVariant Price\tVariant Inventory Qty\tImage Src\tStatus\n",
        "id,title,availability,price,sale_price,quantity,image_link,mpn\n",
    ]);
    let cell = prop_oneof![
        3 => "[0-9]{1,5}",
        2 => "[0-9]{1,3}\\.[0-9]{2}( EUR)?",
        2 => prop::sample::select(vec!["in_stock", "deny", "active", "https://cdn.test/1.png", ""]).prop_map(str::to_owned),
        1 => "\"[^\"]{0,8}\"",
        1 => ".{0,6}",
        1 => "[ \t,;\"\r\n\u{0}\u{feff}]{0,3}",
    ];
    let rows = prop::collection::vec(prop::collection::vec(cell, 0..10), 0..8);
    (header, rows).prop_map(|(header, rows)| {
        let separator = if header.contains('\t') { "\t" } else { "," };
        let rows: Vec<String> = rows.iter().map(|row| row.join(separator)).collect();
        format!("{header}{}", rows.join("\n"))
    })
}

fn every_row_is_accounted_for(text: &[u8]) -> Result<(), TestCaseError> {
    let Ok(catalog) = parse(text, Currency::EUR) else {
        return Ok(());
    };
    prop_assert_eq!(catalog.rows, catalog.skipped + catalog.entries.len());
    for provider in [Provider::Shopify, Provider::Template, Provider::Ucp] {
        let drafts: Vec<_> = catalog
            .entries
            .iter()
            .filter_map(|entry| entry.told.clone().ok())
            .collect();
        let count = drafts.len();
        let taken = take(drafts, &HashMap::new(), provider, Timestamp(1));
        prop_assert_eq!(
            taken.products.len() + taken.refused.len(),
            count,
            "taken or refused, nothing is lost"
        );
        for product in taken.products {
            // What was stored can be told again, word for word.
            let again = ProductDraft {
                sku: product.sku.clone(),
                ..ProductDraft::default()
            };
            prop_assert_eq!(again.complete(Some(&product), provider, Timestamp(2)), Ok(product));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        every_row_is_accounted_for(&bytes)?;
    }

    #[test]
    fn arbitrary_rows_are_taken_or_refused(text in catalogues()) {
        every_row_is_accounted_for(text.as_bytes())?;
    }

    #[test]
    fn slices_lose_nothing(text in catalogues(), rows in 1usize..4) {
        let whole = read(&text);
        let cut = slices(&text, rows, 1 << 20);
        prop_assert_eq!(cut.iter().map(Slice::rows).sum::<usize>(), whole.rows);
        let told: Vec<_> = cut
            .iter()
            .flat_map(|slice| read(&slice.csv).entries.into_iter().map(|entry| (slice.rows_before + entry.row, entry.told)))
            .collect();
        // Rows of one handle that stand apart are known to the whole file alone.
        if whole.format != Format::Shopify {
            let expected: Vec<_> = whole.entries.into_iter().map(|entry| (entry.row, entry.told)).collect();
            prop_assert_eq!(told, expected);
        }
    }
}
