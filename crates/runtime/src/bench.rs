//! Contenders side by side: the same work by turns in one run, every turn timed by itself and
//! nothing left out.
//!
//! Whoever is measured implements [`Contender`]; [`Race::run`] lets all of them take turns, so that
//! they meet the same machine, and gives each one's [`Spans`].

mod surroundings;

use std::cell::Cell;
use std::error::Error;
use std::time::Duration;

use sedge_latency::{ReportRow, Stage, StageLedger};
use sedge_spacetime::{Clock, Stamp};

use crate::Shutdown;

pub use surroundings::{Surroundings, load_averages};

/// What a contender cannot go on after; it says itself what that is.
pub type ContenderError = Box<dyn Error + Send + Sync>;

/// Somebody who is measured.
pub trait Contender {
    /// Takes so many turns, mostly by [`Block::each`], and adds what each took to `spans`.
    ///
    /// # Errors
    /// [`ContenderError`] where it cannot go on: then there is nothing to compare.
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError>;
}

/// A contender whose turn is a call.
pub struct Calls<Call>(pub Call);

impl<Call: FnMut() -> Result<TurnOutcome, ContenderError>> Contender for Calls<Call> {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        block.each(spans, &mut self.0)
    }
}

/// When turns begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The next one when the last has ended.
    BackToBack,
    /// One in each period; where a turn takes longer, the next begins at once.
    Every(Duration),
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TurnOutcome {
    /// It took its time, which counts.
    Done,
    /// No answer came: there is no time to count.
    Lost,
}

impl From<bool> for TurnOutcome {
    /// Of whether an answer came.
    fn from(has_come: bool) -> Self {
        if has_come { Self::Done } else { Self::Lost }
    }
}

/// What turns took, in bounded memory.
#[derive(Debug, Clone)]
pub struct Spans {
    ledger: StageLedger,
    stage: Stage,
    n_lost: u64,
}

/// What turns took: all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct SpanFigures {
    /// How many turns took their time.
    pub n: u64,
    /// Median, within 0.1 % as the others but the longest.
    pub p50_nanos: u64,
    /// 99 % quantile.
    pub p99_nanos: u64,
    /// 99.9 % quantile.
    pub p999_nanos: u64,
    /// The longest, exact.
    pub max_nanos: u64,
    /// Turns without an answer.
    pub n_lost: u64,
}

impl Default for Spans {
    fn default() -> Self {
        Self {
            ledger: StageLedger::default(),
            stage: Stage::new("turn").expect("a constant that is a stage's name"),
            n_lost: 0,
        }
    }
}

impl Spans {
    /// Adds what a turn took.
    pub fn add(&mut self, span: Duration) {
        let recorded = self.ledger.record(&self.stage, span);
        debug_assert!(recorded.is_ok(), "one stage always has room: {recorded:?}");
    }

    /// Counts a turn that got no answer.
    pub fn lose(&mut self) {
        self.n_lost += 1;
    }

    /// What all of them took; zeros where nothing was measured.
    pub fn figures(&self) -> SpanFigures {
        let report = self.ledger.report();
        let row = report.row(&self.stage);
        let of = |figure: fn(&ReportRow) -> u64| row.map_or(0, figure);
        SpanFigures {
            n: of(|row| row.n),
            p50_nanos: of(|row| row.p50_nanos),
            p99_nanos: of(|row| row.p99_nanos),
            p999_nanos: of(|row| row.p999_nanos),
            max_nanos: of(|row| row.max_nanos),
            n_lost: self.n_lost,
        }
    }
}

/// Some turns that a contender takes in a row.
pub struct Block<'b> {
    /// How many.
    pub n: u64,
    /// When they begin.
    pub pace: Pace,
    /// When the last turn of anybody was due.
    due: &'b Cell<Stamp>,
    clock: &'b dyn Clock,
    shutdown: &'b Shutdown,
}

impl Block<'_> {
    /// Makes each of the turns when it is due, and times it. Ends early where an end was asked for.
    ///
    /// A turn's time is from its own beginning, not from when it was due: late wake-ups of the
    /// thread that measures are no contender's.
    ///
    /// # Errors
    /// What `turn` says.
    pub fn each(
        &self,
        spans: &mut Spans,
        turn: &mut dyn FnMut() -> Result<TurnOutcome, ContenderError>,
    ) -> Result<(), ContenderError> {
        for _ in 0..self.n {
            if self.shutdown.is_requested() {
                break;
            }
            if let Pace::Every(period) = self.pace {
                self.wait_for_turn(period);
            }
            let begin = self.clock.now();
            let outcome = turn()?;
            let span = self.clock.now().saturating_since(begin);
            match outcome {
                TurnOutcome::Done => spans.add(span),
                TurnOutcome::Lost => spans.lose(),
            }
        }
        Ok(())
    }

    fn wait_for_turn(&self, period: Duration) {
        let now = self.clock.now();
        // Who is behind by more than a period does not catch up: that would be back to back.
        let due = (self.due.get() + period).max(now);
        self.due.set(due);
        // Wakes early only where an end was asked for.
        self.shutdown.wait(due.saturating_since(now));
    }
}

/// How contenders take turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Race {
    /// Turns of each.
    pub n: u64,
    /// Turns in a row before the next contender's: each finds its own caches warm.
    pub n_in_block: u64,
    /// When the turns of a block begin.
    pub pace: Pace,
}

impl Race {
    /// Each contender so many times a second: all in the same period, one turn each, where the
    /// slowest usually leaves a third of its share free; else by blocks. `None` where even a whole
    /// period is too short for the slowest.
    pub fn paced(n: u64, period: Duration, n_contenders: usize, slowest: Duration) -> Option<Self> {
        let share = period / u32::try_from(n_contenders.max(1)).unwrap_or(u32::MAX);
        let fits = |span: Duration| slowest * 3 / 2 <= span;
        if fits(share) {
            return Some(Self {
                n,
                n_in_block: 1,
                pace: Pace::Every(share),
            });
        }
        fits(period).then_some(Self {
            n,
            n_in_block: 250,
            pace: Pace::Every(period),
        })
    }

    /// Lets all take their turns, in blocks, in an order that rotates; what each one's took.
    ///
    /// # Errors
    /// What a contender says that cannot go on.
    pub fn run(
        &self,
        contenders: &mut [&mut dyn Contender],
        clock: &dyn Clock,
        shutdown: &Shutdown,
    ) -> Result<Vec<Spans>, ContenderError> {
        let mut all = vec![Spans::default(); contenders.len()];
        let n_in_block = self.n_in_block.clamp(1, self.n.max(1));
        let due = Cell::new(clock.now());
        for block in 0..self.n.div_ceil(n_in_block) {
            let n = n_in_block.min(self.n - block * n_in_block);
            for place in 0..contenders.len() {
                if shutdown.is_requested() {
                    return Ok(all);
                }
                let idx = (block as usize + place) % contenders.len();
                let block = Block {
                    n,
                    pace: self.pace,
                    due: &due,
                    clock,
                    shutdown,
                };
                contenders[idx].take(&block, &mut all[idx])?;
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests;
