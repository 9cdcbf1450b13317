//! Probes: messages there and back, and questions, with nothing else to do than to be timed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{Builder, scope};
use std::time::Duration;

use sedge_latency::{Stage, StageLedger};
use sedge_oni::{
    Capture, EncodedMessage, Envelope, Header, HeaderError, InvalidMessage, Key, KeyPattern, Lidar,
    Sequence, TypedMessage as _,
};
use sedge_spacetime::{AgentName, Clock};
use sedge_transport::{
    Network, NetworkError, Publisher, PutOutcome, Qos, QosClass, Signal, Subscriber,
};

use crate::Shutdown;
use crate::latency_run::SpanRow;

/// Under which keys probes speak: fleet, and the two ends.
const FLEET: &str = "probe";
const NEAR: &str = "near";
const FAR: &str = "far";
/// Probes that are not counted: caches and paths are cold.
const N_WARM: u64 = 50;
/// How long one answer is waited for; later ones count as none.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);
/// How long the two ends may take to find each other.
const MEETING_WAIT_MAX: Duration = Duration::from_secs(10);
/// While the two ends look for each other, a message may be lost without a word: the next is tried
/// soon.
const MEETING_STEP: Duration = Duration::from_millis(20);
/// After so many answers in a row that did not come there is nobody.
const UNANSWERED_MAX: u64 = 5;

/// What is sent to and fro.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ping {
    /// Ranges in the scan that is sent: four bytes each.
    pub n_values: usize,
    /// How many times it goes there and back, one after the other.
    pub n: u64,
}

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The network is closed or refuses.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What is sent is no message.
    #[error(transparent)]
    Content(#[from] InvalidMessage),
    /// Nor has it a header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The ends do not find each other.
    #[error("expected both ends of a probe to meet within {MEETING_WAIT_MAX:?}, they did not")]
    Alone,
    /// The system has no thread to give.
    #[error("cannot start a probe's other end: {0}")]
    Thread(#[from] std::io::Error),
}

/// Sends scans from `near` to `far`, which sends each back as it is, and measures from the put to
/// the answer in the hands of the thread that waits: two ways through the network and two threads
/// woken. Encoding is not in it.
///
/// # Errors
/// [`ProbeError`] where the two ends do not meet.
pub fn ping(
    near: &dyn Network,
    far: &dyn Network,
    asked: Ping,
    clock: &dyn Clock,
    shutdown: &Shutdown,
) -> Result<SpanRow, ProbeError> {
    let (there, back) = (key(NEAR), key(FAR));
    let qos = Qos::of(QosClass::State);
    let (far_signal, has_ended) = (Signal::new(), AtomicBool::new(false));
    let echo = Echo {
        pings: far.subscriber(&pattern(&there), qos, far_signal.wake())?,
        pongs: far.publisher(&back, qos, far_signal.wake())?,
        signal: far_signal.clone(),
    };
    let signal = Signal::new();
    let mut pinger = Pinger {
        pings: near.publisher(&there, qos, signal.wake())?,
        pongs: near.subscriber(&pattern(&back), qos, signal.wake())?,
        signal,
        clock,
        shutdown,
    };
    scope(|scope| {
        let ended = &has_ended;
        let thread = Builder::new().name("probe-echo".to_owned());
        let echo = thread.spawn_scoped(scope, move || echo.run(ended))?;
        let pinged = pinger.run(asked);
        has_ended.store(true, Ordering::Release);
        far_signal.wake()();
        if let Err(panic) = echo.join() {
            std::panic::resume_unwind(panic);
        }
        pinged
    })
}

/// The end that answers.
struct Echo {
    pings: Box<dyn Subscriber>,
    pongs: Box<dyn Publisher>,
    signal: Signal,
}

impl Echo {
    fn run(mut self, has_ended: &AtomicBool) {
        while !has_ended.load(Ordering::Acquire) {
            while let Some(received) = self.pings.try_next() {
                // What is not sent is missed at the other end.
                let _outcome = self.pongs.put(&received.message);
            }
            self.signal.wait(ANSWER_WAIT_MAX);
        }
    }
}

/// The end that asks.
struct Pinger<'p> {
    pings: Box<dyn Publisher>,
    pongs: Box<dyn Subscriber>,
    signal: Signal,
    clock: &'p dyn Clock,
    shutdown: &'p Shutdown,
}

impl Pinger<'_> {
    fn run(&mut self, asked: Ping) -> Result<SpanRow, ProbeError> {
        let _guard = self.shutdown.wakes(self.signal.wake());
        self.meet(asked.n_values)?;
        let mut figures = ProbeFigures::new();
        for idx in 0..N_WARM + asked.n {
            if self.shutdown.is_requested() || figures.is_nobody_there() {
                break;
            }
            let sequence = idx + 1;
            let message = scan(asked.n_values, sequence)?;
            let span = self.once(&message, sequence, ANSWER_WAIT_MAX);
            if idx >= N_WARM || span.is_none() {
                figures.add(span);
            }
        }
        let bytes = asked.n_values * size_of::<f32>();
        Ok(figures.row("loopback", &format!("there and back, {bytes} B")))
    }

    /// Sends until an answer comes: whoever subscribes is heard of later than whoever is there.
    fn meet(&mut self, n_values: usize) -> Result<(), ProbeError> {
        let give_up = self.clock.now() + MEETING_WAIT_MAX;
        let first = scan(n_values, 0)?;
        while self.clock.now() < give_up && !self.shutdown.is_requested() {
            if self.once(&first, 0, MEETING_STEP).is_some() {
                return Ok(());
            }
        }
        Err(ProbeError::Alone)
    }

    /// One way there and back; none where no answer came in time.
    fn once(
        &mut self,
        message: &EncodedMessage,
        sequence: u64,
        wait_max: Duration,
    ) -> Option<Duration> {
        let began = self.clock.now();
        let give_up = began + wait_max;
        if self.pings.put(message) != PutOutcome::Sent {
            return None;
        }
        loop {
            while let Some(received) = self.pongs.try_next() {
                let now = self.clock.now();
                // An answer to an earlier one, which was given up, is none to this one.
                if sequence_of(&received.message) == Some(sequence) {
                    return Some(now.saturating_since(began));
                }
            }
            let left = give_up.saturating_since(self.clock.now());
            if left.is_zero() || self.shutdown.is_requested() {
                return None;
            }
            self.signal.wait(left);
        }
    }
}

/// Asks for what is served under `key`, again and again, and measures from the question to the
/// first answer in the hands of the thread that waits: the network both ways and whoever serves,
/// which is a session of the network and not an agent's loop.
///
/// # Errors
/// [`ProbeError`] where the network is closed.
pub fn ask(
    network: &dyn Network,
    key: &Key,
    n: u64,
    clock: &dyn Clock,
    shutdown: &Shutdown,
) -> Result<SpanRow, ProbeError> {
    let (pattern, signal) = (pattern(key), Signal::new());
    let _guard = shutdown.wakes(signal.wake());
    let mut figures = ProbeFigures::new();
    for _ in 0..n {
        if shutdown.is_requested() || figures.is_nobody_there() {
            break;
        }
        let began = clock.now();
        let mut replies = network.query(&pattern, ANSWER_WAIT_MAX, signal.wake())?;
        let span = loop {
            if replies.try_next().is_some() {
                break Some(clock.now().saturating_since(began));
            }
            let left = (began + ANSWER_WAIT_MAX).saturating_since(clock.now());
            if replies.is_finished() || left.is_zero() || shutdown.is_requested() {
                break None;
            }
            signal.wait(left);
        };
        figures.add(span);
    }
    let whose = format!("{}/{}", key.fleet(), key.agent());
    Ok(figures.row(&whose, "question and answer"))
}

/// What probes took.
struct ProbeFigures {
    ledger: StageLedger,
    stage: Stage,
    unanswered: u64,
    unanswered_in_a_row: u64,
}

impl ProbeFigures {
    fn new() -> Self {
        Self {
            ledger: StageLedger::default(),
            stage: Stage::new("probe").expect("a constant that is a stage's name"),
            unanswered: 0,
            unanswered_in_a_row: 0,
        }
    }

    fn add(&mut self, span: Option<Duration>) {
        let Some(span) = span else {
            self.unanswered += 1;
            self.unanswered_in_a_row += 1;
            return;
        };
        self.unanswered_in_a_row = 0;
        let recorded = self.ledger.record(&self.stage, span);
        debug_assert!(recorded.is_ok(), "one stage always has room: {recorded:?}");
    }

    fn is_nobody_there(&self) -> bool {
        self.unanswered_in_a_row >= UNANSWERED_MAX
    }

    fn row(&self, whose: &str, what: &str) -> SpanRow {
        let report = self.ledger.report();
        let row = report.row(&self.stage);
        let figures = row.map(|row| SpanRow::of_row(whose, what, row));
        SpanRow {
            missed: self.unanswered,
            ..figures.unwrap_or_else(|| SpanRow::without_figures(whose, what))
        }
    }
}

fn key(end: &str) -> Key {
    Key::parse(&format!("oni/{FLEET}/{end}/{}/main", Lidar::NAME))
        .expect("a constant that is a key")
}

fn pattern(key: &Key) -> KeyPattern {
    KeyPattern::parse(key.as_str()).expect("a key is a pattern of itself")
}

fn scan(n_values: usize, sequence: u64) -> Result<EncodedMessage, ProbeError> {
    let name = AgentName::new(NEAR).expect("a constant that is a name");
    let mut source = Sequence::new(name, 1).next_source();
    source.sequence = sequence;
    let stamp = sedge_spacetime::Stamp::ZERO;
    let envelope = Envelope::new(source, Capture::exact(stamp, FLEET));
    let lidar = Lidar {
        first_angle_rad: 0.0,
        step_rad: 0.01,
        ranges_m: vec![1.0; n_values].into(),
    };
    Ok(lidar.to_message(envelope)?.encode()?)
}

fn sequence_of(message: &EncodedMessage) -> Option<u64> {
    let header = Header::decode(message.header()).ok()?;
    Some(header.envelope.source.sequence)
}

#[cfg(test)]
mod tests;
