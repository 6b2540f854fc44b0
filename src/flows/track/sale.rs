//! A sale is told: it becomes an order of the books, so that credit, refunds, reports and journeys work as for a shop's
//! own orders. An invoice counts once, for ever; telling it again answers as the first time and changes nothing.
//!
//! **Which store's order it is**: the store that the sale names (`storeId`); else the only store of the payment processor
//! (Stripe, Shopify), else the workspace's only shop, where it sells in the sale's currency; else a store of its own, one
//! a currency. **What makes it the same order as one that a webhook tells**: the store, and the invoice being the shop's
//! id of the order. Whatever a webhook tells of it is newer, whichever came first. **What a page tells** of an order in a
//! store that has webhooks is unpaid until one of them says otherwise: a publishable key is for everybody to read.

use std::sync::atomic::Ordering;

use super::super::context::Context;
use super::super::credit_order::Desk;
use super::super::error::Error;
use super::super::look_up_order::{Returned, Seen, look_up_click};
use super::lead::{insert_customer, insert_lead};
use super::{Told, click_of, complete, country_of};
use crate::books::tracked_sale::TrackedSale;
use crate::books::{self, Tx};
use crate::clicklog;
use crate::domain::conversion::{FIRST_SALE_LEAD, SaleTold, Teller};
use crate::domain::customer::CustomerKey;
use crate::domain::id::StoreNo;
use crate::domain::keyring::Keyring;
use crate::domain::known_customer::KnownCustomer;
use crate::domain::order::OrderSnapshot;
use crate::domain::store::{Permalink, Provider, Store, StoreLook};
use crate::domain::time::Timestamp;

/// As old as can be: whatever a shop's webhook tells of the same order is newer.
const OLDEST: Timestamp = Timestamp(0);

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct TakenSale {
    /// `None` = nobody whom leads or sales have named, or who was erased since.
    pub customer: Option<KnownCustomer>,
    /// `None` = nothing was counted.
    pub sale: Option<TrackedSale>,
    pub is_repeat: bool,
}

/// Takes a sale. One of nobody who is known and without a click, or of nothing, is answered and not kept.
///
/// # Errors
/// [`Error::NotFound`] when the customer is not known and the click is not one of the workspace's enabled links, or when
/// the customer has no lead, or not the one that must have come before; [`Error::Invalid`] on `storeId` and `currency`.
pub async fn sale(
    context: &Context,
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    told_by: Told,
    told: SaleTold,
) -> Result<TakenSale, Error> {
    let tally = &context.inner.conversions;
    if told.amount <= 0 {
        tally.passed.fetch_add(1, Ordering::Relaxed);
        return Ok(TakenSale::default());
    }
    let external_id = told.customer.external_id.clone();
    let stored = context.inner.books.read(move |view| {
        let known = books::known_customer::by_external_id(view, told_by.workspace, &external_id)?;
        Ok::<_, Error>(known.and_then(|known| known.click).map(|click| click.click_id))
    });
    let stored = stored.await?;
    let mut own = None;
    if let Some(text) = told.click_id.as_deref().filter(|text| !text.trim().is_empty()) {
        own = look_up_click(context, clicks, click_ids, text).await;
    }
    // A sale that names no click of ours is shown with the one that brought its customer.
    let mut brought = None;
    if own.is_none()
        && let Some(text) = &stored
    {
        brought = look_up_click(context, clicks, click_ids, text).await;
    }
    let desk = SaleDesk {
        context: context.clone(),
        customers: CustomerKey::of(click_ids, told_by.workspace),
        told_by,
        now: context.inner.clock.now(),
    };
    let taken = context
        .inner
        .books
        .commit(move |tx| desk.take(tx, &told, own, brought))
        .await?;
    let counter = match &taken {
        TakenSale { is_repeat: true, .. } => &tally.repeated,
        TakenSale { sale: None, .. } => &tally.passed,
        _ => &tally.sales,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    Ok(taken)
}

struct SaleDesk {
    context: Context,
    customers: CustomerKey,
    told_by: Told,
    now: Timestamp,
}

impl SaleDesk {
    fn take(
        &self,
        tx: &Tx<'_>,
        told: &SaleTold,
        own: Option<Returned>,
        brought: Option<Returned>,
    ) -> Result<TakenSale, Error> {
        if let Some(first) = self.known_invoice(tx, told)? {
            return Ok(first);
        }
        let Some(mut customer) = self.customer(tx, told, own.as_ref())? else {
            return Ok(TakenSale::default());
        };
        let store = self.store(tx, told)?;
        let sale = TrackedSale {
            no: 0,
            workspace: self.told_by.workspace,
            invoice_id: told.invoice_id.clone(),
            store: store.no,
            order_external_id: match &told.invoice_id {
                Some(id) => id.clone(),
                None => self.context.new_id("sale_"),
            },
            customer: Some(customer.no),
            event_name: told.event_name.clone(),
            amount: told.amount,
            currency: told.currency.clone(),
            processor: told.processor.to_owned(),
            metadata: told.metadata.clone(),
            at: self.now,
            is_from_browser: self.told_by.by == Teller::Browser,
        };
        // Before the order: who brought the customer is found through it.
        books::tracked_sale::insert(tx, &sale)?;
        customer.sales = customer.sales.with(told.amount, &told.currency, self.now);
        books::known_customer::update(tx, &customer)?;
        let returned = own.or(brought);
        let mut snapshot = self.snapshot(&sale, &customer, returned.as_ref());
        if sale.is_from_browser && !books::store::secrets(tx, store.no)?.is_empty() {
            snapshot.is_paid = false;
        }
        let desk = Desk {
            store,
            customers: self.customers,
            now: self.now,
        };
        let seen = Seen {
            click: returned,
            handed_out: Vec::new(),
            without_clicks: Vec::new(),
        };
        desk.take_order(tx, &snapshot, seen)?;
        Ok(TakenSale {
            customer: Some(customer),
            sale: Some(sale),
            is_repeat: false,
        })
    }

    fn known_invoice(&self, tx: &Tx<'_>, told: &SaleTold) -> Result<Option<TakenSale>, Error> {
        let Some(invoice_id) = &told.invoice_id else {
            return Ok(None);
        };
        let Some(first) = books::tracked_sale::by_invoice(tx, self.told_by.workspace, invoice_id)? else {
            return Ok(None);
        };
        let customer = first.customer.map(|no| books::known_customer::by_no(tx, no));
        Ok(Some(TakenSale {
            customer: customer.transpose()?.flatten(),
            sale: Some(first),
            is_repeat: true,
        }))
    }

    /// Who bought: known with the lead that must have come before, or new with a click. `None` = nobody who is known.
    fn customer(&self, tx: &Tx<'_>, told: &SaleTold, own: Option<&Returned>) -> Result<Option<KnownCustomer>, Error> {
        let workspace = self.told_by.workspace;
        let lead_name = told.lead_event_name.as_deref();
        if let Some(mut known) = books::known_customer::by_external_id(tx, workspace, &told.customer.external_id)? {
            complete(&mut known, &told.customer, None);
            let lead = books::lead::of_customer(tx, known.no, lead_name)?;
            lead.ok_or(Error::NotFound {
                what: "lead of this customer",
            })?;
            return Ok(Some(known));
        }
        if told.click_id.as_deref().is_none_or(|text| text.trim().is_empty()) {
            return Ok(None);
        }
        let unknown = || Error::NotFound { what: "click" };
        let returned = own.ok_or_else(unknown)?;
        let (click, _) = click_of(tx, workspace, returned)?.ok_or_else(unknown)?;
        let country = country_of(returned);
        let customer = insert_customer(&self.context, tx, self.told_by, &told.customer, click.clone(), country)?;
        let name = lead_name.unwrap_or(FIRST_SALE_LEAD);
        insert_lead(&self.context, tx, self.told_by, &customer, &click, name, 1, None)?;
        Ok(Some(customer))
    }

    fn snapshot(&self, sale: &TrackedSale, customer: &KnownCustomer, returned: Option<&Returned>) -> OrderSnapshot {
        OrderSnapshot {
            external_id: sale.order_external_id.clone(),
            name: sale.order_external_id.clone(),
            ordered_at: self.now,
            updated_at: OLDEST,
            currency: sale.currency.clone(),
            revenue: sale.amount,
            discounts: 0,
            is_test: false,
            is_paid: true,
            cancelled_at: None,
            customer: Some(customer.external_id.clone()),
            buyer: customer
                .email
                .as_deref()
                .and_then(|email| self.customers.of_email(email)),
            codes: Vec::new(),
            click_id: returned.map(|returned| returned.text.clone()),
            lines: Vec::new(),
        }
    }

    fn store(&self, tx: &Tx<'_>, told: &SaleTold) -> Result<Store, Error> {
        let workspace = self.told_by.workspace;
        if let Some(id) = &told.store_id {
            let store = books::store::by_id(tx, workspace, id)?;
            let store = store.ok_or_else(|| Error::invalid("storeId", "is not a store of this workspace"))?;
            if store.currency != told.currency {
                let message = format!("must be {}, which this store sells in", store.currency);
                return Err(Error::invalid("currency", message));
            }
            return Ok(store);
        }
        let stores = books::store::list(tx, workspace)?;
        if let Some(shop) = shop_of(&stores, told) {
            return Ok(shop.clone());
        }
        let own = stores
            .into_iter()
            .find(|store| store.provider == Provider::Api && store.currency == told.currency);
        match own {
            Some(own) => Ok(own),
            None => self.open_store(tx, &told.currency),
        }
    }

    fn open_store(&self, tx: &Tx<'_>, currency: &str) -> Result<Store, Error> {
        let public = self.context.public();
        let store = Store {
            no: StoreNo(0),
            id: self.context.new_id("store_"),
            workspace: self.told_by.workspace,
            name: format!("Tracked sales ({currency})"),
            provider: Provider::Api,
            base_url: format!("{}://{}/", public.scheme, public.authority),
            currency: currency.to_owned(),
            permalink: Permalink::default(),
            look: StoreLook::default(),
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: self.now,
        };
        Ok(books::store::insert(tx, store, &[])?)
    }
}

/// The shop that must mean this sale, if there is one.
fn shop_of<'a>(stores: &'a [Store], told: &SaleTold) -> Option<&'a Store> {
    let only = |wanted: &dyn Fn(&Store) -> bool| {
        let mut found = stores.iter().filter(|store| wanted(store));
        let first = found.next();
        first.filter(|_| found.next().is_none())
    };
    let of_processor = match told.processor {
        "stripe" => only(&|store| store.provider == Provider::Stripe),
        "shopify" => only(&|store| store.provider == Provider::Shopify),
        _ => None,
    };
    let shop = of_processor.or_else(|| only(&|store| store.provider != Provider::Api));
    shop.filter(|shop| shop.currency == told.currency)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::conversion::CustomerTold;
    use crate::domain::id::WorkspaceNo;

    fn store(no: u32, provider: Provider, currency: &str) -> Store {
        Store {
            no: StoreNo(no),
            id: no.to_string(),
            workspace: WorkspaceNo(1),
            name: String::new(),
            provider,
            base_url: String::new(),
            currency: currency.to_owned(),
            permalink: Permalink::default(),
            look: StoreLook::default(),
            ucp_endpoint: None,
            returns_click_ids: false,
            created_at: OLDEST,
        }
    }

    fn told(processor: &'static str, currency: &str) -> SaleTold {
        SaleTold {
            customer: CustomerTold::default(),
            amount: 1,
            currency: currency.to_owned(),
            event_name: String::new(),
            processor,
            invoice_id: None,
            lead_event_name: None,
            click_id: None,
            metadata: None,
            store_id: None,
        }
    }

    #[test]
    fn a_sale_is_a_shops_only_where_no_other_can_be_meant() {
        use Provider::{Api, Shopify, Stripe, WooCommerce};
        let (shopify, stripe, woo) = (
            store(1, Shopify, "EUR"),
            store(2, Stripe, "EUR"),
            store(3, WooCommerce, "EUR"),
        );
        let own = store(4, Api, "EUR");
        for (stores, processor, currency, expected) in [
            (vec![&own, &shopify], "custom", "EUR", Some(1)),
            (vec![&shopify], "stripe", "EUR", Some(1)),
            (vec![&shopify], "custom", "USD", None),
            (vec![&shopify, &woo], "custom", "EUR", None),
            (vec![&shopify, &stripe, &woo], "stripe", "EUR", Some(2)),
            (vec![&shopify, &stripe, &woo], "shopify", "EUR", Some(1)),
            (vec![&shopify, &stripe, &woo], "paddle", "EUR", None),
            (vec![&own], "custom", "EUR", None),
            (vec![], "custom", "EUR", None),
        ] {
            let stores: Vec<Store> = stores.into_iter().cloned().collect();
            let found = shop_of(&stores, &told(processor, currency)).map(|store| store.no.0);
            assert_eq!(found, expected, "{processor} {currency} {}", stores.len());
        }
    }
}
