//! What is told of products, and what the store makes of it: what is not told stays, what cannot be sold is refused.
//!
//! One refusal never touches its neighbours: see [`take`].

use std::collections::{HashMap, HashSet};

use url::Url;

use super::cart;
use super::store::{NAME_MAX, OversellPolicy, Product, Provider};
use super::time::Timestamp;

/// Longest image URL, in characters: what browsers and platforms agree on.
pub const IMAGE_URL_MAX: usize = 2048;

/// Highest cost of one piece that is believed, in minor units.
pub const COST_MAX: i64 = super::order::REVENUE_MAX;

/// What a caller says of one product. `None` = not told: what is known stays, else the default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProductDraft {
    pub sku: String,
    pub variant_id: Option<String>,
    pub title: Option<String>,
    /// `Some(None)` = it has none.
    pub image_url: Option<Option<String>>,
    /// Minor units of the store's currency; `Some(None)` = it has none.
    pub price: Option<Option<i64>>,
    /// `Some(None)` = not tracked.
    pub stock: Option<Option<i64>>,
    pub policy: Option<OversellPolicy>,
    /// What one piece costs the brand; minor units of the store's currency. `Some(None)` = not known.
    pub cost: Option<Option<i64>>,
}

/// Why a product was refused: a field by the API's name, what is wrong with it and what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldError {
    pub field: &'static str,
    pub message: &'static str,
}

impl ProductDraft {
    /// Whether it says everything, so that what is known does not matter.
    pub fn is_whole(&self) -> bool {
        self.variant_id.is_some()
            && self.title.is_some()
            && self.image_url.is_some()
            && self.price.is_some()
            && self.stock.is_some()
            && self.policy.is_some()
            && self.cost.is_some()
    }

    /// The product that a store on `provider` has from `now` on. A price and a stock that are told are as of `now`.
    ///
    /// # Errors
    /// The first field that is missing or cannot be taken.
    pub fn complete(self, known: Option<&Product>, provider: Provider, now: Timestamp) -> Result<Product, FieldError> {
        let variant_id = self.variant_id.or_else(|| known.map(|known| known.variant_id.clone()));
        let title = self.title.or_else(|| known.map(|known| known.title.clone()));
        let (price, price_at) = match self.price {
            Some(price) => (price, price.map(|_| now)),
            None => known.map_or((None, None), |known| (known.price, known.price_at)),
        };
        let (stock, stock_at) = match self.stock {
            Some(stock) => (stock, now),
            None => known.map_or((None, now), |known| (known.stock, known.stock_at)),
        };
        let product = Product {
            sku: self.sku,
            variant_id: variant_id.ok_or(no_variant(provider))?,
            title: title.ok_or(FieldError {
                field: "title",
                message: "is missing, and this SKU is new to the store",
            })?,
            image_url: self
                .image_url
                .unwrap_or_else(|| known.and_then(|known| known.image_url.clone())),
            price,
            price_at,
            stock,
            policy: self.policy.or(known.map(|known| known.policy)).unwrap_or_default(),
            stock_at,
            cost: self.cost.unwrap_or_else(|| known.and_then(|known| known.cost)),
        };
        check(provider, &product)?;
        Ok(product)
    }
}

fn no_variant(provider: Provider) -> FieldError {
    let message = match provider {
        Provider::Shopify => {
            "is missing, and this SKU is new to the store: Shopify's own export has no variant ids; add a column \
             Variant ID (apps such as Matrixify export it), or tell the product once by JSON"
        }
        _ => "is missing, and this SKU is new to the store: give the platform's id of the variant",
    };
    FieldError {
        field: "variantId",
        message,
    }
}

/// What became of the drafts of one call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// To be stored, in the order of the drafts.
    pub products: Vec<Product>,
    /// The others: place among the drafts, and why.
    pub refused: Vec<(usize, FieldError)>,
}

/// Decides over each draft by itself. Of a SKU that comes twice, the later draft is refused.
pub fn take(drafts: Vec<ProductDraft>, known: &HashMap<String, Product>, provider: Provider, now: Timestamp) -> Taken {
    let mut taken = Taken::default();
    let mut seen = HashSet::new();
    for (place, draft) in drafts.into_iter().enumerate() {
        if seen.contains(&draft.sku) {
            let twice = FieldError {
                field: "sku",
                message: "appears twice in this call: the earlier row is the one that was taken",
            };
            taken.refused.push((place, twice));
            continue;
        }
        let known = known.get(&draft.sku);
        match draft.complete(known, provider, now) {
            Ok(product) => {
                seen.insert(product.sku.clone());
                taken.products.push(product);
            }
            Err(error) => taken.refused.push((place, error)),
        }
    }
    taken
}

fn check(provider: Provider, product: &Product) -> Result<(), FieldError> {
    let is_name = |text: &str| !text.trim().is_empty() && text.chars().count() <= NAME_MAX;
    for (field, text) in [
        ("sku", &product.sku),
        ("variantId", &product.variant_id),
        ("title", &product.title),
    ] {
        if !is_name(text) {
            let message = "must have 1 to 255 characters";
            return Err(FieldError { field, message });
        }
    }
    cart::check_variant(provider, &product.variant_id).map_err(|message| FieldError {
        field: "variantId",
        message,
    })?;
    if let Some(url) = &product.image_url {
        check_image_url(url).map_err(|message| FieldError {
            field: "imageUrl",
            message,
        })?;
    }
    if product.price.is_some_and(|price| price < 0) {
        return Err(FieldError {
            field: "price",
            message: "must not be negative",
        });
    }
    if product.cost.is_some_and(|cost| !(0..=COST_MAX).contains(&cost)) {
        return Err(FieldError {
            field: "cost",
            message: "must be from 0 to 100000000000000",
        });
    }
    Ok(())
}

fn check_image_url(url: &str) -> Result<(), &'static str> {
    if url.chars().count() > IMAGE_URL_MAX {
        return Err("must have at most 2048 characters");
    }
    // The URL standard would drop or trim these silently.
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("must not contain spaces or control characters: percent-encode them");
    }
    let is_web = Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    is_web
        .then_some(())
        .ok_or("must be a URL that starts with http:// or https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(100);

    fn known() -> Product {
        Product {
            sku: "MUG".to_owned(),
            variant_id: "44017".to_owned(),
            title: "Mug".to_owned(),
            image_url: Some("https://cdn.test/mug.png".to_owned()),
            price: Some(1990),
            price_at: Some(Timestamp(5)),
            stock: Some(3),
            policy: OversellPolicy::Continue,
            stock_at: Timestamp(6),
            cost: Some(700),
        }
    }

    fn whole() -> ProductDraft {
        ProductDraft {
            sku: "MUG".to_owned(),
            variant_id: Some("1".to_owned()),
            title: Some("Cup".to_owned()),
            image_url: Some(None),
            price: Some(None),
            stock: Some(None),
            policy: Some(OversellPolicy::Deny),
            cost: Some(None),
        }
    }

    #[test]
    fn what_is_not_told_stays() {
        let draft = ProductDraft {
            sku: "MUG".to_owned(),
            ..ProductDraft::default()
        };
        assert_eq!(draft.complete(Some(&known()), Provider::Shopify, NOW), Ok(known()));
    }

    #[test]
    fn what_is_told_replaces_and_is_as_of_now() {
        let none = whole().complete(Some(&known()), Provider::Shopify, NOW).expect("good");
        assert_eq!(
            none,
            Product {
                variant_id: "1".to_owned(),
                title: "Cup".to_owned(),
                image_url: None,
                price: None,
                price_at: None,
                stock: None,
                policy: OversellPolicy::Deny,
                stock_at: NOW,
                cost: None,
                ..known()
            }
        );
        let same = ProductDraft {
            price: Some(Some(1990)),
            stock: Some(Some(3)),
            ..whole()
        };
        let same = same.complete(Some(&known()), Provider::Shopify, NOW).expect("good");
        assert_eq!(
            (same.price_at, same.stock_at),
            (Some(NOW), NOW),
            "told again is told now"
        );
    }

    #[test]
    fn each_field_is_checked() {
        let long = |length| Some("9".repeat(length));
        let image = |url: &str| Some(Some(url.to_owned()));
        for (draft, field) in [
            (
                ProductDraft {
                    sku: " ".to_owned(),
                    ..whole()
                },
                "sku",
            ),
            (
                ProductDraft {
                    sku: "x".repeat(256),
                    ..whole()
                },
                "sku",
            ),
            (
                ProductDraft {
                    variant_id: None,
                    ..whole()
                },
                "variantId",
            ),
            (
                ProductDraft {
                    variant_id: Some("abc".to_owned()),
                    ..whole()
                },
                "variantId",
            ),
            (
                ProductDraft {
                    variant_id: long(256),
                    ..whole()
                },
                "variantId",
            ),
            (ProductDraft { title: None, ..whole() }, "title"),
            (
                ProductDraft {
                    title: Some(String::new()),
                    ..whole()
                },
                "title",
            ),
            (
                ProductDraft {
                    title: long(256),
                    ..whole()
                },
                "title",
            ),
            (
                ProductDraft {
                    price: Some(Some(-1)),
                    ..whole()
                },
                "price",
            ),
            (
                ProductDraft {
                    image_url: image(""),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("//cdn.test/1.png"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("javascript:alert(1)"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("data:image/png;base64,AA"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("https://"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("https://cdn.test/a b"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image("\thttps://cdn.test/a"),
                    ..whole()
                },
                "imageUrl",
            ),
            (
                ProductDraft {
                    image_url: image(&format!("https://cdn.test/{}", "a".repeat(2040))),
                    ..whole()
                },
                "imageUrl",
            ),
        ] {
            let error = draft.clone().complete(None, Provider::Shopify, NOW).expect_err(field);
            assert_eq!(error.field, field, "{draft:?}: {}", error.message);
        }
    }

    #[test]
    fn a_shopify_brand_is_told_where_variant_ids_come_from() {
        let draft = ProductDraft {
            variant_id: None,
            ..whole()
        };
        let error = |provider| draft.clone().complete(None, provider, NOW).expect_err("no id").message;
        assert!(error(Provider::Shopify).contains("Variant ID"));
        assert!(!error(Provider::WooCommerce).contains("Shopify"));
    }

    #[test]
    fn one_refusal_leaves_the_others_alone() {
        let draft = |sku: &str, variant: &str| ProductDraft {
            sku: sku.to_owned(),
            variant_id: Some(variant.to_owned()),
            ..whole()
        };
        let drafts = vec![
            draft("A", "1"),
            draft("B", "x"),
            draft("A", "2"),
            draft("B", "3"),
            draft("C", "4"),
        ];
        let taken = take(drafts, &HashMap::new(), Provider::Shopify, NOW);
        let products: Vec<_> = taken
            .products
            .iter()
            .map(|p| (p.sku.as_str(), p.variant_id.as_str()))
            .collect();
        assert_eq!(products, [("A", "1"), ("B", "3"), ("C", "4")]);
        let refused: Vec<_> = taken
            .refused
            .iter()
            .map(|(place, error)| (*place, error.field))
            .collect();
        assert_eq!(refused, [(1, "variantId"), (2, "sku")]);
    }
}
