//! Stops the robot when the loop that drives it stalls: a thread of its own, with publishers of its
//! own.

mod pulse;
mod watch;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;

use sedge_oni::{
    Capture, Command, CommandStep, EncodedMessage, Envelope, Key, KeyError, Sequence, Severity,
    Stop, TypedMessage,
};
use sedge_spacetime::{AgentName, Clock, FrameName, Stamp, Twist2};
use sedge_transport::{Network, NetworkError, Publisher, PutOutcome, Qos, QosClass, no_wake};

use crate::{AskedRow, FifoPriority, Shutdown, ThreadsConfig, prepare_thread, spawn_named};
pub use pulse::Pulse;
use watch::{Alarm, Watch};

/// The last chunk of the keys that it speaks under: not the agent's own, whose numbers it does not
/// know.
const STREAM: &str = "watchdog";

/// Whom a watchdog stops, and when.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchdogConfig {
    /// Chunk 2 of its keys.
    pub fleet: AgentName,
    /// The robot, in whose name it speaks.
    pub robot: AgentName,
    /// New and larger at each start; see [`crate::new_epoch`].
    pub epoch: u64,
    /// Which clock its stamps are of; see [`crate::SystemClock::domain`].
    pub clock_domain: Option<String>,
    /// How far that clock may be off.
    pub clock_error: Duration,
    /// A tick that has not ended after this long has stalled.
    pub stall_max: Duration,
    /// How long one of its commands to stand still may be executed.
    pub lifespan: Duration,
    /// Its thread's real-time priority: above its loop's, or a loop that never waits would keep it
    /// from looking. Tried and read back, never assumed.
    pub priority: Option<FifoPriority>,
}

/// Why there is no watchdog.
#[derive(Debug, thiserror::Error)]
pub enum WatchdogError {
    /// Its keys are none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The network has no publishers for it.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The operating system has no thread for it.
    #[error("cannot start the watchdog's thread: {0}")]
    Thread(#[from] io::Error),
}

/// What a watchdog did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WatchdogReport {
    /// Stalls, each of which was a safe stop.
    pub n_stalls: u64,
    /// The longest stall, in nanoseconds, from the beginning of its tick to its end.
    pub longest_nanos: u64,
    /// Commands to stand still, those that were not sent left out.
    pub n_commands: u64,
    /// Messages that the network did not take.
    pub n_unsent: u64,
}

#[derive(Debug, Default)]
struct Counts {
    n_commands: AtomicU64,
    n_stalls: AtomicU64,
    longest_nanos: AtomicU64,
    n_unsent: AtomicU64,
}

impl Counts {
    /// Counts a command, of which so many were not sent: one or none.
    fn commanded(&self, n_unsent: u64) -> u64 {
        self.n_commands.fetch_add(1 - n_unsent, Ordering::Relaxed);
        n_unsent
    }
}

/// A thread that looks at a loop's [`Pulse`] and, when a tick has not ended within its bound, sends
/// a command to stand still and a stop order; again and again until the tick has ended, and then it
/// releases the order. Dropping it ends it.
///
/// The order is a *hold*: the agent hears it when it is back, and stands until it is released. What
/// the stalled tick still wants to command is not sent ([`Pulse`]), and would be older than the
/// watchdog's command anyway.
pub struct Watchdog {
    pulse: Pulse,
    counts: Arc<Counts>,
    shutdown: Shutdown,
    thread: Option<JoinHandle<()>>,
    granted: Vec<AskedRow>,
}

impl Watchdog {
    /// Begins to watch whoever runs with its [`Watchdog::pulse`].
    ///
    /// # Errors
    /// [`WatchdogError`] when the network or the operating system refuses.
    pub fn start(
        network: &dyn Network,
        clock: Arc<dyn Clock>,
        config: &WatchdogConfig,
    ) -> Result<Self, WatchdogError> {
        let (pulse, shutdown) = (Pulse::default(), Shutdown::new());
        let counts = Arc::new(Counts::default());
        let mut bark = Bark::new(network, config.clone())?;
        let (say, heard) = sync_channel(1);
        let asked = ThreadsConfig {
            priority: config.priority,
            ..ThreadsConfig::default()
        };
        let work = {
            let (pulse, shutdown) = (pulse.clone(), shutdown.clone());
            let counts = Arc::clone(&counts);
            let mut watch = Watch::new(config.stall_max);
            move || {
                // Nobody listens any more only if whoever starts it is gone.
                drop(say.send(prepare_thread(&asked)));
                let _guard = shutdown.wakes(pulse.waker());
                while !shutdown.is_requested() {
                    let now = clock.now();
                    let alarm = watch.look(now, &pulse);
                    act(alarm, now, &mut bark, &counts);
                    pulse.wait(watch.next_look(clock.now(), &pulse));
                }
            }
        };
        let thread = spawn_named("watchdog", work)?;
        let granted = heard.recv().unwrap_or_default();
        Ok(Self {
            pulse,
            counts,
            shutdown,
            thread: Some(thread),
            granted: granted.into_iter().map(of_watchdog).collect(),
        })
    }

    /// What the watched loop must be given.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// What its thread asked of the operating system, and what came.
    pub fn granted(&self) -> &[AskedRow] {
        &self.granted
    }

    /// What it did so far.
    pub fn report(&self) -> WatchdogReport {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        WatchdogReport {
            n_stalls: of(&self.counts.n_stalls),
            longest_nanos: of(&self.counts.longest_nanos),
            n_commands: of(&self.counts.n_commands),
            n_unsent: of(&self.counts.n_unsent),
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shutdown.request();
        if let Some(thread) = self.thread.take() {
            // It ends by itself; if it panicked there is nothing left to end.
            drop(thread.join());
        }
    }
}

fn of_watchdog(row: AskedRow) -> AskedRow {
    let asked = format!("watchdog's {}", row.asked);
    AskedRow { asked, ..row }
}

fn act(alarm: Alarm, now: Stamp, bark: &mut Bark, counts: &Counts) {
    let n_unsent = match alarm {
        Alarm::None => 0,
        Alarm::Stalled { since } => {
            counts.n_stalls.fetch_add(1, Ordering::Relaxed);
            let stalled = now.saturating_since(since);
            tracing::error!("the loop has not ended a tick for {stalled:?}: the robot is stopped");
            let stood = counts.commanded(bark.stand(now));
            stood + bark.order(now, Severity::Hold)
        }
        Alarm::Still => counts.commanded(bark.stand(now)),
        Alarm::Over { since } => {
            let nanos = now.saturating_since(since).as_nanos();
            let nanos = u64::try_from(nanos).unwrap_or(u64::MAX);
            counts.longest_nanos.fetch_max(nanos, Ordering::Relaxed);
            tracing::warn!("the loop goes on after {} ms", nanos / 1_000_000);
            bark.order(now, Severity::Release)
        }
    };
    counts.n_unsent.fetch_add(n_unsent, Ordering::Relaxed);
}

/// What a watchdog says. Each method returns how many messages were not sent.
struct Bark {
    config: WatchdogConfig,
    command: (Box<dyn Publisher>, Sequence),
    stop: (Box<dyn Publisher>, Sequence),
}

impl Bark {
    fn new(network: &dyn Network, config: WatchdogConfig) -> Result<Self, WatchdogError> {
        let voice = |message_type: &str| {
            let key = Key::new(&config.fleet, &config.robot, message_type, STREAM)?;
            let qos = Qos::of(QosClass::of_message_type(message_type));
            let publisher = network.publisher(&key, qos, no_wake())?;
            let sequence = Sequence::new(config.robot.clone(), config.epoch);
            Ok::<_, WatchdogError>((publisher, sequence))
        };
        Ok(Self {
            command: voice(Command::NAME)?,
            stop: voice(Stop::NAME)?,
            config,
        })
    }

    /// Commands to stand still.
    fn stand(&mut self, now: Stamp) -> u64 {
        let lifespan = self.config.lifespan;
        let still = CommandStep {
            duration: lifespan,
            twist: Twist2::default(),
        };
        let envelope = |envelope: Envelope| Envelope {
            frame: Some(FrameName::new("base").expect("a constant that is a name")),
            deadline: Some(lifespan),
            lifespan: Some(lifespan),
            ..envelope
        };
        let steps = vec![still];
        put(
            &mut self.command,
            &self.config,
            now,
            (&Command { steps }, envelope),
        )
    }

    /// Orders the robot to hold, or lets it go on.
    fn order(&mut self, now: Stamp, severity: Severity) -> u64 {
        let reason = match severity {
            Severity::Release => "the agent goes on",
            _ => "the agent has not ended a tick in time",
        };
        let stop = Stop {
            agents: vec![self.config.robot.clone()],
            severity,
            reason: reason.into(),
        };
        put(
            &mut self.stop,
            &self.config,
            now,
            (&stop, |envelope| envelope),
        )
    }
}

/// Sends one message; 1 where it was not sent.
fn put<'a>(
    (publisher, sequence): &mut (Box<dyn Publisher>, Sequence),
    config: &WatchdogConfig,
    now: Stamp,
    (content, envelope): (&impl TypedMessage<'a>, impl FnOnce(Envelope) -> Envelope),
) -> u64 {
    let domain = config.clock_domain.clone();
    let capture = Capture {
        error: config.clock_error,
        ..Capture::exact(now, domain.unwrap_or_else(|| "agent".into()))
    };
    let envelope = envelope(Envelope::new(sequence.next_source(), capture));
    let encoded = content.to_message(envelope).ok();
    let encoded: Option<EncodedMessage> = encoded.and_then(|message| message.encode().ok());
    let sent = encoded.map(|message| publisher.put(&message));
    u64::from(sent != Some(PutOutcome::Sent))
}

#[cfg(test)]
mod tests;
