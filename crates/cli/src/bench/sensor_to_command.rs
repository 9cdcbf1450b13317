//! The whole loop: a simulated robot and its agent as processes, from a scan to the command that it
//! led to, by the same code as `sedge swarm --processes`.

use anyhow::ensure;
use sedge_runtime::bench::SpanFigures;
use sedge_runtime::latency_run::{SpanRow, rows_of_report};

use super::case::SensorToCommandCase;
use super::report::{Kept, Row, Side};
use super::run::{Bench, Effort, Measured};
use crate::commands::swarm::{SwarmArgs, run_in_processes};
use crate::{RunSecs, SwarmSettings};

/// How long a quick look lasts, in seconds: some hundred commands.
const QUICK_SECS: f64 = 10.0;

/// Runs the launch file, and takes over what its agents report of each stage.
pub(super) fn run(case: &SensorToCommandCase, bench: &Bench) -> anyhow::Result<Measured> {
    let secs = match bench.effort {
        Effort::Full => case.secs,
        Effort::Quick => RunSecs::try_from(QUICK_SECS).ok(),
    };
    let args = SwarmArgs {
        path: case.launch.clone(),
        settings: SwarmSettings {
            processes: true,
            secs,
            ..SwarmSettings::default()
        },
        json: false,
    };
    let report = run_in_processes(&args, &bench.shutdown)?;
    let mut measured = Measured::default();
    for agent in report.agents.iter().flatten() {
        measured
            .rows
            .extend(rows_of_report(agent).iter().map(row_of));
    }
    ensure!(
        !measured.rows.is_empty(),
        "expected agents that report their stages, got none from {}",
        case.launch.display()
    );
    let broken = report.verdict.broken();
    measured.notes.push(if broken.is_empty() {
        "Every promise of the swarm was kept.".to_owned()
    } else {
        format!("Promises were broken: {}.", broken.join("; "))
    });
    Ok(measured)
}

fn row_of(span: &SpanRow) -> Row {
    let figures = SpanFigures {
        n: span.n,
        p50_nanos: span.p50_nanos,
        p99_nanos: span.p99_nanos,
        p999_nanos: span.p999_nanos,
        max_nanos: span.max_nanos,
        n_lost: 0,
    };
    Row {
        budget: span.budget_nanos.map(|budget_nanos| Kept {
            budget_nanos,
            n_missed: span.missed,
        }),
        ..Row::new(&span.what, &span.whose, Side::Ours, figures)
    }
}
