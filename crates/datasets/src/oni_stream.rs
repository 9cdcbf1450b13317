//! An episode as the ONI messages that its robot would have sent.

use std::time::Duration;

use sedge_oni::{
    Capture, Command, CommandStep, Envelope, InvalidMessage, Key, KeyError, Lidar, Message,
    Odometry, Sequence, TypedMessage,
};
use sedge_spacetime::{AgentName, FrameName, Stamp, Twist2};
use sedge_world_model::{Episode, EpisodeScan, OdometrySample};

/// How far ahead plans reach: the farthest horizon of the protocol is 2 s here, a target scan may
/// be 0.25 s off, and half a second is for the scanner's latency.
const PLAN_HORIZON: Duration = Duration::from_millis(2750);

/// How an episode is told.
#[derive(Debug, Clone, PartialEq)]
pub struct OniStreamConfig {
    /// The fleet that the robot belongs to.
    pub fleet: AgentName,
    /// The robot that the episode stands for.
    pub agent: AgentName,
    /// The sender's epoch: new at each start.
    pub epoch: u64,
    /// Which clock the stamps are of, for receivers that compare clocks. Default `log`.
    pub clock: String,
    /// Added to each of the log's stamps, in nanoseconds. Default 0.
    pub stamp_offset_nanos: i64,
    /// How far ahead the plan before each scan reaches; `None` for no plans. Default 2.75 s.
    pub plan_horizon: Option<Duration>,
    /// Where to begin, by the log's stamps. Default `None`: at the beginning.
    pub start: Option<Stamp>,
}

impl OniStreamConfig {
    /// Everything else by default.
    pub fn new(fleet: AgentName, agent: AgentName, epoch: u64) -> Self {
        Self {
            fleet,
            agent,
            epoch,
            clock: "log".to_owned(),
            stamp_offset_nanos: 0,
            plan_horizon: Some(PLAN_HORIZON),
            start: None,
        }
    }
}

/// One message of a stream.
#[derive(Debug, Clone)]
pub struct OniItem {
    /// When it is due, in the log's time since the first message.
    pub due: Duration,
    /// Under which key.
    pub key: Key,
    /// What.
    pub message: Message<'static>,
}

/// The messages of an episode in time order: `sensor.odometry` before what else has its stamp,
/// and before each `sensor.lidar` an `actuator.cmd` with what odometry went on to report.
///
/// The plan is the recorded future of the *odometry*, never of the reference poses. It is stamped
/// with the newest odometry at or before its scan and begins there.
#[derive(Debug)]
pub struct OniStream<'a> {
    episode: &'a Episode,
    config: OniStreamConfig,
    order: std::vec::IntoIter<(Stamp, Sensed)>,
    first: Stamp,
    lidar: Channel,
    odometry: Channel,
    command: Channel,
    waiting: Option<OniItem>,
    refused: u64,
}

/// What is sensed at a time; the index is the episode's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Sensed {
    Odometry(usize),
    Scan(usize),
}

/// What the messages of one key have in common.
#[derive(Debug)]
struct Channel {
    key: Key,
    sequence: Sequence,
    frame: Option<FrameName>,
}

impl Channel {
    fn new(
        config: &OniStreamConfig,
        message_type: &str,
        stream: &str,
        frame: &str,
    ) -> Result<Self, KeyError> {
        Ok(Self {
            key: Key::new(&config.fleet, &config.agent, message_type, stream)?,
            sequence: Sequence::new(config.agent.clone(), config.epoch),
            frame: FrameName::new(frame).ok(),
        })
    }

    fn message<'b>(
        &mut self,
        content: &impl TypedMessage<'b>,
        capture: Capture,
    ) -> Result<Message<'static>, InvalidMessage> {
        let mut envelope = Envelope::new(self.sequence.next_source(), capture);
        envelope.frame.clone_from(&self.frame);
        content.to_message(envelope)
    }
}

impl<'a> OniStream<'a> {
    /// The messages of an episode.
    ///
    /// # Errors
    /// [`KeyError`] when the names make no key.
    pub fn new(episode: &'a Episode, config: OniStreamConfig) -> Result<Self, KeyError> {
        let odometry = episode.odometry.iter().enumerate();
        let scans = episode.scans.iter().enumerate();
        let mut order: Vec<(Stamp, Sensed)> = odometry
            .map(|(idx, sample)| (sample.stamp, Sensed::Odometry(idx)))
            .chain(scans.map(|(idx, scan)| (scan.stamp, Sensed::Scan(idx))))
            .filter(|(stamp, _)| config.start.is_none_or(|start| *stamp >= start))
            .collect();
        order.sort_unstable();
        Ok(Self {
            episode,
            first: order.first().map_or(Stamp::ZERO, |(stamp, _)| *stamp),
            order: order.into_iter(),
            lidar: Channel::new(&config, Lidar::NAME, "front", "scanner")?,
            odometry: Channel::new(&config, Odometry::NAME, "wheels", "odometry")?,
            command: Channel::new(&config, Command::NAME, "base", "base")?,
            config,
            waiting: None,
            refused: 0,
        })
    }

    /// The keys that it publishes under: scans, odometry, and plans where there are any.
    pub fn keys(&self) -> Vec<Key> {
        let plans = self.config.plan_horizon.map(|_| self.command.key.clone());
        [self.lidar.key.clone(), self.odometry.key.clone()]
            .into_iter()
            .chain(plans)
            .collect()
    }

    /// How many messages were left out so far because the episode holds what no message may, such
    /// as NaN. None for episodes from this crate's readers.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    fn capture(&self, stamp: Stamp) -> Capture {
        let nanos = stamp.nanos().saturating_add(self.config.stamp_offset_nanos);
        Capture::exact(Stamp::from_nanos(nanos), self.config.clock.clone())
    }

    fn scan_message(&mut self, scan: &EpisodeScan) -> Result<Message<'static>, InvalidMessage> {
        let lidar = Lidar {
            first_angle_rad: scan.scan.geometry.first_angle_rad,
            step_rad: scan.scan.geometry.step_rad,
            ranges_m: scan.scan.ranges_m.as_ref().into(),
        };
        let capture = self.capture(scan.stamp);
        self.lidar.message(&lidar, capture)
    }

    fn odometry_message(&mut self, idx: usize) -> Result<Message<'static>, InvalidMessage> {
        let sample = self.episode.odometry[idx];
        let before = idx.checked_sub(1).map(|idx| self.episode.odometry[idx]);
        let odometry = Odometry {
            odometry_from_base: sample.odometry_from_base,
            twist: before.map_or(Twist2::default(), |before| twist_between(before, sample)),
        };
        let capture = self.capture(sample.stamp);
        self.odometry.message(&odometry, capture)
    }

    /// The plan before a scan, if plans are wanted and the odometry goes on after it.
    fn plan_message(
        &mut self,
        scan_stamp: Stamp,
    ) -> Option<Result<Message<'static>, InvalidMessage>> {
        let horizon = self.config.plan_horizon?;
        let samples = &self.episode.odometry;
        let n_before = samples.partition_point(|sample| sample.stamp <= scan_stamp);
        let begin = samples.get(n_before.saturating_sub(1))?.stamp;
        let actions = self.episode.actions_after(scan_stamp, horizon).actions;
        let steps: Vec<CommandStep> = actions
            .into_iter()
            .map(|action| CommandStep {
                duration: action.duration,
                twist: action.twist,
            })
            .collect();
        let capture = self.capture(begin);
        (!steps.is_empty()).then(|| self.command.message(&Command { steps }, capture))
    }

    /// The item of a message, unless there can be none.
    fn item(
        &mut self,
        stamp: Stamp,
        key: Key,
        message: Result<Message<'static>, InvalidMessage>,
    ) -> Option<OniItem> {
        match message {
            Ok(message) => Some(OniItem {
                due: stamp.saturating_since(self.first),
                key,
                message,
            }),
            Err(error) => {
                self.refused += 1;
                tracing::warn!(key = key.as_str(), "left out of the stream: {error}");
                None
            }
        }
    }
}

fn twist_between(before: OdometrySample, after: OdometrySample) -> Twist2 {
    let secs = after.stamp.secs_since(before.stamp);
    let increment = before.odometry_from_base.between(after.odometry_from_base);
    if secs > 0.0 {
        increment.log().scaled(1.0 / secs)
    } else {
        Twist2::default()
    }
}

impl Iterator for OniStream<'_> {
    type Item = OniItem;

    fn next(&mut self) -> Option<OniItem> {
        if let Some(item) = self.waiting.take() {
            return Some(item);
        }
        loop {
            let (stamp, sensed) = self.order.next()?;
            let item = match sensed {
                Sensed::Odometry(idx) => {
                    let message = self.odometry_message(idx);
                    self.item(stamp, self.odometry.key.clone(), message)
                }
                Sensed::Scan(idx) => {
                    let plan = self.plan_message(stamp);
                    let plan =
                        plan.and_then(|plan| self.item(stamp, self.command.key.clone(), plan));
                    let episode = self.episode;
                    let scan = self.scan_message(&episode.scans[idx]);
                    let scan = self.item(stamp, self.lidar.key.clone(), scan);
                    match plan {
                        Some(plan) => {
                            self.waiting = scan;
                            Some(plan)
                        }
                        None => scan,
                    }
                }
            };
            if item.is_some() {
                return item;
            }
        }
    }
}

#[cfg(test)]
mod tests;
