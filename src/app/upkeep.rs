//! What is looked after while the server runs: profiles, secrets, codes. Each goes on by itself until the runtime ends; a
//! failure is logged and tried again at the next turn.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Runtime;

use crate::clicklog;
use crate::domain::outside::Fetch;
use crate::flows::{Context, hand_out_codes, refresh_profiles, rotate_secrets, watch_codes};
use crate::redirect::Keys;

/// How often secrets are looked at; they rotate by the day and the month.
const SECRETS_LOOK: Duration = Duration::from_secs(60);
/// How often it is looked whether a shop's UCP profile is due; what cannot wait is told at once.
const PROFILES_LOOK: Duration = Duration::from_secs(5);
/// How often it is looked whether a code brings far more orders than its creator brings clicks. It reads a month of both.
const CODES_LOOK: Duration = Duration::from_secs(60 * 60);
/// How often single-use codes are fetched, and noted once they are handed out. 50 ms: what a crash can lose of who was
/// handed which, and long enough for a lot of the most.
const SINGLE_USE_LOOK: Duration = Duration::from_millis(50);
/// The same while no link uses any: whoever makes one use them says so.
const SINGLE_USE_QUIET_LOOK: Duration = Duration::from_secs(1);

pub(super) fn look_after_profiles(runtime: &Runtime, context: Context, profiles: Arc<dyn Fetch>) {
    runtime.spawn(async move {
        loop {
            if let Err(error) = refresh_profiles::refresh_due(&context, &profiles).await {
                tracing::error!(%error, "UCP profiles were not looked after");
            }
            tokio::select! {
                () = context.profile_due() => {}
                () = tokio::time::sleep(PROFILES_LOOK) => {}
            }
        }
    });
}

pub(super) fn look_after_secrets(runtime: &Runtime, context: Context, keys: Arc<ArcSwap<Keys>>) {
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(SECRETS_LOOK).await;
            let context = context.clone();
            match tokio::task::spawn_blocking(move || rotate_secrets::rotate(&context)).await {
                Ok(Ok(rotated)) => keys.store(Arc::new(rotated)),
                Ok(Err(error)) => tracing::error!(%error, "secrets were not looked after"),
                Err(error) => tracing::error!(%error, "looking after secrets panicked"),
            }
        }
    });
}

pub(super) fn look_after_codes(runtime: &Runtime, context: Context, clicks: clicklog::Reader) {
    runtime.spawn(async move {
        loop {
            tokio::time::sleep(CODES_LOOK).await;
            let (context, clicks) = (context.clone(), clicks.clone());
            match tokio::task::spawn_blocking(move || watch_codes::look(&context, &clicks)).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::error!(%error, "codes were not looked after"),
                Err(error) => tracing::error!(%error, "looking after codes panicked"),
            }
        }
    });
}

pub(super) fn look_after_single_use_codes(runtime: &Runtime, context: Context) {
    runtime.spawn(async move {
        let mut has_failed = false;
        loop {
            if hand_out_codes::is_quiet(&context) {
                tokio::select! {
                    () = hand_out_codes::wanted(&context) => {}
                    () = tokio::time::sleep(SINGLE_USE_QUIET_LOOK) => {}
                }
            } else {
                tokio::time::sleep(SINGLE_USE_LOOK).await;
            }
            let turned = hand_out_codes::turn(&context).await;
            match &turned {
                // Once an outage, not twenty times a second.
                Err(error) if !has_failed => tracing::error!(%error, "single-use codes were not looked after"),
                _ => {}
            }
            has_failed = turned.is_err();
        }
    });
}
