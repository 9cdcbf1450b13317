//! What an agent's ledger and budgets hold, as the message that says it.

use sedge_latency::{BudgetRow, LadderReport, ReportRow};
use sedge_oni::{
    LadderReport as LadderMessage, LatencyReport as LatencyMessage, RungLatency, StageLatency,
};
use sedge_transport::LossCounts;

/// Writes each stage with its budget over another message. A budget of a stage that has not run
/// yet is said as well: whoever looks should see what was promised before it is first broken.
pub(super) fn write_latency<'b>(
    message: &mut LatencyMessage,
    latency: impl Iterator<Item = ReportRow>,
    (budgets, ladder): (impl Iterator<Item = &'b BudgetRow>, Option<&LadderReport>),
    loss: LossCounts,
) {
    let stages = &mut message.stages;
    let mut n_stages = 0;
    for row in latency {
        let stage = nothing_of(stages, n_stages, row.stage.as_str());
        (stage.count, stage.max_nanos) = (row.n, row.max_nanos);
        (stage.p50_nanos, stage.p99_nanos) = (row.p50_nanos, row.p99_nanos);
        stage.p999_nanos = row.p999_nanos;
        n_stages += 1;
    }
    for row in budgets {
        let name = row.budget.stage.as_str();
        let known = stages[..n_stages].iter().position(|it| it.stage == name);
        let stage = if let Some(idx) = known {
            &mut stages[idx]
        } else {
            n_stages += 1;
            nothing_of(stages, n_stages - 1, name)
        };
        let limit = row.budget.limit().as_nanos();
        stage.budget_nanos = u64::try_from(limit).unwrap_or(u64::MAX);
        stage.missed = row.n_missed;
        stage.missed_in_a_row_max = row.n_missed_in_a_row_max;
    }
    stages.truncate(n_stages);
    (message.received, message.lost) = (loss.received, loss.lost);
    message.duplicated = loss.duplicated;
    match ladder {
        Some(ladder) => write_ladder(message.ladder.get_or_insert_with(no_ladder), ladder),
        None => message.ladder = None,
    }
}

fn no_ladder() -> LadderMessage {
    LadderMessage {
        rungs: Vec::new(),
        rung: 0,
        changes: 0,
    }
}

/// Writes a ladder over another.
fn write_ladder(message: &mut LadderMessage, ladder: &LadderReport) {
    let nothing = || RungLatency {
        name: String::new(),
        cost_nanos: 0,
        plans: 0,
    };
    message.rungs.resize_with(ladder.rungs.len(), nothing);
    for (said, rung) in message.rungs.iter_mut().zip(&ladder.rungs) {
        said.name.clear();
        said.name.push_str(rung.name.as_str());
        (said.cost_nanos, said.plans) = (rung.cost_nanos, rung.n);
    }
    (message.rung, message.changes) = (ladder.rung, ladder.n_changes);
}

/// A stage of which nothing is known yet, in the memory of the one that was there.
fn nothing_of<'s>(
    stages: &'s mut Vec<StageLatency>,
    idx: usize,
    name: &str,
) -> &'s mut StageLatency {
    let mut stage = match stages.get_mut(idx) {
        Some(before) => std::mem::take(&mut before.stage),
        None => String::new(),
    };
    stage.clear();
    stage.push_str(name);
    let nothing = StageLatency {
        stage,
        count: 0,
        p50_nanos: 0,
        p99_nanos: 0,
        p999_nanos: 0,
        max_nanos: 0,
        budget_nanos: 0,
        missed: 0,
        missed_in_a_row_max: 0,
    };
    if idx < stages.len() {
        stages[idx] = nothing;
    } else {
        stages.push(nothing);
    }
    &mut stages[idx]
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_latency::{
        Budget, BudgetMonitor, Budgets, MissPolicy, RungReport, Stage, StageLedger,
    };
    use std::time::Duration;

    #[test]
    fn a_ladder_is_written_over_the_one_before() {
        let of = |names: &[&str], n| LadderReport {
            rungs: names
                .iter()
                .map(|name| RungReport {
                    name: Stage::new(name).unwrap(),
                    skill: 1.0,
                    n,
                    cost_nanos: 2 * n,
                    cost_nanos_max: 3 * n,
                })
                .collect(),
            rung: names.len() - 1,
            n_changes: n,
        };
        let mut over = no_ladder();
        for (names, n) in [(&["full", "stop"][..], 3), (&["eight-bits"][..], 7)] {
            let mut fresh = no_ladder();
            write_ladder(&mut fresh, &of(names, n));
            write_ladder(&mut over, &of(names, n));
            assert_eq!(over, fresh);
            assert_eq!((over.rungs.len(), over.rungs[0].plans), (names.len(), n));
            assert_eq!(over.rungs[0].name, names[0]);
        }
    }

    #[test]
    fn each_stage_has_its_budget_whether_it_ran_or_not() {
        let budget = |stage| Budget::new(stage, 5, MissPolicy::Warn);
        let budgets = Budgets::new(vec![budget(Stage::FUSE), budget(Stage::PLAN)]);
        let mut monitor = BudgetMonitor::new(&budgets.unwrap());
        let mut ledger = StageLedger::default();
        for micros in [5, 6, 7, 4] {
            let span = Duration::from_micros(micros);
            for stage in [Stage::DECODE, Stage::FUSE] {
                ledger.record(&stage, span).unwrap();
                monitor.observe(&stage, span);
            }
        }
        let loss = LossCounts::default();
        let mut said = LatencyMessage::default();
        // The second is written over the first.
        for _ in 0..2 {
            write_latency(&mut said, ledger.rows(), (monitor.iter_rows(), None), loss);
        }
        let row = |stage: &StageLatency| {
            let name = stage.stage.clone();
            let missed = [stage.missed, stage.missed_in_a_row_max];
            (name, stage.count, stage.budget_nanos, missed)
        };
        let rows: Vec<_> = said.stages.iter().map(row).collect();
        let expected = [
            ("decode".to_owned(), 4, 0, [0, 0]),
            ("fuse".to_owned(), 4, 5_000, [2, 2]),
            ("plan".to_owned(), 0, 5_000, [0, 0]),
        ];
        assert_eq!(rows, expected);
    }
}
