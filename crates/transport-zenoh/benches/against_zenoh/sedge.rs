//! Ours: every message gets a header of its own, is encoded, sent, received, decoded and read.

use std::sync::Arc;

use sedge_oni::{
    Capture, EncodedMessage, Envelope, Key, Message, MessageBuilder, PayloadOrigin, SchemaId,
    Sequence, Source,
};
use sedge_spacetime::{AgentName, Clock as _};
use sedge_transport::{Network as _, Publisher, PutOutcome, Qos, QosClass, Signal, Subscriber};
use sedge_transport_zenoh::{SharedMemoryMode, ZenohConfig, ZenohNetwork};

use crate::loads::{End, Link, PATIENCE, POOL_BYTES, Payload, Purpose, Stack, Way, touch};
use crate::machine::MachineClock;

/// A session of ours.
pub(crate) struct SedgeStack(Arc<ZenohNetwork>, Link);

/// What a raw session must share with ours to be its peer: explicit endpoints, nothing scouted.
pub(crate) fn settings_of_both(
    link: Link,
    listen: &[&str],
    connect: &[&str],
) -> [(&'static str, String); 7] {
    let list = |endpoints: &[&str]| format!("{endpoints:?}");
    let is_shared = link == Link::SharedMemory;
    [
        ("mode", "\"peer\"".to_string()),
        ("scouting/multicast/enabled", "false".to_string()),
        ("scouting/gossip/enabled", "false".to_string()),
        ("listen/endpoints", list(listen)),
        ("connect/endpoints", list(connect)),
        // On by default: large payloads would be copied through it on a machine of one's own.
        ("transport/shared_memory/enabled", is_shared.to_string()),
        ("transport/shared_memory/mode", "\"init\"".to_string()),
    ]
}

impl SedgeStack {
    fn open(link: Link, config: ZenohConfig) -> Self {
        let mut config = config;
        if link == Link::SharedMemory {
            config.shared_memory.mode = SharedMemoryMode::On;
            config.shared_memory.pool_bytes = POOL_BYTES;
        }
        let network = ZenohNetwork::open(&config, Arc::new(MachineClock));
        Self(Arc::new(network.unwrap()), link)
    }

    pub(crate) fn listen(link: Link) -> (Self, String) {
        let listen = vec!["tcp/127.0.0.1:0".to_string()];
        let stack = Self::open(
            link,
            ZenohConfig {
                listen,
                ..Default::default()
            },
        );
        let locator = stack.0.locators()[0].clone();
        (stack, locator)
    }

    pub(crate) fn dial(link: Link, locator: &str) -> Self {
        let connect = vec![locator.to_string()];
        Self::open(
            link,
            ZenohConfig {
                connect,
                ..Default::default()
            },
        )
    }
}

fn key(payload: Payload, purpose: Purpose, way: Way) -> Key {
    let (purpose, bytes) = (purpose.name(), payload.bytes);
    Key::parse(&format!("oni/bench/{}/bench.{purpose}/{bytes}", way.name())).unwrap()
}

fn message(payload: Payload, source: Source) -> Message<'static> {
    let schema = SchemaId {
        name: "bench.bytes".to_string(),
        major: 1,
        minor: 0,
        hash: [7; 16],
    };
    let capture = Capture::exact(MachineClock.now(), "bench");
    let builder = MessageBuilder::new(schema, Envelope::new(source, capture));
    let bytes = vec![7_u8; payload.bytes];
    let builder = builder.tensor("bytes", &[payload.bytes], &bytes);
    builder.unwrap().build()
}

/// How many bytes of header go with each payload.
pub(crate) fn header_bytes(payload: Payload) -> usize {
    let source = Source {
        agent: AgentName::new(Way::Out.name()).unwrap(),
        epoch: 1,
        sequence: payload.n_per_round as u64,
    };
    message(payload, source).encode().unwrap().header().len()
}

struct SedgeEnd {
    publisher: Box<dyn Publisher>,
    subscriber: Box<dyn Subscriber>,
    came: Signal,
    sequence: Sequence,
    /// The payload is written once, as on the raw side; the header is new each time.
    message: Message<'static>,
    /// Where a new piece of shared memory comes from.
    pool: Option<Arc<ZenohNetwork>>,
    n_copied: u64,
}

impl Stack for SedgeStack {
    fn end(&self, payload: Payload, purpose: Purpose, sends: Way) -> Box<dyn End> {
        let qos = match purpose {
            Purpose::RoundTrip => Qos::of(QosClass::State),
            Purpose::Throughput => Qos::of(QosClass::Log).lossless(),
        };
        let qos = qos.with_depth(purpose.depth());
        let receives = match sends {
            Way::Out => Way::Back,
            Way::Back => Way::Out,
        };
        let came = Signal::new();
        let pattern = (&key(payload, purpose, receives)).into();
        let subscriber = self.0.subscriber(&pattern, qos, came.wake()).unwrap();
        let publisher = self.0.publisher(
            &key(payload, purpose, sends),
            qos,
            sedge_transport::no_wake(),
        );
        let mut sequence = Sequence::new(AgentName::new(sends.name()).unwrap(), 1);
        let message = message(payload, sequence.next_source());
        Box::new(SedgeEnd {
            publisher: publisher.unwrap(),
            subscriber,
            came,
            sequence,
            message,
            pool: (self.1 == Link::SharedMemory).then(|| Arc::clone(&self.0)),
            n_copied: 0,
        })
    }
}

impl SedgeEnd {
    fn next_message(&mut self) -> EncodedMessage {
        let envelope = self.message.envelope_mut();
        envelope.source = self.sequence.next_source();
        envelope.capture.stamp = MachineClock.now();
        let encoded = self.message.encode().unwrap();
        let Some(pool) = &self.pool else {
            return encoded;
        };
        loop {
            match pool.shared_payload(self.message.payload().len(), |_| ()) {
                Some(piece) => return EncodedMessage::from_buffer(encoded.header(), piece),
                // Readers still hold every piece.
                None => std::thread::yield_now(),
            }
        }
    }
}

impl End for SedgeEnd {
    fn send(&mut self) {
        let message = self.next_message();
        while self.publisher.put(&message) == PutOutcome::Shed {
            std::thread::yield_now();
        }
    }

    fn receive(&mut self) -> Option<usize> {
        loop {
            if let Some(received) = self.subscriber.try_next() {
                let message = received.message.decode().unwrap();
                self.n_copied += u64::from(message.origin() != PayloadOrigin::InPlace);
                return Some(touch(message.payload()));
            }
            if !self.came.wait(PATIENCE) {
                return None;
            }
        }
    }

    fn is_heard(&self) -> bool {
        self.publisher.has_subscribers()
    }

    fn n_copied(&self) -> Option<u64> {
        Some(self.n_copied)
    }
}
