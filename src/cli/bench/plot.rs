//! The plot: requests a second as bars, latencies by percentile on a scale of powers of ten. One SVG file that needs
//! nothing else, for light and dark pages, and narrow enough for a phone.

use std::fmt::Write;

use super::report::{count, micros};
use super::rounds::Outcome;

/// Width of the drawing in its own units; a phone shows it at about four fifths.
const WIDTH: f64 = 480.0;
const MARGIN: f64 = 16.0;
/// Room for the numbers of the scale at the left.
const SCALE: f64 = 70.0;
const BAR: f64 = 34.0;
const PLOT_HEIGHT: f64 = 260.0;
/// Where the curves are told, and what that is: a step to the right is ten times as rare.
const MARKS: &[(f64, &str)] = &[
    (0.301, "50 %"),
    (1.0, "90 %"),
    (2.0, "99 %"),
    (3.0, "99.9 %"),
    (RAREST, "99.99 %"),
];
/// The right end.
const RAREST: f64 = 4.0;
/// Points of a curve in one step, and in all.
const STEPS: u32 = 12;
const POINTS: u32 = 4 * STEPS;
/// Told apart by most eyes on white and on black; a dash pattern helps the others.
const COLOURS: &[&str] = &["#0a84d6", "#d9480f", "#0b9b74", "#b5509c", "#a87900", "#7a63e0"];
const DASHES: &[&str] = &["none", "7 4"];

/// Draws `outcomes` under `headline`.
pub fn svg(headline: &str, outcomes: &[Outcome]) -> String {
    let bars_top = 74.0;
    let plot_top = bars_top + BAR * outcomes.len() as f64 + 58.0;
    let height = plot_top + PLOT_HEIGHT + 62.0;
    let mut drawing = String::new();
    // Writing to a String cannot fail.
    let _ = write!(
        drawing,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"100%\" \
         style=\"max-width:760px;display:block;margin:0 auto\" role=\"img\" aria-label=\"{}\">\n{STYLE}\n\
         <rect class=\"page\" width=\"{WIDTH}\" height=\"{height:.0}\"/>\n",
        escaped(&summary(outcomes))
    );
    let _ = writeln!(
        drawing,
        "<text class=\"title\" x=\"{MARGIN}\" y=\"28\">Redirects</text>"
    );
    for (line, words) in wrapped(headline).iter().enumerate() {
        let y = 47.0 + 15.0 * line as f64;
        let _ = writeln!(
            drawing,
            "<text class=\"soft\" x=\"{MARGIN}\" y=\"{y}\">{}</text>",
            escaped(words)
        );
    }
    draw_bars(&mut drawing, bars_top, outcomes);
    draw_curves(&mut drawing, plot_top, outcomes);
    drawing.push_str("</svg>\n");
    drawing
}

const STYLE: &str = "<style>\
    text{font:14px system-ui,sans-serif;fill:#1c1c1e}.title{font-size:20px;font-weight:600}.soft{fill:#5b5b60;font-size:13px}\
    .page{fill:#fff}.line{stroke:#d5d5da;stroke-width:1}.curve{fill:none;stroke-width:2.5;stroke-linejoin:round}\
    @media(prefers-color-scheme:dark){text{fill:#f2f2f4}.soft{fill:#a9a9b2}.page{fill:#17171a}.line{stroke:#3a3a40}}\
    </style>";

/// What the plot shows, for those who do not see it.
fn summary(outcomes: &[Outcome]) -> String {
    let each = outcomes.iter().map(|outcome| {
        let (rate, p50, p99) = (
            count(outcome.all.rate() as u64),
            micros(outcome.all.at(0.5)),
            micros(outcome.all.at(0.99)),
        );
        format!(
            "{}: {rate} requests a second, median {p50}, 99th percentile {p99}",
            outcome.name
        )
    });
    each.collect::<Vec<_>>().join("; ")
}

fn draw_bars(drawing: &mut String, top: f64, outcomes: &[Outcome]) {
    let most = outcomes.iter().map(|outcome| outcome.all.rate()).fold(1.0, f64::max);
    for (place, outcome) in outcomes.iter().enumerate() {
        let y = top + BAR * place as f64;
        let rate = outcome.all.rate();
        let width = (rate / most * (WIDTH - 2.0 * MARGIN)).max(1.0);
        let (colour, name, rate) = (colour(place), escaped(&outcome.name), count(rate as u64));
        let _ = writeln!(
            drawing,
            "<text x=\"{MARGIN}\" y=\"{:.1}\">{name}</text><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{rate}/s</text>\
             <rect x=\"{MARGIN}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"9\" rx=\"2\" fill=\"{colour}\"/>",
            y + 14.0,
            WIDTH - MARGIN,
            y + 14.0,
            y + 19.0
        );
    }
}

fn draw_curves(drawing: &mut String, top: f64, outcomes: &[Outcome]) {
    let axis = Axis::of(outcomes, top);
    let _ = writeln!(
        drawing,
        "<text class=\"soft\" x=\"{MARGIN}\" y=\"{:.1}\">Latency that so many requests did not exceed</text>",
        top - 16.0
    );
    for power in axis.low..=axis.high {
        let us = 10f64.powi(power);
        let y = axis.y(us);
        let _ = writeln!(
            drawing,
            "<line class=\"line\" x1=\"{SCALE}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"soft\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            WIDTH - MARGIN,
            SCALE - 6.0,
            y + 4.0,
            round_time(us)
        );
    }
    for (at, label) in MARKS {
        let x = axis.x(*at);
        let anchor = if *at < RAREST { "middle" } else { "end" };
        let _ = writeln!(
            drawing,
            "<text class=\"soft\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{label}</text>",
            top + PLOT_HEIGHT + 18.0
        );
    }
    for (place, outcome) in outcomes.iter().enumerate() {
        let points: Vec<String> = curve(outcome)
            .into_iter()
            .map(|(at, us)| format!("{:.1},{:.1}", axis.x(at), axis.y(us)))
            .collect();
        let dash = DASHES.get(place / COLOURS.len()).copied().unwrap_or("2 3");
        let _ = writeln!(
            drawing,
            "<polyline class=\"curve\" stroke=\"{}\" stroke-dasharray=\"{dash}\" points=\"{}\"><title>{}</title></polyline>",
            colour(place),
            points.join(" "),
            escaped(&outcome.name)
        );
    }
    let _ = writeln!(
        drawing,
        "<text class=\"soft\" x=\"{MARGIN}\" y=\"{:.1}\">Left is the quickest request, right the slowest in ten thousand.</text>",
        top + PLOT_HEIGHT + 42.0
    );
}

/// The latencies, in µs, between whole powers of ten.
struct Axis {
    low: i32,
    high: i32,
    top: f64,
}

impl Axis {
    fn of(outcomes: &[Outcome], top: f64) -> Self {
        let all: Vec<f64> = outcomes.iter().flat_map(curve).map(|(_, us)| us).collect();
        let least = all.iter().copied().fold(f64::INFINITY, f64::min).clamp(0.001, 1e8);
        let most = all.iter().copied().fold(least, f64::max);
        let low = least.log10().floor() as i32;
        Self {
            low,
            high: (most.log10().ceil() as i32).max(low + 1),
            top,
        }
    }

    fn y(&self, us: f64) -> f64 {
        let part = (us.log10() - f64::from(self.low)) / f64::from(self.high - self.low);
        self.top + PLOT_HEIGHT * (1.0 - part.clamp(0.0, 1.0))
    }

    fn x(&self, at: f64) -> f64 {
        SCALE + (WIDTH - MARGIN - SCALE) * at / RAREST
    }
}

/// Points: how many times ten in rareness, and µs there; as far as there are requests so rare.
fn curve(outcome: &Outcome) -> Vec<(f64, f64)> {
    let number = outcome.all.latency.len() as f64;
    let points = (0..=POINTS).map(|step| f64::from(step) / f64::from(STEPS));
    let points = points.take_while(|at| *at == 0.0 || number * 10f64.powf(-at) >= 1.0);
    points
        .map(|at| (at, outcome.all.at(1.0 - 10f64.powf(-at)).max(0.001)))
        .collect()
}

fn colour(place: usize) -> &'static str {
    COLOURS.get(place % COLOURS.len()).copied().unwrap_or("#777")
}

/// `100 µs`, `1 ms`, `10 s` for powers of ten.
fn round_time(us: f64) -> String {
    match us {
        us if us < 0.9 => format!("{us:.3} µs"),
        us if us < 900.0 => format!("{us:.0} µs"),
        us if us < 900_000.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.0} s", us / 1e6),
    }
}

/// Lines of at most about 70 characters.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let is_full = lines
            .last()
            .is_some_and(|line| !line.is_empty() && line.chars().count() + word.chars().count() > 70);
        if is_full {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::stats::Stats;
    use super::*;

    fn outcome(name: &str, us: u64, number: u64) -> Outcome {
        let mut all = Stats::new().expect("room");
        (0..number).for_each(|n| all.waited(Duration::from_micros(us + n % 50)));
        (all.answered, all.seconds) = (number, 1.0);
        Outcome {
            name: name.to_owned(),
            url: "http://127.0.0.1/".to_owned(),
            rounds: Vec::new(),
            all,
            cpu_ns: 0,
        }
    }

    #[test]
    fn every_target_has_a_bar_and_a_curve() {
        let outcomes = [
            outcome("a<b", 20, 50_000),
            outcome("c", 900, 1_000),
            outcome("silent", 0, 0),
        ];
        let drawing = svg("saturation, 64 keep-alive connections", &outcomes);
        assert_eq!(drawing.matches("<polyline").count(), 3, "{drawing}");
        assert!(drawing.contains("a&lt;b") && !drawing.contains("a<b"), "{drawing}");
        assert!(
            drawing.contains(">50,000/s<") && drawing.contains("prefers-color-scheme:dark"),
            "{drawing}"
        );
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"), "{drawing}");
    }

    #[test]
    fn curves_end_where_requests_end() {
        let last = |number| curve(&outcome("a", 20, number)).last().map(|(at, _)| *at);
        assert_eq!(last(10).map(f64::floor), Some(1.0));
        assert_eq!(last(100_000).map(f64::floor), Some(4.0));
    }

    #[test]
    fn the_scale_holds_all() {
        let outcomes = [outcome("a", 20, 1_000), outcome("b", 5_000, 1_000)];
        let axis = Axis::of(&outcomes, 0.0);
        assert_eq!((axis.low, axis.high), (1, 4));
        assert!((axis.y(10.0) - PLOT_HEIGHT).abs() < 1e-9 && axis.y(10_000.0).abs() < 1e-9);
    }
}
