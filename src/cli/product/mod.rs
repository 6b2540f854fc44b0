//! `hopcart products`: imports catalogue files and lists products over the API.

pub mod import;
pub mod progress;
mod tally;

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use super::api::{Api, Connection, query, segment};
use super::failure::Failure;
use super::terminal::{align_right, cell, minute, note, say, say_raw, table, wait_for};
use crate::domain::money::{self, Currency};

/// Products on one page of a list; the API allows 100.
const PAGE_SIZE: usize = 50;

/// `hopcart products`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON: what the API answers, or the sum of what it answered
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add the products of a file to a store, or replace them, by SKU
    #[command(
        long_about = "Add the products of a file to a store, or replace them, by SKU.\n\nThe file is CSV, TSV or \
        semicolon-separated UTF-8 text of any length. Its header says whose it is: Shopify's product export, Google's \
        or Meta's product feed, or our own columns sku, variantId, title, price, stock, policy, imageUrl. Prices are \
        decimals in the store's currency. A column that is left out leaves what is known alone.\n\nShopify's own \
        export has no variant ids: products that the store knows keep theirs, others need a column Variant ID.",
        after_help = "Examples:\n  hopcart products import products_export.csv --store store_01J... --dry-run\n  \
        curl -s https://shop.example/feed.tsv | hopcart products import - --store store_01J..."
    )]
    Import(import::Import),
    /// List a store's products by SKU
    List {
        /// Store (store_...)
        #[arg(long, value_name = "ID")]
        store: String,
        /// Page, from 1
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
    },
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Import(import) => {
            let api = arguments.connection.open_with(import::call_bounds())?;
            import::run(import.source(), &import::Target::products(), &api, arguments.json)
        }
        Command::List { store, page } => {
            let api = arguments.connection.open()?;
            wait_for(list(&api, store, *page, arguments.json))
        }
    }
}

async fn list(api: &Api, store: &str, page: u32, is_json: bool) -> Result<(), Failure> {
    let (page_text, size) = (page.to_string(), PAGE_SIZE.to_string());
    let pairs = [
        ("storeId", Some(store)),
        ("page", Some(page_text.as_str())),
        ("pageSize", Some(size.as_str())),
    ];
    let reply = api
        .call(Method::GET, &format!("/products{}", query(&pairs)), None)
        .await?;
    if is_json {
        return say_raw(&reply.body);
    }
    let products = reply.value.as_array().map_or(&[][..], Vec::as_slice);
    if products.is_empty() {
        note("no products; `hopcart products import FILE` brings them in");
        return Ok(());
    }
    let shop = api
        .call(Method::GET, &format!("/stores/{}", segment(store)), None)
        .await?;
    let currency = shop.value["currency"].as_str().and_then(money::currency);
    say(&rows(products, currency))?;
    if products.len() == PAGE_SIZE {
        note(&format!("more with --page {}", u64::from(page) + 1));
    }
    Ok(())
}

fn rows(products: &[Value], currency: Option<Currency>) -> String {
    let mut rows = table(&["sku", "variant", "title", "price", "stock", "told"]);
    align_right(&mut rows, [3, 4]);
    for product in products {
        let price = match (product["price"].as_i64(), currency) {
            (Some(price), Some(currency)) => format!("{} {}", money::decimal(price, currency), currency.code()),
            _ => cell(&product["price"]),
        };
        let stock = match (product["stock"].is_null(), product["policy"] == "continue") {
            (true, _) => "not tracked".to_owned(),
            (false, true) => format!("{}, sells on", cell(&product["stock"])),
            (false, false) => cell(&product["stock"]),
        };
        rows.add_row([
            cell(&product["sku"]),
            cell(&product["variantId"]),
            cell(&product["title"]),
            price,
            stock,
            minute(&product["updatedAt"]),
        ]);
    }
    rows.to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn a_store_is_always_named() {
        for (words, is_good) in [
            (
                &[
                    "products",
                    "import",
                    "a.csv",
                    "--store",
                    "store_1",
                    "--dry-run",
                    "--json",
                ][..],
                true,
            ),
            (&["products", "import", "-", "--store", "store_1"], true),
            (&["products", "list", "--store", "store_1", "--page", "2"], true),
            (&["products", "import", "a.csv"], false),
            (&["products", "import", "--store", "store_1"], false),
            (&["products", "list"], false),
            (&["products", "list", "--store", "store_1", "--page", "0"], false),
        ] {
            assert_eq!(Program::try_parse_from(words).is_ok(), is_good, "{words:?}");
        }
    }

    #[test]
    fn lists_read_as_a_shop_does() {
        let products = [
            json!({"sku": "MUG", "variantId": "44017", "title": "Mug", "price": 1990, "stock": 12, "policy": "deny",
                "updatedAt": "2026-11-21T09:53:00.123Z"}),
            json!({"sku": "POT", "variantId": "44018", "title": "Pot", "price": null, "stock": null, "policy": "deny"}),
            json!({"sku": "JAR", "variantId": "44019", "title": "Jar", "price": 5, "stock": -2, "policy": "continue"}),
        ];
        let text = rows(&products, money::currency("EUR"));
        for part in [
            "19.90 EUR",
            "12",
            "not tracked",
            "0.05 EUR",
            "-2, sells on",
            "2026-11-21 09:53",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
