//! Ours: every message gets a header of its own, is encoded, sent, received, decoded and read.

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{
    Capture, EncodedMessage, Envelope, Key, Message, MessageBuilder, PayloadOrigin, SchemaId,
    Sequence, Source,
};
use sedge_spacetime::{AgentName, Clock, Stamp};
use sedge_transport::{Network as _, Publisher, PutOutcome, Qos, QosClass, Signal, Subscriber};

use crate::race::{End, Link, POOL_BYTES, Purpose, RaceError, Stack, Wire, touch};
use crate::{SharedMemoryMode, ZenohConfig, ZenohNetwork};

/// Zenoh's own default for the end of a link that is silent, and of a dial that is not answered.
const PATIENT_MILLIS: u64 = 10_000;

/// A session of ours.
#[derive(Clone)]
pub struct OniStack {
    network: Arc<ZenohNetwork>,
    clock: Arc<dyn Clock>,
    link: Link,
}

impl OniStack {
    /// Opens a session that listens at a port of its own on this machine and dials `connect`, and
    /// says where it listens.
    ///
    /// # Errors
    /// [`RaceError`] where it does not open.
    pub fn open(
        link: Link,
        connect: &[String],
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, String), RaceError> {
        let mut config = ZenohConfig {
            listen: vec!["tcp/127.0.0.1:0".to_owned()],
            connect: connect.to_vec(),
            // As long as raw Zenoh waits: a benchmark loads a machine on purpose, and a session
            // that is opened anew in its middle would be measured as the network.
            lease_millis: PATIENT_MILLIS,
            open_millis_max: PATIENT_MILLIS,
            heartbeat_millis: PATIENT_MILLIS / 5,
            ..ZenohConfig::default()
        };
        if link == Link::SharedMemory {
            config.shared_memory.mode = SharedMemoryMode::On;
            config.shared_memory.pool_bytes = POOL_BYTES;
        }
        let network = Arc::new(ZenohNetwork::open(&config, Arc::clone(&clock))?);
        let locator = network.locators().into_iter().next();
        let stack = Self {
            network,
            clock,
            link,
        };
        Ok((stack, locator.ok_or(RaceError::Nowhere)?))
    }
}

fn key(name: &str, wire: &Wire<'_>) -> Result<Key, RaceError> {
    let (purpose, bytes) = (wire.purpose.name(), wire.payload_bytes);
    let text = format!("oni/bench/{name}/bench.{purpose}/{bytes}");
    Ok(Key::parse(&text)?)
}

fn message(payload_bytes: usize, source: Source) -> Result<Message<'static>, RaceError> {
    let schema = SchemaId {
        name: "bench.bytes".to_owned(),
        major: 1,
        minor: 0,
        hash: [7; 16],
    };
    let capture = Capture::exact(Stamp::ZERO, "bench");
    let builder = MessageBuilder::new(schema, Envelope::new(source, capture));
    let bytes = vec![7_u8; payload_bytes];
    Ok(builder.tensor("bytes", &[payload_bytes], &bytes)?.build())
}

fn counted_from(name: &str) -> Sequence {
    let agent = AgentName::new(name).expect("a chunk of a key that was parsed is a name");
    Sequence::new(agent, 1)
}

/// How many bytes of header go with a payload.
///
/// # Errors
/// [`RaceError`] where the payload is too long for a message.
pub fn header_bytes(payload_bytes: usize) -> Result<usize, RaceError> {
    let mut sequence = counted_from("out");
    let message = message(payload_bytes, sequence.next_source())?;
    Ok(message.encode()?.header().len())
}

struct Sending {
    publisher: Box<dyn Publisher>,
    sequence: Sequence,
    /// The payload is written once, as on the raw side; the header is new each time.
    message: Message<'static>,
    clock: Arc<dyn Clock>,
    /// Where a new piece of shared memory comes from.
    pool: Option<Arc<ZenohNetwork>>,
}

struct OniEnd {
    sending: Option<Sending>,
    receiving: Option<Box<dyn Subscriber>>,
    came: Signal,
    n_copied: u64,
}

impl Stack for OniStack {
    fn end(&self, wire: Wire<'_>) -> Result<Box<dyn End>, RaceError> {
        let qos = match wire.purpose {
            Purpose::RoundTrip => Qos::of(QosClass::State),
            Purpose::Throughput => Qos::of(QosClass::Log).lossless(),
        };
        let qos = qos.with_depth(wire.purpose.depth());
        let came = Signal::new();
        let receiving = match wire.receives {
            Some(name) => {
                let pattern = (&key(name, &wire)?).into();
                Some(self.network.subscriber(&pattern, qos, came.wake())?)
            }
            None => None,
        };
        let sending = match wire.sends {
            Some(name) => {
                let key = key(name, &wire)?;
                let publisher = self
                    .network
                    .publisher(&key, qos, sedge_transport::no_wake())?;
                let mut sequence = counted_from(name);
                let message = message(wire.payload_bytes, sequence.next_source())?;
                let is_shared = self.link == Link::SharedMemory;
                Some(Sending {
                    publisher,
                    sequence,
                    message,
                    clock: Arc::clone(&self.clock),
                    pool: is_shared.then(|| Arc::clone(&self.network)),
                })
            }
            None => None,
        };
        Ok(Box::new(OniEnd {
            sending,
            receiving,
            came,
            n_copied: 0,
        }))
    }
}

impl Sending {
    fn next_message(&mut self) -> Result<EncodedMessage, RaceError> {
        let envelope = self.message.envelope_mut();
        envelope.source = self.sequence.next_source();
        envelope.capture.stamp = self.clock.now();
        let encoded = self.message.encode()?;
        let Some(pool) = &self.pool else {
            return Ok(encoded);
        };
        loop {
            match pool.shared_payload(self.message.payload().len(), |_| ()) {
                Some(piece) => return Ok(EncodedMessage::from_buffer(encoded.header(), piece)),
                // Readers still hold every piece.
                None => std::thread::yield_now(),
            }
        }
    }
}

impl End for OniEnd {
    fn send(&mut self) -> Result<(), RaceError> {
        let expected = "sends";
        let sending = self.sending.as_mut();
        let sending = sending.ok_or(RaceError::OneWay { expected })?;
        let message = sending.next_message()?;
        loop {
            match sending.publisher.put(&message) {
                PutOutcome::Sent => return Ok(()),
                PutOutcome::Shed => std::thread::yield_now(),
                PutOutcome::Late => return Err(RaceError::NotSent("a message that was late")),
                PutOutcome::Closed => return Err(RaceError::NotSent("a closed network")),
            }
        }
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<usize>, RaceError> {
        let expected = "receives";
        let receiving = self.receiving.as_mut();
        let receiving = receiving.ok_or(RaceError::OneWay { expected })?;
        loop {
            if let Some(received) = receiving.try_next() {
                let message = received.message.decode()?;
                self.n_copied += u64::from(message.origin() != PayloadOrigin::InPlace);
                return Ok(Some(touch(message.payload())));
            }
            if !self.came.wait(patience) {
                return Ok(None);
            }
        }
    }

    fn is_heard(&self) -> bool {
        let sending = self.sending.as_ref();
        sending.is_some_and(|sending| sending.publisher.has_subscribers())
    }

    fn n_copied(&self) -> Option<u64> {
        Some(self.n_copied)
    }
}
