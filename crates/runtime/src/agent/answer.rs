//! From events to beliefs, and from each scan to what it leads to.

use sedge_latency::Stage;
use sedge_spacetime::Stamp;
use sedge_transport::Outbox;
use sedge_world_model::{
    ActionSequence, Belief, LidarScan, Observation, Prediction, Reused, SensorEvent,
};

use super::AgentNode;
use super::afterwards::{Answered, Response};
use super::budgeting::Spans;
use super::drive::carried;
use crate::intake::{ArrivedEvent, Released};
use crate::{PlanSource, Severity};

impl AgentNode {
    /// Takes events out of the reorder buffer until one scan has been answered.
    pub(super) fn advance(&mut self, now: Stamp, outbox: &mut Outbox) {
        while let Some(released) = self.intake.release(now) {
            if released.waited_out {
                self.counters.add("scans-waited-out");
            }
            if !self.has_mind {
                self.counters.add("refused-without-model");
                continue;
            }
            match &released.arrived.event.observation {
                Observation::Odometry(_) => self.fuse_odometry(released),
                Observation::Lidar(scan) => {
                    let scan = scan.clone();
                    self.place(released.reckoned.as_ref());
                    self.answer(now, released, scan, outbox);
                    if self.answered.is_some() {
                        return;
                    }
                }
                _ => self.fuse_other(released),
            }
        }
    }

    /// Has the belief take velocity for the odometry that a scan would have had to wait for.
    fn place(&mut self, reckoned: Option<&SensorEvent>) {
        let Some(reckoned) = reckoned else { return };
        if let Err(error) = self.minds.observe(reckoned.clone()) {
            let text = format!("dead reckoning: {error}");
            return self.say("refused-by-model", Severity::Warn, &text);
        }
        self.plans.reckoned(reckoned.stamp);
        if let Some(controller) = &mut self.controller {
            controller.whereabouts.fused(reckoned.stamp);
        }
        self.counters.add("scans-dead-reckoned");
    }

    fn fuse_other(&mut self, released: Released) {
        match self.minds.observe(released.arrived.event) {
            Ok(()) => self.counters.add("other-events"),
            Err(error) => self.say("refused-by-model", Severity::Warn, &error.to_string()),
        }
    }

    fn fuse_odometry(&mut self, released: Released) {
        let began = self.watch();
        let event = released.arrived.event;
        let stamp = event.stamp;
        let Observation::Odometry(pose) = event.observation else {
            return;
        };
        if let Err(error) = self.minds.observe(event) {
            let text = format!("odometry: {error}");
            return self.say("refused-by-model", Severity::Warn, &text);
        }
        self.plans.moved(stamp, pose);
        if let Some(controller) = &mut self.controller {
            controller.whereabouts.fused(stamp);
        }
        self.counters.add("odometry");
        self.record(&Stage::FUSE_ODOMETRY, self.watch().saturating_since(began));
    }

    /// Takes a scan in and puts what it leads to: first the command, if it drives, and then the
    /// prediction under that command. Whoever drives and lags answers no scan that a newer one has
    /// overtaken: each answer would come later than the one before.
    fn answer(&mut self, now: Stamp, released: Released, scan: LidarScan, outbox: &mut Outbox) {
        let arrived = released.arrived;
        let stamp = arrived.event.stamp;
        let mut spans = Spans::default();
        let Some(belief) = self.believe(&arrived, &mut spans) else {
            return;
        };
        self.counters.add("scans");
        self.newest_scan = stamp;
        let response = if self.is_overtaken(&arrived.event) {
            self.counters.add("scans-overtaken");
            Response::none()
        } else {
            self.respond(now, (&arrived, &scan, &belief), &mut spans, outbox)
        };
        self.answered = Some(Answered {
            stamp,
            scan,
            belief,
            response,
            spans: spans.into_all(),
        });
    }

    /// Puts what a scan leads to.
    fn respond(
        &mut self,
        now: Stamp,
        (arrived, scan, belief): (&ArrivedEvent, &LidarScan, &Belief),
        spans: &mut Spans,
        outbox: &mut Outbox,
    ) -> Response {
        let decision = self.drive_on_scan(now, (arrived, scan, belief), spans, outbox);
        if std::mem::take(&mut self.is_cut_short) {
            self.counters.add("ticks-cut-short");
            return Response {
                decision,
                ..Response::none()
            };
        }
        let chosen = decision.as_ref().and_then(|it| it.intended.as_ref());
        let (actions, plan) = match chosen {
            Some(actions) => (self.plans.chosen(now, actions), PlanSource::Commanded),
            None => self.plans.actions(arrived.event.stamp),
        };
        let predictions = self.imagine(&actions);
        let predicted = self.lap();
        self.span(spans, Stage::PREDICT, predicted);
        if !self.is_cut_short && !predictions.is_empty() {
            self.counters.add(match plan {
                PlanSource::Commanded => "predictions-commanded",
                PlanSource::Assumed => "predictions-assumed",
            });
            self.say_predictions((arrived, scan), &predictions, spans, outbox);
        }
        if self.is_cut_short {
            self.counters.add("ticks-cut-short");
        } else {
            let put = self.speaker.believe(arrived, belief, outbox);
            self.spoke(put);
        }
        Response {
            predictions,
            actions,
            plan,
            decision,
        }
    }

    fn is_overtaken(&self, event: &SensorEvent) -> bool {
        let newest = self.intake.newest_of_kind(event);
        self.controller.is_some() && newest.is_some_and(|newest| newest > event.stamp)
    }

    /// Takes a scan into the belief; none where the model refuses it or believes nothing yet.
    fn believe(&mut self, arrived: &ArrivedEvent, spans: &mut Spans) -> Option<Belief> {
        let began = self.watch();
        if let Err(error) = self.minds.observe(arrived.event.clone()) {
            let text = format!("scan: {error}");
            self.say("refused-by-model", Severity::Warn, &text);
            return None;
        }
        let Some(belief) = self.minds.belief() else {
            self.counters.add("scans-without-belief");
            return None;
        };
        self.lapped = began;
        let fused = self.lap();
        if let Some(put) = arrived.put {
            let wire = arrived.arrived.saturating_since(put);
            self.span(spans, Stage::WIRE, wire);
        }
        let ready = arrived.timed + arrived.decode;
        self.span(spans, Stage::DECODE, arrived.decode);
        self.span(spans, Stage::WAIT, began.saturating_since(ready));
        self.span(spans, Stage::FUSE, fused);
        Some(belief)
    }

    fn imagine(&mut self, actions: &ActionSequence) -> Reused<Prediction> {
        match self.minds.imagine(actions, &self.config.horizons) {
            Ok(predictions) => predictions,
            Err(error) => {
                self.say("imagine-refused", Severity::Warn, &error.to_string());
                Reused::new()
            }
        }
    }

    fn say_predictions(
        &mut self,
        (arrived, scan): (&ArrivedEvent, &LidarScan),
        predictions: &[Prediction],
        spans: &mut Spans,
        outbox: &mut Outbox,
    ) {
        // What differs from run to run stays out of messages that must not.
        let said = match &self.stopwatch {
            Some(_) => Reused::new(),
            None => carried(arrived, spans),
        };
        let of = (arrived, scan.geometry);
        let put = self.speaker.predict(of, predictions, &said, outbox);
        self.spoke(put);
        let encoded = self.lap();
        self.span(spans, Stage::ENCODE, encoded);
        let chains = [Stage::SENSOR_TO_PREDICTION, Stage::PUT_TO_PREDICTION];
        self.chain_ended(arrived, spans, chains);
    }
}

#[cfg(test)]
mod tests;
