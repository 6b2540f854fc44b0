//! What `/analytics` and `/events` are asked about: clicks, leads or sales, and which of them.

use super::click_filter::Clicks;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::books::conversion::ConversionFilter;
use crate::domain::money;
use crate::flows::{Error, change_customer};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Clicks,
    Leads,
    Sales,
    /// All of them side by side.
    Composite,
}

impl Event {
    pub const WORDS: [&str; 4] = ["clicks", "leads", "sales", "composite"];

    pub fn of_word(word: Option<&str>) -> Self {
        match word {
            Some("leads") => Self::Leads,
            Some("sales") => Self::Sales,
            Some("composite") => Self::Composite,
            _ => Self::Clicks,
        }
    }

    pub fn has_clicks(self) -> bool {
        matches!(self, Self::Clicks | Self::Composite)
    }

    pub fn has_leads(self) -> bool {
        matches!(self, Self::Leads | Self::Composite)
    }

    pub fn has_sales(self) -> bool {
        matches!(self, Self::Sales | Self::Composite)
    }
}

/// What rows of sales are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Sales,
    SaleAmount,
}

/// A question.
pub(super) struct Question {
    pub event: Event,
    pub clicks: Clicks,
    pub unit: Unit,
    /// ISO 4217 code; `None` = the workspace's own.
    pub currency: Option<String>,
    customer_id: Option<String>,
    is_first: Option<bool>,
}

impl Question {
    pub fn take(api: &Api, params: &mut Params) -> Result<Self, ApiError> {
        let event = Event::of_word(params.word("event", &Event::WORDS)?);
        if params.has("query") {
            let message = "is not supported yet: metadata is shown by /events, and not searched";
            return Err(ApiError::invalid("query", message));
        }
        for name in ["customerId", "saleType", "saleUnit", "currency"] {
            let belongs = match (name, event) {
                ("customerId", event) => matches!(event, Event::Leads | Event::Sales),
                ("saleType", event) => event == Event::Sales,
                (_, event) => event.has_sales(),
            };
            if params.has(name) && !belongs {
                let with = if name == "customerId" {
                    "event=leads or sales"
                } else {
                    "event=sales"
                };
                return Err(ApiError::invalid(name, &format!("goes with {with}")));
            }
        }
        let sale_type = params.word("saleType", &["new", "recurring"])?;
        let unit = params.word("saleUnit", &["sales", "saleAmount"])?;
        let currency = params.text("currency").map(|code| {
            let known = money::currency(&code.to_ascii_uppercase()).map(|known| known.code().to_owned());
            known.ok_or_else(|| ApiError::invalid("currency", "must be an ISO 4217 code such as EUR"))
        });
        Ok(Self {
            event,
            unit: if unit == Some("sales") {
                Unit::Sales
            } else {
                Unit::SaleAmount
            },
            currency: currency.transpose()?,
            customer_id: params.text("customerId"),
            is_first: sale_type.map(|word| word == "new"),
            clicks: Clicks::take(api, params)?,
        })
    }

    /// The leads and sales that are asked about, but for what their clicks say.
    pub async fn filter(&self, api: &Api, caller: &Caller) -> Result<ConversionFilter, ApiError> {
        let links = self.clicks.links_of_anybody(api, caller).await?;
        let (partners, customer_id) = (self.clicks.partners().cloned(), self.customer_id.clone());
        let mut filter = ConversionFilter {
            workspace: caller.workspace,
            span: (self.clicks.period.start, self.clicks.period.end),
            links: links.map(|links| links.into_iter().collect()),
            is_first: self.is_first,
            ..ConversionFilter::default()
        };
        let workspace = caller.workspace;
        let found = api.context.books().read(move |view| {
            let mut creators = Vec::new();
            for id in partners.iter().flat_map(|partners| &partners.texts) {
                let creator = crate::books::creator::by_id(view, workspace, id)?;
                let missing = || Error::invalid("partnerId", "is not a partner of this workspace");
                creators.push(creator.ok_or_else(missing)?.no);
            }
            let customer = customer_id.map(|id| change_customer::find(view, workspace, &id));
            let customer = customer.transpose()?.map(|customer| customer.no);
            Ok::<_, Error>((partners.map(|partners| (creators, partners.is_excluded)), customer))
        });
        (filter.creators, filter.customer) = found.await?;
        Ok(filter)
    }
}
