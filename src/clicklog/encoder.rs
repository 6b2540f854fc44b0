//! Writes clicks as columns; the layout stands at the head of `columns`. Never fails: without zstd columns stay plain.

use std::borrow::Borrow;

use crate::domain::click::{Click, ClickFlags, Tapped};
use crate::domain::user_agent::UserAgent;

use super::bytes::{put_number, put_signed, put_text};
use super::columns::{CLICKS_MAX, PLAIN, VERSION_BARE, VERSION_PLACED, ZSTD};
use super::dictionary::{put_column, put_shared};

/// Which of the distinct values of a column, in order of first use, each of the clicks has that were encoded last.
#[derive(Default)]
pub(super) struct Picks {
    pub(super) place: Vec<u64>,
    pub(super) country: Vec<u64>,
    pub(super) user_agent: Vec<u64>,
    pub(super) referrer: Vec<u64>,
    pub(super) utm: Vec<u64>,
    /// Empty when no locality is known.
    pub(super) locality: Vec<u64>,
}

/// Encodes clicks; keeps its buffers from one call to the next.
pub(super) struct Encoder {
    /// `None` when zstd has no memory for its context: columns stay plain then.
    packer: Option<zstd::bulk::Compressor<'static>>,
    columns: Vec<u8>,
    picks: Picks,
}

impl Encoder {
    pub(super) fn new() -> Self {
        Self {
            packer: zstd::bulk::Compressor::new(1).ok(),
            columns: Vec::new(),
            picks: Picks::default(),
        }
    }

    /// Of the last call.
    pub(super) fn picks(&self) -> &Picks {
        &self.picks
    }

    /// The bytes of `clicks`, of which there are 1 to [`CLICKS_MAX`].
    pub(super) fn encode<C: Borrow<Click>>(&mut self, clicks: &[C]) -> Vec<u8> {
        debug_assert!((1..=CLICKS_MAX).contains(&clicks.len()));
        let each = || clicks.iter().map(|click| click.borrow());
        let (first_at, last_at) = ends(each().map(|click| click.at.0));
        let (first_sequence, last_sequence) = ends(each().map(|click| click.sequence));
        self.columns.clear();
        self.picks = put_columns(&mut self.columns, clicks, first_at, first_sequence);
        let packed = self
            .packer
            .as_mut()
            .and_then(|packer| packer.compress(&self.columns).ok());
        let (packing, columns) = match &packed {
            Some(packed) if packed.len() < self.columns.len() => (ZSTD, packed),
            _ => (PLAIN, &self.columns),
        };
        let mut out = Vec::with_capacity(columns.len() + clicks.len() * 8 + 64);
        let version = match self.picks.locality.is_empty() {
            true => VERSION_BARE,
            false => VERSION_PLACED,
        };
        out.extend([version, packing]);
        put_number(&mut out, clicks.len() as u64);
        put_signed(&mut out, first_at);
        put_number(&mut out, last_at.wrapping_sub(first_at) as u64);
        put_number(&mut out, first_sequence);
        put_number(&mut out, last_sequence - first_sequence);
        put_number(&mut out, self.columns.len() as u64);
        put_number(&mut out, columns.len() as u64);
        out.extend_from_slice(columns);
        for click in each().filter(|click| click.visitor != 0) {
            out.extend_from_slice(&click.visitor.to_le_bytes());
        }
        out
    }
}

fn ends<T: Ord + Copy + Default>(values: impl Iterator<Item = T> + Clone) -> (T, T) {
    (
        values.clone().min().unwrap_or_default(),
        values.max().unwrap_or_default(),
    )
}

fn put_columns<C: Borrow<Click>>(out: &mut Vec<u8>, clicks: &[C], first_at: i64, first_sequence: u64) -> Picks {
    let each = || clicks.iter().map(|click| click.borrow());
    let mut before = first_at;
    for click in each() {
        put_signed(out, click.at.0.wrapping_sub(before));
        before = click.at.0;
    }
    let mut before = first_sequence;
    for click in each() {
        put_signed(out, click.sequence.wrapping_sub(before) as i64);
        before = click.sequence;
    }
    let place = put_column(
        out,
        each().map(|c| [c.workspace.0, c.domain.0, c.link.0]),
        |out, place| {
            place.iter().for_each(|number| put_number(out, u64::from(*number)));
        },
    );
    put_column(
        out,
        each().map(|c| (c.flags.0, c.outcome as u8, c.variant)),
        |out, mark| {
            put_number(out, u64::from(mark.0));
            out.extend([mark.1, mark.2]);
        },
    );
    let country = put_column(out, each().map(|c| c.country), |out, country| out.extend(country));
    let agent = |agent: UserAgent| [agent.device as u8, agent.os as u8, agent.browser as u8, agent.app as u8];
    let user_agent = put_column(out, each().map(|c| agent(c.user_agent)), |out, agent| out.extend(agent));
    put_shared(out, each().map(|c| &c.language), put_text);
    let referrer = put_shared(out, each().map(|c| &c.referrer), put_text);
    let utm = put_shared(out, each().map(|c| &c.utm), |out, texts| {
        texts.iter().for_each(|text| put_text(out, text));
    });
    let locality = match each().all(|click| click.locality.is_empty()) {
        true => Vec::new(),
        false => put_shared(out, each().map(|c| &c.locality), put_text),
    };
    for group in clicks.chunks(8) {
        let bits = group.iter().enumerate();
        out.push(bits.fold(0, |byte, (bit, click)| {
            byte | u8::from(click.borrow().visitor != 0) << bit
        }));
    }
    for click in each() {
        put_number(out, click.journey.len() as u64);
        for touch in &click.journey {
            put_number(out, u64::from(touch.link.0));
            put_signed(out, click.at.seconds() - i64::from(touch.seconds));
        }
    }
    for click in each().filter(|click| click.flags.has(ClickFlags::TAP)) {
        let tapped = click.tapped.unwrap_or(Tapped {
            sequence: click.sequence,
            at: click.at,
        });
        put_signed(out, click.sequence.wrapping_sub(tapped.sequence) as i64);
        put_signed(out, click.at.0.wrapping_sub(tapped.at.0));
    }
    Picks {
        place,
        country,
        user_agent,
        referrer,
        utm,
        locality,
    }
}
