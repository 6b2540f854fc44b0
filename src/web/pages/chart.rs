//! The picture of clicks over time: bars in an SVG, and the same numbers as a table.
//!
//! All coordinates are whole numbers, so no picture can hold a NaN or leave its box. The SVG is stretched to the
//! space it gets; words stand beside it as HTML, so that they are never stretched.

use maud::{Markup, html};

use super::format;

/// Most bars in the picture: on a wide screen a bar is then still two pixels wide. Longer series are merged.
pub const BARS_MAX: usize = 400;

/// Most rows in the table behind the picture, and most bars that carry a tip of their own: both are for reading, and
/// a reader gives up sooner than this.
const READABLE_MAX: usize = 100;

/// Size of the drawing in its own units; fine enough that rounding is invisible.
const WIDTH: u64 = 4000;
const HEIGHT: u64 = 1000;

/// Widest bar, so that a series of one point is a bar and not a wall.
const BAR_WIDTH_MAX: u64 = WIDTH / 16;

/// Lowest bar that is not zero: one click must be seen beside a million.
const BAR_HEIGHT_MIN: u64 = 12;

/// Clicks of one stretch of time, with its name.
type Point = (String, u64);

/// The figure: heading, picture with its axes, and the table behind it. `series` is in the order of time.
pub fn clicks_chart(series: &[Point]) -> Markup {
    let bars = merged(series, BARS_MAX);
    let highest = bars.iter().max_by_key(|(_, clicks)| *clicks);
    let top = nice_top(highest.map_or(0, |(_, clicks)| *clicks));
    html! {
        figure.card.chart {
            figcaption {
                h2 { "Clicks over time" }
                @if let Some((label, clicks)) = highest.filter(|(_, clicks)| *clicks > 0) {
                    p.help { "Highest: " b { (format::count(*clicks)) } " (" (label) ")" }
                }
            }
            @if series.is_empty() {
                p.help { "No clicks in this period." }
            } @else {
                div.plot {
                    div.scale aria-hidden="true" {
                        span { (format::count(top)) }
                        span { (format::count(top / 2)) }
                        span { "0" }
                    }
                    (picture(&bars, top, &description(series)))
                    (ends(series))
                }
                (table(&merged(series, READABLE_MAX)))
            }
        }
    }
}

/// The SVG itself.
fn picture(bars: &[Point], top: u64, description: &str) -> Markup {
    let highest = bars.iter().map(|(_, clicks)| *clicks).max().unwrap_or(0);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" role="img"
            aria-labelledby="clicks-title clicks-description" {
            title #clicks-title { "Clicks over time" }
            desc #clicks-description { (description) }
            path.grid d={ "M0 0H" (WIDTH) "M0 " (HEIGHT / 2) "H" (WIDTH) "M0 " (HEIGHT) "H" (WIDTH) } {}
            @for (place, (label, clicks)) in bars.iter().enumerate().filter(|(_, (_, clicks))| *clicks > 0) {
                @let bar = Bar::of(place, bars.len(), *clicks, top);
                rect class=[(*clicks == highest).then_some("peak")]
                    x=(bar.x) y=(bar.y) width=(bar.width) height=(bar.height) {
                    @if bars.len() <= READABLE_MAX { title { (label) ": " (format::count(*clicks)) } }
                }
            }
        }
    }
}

/// First, middle and last moment, below the picture.
fn ends(series: &[Point]) -> Markup {
    html! {
        div.ends aria-hidden="true" {
            @if let [(first, _), between @ ..] = series {
                span { (first) }
                @if let [between @ .., (last, _)] = between {
                    @if let Some((middle, _)) = between.get(between.len() / 2) { span.middle { (middle) } }
                    span { (last) }
                }
            }
        }
    }
}

/// Where a bar stands in the drawing.
struct Bar {
    x: u64,
    y: u64,
    width: u64,
    height: u64,
}

impl Bar {
    /// The bar at `place` of `bars`, as high as `clicks` is of `top`.
    fn of(place: usize, bars: usize, clicks: u64, top: u64) -> Self {
        let (place, bars) = (place as u64, bars.max(1) as u64);
        let left = place * WIDTH / bars;
        let slot = (place + 1) * WIDTH / bars - left;
        // Gaps between bars of a few pixels would only blur them.
        let filled = if bars > READABLE_MAX as u64 { slot } else { slot * 3 / 4 };
        let width = filled.clamp(1, BAR_WIDTH_MAX);
        let height = u128::from(clicks.min(top)) * u128::from(HEIGHT) / u128::from(top.max(1));
        let height = u64::try_from(height).unwrap_or(HEIGHT).clamp(BAR_HEIGHT_MIN, HEIGHT);
        Self {
            x: left + (slot - width) / 2,
            y: HEIGHT - height,
            width,
            height,
        }
    }
}

/// The numbers for whoever does not see the picture, or wants them exactly.
fn table(points: &[Point]) -> Markup {
    html! {
        details {
            summary { "Show the numbers" }
            table.plain {
                thead { tr { th scope="col" { "Time" } th scope="col" { "Clicks" } } }
                tbody {
                    @for (label, clicks) in points { tr { td { (label) } td { (format::count(*clicks)) } } }
                }
            }
        }
    }
}

/// One sentence that says what the picture shows.
fn description(series: &[Point]) -> String {
    let total = series.iter().fold(0u64, |sum, (_, clicks)| sum.saturating_add(*clicks));
    match series {
        [] => "No clicks.".to_owned(),
        [(only, _)] => format!("{} clicks, {only}.", format::count(total)),
        [(first, _), .., (last, _)] => {
            format!("{} clicks from {first} to {last}.", format::count(total))
        }
    }
}

/// At most `most` points: neighbours are added up, as many at a time as needed, and named after first and last.
fn merged(series: &[Point], most: usize) -> Vec<Point> {
    let at_a_time = series.len().div_ceil(most).max(1);
    let merge = |run: &[Point]| {
        let clicks = run.iter().fold(0u64, |sum, (_, clicks)| sum.saturating_add(*clicks));
        match run {
            [(first, _), .., (last, _)] if first != last => (format!("{first} – {last}"), clicks),
            [(first, _), ..] => (first.clone(), clicks),
            [] => (String::new(), clicks),
        }
    };
    series.chunks(at_a_time).map(merge).collect()
}

/// The least of 2, 4, 6, 8, 10, 20, 40, … that is not below `highest`: half of it is a whole number, too.
fn nice_top(highest: u64) -> u64 {
    let mut step = 1u64;
    loop {
        for multiple in [2, 4, 6, 8, 10] {
            let top = step.saturating_mul(multiple);
            if top >= highest {
                return top;
            }
        }
        step = step.saturating_mul(10);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::pages::tags;
    use proptest::prelude::*;

    fn series(clicks: &[u64]) -> Vec<Point> {
        let named = |(place, clicks): (usize, &u64)| (format!("hour {place}"), *clicks);
        clicks.iter().enumerate().map(named).collect()
    }

    #[test]
    fn the_scale_ends_on_a_round_number() {
        for (highest, top) in [
            (0, 2),
            (1, 2),
            (3, 4),
            (9, 10),
            (10, 10),
            (11, 20),
            (401, 600),
            (1_000_001, 2_000_000),
            (u64::MAX, u64::MAX),
        ] {
            assert_eq!(nice_top(highest), top, "{highest}");
        }
    }

    #[test]
    fn an_empty_series_says_so() {
        let figure = clicks_chart(&[]).into_string();
        tags::assert_sound(&figure);
        assert!(figure.contains("No clicks in this period."));
        assert!(!figure.contains("<svg"));
    }

    #[test]
    fn zeros_have_no_bar_and_one_click_has() {
        let figure = clicks_chart(&series(&[0, 1, 0, 1_000_000])).into_string();
        let tags = tags::assert_sound(&figure);
        let bars: Vec<_> = tags.iter().filter(|tag| tag.name == "rect").collect();
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0].number("height"), BAR_HEIGHT_MIN as i64);
        assert_eq!(bars[1].number("height"), HEIGHT as i64);
        assert_eq!(bars[1].value("class"), Some("peak"));
        assert!(figure.contains("1,000,001 clicks from hour 0 to hour 3."));
        assert!(figure.contains("Highest: <b>1,000,000</b> (hour 3)"));
    }

    #[test]
    fn one_point_is_a_bar_in_the_middle() {
        let figure = clicks_chart(&series(&[7])).into_string();
        let tags = tags::assert_sound(&figure);
        let bar = tags.iter().find(|tag| tag.name == "rect").expect("a bar");
        assert_eq!(bar.number("x") * 2 + bar.number("width"), WIDTH as i64);
    }

    #[test]
    fn merging_loses_no_click() {
        let long = series(&[3; 1001]);
        let short = merged(&long, BARS_MAX);
        assert_eq!(short.len(), 334);
        assert_eq!(short[0], ("hour 0 – hour 2".to_owned(), 9));
        assert_eq!(short[333], ("hour 999 – hour 1000".to_owned(), 6));
        assert_eq!(merged(&long[..BARS_MAX], BARS_MAX), long[..BARS_MAX]);
    }

    proptest! {
        #[test]
        fn every_bar_stays_in_the_box(
            clicks in prop::collection::vec(prop_oneof![Just(0), 0u64..100, any::<u64>()], 0..1500),
        ) {
            let figure = clicks_chart(&series(&clicks)).into_string();
            let tags = tags::assert_sound(&figure);
            let bars: Vec<_> = tags.iter().filter(|tag| tag.name == "rect").collect();
            prop_assert!(bars.len() <= BARS_MAX);
            let mut right = 0;
            for bar in &bars {
                let (x, y) = (bar.number("x"), bar.number("y"));
                let (width, height) = (bar.number("width"), bar.number("height"));
                prop_assert!(right <= x && width >= 1 && x + width <= WIDTH as i64, "{:?}", bar);
                prop_assert!(y >= 0 && height >= 1 && y + height == HEIGHT as i64, "{:?}", bar);
                right = x + width;
            }
            prop_assert_eq!(bars.is_empty(), clicks.iter().all(|clicks| *clicks == 0));
            prop_assert!(!figure.contains("NaN") && !figure.contains("inf"));
        }

        #[test]
        fn merged_series_keep_their_sum(
            clicks in prop::collection::vec(0u64..1_000_000, 0..2000),
            most in 1usize..500,
        ) {
            let all = series(&clicks);
            let short = merged(&all, most);
            prop_assert!(short.len() <= most);
            let sum = |points: &[Point]| points.iter().map(|(_, clicks)| clicks).sum::<u64>();
            prop_assert_eq!(sum(&short), sum(&all));
        }
    }
}
