//! What an agent's ledger and budgets hold, as the message that says it.

use sedge_latency::{BudgetRow, LadderReport, LatencyReport, ReportRow, RungReport};
use sedge_oni::{
    LadderReport as LadderMessage, LatencyReport as LatencyMessage, RungLatency, StageLatency,
};
use sedge_transport::LossCounts;

/// Each stage with its budget. A budget of a stage that has not run yet is said as well: whoever
/// looks should see what was promised before it is first broken.
pub(super) fn latency_message(
    latency: &LatencyReport,
    (budgets, ladder): (&[BudgetRow], Option<&LadderReport>),
    loss: LossCounts,
) -> LatencyMessage {
    let ran = |row: &ReportRow| StageLatency {
        count: row.n,
        p50_nanos: row.p50_nanos,
        p99_nanos: row.p99_nanos,
        p999_nanos: row.p999_nanos,
        max_nanos: row.max_nanos,
        ..nothing_of(row.stage.as_str())
    };
    let mut stages: Vec<StageLatency> = latency.rows.iter().map(ran).collect();
    for row in budgets {
        let name = row.budget.stage.as_str();
        let idx = stages.iter().position(|stage| stage.stage == name);
        let idx = idx.unwrap_or_else(|| {
            stages.push(nothing_of(name));
            stages.len() - 1
        });
        let limit = row.budget.limit().as_nanos();
        stages[idx].budget_nanos = u64::try_from(limit).unwrap_or(u64::MAX);
        stages[idx].missed = row.n_missed;
        stages[idx].missed_in_a_row_max = row.n_missed_in_a_row_max;
    }
    LatencyMessage {
        stages,
        received: loss.received,
        lost: loss.lost,
        duplicated: loss.duplicated,
        ladder: ladder.map(ladder_message),
    }
}

fn ladder_message(ladder: &LadderReport) -> LadderMessage {
    let rung = |rung: &RungReport| RungLatency {
        name: rung.name.to_string(),
        cost_nanos: rung.cost_nanos,
        plans: rung.n,
    };
    LadderMessage {
        rungs: ladder.rungs.iter().map(rung).collect(),
        rung: ladder.rung,
        changes: ladder.n_changes,
    }
}

fn nothing_of(stage: &str) -> StageLatency {
    StageLatency {
        stage: stage.to_owned(),
        count: 0,
        p50_nanos: 0,
        p99_nanos: 0,
        p999_nanos: 0,
        max_nanos: 0,
        budget_nanos: 0,
        missed: 0,
        missed_in_a_row_max: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_latency::{Budget, BudgetMonitor, Budgets, MissPolicy, Stage, StageLedger};
    use std::time::Duration;

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
        let said = latency_message(&ledger.report(), (&monitor.rows(), None), loss);
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
