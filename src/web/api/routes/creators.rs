//! Creators (the dialect's partners), their campaigns and codes, what they cost, and how they are credited.

use serde_json::json;

use super::super::description::{BodyForm, Field, Kind, Routes, Shape, has, may, op};
use super::super::{
    campaign, code_pool, discount_code, mint, partner, partner_analytics, partner_link, partner_sort, partner_standing,
    program, rate, report_link, spend,
};
use super::links::LINK;
use super::{
    AMOUNT, COUNT, CURRENCY, DELETED, DRY_RUN, ID, MAYBE_INSTANT, MAYBE_TEXT, MAYBE_WHOLE, PAGE, PERIOD, TAKEN, TEXTS,
    URL,
};
use crate::domain::creator::BanReason;

pub(super) const MODELS: Kind = Kind::Words(&["last", "first", "linear", "time_decay", "position"]);
const SIGNALS: Kind = Kind::Words(&["no_clicks", "coupon_site", "click_share", "reported", "used_twice"]);

const PARTNER_LINK: Shape = Shape {
    name: "PartnerLink",
    fields: &[
        has("id", Kind::Text("link_1"), ""),
        has("shortLink", URL, ""),
        has("domain", ID, ""),
        has("key", ID, ""),
        has("url", URL, ""),
        has("clicks", COUNT, ""),
        has("leads", COUNT, ""),
        has("conversions", COUNT, ""),
        has("sales", COUNT, ""),
        has("saleAmount", AMOUNT, ""),
    ],
};

const PARTNER: Shape = Shape {
    name: "Partner",
    fields: &[
        has("id", Kind::Text("pn_1"), ""),
        has("name", Kind::Text("Mia"), ""),
        has("username", MAYBE_TEXT, ""),
        has("email", MAYBE_TEXT, ""),
        has("image", MAYBE_TEXT, ""),
        has("description", MAYBE_TEXT, ""),
        has("country", MAYBE_TEXT, ""),
        has("companyName", Kind::Null, ""),
        has("networkStatus", Kind::Words(&["approved"]), ""),
        has("defaultPayoutMethod", Kind::Null, ""),
        has("paypalEmail", Kind::Null, ""),
        has("stripeConnectId", Kind::Null, ""),
        has("payoutsEnabledAt", Kind::Null, ""),
        has("identityVerifiedAt", Kind::Null, ""),
        has("programId", Kind::Text("ws_1"), ""),
        has("partnerId", Kind::Text("pn_1"), ""),
        has("tenantId", MAYBE_TEXT, "The brand's own id."),
        has("createdAt", Kind::Instant, ""),
        has("status", Kind::Words(&partner::STATUSES), ""),
        has("bannedAt", MAYBE_INSTANT, ""),
        has("bannedReason", Kind::OrNull(&REASONS), ""),
        has("links", Kind::List(&Kind::Shape(&PARTNER_LINK)), "The first hundred."),
        has("totalClicks", COUNT, ""),
        has("totalLeads", COUNT, ""),
        has("totalConversions", COUNT, ""),
        has("totalSales", COUNT, ""),
        has("totalSaleAmount", AMOUNT, ""),
        has("saleAmounts", Kind::Map(&AMOUNT), "Ours: by currency."),
        has("totalCommissions", Kind::Whole(0), ""),
        has("netRevenue", AMOUNT, ""),
        has("niche", MAYBE_TEXT, "Ours."),
        has("platform", MAYBE_TEXT, "Ours."),
        has("followers", MAYBE_WHOLE, "Ours."),
        has("cost", Kind::Whole(2000), "Ours: what they cost, in minor units."),
    ],
};

const REASONS: Kind = Kind::Words(&BanReason::WORDS);

const PARTNER_NAMED: Shape = Shape {
    name: "PartnerNamed",
    fields: &[has("partnerId", Kind::Text("pn_1"), "")],
};

const PARTNER_COUNTED: Shape = Shape {
    name: "PartnerCounted",
    fields: &[
        has("clicks", COUNT, ""),
        has("leads", COUNT, ""),
        has("sales", COUNT, ""),
        has("saleAmount", AMOUNT, "Revenue less what was given back."),
        has("earnings", Kind::Whole(0), "Nothing is paid on sales yet."),
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

const PARTNER_COUNTED_ROW: Shape = Shape {
    name: "PartnerCountedRow",
    fields: &[
        has("clicks", COUNT, ""),
        has("leads", COUNT, ""),
        has("sales", COUNT, ""),
        has("saleAmount", AMOUNT, "Revenue less what was given back."),
        has("earnings", Kind::Whole(0), "Nothing is paid on sales yet."),
        may("start", ID, "Of a time series."),
        may("link", ID, "Of a link, as all that follow."),
        may("id", ID, ""),
        may("domain", ID, ""),
        may("key", ID, ""),
        may("shortLink", URL, ""),
        may("url", URL, ""),
        may("title", MAYBE_TEXT, ""),
        may("comments", MAYBE_TEXT, ""),
        may("folderId", MAYBE_TEXT, ""),
        may("partnerId", MAYBE_TEXT, ""),
        may("createdAt", Kind::Instant, ""),
    ],
};

const REPORT_LINK: Shape = Shape {
    name: "ReportLink",
    fields: &[
        has("id", Kind::Text("rl_1"), ""),
        has("url", super::MAYBE_URL, "null: it shows nothing any more."),
        has("createdAt", Kind::Instant, ""),
        has("expiresAt", Kind::Instant, ""),
        has("revokedAt", MAYBE_INSTANT, ""),
    ],
};

const CAMPAIGN: Shape = Shape {
    name: "Campaign",
    fields: &[
        has("id", Kind::Text("cmp_1"), ""),
        has("name", Kind::Text("Spring"), ""),
        has("start", MAYBE_INSTANT, ""),
        has("end", MAYBE_INSTANT, ""),
        has("budget", MAYBE_WHOLE, "Minor units."),
        has("currency", Kind::OrNull(&CURRENCY), ""),
        has("note", MAYBE_TEXT, ""),
        has("archived", Kind::Flag, ""),
        has("partnerIds", TEXTS, ""),
        has("createdAt", Kind::Instant, ""),
        has("updatedAt", Kind::Instant, ""),
    ],
};

const MINTED_LINK: Shape = Shape {
    name: "MintedLink",
    fields: &[
        has("partnerId", Kind::Text("pn_1"), ""),
        has("name", Kind::Text("Mia"), ""),
        may("linkId", ID, ""),
        may("key", ID, ""),
        may("shortLink", URL, ""),
        may("discountCode", MAYBE_TEXT, ""),
        may("known", Kind::Flag, "Minted by an earlier call."),
        may("numbered", Kind::Flag, "The key was taken and got a number."),
        may("error", ID, "Why there is none."),
        may("code", ID, ""),
    ],
};

const MINTED: Shape = Shape {
    name: "Minted",
    fields: &[
        has("campaignId", Kind::Text("cmp_1"), ""),
        has("minted", COUNT, ""),
        has("known", Kind::Whole(0), ""),
        has("failed", Kind::Whole(0), ""),
        has("links", Kind::List(&Kind::Shape(&MINTED_LINK)), ""),
    ],
};

const CODE: Shape = Shape {
    name: "DiscountCode",
    fields: &[
        has("id", Kind::Text("code_1"), ""),
        has("code", Kind::Text("MIA10"), ""),
        has("discountId", Kind::Null, ""),
        has("partnerId", Kind::Text("pn_1"), ""),
        has("linkId", Kind::Text(""), "Empty where there is none."),
        has("disabledAt", MAYBE_INSTANT, "With its creator."),
        has("leakSignal", Kind::OrNull(&SIGNALS), "Ours: why it is not trusted."),
        has("trusted", Kind::Flag, "Ours: whatever signals say."),
    ],
};

const POOL: Shape = Shape {
    name: "CodePool",
    fields: &[
        has("id", Kind::Text("pool_1"), ""),
        has("name", ID, ""),
        has("storeId", MAYBE_TEXT, ""),
        has("partnerId", MAYBE_TEXT, ""),
        has("createdAt", Kind::Instant, ""),
        has("total", COUNT, ""),
        has("remaining", COUNT, ""),
        has("leased", COUNT, ""),
        has("given", COUNT, ""),
        has("used", COUNT, ""),
        has("expired", COUNT, ""),
    ],
};

const SPEND: Shape = Shape {
    name: "Spend",
    fields: &[
        has("id", Kind::Text("spend_1"), ""),
        has("externalId", MAYBE_TEXT, ""),
        has("partnerId", MAYBE_TEXT, ""),
        has("campaignId", MAYBE_TEXT, ""),
        has("linkId", MAYBE_TEXT, ""),
        has("amount", AMOUNT, ""),
        has("currency", CURRENCY, ""),
        has("at", Kind::Instant, ""),
        has("note", MAYBE_TEXT, ""),
        has("createdAt", Kind::Instant, ""),
        has("voidedAt", MAYBE_INSTANT, ""),
        has("voidNote", MAYBE_TEXT, ""),
    ],
};

const RATE: Shape = Shape {
    name: "Rate",
    fields: &[
        has("base", CURRENCY, ""),
        has("quote", Kind::Text("USD"), ""),
        has("date", Kind::Text("2026-11-20"), ""),
        has("rate", Kind::Text("1.0842"), ""),
    ],
};

const PROGRAM: Shape = Shape {
    name: "Program",
    fields: &[
        has("attributionWindowDays", Kind::Whole(30), ""),
        has("customerWindowDays", Kind::Whole(365), ""),
        has("evidenceOrder", Kind::List(&EVIDENCE), ""),
        has("leakSignals", Kind::List(&SIGNALS), ""),
        has("model", MODELS, ""),
    ],
};

pub(super) const PROGRAM_KIND: Kind = Kind::Shape(&PROGRAM);
pub(super) const EVIDENCE: Kind = Kind::Words(&["single_use_code", "creator_code", "click", "customer"]);
pub(super) const SIGNAL_KIND: Kind = SIGNALS;

pub(super) fn add(routes: Routes) -> Routes {
    routes
        .with(partners)
        .with(partner_links)
        .with(standing)
        .with(campaigns)
        .with(codes)
        .with(pools)
        .with(money)
        .with(programs)
}

fn partners(routes: Routes) -> Routes {
    let body = BodyForm::of::<partner::PartnerBody>(
        "PartnerInput",
        json!({ "name": "Mia", "email": "mia@mail.example", "niche": "ceramics", "platform": "tiktok", "cost": 2000 }),
    )
    .note("email", "Or name.")
    .note("tenantId", "The brand's own id.")
    .note("cost", "Ours: in minor units.");
    let share = BodyForm::of::<report_link::ShareBody>("ReportLinkInput", json!({ "days": 30 })).or_nothing();
    routes
        .tag("Partners")
        .get(
            "/partners",
            partner::list,
            op("listPartners", "List creators")
                .query(&PAGE)
                .query(&[
                    may("search", ID, ""),
                    may("email", ID, ""),
                    may("tenantId", ID, ""),
                    may("niche", ID, "Ours."),
                    may("country", Kind::Text("DE"), ""),
                    may("status", Kind::Words(&partner::STATUSES), ""),
                    may("sortBy", Kind::Words(&partner_sort::SORTS), ""),
                    may("sortOrder", super::ORDER, ""),
                ])
                .gives(200, Kind::List(&Kind::Shape(&PARTNER))),
        )
        .post(
            "/partners",
            partner::enlist,
            op("createPartner", "Enlist a creator")
                .note("The same `email` or `tenantId` changes the one that is there.")
                .body(body)
                .gives(201, Kind::Shape(&PARTNER)),
        )
        .get(
            "/partners/{id}",
            partner::show,
            op("getPartner", "Read a creator")
                .note("Ours.")
                .gives(200, Kind::Shape(&PARTNER)),
        )
        .get(
            "/partners/{id}/report-links",
            report_link::list,
            op("listReportLinks", "List the links that show a creator their own report")
                .note("Ours.")
                .gives(200, Kind::List(&Kind::Shape(&REPORT_LINK))),
        )
        .post(
            "/partners/{id}/report-links",
            report_link::create,
            op("createReportLink", "Make a link that shows a creator their own report")
                .note("Ours.")
                .body(share)
                .gives(201, Kind::Shape(&REPORT_LINK)),
        )
        .delete(
            "/partners/{id}/report-links/{link}",
            report_link::revoke,
            op("revokeReportLink", "Revoke such a link")
                .note("Ours.")
                .gives(200, Kind::Shape(&REPORT_LINK)),
        )
}

/// How a call names one creator.
const WHOM: [Field; 2] = [
    may("partnerId", ID, "Or tenantId."),
    may("tenantId", ID, "The brand's own id."),
];

fn partner_links(routes: Routes) -> Routes {
    let body = || {
        BodyForm::of::<partner_link::PartnerLinkBody>(
            "PartnerLinkInput",
            json!({ "partnerId": "pn_1", "url": "https://shop.example/mugs", "linkProps": { "comments": "spring" } }),
        )
        .note("partnerId", "Or tenantId.")
        .note("linkProps", "A link as in `POST /links`.")
    };
    routes
        .tag("Partners")
        .get(
            "/partners/links",
            partner_link::list,
            op("listPartnerLinks", "List a creator's links")
                .query(&PAGE)
                .query(&WHOM)
                .gives(200, Kind::List(&Kind::Shape(&PARTNER_LINK)))
                .refuses(404),
        )
        .post(
            "/partners/links",
            partner_link::create,
            op("createPartnerLink", "Make a link for a creator")
                .body(body())
                .gives(201, Kind::Shape(&LINK))
                .refuses(404),
        )
        .put(
            "/partners/links/upsert",
            partner_link::upsert,
            op(
                "upsertPartnerLink",
                "Change a creator's link that leads to `url`, else make one",
            )
            .body(body())
            .gives(200, Kind::Shape(&LINK))
            .refuses(404),
        )
        .get(
            "/partners/analytics",
            partner_analytics::read,
            op("readPartnerAnalytics", "Count what a creator brought")
                .query(&WHOM)
                .query(&[may("groupBy", Kind::Words(&partner_analytics::GROUPS), "")])
                .query(&PERIOD)
                .gives(
                    200,
                    Kind::OneOf(&[
                        Kind::Shape(&PARTNER_COUNTED),
                        Kind::List(&Kind::Shape(&PARTNER_COUNTED_ROW)),
                    ]),
                )
                .refuses(404),
        )
}

fn standing(routes: Routes) -> Routes {
    let ban = BodyForm::of::<partner_standing::BanBody>("PartnerBan", json!({ "partnerId": "pn_1", "reason": "spam" }))
        .note("partnerId", "Or tenantId.")
        .kinds("reason", &[REASONS]);
    let named = || {
        BodyForm::of::<partner_standing::PartnerNamed>("PartnerNamedInput", json!({ "partnerId": "pn_1" }))
            .note("partnerId", "Or tenantId.")
    };
    routes
        .post(
            "/partners/ban",
            partner_standing::ban,
            op("banPartner", "Send a creator away")
                .note("Their links go off, their codes bring them nothing that is ordered from then on.")
                .body(ban)
                .gives(200, Kind::Shape(&PARTNER_NAMED))
                .refuses(404),
        )
        .post(
            "/partners/deactivate",
            partner_standing::deactivate,
            op("deactivatePartner", "Part with a creator in good standing")
                .note("Their links go off, their codes bring them nothing that is ordered from then on.")
                .body(named())
                .gives(200, Kind::Shape(&PARTNER_NAMED))
                .refuses(404),
        )
        .post(
            "/partners/reactivate",
            partner_standing::reactivate,
            op("reactivatePartner", "Take a creator back")
                .note("Ours. Links that went off since they left are on again.")
                .body(named())
                .gives(200, Kind::Shape(&PARTNER_NAMED))
                .refuses(404),
        )
}

fn campaigns(routes: Routes) -> Routes {
    let body = || {
        BodyForm::of::<campaign::CampaignBody>(
            "CampaignInput",
            json!({ "name": "Spring", "start": "2026-11-01", "budget": 500000, "currency": "EUR", "partnerIds": ["pn_1"] }),
        )
        .note("budget", "In minor units.")
    };
    let mint = BodyForm::of::<mint::MintBody>(
        "MintInput",
        json!({ "partnerIds": ["pn_1"], "slugPattern": "{username}-{campaign}",
            "template": { "url": "https://shop.example/mugs" } }),
    )
    .note("template", "A link as in `POST /links`.");
    routes
        .tag("Campaigns")
        .get(
            "/campaigns",
            campaign::list,
            op("listCampaigns", "List campaigns")
                .note("Ours.")
                .query(&PAGE)
                .query(&[may("search", ID, ""), may("showArchived", Kind::Flag, "")])
                .gives(200, Kind::List(&Kind::Shape(&CAMPAIGN))),
        )
        .post(
            "/campaigns",
            campaign::create,
            op("createCampaign", "Plan a campaign")
                .note("Ours.")
                .body(body())
                .gives(201, Kind::Shape(&CAMPAIGN)),
        )
        .get(
            "/campaigns/{id}",
            campaign::show,
            op("getCampaign", "Read a campaign")
                .note("Ours.")
                .gives(200, Kind::Shape(&CAMPAIGN)),
        )
        .patch(
            "/campaigns/{id}",
            campaign::update,
            op("updateCampaign", "Change a campaign")
                .note("Ours.")
                .body(body())
                .gives(200, Kind::Shape(&CAMPAIGN)),
        )
        .post(
            "/campaigns/{id}/mint",
            mint::mint,
            op("mintLinks", "Mint links and codes for up to 1,000 creators")
                .note("Ours. The same call again mints nothing new.")
                .query(&[
                    may("format", Kind::Words(&["json", "zip"]), ""),
                    may("qr", Kind::Words(&["svg", "png"]), "Pictures in the ZIP."),
                ])
                .body(mint)
                .gives(200, Kind::Shape(&MINTED))
                .gives_file(
                    "application/zip",
                    "What was minted; with format=zip a table and pictures to print.",
                ),
        )
}

fn codes(routes: Routes) -> Routes {
    let body =
        BodyForm::of::<discount_code::CodeBody>("DiscountCodeInput", json!({ "code": "MIA10", "partnerId": "pn_1" }));
    routes
        .tag("Discount codes")
        .get(
            "/discount-codes",
            discount_code::list,
            op("listDiscountCodes", "List discount codes")
                .query(&PAGE)
                .query(&[may("partnerId", ID, "")])
                .gives(200, Kind::List(&Kind::Shape(&CODE))),
        )
        .post(
            "/discount-codes",
            discount_code::issue,
            op("createDiscountCode", "Say whose code it is")
                .body(body)
                .gives(200, Kind::Shape(&CODE))
                .refuses(404),
        )
        .delete(
            "/discount-codes/{id}",
            discount_code::withdraw,
            op("deleteDiscountCode", "Take a code from its creator")
                .note("Named by id or by the code itself. What it brought stays.")
                .gives(200, Kind::Shape(&DELETED)),
        )
        .patch(
            "/discount-codes/{id}",
            discount_code::update,
            op("trustDiscountCode", "Say that a code leaked, or is to be trusted")
                .note("Ours.")
                .body(BodyForm::of::<discount_code::TrustBody>(
                    "DiscountCodeTrust",
                    json!({ "leaked": true }),
                ))
                .gives(200, Kind::Shape(&CODE)),
        )
}

fn pools(routes: Routes) -> Routes {
    let pool = BodyForm::of::<code_pool::PoolBody>("CodePoolInput", json!({ "name": "Spring", "storeId": "store_1" }));
    let codes = BodyForm::of::<code_pool::CodesBody>(
        "PoolCodesInput",
        json!({ "codes": ["SPRING-7XK2", { "code": "SPRING-9QM4", "expiresAt": "2027-01-01T00:00:00Z" }] }),
    )
    .note("codes", "Codes: text, or `{code, expiresAt}`.")
    .note("expiresAt", "Of those that say none themselves.");
    routes
        .get(
            "/discount-codes/pools",
            code_pool::list,
            op("listCodePools", "List pools of single-use codes")
                .note("Ours.")
                .query(&PAGE)
                .gives(200, Kind::List(&Kind::Shape(&POOL))),
        )
        .post(
            "/discount-codes/pools",
            code_pool::create,
            op("createCodePool", "Open a pool")
                .note("Ours.")
                .body(pool)
                .gives(201, Kind::Shape(&POOL))
                .refuses(404),
        )
        .get(
            "/discount-codes/pools/{id}",
            code_pool::show,
            op("getCodePool", "Read a pool")
                .note("Ours.")
                .gives(200, Kind::Shape(&POOL)),
        )
        .delete(
            "/discount-codes/pools/{id}",
            code_pool::delete,
            op("deleteCodePool", "Delete a pool")
                .note("Ours.")
                .gives(200, Kind::Shape(&DELETED)),
        )
        .post(
            "/discount-codes/pools/{id}/codes",
            code_pool::upload,
            op("fillCodePool", "Fill a pool")
                .note("Ours. JSON, or a file.")
                .query(&[DRY_RUN])
                .body(codes)
                .table()
                .gives(200, Kind::Shape(&TAKEN))
                .large(),
        )
}

fn money(routes: Routes) -> Routes {
    let entry = BodyForm::of::<spend::SpendBody>(
        "SpendInput",
        json!({ "externalId": "inv-7", "partnerId": "pn_1", "amount": 50000, "currency": "EUR", "note": "Video" }),
    )
    .note("amount", "In minor units.");
    let void = BodyForm::of::<spend::VoidBody>("VoidInput", json!({ "note": "entered twice" })).or_nothing();
    let rates = BodyForm::of::<rate::RatesBody>(
        "RatesInput",
        json!({ "rates": [{ "base": "EUR", "quote": "USD", "date": "2026-11-20", "rate": "1.0842" }] }),
    )
    .rows::<rate::RateBody>("rates");
    routes
        .tag("Spend")
        .get(
            "/spend",
            spend::list,
            op("listSpend", "List what was paid")
                .note("Ours.")
                .query(&PAGE)
                .query(&[
                    may("partnerId", ID, ""),
                    may("campaignId", ID, ""),
                    may("linkId", ID, ""),
                ])
                .query(&PERIOD)
                .gives(200, Kind::List(&Kind::Shape(&SPEND)))
                .refuses(404),
        )
        .post(
            "/spend",
            spend::record,
            op("recordSpend", "Record what was paid")
                .note("Ours. Entries are voided, never edited.")
                .body(entry)
                .gives(201, Kind::Shape(&SPEND))
                .refuses(404),
        )
        .post(
            "/spend/{id}/void",
            spend::void,
            op("voidSpend", "Void an entry")
                .note("Ours.")
                .body(void)
                .gives(200, Kind::Shape(&SPEND)),
        )
        .get(
            "/rates",
            rate::list,
            op("listRates", "List exchange rates")
                .note("Ours.")
                .query(&[
                    may("page", Kind::Range(1, u32::MAX), "From 1."),
                    may("pageSize", Kind::Range(1, 1000), "Most entries of a page."),
                    may("base", CURRENCY, ""),
                    may("quote", Kind::Text("USD"), ""),
                ])
                .query(&PERIOD)
                .gives(200, Kind::List(&Kind::Shape(&RATE))),
        )
        .put(
            "/rates",
            rate::load,
            op("loadRates", "Load exchange rates")
                .note("Ours. JSON, or a file such as the ECB's.")
                .query(&[DRY_RUN])
                .body(rates)
                .table()
                .gives(200, Kind::Shape(&TAKEN))
                .large(),
        )
}

fn programs(routes: Routes) -> Routes {
    let body =
        BodyForm::of::<program::ProgramBody>("ProgramInput", json!({ "attributionWindowDays": 14, "model": "last" }));
    routes
        .tag("Program")
        .get(
            "/program",
            program::show,
            op("getProgram", "How orders are credited")
                .note("Ours.")
                .gives(200, PROGRAM_KIND),
        )
        .patch(
            "/program",
            program::update,
            op("updateProgram", "Change how orders are credited")
                .note("Ours.")
                .body(body)
                .gives(200, PROGRAM_KIND),
        )
}
