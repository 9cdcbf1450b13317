//! Two stacks to be set beside each other: ONI as this room carries it, and Zenoh as it is.
//!
//! Both have the same endpoints, payloads, classes of service and reading threads, so what is
//! between them is what ONI costs. Whoever measures has the clock and decides who is where and
//! when: here are only ends of streams. [`OniStack`] makes a header for every message, encodes,
//! decodes and checks it; [`RawStack`] sends the payload alone.

mod ours;
mod raw;

use std::time::Duration;

use sedge_oni::{DecodeError, HeaderError, KeyError, TensorError};
use sedge_spacetime::Clock;
use sedge_transport::{NetworkError, Signal};

use crate::ZenohError;

pub use ours::{OniStack, header_bytes};
pub use raw::{RawCallback, RawStack};

/// Longer than a message takes: after this it is lost, which no benchmark may hide.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// Room in shared memory for a tenth of a second of payloads, which is how long a piece is held.
const POOL_BYTES: usize = 512 << 20;
/// How long two ends may take to find each other, and how often they are looked for.
const MEETING_WAIT_MAX: Duration = Duration::from_secs(20);
const MEETING_STEP: Duration = Duration::from_millis(5);

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub enum RaceError {
    /// What Zenoh says where it is used as it is.
    #[error("raw Zenoh: {0}")]
    Raw(String),
    /// Our session does not open.
    #[error(transparent)]
    Open(#[from] ZenohError),
    /// Our session refuses a stream.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A stream's name is none.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// What is sent is no message.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Nor has it a header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// What came is no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A session that should listen does not.
    #[error("expected a session to listen somewhere, it listens nowhere")]
    Nowhere,
    /// An end was asked for what it has not.
    #[error("expected an end that {expected}, got one that does not")]
    OneWay {
        /// What it should do.
        expected: &'static str,
    },
    /// Our publisher did not take a message, though whoever sends here waits.
    #[error("expected a message to be sent, got {0}")]
    NotSent(&'static str),
    /// Nobody listens.
    #[error("expected somebody at the other end within {MEETING_WAIT_MAX:?}, found nobody")]
    Alone,
}

/// What lies between two processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// TCP on loopback.
    Tcp,
    /// Payloads in shared memory, a new piece for each message.
    SharedMemory,
}

/// What a stream is used for, which decides its class of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One message there, one back: class `State`, which drops and is express.
    RoundTrip,
    /// As fast as it goes: class `Log`, which batches, without loss.
    Throughput,
}

impl Purpose {
    /// In keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::Throughput => "throughput",
        }
    }

    /// How many messages wait for a reader.
    fn depth(self) -> usize {
        match self {
            Self::RoundTrip => 64,
            Self::Throughput => 1_024,
        }
    }
}

/// What an end sends and receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wire<'n> {
    /// Name of the stream that it sends, a chunk of a key; none where it only receives.
    pub sends: Option<&'n str>,
    /// Name of the stream that it receives; none where it only sends.
    pub receives: Option<&'n str>,
    /// Bytes of each payload.
    pub payload_bytes: usize,
    /// Its class of service.
    pub purpose: Purpose,
}

/// One end of streams.
pub trait End: Send {
    /// Sends a payload of the agreed size.
    ///
    /// # Errors
    /// [`RaceError`] where it cannot be sent at all; what is lost on the way is missed elsewhere.
    fn send(&mut self) -> Result<(), RaceError>;

    /// Waits for a message and reads its payload: its bytes, or `None` when none came in time.
    ///
    /// # Errors
    /// [`RaceError`] where what came is no message.
    fn receive(&mut self, patience: Duration) -> Result<Option<usize>, RaceError>;

    /// Whether somebody at the other end listens.
    fn is_heard(&self) -> bool;

    /// Of the payloads received, how many had to be copied to be read; `None` where unknown.
    fn n_copied(&self) -> Option<u64>;
}

/// A session of one of the two, of which ends are made.
pub trait Stack: Send {
    /// An end of its streams.
    ///
    /// # Errors
    /// [`RaceError`] where the session refuses.
    fn end(&self, wire: Wire<'_>) -> Result<Box<dyn End>, RaceError>;
}

/// Waits until somebody listens to what an end sends.
///
/// # Errors
/// [`RaceError::Alone`] where nobody comes.
pub fn meet(end: &dyn End, clock: &dyn Clock) -> Result<(), RaceError> {
    let give_up = clock.now() + MEETING_WAIT_MAX;
    let nothing = Signal::new();
    while !end.is_heard() {
        if clock.now() >= give_up {
            return Err(RaceError::Alone);
        }
        nothing.wait(MEETING_STEP);
    }
    Ok(())
}

/// Sends so many messages and waits for one answer of the same size; whether it came.
///
/// # Errors
/// What the end says.
pub fn ask(end: &mut dyn End, n: usize, payload_bytes: usize) -> Result<bool, RaceError> {
    for _ in 0..n {
        end.send()?;
    }
    Ok(end.receive(PATIENCE)? == Some(payload_bytes))
}

/// Answers every so many messages with one, until `has_ended` says so, which is asked at least
/// every [`PATIENCE`]; an end that sends nothing only receives. How many came.
///
/// # Errors
/// What the end says.
pub fn serve(
    end: &mut dyn End,
    n_per_answer: Option<usize>,
    has_ended: &dyn Fn() -> bool,
) -> Result<u64, RaceError> {
    let mut n_received = 0;
    while !has_ended() {
        if end.receive(PATIENCE)?.is_some() {
            n_received += 1;
            if n_per_answer.is_some_and(|n| n_received % (n as u64).max(1) == 0) {
                end.send()?;
            }
        }
    }
    Ok(n_received)
}

/// Reads one byte of each page, so that no stack gets away with never looking.
fn touch(payload: &[u8]) -> usize {
    let pages = payload.iter().step_by(4_096);
    let sum: usize = pages.map(|byte| usize::from(*byte)).sum();
    std::hint::black_box(sum);
    payload.len()
}

#[cfg(test)]
mod tests;
