//! How far a long piece of work is: a bar for people who watch, nothing otherwise. On standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::is_watched;

/// Shows pieces or bytes as they are done.
pub struct Progress(Option<ProgressBar>);

impl Progress {
    /// Nothing of `total` (`None` = not known yet) is done.
    pub fn new(total: Option<u64>) -> Self {
        Self(is_watched().then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(12));
            if let Ok(style) = ProgressStyle::with_template("  {bar:36} {pos}/{len} {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        }))
    }

    /// `done` of `total` are done; says what is being done.
    pub fn at(&self, done: u64, total: u64, doing: &str) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(doing.to_owned());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
