//! The demo's cast, read from `fixtures/demo`: a brand, its products, its creators. All of them are invented.
//!
//! The files are part of the binary, so that the demo runs anywhere.

use serde::Deserialize;

use crate::cli::failure::Failure;

const BRAND: &str = include_str!("../../../fixtures/demo/brand.toml");
const PRODUCTS: &str = include_str!("../../../fixtures/demo/products.toml");
const CREATORS: &str = include_str!("../../../fixtures/demo/creators.toml");

/// Followers from which a creator counts as a celebrity: many taps, few orders.
const CELEBRITY_FOLLOWERS: u64 = 1_000_000;

/// The whole cast.
#[derive(Debug)]
pub struct Cast {
    pub brand: Brand,
    pub products: Vec<Product>,
    pub creators: Vec<Creator>,
}

/// Who sells.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brand {
    pub name: String,
    pub shop: String,
    pub shop_domain: String,
    pub currency: String,
    pub webhook_secret: String,
}

/// What is sold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Product {
    pub sku: String,
    pub variant_id: String,
    pub title: String,
    /// Minor units.
    pub price: i64,
    /// Pieces; `None` = not tracked.
    pub stock: Option<i64>,
}

impl Product {
    /// Whether there is nothing left of it.
    pub fn is_sold_out(&self) -> bool {
        self.stock == Some(0)
    }
}

/// Who posts the links.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Creator {
    pub name: String,
    /// Also the slug of the link.
    pub handle: String,
    pub niche: String,
    pub platform: String,
    pub followers: u64,
    /// Paid up front; minor units.
    pub cost: i64,
    pub code: String,
    /// What the code takes off, in percent.
    pub percent: i64,
    /// SKUs; `A>B` puts in B when A is sold out.
    pub cart: Vec<String>,
}

impl Creator {
    /// Whether it is the one that everybody knows.
    pub fn is_celebrity(&self) -> bool {
        self.followers >= CELEBRITY_FOLLOWERS
    }

    /// The SKUs of the cart with their fallbacks.
    pub fn items(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.cart.iter().map(|text| match text.split_once('>') {
            Some((sku, fallback)) => (sku, Some(fallback)),
            None => (text.as_str(), None),
        })
    }
}

impl Cast {
    /// Reads the files.
    ///
    /// # Errors
    /// When one of them is not what it should be: a mistake in this build.
    pub fn read() -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Products {
            products: Vec<Product>,
        }
        #[derive(Deserialize)]
        struct Creators {
            creators: Vec<Creator>,
        }
        let broken = |error: toml::de::Error| Failure::Failed(format!("the demo's files: {}", error.message()));
        let Products { products } = toml::from_str(PRODUCTS).map_err(broken)?;
        let Creators { creators } = toml::from_str(CREATORS).map_err(broken)?;
        Ok(Self {
            brand: toml::from_str(BRAND).map_err(broken)?,
            products,
            creators,
        })
    }

    /// The product called `sku`.
    pub fn product(&self, sku: &str) -> Option<&Product> {
        self.products.iter().find(|product| product.sku == sku)
    }

    /// What a follower of `creator` finds in the cart: fallbacks in the place of what is sold out.
    pub fn buyable(&self, creator: &Creator) -> Vec<&Product> {
        creator
            .items()
            .filter_map(|(sku, fallback)| {
                let own = self.product(sku).filter(|product| !product.is_sold_out());
                own.or_else(|| self.product(fallback?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_cast_is_complete() {
        let cast = Cast::read().expect("good files");
        let niches: HashSet<&str> = cast.creators.iter().map(|creator| creator.niche.as_str()).collect();
        assert_eq!((cast.products.len(), cast.creators.len(), niches.len()), (20, 40, 6));
        let distinct = |texts: Vec<String>| texts.iter().collect::<HashSet<_>>().len();
        assert_eq!(
            distinct(cast.creators.iter().map(|creator| creator.handle.clone()).collect()),
            40
        );
        assert_eq!(
            distinct(cast.creators.iter().map(|creator| creator.code.clone()).collect()),
            40
        );
        assert_eq!(
            distinct(cast.products.iter().map(|product| product.variant_id.clone()).collect()),
            20
        );
        assert_eq!(cast.creators.iter().filter(|creator| creator.is_celebrity()).count(), 1);
        for creator in &cast.creators {
            let is_micro = (10_000..=50_000).contains(&creator.followers);
            assert!(is_micro || creator.is_celebrity(), "{creator:?}");
            assert_eq!(cast.buyable(creator).len(), creator.cart.len(), "{creator:?}");
            assert!(cast.buyable(creator).iter().all(|product| !product.is_sold_out()));
        }
        assert!(cast.products.iter().any(Product::is_sold_out));
    }
}
