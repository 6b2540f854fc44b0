//! Who waits for products, and who wants to be forgotten.

use serde_json::json;

use super::super::description::{BodyForm, Field, Kind, Routes, Shape, has, may, op};
use super::super::{erasure, waitlist};
use super::{COUNT, ID, MAYBE_TEXT, PAGE, TEXTS};

const ENTRY: Shape = Shape {
    name: "WaitlistEntry",
    fields: &[
        has("id", Kind::Text("wl_1"), ""),
        has("email", Kind::Text("zoe@mail.example"), ""),
        has("linkId", MAYBE_TEXT, ""),
        has("storeId", Kind::Text("store_1"), ""),
        has("skus", TEXTS, ""),
        has("language", ID, ""),
        has("consent", ID, "The words that they agreed to."),
        has("createdAt", Kind::Instant, ""),
    ],
};

const ERASED: Shape = Shape {
    name: "Erased",
    fields: &[has("erased", COUNT, "")],
};

const ERASURE: Shape = Shape {
    name: "Erasure",
    fields: &[
        has("erasedAt", Kind::Instant, ""),
        has("what", Kind::Words(&["visitor", "click"]), ""),
        has("clicks", COUNT, ""),
        has("blocks", COUNT, "Of the click log that were written anew."),
        has("segments", COUNT, ""),
        has(
            "storesSetAside",
            Kind::Whole(0),
            "Corrupt stores: only people can delete what is in them.",
        ),
        may("orders", COUNT, "Orders that no longer tell who it was."),
    ],
};

const WANTED: [Field; 3] = [
    may("linkId", ID, ""),
    may("storeId", ID, ""),
    may("email", Kind::Text("zoe@mail.example"), ""),
];

pub(super) fn add(routes: Routes) -> Routes {
    waiting(routes).with(privacy)
}

fn waiting(routes: Routes) -> Routes {
    routes
        .tag("Waiting lists")
        .get(
            "/waitlist",
            waitlist::list,
            op("listWaitlist", "List who waits")
                .note("Ours.")
                .query(&PAGE)
                .query(&WANTED)
                .gives(200, Kind::List(&Kind::Shape(&ENTRY))),
        )
        .delete(
            "/waitlist",
            waitlist::erase,
            op("eraseWaitlistAddress", "Erase an address from every list")
                .note("Ours.")
                .query(&[has("email", Kind::Text("zoe@mail.example"), "")])
                .gives(200, Kind::Shape(&ERASED)),
        )
        .get(
            "/waitlist/count",
            waitlist::count,
            op("countWaitlist", "Count who waits")
                .note("Ours.")
                .query(&WANTED)
                .gives(200, COUNT),
        )
        .get(
            "/waitlist/export",
            waitlist::export,
            op("exportWaitlist", "Who waits, as a file for a mailing tool")
                .note("Ours.")
                .query(&WANTED)
                .query(&[
                    may("pageSize", Kind::Range(1, waitlist::PART_MAX), "A part only."),
                    may("startingAfter", ID, "Id of the entry after which the part begins."),
                ])
                .gives_file("text/csv", "The entries."),
        )
        .delete(
            "/waitlist/{id}",
            waitlist::erase_one,
            op("eraseWaitlistEntry", "Erase an entry")
                .note("Ours.")
                .gives(200, Kind::Shape(&ERASED)),
        )
}

fn privacy(routes: Routes) -> Routes {
    let body = BodyForm::of::<erasure::ErasureBody>("ErasureInput", json!({ "visitorId": "00c0ffee00c0ffee" })).note(
        "visitorId",
        "The value of the hop_v cookie, or 16 hex digits. Or clickId, or orderId.",
    );
    routes
        .tag("Privacy")
        .get(
            "/erasures",
            erasure::list,
            op("listErasures", "List what was erased")
                .note("Ours.")
                .gives(200, Kind::List(&Kind::Shape(&ERASURE))),
        )
        .post(
            "/erasures",
            erasure::erase,
            op("erase", "Erase what tells who somebody was")
                .note("Ours.")
                .body(body)
                .gives(200, Kind::Shape(&ERASURE))
                .refuses(404),
        )
        .delete(
            "/visitors/{id}",
            erasure::erase_visitor,
            op("eraseVisitor", "Erase a visitor, named as in `POST /erasures`")
                .note("Ours.")
                .gives(200, Kind::Shape(&ERASURE)),
        )
}
