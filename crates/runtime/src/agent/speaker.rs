//! From beliefs and predictions to messages.

use std::borrow::Cow;
use std::time::Duration;

use sedge_oni::{
    BeliefReport, Command, Forecast, Key, KeyError, LatencyReport as LatencyMessage, LedgerEntry,
    ScanForecast, Sequence, TraceContext, TypedMessage as _,
};
use sedge_spacetime::{FrameName, Stamp};
use sedge_transport::{Outbox, Qos, QosClass};
use sedge_world_model::{ActionSequence, Belief, Prediction, ScanGeometry};

use crate::AgentConfig;
use crate::driving::write_command;
use crate::intake::ArrivedEvent;
use crate::voice::{Begun, SpeakError, Voice};

pub(super) struct Speaker {
    epoch: u64,
    model_hash: [u8; 32],
    clock: String,
    clock_error: Duration,
    prediction: Voice,
    belief: Voice,
    telemetry: Voice,
    /// Of an agent that drives.
    command: Option<Voice>,
    frames: Frames,
    /// What was said last, for its memory.
    commanded: Command,
    forecasts: Vec<ScanForecast<'static>>,
}

/// What messages are in.
struct Frames {
    base: FrameName,
    scanner: FrameName,
    world: FrameName,
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
            clock_error: config.clock_error,
            prediction: voice(config, "model.prediction")?,
            belief: voice(config, "model.belief")?,
            telemetry: voice(config, "telemetry.latency")?,
            command: None,
            frames: Frames {
                base: frame("base"),
                scanner: frame("scanner"),
                world: frame("world"),
            },
            commanded: Command::default(),
            forecasts: Vec::new(),
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
        ledger: &[LedgerEntry],
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let Some(voice) = &mut self.command else {
            return Ok(());
        };
        let mut message = voice.begin(now, &self.clock);
        let envelope = message.envelope();
        envelope.capture.error = self.clock_error;
        envelope.frame = Some(self.frames.base.clone());
        envelope.deadline = Some(lifespan);
        envelope.lifespan = Some(lifespan);
        envelope.ledger.extend_from_slice(ledger);
        write_command(actions, &mut self.commanded);
        message.put(&self.commanded, Some(now + lifespan), outbox)
    }

    /// Puts a prediction. The message's own ledger says what each stage took so far; encoding
    /// itself is not yet known there.
    pub(super) fn predict(
        &mut self,
        scan: (&ArrivedEvent, ScanGeometry),
        predictions: &[Prediction],
        ledger: &[LedgerEntry],
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let (scan, geometry) = scan;
        let mut message = begun(&mut self.prediction, scan);
        let envelope = message.envelope();
        envelope.frame = Some(self.frames.scanner.clone());
        envelope.model_hash = Some(self.model_hash);
        envelope.trace = Some(trace(self.epoch, scan, envelope.source.sequence));
        envelope.ledger.extend_from_slice(ledger);
        let mut horizons = emptied(std::mem::take(&mut self.forecasts));
        horizons.extend(predictions.iter().map(forecast));
        let said = Forecast {
            first_angle_rad: geometry.first_angle_rad,
            step_rad: geometry.step_rad,
            horizons,
        };
        let put = message.put(&said, None, outbox);
        self.forecasts = emptied(said.horizons);
        put
    }

    pub(super) fn believe(
        &mut self,
        scan: &ArrivedEvent,
        belief: &Belief,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let mut message = begun(&mut self.belief, scan);
        let envelope = message.envelope();
        envelope.frame = Some(self.frames.world.clone());
        envelope.model_hash = Some(self.model_hash);
        envelope.trace = Some(trace(self.epoch, scan, envelope.source.sequence));
        let said = BeliefReport {
            world_from_scanner: belief.pose,
            covariance: belief.covariance,
            latent: Cow::Borrowed(&belief.latent),
        };
        message.put(&said, None, outbox)
    }

    pub(super) fn report(
        &mut self,
        now: Stamp,
        report: &LatencyMessage,
        outbox: &mut Outbox,
    ) -> Result<(), SpeakError> {
        let mut message = self.telemetry.begin(now, &self.clock);
        message.envelope().capture.error = self.clock_error;
        message.put(report, None, outbox)
    }
}

/// Goes on with the scan's trace, or begins one.
fn trace(epoch: u64, scan: &ArrivedEvent, sequence: u64) -> TraceContext {
    let span = epoch.rotate_left(32) ^ sequence.wrapping_add(1);
    let span_id = span.max(1).to_be_bytes();
    let trace_id = scan.trace.map_or_else(
        || {
            let stamp = scan.event.stamp.nanos().unsigned_abs();
            (u128::from(epoch) << 64 | u128::from(stamp))
                .max(1)
                .to_be_bytes()
        },
        |trace| trace.trace_id,
    );
    TraceContext { trace_id, span_id }
}

fn frame(name: &str) -> FrameName {
    FrameName::new(name).expect("a constant that is a name")
}

/// A message that is true when a scan was.
fn begun<'v>(voice: &'v mut Voice, scan: &ArrivedEvent) -> Begun<'v> {
    let mut message = voice.begin(scan.event.stamp, &scan.clock);
    message.envelope().capture.error = scan.stamp_error;
    message
}

/// The memory of a list of forecasts, for forecasts of other scans.
fn emptied<'to>(mut forecasts: Vec<ScanForecast<'_>>) -> Vec<ScanForecast<'to>> {
    forecasts.clear();
    // Of nothing: but what is collected from a list of the same size lies where that lay.
    let none = forecasts.into_iter();
    none.map(|_| unreachable!("it was just emptied")).collect()
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
