//! What the click log knows of an order that is told: the click that came back on it, and whether the creators of its
//! codes are followed at all. Looked up before the transaction, which must not wait for another store. Writes nothing.

use std::time::Duration;

use super::context::Context;
use super::error::Error;
use super::hand_out_codes;
use crate::books::{self, View};
use crate::clicklog;
use crate::domain::attribution::{LeakSignal, leak};
use crate::domain::click::Click;
use crate::domain::click_id::ClickId;
use crate::domain::discount_code::fold;
use crate::domain::id::{CreatorNo, LinkNo, StoreNo, WorkspaceNo};
use crate::domain::keyring::Keyring;
use crate::domain::order::OrderSnapshot;
use crate::domain::program::Program;
use crate::domain::store::Store;
use crate::domain::time::Timestamp;

/// A click younger than this may still be on its way into the log; the recorder writes every 20 ms.
const FRESH_MS: i64 = 2_000;
/// Longest wait for such a click. A disk that fails for longer costs the order its journey, never its credit.
const SWEEP_WAIT_MAX: Duration = Duration::from_secs(1);
/// Links of one creator that are looked at for clicks, the newest first; a creator with more is taken to be followed.
const LINKS_LOOKED_AT_MAX: u32 = 200;

/// A click id that came back, verified.
pub(super) struct Returned {
    pub text: String,
    pub id: ClickId,
    /// The click's record; `None` = not in the log (any more).
    pub record: Option<Click>,
}

/// What was seen beside an order.
#[derive(Default)]
pub(super) struct Seen {
    pub click: Option<Returned>,
    /// The order's single-use codes, in the form in which codes are compared, each with the click that it was handed out
    /// on.
    pub handed_out: Vec<(String, Returned)>,
    /// Creators of the order's codes of whom nobody followed a link within the window before it.
    pub without_clicks: Vec<CreatorNo>,
}

/// Looks at the log for what `told` shows; the reading leaves this thread. What cannot be read is not seen.
pub(super) async fn look_up(
    context: &Context,
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    store: &Store,
    told: &OrderSnapshot,
) -> Seen {
    let text = told.click_id.as_deref().map(str::trim);
    let returned = text.and_then(|text| Some((text.to_owned(), ClickId::verify(text, click_ids)?)));
    if returned.is_none() && told.codes.is_empty() {
        return Seen::default();
    }
    if !told.codes.is_empty()
        && let Err(error) = hand_out_codes::settle(context).await
    {
        tracing::warn!(%error, "an order came before the codes that were handed out in front of it were noted");
    }
    let look = Look {
        context: context.clone(),
        clicks: clicks.clone(),
        workspace: store.workspace,
        ordered_at: told.ordered_at,
    };
    let (codes, keys, no) = (told.codes.clone(), click_ids.clone(), store.no);
    let looked = tokio::task::spawn_blocking(move || Seen {
        click: returned.map(|(text, id)| look.click(text, id)),
        handed_out: look.handed_out(no, &codes, &keys).unwrap_or_else(|error| {
            tracing::warn!(%error, "the clicks of an order's single-use codes could not be looked up");
            Vec::new()
        }),
        without_clicks: look.without_clicks(&codes).unwrap_or_else(|error| {
            tracing::warn!(%error, "the clicks of an order's creators could not be looked up");
            Vec::new()
        }),
    });
    looked.await.unwrap_or_default()
}

/// The click that `text` names; `None` = no click id of this server. Leaves this thread, as [`look_up`] does.
pub(super) async fn look_up_click(
    context: &Context,
    clicks: &clicklog::Reader,
    click_ids: &Keyring,
    text: &str,
) -> Option<Returned> {
    let text = text.trim().to_owned();
    let id = ClickId::verify(&text, click_ids)?;
    let look = Look {
        context: context.clone(),
        clicks: clicks.clone(),
        workspace: WorkspaceNo::default(),
        ordered_at: Timestamp::default(),
    };
    tokio::task::spawn_blocking(move || look.click(text, id)).await.ok()
}

/// A creator's links.
type Links = (CreatorNo, Vec<LinkNo>);

struct Look {
    context: Context,
    clicks: clicklog::Reader,
    workspace: WorkspaceNo,
    ordered_at: Timestamp,
}

impl Look {
    /// The record of the click that `id` names. The id proves itself; without a record only the journey is missing.
    fn click(&self, text: String, id: ClickId) -> Returned {
        let mut record = self.find(id);
        if record.is_none() && self.context.inner.clock.now().since(id.at) < FRESH_MS {
            self.wait_for_clicks();
            record = self.find(id);
        }
        Returned { text, id, record }
    }

    /// Returns when the clicks that were answered so far are in the log, or after a second.
    fn wait_for_clicks(&self) {
        if let Some(recorder) = self.context.inner.recorder.get()
            && let Err(error) = recorder.wait_for_sweep_at_most(SWEEP_WAIT_MAX)
        {
            tracing::warn!(%error, "an order came before the clicks in front of it were written");
        }
    }

    fn find(&self, id: ClickId) -> Option<Click> {
        let found = self.clicks.find(id.at, id.sequence, id.link);
        found
            .inspect_err(|error| tracing::warn!(%error, "the click of an order could not be looked up"))
            .ok()
            .flatten()
    }

    /// The clicks that these codes were handed out on.
    fn handed_out(&self, store: StoreNo, codes: &[String], keys: &Keyring) -> Result<Vec<(String, Returned)>, Error> {
        let given = self.context.inner.books.read_blocking(|view| {
            let mut given = Vec::new();
            for code in codes {
                let found = books::pool_code::find(view, store, code)?;
                given.extend(
                    found
                        .and_then(|found| found.given)
                        .map(|given| (fold(code), given.click)),
                );
            }
            Ok::<_, Error>(given)
        })?;
        let look = |(code, id): (String, ClickId)| (code, self.click(id.sign(keys).as_str().to_owned(), id));
        Ok(given.into_iter().map(look).collect())
    }

    /// Creators of these codes whom nobody follows. Before one is suspected, the latest clicks come in.
    fn without_clicks(&self, codes: &[String]) -> Result<Vec<CreatorNo>, Error> {
        if codes.is_empty() || self.unfollowed(codes)?.is_empty() {
            return Ok(Vec::new());
        }
        self.wait_for_clicks();
        self.unfollowed(codes)
    }

    fn unfollowed(&self, codes: &[String]) -> Result<Vec<CreatorNo>, Error> {
        let books = &self.context.inner.books;
        let (program, creators) = books.read_blocking(|view| self.creators(view, codes))?;
        let mut without = Vec::new();
        for (creator, links) in creators {
            if links.len() >= LINKS_LOOKED_AT_MAX as usize || !program.heeds(LeakSignal::NoClicks) {
                continue;
            }
            let mut last = None;
            let is_without =
                |last| leak::is_without_clicks(!links.is_empty(), last, self.ordered_at, program.window_ms());
            for link in &links {
                last = last.max(self.clicks.totals(*link)?.last_human_at);
                if !is_without(last) {
                    break;
                }
            }
            if is_without(last) {
                without.push(creator);
            }
        }
        Ok(without)
    }

    /// The program in force, and the creators of these codes with their links.
    fn creators(&self, view: &View<'_>, codes: &[String]) -> Result<(Program, Vec<Links>), Error> {
        let program = books::program::in_force(view, self.workspace)?;
        let program = program.map(|(_, program)| program).unwrap_or_default();
        let mut creators: Vec<Links> = Vec::new();
        for code in codes {
            let code = books::discount_code::by_code(view, self.workspace, code)?;
            let Some(creator) = code.map(|code| code.creator) else {
                continue;
            };
            if creators.iter().all(|(known, _)| *known != creator) {
                let links = books::link::newest_of_creator(view, creator, LINKS_LOOKED_AT_MAX)?;
                creators.push((creator, links));
            }
        }
        Ok((program, creators))
    }
}
