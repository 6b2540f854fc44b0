//! How far the demo is: a bar for people who watch, a few plain lines otherwise. On standard error.

use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::{is_watched, note};

/// Lines that a log gets instead of a bar.
const LINES: u64 = 4;

/// Counts what was sent.
pub struct Progress {
    bar: Option<ProgressBar>,
    sent: AtomicU64,
    total: u64,
}

impl Progress {
    /// Nothing of `total` is sent yet.
    pub fn new(total: u64) -> Self {
        let bar = is_watched().then(|| {
            let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(12));
            if let Ok(style) = ProgressStyle::with_template("  {bar:36} {pos}/{len} follows, {per_sec}, {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self {
            bar,
            sent: AtomicU64::new(0),
            total,
        }
    }

    /// One more is sent, and so many orders altogether.
    pub fn sent_one(&self, orders: u64) {
        let sent = self.sent.fetch_add(1, Ordering::Relaxed) + 1;
        match &self.bar {
            Some(bar) => {
                bar.set_position(sent);
                bar.set_message(format!("{orders} orders"));
            }
            None if sent * LINES / self.total.max(1) != (sent - 1) * LINES / self.total.max(1) => {
                note(&format!("  {sent} of {} follows, {orders} orders", self.total));
            }
            None => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
