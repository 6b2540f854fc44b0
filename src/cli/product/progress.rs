//! How far an import is: a bar for people who watch, nothing otherwise. On standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::terminal::is_watched;

/// Counts what the server has answered for.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Nothing of a file of `bytes` (`None` = nobody knows) is sent yet.
    pub fn new(bytes: Option<u64>) -> Self {
        Self(is_watched().then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(12);
            let (bar, template) = match bytes {
                Some(_) => (
                    ProgressBar::with_draw_target(bytes, target),
                    "  {bar:36} {bytes}/{total_bytes}, {msg}",
                ),
                None => (
                    ProgressBar::with_draw_target(None, target),
                    "  {spinner} {bytes}, {msg}",
                ),
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        }))
    }

    /// `bytes` of the file are done: so many rows.
    pub fn done(&self, bytes: u64, rows: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(bytes);
            bar.set_message(format!("{rows} rows"));
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
