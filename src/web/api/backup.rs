//! `/backups`: makes a backup on the server's own machine, and tells how far it is. For the server's owner.

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::Body;
use super::error::ApiError;
use super::params::Params;
use super::{Api, Caller};
use crate::flows::backup;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackupBody {
    dir: String,
}

/// Starts a backup; 409 while one runs.
pub(super) async fn make(
    State(api): State<Api>,
    caller: Caller,
    Body(body): Body<BackupBody>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    caller.must_own()?;
    let dir = api.backups.begin(&body.dir)?;
    let made = api.clone();
    tokio::task::spawn_blocking(move || made.backups.run(&made.context, &made.clicks, &dir));
    Ok((StatusCode::ACCEPTED, Json(answer(&api.backups.state()))))
}

/// The last backup, or the one that runs.
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Value>, ApiError> {
    Params::of(query.as_deref())?.end()?;
    caller.must_own()?;
    Ok(Json(answer(&api.backups.state())))
}

fn answer(state: &backup::State) -> Value {
    match state {
        backup::State::Never => json!({ "status": "never" }),
        backup::State::Running { dir, progress } => json!({
            "status": "running",
            "dir": dir,
            "step": progress.step,
            "filesDone": progress.done,
            "files": progress.total,
            "copiedBytes": progress.copied_bytes,
        }),
        backup::State::Done {
            dir,
            files,
            copied_files,
            bytes,
            copied_bytes,
            took_ms,
        } => json!({
            "status": "done",
            "dir": dir,
            "files": files,
            "copiedFiles": copied_files,
            "bytes": bytes,
            "copiedBytes": copied_bytes,
            "tookMs": took_ms,
        }),
        backup::State::Failed { dir, why } => json!({ "status": "failed", "dir": dir, "message": why }),
    }
}
