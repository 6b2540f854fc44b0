//! From the click log into deliveries: followed by its frames from a stored place on, the clicks of a link together.
//!
//! The place moves in the transaction that queues what was found, so that a restart tells each click once. While nobody
//! wants clicks there is no place, and whoever begins to want them begins with those that come.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::context::Context;
use super::super::error::Error;
use super::{CLICKS_WAITING_MAX, Room, Teller, body, count};
use crate::books::webhook_delivery::NewEvent;
use crate::books::{self, Tx, View};
use crate::clicklog::{self, Followed, Place};
use crate::domain::click::{Click, ClickClass};
use crate::domain::id::LinkNo;
use crate::domain::time::{HOUR_MS, Timestamp};
use crate::domain::webhook::{Trigger, Webhook};

/// Under which name the place is kept.
const PLACE: &str = "webhooks_clicks_place";
/// Clicks that are told in one transaction: on as many links some 40 ms of reading and 10 of the books' writer.
const SLICE: usize = 250;
/// Older clicks are no news: after a long stop of the telling they are counted and not told.
const AGE_MS_MAX: i64 = HOUR_MS;
/// Frames that may pass without a click that anybody wants before the place is stored all the same: a restart reads them
/// again, to no effect.
const FRAMES_UNSTORED_MAX: u64 = 3_000;

/// A webhook that is told of clicks, and on which links; `None` = on all.
type Wanting = (Webhook, Option<HashSet<LinkNo>>);

/// Where the telling has come to.
#[derive(Default)]
pub(super) struct Feed {
    /// Ahead of the stored one where nobody wanted what lay between.
    place: Option<Place>,
    /// Whether somebody wanted clicks when last looked.
    is_wanted: bool,
}

/// The clicks of one transaction.
#[derive(Default)]
struct Slice {
    /// In the order in which links were clicked first.
    links: Vec<(LinkNo, Vec<Click>)>,
    clicks: usize,
    old: u64,
    /// Behind the last click that was looked at.
    place: Place,
}

impl Feed {
    /// Whether some webhook wanted clicks at the last turn.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Queues the next slice; whether there is more.
    pub async fn turn(
        &mut self,
        context: &Context,
        log: &clicklog::Reader,
        teller: &Arc<dyn Teller>,
    ) -> Result<bool, Error> {
        let read = context.inner.books.read(|view| {
            let wanting = wanting(view)?;
            let stored = books::meta::get(view, PLACE)?;
            Ok::<_, Error>((wanting, stored.as_deref().and_then(parse)))
        });
        let (wanting, stored) = read.await?;
        self.is_wanted = !wanting.is_empty();
        if wanting.is_empty() {
            self.place = None;
            if stored.is_some() {
                context.inner.books.commit(end).await?;
            }
            return Ok(false);
        }
        let Some(place) = self.place.or(stored) else {
            let place = Place {
                frame: log.newest_frame(),
                clicks: 0,
            };
            return self.store(context, place).await.map(|()| false);
        };
        let log = log.clone();
        let followed = tokio::task::spawn_blocking(move || log.follow(place)).await;
        let followed = followed.map_err(|error| Error::Internal(error.to_string()))??;
        let now = context.inner.clock.now();
        let slice = cut(&followed, place, &wanting, now);
        let tally = &context.inner.telling.tally;
        tally.click_lag.store(
            followed.newest.saturating_sub(slice.place.frame),
            std::sync::atomic::Ordering::Relaxed,
        );
        count(&tally.old, slice.old);
        let (has_moved, next) = (slice.place != place, slice.place);
        if slice.clicks > 0 {
            self.tell(context, teller, slice, wanting, now).await?;
        } else {
            self.place = Some(next);
            if next.frame.saturating_sub(stored.unwrap_or_default().frame) > FRAMES_UNSTORED_MAX {
                self.store(context, next).await?;
            }
        }
        Ok(has_moved && next.frame < followed.newest)
    }

    async fn store(&mut self, context: &Context, place: Place) -> Result<(), Error> {
        let stored = context.inner.books.commit(move |tx| put(tx, place));
        stored.await?;
        self.place = Some(place);
        Ok(())
    }

    async fn tell(
        &mut self,
        context: &Context,
        teller: &Arc<dyn Teller>,
        slice: Slice,
        wanting: Vec<Wanting>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let place = slice.place;
        let (inner, teller) = (context.clone(), Arc::clone(teller));
        let written = context
            .inner
            .books
            .read(move |view| write(&inner, &*teller, view, &slice, &wanting, now));
        let written = written.await?;
        let queued = context.inner.books.commit(move |tx| {
            let queued = queue(tx, &written, now)?;
            put(tx, place)?;
            Ok::<_, Error>(queued)
        });
        let queued = queued.await?;
        self.place = Some(place);
        let desk = &context.inner.telling;
        count(&desk.tally.events, queued.events);
        count(&desk.tally.clicks, queued.clicks);
        count(&desk.tally.full, queued.full);
        count(&desk.tally.clicks_full, queued.clicks_full);
        desk.wake();
        Ok(())
    }
}

/// Begins to follow the log behind frame `newest`, if `webhook` wants clicks and nobody did before.
pub(in crate::flows) fn begin(tx: &Tx<'_>, webhook: &Webhook, newest: u64) -> Result<(), Error> {
    let wants_clicks = webhook.triggers.has(Trigger::LinkClicked) && webhook.disabled.is_none();
    if wants_clicks && books::meta::get(tx, PLACE)?.is_none() {
        put(
            tx,
            Place {
                frame: newest,
                clicks: 0,
            },
        )?;
    }
    Ok(())
}

/// Follows the log no more, unless somebody has begun to want clicks meanwhile.
fn end(tx: &Tx<'_>) -> Result<(), Error> {
    if books::webhook::wanting_clicks(tx)?.is_empty() {
        books::meta::remove(tx, PLACE)?;
    }
    Ok(())
}

fn parse(text: &str) -> Option<Place> {
    let (frame, clicks) = text.split_once(':')?;
    Some(Place {
        frame: frame.parse().ok()?,
        clicks: clicks.parse().ok()?,
    })
}

fn put(tx: &Tx<'_>, place: Place) -> Result<(), Error> {
    let text = format!("{}:{}", place.frame, place.clicks);
    Ok(books::meta::put(tx, PLACE, &text)?)
}

fn wanting(view: &View<'_>) -> Result<Vec<Wanting>, Error> {
    let mut wanting = Vec::new();
    for webhook in books::webhook::wanting_clicks(view)? {
        let links = match webhook.is_narrow {
            true => Some(books::webhook::links(view, webhook.no)?.into_iter().collect()),
            false => None,
        };
        wanting.push((webhook, links));
    }
    Ok(wanting)
}

/// Whether `webhook` is told of `click`: people's clicks alone, as reports count them, and none from before it was made.
fn wants((webhook, links): &Wanting, click: &Click) -> bool {
    webhook.workspace == click.workspace
        && click.at >= webhook.created_at
        && links.as_ref().is_none_or(|links| links.contains(&click.link))
}

/// The next clicks that somebody wants, at most [`SLICE`]; those of a link in the order of their instants, for workers
/// write theirs one after the other.
fn cut(followed: &Followed, from: Place, wanting: &[Wanting], now: Timestamp) -> Slice {
    let mut slice = gather(followed, from, wanting, now);
    for (_, clicks) in &mut slice.links {
        clicks.sort_by_key(|click| (click.at, click.sequence));
    }
    slice
}

fn gather(followed: &Followed, from: Place, wanting: &[Wanting], now: Timestamp) -> Slice {
    let mut slice = Slice::default();
    let mut places: HashMap<LinkNo, usize> = HashMap::new();
    for (frame, clicks) in &followed.frames {
        let skipped = if *frame == from.frame + 1 { from.clicks } else { 0 };
        for (read, click) in (skipped + 1..).zip(clicks) {
            let is_wanted = click.flags.class() == ClickClass::Human && wanting.iter().any(|one| wants(one, click));
            if !is_wanted {
                continue;
            }
            if now.since(click.at) > AGE_MS_MAX {
                slice.old += 1;
                continue;
            }
            let place = *places.entry(click.link).or_insert_with(|| {
                slice.links.push((click.link, Vec::new()));
                slice.links.len() - 1
            });
            slice.links[place].1.push(click.clone());
            slice.clicks += 1;
            if slice.clicks == SLICE {
                slice.place = Place {
                    frame: frame - 1,
                    clicks: read,
                };
                return slice;
            }
        }
    }
    slice.place = Place {
        frame: followed.through,
        clicks: 0,
    };
    slice
}

/// An event, for whom, and of how many clicks.
type Written = (NewEvent, Vec<i64>, u64);

/// Writes a slice out: webhooks that take as many clicks at once share events.
fn write(
    context: &Context,
    teller: &dyn Teller,
    view: &View<'_>,
    slice: &Slice,
    wanting: &[Wanting],
    now: Timestamp,
) -> Result<Vec<Written>, Error> {
    let mut written = Vec::new();
    for (link, clicks) in &slice.links {
        let mut groups: HashMap<(u32, Vec<bool>), Vec<&Webhook>> = HashMap::new();
        for one in wanting {
            let wanted: Vec<bool> = clicks.iter().map(|click| wants(one, click)).collect();
            if wanted.contains(&true) {
                groups.entry((one.0.clicks_per_event, wanted)).or_default().push(&one.0);
            }
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        groups.sort_by_key(|(_, webhooks)| webhooks.first().map(|webhook| webhook.no));
        for ((at_once, wanted), webhooks) in groups {
            let clicks = clicks.iter().zip(wanted).filter(|(_, wanted)| *wanted);
            let clicks: Vec<Click> = clicks.map(|(click, _)| click.clone()).collect();
            for chunk in clicks.chunks(at_once.max(1) as usize) {
                let Some(data) = teller.clicks(view, *link, chunk)? else {
                    count(&context.inner.telling.tally.gone, 1);
                    continue;
                };
                let id = context.new_id("evt_");
                let event = NewEvent {
                    body: body(&id, Trigger::LinkClicked, now, &data)?,
                    id,
                    workspace: webhooks[0].workspace,
                    trigger: Trigger::LinkClicked,
                    link: Some(*link),
                    created_at: now,
                };
                let whom = webhooks.iter().map(|webhook| webhook.no).collect();
                written.push((event, whom, chunk.len() as u64));
            }
        }
    }
    Ok(written)
}

#[derive(Default)]
struct Queued {
    events: u64,
    clicks: u64,
    full: u64,
    clicks_full: u64,
}

fn queue(tx: &Tx<'_>, written: &[Written], now: Timestamp) -> Result<Queued, Error> {
    let mut room = Room::new();
    let mut queued = Queued::default();
    for (event, webhooks, clicks) in written {
        let mut no = None;
        for webhook in webhooks {
            if !room.take(tx, *webhook, CLICKS_WAITING_MAX)? {
                books::webhook::add_untold(tx, *webhook, 1)?;
                queued.full += 1;
                queued.clicks_full += clicks;
                continue;
            }
            let no = match no {
                Some(no) => no,
                None => *no.insert(books::webhook_delivery::insert_event(tx, event)?),
            };
            books::webhook_delivery::queue(tx, *webhook, no, event.link, now)?;
        }
        if no.is_some() {
            queued.events += 1;
            queued.clicks += clicks;
        }
    }
    Ok(queued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::click::ClickFlags;
    use crate::domain::id::WorkspaceNo;
    use crate::domain::webhook::{Health, TriggerSet};

    const NOW: Timestamp = Timestamp(10 * HOUR_MS);

    fn click(sequence: u64, link: u32) -> Click {
        Click {
            sequence,
            at: NOW,
            workspace: WorkspaceNo(1),
            link: LinkNo(link),
            ..Click::default()
        }
    }

    fn webhook(workspace: u32, links: Option<&[u32]>) -> Wanting {
        let webhook = Webhook {
            no: 1,
            id: String::new(),
            workspace: WorkspaceNo(workspace),
            name: String::new(),
            url: String::new(),
            triggers: TriggerSet::default(),
            is_narrow: links.is_some(),
            clicks_per_event: 100,
            secret: String::new(),
            old_secret: None,
            created_at: NOW.plus_ms(-9 * HOUR_MS),
            updated_at: NOW,
            disabled: None,
            health: Health::default(),
        };
        (
            webhook,
            links.map(|links| links.iter().map(|link| LinkNo(*link)).collect()),
        )
    }

    fn followed(frames: Vec<(u64, Vec<Click>)>) -> Followed {
        let through = frames.last().map_or(0, |(frame, _)| *frame);
        Followed {
            frames,
            through,
            newest: through,
        }
    }

    fn sequences(slice: &Slice) -> Vec<(u32, Vec<u64>)> {
        let of_link =
            |(link, clicks): &(LinkNo, Vec<Click>)| (link.0, clicks.iter().map(|click| click.sequence).collect());
        slice.links.iter().map(of_link).collect()
    }

    #[test]
    fn peoples_fresh_clicks_are_told_by_link_to_whoever_wants_them() {
        let odd = [
            Click {
                flags: ClickFlags::BOT,
                ..click(3, 7)
            },
            Click {
                flags: ClickFlags::REPEAT,
                ..click(4, 7)
            },
            Click {
                workspace: WorkspaceNo(2),
                ..click(5, 9)
            },
            Click {
                at: NOW.plus_ms(-AGE_MS_MAX - 1),
                ..click(6, 7)
            },
            // Before the webhook was made.
            Click {
                at: NOW.plus_ms(-9 * HOUR_MS - 1),
                ..click(7, 7)
            },
        ];
        let frames = vec![
            (5, [vec![click(1, 7), click(2, 8)], odd.to_vec()].concat()),
            (6, vec![click(9, 7), click(8, 7)]),
        ];
        let from = Place { frame: 4, clicks: 0 };
        let all = cut(&followed(frames.clone()), from, &[webhook(1, None)], NOW);
        assert_eq!(sequences(&all), [(7, vec![1, 8, 9]), (8, vec![2])]);
        assert_eq!((all.clicks, all.old, all.place), (4, 1, Place { frame: 6, clicks: 0 }));
        let narrow = cut(&followed(frames.clone()), from, &[webhook(1, Some(&[8]))], NOW);
        assert_eq!(sequences(&narrow), [(8, vec![2])]);
        let strange = cut(&followed(frames), from, &[webhook(3, None)], NOW);
        assert_eq!((strange.clicks, strange.place.frame), (0, 6));
    }

    #[test]
    fn a_slice_ends_within_a_frame_and_the_next_goes_on_there() {
        let all: Vec<Click> = (0..600).map(|sequence| click(sequence, 7)).collect();
        let mut place = Place { frame: 4, clicks: 0 };
        let mut told = Vec::new();
        for (count, expected) in [
            (250, Place { frame: 4, clicks: 250 }),
            (250, Place { frame: 4, clicks: 500 }),
            (100, Place { frame: 5, clicks: 0 }),
        ] {
            // As the log answers: without those before the place.
            let frame = all[place.clicks as usize..].to_vec();
            let slice = cut(&followed(vec![(5, frame)]), place, &[webhook(1, None)], NOW);
            assert_eq!((slice.clicks, slice.place), (count, expected));
            told.extend(slice.links.into_iter().flat_map(|(_, clicks)| clicks));
            place = expected;
        }
        assert_eq!(told, all);
    }

    #[test]
    fn places_are_read_as_they_are_written() {
        assert_eq!(parse("12:7"), Some(Place { frame: 12, clicks: 7 }));
        for text in ["", "12", "12:", ":7", "12:7:1", "-1:0"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
