//! Analytics, events and reports.

use super::super::description::{Field, Kind, Routes, Shape, has, may, op};
use super::super::{analytics, event, report};
use super::links::LINK;
use super::tracking::CUSTOMER;
use super::{
    AMOUNT, COUNT, CURRENCY, ID, MAYBE_INSTANT, MAYBE_NUMBER, MAYBE_TEXT, MAYBE_WHOLE, ORDER, PERIOD, TEXTS, URL,
};

const FOLDER_NAME: Shape = Shape {
    name: "CountedFolder",
    fields: &[
        has("id", ID, ""),
        has("name", ID, ""),
        has("accessLevel", MAYBE_TEXT, ""),
    ],
};

const PARTNER_NAME: Shape = Shape {
    name: "CountedPartner",
    fields: &[
        has("id", ID, ""),
        has("name", ID, ""),
        has("image", MAYBE_TEXT, ""),
        has("country", MAYBE_TEXT, ""),
        has("payoutsEnabledAt", Kind::Null, ""),
    ],
};

const TAG_NAME: Shape = Shape {
    name: "CountedTag",
    fields: &[
        has("id", ID, ""),
        has("name", ID, ""),
        has("color", super::links::COLORS, ""),
    ],
};

const COUNTED: Shape = Shape {
    name: "Counted",
    fields: &[
        may("clicks", COUNT, ""),
        may("leads", COUNT, ""),
        may("sales", COUNT, ""),
        may("saleAmount", AMOUNT, "Revenue less what was given back."),
        may("checkoutTaps", COUNT, "Ours."),
        may("uniqueVisitors", MAYBE_WHOLE, "Ours: null where nobody counted them."),
        may(
            "partialBefore",
            MAYBE_INSTANT,
            "Ours: clicks before it are gone by age.",
        ),
        may("currency", CURRENCY, "Ours: what amounts are in."),
        may(
            "otherCurrencies",
            Kind::Map(&AMOUNT),
            "Ours: amounts that no sum holds.",
        ),
    ],
};

/// One row of a grouping: what it is of, and its figures.
const ROW: Shape = Shape {
    name: "CountedRow",
    fields: &[
        may("clicks", COUNT, ""),
        may("leads", COUNT, ""),
        may("sales", COUNT, ""),
        may("saleAmount", AMOUNT, ""),
        may("start", ID, "Of a time series."),
        may("continent", ID, ""),
        may("country", ID, "A code of two letters, or Unknown."),
        may("region", ID, ""),
        may("city", ID, ""),
        may("device", ID, ""),
        may("browser", ID, ""),
        may("os", ID, ""),
        may("referer", ID, ""),
        may("refererUrl", ID, ""),
        may("trigger", ID, ""),
        may("utm_source", ID, ""),
        may("utm_medium", ID, ""),
        may("utm_campaign", ID, ""),
        may("utm_term", ID, ""),
        may("utm_content", ID, ""),
        may("link", ID, ""),
        may("id", ID, ""),
        may("domain", ID, ""),
        may("key", ID, ""),
        may("shortLink", URL, ""),
        may("url", URL, ""),
        may("title", MAYBE_TEXT, ""),
        may("comments", MAYBE_TEXT, ""),
        may("folderId", MAYBE_TEXT, ""),
        may("folder", Kind::Shape(&FOLDER_NAME), ""),
        may("partnerId", MAYBE_TEXT, ""),
        may("partner", Kind::Shape(&PARTNER_NAME), ""),
        may("tagId", ID, ""),
        may("tag", Kind::Shape(&TAG_NAME), ""),
        may("createdAt", Kind::Instant, ""),
    ],
};

const CLICK: Shape = Shape {
    name: "Click",
    fields: &[
        has("id", ID, ""),
        has("timestamp", Kind::Instant, ""),
        has("url", URL, ""),
        has("country", Kind::Text("DE"), ""),
        has("city", ID, ""),
        has("region", ID, ""),
        has("continent", Kind::Text("EU"), ""),
        has("device", Kind::Text("Mobile"), ""),
        has("browser", ID, ""),
        has("os", ID, ""),
        has("ua", Kind::Null, ""),
        has("trigger", Kind::Words(&["link", "qr"]), ""),
        has("referer", Kind::Text("(direct)"), ""),
        has("refererUrl", Kind::Text("(direct)"), ""),
        has("qr", Kind::Flag, ""),
        has("ip", Kind::Text(""), "Always empty: no address is ever stored."),
        has("app", MAYBE_TEXT, "Ours: the app whose own browser it was."),
        has("language", ID, "Ours."),
        has("visitorId", MAYBE_TEXT, "Ours."),
        has("flags", TEXTS, "Ours."),
        has("counted", Kind::Flag, "Ours: whether it is among `clicks`."),
    ],
};

const EVENT_SALE: Shape = Shape {
    name: "EventSale",
    fields: &[
        has("amount", AMOUNT, ""),
        has("invoiceId", ID, ""),
        has("paymentProcessor", ID, ""),
        has("currency", Kind::Text("eur"), ""),
        has("refunded", Kind::Whole(0), "Ours."),
    ],
};

const EVENT: Shape = Shape {
    name: "Event",
    fields: &[
        has("event", Kind::Words(&["click", "lead", "sale"]), ""),
        has("timestamp", Kind::Instant, ""),
        has("click", Kind::Shape(&CLICK), ""),
        has("link", Kind::Shape(&LINK), ""),
        has("click_id", ID, ""),
        has("link_id", ID, ""),
        has("domain", ID, ""),
        has("key", ID, ""),
        has("url", URL, ""),
        has("continent", ID, ""),
        has("country", ID, ""),
        has("city", ID, ""),
        has("device", ID, ""),
        has("browser", ID, ""),
        has("os", ID, ""),
        has("qr", Kind::Whole(0), ""),
        has("ip", Kind::Text(""), ""),
        may("customer", Kind::Shape(&CUSTOMER), "Of a lead or a sale."),
        may("eventId", ID, "Of a lead or a sale."),
        may("eventName", ID, "Of a lead or a sale."),
        may("eventQuantity", Kind::Whole(1), "Of a lead."),
        may("metadata", Kind::OrNull(&Kind::Object), "As it was told."),
        may(
            "source",
            Kind::Words(&["browser", "server", "store"]),
            "Ours: who told of it.",
        ),
        may("sale", Kind::Shape(&EVENT_SALE), ""),
        may("saleAmount", AMOUNT, ""),
        may("invoice_id", ID, ""),
        may("payment_processor", ID, ""),
    ],
};

macro_rules! figures {
    ($($more:expr),* $(,)?) => {
        &[
            has("clicks", COUNT, ""),
            has("uniqueVisitors", MAYBE_WHOLE, "null by code and country: nobody counts them so."),
            has("checkoutTaps", COUNT, ""),
            has("orders", Kind::Number, "Shared out with up to three decimals."),
            has("newCustomers", Kind::Number, ""),
            has("returningCustomers", Kind::Number, ""),
            has("grossRevenue", AMOUNT, ""),
            has("discounts", AMOUNT, ""),
            has("refunds", AMOUNT, ""),
            has("netRevenue", AMOUNT, ""),
            has("conversionRate", MAYBE_NUMBER, "Orders a click."),
            has("conversionRateLow", MAYBE_NUMBER, "Of its 95 % interval."),
            has("conversionRateHigh", MAYBE_NUMBER, ""),
            has("averageOrder", MAYBE_NUMBER, "Gross revenue an order."),
            has("epc", MAYBE_NUMBER, "Net revenue a click."),
            has("spend", AMOUNT, ""),
            has("cac", MAYBE_NUMBER, "Spend a new customer."),
            has("costOfGoods", AMOUNT, "Of the orders whose cost is known."),
            has("ordersWithCost", Kind::Number, ""),
            has("margin", MAYBE_WHOLE, "null unless every cost is known."),
            has("roi", MAYBE_NUMBER, ""),
            has("roas", MAYBE_NUMBER, "Net revenue by spend."),
            has("unconverted", COUNT, "Orders in a currency without a rate."),
            has("unconvertedSpend", COUNT, ""),
            $($more),*
        ]
    };
}

const FIGURES: Shape = Shape {
    name: "Figures",
    fields: figures![],
};

const PERFORMANCE: Shape = Shape {
    name: "PerformanceRow",
    fields: figures![
        has("key", Kind::Text("pn_1"), ""),
        has("name", Kind::Text("Mia"), ""),
        has("currency", CURRENCY, ""),
        may("previous", Kind::Shape(&FIGURES), "With compare."),
    ],
};

/// Filters by what links and clicks say: one value, several between commas, or with a leading `-` those that are left out.
const NARROW: [Field; 30] = [
    may(
        "linkId",
        ID,
        "One, several between commas, or with a leading - those left out; so all filters.",
    ),
    may("externalId", ID, ""),
    may("domain", ID, ""),
    may("key", ID, "With domain, or on the domain that links get without one."),
    may("root", Kind::Flag, "No link stands at the root of a domain here."),
    may("partnerId", ID, ""),
    may("tenantId", ID, ""),
    may("url", URL, ""),
    may("tagId", ID, ""),
    may("tagIds", ID, ""),
    may("folderId", ID, ""),
    may("country", Kind::Text("DE"), ""),
    may("city", ID, ""),
    may("region", Kind::Text("US-CA"), ""),
    may("continent", Kind::Text("EU"), ""),
    may("device", ID, ""),
    may("browser", ID, ""),
    may("os", ID, ""),
    may("trigger", Kind::Text("qr"), "link, qr, deeplink or pageview."),
    may("referer", ID, ""),
    may("refererUrl", ID, ""),
    may("utm_source", ID, ""),
    may("utm_medium", ID, ""),
    may("utm_campaign", ID, ""),
    may("utm_term", ID, ""),
    may("utm_content", ID, ""),
    may("language", ID, ""),
    may("qr", Kind::Flag, "The older word for trigger=qr."),
    may(
        "include",
        Kind::Text("bots,repeats"),
        "Ours: what is counted beside people: repeats, bots, prefetch, head, test.",
    ),
    may(
        "granularity",
        Kind::Words(&["hour", "day", "week", "month"]),
        "Ours: steps of a time series.",
    ),
];

const OF_SALES: [Field; 4] = [
    may("customerId", ID, "With event=leads or sales."),
    may("saleType", Kind::Words(&["new", "recurring"]), "With event=sales."),
    may(
        "saleUnit",
        Kind::Words(&["sales", "saleAmount"]),
        "What rows of sales are ranked by.",
    ),
    may("currency", CURRENCY, "With event=sales: what amounts are in."),
];

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .tag("Analytics")
        .get(
            "/analytics",
            analytics::read,
            op("readAnalytics", "Count clicks, leads and sales")
                .note("Header `Hopcart-Partial-Before` says that older clicks are gone by age.")
                .query(&[
                    may("event", Kind::Words(&["clicks", "leads", "sales", "composite"]), ""),
                    may("groupBy", Kind::Words(&GROUPS), ""),
                ])
                .query(&PERIOD)
                .query(&NARROW)
                .query(&OF_SALES)
                .gives(
                    200,
                    Kind::OneOf(&[Kind::Shape(&COUNTED), Kind::List(&Kind::Shape(&ROW))]),
                )
                .refuses(404),
        )
        .tag("Events")
        .get(
            "/events",
            event::list,
            op("listEvents", "List clicks, leads or sales, one by one")
                .query(&[
                    may("event", Kind::Words(&["clicks", "leads", "sales"]), ""),
                    may(
                        "page",
                        Kind::Range(1, event::PAGE_MAX),
                        "Goes with neither startingAfter nor endingBefore.",
                    ),
                    may("limit", Kind::Range(1, event::LIMIT_MAX), "Most events of a page."),
                    may("startingAfter", ID, "An event's id."),
                    may("endingBefore", ID, "An event's id."),
                    may("sortBy", Kind::Words(&["timestamp"]), ""),
                    may("sortOrder", ORDER, ""),
                    may("order", ORDER, "The dialect's older word for sortOrder."),
                ])
                .query(&PERIOD)
                .query(&NARROW)
                .query(&OF_SALES)
                .gives(200, Kind::List(&Kind::Shape(&EVENT)))
                .refuses(404),
        )
        .with(reports)
}

const GROUPS: [&str; 27] = [
    "count",
    "timeseries",
    "continents",
    "countries",
    "regions",
    "cities",
    "devices",
    "browsers",
    "os",
    "referers",
    "referer_urls",
    "triggers",
    "trigger",
    "utm_sources",
    "utm_mediums",
    "utm_campaigns",
    "utm_terms",
    "utm_contents",
    "top_links",
    "top_domains",
    "top_partners",
    "top_folders",
    "top_link_tags",
    "top_urls",
    "top_base_urls",
    "top_groups",
    "top_partner_tags",
];

fn reports(routes: Routes) -> Routes {
    let groups = Kind::Words(&[
        "creator", "niche", "tier", "platform", "campaign", "content", "link", "variant", "code", "country", "store",
    ]);
    routes.tag("Reports").get(
        "/reports/performance",
        report::performance,
        op(
            "readPerformance",
            "What each creator, niche, campaign, video, link, code or country brought",
        )
        .note("Ours.")
        .query(&[
            may("groupBy", groups, ""),
            may("sortBy", Kind::Words(&report::FIGURES), "Largest first."),
            may(
                "compare",
                Kind::Words(&["previous"]),
                "With the period of the same length right before.",
            ),
            may("format", Kind::Words(&["json", "csv"]), ""),
            may(
                "currency",
                CURRENCY,
                "What amounts are in; the workspace's own without it.",
            ),
            may("model", super::creators::MODELS, "How credit is shared out."),
            may("partnerId", ID, "One row's only; so the others."),
            may("niche", ID, ""),
            may("tier", ID, ""),
            may("platform", ID, ""),
            may("campaignId", ID, ""),
            may("contentId", ID, ""),
            may("linkId", ID, ""),
            may("storeId", ID, ""),
            may("country", Kind::Text("DE"), ""),
        ])
        .query(&PERIOD)
        .gives(200, Kind::List(&Kind::Shape(&PERFORMANCE)))
        .gives_file("text/csv", "The rows; as CSV with format=csv."),
    )
}
