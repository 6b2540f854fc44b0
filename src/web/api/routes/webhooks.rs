//! Who is told of what happens, and what was sent.

use serde_json::json;

use super::super::description::{BodyForm, Kind, Routes, Shape, has, may, op};
use super::super::{webhook, webhook_log};
use super::{COUNT, DELETED, ID, MAYBE_INSTANT, MAYBE_TEXT, MAYBE_WHOLE, PAGE, TEXTS};
use crate::domain::webhook::Trigger;

const TRIGGER: Kind = Kind::Words(&[
    Trigger::LinkCreated.word(),
    Trigger::LinkUpdated.word(),
    Trigger::LinkDeleted.word(),
    Trigger::LinkClicked.word(),
    Trigger::LeadCreated.word(),
    Trigger::SaleCreated.word(),
]);
const STATE: Kind = Kind::Words(&["waiting", "delivered", "failed"]);

const WEBHOOK: Shape = Shape {
    name: "Webhook",
    fields: &[
        has("id", Kind::Text("wh_1"), ""),
        has("name", Kind::Text("warehouse"), ""),
        has("url", Kind::Text("https://api.example.com/hooks"), ""),
        has(
            "secret",
            Kind::OrNull(&Kind::Text("whsec_…")),
            "Shown once: where it is made.",
        ),
        has("triggers", Kind::List(&TRIGGER), "What it is told of."),
        has(
            "linkIds",
            Kind::OrNull(&TEXTS),
            "Links whose clicks it is told of; null: all.",
        ),
        has("installationId", Kind::Null, ""),
        has("disabledAt", MAYBE_INSTANT, ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
        has("notice", MAYBE_TEXT, "Ours. What somebody should know and do about it."),
        has(
            "clicksPerEvent",
            Kind::Whole(100),
            "Ours. Most clicks of one link.clicked.",
        ),
        has("failures", Kind::Whole(0), "Ours. Since the last success."),
        has("failingSince", MAYBE_INSTANT, "Ours."),
        has("nextTryAt", MAYBE_INSTANT, "Ours. Nothing is tried before."),
        has("lastSuccessAt", MAYBE_INSTANT, "Ours."),
        has("untold", Kind::Whole(0), "Ours. Events for which there was no room."),
        has(
            "oldSecretUntil",
            MAYBE_INSTANT,
            "Ours. Until when the secret before signs as well.",
        ),
    ],
};

macro_rules! delivery_fields {
    ($($more:expr),* $(,)?) => {
        &[
            has("id", Kind::Text("evt_1"), "Also the webhook-id header: the same for each attempt."),
            has("event", TRIGGER, ""),
            has("createdAt", Kind::Instant, ""),
            has("state", STATE, ""),
            has("attempts", COUNT, ""),
            has("nextAttemptAt", MAYBE_INSTANT, ""),
            has("lastAttemptAt", MAYBE_INSTANT, ""),
            has("tookMs", MAYBE_WHOLE, ""),
            has("status", MAYBE_WHOLE, "What the receiver answered."),
            has("error", MAYBE_TEXT, "Why it was not taken."),
            has("response", MAYBE_TEXT, "The beginning of the receiver's answer."),
            $($more),*
        ]
    };
}

const DELIVERY: Shape = Shape {
    name: "Delivery",
    fields: delivery_fields![],
};

const DELIVERY_WITH_BODY: Shape = Shape {
    name: "DeliveryWithBody",
    fields: delivery_fields![has("body", ID, "As it is signed and sent.")],
};

const TEST_SENT: Shape = Shape {
    name: "TestSent",
    fields: &[
        has("id", Kind::Text("evt_1"), ""),
        has("event", TRIGGER, ""),
        has("webhookId", Kind::Text("wh_1"), ""),
    ],
};

pub(super) fn add(routes: Routes) -> Routes {
    routes.tag("Webhooks").with(webhooks).with(deliveries)
}

fn webhooks(routes: Routes) -> Routes {
    let body = |name, example| {
        BodyForm::of::<webhook::WebhookBody>(name, example)
            .note(
                "triggers",
                "Some of link.created, link.updated, link.deleted, link.clicked, lead.created, sale.created.",
            )
            .note(
                "secret",
                "Only of a new one: `whsec_` and the base64 of 24 to 64 bytes. Without it, one is made.",
            )
            .note("linkIds", "Links whose clicks it is told of; null: all.")
            .note(
                "clicksPerEvent",
                "1 to 500 clicks of one link.clicked at most; 100 without it.",
            )
            .note(
                "disabled",
                "false enables a webhook again that was disabled for lasting failure.",
            )
    };
    routes
        .get(
            "/webhooks",
            webhook::list,
            op("listWebhooks", "List webhooks")
                .note("Newest first.")
                .query(&PAGE)
                .gives(200, Kind::List(&Kind::Shape(&WEBHOOK))),
        )
        .post(
            "/webhooks",
            webhook::create,
            op("createWebhook", "Make a webhook")
                .note("Its secret is shown this once.")
                .body(body(
                    "WebhookInput",
                    json!({ "name": "warehouse", "url": "https://api.example.com/hooks",
                        "triggers": ["lead.created", "sale.created"] }),
                ))
                .gives(201, Kind::Shape(&WEBHOOK)),
        )
        .get(
            "/webhooks/{id}",
            webhook::show,
            op("getWebhook", "Read a webhook").gives(200, Kind::Shape(&WEBHOOK)),
        )
        .patch(
            "/webhooks/{id}",
            webhook::update,
            op("updateWebhook", "Change a webhook")
                .note("What waits for it goes on, to the new URL.")
                .body(body("WebhookChange", json!({ "name": "warehouse in Lyon" })))
                .gives(200, Kind::Shape(&WEBHOOK)),
        )
        .delete(
            "/webhooks/{id}",
            webhook::delete,
            op("deleteWebhook", "Delete a webhook with its log").gives(200, Kind::Shape(&DELETED)),
        )
        .post(
            "/webhooks/{id}/rotate-secret",
            webhook::rotate_secret,
            op("rotateWebhookSecret", "Give a webhook a new secret")
                .note("Ours. Shown this once; the one before signs beside it for a day.")
                .gives(200, Kind::Shape(&WEBHOOK)),
        )
        .post(
            "/webhooks/{id}/test",
            webhook::test,
            op("testWebhook", "Send an event that never happened")
                .note("Ours. Without a trigger, the first that the webhook is told of.")
                .body(
                    BodyForm::of::<webhook::TestBody>("WebhookTest", json!({ "trigger": "link.created" })).or_nothing(),
                )
                .gives(200, Kind::Shape(&TEST_SENT)),
        )
}

fn deliveries(routes: Routes) -> Routes {
    let mut query = PAGE.to_vec();
    query.extend([may("state", STATE, ""), may("event", TRIGGER, "")]);
    routes
        .get(
            "/webhooks/{id}/deliveries",
            webhook_log::list,
            op("listDeliveries", "What was sent to a webhook")
                .note("Ours. Newest first, for 30 days.")
                .query(&query)
                .gives(200, Kind::List(&Kind::Shape(&DELIVERY))),
        )
        .get(
            "/webhooks/{id}/deliveries/{event}",
            webhook_log::show,
            op("getDelivery", "One delivery, with the body that was sent")
                .note("Ours.")
                .gives(200, Kind::Shape(&DELIVERY_WITH_BODY)),
        )
        .post(
            "/webhooks/{id}/deliveries/{event}/replay",
            webhook_log::replay,
            op("replayDelivery", "Send a delivery again")
                .note("Ours. Under the same id and with the same body.")
                .gives(200, Kind::Shape(&DELIVERY_WITH_BODY)),
        )
}
