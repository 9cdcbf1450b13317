//! The player: a recording goes out as if a robot were driving.

mod credit;

use std::iter::Fuse;
use std::time::Duration;

use sedge_oni::{
    EncodedMessage, Forecast, HealthState, Key, KeyError, KeyPattern, Lidar, Message,
    TypedMessage as _,
};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{
    DropLedger, Inbox, LossLedger, NextTick, Node, Outbox, Outgoing, PutOutcome, Qos, QosClass,
};
use serde::{Deserialize, Serialize};

use crate::announcer::{Announcer, Condition, Speaking};
use crate::put_time::{note_end, note_put};
use crate::registry::ServeError;
use crate::{Driven, Links, Lossless};
use credit::Credit;

/// Answers that may wait to be read.
const ANSWERS_DEPTH: usize = 64;
/// A tick puts at most this many messages, so that a driver sends and looks around between.
const PUTS_MAX: usize = 32;
/// Room in the outbox for what the player says of itself.
const OWN_PUTS: usize = 2;
/// Last chunk of the keys under which it does; the agent of the same name has another.
const STREAM: &str = "player";

/// One message of a recording.
#[derive(Debug, Clone)]
pub struct PlayItem {
    /// When it is due, in sensor time since the first item. An item that is due before the one
    /// before it goes out right after it: the order of items is kept.
    pub due: Duration,
    /// Under which key.
    pub key: Key,
    /// What; whoever made the item has given it its source with epoch and sequence number.
    pub message: Message<'static>,
}

/// How fast a recording goes out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As it was recorded, or faster; never shedding by itself what the listener misses.
    SensorTime {
        /// 1 for as recorded, 2 for twice as fast. Above zero.
        speed: f64,
    },
    /// As fast as the listener keeps up: a scan goes out when few enough scans before it lack
    /// their `model.prediction`; what lies between two scans goes out with the first.
    Credit {
        /// Scans without an answer at most, at least 1.
        in_flight_max: usize,
        /// How long an answer is waited for; then the scans in flight count as unanswered and the
        /// next goes out, so a listener that died costs this much a scan.
        answer_wait_max: Duration,
    },
}

/// What happens when no listener comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutListener {
    /// The recording goes out all the same; the network drops what nobody listens to.
    Play,
    /// Nothing goes out.
    Refuse,
}

/// How a recording is played.
#[derive(Debug, Clone, PartialEq)]
pub struct PlayerConfig {
    /// How fast.
    pub pace: Pace,
    /// How long it waits for a listener on every key before it begins. Default 10 s.
    pub listener_wait_max: Duration,
    /// What happens when none comes. Default refuse: an empty run is an error that looks like one.
    pub without_listener: WithoutListener,
    /// Which clock it runs on ([`crate::SystemClock::domain`]); receivers on the same clock can
    /// tell how long a message was on its way. Default none.
    pub clock_domain: Option<String>,
    /// How far that clock may be off, either way; see [`crate::SharedClock`]. Default 0.
    pub clock_error: Duration,
    /// Asks the transport to drop nothing; the listener must ask too. Default no.
    pub lossless: Lossless,
    /// New and larger at each start; see [`crate::new_epoch`]. It is of what the player says of
    /// itself; the items have their own. Default 0.
    pub epoch: u64,
}

impl PlayerConfig {
    /// At this pace, everything else by default.
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            listener_wait_max: Duration::from_secs(10),
            without_listener: WithoutListener::Refuse,
            clock_domain: None,
            clock_error: Duration::ZERO,
            lossless: Lossless::No,
            epoch: 0,
        }
    }
}

/// Why a recording cannot be played.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlayerError {
    /// The speed is none.
    #[error("expected a finite speed above zero, got {got}")]
    Speed {
        /// What came.
        got: f64,
    },
    /// No scan could ever go out.
    #[error("expected at least 1 scan in flight, got 0")]
    NoCredit,
    /// The names make no key.
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// How far a player is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlayState {
    /// It waits for a listener.
    Waiting,
    /// It plays.
    Playing,
    /// Everything went out, the end of the stream included.
    Played,
    /// No listener came, and nothing went out.
    Refused,
}

/// What a player did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlayReport {
    /// How far it is.
    pub state: PlayState,
    /// Messages that the network took; the end of the stream is not counted.
    pub put: u64,
    /// Messages that the network had no room for.
    pub shed: u64,
    /// Messages that could not be encoded.
    pub refused: u64,
    /// Scans among those put out.
    pub scans: u64,
    /// Scans whose prediction came back before it had played.
    pub answered: u64,
    /// Scans whose prediction was waited for in vain; only when played by credit.
    pub unanswered: u64,
    /// The longest time by which a message went out after it was due; only in sensor time.
    pub late_max: Duration,
    /// How long it played.
    pub elapsed: Duration,
}

/// Puts the items of a recording at their times. Sans-I/O: see [`Node`].
///
/// It begins when every key has a listener, or after a bounded wait as configured. After the last
/// item it sends the end of the stream: the last item once more, with the next sequence number, a
/// lifespan of 1 ns, so that nobody uses it as a measurement, and the stage `end-of-stream` in its
/// ledger. A listener that goes away in between is not waited for in sensor time (it can tell from
/// the sequence numbers what it missed); by credit each scan waits for its answer, but not for
/// ever.
pub struct Player<I> {
    config: PlayerConfig,
    answers: KeyPattern,
    announcer: Announcer,
    /// What was dropped by this side of the network, as it last said.
    drops: DropLedger,
    items: Fuse<I>,
    /// Taken from `items`, not yet put.
    next: Option<PlayItem>,
    last: Option<(Key, Message<'static>)>,
    credit: Credit,
    listened: bool,
    /// Whether every item went out, in an earlier tick.
    drained: bool,
    created: Option<Stamp>,
    began: Option<Stamp>,
    report: PlayReport,
}

impl<I: Iterator<Item = PlayItem>> Player<I> {
    /// A player of `items` under `keys`, in the name of `robot` of `fleet`, whose predictions it
    /// takes for answers.
    ///
    /// # Errors
    /// [`PlayerError`] for a pace at which nothing would go out.
    pub fn new(
        config: PlayerConfig,
        (fleet, robot): (&AgentName, &AgentName),
        keys: Vec<Key>,
        items: I,
    ) -> Result<Self, PlayerError> {
        match config.pace {
            Pace::SensorTime { speed } if !(speed.is_finite() && speed > 0.0) => {
                return Err(PlayerError::Speed { got: speed });
            }
            Pace::Credit {
                in_flight_max: 0, ..
            } => return Err(PlayerError::NoCredit),
            Pace::SensorTime { .. } | Pace::Credit { .. } => {}
        }
        let answers = KeyPattern::parse(&format!("oni/{fleet}/{robot}/{}/**", Forecast::NAME))?;
        let qos = |key: &Key| Qos::of(QosClass::of_message_type(key.message_type()));
        let publication = |key: Key| {
            let qos = config.lossless.apply(qos(&key));
            (key, qos)
        };
        let speaking = Speaking {
            fleet: fleet.clone(),
            robot: robot.clone(),
            stream: STREAM.into(),
            epoch: config.epoch,
            clock: config.clock_domain.clone(),
            clock_error: config.clock_error,
        };
        let announcer = Announcer::new(
            speaking,
            vec![(answers.clone(), answers_qos())],
            keys.into_iter().map(publication).collect(),
        )?;
        Ok(Self {
            credit: Credit::new(config.pace),
            config,
            answers,
            announcer,
            drops: DropLedger::new(),
            items: items.fuse(),
            next: None,
            last: None,
            listened: false,
            drained: false,
            created: None,
            began: None,
            report: PlayReport {
                state: PlayState::Waiting,
                put: 0,
                shed: 0,
                refused: 0,
                scans: 0,
                answered: 0,
                unanswered: 0,
                late_max: Duration::ZERO,
                elapsed: Duration::ZERO,
            },
        })
    }

    /// What it listens to: the answers.
    pub fn subscriptions(&self) -> Vec<(KeyPattern, Qos)> {
        vec![(self.answers.clone(), answers_qos())]
    }

    /// What it publishes under.
    pub fn publications(&self) -> Vec<(Key, Qos)> {
        self.announcer.publications()
    }

    /// The schemas that it answers for from `now` on, and under which keys.
    ///
    /// # Errors
    /// [`ServeError`] where the names or the clock make no header.
    pub fn services(&self, now: Stamp) -> Result<Vec<(Key, EncodedMessage)>, ServeError> {
        self.announcer.services(now)
    }

    /// What it did so far.
    pub fn report(&self) -> PlayReport {
        PlayReport {
            unanswered: self.credit.unanswered(),
            ..self.report
        }
    }

    fn wait_or_play(&mut self, now: Stamp, outbox: &mut Outbox) -> NextTick {
        if self.report.state == PlayState::Waiting {
            if let Some(next) = self.wait_for_listener(now) {
                return next;
            }
            self.report.state = PlayState::Playing;
        }
        self.play(now, outbox)
    }

    /// Says what is due of the manifest and of how it is, and a last word at the end.
    fn announce(&mut self, now: Stamp, next: NextTick, outbox: &mut Outbox) {
        let (state, detail) = match self.report.state {
            PlayState::Waiting => (HealthState::Starting, "waits for a listener"),
            PlayState::Playing => (HealthState::Running, ""),
            PlayState::Played => (HealthState::Stopped, "everything was played"),
            PlayState::Refused => (HealthState::Stopped, "no listener came"),
        };
        let condition = Condition {
            state,
            detail: detail.into(),
            loss: &LossLedger::new(),
            drops: &self.drops,
        };
        if next != NextTick::Finished && !self.announcer.is_due(now) {
            return;
        }
        if self.announcer.announce(now, &condition, outbox).is_err() {
            self.report.refused += 1;
        }
    }

    fn play(&mut self, now: Stamp, outbox: &mut Outbox) -> NextTick {
        let began = *self.began.get_or_insert(now);
        self.report.elapsed = now.saturating_since(began);
        for _ in 0..PUTS_MAX.min(outbox.room().saturating_sub(OWN_PUTS)) {
            let Some(item) = self.next.take().or_else(|| self.items.next()) else {
                return self.end(now, outbox);
            };
            let is_scan = item.key.message_type() == Lidar::NAME;
            let at = self.config.pace.time_of(began, item.due);
            let allowed = if is_scan {
                self.credit.scan_allowed_at(now)
            } else {
                None
            };
            if let Some(at) = at.max(allowed).filter(|at| *at > now) {
                self.next = Some(item);
                return NextTick::At(at);
            }
            let late = at.map_or(Duration::ZERO, |at| now.saturating_since(at));
            self.report.late_max = self.report.late_max.max(late);
            if is_scan {
                self.report.scans += 1;
                self.credit.sent(item.message.envelope().capture.stamp, now);
            }
            self.put(now, item, outbox);
        }
        NextTick::At(now)
    }

    fn put(&mut self, now: Stamp, item: PlayItem, outbox: &mut Outbox) {
        let PlayItem {
            key, mut message, ..
        } = item;
        self.last = Some((key.clone(), message.clone()));
        if let Some(domain) = &self.config.clock_domain {
            note_put(message.envelope_mut(), domain, now);
        }
        let encoded = message.encode().ok();
        if encoded
            .and_then(|message| outbox.put(key, message).ok())
            .is_none()
        {
            self.report.refused += 1;
        }
    }

    /// Waits for the answers on their way, then says that the stream has ended.
    fn end(&mut self, now: Stamp, outbox: &mut Outbox) -> NextTick {
        if let Some(at) = self.credit.settled_at(now).filter(|at| *at > now) {
            return NextTick::At(at);
        }
        if !std::mem::replace(&mut self.drained, true) {
            // The end goes out in a tick of its own, so that it is not counted as a message.
            return NextTick::At(now);
        }
        self.report.state = PlayState::Played;
        if let Some((key, mut message)) = self.last.take() {
            let envelope = message.envelope_mut();
            envelope.source.sequence = envelope.source.sequence.wrapping_add(1);
            note_end(envelope);
            let encoded = message.encode().ok();
            if encoded
                .and_then(|message| outbox.put(key, message).ok())
                .is_none()
            {
                self.report.refused += 1;
            }
        }
        NextTick::Finished
    }

    fn wait_for_listener(&mut self, now: Stamp) -> Option<NextTick> {
        if self.listened {
            return None;
        }
        let deadline = *self.created.get_or_insert(now) + self.config.listener_wait_max;
        if now < deadline {
            return Some(NextTick::At(deadline));
        }
        match self.config.without_listener {
            WithoutListener::Play => None,
            WithoutListener::Refuse => {
                self.report.state = PlayState::Refused;
                Some(NextTick::Finished)
            }
        }
    }
}

fn answers_qos() -> Qos {
    Qos::of(QosClass::Belief)
        .with_depth(ANSWERS_DEPTH)
        .with_history(0)
}

impl Pace {
    /// When an item is due; nothing is, by credit.
    fn time_of(self, began: Stamp, due: Duration) -> Option<Stamp> {
        match self {
            Self::SensorTime { speed } => {
                let nanos = due.as_nanos() as f64 / speed;
                Some(began + Duration::from_nanos(nanos as u64))
            }
            Self::Credit { .. } => None,
        }
    }
}

impl<I: Iterator<Item = PlayItem>> Node for Player<I> {
    fn name(&self) -> &'static str {
        "player"
    }

    fn tick(&mut self, now: Stamp, inbox: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        while let Some(received) = inbox.pop() {
            if let Ok(message) = received.message.decode() {
                self.report.answered += self.credit.answered(message.envelope().capture.stamp);
            }
        }
        let next = self.wait_or_play(now, outbox);
        self.announce(now, next, outbox);
        match (next, self.announcer.next_due()) {
            (NextTick::At(next), Some(due)) => NextTick::At(next.min(due)),
            (next, _) => next,
        }
    }
}

impl<I: Iterator<Item = PlayItem>> Driven for Player<I> {
    fn on_links(&mut self, links: Links) {
        self.listened = links.publishers > 0 && links.listened == links.publishers;
    }

    fn on_drops(&mut self, drops: DropLedger) {
        self.drops = drops;
    }

    fn on_put(&mut self, outgoing: &Outgoing, outcome: PutOutcome) {
        match outcome {
            _ if self.report.state == PlayState::Played => {}
            _ if self.announcer.is_own(&outgoing.key) => {}
            PutOutcome::Sent => self.report.put += 1,
            PutOutcome::Shed | PutOutcome::Late | PutOutcome::Closed => self.report.shed += 1,
        }
    }
}

#[cfg(test)]
mod tests;
