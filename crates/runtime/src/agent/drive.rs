//! An agent that drives: when it decides, and what becomes of what it decided.

use std::sync::Arc;

use sedge_latency::Stage;
use sedge_spacetime::{Clock, Stamp};
use sedge_transport::Outbox;
use sedge_world_model::{Belief, LidarScan};

use super::AgentNode;
use crate::announcer::Announcer;
use crate::driving::{Cause, Controller, Decision, Timing, command_of};
use crate::intake::ArrivedEvent;
use crate::{AgentError, DrivingConfig, DrivingError, Severity};

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
    /// [`AgentError::Driving`] for a configuration that makes no sense.
    pub fn with_driving(mut self, driving: DrivingConfig, seed: u64) -> Result<Self, AgentError> {
        let listens = self.config.driving_subscriptions(&driving);
        self.subscriptions = listens.map_err(DrivingError::from)?;
        let mut publications = self.config.publications()?;
        publications.push(self.speaker.commands(&self.config)?);
        let speaking = self.config.speaking();
        self.announcer = Announcer::new(speaking, self.subscriptions.clone(), publications)?;
        self.controller = Some(Box::new(Controller::new(driving, seed)?));
        Ok(self)
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
        outbox: &mut Outbox,
    ) -> Option<Decision> {
        let is_comparable = self.config.clock_domain.as_ref() == Some(&arrived.clock);
        let controller = self.controller.as_mut()?;
        if is_comparable {
            controller.believed(arrived.event.stamp, scan, belief);
        } else {
            self.counters.add("scans-of-another-clock");
        }
        controller.is_due(now).then_some(())?;
        self.drive(Cause::Scan, now, outbox)
    }

    /// Decides anew if an order came, or if too little did.
    pub(super) fn drive_by_time(&mut self, now: Stamp, outbox: &mut Outbox) {
        let Some(controller) = &self.controller else {
            return;
        };
        let is_late = controller.next_due().is_some_and(|at| now >= at);
        if is_late || self.order_came {
            self.drive(Cause::Time, now, outbox);
        }
    }

    fn drive(&mut self, cause: Cause, now: Stamp, outbox: &mut Outbox) -> Option<Decision> {
        let mut controller = self.controller.take()?;
        self.order_came = false;
        let before = (controller.state().0, controller.state().1.to_owned());
        let timing = Timing {
            stopwatch: self.stopwatch.as_ref().unwrap_or(&self.clock).as_ref(),
            clock: self.clock.as_ref(),
        };
        let model = self.has_mind.then(|| self.minds.model());
        let mut decision = controller.decide(cause, now, model, &timing);
        let decided = self.watch();
        if let Some(actions) = &decision.command {
            let lifespan = controller.config().lifespan();
            let put = self.speaker.command(now, actions, lifespan, outbox);
            self.spoke(put);
            self.counters.add("commands-sent");
            let sent = self.watch().saturating_since(decided);
            decision.spans.push((Stage::ACT, sent));
        }
        if let Some(intended) = &decision.intended {
            self.plans.command(now, &command_of(intended));
        }
        for event in &decision.events {
            self.counters.add(event);
        }
        if cause == Cause::Time {
            for (stage, span) in decision.spans.clone() {
                self.record(&stage, span);
            }
        }
        let is_new = before != (decision.mode, decision.why.clone());
        self.controller = Some(controller);
        if is_new {
            self.says_mode(now, &decision);
        }
        Some(decision)
    }

    fn says_mode(&mut self, now: Stamp, decision: &Decision) {
        let (mode, why) = (decision.mode, decision.why.as_str());
        self.observer.on_mode(now, mode, why);
        self.announcer.hurry();
        let text = match why {
            "" => mode.to_string(),
            _ => format!("{mode}: {why}"),
        };
        self.say("mode-changes", Severity::Info, &text);
    }
}
