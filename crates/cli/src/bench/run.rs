//! What all cases share: how much is asked, whom we are set beside, the clock and the end.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::ensure;
use sedge_runtime::bench::{Contender, ContenderError, Race, SpanFigures, Spans, load_averages};
use sedge_runtime::{Shutdown, SystemClock};

use super::case::{Case, CaseFile};
use super::numbers::Count;
use super::report::{CaseReport, Row, compare};
use super::{caterpillar, engines, sensor_to_command, wires};

/// How much is asked of counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// What the case says.
    Full,
    /// A hundredth of it, to see that it works.
    Quick,
}

/// Of a case's counts, with [`Effort::Quick`]; at least [`QUICK_MIN`], and never more than it says.
const QUICK_SHARE: u64 = 100;
const QUICK_MIN: u64 = 3;

impl Effort {
    pub(super) fn of(self, count: Count) -> u64 {
        let n = count.get();
        match self {
            Self::Full => n,
            Self::Quick => (n / QUICK_SHARE).max(QUICK_MIN).min(n),
        }
    }
}

/// Peers that are programs of other people's.
#[derive(Debug, Clone)]
pub(crate) struct Peers {
    /// The Python that has them installed; none where nobody named one.
    pub(crate) python: Option<PathBuf>,
    /// Where our sides of them lie: the folder that `peers` is in.
    pub(crate) notebooks: PathBuf,
}

/// What all cases have.
pub(crate) struct Bench {
    pub(crate) effort: Effort,
    pub(crate) peers: Peers,
    pub(crate) clock: Arc<SystemClock>,
    pub(crate) shutdown: Shutdown,
}

/// What a case measured.
#[derive(Debug, Default)]
pub(super) struct Measured {
    pub(super) rows: Vec<Row>,
    pub(super) notes: Vec<String>,
}

impl Bench {
    /// Lets contenders take their turns; figures come in their order.
    pub(super) fn race(
        &self,
        race: Race,
        contenders: &mut [&mut dyn Contender],
    ) -> anyhow::Result<Vec<SpanFigures>> {
        let spans = race.run(contenders, self.clock.as_ref(), &self.shutdown);
        let spans = spans.map_err(into_anyhow)?;
        Ok(spans.iter().map(Spans::figures).collect())
    }
}

/// Contenders of one kind, for a race.
pub(super) fn contenders<One: Contender>(all: &mut [One]) -> Vec<&mut dyn Contender> {
    all.iter_mut().map(|it| it as &mut dyn Contender).collect()
}

/// Errors of contenders as those of commands.
pub(super) fn into_anyhow(error: ContenderError) -> anyhow::Error {
    anyhow::Error::from_boxed(error)
}

/// Measures one case.
///
/// # Errors
/// When it cannot be measured, or the end was asked for before its own.
pub(crate) fn run_case(file: &CaseFile, bench: &Bench) -> anyhow::Result<CaseReport> {
    let before = load_averages();
    let mut measured = match &file.case {
        Case::Engine(case) => engines::run(case, bench)?,
        Case::PingPong(case) => wires::ping_pong(case, bench)?,
        Case::Throughput(case) => wires::throughput(case, bench)?,
        Case::Caterpillar(case) => caterpillar::run(case, bench)?,
        Case::SensorToCommand(case) => sensor_to_command::run(case, bench)?,
    };
    ensure!(
        !bench.shutdown.is_requested(),
        "stopped before the end of {}",
        file.name
    );
    compare(&mut measured.rows);
    Ok(CaseReport {
        name: file.name.clone(),
        kind: file.kind,
        title: file.case.title().to_owned(),
        rows: measured.rows,
        notes: measured.notes,
        loads: [before, load_averages()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quick_asks_for_less_and_never_for_more() {
        let of = |n: u64| Effort::Quick.of(Count::try_from(n).unwrap());
        assert_eq!([of(10_000), of(250), of(2)], [100, 3, 2]);
        assert_eq!(Effort::Full.of(Count::try_from(7).unwrap()), 7);
    }
}
