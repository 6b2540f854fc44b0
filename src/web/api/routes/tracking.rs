//! Conversions that the brand's own server tells, and the customers that they name.

use serde_json::json;

use super::super::description::{BodyForm, Field, Kind, Routes, Shape, has, may, op};
use super::super::{customer, track};
use super::{AMOUNT, COUNT, DELETED, ID, MAYBE_INSTANT, MAYBE_TEXT, ORDER, PAGE, URL};

const CLICKED_LINK: Shape = Shape {
    name: "ClickedLink",
    fields: &[
        has("id", Kind::Text("link_1"), ""),
        has("shortLink", URL, ""),
        has("domain", ID, ""),
        has("key", ID, ""),
        has("url", URL, ""),
        has("partnerId", MAYBE_TEXT, ""),
        has("programId", Kind::Null, ""),
        has("tenantId", MAYBE_TEXT, ""),
        has("externalId", MAYBE_TEXT, ""),
    ],
};

const CLICKED: Shape = Shape {
    name: "Clicked",
    fields: &[
        has(
            "clickId",
            MAYBE_TEXT,
            "What leads and sales are told with; null: the follower opted out.",
        ),
        has("link", Kind::OrNull(&Kind::Shape(&CLICKED_LINK)), ""),
    ],
};

const CLICK_NAME: Shape = Shape {
    name: "ClickName",
    fields: &[has("id", ID, "")],
};

const WHO: Shape = Shape {
    name: "ConversionCustomer",
    fields: &[
        has("id", Kind::Text("cus_1"), ""),
        has("name", MAYBE_TEXT, ""),
        has("email", MAYBE_TEXT, ""),
        has("avatar", MAYBE_TEXT, ""),
        has("externalId", Kind::Text("user-1"), ""),
    ],
};

const LEAD: Shape = Shape {
    name: "TrackedLead",
    fields: &[
        has("click", Kind::Shape(&CLICK_NAME), ""),
        has("link", Kind::OrNull(&Kind::Shape(&CLICKED_LINK)), ""),
        has("customer", Kind::Shape(&WHO), ""),
    ],
};

const SALE: Shape = Shape {
    name: "Sale",
    fields: &[
        has("amount", AMOUNT, ""),
        has("currency", Kind::Text("eur"), ""),
        has("paymentProcessor", Kind::Text("stripe"), ""),
        has("invoiceId", MAYBE_TEXT, ""),
        has("metadata", Kind::OrNull(&Kind::Object), ""),
    ],
};

const TRACKED_SALE: Shape = Shape {
    name: "TrackedSale",
    fields: &[
        has("eventName", Kind::Text("Purchase"), ""),
        has(
            "customer",
            Kind::OrNull(&Kind::Shape(&WHO)),
            "null: nobody has told of this customer.",
        ),
        has("sale", Kind::OrNull(&Kind::Shape(&SALE)), ""),
    ],
};

const CUSTOMER_LINK: Shape = Shape {
    name: "CustomerLink",
    fields: &[
        has("id", Kind::Text("link_1"), ""),
        has("shortLink", URL, ""),
        has("domain", ID, ""),
        has("key", ID, ""),
        has("url", URL, ""),
        has("programId", Kind::Null, ""),
    ],
};

const CUSTOMER_PARTNER: Shape = Shape {
    name: "CustomerPartner",
    fields: &[
        has("id", Kind::Text("pn_1"), ""),
        has("name", ID, ""),
        has("email", MAYBE_TEXT, ""),
        has("image", MAYBE_TEXT, ""),
    ],
};

/// Also of events, where most is not told of somebody without a name.
pub(super) const CUSTOMER: Shape = Shape {
    name: "Customer",
    fields: &[
        has("id", Kind::Text("cus_1"), ""),
        has("externalId", Kind::Text("user-1"), "The brand's own id."),
        has("name", MAYBE_TEXT, ""),
        has("email", MAYBE_TEXT, ""),
        has("avatar", MAYBE_TEXT, ""),
        has("country", MAYBE_TEXT, ""),
        has("stripeCustomerId", Kind::Null, ""),
        may("sales", COUNT, ""),
        may("saleAmount", AMOUNT, ""),
        may("saleCurrency", MAYBE_TEXT, "Ours."),
        may("firstSaleAt", MAYBE_INSTANT, ""),
        may("subscriptionCanceledAt", Kind::Null, ""),
        has("createdAt", Kind::Instant, ""),
        may("clickId", MAYBE_TEXT, "Ours: the click that brought them."),
        may("clickedAt", MAYBE_INSTANT, "Ours."),
        may(
            "link",
            Kind::OrNull(&Kind::Shape(&CUSTOMER_LINK)),
            "With includeExpandedFields.",
        ),
        may("programId", Kind::Null, ""),
        may(
            "partner",
            Kind::OrNull(&Kind::Shape(&CUSTOMER_PARTNER)),
            "With includeExpandedFields.",
        ),
        may("discount", Kind::Null, ""),
    ],
};

const EXPANDED: Field = may("includeExpandedFields", Kind::Flag, "With link and partner.");

pub(super) fn add(routes: Routes) -> Routes {
    let click = BodyForm::of::<track::ClickBody>(
        "ClickInput",
        json!({ "domain": "go.brand.example", "key": "mia", "url": "https://shop.example/?via=mia" }),
    )
    .note("ip", "Ours: who clicked; needed for a click that counts.");
    let lead = BodyForm::of::<track::LeadBody>(
        "LeadInput",
        json!({ "clickId": "…", "eventName": "Sign up", "customerExternalId": "user-1", "customerName": "Zoe" }),
    )
    .note("mode", "async, wait or deferred.");
    let sale = BodyForm::of::<track::SaleBody>(
        "SaleInput",
        json!({ "customerExternalId": "user-1", "amount": 4900, "currency": "eur", "invoiceId": "inv-1" }),
    )
    .note("amount", "In minor units.")
    .note("storeId", "Ours.");
    routes
        .tag("Conversions")
        .post(
            "/track/click",
            track::click,
            op("trackClick", "Tell of a click that no short link saw")
                .body(click)
                .gives(200, Kind::Shape(&CLICKED))
                .refuses(404),
        )
        .post(
            "/track/lead",
            track::lead,
            op("trackLead", "Tell of a lead")
                .body(lead)
                .gives(200, Kind::Shape(&LEAD))
                .refuses(404),
        )
        .post(
            "/track/sale",
            track::sale,
            op("trackSale", "Tell of a sale")
                .note("The same `invoiceId` is one sale.")
                .body(sale)
                .gives(200, Kind::Shape(&TRACKED_SALE))
                .refuses(404),
        )
        .with(customers)
}

fn customers(routes: Routes) -> Routes {
    routes
        .tag("Customers")
        .get(
            "/customers",
            customer::list,
            op("listCustomers", "List customers")
                .query(&PAGE)
                .query(&[
                    may("externalId", ID, ""),
                    may("email", ID, ""),
                    may("search", ID, ""),
                    may("country", Kind::Text("DE"), ""),
                    may("linkId", ID, ""),
                    may("partnerId", ID, ""),
                    EXPANDED,
                    may("sortBy", Kind::Words(&["createdAt", "saleAmount", "firstSaleAt"]), ""),
                    may("sortOrder", ORDER, ""),
                ])
                .gives(200, Kind::List(&Kind::Shape(&CUSTOMER))),
        )
        .get(
            "/customers/{id}",
            customer::show,
            op("getCustomer", "Read a customer")
                .query(&[EXPANDED])
                .gives(200, Kind::Shape(&CUSTOMER)),
        )
        .patch(
            "/customers/{id}",
            customer::update,
            op("updateCustomer", "Change a customer")
                .query(&[EXPANDED])
                .body(BodyForm::of::<customer::CustomerBody>(
                    "CustomerInput",
                    json!({ "name": "Zoe Moss" }),
                ))
                .gives(200, Kind::Shape(&CUSTOMER)),
        )
        .delete(
            "/customers/{id}",
            customer::erase,
            op("eraseCustomer", "Erase a customer").gives(200, Kind::Shape(&DELETED)),
        )
}
