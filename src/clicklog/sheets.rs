//! Finds links' clicks in the sheets of all writings.

use std::collections::HashSet;

use crate::domain::id::{LinkNo, WorkspaceNo};

use super::bytes::Damaged;
use super::day::QUARTERS;
use super::error::StoreError;
use super::key;
use super::sheet::{Entry, Part, Sheet};
use super::store::Store;

/// Links of a question up to which each is looked for: beyond, all sheets of the time are read.
const SOUGHT_MAX: usize = 64;

/// A link's part of a sheet.
pub(super) struct Found<'a, 's> {
    pub(super) link: LinkNo,
    /// Number of the UTC day.
    pub(super) day: u32,
    /// The last frame in the writing that made the sheet.
    pub(super) through: u64,
    pub(super) sheet: &'s Sheet<'a>,
    part: &'s Part,
}

impl<'s> Found<'_, 's> {
    /// The link's clicks, each with the number of its quarter hour since 1970.
    pub(super) fn clicks(&self) -> impl Iterator<Item = (u32, &'s Entry)> + use<'s> {
        let first = self.day.saturating_mul(QUARTERS);
        let clicks = self.sheet.clicks[self.part.clicks.clone()].iter();
        clicks.map(move |click| (first.saturating_add(u32::from(click.quarter)), click))
    }

    /// What sketches would note of its visitors.
    pub(super) fn visitors(&self) -> &'s [u32] {
        &self.sheet.visitors[self.part.visitors.clone()]
    }
}

/// Hands the parts of `links` of the workspace, or of all of its links, on days from the first to the last to `each`.
pub(super) fn visit<E: From<StoreError> + From<Damaged>>(
    store: &Store,
    (workspace, links): (WorkspaceNo, Option<&HashSet<LinkNo>>),
    (first, last): (u32, u32),
    mut each: impl FnMut(&Found<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let low = key::sheet(workspace, first, 0, LinkNo(0));
    let high = key::sheet(workspace, last, u64::MAX, LinkNo(u32::MAX));
    match links {
        Some(links) if links.len() <= SOUGHT_MAX => {
            let mut links: Vec<LinkNo> = links.iter().copied().collect();
            links.sort_unstable();
            seek(store, (workspace, &links), (&low, &high), &mut each)
        }
        _ => store.scan::<E>(&low, &high, false, |key, body| {
            let (day, through, first) = key::of_sheet(key);
            let sheet = Sheet::read(body, first)?;
            for part in &sheet.links {
                if links.is_none_or(|links| links.contains(&part.link)) {
                    each(&Found {
                        link: part.link,
                        day,
                        through,
                        sheet: &sheet,
                        part,
                    })?;
                }
            }
            Ok(true)
        }),
    }
}

/// Looks for each of `links`, which are in order, in the sheets of each writing and day between two keys.
fn seek<E: From<StoreError> + From<Damaged>>(
    store: &Store,
    (workspace, links): (WorkspaceNo, &[LinkNo]),
    (low, high): (&[u8], &[u8]),
    each: &mut impl FnMut(&Found<'_, '_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut next = Some(low.to_vec());
    while let Some(from) = next {
        let Some(found) = store.first_key(&from, high)? else {
            break;
        };
        let (day, through, _) = key::of_sheet(&found);
        let mut rest = links;
        while let Some(link) = rest.last() {
            // The last sheet that begins with this link or before it; links before its first are in sheets before.
            let (first, last) = (
                key::sheet(workspace, day, through, LinkNo(0)),
                key::sheet(workspace, day, through, *link),
            );
            let mut begin = None;
            store.scan::<E>(&first, &last, true, |key, body| {
                let (_, _, first) = key::of_sheet(key);
                let sheet = Sheet::read(body, first)?;
                begin = Some(first);
                let here = rest.partition_point(|link| *link < first);
                for link in &rest[here..] {
                    if let Some(part) = sheet.part(*link) {
                        each(&Found {
                            link: *link,
                            day,
                            through,
                            sheet: &sheet,
                            part,
                        })?;
                    }
                }
                Ok(false)
            })?;
            let Some(begin) = begin else { break };
            rest = &rest[..rest.partition_point(|link| *link < begin)];
        }
        next = through
            .checked_add(1)
            .map(|through| key::sheet(workspace, day, through, LinkNo(0)).to_vec());
    }
    Ok(())
}
