//! Clicks as columns: what a journal frame and a click block hold, on disk and in memory. `gather` makes them of clicks
//! as they come, `encoder` writes them, this file reads them.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version: 2 when it has a column of localities, else 1 |
//! | 1 | packing of the columns: 0 plain, 1 zstd |
//! | number | count of clicks, 1 to [`CLICKS_MAX`] |
//! | signed, number | earliest instant in ms since 1970; how much later the latest is |
//! | number, number | lowest sequence; how much higher the highest is |
//! | number | length of the columns before packing |
//! | number, bytes | length of the columns as packed; the columns |
//! | 8 a visitor | visitors that are not 0, little endian, in order of their clicks; random, so never packed |
//!
//! The columns, each for all clicks in turn:
//!
//! | column | how |
//! |---|---|
//! | instant | signed difference to the click before (the first: to the earliest), ms |
//! | sequence | signed difference to the click before (the first: to the lowest) |
//! | place | dictionary of (workspace, domain, link), three numbers |
//! | mark | dictionary of (flags number, outcome byte, variant byte) |
//! | country | dictionary of 2 bytes |
//! | user agent | dictionary of 4 bytes: device, os, browser, app |
//! | language, referrer | dictionary of texts |
//! | UTM | dictionary of five texts |
//! | locality | in version 2 alone: dictionary of texts, as in `domain::locality`; in version 1 none is known |
//! | has a visitor | one bit a click, the first in the lowest bit of the first byte |
//! | journey | number of touches, then each touch: link number, signed seconds from the touch to the click |
//! | tapped | for taps alone: signed difference from the tapped click's sequence to the tap's, the same of the instants in ms |
//!
//! The click id is not stored: node, instant, sequence and link give it.

use std::cell::RefCell;
use std::sync::Arc;

use zstd::bulk::Decompressor;

use crate::domain::click::{Click, ClickFlags, Outcome, Tapped};
use crate::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use crate::domain::time::Timestamp;
use crate::domain::user_agent::UserAgent;
use crate::domain::visitor::{TOUCHES_MAX, Touch};

use super::bytes::{Damaged, Source};
use super::dictionary::Column;

/// Most clicks encoded together: keeps what a reader must hold at once to a few megabytes.
pub(super) const CLICKS_MAX: usize = 4096;
/// Clicks of which no locality is known: what any version of this program reads.
pub(super) const VERSION_BARE: u8 = 1;
/// Clicks with a column of localities.
pub(super) const VERSION_PLACED: u8 = 2;
pub(super) const PLAIN: u8 = 0;
pub(super) const ZSTD: u8 = 1;
/// Longest columns that are unpacked: [`CLICKS_MAX`] clicks whose every text has its longest length stay below.
const COLUMNS_MAX: usize = 16 << 20;

thread_local! {
    /// Making zstd's context costs more than unpacking a block with it.
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = RefCell::new(Decompressor::new().ok());
}

/// What stands before the columns, readable without unpacking them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Header {
    pub(super) count: usize,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) first_sequence: u64,
    pub(super) last_sequence: u64,
    is_placed: bool,
    packing: u8,
    columns_length: usize,
}

impl Header {
    /// Of clicks at these instants with these sequences.
    pub(super) fn of(at: &[Timestamp], sequence: &[u64]) -> Self {
        Self {
            count: at.len(),
            first_at: at.iter().copied().min().unwrap_or_default(),
            last_at: at.iter().copied().max().unwrap_or_default(),
            first_sequence: sequence.iter().copied().min().unwrap_or_default(),
            last_sequence: sequence.iter().copied().max().unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Reads the header of encoded clicks.
    pub(super) fn read(source: &mut Source<'_>) -> Result<Self, Damaged> {
        let is_placed = match source.byte()? {
            VERSION_BARE => false,
            VERSION_PLACED => true,
            _ => return Err(Damaged("clicks have an unknown version")),
        };
        let packing = source.byte()?;
        let count = source.count(CLICKS_MAX)?;
        let first_at = source.signed()?;
        let last_at = first_at.wrapping_add(source.number()? as i64);
        let first_sequence = source.number()?;
        let last_sequence = first_sequence
            .checked_add(source.number()?)
            .ok_or(Damaged("a sequence does not fit 64 bits"))?;
        if count == 0 || last_at < first_at {
            return Err(Damaged("a header of clicks makes no sense"));
        }
        Ok(Self {
            count,
            first_at: Timestamp(first_at),
            last_at: Timestamp(last_at),
            first_sequence,
            last_sequence,
            is_placed,
            packing,
            columns_length: source.count(COLUMNS_MAX)?,
        })
    }
}

/// Where a click happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) workspace: WorkspaceNo,
    pub(super) domain: DomainNo,
    pub(super) link: LinkNo,
}

/// What kind of click it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    pub(super) flags: ClickFlags,
    pub(super) outcome: Outcome,
    pub(super) variant: u8,
}

/// How much of encoded clicks is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// What reports count by; visitors, journeys and what was tapped stay unread and must not be asked for.
    Counting,
    /// Everything.
    Whole,
}

/// Clicks in memory: columns side by side, so that who reads them touches only those that matter.
#[derive(Debug, Clone, Default)]
pub(super) struct Columns {
    pub(super) header: Header,
    pub(super) at: Vec<Timestamp>,
    pub(super) sequence: Vec<u64>,
    pub(super) place: Column<Place>,
    pub(super) mark: Column<Mark>,
    pub(super) country: Column<[u8; 2]>,
    pub(super) user_agent: Column<UserAgent>,
    pub(super) language: Column<Arc<str>>,
    pub(super) referrer: Column<Arc<str>>,
    pub(super) utm: Column<Arc<[Box<str>; 5]>>,
    pub(super) locality: Column<Arc<str>>,
    pub(super) visitor: Vec<u64>,
    pub(super) touches: Vec<Touch>,
    /// Of each click, or empty where there are none.
    pub(super) touches_end: Vec<u32>,
    /// As long as the last tap's row, or empty.
    pub(super) tapped: Vec<Option<Tapped>>,
}

impl PartialEq for Columns {
    /// Whether the same clicks follow one another, however they are numbered.
    fn eq(&self, other: &Self) -> bool {
        self.clicks() == other.clicks()
    }
}

impl Eq for Columns {}

impl Columns {
    /// Nothing, in the same room.
    pub(super) fn emptied(mut self) -> Self {
        self.header = Header::default();
        self.at.clear();
        self.sequence.clear();
        self.place.clear();
        self.mark.clear();
        self.country.clear();
        self.user_agent.clear();
        self.language.clear();
        self.referrer.clear();
        self.utm.clear();
        self.locality.clear();
        self.visitor.clear();
        self.touches.clear();
        self.touches_end.clear();
        self.tapped.clear();
        self
    }

    /// Makes room in these, which are empty, for as much as `other` has.
    pub(super) fn reserve_as(&mut self, other: &Self) {
        self.at.reserve(other.at.len());
        self.sequence.reserve(other.sequence.len());
        self.visitor.reserve(other.visitor.len());
        self.touches_end.reserve(other.touches_end.len());
        self.place.reserve_as(&other.place);
        self.mark.reserve_as(&other.mark);
        self.country.reserve_as(&other.country);
        self.user_agent.reserve_as(&other.user_agent);
        self.language.reserve_as(&other.language);
        self.referrer.reserve_as(&other.referrer);
        self.utm.reserve_as(&other.utm);
        self.locality.reserve_as(&other.locality);
    }

    /// Reads encoded clicks; `bytes` holds nothing else.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Damaged> {
        Self::decode_to(Depth::Whole, bytes)
    }

    /// Reads encoded clicks as deep as `depth`.
    pub(super) fn decode_to(depth: Depth, bytes: &[u8]) -> Result<Self, Damaged> {
        let mut source = Source(bytes);
        let header = Header::read(&mut source)?;
        let length = source.count(source.0.len())?;
        let packed = source.take(length)?;
        match header.packing {
            PLAIN if packed.len() == header.columns_length => Self::read(depth, header, packed, source),
            ZSTD => match unpack(packed, header.columns_length) {
                Ok(plain) if plain.len() == header.columns_length => Self::read(depth, header, &plain, source),
                _ => Err(Damaged("packed columns do not unpack")),
            },
            _ => Err(Damaged("columns have an unknown packing")),
        }
    }

    fn read(depth: Depth, header: Header, columns: &[u8], visitors: Source<'_>) -> Result<Self, Damaged> {
        let count = header.count;
        let mut source = Source(columns);
        let at = instants(&mut source, &header)?;
        let sequence = sequences(&mut source, &header)?;
        let place = Column::read(&mut source, count, place)?;
        let mark = Column::read(&mut source, count, mark)?;
        let country = Column::read(&mut source, count, |source| source.array())?;
        let user_agent = Column::read(&mut source, count, user_agent)?;
        let language = Column::read(&mut source, count, text)?;
        let referrer = Column::read(&mut source, count, text)?;
        let utm = Column::read(&mut source, count, |s| {
            let mut one = || s.text().map(Box::from);
            Ok(Arc::new([one()?, one()?, one()?, one()?, one()?]))
        })?;
        let locality = match header.is_placed {
            true => Column::read(&mut source, count, text)?,
            false => Column::of_one("".into()),
        };
        let mut read = Self {
            header,
            at,
            sequence,
            place,
            mark,
            country,
            user_agent,
            language,
            referrer,
            utm,
            locality,
            visitor: Vec::new(),
            touches: Vec::new(),
            touches_end: Vec::new(),
            tapped: Vec::new(),
        };
        if depth == Depth::Whole {
            read.people(source, visitors)?;
        }
        Ok(read)
    }

    /// Reads what is left in `source` and `visitors`: who it was, what came before, what was tapped.
    fn people(&mut self, mut source: Source<'_>, mut visitors: Source<'_>) -> Result<(), Damaged> {
        let count = self.header.count;
        let bits = source.take(count.div_ceil(8))?;
        self.visitor = (0..count)
            .map(|row| match bits[row / 8] >> (row % 8) & 1 {
                0 => Ok(0),
                _ => visitors.array().map(u64::from_le_bytes),
            })
            .collect::<Result<_, _>>()?;
        for row in 0..count {
            for _ in 0..source.count(TOUCHES_MAX)? {
                self.touches.push(touch(&mut source, self.at[row])?);
            }
            self.end_journey(row);
        }
        for row in (0..count).filter(|row| self.mark.get(*row).flags.has(ClickFlags::TAP)) {
            self.tapped.resize(row, None);
            self.tapped.push(Some(Tapped {
                sequence: self.sequence[row].wrapping_sub(source.signed()? as u64),
                at: Timestamp(self.at[row].0.wrapping_sub(source.signed()?)),
            }));
        }
        source.end()?;
        visitors.end()
    }

    /// The touches that were added last are those of click number `row`, the next.
    pub(super) fn end_journey(&mut self, row: usize) {
        if !self.touches.is_empty() {
            self.touches_end.resize(row, 0);
            self.touches_end.push(self.touches.len() as u32);
        }
    }

    /// The touches of click number `row`.
    pub(super) fn journey(&self, row: usize) -> &[Touch] {
        let end = |row: usize| self.touches_end.get(row).map_or(0, |end| *end as usize);
        &self.touches[row.checked_sub(1).map_or(0, end)..end(row)]
    }

    /// What click number `row` tapped.
    pub(super) fn tapped(&self, row: usize) -> Option<Tapped> {
        self.tapped.get(row).copied().flatten()
    }

    /// Click number `row` with everything that was stored of it.
    pub(super) fn click(&self, row: usize) -> Click {
        let (place, mark) = (self.place.get(row), self.mark.get(row));
        Click {
            sequence: self.sequence[row],
            at: self.at[row],
            workspace: place.workspace,
            domain: place.domain,
            link: place.link,
            flags: mark.flags,
            outcome: mark.outcome,
            visitor: self.visitor[row],
            variant: mark.variant,
            country: *self.country.get(row),
            locality: self.locality.get(row).clone(),
            user_agent: *self.user_agent.get(row),
            language: self.language.get(row).clone(),
            referrer: self.referrer.get(row).clone(),
            utm: self.utm.get(row).clone(),
            journey: self.journey(row).to_vec(),
            tapped: self.tapped(row),
        }
    }

    /// All clicks in the order in which they were encoded.
    pub(super) fn clicks(&self) -> Vec<Click> {
        (0..self.header.count).map(|row| self.click(row)).collect()
    }
}

/// The bytes that zstd packed, `length` of them if nothing is wrong.
fn unpack(packed: &[u8], length: usize) -> std::io::Result<Vec<u8>> {
    UNPACKER.with_borrow_mut(|unpacker| match unpacker {
        Some(unpacker) => unpacker.decompress(packed, length),
        // No memory for a context that is kept; one for once may still be had.
        None => zstd::bulk::decompress(packed, length),
    })
}

fn instants(source: &mut Source<'_>, header: &Header) -> Result<Vec<Timestamp>, Damaged> {
    let mut at = header.first_at.0;
    (0..header.count)
        .map(|_| {
            at = at.wrapping_add(source.signed()?);
            if !(header.first_at.0..=header.last_at.0).contains(&at) {
                return Err(Damaged("an instant is outside its header's"));
            }
            Ok(Timestamp(at))
        })
        .collect()
}

fn sequences(source: &mut Source<'_>, header: &Header) -> Result<Vec<u64>, Damaged> {
    let mut sequence = header.first_sequence;
    (0..header.count)
        .map(|_| {
            sequence = sequence.wrapping_add(source.signed()? as u64);
            if !(header.first_sequence..=header.last_sequence).contains(&sequence) {
                return Err(Damaged("a sequence is outside its header's"));
            }
            Ok(sequence)
        })
        .collect()
}

fn place(source: &mut Source<'_>) -> Result<Place, Damaged> {
    Ok(Place {
        workspace: WorkspaceNo(source.small()?),
        domain: DomainNo(source.small()?),
        link: LinkNo(source.small()?),
    })
}

fn mark(source: &mut Source<'_>) -> Result<Mark, Damaged> {
    let flags = u16::try_from(source.number()?).map_err(|_| Damaged("flags do not fit 16 bits"))?;
    Ok(Mark {
        flags: ClickFlags(flags),
        outcome: Outcome::of_code(source.byte()?),
        variant: source.byte()?,
    })
}

fn user_agent(source: &mut Source<'_>) -> Result<UserAgent, Damaged> {
    source.array().map(UserAgent::of_codes)
}

fn text(source: &mut Source<'_>) -> Result<Arc<str>, Damaged> {
    source.text().map(Arc::from)
}

fn touch(source: &mut Source<'_>, at: Timestamp) -> Result<Touch, Damaged> {
    let link = LinkNo(source.small()?);
    let seconds = at.seconds().wrapping_sub(source.signed()?);
    match u32::try_from(seconds) {
        Ok(seconds) => Ok(Touch { link, seconds }),
        Err(_) => Err(Damaged("a touch lies outside time")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clicklog::encoder::Encoder;
    use crate::clicklog::samples::any_click;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn clicks_round_trip(clicks in proptest::collection::vec(any_click(), 1..60)) {
            let bytes = Encoder::new().encode(&Columns::of(&clicks));
            let columns = Columns::decode(&bytes).expect("own bytes");
            prop_assert_eq!(columns.clicks(), clicks);
        }

        #[test]
        fn localities_cost_nothing_where_none_is_known(clicks in proptest::collection::vec(any_click(), 1..60)) {
            let bare: Vec<Click> = clicks.into_iter().map(|click| Click { locality: "".into(), ..click }).collect();
            let mut placed = bare.clone();
            placed[0].locality = "DE-BE/Berlin".into();
            let (bare, placed) = (Encoder::new().encode(&Columns::of(&bare)), Encoder::new().encode(&Columns::of(&placed)));
            prop_assert_eq!((bare[0], placed[0]), (VERSION_BARE, VERSION_PLACED));
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Ok(columns) = Columns::decode(&bytes) {
                prop_assert_eq!(columns.clicks().len(), columns.header.count);
            }
        }

        #[test]
        fn changed_bytes_never_panic(clicks in proptest::collection::vec(any_click(), 1..20), place: prop::sample::Index, bit in 0u8..8) {
            let mut bytes = Encoder::new().encode(&Columns::of(&clicks));
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
            if let Ok(columns) = Columns::decode(&bytes) {
                prop_assert_eq!(columns.clicks().len(), columns.header.count);
            }
            bytes.truncate(place);
            prop_assert!(Columns::decode(&bytes).is_err());
        }
    }
}
