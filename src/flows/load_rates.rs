//! Exchange rates are loaded: one transaction a call. What was read before is read by them from then on.

use super::context::Context;
use super::error::Error;
use crate::books;
use crate::domain::id::WorkspaceNo;
use crate::domain::rate::{DatedRate, RATES_PER_CALL_MAX};

/// Keeps `rates`, in the place of those that are known of the same pairs and days.
pub async fn load(context: &Context, workspace: WorkspaceNo, rates: Vec<DatedRate>) -> Result<(), Error> {
    if rates.len() > RATES_PER_CALL_MAX {
        return Err(Error::invalid("rates", "must have at most 10000 entries a call"));
    }
    let kept = context
        .inner
        .books
        .commit(move |tx| books::rate::put(tx, workspace, &rates).map_err(Error::from));
    kept.await
}
