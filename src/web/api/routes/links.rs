//! Links, tags, folders, domains and QR codes.

use serde_json::{Value, json};

use super::super::description::{BodyForm, Field, Kind, Routes, Shape, has, may, op};
use super::super::{domain, experiment, folder, link, link_body, link_bulk, link_import, qr, tag, utm_template};
use super::{
    AMOUNT, COUNT, DELETED, ID, MAYBE_INSTANT, MAYBE_NUMBER, MAYBE_TEXT, MAYBE_URL, MAYBE_WHOLE, NUMBERED, ORDER, PAGE,
    TEXTS, URL,
};
use crate::web::pages::qr::{MARGIN_MAX, SIZE_MAX, SIZE_MIN};

pub(super) const COLORS: Kind = Kind::Words(&["red", "yellow", "green", "blue", "purple", "brown", "gray", "pink"]);

const TAG: Shape = Shape {
    name: "Tag",
    fields: &[
        has("id", Kind::Text("tag_1"), ""),
        has("name", Kind::Text("Spring"), ""),
        has("color", COLORS, ""),
    ],
};

const FOLDER: Shape = Shape {
    name: "Folder",
    fields: &[
        has("id", Kind::Text("fold_1"), ""),
        has("name", Kind::Text("Spring"), ""),
        has("description", MAYBE_TEXT, ""),
        has("type", Kind::Words(&["default"]), ""),
        has("accessLevel", Kind::OrNull(&Kind::Words(&["write", "read"])), ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
    ],
};

const PROOF: Shape = Shape {
    name: "DomainProof",
    fields: &[
        has("type", Kind::Words(&["TXT"]), ""),
        has("name", ID, "Where the record stands."),
        has("value", ID, "What it says."),
        may("problem", MAYBE_TEXT, "Of verify: why it shows nothing yet."),
    ],
};

const DELETED_DOMAIN: Shape = Shape {
    name: "DeletedDomain",
    fields: &[has("slug", Kind::Text("go.brand.example"), "")],
};

const UTM_TEMPLATE: Shape = Shape {
    name: "UtmTemplate",
    fields: &[
        has("id", Kind::Text("utm_1"), ""),
        has("name", Kind::Text("TikTok"), ""),
        has("utm_source", MAYBE_TEXT, ""),
        has("utm_medium", MAYBE_TEXT, ""),
        has("utm_campaign", MAYBE_TEXT, ""),
        has("utm_term", MAYBE_TEXT, ""),
        has("utm_content", MAYBE_TEXT, ""),
        has("ref", MAYBE_TEXT, ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
    ],
};

const DOMAIN: Shape = Shape {
    name: "Domain",
    fields: &[
        has("id", Kind::Text("dom_1"), ""),
        has("slug", Kind::Text("go.brand.example"), "The domain itself."),
        has("verified", Kind::Flag, ""),
        has("primary", Kind::Flag, "Whether links get it that name none."),
        has("archived", Kind::Flag, ""),
        has("placeholder", Kind::Null, ""),
        has("expiredUrl", MAYBE_URL, "Where followers of expired links go."),
        has("notFoundUrl", MAYBE_URL, "Where followers of unknown links go."),
        has("logo", Kind::Null, ""),
        has("assetLinks", Kind::Null, ""),
        has("appleAppSiteAssociation", Kind::Null, ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
        has("registeredDomain", Kind::Null, ""),
        has("verifiedAt", MAYBE_INSTANT, "Ours."),
        has(
            "verification",
            Kind::Shape(&PROOF),
            "Ours: the TXT record that shows whose it is.",
        ),
        has("caseSensitive", Kind::Flag, "Ours."),
        has(
            "consent",
            Kind::Words(&["gpc", "eea", "strict", "off"]),
            "Ours: how followers' consent is asked for.",
        ),
        has(
            "legalBasis",
            Kind::Flag,
            "Ours: whether the brand may send click ids without consent.",
        ),
        has("cookieDomain", MAYBE_TEXT, "Ours."),
        has("redirHosts", TEXTS, "Ours: hosts that `redir_url` may lead to."),
        has(
            "storeId",
            MAYBE_TEXT,
            "Ours: the store whose carts its inbound paths fill.",
        ),
    ],
};

const CART_ITEM: Shape = Shape {
    name: "CartItem",
    fields: &[
        may("sku", Kind::Text("MUG-1"), "The brand's name of it; or variantId."),
        may("variantId", Kind::Text("44017"), "The shop's id of it; or sku."),
        has("quantity", Kind::Whole(1), ""),
        has("fallbacks", TEXTS, "SKUs that take its place when it is sold out."),
    ],
};

pub(super) const CART: Shape = Shape {
    name: "Cart",
    fields: &[
        has("storeId", Kind::Text("store_1"), ""),
        has("items", Kind::List(&Kind::Shape(&CART_ITEM)), ""),
        has("discountCodes", TEXTS, ""),
        has(
            "codePoolId",
            MAYBE_TEXT,
            "The pool of single-use codes that each follower gets one of.",
        ),
        has("note", MAYBE_TEXT, ""),
        has("attributes", Kind::Map(&Kind::Text("…")), ""),
        has("landing", Kind::Words(&["direct", "page"]), ""),
        has("continueTo", MAYBE_URL, ""),
    ],
};

const PARAMETER: Shape = Shape {
    name: "QueryCondition",
    fields: &[has("name", ID, ""), has("value", MAYBE_TEXT, "Any value without it.")],
};

const RULE: Shape = Shape {
    name: "Rule",
    fields: &[
        may("device", TEXTS, ""),
        may("browser", TEXTS, ""),
        may("os", TEXTS, ""),
        may("language", TEXTS, ""),
        may("ip", TEXTS, ""),
        may("country", TEXTS, ""),
        may("city", TEXTS, ""),
        may("query", Kind::Shape(&PARAMETER), ""),
        may("from", Kind::Instant, ""),
        may("until", Kind::Instant, ""),
        has("url", URL, ""),
        may("cart", Kind::Shape(&CART), ""),
    ],
};

const VARIANT: Shape = Shape {
    name: "Variant",
    fields: &[
        has("url", URL, ""),
        has("percentage", Kind::Whole(50), ""),
        has("name", MAYBE_TEXT, "Ours."),
        may("discountCodes", TEXTS, "Ours: the link's cart with these codes."),
        may("cart", Kind::Shape(&CART), "Ours."),
    ],
};

const STOCK_POLICY: Shape = Shape {
    name: "StockPolicy",
    fields: &[
        has(
            "onOut",
            Kind::Words(&["fallback", "drop", "redirect", "pass", "waitlist"]),
            "",
        ),
        has("redirectUrl", MAYBE_URL, ""),
    ],
};

const WARNING: Shape = Shape {
    name: "Warning",
    fields: &[has("field", ID, ""), has("message", ID, "")],
};

pub(super) const LINK: Shape = Shape {
    name: "Link",
    fields: &[
        has("id", Kind::Text("link_1"), ""),
        has("domain", Kind::Text("go.brand.example"), ""),
        has("key", Kind::Text("mia"), "The path of the short link."),
        has("url", URL, "Where it leads."),
        has("trackConversion", Kind::Flag, ""),
        has("externalId", MAYBE_TEXT, "The brand's own id."),
        has("tenantId", MAYBE_TEXT, ""),
        has("programId", Kind::Null, ""),
        has("partnerId", MAYBE_TEXT, "Whose link it is."),
        has("archived", Kind::Flag, ""),
        has("expiresAt", MAYBE_INSTANT, ""),
        has("expiredUrl", MAYBE_URL, ""),
        has("disabledAt", MAYBE_INSTANT, ""),
        has(
            "password",
            MAYBE_TEXT,
            "Never the password itself: asterisks where there is one.",
        ),
        has("proxy", Kind::Flag, ""),
        has("title", MAYBE_TEXT, ""),
        has("description", MAYBE_TEXT, ""),
        has("image", MAYBE_URL, ""),
        has("video", MAYBE_URL, ""),
        has("rewrite", Kind::Flag, ""),
        has("doIndex", Kind::Flag, ""),
        has("ios", MAYBE_URL, ""),
        has("android", MAYBE_URL, ""),
        has("geo", Kind::OrNull(&Kind::Map(&URL)), "Destinations by country."),
        has("publicStats", Kind::Flag, ""),
        has("tags", Kind::List(&Kind::Shape(&TAG)), ""),
        has("folderId", MAYBE_TEXT, ""),
        has("comments", MAYBE_TEXT, ""),
        has(
            "shortLink",
            Kind::Text("https://go.brand.example/mia"),
            "What followers tap.",
        ),
        has("qrCode", URL, "A picture of the short link."),
        has("utm_source", MAYBE_TEXT, ""),
        has("utm_medium", MAYBE_TEXT, ""),
        has("utm_campaign", MAYBE_TEXT, ""),
        has("utm_term", MAYBE_TEXT, ""),
        has("utm_content", MAYBE_TEXT, ""),
        has("testVariants", Kind::OrNull(&Kind::List(&Kind::Shape(&VARIANT))), ""),
        has("testStartedAt", MAYBE_INSTANT, ""),
        has("testCompletedAt", MAYBE_INSTANT, ""),
        has("userId", Kind::Null, ""),
        has("workspaceId", Kind::Text("ws_1"), ""),
        has("clicks", COUNT, ""),
        has("leads", COUNT, ""),
        has("conversions", COUNT, ""),
        has("sales", COUNT, ""),
        has(
            "saleAmount",
            AMOUNT,
            "In the only currency, else in the workspace's own.",
        ),
        has("lastClicked", MAYBE_INSTANT, ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
        has("tagId", MAYBE_TEXT, "The first of its tags."),
        has("projectId", Kind::Text("ws_1"), ""),
        has("webhookIds", TEXTS, ""),
        has("maxClicks", MAYBE_WHOLE, "Ours."),
        has(
            "rules",
            Kind::List(&Kind::Shape(&RULE)),
            "Ours: the first that a follower meets says where to.",
        ),
        has("openInBrowser", Kind::Flag, "Ours."),
        has("cart", Kind::OrNull(&Kind::Shape(&CART)), "Ours."),
        has(
            "stockPolicy",
            Kind::OrNull(&Kind::Shape(&STOCK_POLICY)),
            "Ours: what happens when an item is sold out.",
        ),
        has("campaignId", MAYBE_TEXT, "Ours."),
        has(
            "contentId",
            MAYBE_TEXT,
            "Ours: the video or post that the link stands under.",
        ),
        has("contentUrl", MAYBE_URL, "Ours."),
        has(
            "caseSensitive",
            Kind::Flag,
            "Ours: whether letter case counts in the key.",
        ),
        has("saleAmounts", Kind::Map(&AMOUNT), "Ours: by currency."),
        has(
            "warnings",
            Kind::List(&Kind::Shape(&WARNING)),
            "Ours: what works and should still be looked at.",
        ),
    ],
};

const REFUSED: Shape = Shape {
    name: "RefusedLink",
    fields: &[
        has("link", Kind::Anything, "What was sent."),
        has("error", ID, ""),
        has("code", Kind::Text("unprocessable_entity"), ""),
    ],
};

const BULK: Kind = Kind::List(&Kind::OneOf(&[Kind::Shape(&LINK), Kind::Shape(&REFUSED)]));

const DELETED_COUNT: Shape = Shape {
    name: "DeletedCount",
    fields: &[has("deletedCount", COUNT, "")],
};

const IMPORTED_LINK: Shape = Shape {
    name: "ImportedLink",
    fields: &[
        has("status", Kind::Words(&["created", "known", "failed"]), ""),
        may("id", Kind::OrNull(&Kind::Text("link_1")), "null in a dry run."),
        may("key", ID, ""),
        may("code", ID, "Why there is none; so the next two."),
        may("field", MAYBE_TEXT, ""),
        may("message", ID, ""),
    ],
};

const IMPORTED: Shape = Shape {
    name: "Imported",
    fields: &[
        has("dryRun", Kind::Flag, ""),
        has("rows", COUNT, ""),
        has("created", COUNT, ""),
        has("known", Kind::Whole(0), "There already."),
        has("failed", Kind::Whole(0), ""),
        has(
            "results",
            Kind::List(&Kind::Shape(&IMPORTED_LINK)),
            "In the order of the links.",
        ),
    ],
};

const GROUP: Shape = Shape {
    name: "LinkGroup",
    fields: &[
        may("domain", ID, ""),
        may("tagId", MAYBE_TEXT, ""),
        may("folderId", MAYBE_TEXT, ""),
        may("userId", Kind::Null, ""),
        has("_count", COUNT, ""),
    ],
};

const WINNER: Shape = Shape {
    name: "Winner",
    fields: &[has("variant", Kind::Whole(1), ""), has("name", MAYBE_TEXT, "")],
};

const SAMPLE_RATIO: Shape = Shape {
    name: "SampleRatio",
    fields: &[
        has("chiSquare", Kind::Number, ""),
        has("pValue", MAYBE_NUMBER, ""),
        has("isMismatch", Kind::Flag, ""),
    ],
};

const ARM: Shape = Shape {
    name: "ExperimentVariant",
    fields: &[
        has("variant", Kind::Whole(1), "From 1."),
        has("url", URL, ""),
        has("percentage", Kind::Whole(50), ""),
        has("name", MAYBE_TEXT, ""),
        may("discountCodes", TEXTS, ""),
        may("cart", Kind::Shape(&CART), ""),
        has("visitors", COUNT, ""),
        has("clicks", COUNT, ""),
        has("checkoutTaps", COUNT, ""),
        has("conversions", COUNT, "Orders."),
        has("revenue", AMOUNT, "Less refunds."),
        has("conversionRate", MAYBE_NUMBER, ""),
        has("conversionRateLow", Kind::Number, ""),
        has("conversionRateHigh", Kind::Number, ""),
        has("revenuePerVisitor", MAYBE_NUMBER, ""),
        has("revenuePerVisitorLow", MAYBE_NUMBER, ""),
        has("revenuePerVisitorHigh", MAYBE_NUMBER, ""),
        has("probabilityToBeBest", MAYBE_NUMBER, ""),
    ],
};

const EXPERIMENT: Shape = Shape {
    name: "Experiment",
    fields: &[
        has("linkId", Kind::Text("link_1"), ""),
        has("key", ID, ""),
        has("status", Kind::Words(&["scheduled", "running", "completed"]), ""),
        has("testStartedAt", Kind::Instant, ""),
        has("testCompletedAt", MAYBE_INSTANT, ""),
        has("countedSince", Kind::Instant, ""),
        has("partialBefore", MAYBE_INSTANT, "Clicks before it are gone by age."),
        has("currency", Kind::OrNull(&super::CURRENCY), ""),
        has("variants", Kind::List(&Kind::Shape(&ARM)), ""),
        has("sampleRatio", Kind::OrNull(&Kind::Shape(&SAMPLE_RATIO)), ""),
        has("winner", Kind::OrNull(&Kind::Shape(&WINNER)), ""),
        has("reasons", TEXTS, "Why there is no winner."),
    ],
};

/// What narrows lists and counts of links.
const WANTED: [Field; 12] = [
    may("domain", ID, ""),
    may("search", ID, "In the key, the destination and the title."),
    may("tagId", ID, "The dialect's older name for one of tagIds."),
    may(
        "tagIds",
        ID,
        "Any of them: several between commas, or the parameter several times.",
    ),
    may("tagNames", ID, "Any of them, as tagIds."),
    may("withTags", Kind::Flag, "Only those with a tag."),
    may("folderId", ID, ""),
    may("tenantId", ID, ""),
    may("partnerId", ID, ""),
    may("campaignId", ID, "Ours."),
    may("contentId", ID, "Ours."),
    may("showArchived", Kind::Flag, "Archived ones too."),
];

const TEXT_OR_TEXTS: &[Kind] = &[Kind::Text("…"), TEXTS];

/// The body of a link.
fn link_input(example: Value) -> BodyForm {
    link_input_as("LinkInput", example)
}

fn link_input_as(name: &'static str, example: Value) -> BodyForm {
    BodyForm::of::<link_body::LinkBody>(name, example)
        .kinds("tagIds", TEXT_OR_TEXTS)
        .kinds("tagNames", TEXT_OR_TEXTS)
        .note("url", "Where the link leads. A cart URL of one of the workspace's stores makes a cart link. Needed for a new link without `cart`.")
        .note("key", "The path of the short link; drawn when it is left out.")
        .note("domain", "One of the workspace's; its primary one when it is left out.")
        .note("externalId", "The brand's own id, by which it can be found as `ext_…`.")
        .note("partnerId", "The creator whose link it is.")
        .note("cart", "Ours: what the shop's cart is filled with.")
        .note("cart/items[]/variantId", "Text or a number.")
        .note("rules", "Ours: the first that a follower meets says where to.")
        .note("stockPolicy", "Ours: what happens when an item is sold out.")
        .note("maxClicks", "Ours: the link ends after so many uses.")
        .note("password", "Asked of every follower. An empty text takes it away.")
        .note("testVariants", "Two to four, whose percentages add up to 100.")
        .note("tagId", "The dialect's older name for one of tagIds.")
        .note("programId", "Of the dialect, and refused when it is set.")
}

pub(super) fn add(routes: Routes) -> Routes {
    bulk(single(routes))
        .with(tags)
        .with(folders)
        .with(utm_templates)
        .with(domains)
        .with(pictures)
}

fn single(routes: Routes) -> Routes {
    let named: [Field; 4] = [
        may("linkId", ID, ""),
        may("externalId", ID, ""),
        may("domain", ID, "With key."),
        may("key", ID, ""),
    ];
    let new = json!({
        "externalId": "own-1",
        "partnerId": "pn_1",
        "cart": { "storeId": "store_1", "items": [{ "sku": "MUG-1", "quantity": 2 }] },
    });
    routes
        .tag("Links")
        .post(
            "/links",
            link::create,
            op("createLink", "Make a link")
                .body(link_input(new))
                .gives(200, Kind::Shape(&LINK))
                .refuses(404),
        )
        .get(
            "/links",
            link::list,
            op("listLinks", "List links")
                .query(&PAGE)
                .query(&WANTED)
                .query(&[
                    may("sortBy", Kind::Words(&["createdAt", "updatedAt"]), ""),
                    may("sortOrder", ORDER, ""),
                ])
                .gives(200, Kind::List(&Kind::Shape(&LINK)))
                .refuses(404),
        )
        .get(
            "/links/info",
            link::info,
            op("findLink", "Find a link by its id, the brand's own, or domain and key")
                .query(&named)
                .gives(200, Kind::Shape(&LINK))
                .refuses(404),
        )
        .get(
            "/links/count",
            link::count,
            op("countLinks", "Count links")
                .query(&WANTED)
                .query(&[may(
                    "groupBy",
                    Kind::Words(&["domain", "tagId", "userId", "folderId"]),
                    "",
                )])
                .gives(200, Kind::OneOf(&[COUNT, Kind::List(&Kind::Shape(&GROUP))]))
                .refuses(404),
        )
        .get(
            "/links/exists",
            link::exists,
            op("linkExists", "Whether a key is taken")
                .query(&[may("domain", ID, ""), has("key", Kind::Text("mia"), "")])
                .gives(200, Kind::Flag)
                .refuses(404),
        )
        .put(
            "/links/upsert",
            link::upsert,
            op("upsertLink", "Change the link that leads to `url`, else make one")
                .body(link_input(
                    json!({ "url": "https://shop.example/bowls", "comments": "spring" }),
                ))
                .gives(200, Kind::Shape(&LINK))
                .refuses(404),
        )
        .get(
            "/links/{id}",
            link::show,
            op("getLink", "Read a link").gives(200, Kind::Shape(&LINK)),
        )
        .patch(
            "/links/{id}",
            link::update,
            op("updateLink", "Change a link")
                .note("What is left out stays.")
                .body(link_input(json!({ "comments": "spring", "maxClicks": 1000 })))
                .gives(200, Kind::Shape(&LINK)),
        )
        .delete(
            "/links/{id}",
            link::delete,
            op("deleteLink", "Delete a link").gives(200, Kind::Shape(&DELETED)),
        )
        .get(
            "/links/{id}/experiment",
            experiment::show,
            op("getExperiment", "What each variant of a link brought")
                .note("Ours.")
                .query(&[may("currency", super::CURRENCY, "What revenue is in.")])
                .gives(200, Kind::Shape(&EXPERIMENT)),
        )
}

fn bulk(routes: Routes) -> Routes {
    let many = |example| BodyForm::of::<link_bulk::ManyBody>("ManyLinksInput", example);
    let change = json!({ "linkIds": ["link_1"], "data": { "comments": "spring" } });
    let elsewhere = json!({ "url": "https://shop.example/jugs", "key": "jugs", "createdAt": "2025-06-01T08:00:00Z" });
    routes
        .post(
            "/links/import",
            link_import::import,
            op("importLinks", "Bring up to 10,000 links in from elsewhere")
                .note("Ours. A link that is there already is recognised.")
                .query(&[super::DRY_RUN])
                .body(
                    link_input_as("LinkFromElsewhere", elsewhere)
                        .also("createdAt", Kind::Instant, "When it was made there.")
                        .also("caseSensitive", Kind::Flag, "Whether letter case counts in its key.")
                        .list(),
                )
                .gives(200, Kind::Shape(&IMPORTED))
                .large(),
        )
        .post(
            "/links/bulk",
            link_bulk::create,
            op("createLinks", "Make up to 10,000 links")
                .note("What is wrong with one is told in its place; the others are made.")
                .body(link_input(json!({ "url": "https://shop.example/cups", "externalId": "own-2" })).list())
                .gives(200, BULK)
                .large(),
        )
        .patch(
            "/links/bulk",
            link_bulk::update,
            op("updateLinks", "Change up to 10,000 links alike")
                .body(many(change).note("data", "A link as in `POST /links`, without what is one link's own."))
                .gives(200, BULK)
                .refuses(404)
                .large(),
        )
        .delete(
            "/links/bulk",
            link_bulk::delete,
            op("deleteLinks", "Delete up to 10,000 links")
                .note("Named in the query or in a body.")
                .query(&[
                    may("linkIds", ID, "Several between commas."),
                    may("externalIds", ID, ""),
                ])
                .body(many(json!({ "linkIds": ["link_1"] })).or_nothing())
                .gives(200, Kind::Shape(&DELETED_COUNT))
                .large(),
        )
}

fn tags(routes: Routes) -> Routes {
    let filter = [
        may("search", ID, ""),
        may("ids", ID, "Several between commas."),
        may("sortBy", Kind::Words(&["name", "createdAt"]), ""),
        may("sortOrder", ORDER, ""),
    ];
    let body = |name| {
        BodyForm::of::<tag::TagBody>("TagInput", json!({ "name": name, "color": "green" }))
            .alias("tag", "name")
            .note("color", "Drawn when it is left out.")
    };
    routes
        .tag("Tags")
        .get(
            "/tags",
            tag::list,
            op("listTags", "List tags")
                .query(&NUMBERED)
                .query(&filter)
                .gives(200, Kind::List(&Kind::Shape(&TAG))),
        )
        .post(
            "/tags",
            tag::create,
            op("createTag", "Make a tag")
                .body(body("Spring"))
                .gives(201, Kind::Shape(&TAG)),
        )
        .get(
            "/tags/count",
            tag::count,
            op("countTags", "Count tags").query(&filter).gives(200, COUNT),
        )
        .patch(
            "/tags/{id}",
            tag::update,
            op("updateTag", "Change a tag")
                .body(body("Summer"))
                .gives(200, Kind::Shape(&TAG)),
        )
        .delete(
            "/tags/{id}",
            tag::delete,
            op("deleteTag", "Delete a tag").gives(200, Kind::Shape(&DELETED)),
        )
}

fn folders(routes: Routes) -> Routes {
    let search = [may("search", ID, "")];
    let body = |name| BodyForm::of::<folder::FolderBody>("FolderInput", json!({ "name": name, "accessLevel": "read" }));
    routes
        .tag("Folders")
        .get(
            "/folders",
            folder::list,
            op("listFolders", "List folders")
                .query(&NUMBERED)
                .query(&search)
                .gives(200, Kind::List(&Kind::Shape(&FOLDER))),
        )
        .post(
            "/folders",
            folder::create,
            op("createFolder", "Make a folder")
                .body(body("Spring"))
                .gives(201, Kind::Shape(&FOLDER)),
        )
        .get(
            "/folders/count",
            folder::count,
            op("countFolders", "Count folders").query(&search).gives(200, COUNT),
        )
        .patch(
            "/folders/{id}",
            folder::update,
            op("updateFolder", "Change a folder")
                .body(body("Summer"))
                .gives(200, Kind::Shape(&FOLDER)),
        )
        .delete(
            "/folders/{id}",
            folder::delete,
            op("deleteFolder", "Delete a folder")
                .note("Its links stay.")
                .gives(200, Kind::Shape(&DELETED)),
        )
}

fn domains(routes: Routes) -> Routes {
    let body = |example| BodyForm::of::<domain::DomainBody>("DomainInput", example).note("slug", "The domain itself.");
    let new = json!({ "slug": "go.brand.example", "consent": "eea" });
    let change = json!({ "notFoundUrl": "https://brand.example/" });
    routes
        .tag("Domains")
        .get(
            "/domains",
            domain::list,
            op("listDomains", "List domains")
                .query(&PAGE)
                .query(&[may("search", ID, ""), may("archived", Kind::Flag, "Archived ones too.")])
                .gives(200, Kind::List(&Kind::Shape(&DOMAIN))),
        )
        .post(
            "/domains",
            domain::create,
            op("createDomain", "Add a domain")
                .body(body(new))
                .gives(201, Kind::Shape(&DOMAIN)),
        )
        .patch(
            "/domains/{slug}",
            domain::update,
            op("updateDomain", "Change a domain")
                .body(body(change))
                .gives(200, Kind::Shape(&DOMAIN)),
        )
        .delete(
            "/domains/{slug}",
            domain::delete,
            op("deleteDomain", "Delete a domain").gives(200, Kind::Shape(&DELETED_DOMAIN)),
        )
        .post(
            "/domains/{slug}/verify",
            domain::verify,
            op(
                "verifyDomain",
                "Look now whether the domain's TXT record says whose it is",
            )
            .note("Ours.")
            .gives(200, Kind::Shape(&DOMAIN)),
        )
}

fn utm_templates(routes: Routes) -> Routes {
    let body = |name| {
        let example = json!({ "name": name, "utm_source": "tiktok", "utm_medium": "video" });
        BodyForm::of::<utm_template::UtmTemplateBody>("UtmTemplateInput", example)
    };
    routes
        .tag("UTM templates")
        .get(
            "/utm-templates",
            utm_template::list,
            op("listUtmTemplates", "List UTM templates")
                .note("Ours.")
                .query(&NUMBERED)
                .query(&[may("search", ID, "")])
                .gives(200, Kind::List(&Kind::Shape(&UTM_TEMPLATE))),
        )
        .post(
            "/utm-templates",
            utm_template::create,
            op("createUtmTemplate", "Make a UTM template")
                .note("Ours. Links name it as `utmTemplateId`.")
                .body(body("TikTok"))
                .gives(201, Kind::Shape(&UTM_TEMPLATE)),
        )
        .patch(
            "/utm-templates/{id}",
            utm_template::update,
            op("updateUtmTemplate", "Change a UTM template")
                .note("Ours.")
                .body(body("TikTok videos"))
                .gives(200, Kind::Shape(&UTM_TEMPLATE)),
        )
        .delete(
            "/utm-templates/{id}",
            utm_template::delete,
            op("deleteUtmTemplate", "Delete a UTM template")
                .note("Ours.")
                .gives(200, Kind::Shape(&DELETED)),
        )
}

fn pictures(routes: Routes) -> Routes {
    routes.tag("QR codes").get(
        "/qr",
        qr::draw,
        op("drawQrCode", "Draw a QR code")
            .note("For everybody: pages embed it as an image.")
            .open()
            .refuses(403)
            .refuses(429)
            .query(&[
                has(
                    "url",
                    Kind::Text("https://go.brand.example/mia"),
                    "What the code says: at most 2,048 characters.",
                ),
                may("format", Kind::Words(&["png", "svg"]), ""),
                may("size", Kind::Range(SIZE_MIN, SIZE_MAX), "Pixels of a side."),
                may(
                    "level",
                    Kind::Words(&["L", "M", "Q", "H"]),
                    "How much of it may be covered.",
                ),
                may("fgColor", Kind::Text("#000000"), ""),
                may("bgColor", Kind::Text("#ffffff"), ""),
                may("margin", Kind::Range(0, MARGIN_MAX), "Modules around it."),
                may("includeMargin", Kind::Flag, ""),
                may("hideLogo", Kind::Flag, "There is no logo to hide."),
            ])
            .gives_file("image/png", "The picture.")
            .gives_file("image/svg+xml", "The picture."),
    )
}
