//! A link's reception as a caller names it, and its way to a [`Reception`] whose every target has passed the checks of a
//! link's own destination.

use std::collections::BTreeMap;

use super::cart_draft::CartDraft;
use super::context::Context;
use super::error::{Error, Invalid};
use super::lock_link::PasswordChange;
use crate::books::{self, View};
use crate::domain::id::WorkspaceNo;
use crate::domain::ip_range::IpRange;
use crate::domain::link::LinkTerms;
use crate::domain::locality::CITY_MAX;
use crate::domain::reception::{
    Conditions, GEO_MAX, PARAMETER_MAX, Parameter, RULES_MAX, Reception, Rule, Target, VALUES_MAX,
};
use crate::domain::user_agent::{Browser, Device, Os};
use crate::domain::{app_link, continent};

/// What a caller says of a link's reception. `None` = not said; `Some(None)` = taken away.
#[derive(Debug, Clone, Default)]
pub struct ReceptionChange {
    pub ios: Option<Option<String>>,
    pub android: Option<Option<String>>,
    /// Destinations by country code.
    pub geo: Option<Option<BTreeMap<String, String>>>,
    pub rules: Option<Option<Vec<RuleDraft>>>,
    pub password: Option<PasswordChange>,
    pub is_card: Option<bool>,
    pub image: Option<Option<String>>,
    pub video: Option<Option<String>>,
    pub leaves_apps: Option<bool>,
}

/// One rule as a caller names it: conditions, and a URL or a cart.
#[derive(Debug, Clone, Default)]
pub struct RuleDraft {
    pub when: Conditions,
    pub url: Option<String>,
    pub cart: Option<CartDraft>,
}

impl ReceptionChange {
    /// Writes what the caller said into `terms`, whose own destination is settled.
    pub(super) fn apply(
        self,
        context: &Context,
        view: &View<'_>,
        workspace: WorkspaceNo,
        terms: &mut LinkTerms,
    ) -> Result<(), Error> {
        let ground = Ground {
            context,
            view,
            workspace,
            terms,
        };
        let mut reception: Reception = terms.reception.clone();
        for (field, said, place) in [
            ("ios", self.ios, &mut reception.ios),
            ("android", self.android, &mut reception.android),
        ] {
            if let Some(said) = said {
                *place = said.map(|url| ground.device(field, &url)).transpose()?;
            }
        }
        if let Some(said) = self.geo {
            reception.geo = ground.geo(said.unwrap_or_default())?;
        }
        if let Some(said) = self.rules {
            reception.rules = ground.rules(said.unwrap_or_default())?;
        }
        for (field, said, place) in [
            ("image", self.image, &mut reception.image),
            ("video", self.video, &mut reception.video),
        ] {
            if let Some(said) = said {
                let checked = said.map(|url| context.check_destination(field, &url));
                *place = checked.transpose()?.map(String::from);
            }
        }
        if let Some(password) = self.password {
            password.apply(&mut reception.password)?;
        }
        reception.is_card = self.is_card.unwrap_or(reception.is_card);
        reception.leaves_apps = self.leaves_apps.unwrap_or(reception.leaves_apps);
        terms.reception = reception;
        Ok(())
    }
}

/// What a target's checks need.
struct Ground<'a, 'v> {
    context: &'a Context,
    view: &'a View<'v>,
    workspace: WorkspaceNo,
    terms: &'a LinkTerms,
}

impl Ground<'_, '_> {
    /// A device's target: the web's, or an app's under a scheme that the brand has listed.
    fn device(&self, field: &str, url: &str) -> Result<Target, Error> {
        let is_web = |scheme: &str| {
            url.get(..scheme.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
        };
        if is_web("http:") || is_web("https:") {
            return self.url(field, url);
        }
        let schemes = books::settings::of(self.view, self.workspace)?.app_schemes;
        let checked = app_link::check(url, &schemes).map_err(|error| Error::invalid(field, error.message()))?;
        Ok(Target {
            destination: checked,
            ..Target::default()
        })
    }

    fn geo(&self, said: BTreeMap<String, String>) -> Result<BTreeMap<String, Target>, Error> {
        if said.len() > GEO_MAX {
            return Err(Error::invalid("geo", format!("must have at most {GEO_MAX} countries")));
        }
        let mut geo = BTreeMap::new();
        for (code, url) in said {
            let field = format!("geo.{code}");
            let target = self.url(&field, &url)?;
            if geo.insert(country(&field, &code)?, target).is_some() {
                return Err(Error::invalid(field, "is named twice"));
            }
        }
        Ok(geo)
    }

    fn rules(&self, said: Vec<RuleDraft>) -> Result<Vec<Rule>, Error> {
        if said.len() > RULES_MAX {
            return Err(Error::invalid("rules", format!("must have at most {RULES_MAX} rules")));
        }
        let rules = said.into_iter().enumerate();
        rules
            .map(|(place, draft)| self.rule(&format!("rules[{place}]"), draft))
            .collect()
    }

    fn rule(&self, field: &str, draft: RuleDraft) -> Result<Rule, Error> {
        let when = checked(field, draft.when)?;
        let target = match (draft.cart, draft.url) {
            (Some(cart), _) => self.cart(cart, Default::default(), |inner| format!("{field}.{inner}"))?,
            (None, Some(url)) => self.url(&format!("{field}.url"), &url)?,
            (None, None) => return Err(Error::invalid(format!("{field}.url"), "is required, or cart")),
        };
        Ok(Rule { when, target })
    }

    /// A destination, or the cart that it is in the grammar of one of the workspace's stores.
    fn url(&self, field: &str, url: &str) -> Result<Target, Error> {
        let url = self.context.check_destination(field, url)?;
        if let Some((draft, utm)) = CartDraft::recognise(self.view, self.workspace, &url)? {
            return self.cart(draft, utm, |_| field.to_owned());
        }
        Ok(Target {
            destination: url.into(),
            ..Target::default()
        })
    }

    /// A cart; `within` names the fields of its errors, which begin with `cart`.
    fn cart(
        &self,
        draft: CartDraft,
        utm: [Option<String>; 5],
        within: impl Fn(&str) -> String,
    ) -> Result<Target, Error> {
        let sent = std::array::from_fn(|place| utm[place].clone().or_else(|| self.terms.utm[place].clone()));
        let resolved = draft.resolve(self.context, self.view, self.workspace, &sent);
        let (cart, destination) = resolved.map_err(|error| match error {
            Error::Invalid(Invalid { field, message }) => Error::invalid(within(&field), message),
            other => other,
        })?;
        Ok(Target {
            destination,
            cart: Some(cart),
            utm,
        })
    }
}

fn country(field: &str, code: &str) -> Result<String, Error> {
    let code = code.to_ascii_uppercase();
    match continent::of_country(&code) {
        Some(_) if code.len() == 2 => Ok(code),
        _ => Err(Error::invalid(
            field,
            "must be an ISO 3166-1 code of two letters such as DE",
        )),
    }
}

/// The conditions of the rule `field` in the form in which they are kept.
fn checked(field: &str, when: Conditions) -> Result<Conditions, Error> {
    if when.is_empty() {
        let message = "must have a condition: device, browser, os, language, query, ip, country, city, from or until";
        return Err(Error::invalid(field, message));
    }
    let within = |name: &str| format!("{field}.{name}");
    let named = |name: &str, values: Vec<String>, find: fn(&str) -> Option<&'static str>, all: String| {
        each(&within(name), values, |value| {
            let found = find(&value).map(str::to_owned);
            found.ok_or_else(|| format!("must be one of {all}"))
        })
    };
    let devices = named(
        "device",
        when.devices,
        |it| Device::of_name(it).map(Device::name),
        Device::names(),
    )?;
    let browsers = named(
        "browser",
        when.browsers,
        |it| Browser::of_name(it).map(Browser::name),
        Browser::names(),
    )?;
    let systems = named("os", when.systems, |it| Os::of_name(it).map(Os::name), Os::names())?;
    let languages = each(&within("language"), when.languages, |tag| {
        let is_tag =
            (2..=35).contains(&tag.len()) && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        is_tag
            .then_some(tag)
            .ok_or_else(|| "must be a language tag such as de or de-AT".to_owned())
    })?;
    let networks = each(&within("ip"), when.networks, |range| {
        let message = "must be an address or a network such as 192.0.2.0/24 or 2001:db8::/32";
        IpRange::parse(&range).map(|_| range).ok_or_else(|| message.to_owned())
    })?;
    let countries = each(&within("country"), when.countries, |code| {
        country("", &code).map_err(|_| "must be an ISO 3166-1 code of two letters such as DE".to_owned())
    })?;
    let cities = each(&within("city"), when.cities, |city| {
        let fits = !city.trim().is_empty() && city.len() <= CITY_MAX;
        fits.then_some(city)
            .ok_or_else(|| format!("must be a name of at most {CITY_MAX} bytes"))
    })?;
    if let Some(Parameter { name, value }) = &when.query {
        let is_long = |text: &str| text.chars().count() > PARAMETER_MAX;
        if name.is_empty() || is_long(name) || value.as_deref().is_some_and(is_long) {
            let message =
                format!("must have a name of 1 to {PARAMETER_MAX} characters, and a value of at most as many");
            return Err(Error::invalid(within("query"), message));
        }
    }
    if when.from.zip(when.until).is_some_and(|(from, until)| until <= from) {
        return Err(Error::invalid(within("until"), "must be after from"));
    }
    Ok(Conditions {
        devices,
        browsers,
        systems,
        languages,
        networks,
        countries,
        cities,
        ..when
    })
}

/// Each of `values` as `read` keeps it.
fn each(
    field: &str,
    values: Vec<String>,
    read: impl Fn(String) -> Result<String, String>,
) -> Result<Vec<String>, Error> {
    if values.len() > VALUES_MAX {
        return Err(Error::invalid(field, format!("must have at most {VALUES_MAX} values")));
    }
    let read = |value: String| read(value).map_err(|message| Error::invalid(field, message));
    values.into_iter().map(read).collect()
}
