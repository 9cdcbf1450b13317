//! An agent that drives: when it decides, and what becomes of what it decided.

use std::sync::Arc;
use std::time::Duration;

use sedge_latency::Stage;
use sedge_oni::LedgerEntry;
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::Outbox;
use sedge_world_model::{Belief, LidarScan, Reused};

use super::AgentNode;
use super::budgeting::{Spans, entry};
use crate::announcer::Announcer;
use crate::driving::{Cause, Controller, Decision, Timing};
use crate::intake::ArrivedEvent;
use crate::put_time::put_entry;
use crate::{AgentError, DrivingConfig, DrivingError, Severity, WatchdogConfig};

/// What is known of a decision before it is made.
#[derive(Default)]
struct Ahead {
    /// How long planning may take, where budgets say.
    allowed: Option<Duration>,
    /// What the stages before took.
    ledger: Reused<LedgerEntry>,
}

/// What the stages so far took, those before the message was put first.
pub(super) fn carried(arrived: &ArrivedEvent, spans: &Spans) -> Reused<LedgerEntry> {
    let mut ledger = arrived.upstream.clone();
    ledger.extend(spans.entries());
    ledger
}

impl AgentNode {
    /// The same agent, that also drives: it plans on its own model towards the goals that it is
    /// given, sends commands, and its predictions say where it means to go. What it listens to and
    /// publishes changes with it, so ask for that afterwards. Planning draws its random numbers
    /// from `seed`.
    ///
    /// It must share a clock with its sensors ([`crate::AgentConfig::clock_domain`]): what is of
    /// another clock is no evidence, and without evidence it stops.
    ///
    /// # Errors
    /// [`AgentError::Driving`] for a configuration that makes no sense, or not with this model.
    pub fn with_driving(mut self, driving: DrivingConfig, seed: u64) -> Result<Self, AgentError> {
        let listens = self.config.driving_subscriptions(&driving);
        self.subscriptions = listens.map_err(DrivingError::from)?;
        let mut publications = self.config.publications()?;
        publications.push(self.speaker.commands(&self.config)?);
        let speaking = self.config.speaking();
        self.announcer = Announcer::new(speaking, self.subscriptions.clone(), publications)?;
        driving.check_with(&self.config.budgets)?;
        driving.check_model(self.minds.model())?;
        let reach = Duration::from_secs_f64(driving.dead_reckoning_secs_max);
        self.controller = Some(Box::new(Controller::new(driving, seed)?));
        self.intake = self.intake.with_reach(reach);
        Ok(self)
    }

    /// What a watchdog must know to stop this robot when this agent stalls; none where it does not
    /// drive.
    pub fn watchdog_config(&self) -> Option<WatchdogConfig> {
        let driving = self.controller.as_ref()?.config();
        Some(WatchdogConfig {
            fleet: self.config.fleet.clone(),
            robot: self.config.robot.clone(),
            epoch: self.config.epoch,
            clock_domain: self.config.clock_domain.clone(),
            clock_error: self.config.clock_error,
            stall_max: Duration::from_secs_f64(driving.stall_secs_max),
            lifespan: driving.lifespan(),
            priority: None,
        })
    }

    /// With another clock for how long its stages take, as in a simulation whose own clock stands
    /// still meanwhile. Such times then stay out of what it says: there is no `telemetry.latency`,
    /// and messages have no ledgers.
    #[must_use]
    pub fn with_stopwatch(self, stopwatch: Arc<dyn Clock>) -> Self {
        Self {
            stopwatch: Some(stopwatch),
            ..self
        }
    }

    /// The time that stages are measured with.
    pub(super) fn watch(&self) -> Stamp {
        self.stopwatch.as_ref().unwrap_or(&self.clock).now()
    }

    /// Plans on a scan that was taken in, if it drives and it is time to.
    pub(super) fn drive_on_scan(
        &mut self,
        now: Stamp,
        (arrived, scan, belief): (&ArrivedEvent, &LidarScan, &Belief),
        spans: &mut Spans,
        outbox: &mut Outbox,
    ) -> Option<Decision> {
        let is_comparable = self.is_comparable(arrived.into(), arrived.arrived);
        let controller = self.controller.as_mut()?;
        if is_comparable {
            controller.believed(arrived.event.stamp, scan, belief);
        } else {
            self.counters.add("scans-of-another-clock");
        }
        controller.is_due(now).then_some(())?;
        let ahead = Ahead {
            allowed: self.plan_allowance(arrived, spans),
            ledger: carried(arrived, spans),
        };
        let decision = self.drive(Cause::Scan, now, ahead, outbox)?;
        for (stage, span) in &decision.spans {
            self.span(spans, stage.clone(), *span);
        }
        if decision.command.is_some() {
            let chains = [Stage::SENSOR_TO_COMMAND, Stage::PUT_TO_COMMAND];
            self.chain_ended(arrived, spans, chains);
        }
        Some(decision)
    }

    /// Decides anew if an order came, or if too little did.
    pub(super) fn drive_by_time(&mut self, now: Stamp, outbox: &mut Outbox) {
        let Some(controller) = &self.controller else {
            return;
        };
        let order = self.order_came.then_some(Cause::Time);
        if let Some(cause) = order.or_else(|| controller.cause_by_time(now)) {
            self.lapped = self.watch();
            let decided = self.drive(cause, now, Ahead::default(), outbox);
            for (stage, span) in decided.iter().flat_map(|it| &it.spans) {
                match cause {
                    Cause::Scan | Cause::Between => self.record(stage, *span),
                    // Nothing was searched for, so no budget is about these.
                    Cause::Time => self.note(stage, *span),
                }
            }
        }
    }

    /// Has the model imagine what the next commands are searched for in, once a scan is answered
    /// and where they do not wait for that.
    pub(super) fn look_ahead(&mut self, now: Stamp) {
        let began = self.watch();
        let Some(controller) = self.controller.as_mut().filter(|_| self.has_mind) else {
            return;
        };
        if controller.look_ahead(now, self.minds.model()) {
            self.record(&Stage::LOOK_AHEAD, self.watch().saturating_since(began));
        }
    }

    fn drive(
        &mut self,
        cause: Cause,
        now: Stamp,
        ahead: Ahead,
        outbox: &mut Outbox,
    ) -> Option<Decision> {
        let mut controller = self.controller.take()?;
        self.order_came = false;
        controller.overrun = self.overrun();
        let before = controller.said();
        let timing = Timing {
            stopwatch: self.stopwatch.as_ref().unwrap_or(&self.clock).as_ref(),
            clock: self.clock.as_ref(),
            began: self.lapped,
            allowed: ahead.allowed,
        };
        let model = self.has_mind.then(|| self.minds.model());
        let mut decision = controller.decide(cause, now, model, &timing);
        self.lapped = decision.ended;
        if let Some(actions) = &decision.command {
            let said = self.said_of(now, &decision, ahead.ledger);
            let lifespan = controller.config().lifespan();
            let put = self
                .speaker
                .command(now, (actions, lifespan), &said, outbox);
            self.spoke(put);
            self.counters.add("commands-sent");
            let sent = self.lap();
            decision.spans.push((Stage::ACT, sent));
            self.commanded_after(decision.ended);
        }
        if let Some(intended) = &decision.intended {
            self.plans.keep(now, intended.actions.clone());
        }
        for event in &decision.events {
            self.counters.add(event);
        }
        let is_new = before != (decision.mode, decision.why.clone());
        self.controller = Some(controller);
        if decision.has_moved
            && let Some(ladder) = self.controller.as_mut().and_then(|it| it.ladder())
        {
            self.observer.on_rung(now, ladder);
        }
        if is_new {
            self.says_mode(now, &decision);
        }
        Some(decision)
    }

    /// The ledger of a command: every stage on the way to it, and when it is put.
    fn said_of(
        &self,
        now: Stamp,
        decision: &Decision,
        mut ledger: Reused<LedgerEntry>,
    ) -> Reused<LedgerEntry> {
        if self.stopwatch.is_some() {
            return Reused::new();
        }
        ledger.extend(decision.spans.iter().map(entry));
        let put = self.lapped.max(now);
        ledger.extend(
            self.config
                .clock_domain
                .as_ref()
                .and_then(|it| put_entry(it, put)),
        );
        ledger
    }

    fn says_mode(&mut self, now: Stamp, decision: &Decision) {
        let (mode, why) = (decision.mode, decision.why.as_ref());
        self.observer.on_mode(now, mode, why);
        self.announcer.hurry();
        let text = match why {
            "" => mode.to_string(),
            _ => format!("{mode}: {why}"),
        };
        self.say("mode-changes", Severity::Info, &text);
    }
}

#[cfg(test)]
mod tests;
