//! Customers are changed and erased as the brand asks. What they bought, and who is credited, stays.

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::conversion::{AVATAR_MAX, CUSTOMER_NAME_MAX, EXTERNAL_ID_MAX, some_text, text};
use crate::domain::email;
use crate::domain::id::WorkspaceNo;
use crate::domain::known_customer::KnownCustomer;

/// What a caller says of a customer. `None` = not said, `Some(None)` = nothing any more.
#[derive(Debug, Clone, Default)]
pub struct CustomerChange {
    pub external_id: Option<String>,
    pub name: Option<Option<String>>,
    pub email: Option<Option<String>>,
    pub avatar: Option<Option<String>>,
    pub country: Option<Option<String>>,
}

/// The customer that `id` names: a public id, or `ext_` and the brand's own.
///
/// # Errors
/// [`Error::NotFound`].
pub fn find(view: &books::View<'_>, workspace: WorkspaceNo, id: &str) -> Result<KnownCustomer, Error> {
    let found = match id.strip_prefix("ext_") {
        Some(external_id) => books::known_customer::by_external_id(view, workspace, external_id)?,
        None => books::known_customer::by_id(view, workspace, id)?,
    };
    found.ok_or(Error::NotFound { what: "customer" })
}

/// An address as it is kept.
///
/// # Errors
/// `field` is none.
pub fn address(field: &'static str, told: Option<String>) -> Result<Option<String>, Error> {
    match told.filter(|told| !told.trim().is_empty()) {
        Some(told) => match email::parse(&told) {
            Some(address) => Ok(Some(address)),
            None => Err(Error::invalid(field, "must be an e-mail address")),
        },
        None => Ok(None),
    }
}

/// Changes a customer.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Conflict`] on `externalId`, [`Error::Invalid`].
pub async fn change(
    context: &Context,
    workspace: WorkspaceNo,
    id: String,
    change: CustomerChange,
) -> Result<KnownCustomer, Error> {
    let changed = context.inner.books.commit(move |tx| {
        let mut customer = find(tx, workspace, &id)?;
        if let Some(external_id) = change.external_id {
            let external_id = text("externalId", &external_id, EXTERNAL_ID_MAX)?;
            if external_id != customer.external_id && customer.sales.count > 0 {
                let message = "cannot be changed once the customer has bought: their orders go by it";
                return Err(Error::invalid("externalId", message));
            }
            customer.external_id = external_id;
        }
        if let Some(name) = change.name {
            customer.name = some_text("name", name, CUSTOMER_NAME_MAX)?;
        }
        if let Some(email) = change.email {
            customer.email = address("email", email)?;
        }
        if let Some(avatar) = change.avatar {
            customer.avatar = some_text("avatar", avatar, AVATAR_MAX)?;
        }
        if let Some(country) = change.country {
            customer.country = some_country(country)?;
        }
        books::known_customer::update(tx, &customer)?;
        Ok(customer)
    });
    changed.await
}

fn some_country(told: Option<String>) -> Result<Option<String>, Error> {
    let Some(told) = some_text("country", told, 2)? else {
        return Ok(None);
    };
    let is_code = told.len() == 2 && told.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_code {
        Ok(Some(told.to_ascii_uppercase()))
    } else {
        Err(Error::invalid("country", "must be a code of two letters such as DE"))
    }
}

/// Erases a customer; answers the public id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn erase(context: &Context, workspace: WorkspaceNo, id: String) -> Result<String, Error> {
    let pseudonym = context.new_id("erased_");
    let erased = context.inner.books.commit(move |tx| {
        let customer = find(tx, workspace, &id)?;
        books::known_customer::erase(tx, &customer, &pseudonym)?;
        Ok::<_, Error>(customer.id)
    });
    erased.await
}
