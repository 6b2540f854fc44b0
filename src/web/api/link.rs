//! `/links`: the dialect's links with our cart, stock policy, click limit and switch.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::{Body, parse, said};
use super::error::ApiError;
use super::link_answer::{LinkView, answer, answer_one};
use super::params::Params;
use super::{Api, Caller};
use crate::books::link::{LinkFilter, LinkSort};
use crate::books::{self, View};
use crate::domain::cart::{CartItem, ItemName, OnOut};
use crate::domain::id::DomainNo;
use crate::domain::link::Link;
use crate::domain::time::Timestamp;
use crate::flows::publish_link::{self, LinkChange, domain_for};
use crate::flows::{CartDraft, Error, StockPolicyDraft};

/// Default page size of link lists, as in the dialect.
const PAGE_SIZE: u32 = 100;

/// Fields of the dialect that are not built yet: refused when set, never ignored.
type NotYet = Option<Value>;

/// A link as the dialect sends it. Numbers of months and dates are instants as text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct LinkBody {
    url: Option<String>,
    domain: Option<String>,
    key: Option<String>,
    key_length: Option<usize>,
    prefix: Option<String>,
    #[serde(default, deserialize_with = "said")]
    external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    tenant_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    partner_id: Option<Option<String>>,
    track_conversion: Option<bool>,
    archived: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    expires_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    expired_url: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    title: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    description: Option<Option<String>>,
    #[serde(default, deserialize_with = "said")]
    comments: Option<Option<String>>,
    #[serde(default, rename = "utm_source", alias = "utmSource", deserialize_with = "said")]
    utm_source: Option<Option<String>>,
    #[serde(default, rename = "utm_medium", alias = "utmMedium", deserialize_with = "said")]
    utm_medium: Option<Option<String>>,
    #[serde(default, rename = "utm_campaign", alias = "utmCampaign", deserialize_with = "said")]
    utm_campaign: Option<Option<String>>,
    #[serde(default, rename = "utm_term", alias = "utmTerm", deserialize_with = "said")]
    utm_term: Option<Option<String>>,
    #[serde(default, rename = "utm_content", alias = "utmContent", deserialize_with = "said")]
    utm_content: Option<Option<String>>,
    // Ours.
    disabled: Option<bool>,
    #[serde(default, deserialize_with = "said")]
    max_clicks: Option<Option<u64>>,
    #[serde(default, deserialize_with = "said")]
    cart: Option<Option<CartBody>>,
    #[serde(default, deserialize_with = "said")]
    stock_policy: Option<Option<StockPolicyBody>>,
    #[serde(flatten)]
    not_yet: NotYetFields,
}

macro_rules! not_yet_fields {
    ($($name:ident $wire:literal),+ $(,)?) => {
        #[derive(Deserialize)]
        struct NotYetFields {
            $(#[serde(rename = $wire)] $name: NotYet,)+
        }

        impl NotYetFields {
            /// 422 for the first that is set to anything but nothing.
            fn refuse(&self) -> Result<(), ApiError> {
                $(if self.$name.as_ref().is_some_and(is_something) {
                    return Err(ApiError::invalid($wire, "is not supported yet"));
                })+
                Ok(())
            }
        }
    };
}

not_yet_fields! {
    program_id "programId", tag_ids "tagIds", tag_names "tagNames", tag_id "tagId", folder_id "folderId",
    password "password", proxy "proxy", image "image", video "video", rewrite "rewrite", ios "ios", android "android",
    geo "geo", do_index "doIndex", reference "ref", test_variants "testVariants", test_started_at "testStartedAt",
    test_completed_at "testCompletedAt", public_stats "publicStats", webhook_ids "webhookIds", rules "rules",
}

/// `null`, `false`, an empty text, list or object say "nothing", as clients send for what they do not use.
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        _ => true,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CartBody {
    store_id: String,
    items: Vec<CartItemBody>,
    #[serde(default)]
    discount_codes: Vec<String>,
    note: Option<String>,
    #[serde(default)]
    attributes: serde_json::Map<String, Value>,
    landing: Option<Landing>,
    continue_to: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Landing {
    Direct,
    Page,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CartItemBody {
    sku: Option<String>,
    variant_id: Option<Value>,
    quantity: Option<u32>,
    #[serde(default)]
    fallbacks: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StockPolicyBody {
    on_out: Option<OnOut>,
    redirect_url: Option<String>,
}

impl LinkBody {
    fn change(self) -> Result<LinkChange, ApiError> {
        self.not_yet.refuse()?;
        let expires_at = match self.expires_at {
            Some(Some(text)) => {
                let instant = Timestamp::parse(&text);
                Some(Some(instant.ok_or_else(|| {
                    ApiError::invalid("expiresAt", "must be an instant such as 2026-11-21T10:00:00Z")
                })?))
            }
            Some(None) => Some(None),
            None => None,
        };
        let cart = self
            .cart
            .map(|cart| cart.map(CartBody::draft).transpose())
            .transpose()?;
        let stock_policy = self.stock_policy.map(|policy| {
            policy.map(|body| StockPolicyDraft {
                on_out: body.on_out.unwrap_or_default(),
                redirect_url: body.redirect_url,
            })
        });
        Ok(LinkChange {
            destination: self.url,
            domain: self.domain,
            slug: self.key,
            slug_length: self.key_length,
            slug_prefix: self.prefix,
            external_id: self.external_id,
            tenant_id: self.tenant_id,
            creator_id: self.partner_id,
            tracks_conversions: self.track_conversion,
            is_archived: self.archived,
            is_disabled: self.disabled,
            expires_at,
            expired_url: self.expired_url,
            clicks_max: self.max_clicks,
            title: self.title,
            description: self.description,
            comments: self.comments,
            utm: [
                self.utm_source,
                self.utm_medium,
                self.utm_campaign,
                self.utm_term,
                self.utm_content,
            ],
            cart,
            stock_policy,
        })
    }
}

impl CartBody {
    fn draft(self) -> Result<CartDraft, ApiError> {
        if self.landing == Some(Landing::Page) {
            return Err(ApiError::invalid(
                "cart.landing",
                "page is not supported yet: use direct",
            ));
        }
        let item = |(place, item): (usize, CartItemBody)| {
            let field = format!("cart.items[{place}]");
            let name = match (item.sku, item.variant_id) {
                (Some(sku), None) => ItemName::Sku(sku),
                (None, Some(Value::String(id))) => ItemName::Variant(id),
                (None, Some(Value::Number(id))) if id.is_u64() => ItemName::Variant(id.to_string()),
                (None, Some(_)) => {
                    return Err(ApiError::invalid(
                        &format!("{field}.variantId"),
                        "must be text or a number",
                    ));
                }
                (Some(_), Some(_)) => return Err(ApiError::invalid(&field, "must have sku or variantId, not both")),
                (None, None) => return Err(ApiError::invalid(&format!("{field}.sku"), "is required (or variantId)")),
            };
            Ok(CartItem {
                name,
                quantity: item.quantity.unwrap_or(1),
                fallbacks: item.fallbacks,
            })
        };
        let attribute = |(name, value): (String, Value)| match value {
            Value::String(text) => Ok((name, text)),
            Value::Number(number) => Ok((name, number.to_string())),
            _ => Err(ApiError::invalid(&format!("cart.attributes.{name}"), "must be text")),
        };
        Ok(CartDraft {
            store_id: self.store_id,
            items: self.items.into_iter().enumerate().map(item).collect::<Result<_, _>>()?,
            discount_codes: self.discount_codes,
            note: self.note.filter(|note| !note.is_empty()),
            attributes: self.attributes.into_iter().map(attribute).collect::<Result<_, _>>()?,
            continue_to: self.continue_to,
        })
    }
}

pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<LinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let link = publish_link::create(&api.context, caller.workspace, body.change()?).await?;
    answer_one(&api, &caller, link).await
}

/// Up to 100 links at once; each entry of the answer is a link or `{link, error, code}`.
pub(super) async fn create_bulk(
    State(api): State<Api>,
    caller: Caller,
    Body(bodies): Body<Vec<Value>>,
) -> Result<Json<Vec<Value>>, ApiError> {
    if bodies.len() > publish_link::BULK_MAX {
        return Err(ApiError::invalid("body", "must have at most 100 links"));
    }
    let read: Vec<Result<LinkChange, ApiError>> = bodies
        .iter()
        .map(|body| parse::<LinkBody>(body.to_string().as_bytes()).and_then(LinkBody::change))
        .collect();
    let good = read.iter().filter_map(|change| change.as_ref().ok()).cloned().collect();
    let mut made = publish_link::create_all(&api.context, caller.workspace, good)
        .await?
        .into_iter();
    let mut results = Vec::with_capacity(bodies.len());
    for (change, body) in read.into_iter().zip(bodies) {
        let result = match change {
            Ok(_) => made.next().unwrap_or(Err(Error::Unavailable)).map_err(ApiError::from),
            Err(error) => Err(error),
        };
        results.push(match result {
            Ok(link) => serde_json::to_value(&answer_one(&api, &caller, link).await?.0).unwrap_or_default(),
            Err(error) => json!({ "link": body, "error": error.message(), "code": error.code() }),
        });
    }
    Ok(Json(results))
}

pub(super) async fn update(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(body): Body<LinkBody>,
) -> Result<Json<LinkView>, ApiError> {
    let link = publish_link::update(&api.context, caller.workspace, &id, body.change()?).await?;
    answer_one(&api, &caller, link).await
}

pub(super) async fn delete(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Value>, ApiError> {
    let link = publish_link::delete(&api.context, caller.workspace, &id).await?;
    Ok(Json(json!({ "id": link.id })))
}

pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<LinkView>, ApiError> {
    let link = api
        .context
        .books()
        .read(move |view| publish_link::find(view, caller.workspace, &id))
        .await?;
    answer_one(&api, &caller, link).await
}

/// The link named by `linkId`, `externalId`, or `domain` and `key`.
pub(super) async fn info(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<LinkView>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let named = Named::take(&mut params);
    params.end()?;
    let (inner, workspace) = (api.clone(), caller.workspace);
    let link = api
        .context
        .books()
        .read(move |view| named.find(&inner, view, workspace))
        .await?;
    let link = link.ok_or_else(|| ApiError::invalid("linkId", "or externalId, or domain and key, is required"))?;
    answer_one(&api, &caller, link).await
}

/// Whether `domain` and `key` are taken.
pub(super) async fn exists(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<bool>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let domain = params.text("domain");
    let key = params
        .text("key")
        .ok_or_else(|| ApiError::invalid("key", "is required"))?;
    params.end()?;
    let inner = api.clone();
    let found = api.context.books().read(move |view| {
        let domain = domain_for(&inner.context, view, caller.workspace, domain.as_deref())?;
        Ok::<_, Error>(books::link::by_slug(view, domain.no, &key)?.is_some())
    });
    Ok(Json(found.await?))
}

pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<LinkView>>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let page = params.page(PAGE_SIZE)?;
    let wanted = Wanted::take(&mut params)?;
    let sort = params.word("sortBy", &["createdAt", "updatedAt"])?;
    let order = params.word("sortOrder", &["asc", "desc"])?;
    params.end()?;
    let (inner, workspace) = (api.clone(), caller.workspace);
    let links = api.context.books().read(move |view| {
        let mut filter = wanted.filter(&inner, view, &caller)?;
        filter.sort = if sort == Some("updatedAt") {
            LinkSort::UpdatedAt
        } else {
            LinkSort::CreatedAt
        };
        filter.is_ascending = order == Some("asc");
        let links = books::link::list(view, workspace, &filter, &page)?;
        Ok::<_, Error>((links, caller))
    });
    let (links, caller) = links.await?;
    Ok(Json(answer(&api, &caller, links).await?))
}

/// The number of links, or groups `[{domain, _count}]` with `groupBy=domain`.
pub(super) async fn count(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    let mut params = Params::of(query.as_deref())?;
    let group_by = params.word("groupBy", &["domain"])?;
    let wanted = Wanted::take(&mut params)?;
    params.end()?;
    let inner = api.clone();
    let counted = api.context.books().read(move |view| {
        let filter = wanted.filter(&inner, view, &caller)?;
        if group_by.is_none() {
            return Ok::<_, Error>(json!(books::link::count(view, caller.workspace, &filter)?));
        }
        let mut groups = Vec::new();
        for (domain, count) in books::link::count_by_domain(view, caller.workspace, &filter)? {
            groups.push(json!({ "domain": domain_name(&inner, view, domain)?, "_count": count }));
        }
        Ok(Value::Array(groups))
    });
    Ok(Json(counted.await?))
}

/// How a domain is called in answers.
pub(super) fn domain_name(api: &Api, view: &View<'_>, domain: DomainNo) -> Result<String, Error> {
    if domain == DomainNo::DEFAULT {
        return Ok(api.context.public().authority.clone());
    }
    Ok(books::link_domain::by_no(view, domain)?
        .map(|domain| domain.slug)
        .unwrap_or_default())
}

/// A link as query parameters name it.
#[derive(Clone)]
pub(super) struct Named {
    link_id: Option<String>,
    external_id: Option<String>,
    domain: Option<String>,
    key: Option<String>,
}

impl Named {
    pub fn take(params: &mut Params) -> Self {
        Self {
            link_id: params.text("linkId"),
            external_id: params.text("externalId"),
            domain: params.text("domain"),
            key: params.text("key"),
        }
    }

    /// The domain alone, when no key narrows it to a link.
    pub fn domain_alone(&self) -> Option<&str> {
        self.domain
            .as_deref()
            .filter(|_| self.key.is_none() && self.link_id.is_none() && self.external_id.is_none())
    }

    /// The link; `None` when none is named.
    pub fn find(
        &self,
        api: &Api,
        view: &View<'_>,
        workspace: crate::domain::id::WorkspaceNo,
    ) -> Result<Option<Link>, Error> {
        if let Some(id) = &self.link_id {
            return publish_link::find(view, workspace, id).map(Some);
        }
        if let Some(id) = &self.external_id {
            let id = id.strip_prefix("ext_").unwrap_or(id);
            let found = books::link::by_external_id(view, workspace, id)?;
            return found.map(Some).ok_or(Error::NotFound { what: "link" });
        }
        let Some(key) = &self.key else { return Ok(None) };
        let domain = domain_for(&api.context, view, workspace, self.domain.as_deref())?;
        let found = books::link::by_slug(view, domain.no, key)?.filter(|link| link.workspace == workspace);
        found.map(Some).ok_or(Error::NotFound { what: "link" })
    }
}

/// Which links a list or count is about.
struct Wanted {
    domain: Option<String>,
    search: Option<String>,
    tenant_id: Option<String>,
    partner_id: Option<String>,
    shows_archived: bool,
}

impl Wanted {
    fn take(params: &mut Params) -> Result<Self, ApiError> {
        params.not_yet(&["tagId", "tagIds", "tagNames", "folderId", "userId"])?;
        // Tags do not exist yet: with or without them is the same.
        params.flag("withTags")?;
        Ok(Self {
            domain: params.text("domain"),
            search: params.text("search"),
            tenant_id: params.text("tenantId"),
            partner_id: params.text("partnerId"),
            shows_archived: params.flag("showArchived")?.unwrap_or(false),
        })
    }

    fn filter(self, api: &Api, view: &View<'_>, caller: &Caller) -> Result<LinkFilter, Error> {
        let domain = match &self.domain {
            Some(name) => Some(domain_for(&api.context, view, caller.workspace, Some(name))?.no),
            None => None,
        };
        let creator = match &self.partner_id {
            Some(id) => {
                let creator = books::creator::by_id(view, caller.workspace, id)?;
                Some(
                    creator
                        .ok_or_else(|| Error::invalid("partnerId", "is not a partner of this workspace"))?
                        .no,
                )
            }
            None => None,
        };
        Ok(LinkFilter {
            domain,
            search: self.search,
            tenant_id: self.tenant_id,
            creator,
            shows_archived: self.shows_archived,
            ..LinkFilter::default()
        })
    }
}
