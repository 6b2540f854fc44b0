//! A realistic stream of clicks: the same for the same seed, for ever. Several workspaces, every class, taps, journeys.

use hopcart::clicklog::Batch;
use hopcart::domain::click::{Click, ClickClass, ClickFlags, LostDetail, Outcome, Tapped};
use hopcart::domain::id::{DomainNo, LinkNo, WorkspaceNo};
use hopcart::domain::time::Timestamp;
use hopcart::domain::user_agent;
use hopcart::domain::visitor::Touch;

/// 2026-11-20T18:00:00Z: six hours later the stream enters its second day.
pub const START: Timestamp = Timestamp(1_795_197_600_000);
/// How long the stream lasts.
const LENGTH_MS: u64 = 12 * 60 * 60 * 1000;
/// Workspaces, each with this many links; link numbers are unique across them.
pub const WORKSPACES: u32 = 3;
pub const LINKS: u32 = 9;

/// xorshift64*: small, and the same everywhere.
pub struct Draw(u64);

impl Draw {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.number() >> 11) % bound
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len() as u64) as usize]
    }
}

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 350.0",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0",
];

/// `batches` of about `size` clicks each, in order.
pub fn batches(seed: u64, batches: u64, size: u64) -> Vec<Batch> {
    let mut draw = Draw::new(seed);
    let mut sequence = 1000;
    (0..batches)
        .map(|n| {
            let from = START.plus_ms((n * LENGTH_MS / batches) as i64);
            let span = LENGTH_MS / batches;
            let count = size / 2 + draw.below(size);
            let clicks = (0..count)
                .map(|_| {
                    // Leases of several workers leave holes between numbers.
                    sequence += if draw.below(40) == 0 { 57 } else { 1 };
                    click(&mut draw, sequence, from, span)
                })
                .collect();
            let lost = match draw.below(4) {
                0 => vec![lost(&mut draw, from)],
                _ => vec![],
            };
            Batch { clicks, lost }
        })
        .collect()
}

fn place(draw: &mut Draw) -> (WorkspaceNo, LinkNo) {
    // The first workspace is the busiest, and so is the first link of each.
    let workspace = draw.below(6).saturating_sub(3) as u32;
    let link = draw.below(u64::from(LINKS) * 2).saturating_sub(u64::from(LINKS)) as u32;
    (WorkspaceNo(workspace + 1), LinkNo(workspace * LINKS + link + 1))
}

fn flags(draw: &mut Draw) -> ClickFlags {
    type F = ClickFlags;
    match draw.below(20) {
        0 => F::BOT,
        1 => F::BOT.with(F::PREVIEW),
        2 => F::PREFETCH,
        3 => F::HEAD,
        4 => F::TEST,
        5 => F::REPEAT,
        6 => F::TAP,
        7 => F::TAP.with(F::BOT),
        8 => F::QR.with(F::ID_SENT),
        9 => F::OPTED_OUT,
        10 => F::USE,
        11 => F::PAGE,
        _ => F::ID_SENT,
    }
}

fn click(draw: &mut Draw, sequence: u64, from: Timestamp, span: u64) -> Click {
    let (workspace, link) = place(draw);
    let flags = flags(draw);
    let at = from.plus_ms(draw.below(span) as i64);
    let has_visitor = matches!(
        flags.class(),
        ClickClass::Human | ClickClass::Repeat | ClickClass::Tap | ClickClass::Test
    ) && !flags.has(ClickFlags::OPTED_OUT);
    let visitor = if has_visitor {
        Draw::new(draw.below(400) + 1).number()
    } else {
        0
    };
    let journey = (0..draw.below(4))
        .map(|n| Touch {
            link: LinkNo(link.0 + n as u32),
            seconds: (at.seconds() - 90 * (n as i64 + 1)) as u32,
        })
        .collect();
    let country = *draw
        .pick(&["DE", "US", "BR", "FR", "\0\0"])
        .as_bytes()
        .first_chunk()
        .expect("two letters");
    Click {
        sequence,
        at,
        workspace,
        domain: DomainNo(workspace.0),
        link,
        flags,
        outcome: Outcome::of_code(draw.below(5) as u8),
        visitor,
        variant: draw.below(3) as u8,
        country,
        locality: locality(draw, country).into(),
        user_agent: user_agent::parse(draw.pick(&AGENTS)),
        language: draw.pick(&["de-DE", "en", "pt-BR", ""]).into(),
        referrer: draw
            .pick(&["https://l.instagram.com/", "https://www.tiktok.com/", ""])
            .into(),
        utm: std::sync::Arc::new([
            draw.pick(&["mia", "jo", ""]).into(),
            "social".into(),
            draw.pick(&["spring", ""]).into(),
            "".into(),
            "".into(),
        ]),
        journey,
        tapped: flags.has(ClickFlags::TAP).then(|| Tapped {
            sequence: sequence.saturating_sub(draw.below(900)),
            at: at.plus_ms(-(draw.below(60_000) as i64)),
        }),
    }
}

/// Region and city as far as a geolocation file might know them.
fn locality(draw: &mut Draw, country: [u8; 2]) -> &'static str {
    let known: &[&'static str] = match &country {
        b"DE" => &["DE-BE/Berlin", "DE-BY/Munich", "DE-BY", ""],
        b"US" => &["US-OR/Portland", "US-ME/Portland", "US-CA/San Francisco", "US-CA"],
        b"BR" => &["BR-SP/São Paulo", "BR/Itu"],
        _ => &[""],
    };
    known[draw.below(known.len() as u64) as usize]
}

fn lost(draw: &mut Draw, at: Timestamp) -> LostDetail {
    let (workspace, link) = place(draw);
    LostDetail {
        at,
        workspace,
        link,
        class: ClickClass::of_code(draw.below(8) as u8).expect("a class"),
        is_use: draw.below(2) == 0,
        count: 1 + draw.below(30) as u32,
    }
}
