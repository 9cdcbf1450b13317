//! What plans take, rung by rung, as the agents' stopwatches say.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sedge_latency::{LadderReport, Stage, StageLedger};
use sedge_runtime::{AgentObserver, DriveMode, DrivenPlan};
use sedge_spacetime::Stamp;

/// The plans of all robots that are watched, by the rung that they were made on.
#[derive(Clone, Default)]
pub(crate) struct RungCosts {
    ledger: Arc<Mutex<StageLedger>>,
}

impl RungCosts {
    /// For one robot more.
    pub(crate) fn watcher(&self) -> RungTimer {
        RungTimer {
            costs: self.clone(),
            rung: None,
            searches: false,
            drives: false,
        }
    }

    /// What was taken so far; spans are of the stages that the rungs' names are.
    pub(crate) fn ledger(&self) -> StageLedger {
        let ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.clone()
    }
}

/// Times the plans of one robot while it is on its way: an idle one plans nothing.
pub(crate) struct RungTimer {
    costs: RungCosts,
    rung: Option<Stage>,
    /// A plan was searched for in this tick.
    searches: bool,
    drives: bool,
}

impl AgentObserver for RungTimer {
    fn on_rung(&mut self, _stamp: Stamp, ladder: &LadderReport) {
        let rung = ladder.rungs.get(ladder.rung);
        self.rung = rung.map(|rung| rung.name.clone());
    }

    fn on_mode(&mut self, _stamp: Stamp, mode: DriveMode, _why: &str) {
        self.drives = matches!(mode, DriveMode::Driving | DriveMode::Stopped);
    }

    fn on_plan(&mut self, _driven: &DrivenPlan<'_>) {
        self.searches = true;
    }

    fn on_latency(&mut self, _stamp: Stamp, stage: &Stage, span: Duration) {
        if *stage != Stage::PLAN {
            return;
        }
        let counts = std::mem::take(&mut self.searches) || self.drives;
        if let Some(rung) = self.rung.as_ref().filter(|_| counts) {
            let ledger = &self.costs.ledger;
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            // A ladder has fewer rungs than a ledger has room for.
            drop(ledger.record(rung, span));
        }
    }
}

#[cfg(test)]
mod tests {
    use sedge_latency::RungReport;

    use super::*;

    #[test]
    fn only_plans_of_robots_on_their_way_are_timed() {
        let costs = RungCosts::default();
        let mut timer = costs.watcher();
        let span = Duration::from_millis(3);
        let plan = |timer: &mut RungTimer| timer.on_latency(Stamp::ZERO, &Stage::PLAN, span);
        timer.on_mode(Stamp::ZERO, DriveMode::Driving, "");
        plan(&mut timer);
        assert!(costs.ledger().report().rows.is_empty(), "on no rung yet");
        let rung = RungReport {
            name: Stage::new("few").unwrap(),
            skill: 0.9,
            n: 1,
            cost_nanos: 0,
            cost_nanos_max: 0,
        };
        let ladder = LadderReport {
            rungs: vec![rung],
            rung: 0,
            n_changes: 0,
        };
        timer.on_rung(Stamp::ZERO, &ladder);
        plan(&mut timer);
        timer.on_latency(Stamp::ZERO, &Stage::FUSE, span);
        timer.on_mode(Stamp::ZERO, DriveMode::Arrived, "");
        plan(&mut timer);
        let report = costs.ledger().report();
        assert_eq!((report.rows.len(), report.rows[0].n), (1, 1));
        assert_eq!(report.rows[0].stage.as_str(), "few");
    }
}
