//! Links that are asked for before the table holds them: read from the books for themselves, on the background runtime,
//! into the table. Only while the table fills; so much at once, and no more.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::domain::{host, slug};
use crate::flows::{Context, Error, load_table};

/// Most links that are read or wait for it. 256: the books' readers take some 0.1 ms for each, so that nobody waits for
/// more than some 15 ms; whoever comes then is told to come back.
pub const READS_MAX: usize = 256;

/// What reading links needs; one for all workers.
#[derive(Clone)]
pub struct ReadThrough {
    context: Context,
    runtime: Handle,
    places: Arc<Semaphore>,
}

/// Whether there is a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    /// In the table.
    Here,
    /// Nowhere.
    Absent,
    /// Too many are asked for, or the books cannot be read.
    Unknown,
}

impl ReadThrough {
    /// Works on `runtime`; at most `reads_max` at once, those that wait counted.
    pub fn new(context: Context, runtime: Handle, reads_max: usize) -> Self {
        Self {
            context,
            runtime,
            places: Arc::new(Semaphore::new(reads_max)),
        }
    }

    /// Sees to it that the link which `path` on `host` names is in the table, if there is one: also that of an address
    /// with a `+` behind it.
    pub(super) async fn find(&self, host: &str, path: &str) -> Presence {
        let table = self.context.table();
        let domain = table.domain(&host::of_authority(host)).no;
        let Some(slug) = slug::of_path(path) else {
            return Presence::Absent;
        };
        let bare = slug.strip_suffix(super::PLUS).filter(|bare| !bare.is_empty());
        if table.link(domain, &slug).is_some() || bare.is_some_and(|bare| table.link(domain, bare).is_some()) {
            return Presence::Here;
        }
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return Presence::Unknown;
        };
        let slugs: Vec<String> = std::iter::once(&*slug).chain(bare).map(str::to_owned).collect();
        let context = self.context.clone();
        let reading = self.runtime.spawn(async move {
            let _place = place;
            for slug in slugs {
                if load_table::read_through(&context, domain, slug).await? {
                    return Ok::<_, Error>(Presence::Here);
                }
            }
            Ok(Presence::Absent)
        });
        match reading.await {
            Ok(Ok(presence)) => presence,
            Ok(Err(_)) | Err(_) => Presence::Unknown,
        }
    }
}
