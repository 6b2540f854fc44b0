//! `/customers`: whom leads and sales have named, in the dialect's words. Their sums are what `/track/sale` told; what was
//! given back is in the reports.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, said};
use super::error::ApiError;
use super::link_answer::short_link;
use super::link_query::domain_name;
use super::params::Params;
use super::{Api, Caller};
use crate::books::known_customer::{CustomerFilter, CustomerSort};
use crate::books::{self, View};
use crate::domain::known_customer::KnownCustomer;
use crate::flows::change_customer::{self, CustomerChange};
use crate::flows::{Error, publish_link};

/// Default page size, as in the dialect.
const PAGE_SIZE: u32 = 100;

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<Value>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let is_expanded = params.flag("includeExpandedFields")?.unwrap_or(false);
    params.not_yet(&["programId"])?;
    let sort = params.word(
        "sortBy",
        &["createdAt", "saleAmount", "firstSaleAt", "subscriptionCanceledAt"],
    )?;
    let sort = match sort {
        Some("saleAmount") => CustomerSort::SaleAmount,
        Some("firstSaleAt") => CustomerSort::FirstSaleAt,
        Some("subscriptionCanceledAt") => {
            return Err(ApiError::invalid("sortBy", "subscriptionCanceledAt is not kept here"));
        }
        _ => CustomerSort::CreatedAt,
    };
    let is_ascending = params.word("sortOrder", &["asc", "desc"])? == Some("asc");
    let (link_id, partner_id) = (params.text("linkId"), params.text("partnerId"));
    let filter = CustomerFilter {
        external_id: params.text("externalId"),
        email: params.text("email"),
        search: params.text("search"),
        country: params.text("country").map(|country| country.to_ascii_uppercase()),
        link: None,
        creator: None,
    };
    params.end()?;
    let inner = api.clone();
    let listed = api.context.books().read(move |view| {
        let workspace = caller.workspace;
        let link = link_id.map(|id| match publish_link::find(view, workspace, &id) {
            Err(Error::NotFound { .. }) => Err(Error::invalid("linkId", "is not a link of this workspace")),
            found => found,
        });
        let creator = partner_id.map(|id| {
            let found = books::creator::by_id(view, workspace, &id)?;
            found.ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))
        });
        let filter = CustomerFilter {
            link: link.transpose()?.map(|link| link.no),
            creator: creator.transpose()?.map(|creator| creator.no),
            ..filter
        };
        let found = books::known_customer::list(view, workspace, &filter, (sort, is_ascending), &page)?;
        found
            .iter()
            .map(|customer| answer(&inner, view, customer, is_expanded))
            .collect::<Result<Vec<_>, _>>()
    });
    Ok(Json(listed.await?))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let is_expanded = expanded(query.as_deref())?;
    let inner = api.clone();
    let found = api.context.books().read(move |view| {
        let customer = change_customer::find(view, caller.workspace, &id)?;
        answer(&inner, view, &customer, is_expanded)
    });
    Ok(Json(found.await?))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CustomerBody {
    external_id: Option<String>,
    #[serde(default, deserialize_with = "said")]
    name: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    email: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    avatar: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    country: Option<Option<String>>,
    // Of the dialect, not kept here.
    stripe_customer_id: Option<Value>,
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    Body(body): Body<CustomerBody>,
) -> Result<Json<Value>, ApiError> {
    let is_expanded = expanded(query.as_deref())?;
    if body.stripe_customer_id.is_some_and(|id| !id.is_null()) {
        return Err(ApiError::invalid("stripeCustomerId", "is not supported yet"));
    }
    let change = CustomerChange {
        external_id: body.external_id,
        name: body.name,
        email: body.email,
        avatar: body.avatar,
        country: body.country,
    };
    let customer = change_customer::change(&api.context, caller.workspace, id, change).await?;
    let inner = api.clone();
    let answered = api
        .context
        .books()
        .read(move |view| answer(&inner, view, &customer, is_expanded));
    Ok(Json(answered.await?))
}

pub(super) async fn erase(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let id = change_customer::erase(&api.context, caller.workspace, id).await?;
    Ok(Json(json!({ "id": id })))
}

fn expanded(query: Option<&str>) -> Result<bool, ApiError> {
    let mut params = Params::of(query)?;
    let is_expanded = params.flag("includeExpandedFields")?.unwrap_or(false);
    params.end()?;
    Ok(is_expanded)
}

/// A customer as events and lists show one.
pub(super) fn brief(customer: &KnownCustomer) -> Value {
    let sales = &customer.sales;
    json!({
        "id": customer.id,
        "externalId": customer.external_id,
        "name": customer.name,
        "email": customer.email,
        "avatar": customer.avatar,
        "country": customer.country,
        "stripeCustomerId": null,
        "sales": sales.count,
        "saleAmount": sales.amount,
        "saleCurrency": sales.currency,
        "firstSaleAt": sales.first_at.map(|at| at.to_string()),
        "subscriptionCanceledAt": null,
        "createdAt": customer.created_at.to_string(),
    })
}

fn answer(api: &Api, view: &View<'_>, customer: &KnownCustomer, is_expanded: bool) -> Result<Value, Error> {
    let mut answer = brief(customer);
    let click = customer.click.as_ref();
    answer["clickId"] = json!(click.map(|click| &click.click_id));
    answer["clickedAt"] = json!(click.map(|click| click.at.to_string()));
    if !is_expanded {
        return Ok(answer);
    }
    let link = click
        .map(|click| books::link::by_no(view, click.link))
        .transpose()?
        .flatten();
    answer["link"] = match &link {
        Some(link) => {
            let domain = domain_name(api, view, link.domain)?;
            json!({
                "id": link.id,
                "shortLink": short_link(&api.context.public().scheme, &domain, &link.slug),
                "domain": domain,
                "key": link.slug,
                "url": link.terms.destination,
                "programId": null,
            })
        }
        None => Value::Null,
    };
    let creator = click
        .and_then(|click| click.creator)
        .map(|no| books::creator::by_no(view, no));
    answer["programId"] = Value::Null;
    answer["partner"] = creator.transpose()?.flatten().map_or(Value::Null, |creator| {
        let terms = &creator.terms;
        json!({ "id": creator.id, "name": terms.name, "email": terms.email, "image": terms.image })
    });
    answer["discount"] = Value::Null;
    Ok(answer)
}
