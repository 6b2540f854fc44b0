//! How a link receives its followers, as the API says it: `ios`, `android` and `geo` of the dialect, and our `rules`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::error::ApiError;
use super::link_body::{CartBody, instant};
use crate::domain::reception::{Conditions, Parameter, Reception, Rule};
use crate::flows::lock_link::PasswordChange;
use crate::flows::{ReceptionChange, RuleDraft};

/// One value, or a list of which any will do.
#[derive(Deserialize)]
#[serde(untagged, expecting = "must be text or a list of texts")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RuleBody {
    device: Option<OneOrMany>,
    browser: Option<OneOrMany>,
    os: Option<OneOrMany>,
    language: Option<OneOrMany>,
    query: Option<ParameterBody>,
    ip: Option<OneOrMany>,
    country: Option<OneOrMany>,
    city: Option<OneOrMany>,
    from: Option<String>,
    until: Option<String>,
    url: Option<String>,
    cart: Option<CartBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ParameterBody {
    name: String,
    value: Option<String>,
}

/// The fields of a link's body that say how it receives its followers.
pub(super) struct ReceptionBody {
    pub ios: Option<Option<String>>,
    pub android: Option<Option<String>>,
    pub geo: Option<Option<BTreeMap<String, Option<String>>>>,
    pub rules: Option<Option<Vec<RuleBody>>>,
    pub password: Option<Option<String>>,
    pub proxy: Option<bool>,
    pub image: Option<Option<String>>,
    pub video: Option<Option<String>>,
    pub open_in_browser: Option<bool>,
}

/// What the caller said of a link's reception. An empty text means "none", as in the dialect.
pub(super) fn change(body: ReceptionBody) -> Result<ReceptionChange, ApiError> {
    let filled = |url: Option<Option<String>>| url.map(|url| url.filter(|url| !url.is_empty()));
    let rules = body.rules.map(|said| {
        let drafts = said.unwrap_or_default().into_iter().enumerate();
        drafts
            .map(|(place, body)| body.draft(place))
            .collect::<Result<Vec<_>, _>>()
            .map(Some)
    });
    let named = |geo: BTreeMap<String, Option<String>>| {
        let named = geo.into_iter().filter_map(|(country, url)| Some((country, url?)));
        named.collect()
    };
    Ok(ReceptionChange {
        ios: filled(body.ios),
        android: filled(body.android),
        geo: body.geo.map(|geo| geo.map(named)),
        rules: rules.transpose()?,
        password: body.password.map(PasswordChange::of),
        is_card: body.proxy,
        image: filled(body.image),
        video: filled(body.video),
        leaves_apps: body.open_in_browser,
    })
}

impl RuleBody {
    fn draft(self, place: usize) -> Result<RuleDraft, ApiError> {
        let list = |values: Option<OneOrMany>| match values {
            None => Vec::new(),
            Some(OneOrMany::One(value)) => vec![value],
            Some(OneOrMany::Many(values)) => values,
        };
        let at = |name: &str, text: Option<String>| {
            let read = instant(&format!("rules[{place}].{name}"), Some(text))?;
            Ok::<_, ApiError>(read.flatten())
        };
        let when = Conditions {
            devices: list(self.device),
            browsers: list(self.browser),
            systems: list(self.os),
            languages: list(self.language),
            query: self.query.map(|query| Parameter {
                name: query.name,
                value: query.value,
            }),
            networks: list(self.ip),
            countries: list(self.country),
            cities: list(self.city),
            from: at("from", self.from)?,
            until: at("until", self.until)?,
        };
        let cart = self.cart.map(|cart| cart.draft(&format!("rules[{place}].cart")));
        Ok(RuleDraft {
            when,
            url: self.url,
            cart: cart.transpose()?,
        })
    }
}

/// `geo` as answers show it.
pub(super) fn geo_view(reception: &Reception) -> Option<Value> {
    let targets = reception.geo.iter();
    let shown: Map<String, Value> = targets
        .map(|(code, target)| (code.clone(), json!(target.destination)))
        .collect();
    (!shown.is_empty()).then_some(Value::Object(shown))
}

/// A rule as answers show it: what a caller may send back as it is. `cart` is the target's cart, already drawn.
pub(super) fn rule_view(rule: &Rule, cart: Option<Value>) -> Value {
    let when = &rule.when;
    let mut view = Map::new();
    for (name, values) in [
        ("device", &when.devices),
        ("browser", &when.browsers),
        ("os", &when.systems),
        ("language", &when.languages),
        ("ip", &when.networks),
        ("country", &when.countries),
        ("city", &when.cities),
    ] {
        if !values.is_empty() {
            view.insert(name.to_owned(), json!(values));
        }
    }
    if let Some(query) = &when.query {
        view.insert("query".to_owned(), json!({ "name": query.name, "value": query.value }));
    }
    for (name, at) in [("from", when.from), ("until", when.until)] {
        if let Some(at) = at {
            view.insert(name.to_owned(), json!(at.to_string()));
        }
    }
    view.insert("url".to_owned(), json!(rule.target.destination));
    if let Some(cart) = cart {
        view.insert("cart".to_owned(), cart);
    }
    Value::Object(view)
}
