//! `hopcart link`: makes, lists, shows and deletes links over the API.

use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Map, Value, json};
use url::Url;

use super::api::{Api, CallError, Connection, Reply, query, segment};
use super::failure::Failure;
use super::terminal::{align_right, cell, minute, note, say, say_raw, table, wait_for};
use crate::domain::cart::QUANTITY_MAX;

/// Links on one page of a list; the API allows 100.
const PAGE_SIZE: usize = 50;

/// `hopcart link`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    connection: Connection,
    /// Print exactly what the API answers
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a link to a page, or with --store and --item to a filled cart
    #[command(
        after_help = "Examples:\n  hopcart link create https://shop.example/spring --slug spring\n  \
        hopcart link create --store store_01J... --item HERB-KIT:2 --item WATERING-CAN --code MIA10 --partner pn_01J..."
    )]
    Create(Box<Create>),
    /// List links, the newest first
    List {
        /// Only links whose slug or destination contains this text
        #[arg(long)]
        search: Option<String>,
        /// Page, from 1
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        page: u32,
    },
    /// Show one link
    Show {
        /// Its id, or the short link itself
        #[arg(value_name = "ID|SHORTLINK")]
        link: String,
    },
    /// Delete a link: followers get 404 from then on
    Delete {
        /// Its id, or the short link itself
        #[arg(value_name = "ID|SHORTLINK")]
        link: String,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Where the link leads
    #[arg(required_unless_present = "store", conflicts_with = "store")]
    url: Option<String>,
    /// Text after the slash; without it, a short random one
    #[arg(long, visible_alias = "key-name")]
    slug: Option<String>,
    /// Link domain; without it, the workspace's own
    #[arg(long)]
    domain: Option<String>,
    /// Creator who is credited (pn_...)
    #[arg(long, value_name = "ID")]
    partner: Option<String>,
    /// Store whose cart is filled (store_...)
    #[arg(long, value_name = "ID", requires = "item")]
    store: Option<String>,
    /// What is put into the cart, several times; 1 piece without a number
    #[arg(long, value_name = "SKU:QTY", requires = "store", conflicts_with = "url", value_parser = item)]
    item: Vec<Item>,
    /// Discount code that the cart applies, several times
    #[arg(long, requires = "store", conflicts_with = "url")]
    code: Vec<String>,
    /// What followers see first: the shop with the cart filled, or a page that shows the cart
    #[arg(long, value_name = "direct|page", requires = "store", conflicts_with = "url", value_parser = ["direct", "page"])]
    landing: Option<String>,
    /// Number of uses after which the link is gone
    #[arg(long, value_name = "N")]
    max_clicks: Option<u64>,
}

/// One line of a cart, as typed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Item {
    sku: String,
    quantity: u32,
}

/// Reads `SKU:QTY`. A SKU may hold colons itself: only a number behind the last one is a quantity.
fn item(text: &str) -> Result<Item, String> {
    let (sku, quantity) = match text.rsplit_once(':') {
        Some((sku, digits)) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            (sku, digits.parse().unwrap_or(u32::MAX))
        }
        _ => (text, 1),
    };
    if sku.is_empty() || quantity == 0 || quantity > QUANTITY_MAX {
        return Err(format!("must be SKU or SKU:QTY with 1 to {QUANTITY_MAX} pieces"));
    }
    Ok(Item {
        sku: sku.to_owned(),
        quantity,
    })
}

/// Does what was asked for.
///
/// # Errors
/// What the API refused, or that it cannot be reached.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let api = arguments.connection.open()?;
    wait_for(async {
        match &arguments.command {
            Command::Create(create) => {
                let made = api.call(Method::POST, "/links", Some(&create.body())).await?;
                show(&made, arguments.json)
            }
            Command::List { search, page } => list(&api, search.as_deref(), *page, arguments.json).await,
            Command::Show { link } => show(&find(&api, link).await?, arguments.json),
            Command::Delete { link } => {
                let id = match addresses(link) {
                    Some(_) => cell(&find(&api, link).await?.value["id"]),
                    None => link.clone(),
                };
                let path = format!("/links/{}", segment(&id));
                let deleted = api.call(Method::DELETE, &path, None).await?;
                if arguments.json {
                    return say_raw(&deleted.body);
                }
                say(&format!("deleted {}", cell(&deleted.value["id"])))
            }
        }
    })
}

impl Create {
    /// The call's body: what was given, nothing else.
    fn body(&self) -> Value {
        let mut body = Map::new();
        let texts = [
            ("url", &self.url),
            ("key", &self.slug),
            ("domain", &self.domain),
            ("partnerId", &self.partner),
        ];
        for (name, text) in texts {
            if let Some(text) = text {
                body.insert(name.to_owned(), json!(text));
            }
        }
        if let Some(store) = &self.store {
            let items: Vec<Value> = self
                .item
                .iter()
                .map(|item| json!({"sku": item.sku, "quantity": item.quantity}))
                .collect();
            let mut cart = json!({"storeId": store, "items": items});
            if !self.code.is_empty() {
                cart["discountCodes"] = json!(self.code);
            }
            if let Some(landing) = &self.landing {
                cart["landing"] = json!(landing);
            }
            body.insert("cart".to_owned(), cart);
        }
        if let Some(uses) = self.max_clicks {
            body.insert("maxClicks".to_owned(), json!(uses));
        }
        Value::Object(body)
    }
}

async fn list(api: &Api, search: Option<&str>, page: u32, is_json: bool) -> Result<(), Failure> {
    let (page_text, size) = (page.to_string(), PAGE_SIZE.to_string());
    let pairs = [
        ("page", Some(page_text.as_str())),
        ("pageSize", Some(size.as_str())),
        ("search", search),
    ];
    let reply = api.call(Method::GET, &format!("/links{}", query(&pairs)), None).await?;
    if is_json {
        return say_raw(&reply.body);
    }
    let links = reply.value.as_array().map_or(&[][..], Vec::as_slice);
    if links.is_empty() {
        note("no links; `hopcart link create URL` makes one");
        return Ok(());
    }
    let mut rows = table(&["short link", "leads to", "clicks", "created", "id"]);
    align_right(&mut rows, [2]);
    for link in links {
        rows.add_row([
            cell(&link["shortLink"]),
            cell(&link["url"]),
            cell(&link["clicks"]),
            minute(&link["createdAt"]),
            cell(&link["id"]),
        ]);
    }
    say(&rows.to_string())?;
    if links.len() == PAGE_SIZE {
        note(&format!("more with --page {}", u64::from(page) + 1));
    }
    Ok(())
}

/// Shows one link as names and values.
fn show(reply: &Reply, is_json: bool) -> Result<(), Failure> {
    if is_json {
        return say_raw(&reply.body);
    }
    let link = &reply.value;
    let mut rows = table(&[]);
    rows.add_row(["short link".to_owned(), cell(&link["shortLink"])]);
    rows.add_row(["leads to".to_owned(), cell(&link["url"])]);
    for (name, key) in [
        ("creator", "partnerId"),
        ("max. clicks", "maxClicks"),
        ("external id", "externalId"),
    ] {
        if !link[key].is_null() {
            rows.add_row([name.to_owned(), cell(&link[key])]);
        }
    }
    if let Some(items) = link.pointer("/cart/items").and_then(Value::as_array) {
        let line = |item: &Value| {
            let name = if item["sku"].is_null() {
                &item["variantId"]
            } else {
                &item["sku"]
            };
            format!("{} x {}", cell(&item["quantity"]), cell(name))
        };
        rows.add_row(["cart".to_owned(), items.iter().map(line).collect::<Vec<_>>().join(", ")]);
    }
    if let Some(codes) = link.pointer("/cart/discountCodes").and_then(Value::as_array)
        && !codes.is_empty()
    {
        rows.add_row([
            "codes".to_owned(),
            codes.iter().map(cell).collect::<Vec<_>>().join(", "),
        ]);
    }
    rows.add_row(["clicks".to_owned(), cell(&link["clicks"])]);
    rows.add_row(["last click".to_owned(), minute(&link["lastClicked"])]);
    rows.add_row(["created".to_owned(), minute(&link["createdAt"])]);
    rows.add_row(["id".to_owned(), cell(&link["id"])]);
    say(&rows.to_string())
}

/// The link with an id, or behind a short link.
async fn find(api: &Api, link: &str) -> Result<Reply, Failure> {
    let Some((domains, slug)) = addresses(link) else {
        let path = format!("/links/{}", segment(link));
        return api.call(Method::GET, &path, None).await;
    };
    let mut failure = Failure::Failed(format!("no link {link}"));
    for domain in domains {
        let pairs = [("domain", Some(domain.as_str())), ("key", Some(slug.as_str()))];
        let path = format!("/links/info{}", query(&pairs));
        match api.try_call(Method::GET, &path, None).await {
            Ok(reply) => return Ok(reply),
            Err(error @ CallError::Refused { status: 404, .. }) => failure = api.explain(&Method::GET, &path, error),
            Err(error) => return Err(api.explain(&Method::GET, &path, error)),
        }
    }
    Err(failure)
}

/// The names under which a short link's domain may be known (with its port and without) and its slug; `None` for an id.
fn addresses(link: &str) -> Option<(Vec<String>, String)> {
    let has_scheme = link.starts_with("http://") || link.starts_with("https://");
    let text = match (has_scheme, link.contains('/')) {
        (true, _) => link.to_owned(),
        (false, true) => format!("https://{link}"),
        (false, false) => return None,
    };
    let url = Url::parse(&text).ok()?;
    let host = url.host_str()?.to_owned();
    let slug = percent_encoding::percent_decode_str(url.path().trim_start_matches('/'))
        .decode_utf8()
        .ok()?
        .into_owned();
    let domains = match url.port() {
        Some(port) => vec![format!("{host}:{port}"), host],
        None => vec![host],
    };
    Some((domains, slug))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn body(words: &[&str]) -> Value {
        let program = Program::try_parse_from([&["link", "create"], words].concat()).expect("a good command line");
        let Command::Create(create) = program.arguments.command else {
            panic!("not create");
        };
        create.body()
    }

    #[test]
    fn what_is_typed_becomes_the_call() {
        assert_eq!(body(&["https://shop.example"]), json!({"url": "https://shop.example"}));
        assert_eq!(
            body(&[
                "https://shop.example",
                "--slug",
                "mia",
                "--domain",
                "go.example",
                "--partner",
                "pn_1"
            ]),
            json!({"url": "https://shop.example", "key": "mia", "domain": "go.example", "partnerId": "pn_1"})
        );
        assert_eq!(
            body(&[
                "--store",
                "store_1",
                "--item",
                "HERB:2",
                "--item",
                "POT",
                "--code",
                "MIA10",
                "--max-clicks",
                "9",
                "--landing",
                "page"
            ]),
            json!({
                "cart": {
                    "storeId": "store_1",
                    "items": [{"sku": "HERB", "quantity": 2}, {"sku": "POT", "quantity": 1}],
                    "discountCodes": ["MIA10"],
                    "landing": "page",
                },
                "maxClicks": 9,
            })
        );
    }

    #[test]
    fn half_a_cart_is_refused() {
        for words in [
            &["link", "create"][..],
            &["link", "create", "--store", "store_1"],
            &["link", "create", "https://shop.example", "--item", "A"],
            &[
                "link",
                "create",
                "https://shop.example",
                "--store",
                "store_1",
                "--item",
                "A",
            ],
            &["link", "create", "--store", "store_1", "--item", "A:0"],
            &["link", "list", "--page", "0"],
        ] {
            assert!(Program::try_parse_from(words).is_err(), "{words:?}");
        }
    }

    #[test]
    fn items_may_hold_colons() {
        let read = |text| item(text).map(|item| (item.sku, item.quantity));
        assert_eq!(read("A"), Ok(("A".to_owned(), 1)));
        assert_eq!(read("A:B"), Ok(("A:B".to_owned(), 1)));
        assert_eq!(read("A:B:12"), Ok(("A:B".to_owned(), 12)));
        assert!(read("A:100").is_err() && read(":3").is_err());
    }

    #[test]
    fn short_links_are_told_from_ids() {
        assert_eq!(addresses("link_01J"), None);
        assert_eq!(
            addresses("http://127.0.0.1:8080/mia"),
            Some((
                vec!["127.0.0.1:8080".to_owned(), "127.0.0.1".to_owned()],
                "mia".to_owned()
            ))
        );
        assert_eq!(
            addresses("go.brand.example/gr%C3%BCn"),
            Some((vec!["go.brand.example".to_owned()], "grün".to_owned()))
        );
    }
}
