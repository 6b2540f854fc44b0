//! The followers' side: what the public workers answer with.
//!
//! Made once the stores are open; until then followers wait in the foyer.

use std::sync::{Arc, Mutex};

use super::{Indoors, fresh_key};
use crate::redirect::{Counters, Lane, Shared, Worker};
use crate::web::public::{
    CreatorPages, InboundCarts, PublicCards, PublicHandler, READS_MAX, ReadThrough, Services, Tracking, Unlocking,
    Waitlist, Webhooks,
};

/// What requests that are no follows are handed to.
pub(super) fn services(indoors: &Indoors<'_>) -> Services {
    let (context, keys) = (indoors.context, indoors.keys);
    let runtime = || indoors.runtime.clone();
    let key = || fresh_key(&*indoors.world.entropy);
    let reads_max = indoors
        .world
        .filling
        .as_ref()
        .map_or(READS_MAX, |filling| filling.reads_max);
    Services {
        webhooks: Webhooks::new(
            context.clone(),
            indoors.clicks.clone(),
            Arc::clone(keys),
            runtime(),
            indoors.config.limits.webhook_bytes_max,
        ),
        waitlist: Waitlist::new(context.clone(), Arc::clone(keys), runtime(), key()),
        inbound: InboundCarts::new(context.clone(), runtime()),
        tracking: Tracking::new(
            context.clone(),
            indoors.clicks.clone(),
            Arc::clone(keys),
            indoors.clicker.clone(),
            runtime(),
            key(),
        ),
        unlocking: Unlocking::new(context.clone(), Arc::clone(keys), runtime(), key()),
        cards: PublicCards::new(context.clone(), runtime()),
        creators: CreatorPages::new(
            context.clone(),
            indoors.clicks.clone(),
            Arc::clone(keys),
            runtime(),
            key(),
        ),
        read_through: ReadThrough::new(context.clone(), runtime(), reads_max),
    }
}

/// Makes each worker's handler, with the lane of its number.
pub(super) fn handlers(
    indoors: &Indoors<'_>,
    shared: &Arc<Shared>,
    lanes: Vec<Lane>,
    counters: &Arc<[Arc<Counters>]>,
) -> impl Fn(usize) -> PublicHandler + Send + Sync + 'static {
    let services = services(indoors);
    let reader = indoors.recorder.thread();
    let lanes: Vec<Mutex<Option<Lane>>> = lanes.into_iter().map(|lane| Mutex::new(Some(lane))).collect();
    let (shared, counters, entropy) = (
        Arc::clone(shared),
        Arc::clone(counters),
        Arc::clone(&indoors.world.entropy),
    );
    move |worker: usize| {
        let taken = lanes[worker].lock().ok().and_then(|mut lane| lane.take());
        // A worker is made once; a lane of its own keeps even a second one harmless.
        let mut lane = taken.unwrap_or_else(|| Lane::new(1 << 16).0);
        lane.wake_on_push(reader.clone());
        let worker = Worker::new(
            Arc::clone(&shared),
            lane,
            Arc::clone(&counters[worker]),
            fresh_key(&*entropy),
        );
        PublicHandler::new(worker, services.clone())
    }
}
