//! Every route of the API with what it does, takes and answers, area by area.
//!
//! Fields of bodies are not listed here: the types that bodies are read into say them. Answers are, and the tests that
//! call every operation hold what they get against it.

mod counting;
mod creators;
mod links;
mod orders;
mod people;
mod server;
mod shops;
mod tracking;
mod webhooks;

use super::description::{Field, Kind, Routes, Shape, has, may};

/// All of them.
pub(super) fn all(catalog_max: usize) -> Routes {
    Routes::new(catalog_max)
        .with(links::add)
        .with(tracking::add)
        .with(counting::add)
        .with(creators::add)
        .with(shops::add)
        .with(orders::add)
        .with(people::add)
        .with(webhooks::add)
        .with(server::add)
}

const ID: Kind = Kind::Text("…");
/// A URL of a page.
const URL: Kind = Kind::Text("https://shop.example/mugs");
const MAYBE_TEXT: Kind = Kind::OrNull(&Kind::Text("…"));
const MAYBE_URL: Kind = Kind::OrNull(&URL);
const MAYBE_INSTANT: Kind = Kind::OrNull(&Kind::Instant);
const MAYBE_WHOLE: Kind = Kind::OrNull(&Kind::Whole(0));
const MAYBE_NUMBER: Kind = Kind::OrNull(&Kind::Number);
const CURRENCY: Kind = Kind::Text("EUR");
const COUNT: Kind = Kind::Whole(3);
/// Minor units.
const AMOUNT: Kind = Kind::Whole(4900);
const TEXTS: Kind = Kind::List(&Kind::Text("…"));
const ORDER: Kind = Kind::Words(&["asc", "desc"]);

/// Pages of a list: by number, or from an entry on.
const PAGE: [Field; 4] = [
    may(
        "page",
        Kind::Range(1, u32::MAX),
        "From 1. Goes with neither startingAfter nor endingBefore.",
    ),
    may("pageSize", Kind::Range(1, 100), "Most entries of a page."),
    may(
        "startingAfter",
        Kind::Text("link_1"),
        "Id of the entry after which the page begins.",
    ),
    may(
        "endingBefore",
        Kind::Text("link_1"),
        "Id of the entry before which the page ends.",
    ),
];

/// Pages of a list that is paged by number alone.
const NUMBERED: [Field; 2] = [
    may("page", Kind::Range(1, u32::MAX), "From 1."),
    may("pageSize", Kind::Range(1, 100), "Most entries of a page."),
];

/// A period of time.
const PERIOD: [Field; 4] = [
    may(
        "interval",
        Kind::Words(&["24h", "7d", "30d", "90d", "1y", "mtd", "qtd", "ytd", "all"]),
        "A period that ends now. Goes with neither start nor end.",
    ),
    may(
        "start",
        Kind::Text("2026-11-01"),
        "An instant, or a date in `timezone`.",
    ),
    may(
        "end",
        Kind::Text("2026-11-21"),
        "An instant, or a date in `timezone`; exclusive. Goes with start.",
    ),
    may(
        "timezone",
        Kind::Text("Europe/Berlin"),
        "What days, weeks and months are in; UTC without it.",
    ),
];

const DRY_RUN: Field = may("dryRun", Kind::Flag, "Only says what would become of it.");

const DELETED: Shape = Shape {
    name: "Deleted",
    fields: &[has("id", Kind::Text("tag_1"), "")],
};

/// What is wrong with one row of a call that takes many.
const ROW_ERROR: Shape = Shape {
    name: "RowError",
    fields: &[
        has("row", Kind::Whole(0), "From 0 in JSON, from 1 in a file."),
        may("line", Kind::Whole(2), "Of a file."),
        has("field", Kind::Text("price"), "The field or column."),
        has("message", Kind::Text("must be a whole number"), ""),
    ],
};

/// What became of a call that takes many rows.
const TAKEN: Shape = Shape {
    name: "Taken",
    fields: &[
        may("storeId", Kind::Text("store_1"), ""),
        may("poolId", Kind::Text("pool_1"), ""),
        may("format", Kind::Text("shopify"), "What kind of file it was."),
        has("dryRun", Kind::Flag, ""),
        has("rows", COUNT, "Rows that were sent."),
        has("upserted", COUNT, "Rows that were taken."),
        may("added", COUNT, "Of them new."),
        may("known", Kind::Whole(0), "Of them there already."),
        may(
            "duplicates",
            Kind::List(&Kind::Shape(&PLACE)),
            "Where those stand that were there already.",
        ),
        may("changed", COUNT, "Of them told something new."),
        has("skipped", Kind::Whole(0), "Empty rows and such."),
        has("failed", Kind::Whole(0), "Rows that were refused."),
        has(
            "errors",
            Kind::List(&Kind::Shape(&ROW_ERROR)),
            "The first thousand of what is wrong.",
        ),
    ],
};

const PLACE: Shape = Shape {
    name: "Place",
    fields: &[has("row", Kind::Whole(0), ""), has("line", MAYBE_WHOLE, "Of a file.")],
};
