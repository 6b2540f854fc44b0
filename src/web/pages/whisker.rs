//! A rate with its 95 % interval, drawn: a line from the lower to the upper bound and a mark where the rate is, so that 3
//! orders do not look like 300.
//!
//! All coordinates are whole numbers within the box. The words beside it say the same.

use maud::{Markup, html};

use super::format;

/// Width of the drawing in its own units.
const WIDTH: u64 = 1000;
/// Clicks from which on a row has a say in where the scale ends: below, an interval may reach over everything.
const CLICKS_FOR_SCALE: u64 = 30;
/// Least end of the scale, so that a page without orders has one.
const LEAST_END: f64 = 0.01;

/// Where the scale of several whiskers ends: the rate at their right edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale(f64);

impl Scale {
    /// The scale of rates that are told with clicks and upper bound.
    pub fn of(rates: impl Iterator<Item = (u64, Option<f64>)> + Clone) -> Self {
        let highest = |least_clicks: u64| {
            let bounds = rates.clone().filter(|(clicks, _)| *clicks >= least_clicks);
            let bounds = bounds.filter_map(|(_, high)| high).filter(|high| high.is_finite());
            bounds.fold(0.0_f64, f64::max)
        };
        let sure = highest(CLICKS_FOR_SCALE);
        let end = if sure > 0.0 { sure } else { highest(0) };
        Self(end.clamp(LEAST_END, f64::MAX))
    }

    /// A place on the line; what is beyond stands at the edge.
    fn place(self, value: f64) -> u64 {
        let part = (value / self.0).clamp(0.0, 1.0);
        (part * WIDTH as f64).round() as u64
    }
}

/// The drawing; nothing but the empty line without an interval.
pub fn whisker(rate: Option<f64>, interval: Option<(f64, f64)>, scale: Scale) -> Markup {
    html! {
        svg.whisker viewBox={ "0 0 " (WIDTH) " 12" } preserveAspectRatio="none" aria-hidden="true" {
            @if let (Some(rate), Some((low, high))) = (rate, interval) {
                @let (from, to) = (scale.place(low), scale.place(high));
                // An interval that reaches beyond the scale has no end on that side.
                path.range d={ "M" (from) " 6H" (to) "M" (from) " 2V10" @if high <= scale.0 { "M" (to) " 2V10" } } {}
                path.rate d={ "M" (scale.place(rate)) " 0V12" } {}
            }
        }
    }
}

/// The bounds in words: `7.9–9.6%`.
pub fn bounds(interval: Option<(f64, f64)>) -> String {
    match interval {
        Some((low, high)) => {
            let low = format::percent(Some(low));
            format!("{}–{}", low.trim_end_matches('%'), format::percent(Some(high)))
        }
        None => format::NOTHING.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::stats;
    use crate::web::pages::tags;
    use proptest::prelude::*;

    /// From where to where the line goes.
    fn ends(markup: &str) -> (u64, u64) {
        let tags = tags::assert_sound(markup);
        let path = tags
            .iter()
            .find(|tag| tag.value("class") == Some("range"))
            .expect("a line");
        let d = path.value("d").expect("a path");
        let (from, rest) = d[1..].split_once(" 6H").expect("a line");
        let to = rest.split('M').next().expect("an end");
        (from.parse().expect("a number"), to.parse().expect("a number"))
    }

    #[test]
    fn three_orders_do_not_look_like_three_hundred() {
        let rows = [(20u64, 3u64), (3_000, 300)].map(|(clicks, orders)| (clicks, stats::interval(orders, clicks)));
        let scale = Scale::of(
            rows.iter()
                .map(|(clicks, interval)| (*clicks, interval.map(|(_, high)| high))),
        );
        let width = |place: usize, rate: f64| {
            let (from, to) = ends(&whisker(Some(rate), rows[place].1, scale).into_string());
            to - from
        };
        assert!(
            width(0, 0.15) > 2 * width(1, 0.1),
            "{} {}",
            width(0, 0.15),
            width(1, 0.1)
        );
        assert_eq!(bounds(rows[1].1), "9.0–11.1%");
        assert_eq!(bounds(None), "–");
    }

    #[test]
    fn nothing_is_an_empty_line() {
        let scale = Scale::of(std::iter::empty());
        assert!(!whisker(None, None, scale).into_string().contains("path"));
    }

    proptest! {
        #[test]
        fn every_line_stays_in_its_box(orders in 0u64..50, more in 0u64..5_000, end in 0u64..2_000) {
            let clicks = orders + more;
            let scale = Scale::of([(end, Some(end as f64 / 1000.0))].into_iter());
            let interval = stats::interval(orders, clicks);
            let markup = whisker(stats::ratio(orders as i64, clicks as i64), interval, scale).into_string();
            if interval.is_some() {
                let (from, to) = ends(&markup);
                prop_assert!(from <= to && to <= WIDTH);
            }
            prop_assert!(!markup.contains("NaN"));
        }
    }
}
