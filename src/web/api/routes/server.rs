//! Workspaces, keys, settings, the audit log and backups.

use serde_json::json;

use super::super::description::{BodyForm, Kind, Routes, Shape, has, may, op};
use super::super::{audit, backup, key, settings};
use super::{COUNT, CURRENCY, DELETED, ID, MAYBE_INSTANT, MAYBE_TEXT, MAYBE_WHOLE, TEXTS};

const SETTINGS: Shape = Shape {
    name: "Settings",
    fields: &[
        has(
            "currency",
            Kind::OrNull(&CURRENCY),
            "What reports are in; null: the stores' own.",
        ),
        has("appSchemes", TEXTS, "Schemes of apps that links may open."),
        has("publicCards", Kind::Flag, "Whether a trailing + shows a link's card."),
        has("tiers", Kind::Shape(&TIERS), "Followers from which each tier begins."),
    ],
};

const TIERS: Shape = Shape {
    name: "Tiers",
    fields: &[
        has("micro", Kind::Whole(10_000), ""),
        has("mid", Kind::Whole(50_000), ""),
        has("macro", Kind::Whole(500_000), ""),
        has("celebrity", Kind::Whole(1_000_000), ""),
    ],
};

const WORKSPACE: Shape = Shape {
    name: "Workspace",
    fields: &[
        has("id", Kind::Text("ws_1"), ""),
        has("name", Kind::Text("Sand & Clay"), ""),
        has("createdAt", Kind::Instant, ""),
    ],
};

const OPENED: Shape = Shape {
    name: "OpenedWorkspace",
    fields: &[
        has("id", Kind::Text("ws_1"), ""),
        has("name", Kind::Text("Sand & Clay"), ""),
        has("key", ID, "Its first key: shown once."),
        has("keyId", Kind::Text("key_1"), ""),
        has("createdAt", Kind::Instant, ""),
    ],
};

macro_rules! key_fields {
    ($($more:expr),* $(,)?) => {
        &[
            has("id", Kind::Text("key_1"), ""),
            has("name", Kind::Text("reader"), ""),
            has("hint", ID, "Its last characters."),
            has("workspaceId", Kind::Text("ws_1"), ""),
            has("isOwner", Kind::Flag, "Whether it is the server's owner's."),
            has("kind", Kind::Words(&["secret", "publishable"]), ""),
            has("origins", Kind::OrNull(&TEXTS), "Of a publishable key: the pages that may send it."),
            has("scopes", Kind::OrNull(&TEXTS), "null: everything."),
            has("expiresAt", MAYBE_INSTANT, ""),
            has("callsPerMinute", MAYBE_WHOLE, "null: as the server says."),
            has("lastUsed", MAYBE_INSTANT, ""),
            has("createdAt", Kind::Instant, ""),
            $($more),*
        ]
    };
}

const KEY: Shape = Shape {
    name: "Key",
    fields: key_fields![],
};

const ISSUED: Shape = Shape {
    name: "IssuedKey",
    fields: key_fields![has("key", ID, "The key itself: shown once.")],
};

const ENTRY: Shape = Shape {
    name: "AuditEntry",
    fields: &[
        has("id", Kind::Text("aud_1"), ""),
        has("at", Kind::Instant, ""),
        has("keyId", Kind::Text("key_1"), "Whose key wrote."),
        has("action", Kind::Text("PATCH /links/link_1"), ""),
        has("targetId", MAYBE_TEXT, ""),
        has("before", Kind::OrNull(&Kind::Object), ""),
        has("after", Kind::OrNull(&Kind::Object), ""),
    ],
};

const BACKUP: Shape = Shape {
    name: "Backup",
    fields: &[
        has("status", Kind::Words(&["never", "running", "done", "failed"]), ""),
        may("dir", ID, ""),
        may("step", ID, ""),
        may("filesDone", COUNT, ""),
        may("files", COUNT, ""),
        may("copiedFiles", COUNT, ""),
        may("bytes", COUNT, ""),
        may("copiedBytes", COUNT, ""),
        may("tookMs", COUNT, ""),
        may("message", ID, "Why it failed."),
    ],
};

pub(super) fn add(routes: Routes) -> Routes {
    routes.with(of_workspace).with(keys).with(backups)
}

fn of_workspace(routes: Routes) -> Routes {
    routes
        .tag("Settings")
        .get(
            "/settings",
            settings::show,
            op("getSettings", "Read the workspace's settings")
                .note("Ours.")
                .gives(200, Kind::Shape(&SETTINGS)),
        )
        .patch(
            "/settings",
            settings::update,
            op("updateSettings", "Change the workspace's settings")
                .note("Ours.")
                .body(BodyForm::of::<settings::SettingsBody>(
                    "SettingsInput",
                    json!({ "currency": "EUR", "publicCards": true }),
                ))
                .gives(200, Kind::Shape(&SETTINGS)),
        )
        .tag("Audit log")
        .get(
            "/audit-log",
            audit::list,
            op("listAuditLog", "Who wrote what")
                .note("Ours. Newest first.")
                .query(&[
                    may("pageSize", Kind::Range(1, audit::PAGE_SIZE), ""),
                    may(
                        "startingAfter",
                        Kind::Text("aud_1"),
                        "Id of the entry after which the page begins.",
                    ),
                    may("keyId", ID, ""),
                    may("targetId", ID, ""),
                ])
                .gives(200, Kind::List(&Kind::Shape(&ENTRY))),
        )
}

fn keys(routes: Routes) -> Routes {
    let workspace = BodyForm::of::<key::WorkspaceBody>("WorkspaceInput", json!({ "name": "Sand & Clay" }));
    let issue = BodyForm::of::<key::KeyBody>(
        "KeyInput",
        json!({ "name": "pages", "kind": "publishable", "origins": ["https://shop.example"] }),
    )
    .note("workspaceId", "The caller's own when it is left out.")
    .note("origins", "Of a publishable key: the pages that may send it.")
    .note("scopes", "null: everything.");
    let change = BodyForm::of::<key::KeyChangeBody>("KeyChange", json!({ "name": "pages of the shop" }));
    routes
        .tag("Workspaces and keys")
        .get(
            "/workspaces",
            key::list_workspaces,
            op("listWorkspaces", "List workspaces")
                .note("Ours. All for the server's owner, else the key's own.")
                .gives(200, Kind::List(&Kind::Shape(&WORKSPACE))),
        )
        .post(
            "/workspaces",
            key::open_workspace,
            op("openWorkspace", "Open a workspace")
                .note("Ours. For the server's owner.")
                .body(workspace)
                .gives(201, Kind::Shape(&OPENED)),
        )
        .get(
            "/keys",
            key::list,
            op("listKeys", "List keys")
                .note("Ours.")
                .gives(200, Kind::List(&Kind::Shape(&KEY))),
        )
        .post(
            "/keys",
            key::issue,
            op("issueKey", "Issue a key")
                .note("Ours. Secret keys: for the server's owner.")
                .body(issue)
                .gives(201, Kind::Shape(&ISSUED))
                .refuses(404),
        )
        .patch(
            "/keys/{id}",
            key::update,
            op("updateKey", "Change a key's name and bounds")
                .note("Ours. For the server's owner.")
                .body(change)
                .gives(200, Kind::Shape(&KEY)),
        )
        .delete(
            "/keys/{id}",
            key::revoke,
            op("revokeKey", "Revoke a key at once")
                .note("Ours. For the server's owner.")
                .gives(200, Kind::Shape(&DELETED)),
        )
}

fn backups(routes: Routes) -> Routes {
    routes
        .tag("Backups")
        .get(
            "/backups",
            backup::show,
            op("getBackup", "The last backup, or the one that runs")
                .note("Ours. For the server's owner.")
                .gives(200, Kind::Shape(&BACKUP)),
        )
        .post(
            "/backups",
            backup::make,
            op("makeBackup", "Start a backup on the server's own machine")
                .note("Ours. For the server's owner.")
                .body(BodyForm::of::<backup::BackupBody>(
                    "BackupInput",
                    json!({ "dir": "/var/backups/hopcart" }),
                ))
                .gives(202, Kind::Shape(&BACKUP)),
        )
}
