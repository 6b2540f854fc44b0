//! A brand's month, made up for tests: always the same for the same arguments.

use crate::domain::money::Currency;
use crate::domain::stats;
use crate::domain::time::{DAY_MS, Timestamp};

use super::address::Asked;
use super::filters::{Choices, Narrowed};
use super::performance::{PerformancePage, RowView};

const NAMES: [&str; 8] = [
    "Mira Kovač",
    "Jonas Lindqvist",
    "Aïcha Benali",
    "Theo & Lou Martin",
    "Priya Raghunathan",
    "李雨桐",
    "Maximiliane von Hohenstein-Weber",
    "Sam O'Neill",
];

/// A page with `rows` creators and `days` days, today last.
pub fn page(rows: usize, days: usize) -> PerformancePage {
    let mut rows: Vec<RowView> = (0..rows).map(|place| row(place as u64)).collect();
    rows.sort_by_key(|row| -row.net_revenue);
    let updated_at = Timestamp(1_795_254_780_123);
    PerformancePage {
        workspace: "Glow Botanics".into(),
        asked: Asked::default(),
        choices: Choices {
            creators: rows.iter().map(|row| (row.key.clone(), row.name.clone())).collect(),
            niches: vec![("skincare".into(), "skincare".into())],
            ..Choices::default()
        },
        narrowed: Vec::new(),
        model: "last".into(),
        currency: Currency::EUR,
        totals: totals(&rows),
        series: (0..days).map(|day| point(updated_at, days - 1 - day)).collect(),
        top_links: (0..8).map(|place| (link(place), 61_204 / (place + 1))).collect(),
        notes: vec!["3 orders are set aside: their currency is not the store's".into()],
        api_url: "http://127.0.0.1:8081".into(),
        updated_at,
        rows,
    }
}

/// The same page by niche.
pub fn niches() -> PerformancePage {
    let mut view = page(6, 30);
    view.asked = Asked::of("groupBy=niche&compare=previous&campaignId=cmp_1");
    view.narrowed = vec![Narrowed {
        name: "campaignId",
        what: "Campaign",
        value: "Autumn & winter".into(),
    }];
    view.notes.clear();
    let niches = [
        "skincare",
        "trail running",
        "vegan baking",
        "home barista",
        "slow travel",
        "",
    ];
    for (row, niche) in view.rows.iter_mut().zip(niches) {
        row.key = niche.into();
        row.name = String::new();
    }
    for row in view.rows.iter_mut().chain([&mut view.totals]) {
        row.previous = Some(Box::new(earlier(row)));
    }
    view
}

fn link(place: u64) -> String {
    let slugs = [
        "mira-serum",
        "glow",
        "7hQ2xPa",
        "jonas-trail-vest",
        "spf50",
        "aicha",
        "brew-kit-autumn",
        "k3Rv9Lm",
    ];
    format!("https://go.glowbotanics.com/{}", slugs[place as usize % slugs.len()])
}

fn point(end: Timestamp, days_ago: usize) -> (String, u64) {
    let day = end.plus_ms(-(days_ago as i64) * DAY_MS);
    let label = jiff::Timestamp::from_millisecond(day.0)
        .expect("a day of this age")
        .strftime("%-d %b")
        .to_string();
    // A working week's wave, and one video that went viral.
    let viral = if days_ago == 9 {
        31_000
    } else if days_ago == 8 {
        17_400
    } else {
        0
    };
    (label, 2_400 + noise(days_ago as u64) % 2_900 + viral)
}

fn row(place: u64) -> RowView {
    let clicks = 48_213 / (place + 1) + noise(place) % 900;
    let orders = clicks * (1 + noise(place + 1) % 5) / 100;
    let gross_revenue = (orders * (2_900 + noise(place + 2) % 6_000)) as i64;
    let refunds = gross_revenue / (9 + (noise(place + 3) % 40) as i64);
    let spend = if place % 7 == 5 {
        0
    } else {
        (15_000 + noise(place + 4) % 180_000) as i64
    };
    let name = NAMES[place as usize % NAMES.len()];
    let round = place as usize / NAMES.len();
    ratios(RowView {
        key: format!("pn_{place:04}"),
        name: if round == 0 {
            name.into()
        } else {
            format!("{name} {}", round + 1)
        },
        clicks,
        unique_visitors: Some(clicks - clicks / 8),
        orders_milli: orders * 1_000,
        new_customers_milli: orders * 3 / 5 * 1_000,
        gross_revenue,
        refunds,
        net_revenue: gross_revenue - refunds,
        spend,
        ..RowView::default()
    })
}

/// The period before: somewhat less of most things.
fn earlier(row: &RowView) -> RowView {
    ratios(RowView {
        key: row.key.clone(),
        clicks: row.clicks * 8 / 9,
        unique_visitors: row.unique_visitors.map(|visitors| visitors * 8 / 9),
        orders_milli: row.orders_milli / 1_300 * 1_000,
        net_revenue: row.net_revenue * 21 / 20,
        ..RowView::default()
    })
}

fn totals(rows: &[RowView]) -> RowView {
    let mut sum = RowView::default();
    for row in rows {
        sum.clicks += row.clicks;
        sum.unique_visitors = sum
            .unique_visitors
            .or(Some(0))
            .zip(row.unique_visitors)
            .map(|(a, b)| a + b);
        sum.orders_milli += row.orders_milli;
        sum.new_customers_milli += row.new_customers_milli;
        sum.gross_revenue += row.gross_revenue;
        sum.refunds += row.refunds;
        sum.net_revenue += row.net_revenue;
        sum.spend += row.spend;
    }
    ratios(sum)
}

fn ratios(row: RowView) -> RowView {
    RowView {
        conversion_rate: stats::of_thousandths(row.orders_milli, row.clicks),
        conversion: stats::interval(row.orders_milli / 1_000, row.clicks),
        epc: stats::ratio(row.net_revenue, row.clicks as i64),
        cac: stats::by_thousandths(row.spend, row.new_customers_milli),
        roi: stats::roi(row.net_revenue, row.spend),
        ..row
    }
}

/// A number that looks random and never changes.
fn noise(seed: u64) -> u64 {
    (seed + 11).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
}
