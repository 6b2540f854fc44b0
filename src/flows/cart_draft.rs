//! A cart as a caller names it, and its way to a [`Cart`] that the platform can carry.

use url::Url;

use super::context::Context;
use super::error::Error;
use crate::books::{self, View};
use crate::domain::cart::{self, Cart, CartItem, CartRequest, ItemName, Landing, Line, OnOut, StockPolicy};
use crate::domain::click::UTM_NAMES;
use crate::domain::id::WorkspaceNo;
use crate::domain::store::Store;

/// A cart with the store's public id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CartDraft {
    pub store_id: String,
    pub items: Vec<CartItem>,
    pub discount_codes: Vec<String>,
    pub note: Option<String>,
    pub attributes: Vec<(String, String)>,
    pub continue_to: Option<String>,
    pub landing: Landing,
    /// Public id of a pool of single-use codes.
    pub code_pool_id: Option<String>,
}

/// A cart that was read from a destination, and the UTM parameters beside it.
pub(super) type Recognised = (CartDraft, [Option<String>; 5]);

/// A stock policy before its URL went through the destination policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockPolicyDraft {
    pub on_out: OnOut,
    pub redirect_url: Option<String>,
}

impl CartDraft {
    /// The cart that a plain destination is, when it is written in the grammar of one of the workspace's stores, with
    /// the UTM parameters that stood in it (in the order of `UTM_NAMES`).
    pub(super) fn recognise(
        view: &View<'_>,
        workspace: WorkspaceNo,
        destination: &Url,
    ) -> Result<Option<Recognised>, Error> {
        for store in books::store::list(view, workspace)? {
            let Some(found) = cart::recognise(&store, destination) else {
                continue;
            };
            let utm = UTM_NAMES.map(|name| {
                let named = found.rest.iter().find(|(other, _)| other == name);
                named.map(|(_, value)| value.clone())
            });
            let cart = found.cart(store.no);
            let draft = Self {
                store_id: store.id,
                items: cart.items,
                discount_codes: cart.discount_codes,
                note: cart.note,
                attributes: cart.attributes,
                continue_to: cart.continue_to,
                landing: cart.landing,
                code_pool_id: None,
            };
            return Ok(Some((draft, utm)));
        }
        Ok(None)
    }

    /// The cart and its URL without a click id.
    pub(super) fn resolve(
        self,
        context: &Context,
        view: &View<'_>,
        workspace: WorkspaceNo,
        utm: &[Option<String>; 5],
    ) -> Result<(Cart, String), Error> {
        let store: Store = books::store::by_id(view, workspace, &self.store_id)?
            .ok_or_else(|| Error::invalid("cart.storeId", "is not a store of this workspace"))?;
        let shelf = context
            .inner
            .reader
            .store(store.no)
            .map(|record| record.shelf.load_full())
            .unwrap_or_default();
        let code_pool = self.code_pool_id.map(|id| {
            let pool = books::code_pool::by_id(view, workspace, &id)?;
            let missing = || Error::invalid("cart.codePoolId", "is not a code pool of this workspace");
            let pool = pool.ok_or_else(missing)?;
            if pool.store != store.no {
                return Err(Error::invalid(
                    "cart.codePoolId",
                    "is a pool of another store than the cart's",
                ));
            }
            Ok(pool.no)
        });
        let cart = Cart {
            store: store.no,
            items: self.items,
            discount_codes: self.discount_codes,
            note: self.note,
            attributes: self.attributes,
            continue_to: self.continue_to,
            landing: self.landing,
            code_pool: code_pool.transpose()?,
        };
        let base = cart::cart_base(&store);
        cart::check(&cart, store.provider, &base, &shelf).map_err(|error| {
            let field = if error.field.is_empty() {
                "cart".to_owned()
            } else {
                format!("cart.{}", error.field)
            };
            Error::invalid(field, error.message)
        })?;
        let variant = |item: &CartItem| match &item.name {
            ItemName::Sku(sku) => shelf
                .by_sku(sku)
                .map_or(String::new(), |found| found.variant_id.to_string()),
            ItemName::Variant(variant_id) => variant_id.clone(),
        };
        let variants: Vec<String> = cart.items.iter().map(variant).collect();
        let lines: Vec<Line<'_>> = cart
            .items
            .iter()
            .zip(&variants)
            .map(|(item, variant_id)| Line {
                variant_id,
                quantity: item.quantity,
            })
            .collect();
        let mut url = String::new();
        let request = CartRequest {
            base: &base,
            cart: &cart,
            lines: &lines,
            code: None,
            click_id: None,
            request_query: "",
            utm,
        };
        cart::write(&mut url, store.provider, &request);
        Ok((cart, url))
    }
}

impl StockPolicyDraft {
    /// The policy with its URL checked.
    pub(super) fn resolve(self, context: &Context) -> Result<StockPolicy, Error> {
        if self.on_out == OnOut::Redirect && self.redirect_url.is_none() {
            return Err(Error::invalid(
                "stockPolicy.redirectUrl",
                "is required when onOut is redirect",
            ));
        }
        let redirect_url = self
            .redirect_url
            .map(|url| context.check_destination("stockPolicy.redirectUrl", &url))
            .transpose()?;
        Ok(StockPolicy {
            on_out: self.on_out,
            redirect_url: redirect_url.map(String::from),
        })
    }
}
