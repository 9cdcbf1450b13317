//! Progress on standard error: a bar on a terminal, a plain line every two seconds elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle as BarStyle};

/// How far apart plain lines are.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressStyle {
    /// A bar that is redrawn in place.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    Silent,
}

impl ProgressStyle {
    /// A bar where standard error is a terminal, lines elsewhere.
    pub fn detect() -> Self {
        if io::stderr().is_terminal() {
            Self::Bar
        } else {
            Self::Lines
        }
    }
}

/// The progress of one piece of work that has a known number of steps.
pub struct Progress {
    what: &'static str,
    style: ProgressStyle,
    bar: ProgressBar,
    began_at: u64,
    next_line: Duration,
}

impl Progress {
    /// Begins at `done` of `total` steps.
    pub fn begin(what: &'static str, style: ProgressStyle, done: u64, total: u64) -> Self {
        let bar = match style {
            ProgressStyle::Bar => ProgressBar::new(total),
            // Never drawn, but it still knows the time.
            ProgressStyle::Lines | ProgressStyle::Silent => ProgressBar::hidden(),
        };
        bar.set_length(total);
        let template = "{prefix} [{bar:30}] {pos}/{len} {msg} {eta} left";
        if let Ok(template) = BarStyle::with_template(template) {
            bar.set_style(template.progress_chars("=> "));
        }
        bar.set_prefix(what);
        bar.set_position(done);
        bar.reset_eta();
        Self {
            what,
            style,
            bar,
            began_at: done,
            next_line: LINE_EVERY,
        }
    }

    /// How long the work has been going on.
    pub fn elapsed(&self) -> Duration {
        self.bar.elapsed()
    }

    /// Steps per second since the beginning.
    pub fn rate_hz(&self, done: u64) -> f64 {
        let secs = self.elapsed().as_secs_f64();
        if secs > 0.0 {
            done.saturating_sub(self.began_at) as f64 / secs
        } else {
            0.0
        }
    }

    /// Tells that `done` steps are done; `news` is only made when it will be shown.
    pub fn set(&mut self, done: u64, news: impl FnOnce(f64) -> String) {
        match self.style {
            ProgressStyle::Bar => {
                self.bar.set_message(news(self.rate_hz(done)));
                self.bar.set_position(done);
            }
            ProgressStyle::Lines if self.elapsed() >= self.next_line => {
                self.next_line = self.elapsed() + LINE_EVERY;
                self.line(done, &news(self.rate_hz(done)));
            }
            ProgressStyle::Lines | ProgressStyle::Silent => {}
        }
    }

    /// Ends with one last line that stays.
    pub fn end(self, done: u64, news: &str) {
        match self.style {
            ProgressStyle::Bar => {
                self.bar.set_position(done);
                self.bar.abandon_with_message(news.to_owned());
            }
            ProgressStyle::Lines => self.line(done, news),
            ProgressStyle::Silent => {}
        }
    }

    /// Ends without a word; a bar is taken away.
    pub fn end_in_place(self) {
        self.bar.finish_and_clear();
    }

    fn line(&self, done: u64, news: &str) {
        let total = self.bar.length().unwrap_or(done);
        let rate_hz = self.rate_hz(done);
        let left = match total.saturating_sub(done) as f64 / rate_hz {
            secs if secs.is_finite() && done < total => format!(", {secs:.0} s left"),
            _ => String::new(),
        };
        eprintln!("{} {done}/{total} {news}{left}", self.what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_progress_never_asks_for_news() {
        let mut progress = Progress::begin("work", ProgressStyle::Silent, 0, 10);
        progress.set(5, |_| unreachable!("nobody looks"));
        progress.end(10, "done");
    }

    #[test]
    fn the_rate_counts_only_what_was_done_since_the_beginning() {
        let progress = Progress::begin("work", ProgressStyle::Silent, 100, 200);
        assert!(progress.rate_hz(100).abs() < f64::EPSILON);
        assert!(progress.rate_hz(200) > 0.0);
    }
}
