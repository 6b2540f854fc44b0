//! The admin side: API, console and operations, on the listener that was bound first.
//!
//! Runs on the background runtime, behind followers.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use axum::Router;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::{GRACE, Indoors, NODE, StartError};
use crate::clicklog;
use crate::config::Config;
use crate::domain::outside::{Entropy, Fetch, TextRecords};
use crate::flows::backup::Backups;
use crate::integrations::dns::{NameServers, NoNameServers};
use crate::integrations::receiver::Poster;
use crate::net::{self, ApiOptions, Tally};
use crate::redirect::{Counters, Keys, TableReader};
use crate::web::operations::Operations;
use crate::web::{api, console, operations};

/// What only the admin side works with.
pub(super) struct Admin {
    pub eraser: clicklog::Eraser,
    pub address: SocketAddr,
    pub profiles: Arc<dyn Fetch>,
    pub poster: Poster,
    pub table: TableReader,
    pub workers: Arc<[Arc<Counters>]>,
    pub connections: Tally,
}

impl Admin {
    /// The API of `indoors`, and the router that serves it with everything beside it.
    pub fn open(self, indoors: &Indoors<'_>) -> (api::Api, Router) {
        let gate = Arc::new(api::Gate::new(indoors.config.limits.api_calls_per_minute));
        let context = indoors.context;
        let operations = Operations {
            table: self.table,
            workers: self.workers,
            recorder: Arc::clone(&indoors.recorder.stats),
            clicks: indoors.clicks.clone(),
            books: context.books().clone(),
            connections: self.connections,
            waitlist: Arc::clone(context.waitlist_tally()),
            conversions: Arc::clone(context.conversion_tally()),
            codes: Arc::clone(context.code_desk()),
            telling: Arc::clone(context.telling()),
            gate: Arc::clone(&gate),
            clock: Arc::clone(&indoors.world.clock),
        };
        let (ring, cookie_ring) = (Arc::clone(indoors.keys), Arc::clone(indoors.keys));
        let limits = &indoors.config.limits;
        let api = api::Api {
            context: context.clone(),
            clicks: indoors.clicks.clone(),
            eraser: self.eraser,
            click_ids: Arc::new(move || ring.load().click_id.clone()),
            visitors: Arc::new(move || cookie_ring.load().cookie.clone()),
            node: NODE,
            base_url: format!("http://{}", self.address).into(),
            consent: indoors.config.consent.default,
            session_key: session_key(indoors.keys),
            clicker: indoors.clicker.clone(),
            profiles: self.profiles,
            records: records(indoors.config, Arc::clone(&indoors.world.entropy)),
            poster: self.poster,
            backups: Backups::new(&indoors.config.data, Arc::clone(&indoors.recorder.stats)),
            body_max: limits.api_bytes_max,
            catalog_max: limits.catalog_bytes_max,
            gate,
        };
        let router = api::router(api.clone())
            .merge(console::router(api.clone()))
            .merge(operations::router(operations));
        (api, router)
    }
}

/// Who is asked for TXT records. A machine without a name server starts all the same: verifying says what is missing.
fn records(config: &Config, entropy: Arc<dyn Entropy>) -> Arc<dyn TextRecords> {
    match NameServers::new(config.domains.resolver, entropy) {
        Ok(servers) => Arc::new(servers),
        Err(why) => Arc::new(NoNameServers(why)),
    }
}

/// Sessions are signed with a key of their own, derived from a secret that stays, so that a restart keeps them.
fn session_key(keys: &ArcSwap<Keys>) -> [u8; 32] {
    let keys = keys.load();
    blake3::derive_key("hopcart console session 1", &keys.click_id.newest().key)
}

/// Serves `router` on `listener` until `stopped`.
pub(super) fn serve(
    runtime: &Runtime,
    listener: TcpListener,
    router: Router,
    config: &Config,
    stopped: oneshot::Receiver<()>,
) -> Result<(), StartError> {
    let options = ApiOptions {
        limits: net::Limits {
            idle: Duration::from_secs(config.limits.idle_seconds.into()),
            ..net::Limits::default()
        },
        trusted_proxies: config.trusted_proxies.clone(),
        grace: GRACE,
        tally: Tally::single(),
    };
    let _entered = runtime.enter();
    let listener = tokio::net::TcpListener::from_std(listener)
        .map_err(|error| StartError::Unavailable(format!("the admin listener does not start: {error}")))?;
    runtime.spawn(net::serve_api(listener, router, options, async move {
        let _ = stopped.await;
    }));
    Ok(())
}
