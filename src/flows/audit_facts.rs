//! What the audit log says of what a brand keeps beside its links: field by field, by name. A field that is not listed here
//! is never shown, so that no secret and no person's data gets there by being added.

use serde_json::{Value, json};

use crate::domain::campaign::Campaign;
use crate::domain::creator::{BanReason, Creator};
use crate::domain::discount_code::DiscountCode;
use crate::domain::link_domain::LinkDomain;
use crate::domain::order::Order;
use crate::domain::program::Program;
use crate::domain::settings::Settings;
use crate::domain::store::Store;
use crate::domain::webhook::{Trigger, Webhook};

pub(super) fn of_domain(domain: &LinkDomain) -> Value {
    json!({
        "slug": domain.slug,
        "primary": domain.is_primary,
        "archived": domain.is_archived,
        "caseSensitive": domain.is_case_sensitive,
        "consent": domain.consent,
        "hasLegalBasis": domain.has_legal_basis,
        "cookieDomain": domain.cookie_domain,
        "takesCarts": domain.store.is_some(),
        "notFoundUrl": domain.not_found_url,
        "expiredUrl": domain.expired_url,
        "redirHosts": domain.redir_hosts,
        "verified": domain.verified_at.is_some(),
    })
}

/// Of webhook secrets it is only told when they were set anew.
pub(super) fn of_store(store: &Store, has_new_secrets: bool) -> Value {
    let mut facts = json!({
        "name": store.name,
        "provider": store.provider.as_str(),
        "baseUrl": store.base_url,
        "currency": store.currency,
        "permalink": store.permalink,
    });
    if has_new_secrets {
        facts["webhookSecrets"] = json!("set");
    }
    facts
}

/// Who a creator is stays with the creator, who may ask to be forgotten.
pub(super) fn of_creator(creator: &Creator) -> Value {
    let terms = &creator.terms;
    let ban = creator.departure.and_then(|departure| departure.ban);
    json!({
        "status": creator.status(),
        "banReason": ban.map(BanReason::as_str),
        "tenantId": terms.tenant_id,
        "niche": terms.niche,
        "platform": terms.platform,
        "followers": terms.followers,
        "cost": terms.cost,
    })
}

pub(super) fn of_code(code: &DiscountCode) -> Value {
    json!({
        "code": code.code,
        "leak": code.leak,
        "trusted": code.is_trusted,
    })
}

pub(super) fn of_campaign(campaign: &Campaign) -> Value {
    let terms = &campaign.terms;
    let (budget, currency) = terms.budget.as_ref().map(|(amount, code)| (amount, code)).unzip();
    json!({
        "name": terms.name,
        "start": terms.starts_at.map(|at| at.to_string()),
        "end": terms.ends_at.map(|at| at.to_string()),
        "budget": budget,
        "currency": currency,
        "archived": terms.is_archived,
    })
}

pub(super) fn of_program(program: &Program) -> Value {
    json!({
        "attributionWindowDays": program.window_days,
        "customerWindowDays": program.customer_window_days,
        "evidenceOrder": program.evidence_order,
        "leakSignals": program.leak_signals,
        "model": program.model.as_str(),
    })
}

pub(super) fn of_settings(settings: &Settings) -> Value {
    json!({
        "currency": settings.currency,
        "tiers": settings.tiers.get(),
        "appSchemes": settings.app_schemes,
        "publicCards": !settings.hides_cards,
    })
}

/// Of an order: whether its credit stands, and by whose word.
pub(super) fn of_credit(order: &Order) -> Value {
    json!({ "credit": order.credit.state.as_str(), "decision": order.ruling })
}

/// Of a webhook's secret it is only told when there is a new one.
pub(super) fn of_webhook(webhook: &Webhook, has_new_secret: bool) -> Value {
    let triggers: Vec<&str> = webhook.triggers.iter().map(Trigger::word).collect();
    let mut facts = json!({
        "name": webhook.name,
        "url": webhook.url,
        "triggers": triggers,
        "clicksPerEvent": webhook.clicks_per_event,
        "ofSomeLinks": webhook.is_narrow,
        "disabled": webhook.disabled.is_some(),
    });
    if has_new_secret {
        facts["secret"] = json!("set");
    }
    facts
}
