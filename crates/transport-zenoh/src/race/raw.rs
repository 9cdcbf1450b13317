//! Raw Zenoh: the peer to be measured against.

use std::sync::Arc;
use std::time::Duration;

use zenoh::Wait as _;
use zenoh::bytes::ZBytes;
use zenoh::handlers::{FifoChannel, FifoChannelHandler, RingChannel, RingChannelHandler};
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::sample::Sample;
use zenoh::shm::{GarbageCollect, PosixShmProviderBackend, ShmProvider, ShmProviderBuilder};

use crate::race::{End, Link, POOL_BYTES, Purpose, RaceError, Stack, Wire, touch};

/// A session of Zenoh's, used as Zenoh's own documentation does.
#[derive(Clone)]
pub struct RawStack {
    session: zenoh::Session,
    /// Where it has shared memory.
    pool: Option<Arc<Provider>>,
    /// Sent beside each payload; none where it is empty.
    attachment: ZBytes,
}

type Provider = ShmProvider<PosixShmProviderBackend>;

fn refused(error: impl std::fmt::Display) -> RaceError {
    RaceError::Raw(error.to_string())
}

impl RawStack {
    /// Opens a session that listens at a port of its own on this machine and dials `connect`, and
    /// says where it listens. Nothing is scouted, as with ours.
    ///
    /// # Errors
    /// [`RaceError`] where it does not open.
    pub fn open(link: Link, connect: &[String]) -> Result<(Self, String), RaceError> {
        let is_shared = link == Link::SharedMemory;
        let settings = [
            ("mode", "\"peer\"".to_owned()),
            ("scouting/multicast/enabled", "false".to_owned()),
            ("scouting/gossip/enabled", "false".to_owned()),
            ("listen/endpoints", "[\"tcp/127.0.0.1:0\"]".to_owned()),
            ("connect/endpoints", format!("{connect:?}")),
            // On by default: large payloads would be copied through it on one machine.
            ("transport/shared_memory/enabled", is_shared.to_string()),
            ("transport/shared_memory/mode", "\"init\"".to_owned()),
        ];
        let mut config = zenoh::Config::default();
        for (key, value) in settings {
            config.insert_json5(key, &value).map_err(refused)?;
        }
        let pool = if is_shared {
            let pool = ShmProviderBuilder::default_backend(POOL_BYTES).wait();
            Some(Arc::new(pool.map_err(refused)?))
        } else {
            None
        };
        let stack = Self {
            session: zenoh::open(config).wait().map_err(refused)?,
            pool,
            attachment: ZBytes::new(),
        };
        let locators = stack.session.info().locators().wait();
        let locator = locators.first().map(ToString::to_string);
        Ok((stack, locator.ok_or(RaceError::Nowhere)?))
    }

    /// The same session, sending an attachment of so many bytes beside each payload.
    pub fn attaching(&self, n_bytes: usize) -> Self {
        Self {
            attachment: vec![7_u8; n_bytes].into(),
            ..self.clone()
        }
    }

    fn publisher(&self, key: String, purpose: Purpose) -> Result<Publisher<'static>, RaceError> {
        let (priority, congestion, is_express) = match purpose {
            Purpose::RoundTrip => (Priority::DataHigh, CongestionControl::Drop, true),
            Purpose::Throughput => (Priority::Background, CongestionControl::Block, false),
        };
        let declared = self
            .session
            .declare_publisher(key)
            .priority(priority)
            .congestion_control(congestion)
            .express(is_express);
        declared.wait().map_err(refused)
    }

    fn key(&self, name: &str, wire: &Wire<'_>) -> String {
        let purpose = wire.purpose.name();
        let stack = if self.attachment.is_empty() {
            "raw"
        } else {
            "raw/attaching"
        };
        format!("{stack}/{purpose}/{}/{name}", wire.payload_bytes)
    }
}

enum Reader {
    Ring(Subscriber<RingChannelHandler<Sample>>),
    Fifo(Subscriber<FifoChannelHandler<Sample>>),
}

struct RawEnd {
    publisher: Option<Publisher<'static>>,
    reader: Option<Reader>,
    payload: ZBytes,
    attachment: Option<ZBytes>,
    pool: Option<Arc<Provider>>,
}

impl RawEnd {
    fn next_payload(&self) -> ZBytes {
        let Some(pool) = &self.pool else {
            return self.payload.clone();
        };
        loop {
            let piece = pool.alloc(self.payload.len());
            match piece.with_policy::<GarbageCollect>().wait() {
                Ok(piece) => return piece.into(),
                // Readers still hold every piece.
                Err(_) => std::thread::yield_now(),
            }
        }
    }
}

impl Stack for RawStack {
    fn end(&self, wire: Wire<'_>) -> Result<Box<dyn End>, RaceError> {
        let reader = match wire.receives {
            Some(name) => {
                let declare = self.session.declare_subscriber(self.key(name, &wire));
                let depth = wire.purpose.depth();
                Some(match wire.purpose {
                    Purpose::RoundTrip => {
                        let ring = declare.with(RingChannel::new(depth)).wait();
                        Reader::Ring(ring.map_err(refused)?)
                    }
                    Purpose::Throughput => {
                        let fifo = declare.with(FifoChannel::new(depth)).wait();
                        Reader::Fifo(fifo.map_err(refused)?)
                    }
                })
            }
            None => None,
        };
        let publisher = match wire.sends {
            Some(name) => Some(self.publisher(self.key(name, &wire), wire.purpose)?),
            None => None,
        };
        Ok(Box::new(RawEnd {
            publisher,
            reader,
            payload: vec![7_u8; wire.payload_bytes].into(),
            attachment: Some(self.attachment.clone()).filter(|bytes| !bytes.is_empty()),
            pool: self.pool.clone(),
        }))
    }
}

impl End for RawEnd {
    fn send(&mut self) -> Result<(), RaceError> {
        let expected = "sends";
        let publisher = self.publisher.as_ref();
        let publisher = publisher.ok_or(RaceError::OneWay { expected })?;
        let put = publisher.put(self.next_payload());
        let put = put.attachment(self.attachment.clone()).wait();
        put.map_err(refused)
    }

    fn receive(&mut self, patience: Duration) -> Result<Option<usize>, RaceError> {
        let expected = "receives";
        let reader = self.reader.as_ref();
        let received = match reader.ok_or(RaceError::OneWay { expected })? {
            Reader::Ring(reader) => reader.recv_timeout(patience),
            Reader::Fifo(reader) => reader.recv_timeout(patience),
        };
        let sample = received.map_err(refused)?;
        Ok(sample.map(|sample| {
            if let Some(attachment) = sample.attachment() {
                touch(&attachment.to_bytes());
            }
            touch(&sample.payload().to_bytes())
        }))
    }

    fn is_heard(&self) -> bool {
        let status = self
            .publisher
            .as_ref()
            .map(|publisher| publisher.matching_status().wait());
        status.is_some_and(|status| status.is_ok_and(|status| status.matching()))
    }

    fn n_copied(&self) -> Option<u64> {
        None
    }
}

/// What Zenoh's own ping does: the answer is sent from the receiving thread itself, which no robot
/// program may do; the floor of what the link can.
pub struct RawCallback {
    _subscriber: Subscriber<()>,
}

/// The streams of [`RawCallback`].
const ASKED: &str = "callback/out";
const ANSWERED: &str = "callback/back";

impl RawCallback {
    /// Answers for as long as it lives.
    ///
    /// # Errors
    /// [`RaceError`] where the session refuses.
    pub fn answer(stack: &RawStack, payload_bytes: usize) -> Result<Self, RaceError> {
        let wire = Self::wire(payload_bytes);
        let publisher = stack.publisher(stack.key(ANSWERED, &wire), wire.purpose)?;
        let subscriber = stack
            .session
            .declare_subscriber(stack.key(ASKED, &wire))
            .callback(move |sample: Sample| {
                // What is not sent is missed at the other end.
                drop(publisher.put(sample.payload().clone()).wait());
            });
        Ok(Self {
            _subscriber: subscriber.wait().map_err(refused)?,
        })
    }

    /// The asking end of it.
    ///
    /// # Errors
    /// [`RaceError`] where the session refuses.
    pub fn ask(stack: &RawStack, payload_bytes: usize) -> Result<Box<dyn End>, RaceError> {
        stack.end(Self::wire(payload_bytes))
    }

    fn wire(payload_bytes: usize) -> Wire<'static> {
        Wire {
            sends: Some(ASKED),
            receives: Some(ANSWERED),
            payload_bytes,
            purpose: Purpose::RoundTrip,
        }
    }
}
