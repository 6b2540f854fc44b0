//! Orders: what shops told, and who is credited.

use serde_json::json;

use super::super::description::{BodyForm, Kind, Routes, Shape, has, may, op};
use super::super::{order, order_import};
use super::creators::{EVIDENCE, MODELS, PROGRAM_KIND, SIGNAL_KIND};
use super::{
    AMOUNT, COUNT, CURRENCY, DRY_RUN, ID, MAYBE_INSTANT, MAYBE_NUMBER, MAYBE_TEXT, PAGE, PERIOD, TAKEN, TEXTS,
};

const STATES: Kind = Kind::Words(&["credited", "held", "none"]);
const DECISIONS: Kind = Kind::OrNull(&Kind::Words(&["release", "refuse"]));

const CREDIT: Shape = Shape {
    name: "Credit",
    fields: &[
        has("state", STATES, ""),
        has("by", Kind::OrNull(&EVIDENCE), "What decided."),
        has("partnerId", MAYBE_TEXT, ""),
        has("linkId", MAYBE_TEXT, ""),
        has("heldFor", MAYBE_TEXT, "Who gets it if the brand releases it."),
        has("decision", DECISIONS, "What the brand decided."),
        may("reason", ID, "With the journey."),
    ],
};

const LINE: Shape = Shape {
    name: "OrderLine",
    fields: &[
        has("id", MAYBE_TEXT, ""),
        has("sku", MAYBE_TEXT, ""),
        has("variantId", MAYBE_TEXT, ""),
        has("title", MAYBE_TEXT, ""),
        has("quantity", COUNT, ""),
        has("amount", AMOUNT, ""),
        has("refunded", Kind::Whole(0), ""),
        has("netAmount", AMOUNT, ""),
    ],
};

const PIECE: Shape = Shape {
    name: "Evidence",
    fields: &[
        has("kind", EVIDENCE, ""),
        has("used", Kind::Flag, ""),
        has("why", Kind::Text("used"), ""),
        has("reason", ID, "The same for people."),
        may("code", ID, ""),
        may("partnerId", MAYBE_TEXT, ""),
        may("linkId", MAYBE_TEXT, ""),
        may("leakSignals", Kind::List(&SIGNAL_KIND), ""),
        may("clickId", ID, ""),
        may("at", Kind::Instant, ""),
        may("orderId", ID, ""),
        may("leadId", ID, ""),
    ],
};

const RECEIVER: Shape = Shape {
    name: "Receiver",
    fields: &[has("partnerId", MAYBE_TEXT, ""), has("linkId", MAYBE_TEXT, "")],
};

const SHARE: Shape = Shape {
    name: "Share",
    fields: &[
        has("orders", MAYBE_NUMBER, ""),
        has("revenue", AMOUNT, ""),
        has("netRevenue", AMOUNT, ""),
    ],
};

const TOUCH: Shape = Shape {
    name: "Touch",
    fields: &[
        has("kind", ID, ""),
        has("at", Kind::Instant, ""),
        has("linkId", MAYBE_TEXT, ""),
        has("partnerId", MAYBE_TEXT, ""),
        has("inWindow", Kind::Flag, ""),
        has("creditedTo", Kind::Shape(&RECEIVER), ""),
        has("shares", Kind::Map(&Kind::Shape(&SHARE)), "By model."),
    ],
};

macro_rules! order_fields {
    ($($more:expr),* $(,)?) => {
        &[
            has("id", Kind::Text("ord_1"), ""),
            has("storeId", MAYBE_TEXT, ""),
            has("externalId", Kind::Text("5821"), "The shop's own id."),
            has("name", MAYBE_TEXT, "As the shop's people call it."),
            has("orderedAt", Kind::Instant, ""),
            has("currency", CURRENCY, ""),
            has("revenue", AMOUNT, ""),
            has("discounts", Kind::Whole(0), ""),
            has("refunded", Kind::Whole(0), ""),
            has("netRevenue", AMOUNT, ""),
            has("paid", Kind::Flag, ""),
            has("test", Kind::Flag, ""),
            has("cancelledAt", MAYBE_INSTANT, ""),
            has("quarantine", MAYBE_TEXT, "Why it is kept out of the numbers."),
            has("counted", Kind::Flag, ""),
            has("credit", Kind::Shape(&CREDIT), ""),
            $($more),*
        ]
    };
}

const REFUND: Shape = Shape {
    name: "Refund",
    fields: &[
        has("id", ID, ""),
        has("at", Kind::Instant, ""),
        has("amount", AMOUNT, ""),
    ],
};

const SUMMARY: Shape = Shape {
    name: "OrderSummary",
    fields: order_fields![],
};

const ORDER: Shape = Shape {
    name: "Order",
    fields: order_fields![
        has("lines", Kind::List(&Kind::Shape(&LINE)), ""),
        has("discountCodes", TEXTS, ""),
        has("updatedAt", Kind::Instant, "As the shop told."),
        has("clickId", MAYBE_TEXT, ""),
        has("customerId", MAYBE_TEXT, "The shop's own."),
        has("refunds", Kind::List(&Kind::Shape(&REFUND)), ""),
        has("flags", TEXTS, ""),
    ],
};

const JOURNEY: Shape = Shape {
    name: "OrderJourney",
    fields: order_fields![
        has("lines", Kind::List(&Kind::Shape(&LINE)), ""),
        has("discountCodes", TEXTS, ""),
        has("updatedAt", Kind::Instant, "As the shop told."),
        has("clickId", MAYBE_TEXT, ""),
        has("customerId", MAYBE_TEXT, "The shop's own."),
        has("refunds", Kind::List(&Kind::Shape(&REFUND)), ""),
        has("flags", TEXTS, ""),
        has(
            "program",
            PROGRAM_KIND,
            "The program that the order was credited under."
        ),
        has(
            "evidence",
            Kind::List(&Kind::Shape(&PIECE)),
            "What was found, and what of it was used."
        ),
        has("touches", Kind::List(&Kind::Shape(&TOUCH)), "Oldest first."),
    ],
};

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .tag("Orders")
        .get(
            "/orders",
            order::list,
            op("listOrders", "List orders")
                .note("Ours.")
                .query(&PAGE)
                .query(&[
                    may("partnerId", ID, ""),
                    may("storeId", ID, ""),
                    may("linkId", ID, ""),
                    may("credit", STATES, ""),
                    may("test", Kind::Flag, ""),
                    may("quarantined", Kind::Flag, ""),
                    may("search", ID, "The shop's id or name of the order."),
                    may("detail", Kind::Flag, "Each order as a whole."),
                ])
                .query(&PERIOD)
                .gives(
                    200,
                    Kind::List(&Kind::OneOf(&[Kind::Shape(&SUMMARY), Kind::Shape(&ORDER)])),
                ),
        )
        .post(
            "/orders/import",
            order_import::import,
            op("importOrders", "Take a file of orders")
                .note("Ours. The same that the shop's webhooks tell.")
                .query(&[DRY_RUN, has("storeId", Kind::Text("store_1"), "")])
                .table()
                .gives(200, Kind::Shape(&TAKEN))
                .large(),
        )
        .get(
            "/orders/{id}",
            order::show,
            op("getOrder", "Read an order")
                .note("Ours.")
                .gives(200, Kind::Shape(&ORDER)),
        )
        .get(
            "/orders/{id}/journey",
            order::journey,
            op("getOrderJourney", "Who brought an order, and why")
                .note("Ours.")
                .query(&[may("model", MODELS, "Shares under this model; all of them without it.")])
                .gives(200, Kind::Shape(&JOURNEY)),
        )
        .post(
            "/orders/{id}/credit",
            order::rule,
            op("ruleOnCredit", "Rule on a credit that is held")
                .note("Ours.")
                .body(BodyForm::of::<order::RulingBody>(
                    "RulingInput",
                    json!({ "decision": "release" }),
                ))
                .gives(200, Kind::Shape(&ORDER)),
        )
}
