//! From beliefs and predictions to messages.

use std::borrow::Cow;
use std::time::Duration;

use sedge_oni::{
    BeliefReport, Capture, Command, Envelope, Forecast, Key, KeyError,
    LatencyReport as LatencyMessage, LedgerEntry, ScanForecast, Sequence, TraceContext,
    TypedMessage as _,
};
use sedge_spacetime::{FrameName, Stamp};
use sedge_transport::{Outbox, Qos, QosClass};
use sedge_world_model::{ActionSequence, Belief, Prediction, ScanGeometry};

use crate::AgentConfig;
use crate::driving::command_of;
use crate::intake::ArrivedEvent;
use crate::voice::{SpeakError, Voice};

pub(super) struct Speaker {
    epoch: u64,
    model_hash: [u8; 32],
    clock: String,
    prediction: Voice,
    belief: Voice,
    telemetry: Voice,
    /// Of an agent that drives.
    command: Option<Voice>,
}

fn voice(config: &AgentConfig, message_type: &str) -> Result<Voice, KeyError> {
    let key = Key::new(&config.fleet, &config.robot, message_type, &config.stream)?;
    let sequence = Sequence::new(config.robot.clone(), config.epoch);
    Ok(Voice::new(key, sequence))
}

impl Speaker {
    pub(super) fn new(config: &AgentConfig) -> Result<Self, KeyError> {
        Ok(Self {
            epoch: config.epoch,
            model_hash: config.model_hash,
            clock: config
                .clock_domain
                .clone()
                .unwrap_or_else(|| "agent".into()),
            prediction: voice(config, "model.prediction")?,
            belief: voice(config, "model.belief")?,
            telemetry: voice(config, "telemetry.latency")?,
            command: None,
        })
    }

    /// From now on it commands, under this key.
    pub(super) fn commands(&mut self, config: &AgentConfig) -> Result<(Key, Qos), KeyError> {
        let voice = voice(config, Command::NAME)?;
        let key = voice.key().clone();
        self.command = Some(voice);
        let class = QosClass::of_message_type(Command::NAME);
        Ok((key, Qos::of(class)))
    }

    /// Puts a command that is executed from `now` on, and no longer than its lifespan.
    pub(super) fn command(
        &mut self,
        now: Stamp,
        (actions, lifespan): (&ActionSequence, Duration),
        ledger: Vec<LedgerEntry>,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let Some(voice) = &mut self.command else {
            return Ok(());
        };
        let capture = Capture::exact(now, self.clock.clone());
        let mut envelope = Envelope::new(voice.next_source(), capture);
        envelope.frame = Some(frame("base"));
        envelope.deadline = Some(lifespan);
        envelope.lifespan = Some(lifespan);
        envelope.ledger = ledger;
        let message = command_of(actions).to_message(envelope)?;
        voice.put_before(&message, now + lifespan, outbox)
    }

    /// Puts a prediction. The message's own ledger says what each stage took so far; encoding
    /// itself is not yet known there.
    pub(super) fn predict(
        &mut self,
        scan: (&ArrivedEvent, ScanGeometry),
        predictions: &[Prediction],
        ledger: Vec<LedgerEntry>,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let (scan, geometry) = scan;
        let mut envelope = Envelope::new(self.prediction.next_source(), capture(scan));
        envelope.frame = Some(frame("scanner"));
        envelope.model_hash = Some(self.model_hash);
        envelope.trace = Some(self.trace(scan, envelope.source.sequence));
        envelope.ledger = ledger;
        let message = Forecast {
            first_angle_rad: geometry.first_angle_rad,
            step_rad: geometry.step_rad,
            horizons: predictions.iter().map(forecast).collect(),
        }
        .to_message(envelope)?;
        self.prediction.put(&message, outbox)
    }

    pub(super) fn believe(
        &mut self,
        scan: &ArrivedEvent,
        belief: &Belief,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let mut envelope = Envelope::new(self.belief.next_source(), capture(scan));
        envelope.frame = Some(frame("world"));
        envelope.model_hash = Some(self.model_hash);
        envelope.trace = Some(self.trace(scan, envelope.source.sequence));
        let message = BeliefReport {
            world_from_scanner: belief.pose,
            covariance: belief.covariance,
            latent: Cow::Borrowed(&belief.latent),
        }
        .to_message(envelope)?;
        self.belief.put(&message, outbox)
    }

    pub(super) fn report(
        &mut self,
        now: Stamp,
        report: &LatencyMessage,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let capture = Capture::exact(now, self.clock.clone());
        let envelope = Envelope::new(self.telemetry.next_source(), capture);
        let message = report.to_message(envelope)?;
        self.telemetry.put(&message, outbox)
    }

    /// Goes on with the scan's trace, or begins one.
    fn trace(&self, scan: &ArrivedEvent, sequence: u64) -> TraceContext {
        let span = self.epoch.rotate_left(32) ^ sequence.wrapping_add(1);
        let span_id = span.max(1).to_be_bytes();
        let trace_id = scan.trace.map_or_else(
            || {
                let stamp = scan.event.stamp.nanos().unsigned_abs();
                (u128::from(self.epoch) << 64 | u128::from(stamp))
                    .max(1)
                    .to_be_bytes()
            },
            |trace| trace.trace_id,
        );
        TraceContext { trace_id, span_id }
    }
}

fn frame(name: &str) -> FrameName {
    FrameName::new(name).expect("a constant that is a name")
}

fn capture(scan: &ArrivedEvent) -> Capture {
    Capture {
        stamp: scan.event.stamp,
        clock: scan.clock.clone(),
        error: scan.stamp_error,
    }
}

fn forecast(prediction: &Prediction) -> ScanForecast<'_> {
    let scan = &prediction.scan;
    ScanForecast {
        horizon: prediction.horizon,
        motion: prediction.motion,
        covariance: prediction.covariance,
        mean_m: Cow::Borrowed(&scan.mean_m),
        least_error_m: Cow::Borrowed(&scan.least_error_m),
        mode_m: Cow::Borrowed(&scan.mode_m),
        low_m: Cow::Borrowed(&scan.low_m),
        high_m: Cow::Borrowed(&scan.high_m),
        hit_probability: Cow::Borrowed(&scan.hit_probability),
    }
}
