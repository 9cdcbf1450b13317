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

use crate::loads::{End, Link, PATIENCE, POOL_BYTES, Payload, Purpose, Stack, Way, touch};
use crate::sedge::settings_of_both;

/// A raw session.
#[derive(Clone)]
pub(crate) struct RawStack {
    session: zenoh::Session,
    /// Where it has shared memory.
    pool: Option<Arc<Provider>>,
    /// Sent beside each payload; none where it is empty.
    attachment: ZBytes,
}

type Provider = ShmProvider<PosixShmProviderBackend>;

impl RawStack {
    fn open(link: Link, listen: &[&str], connect: &[&str]) -> Self {
        let mut config = zenoh::Config::default();
        for (key, value) in settings_of_both(link, listen, connect) {
            config.insert_json5(key, &value).unwrap();
        }
        let pool = || {
            ShmProviderBuilder::default_backend(POOL_BYTES)
                .wait()
                .unwrap()
        };
        let pool = (link == Link::SharedMemory).then(|| Arc::new(pool()));
        Self {
            session: zenoh::open(config).wait().unwrap(),
            pool,
            attachment: ZBytes::new(),
        }
    }

    /// The same session, sending an attachment of so many bytes beside each payload.
    pub(crate) fn attaching(&self, n_bytes: usize) -> Self {
        Self {
            attachment: vec![7_u8; n_bytes].into(),
            ..self.clone()
        }
    }

    pub(crate) fn listen(link: Link) -> (Self, String) {
        let stack = Self::open(link, &["tcp/127.0.0.1:0"], &[]);
        let locator = stack.session.info().locators().wait()[0].to_string();
        (stack, locator)
    }

    pub(crate) fn dial(link: Link, locator: &str) -> Self {
        Self::open(link, &[], &[locator])
    }

    fn publisher(&self, key: String, purpose: Purpose) -> Publisher<'static> {
        let (priority, congestion, is_express) = match purpose {
            Purpose::RoundTrip => (Priority::DataHigh, CongestionControl::Drop, true),
            Purpose::Throughput => (Priority::Background, CongestionControl::Block, false),
        };
        self.session
            .declare_publisher(key)
            .priority(priority)
            .congestion_control(congestion)
            .express(is_express)
            .wait()
            .unwrap()
    }

    fn key(&self, payload: Payload, purpose: Purpose, way: Way) -> String {
        let (purpose, way) = (purpose.name(), way.name());
        let stack = if self.attachment.is_empty() {
            "raw"
        } else {
            "raw/attaching"
        };
        format!("{stack}/{purpose}/{}/{way}", payload.bytes)
    }
}

enum Reader {
    Ring(Subscriber<RingChannelHandler<Sample>>),
    Fifo(Subscriber<FifoChannelHandler<Sample>>),
}

struct RawEnd {
    publisher: Publisher<'static>,
    reader: Reader,
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
    fn end(&self, payload: Payload, purpose: Purpose, sends: Way) -> Box<dyn End> {
        let receives = match sends {
            Way::Out => Way::Back,
            Way::Back => Way::Out,
        };
        let key = |way| self.key(payload, purpose, way);
        let declare = self.session.declare_subscriber(key(receives));
        let reader = match purpose {
            Purpose::RoundTrip => {
                let ring = RingChannel::new(purpose.depth());
                Reader::Ring(declare.with(ring).wait().unwrap())
            }
            Purpose::Throughput => {
                let fifo = FifoChannel::new(purpose.depth());
                Reader::Fifo(declare.with(fifo).wait().unwrap())
            }
        };
        Box::new(RawEnd {
            publisher: self.publisher(key(sends), purpose),
            reader,
            payload: vec![7_u8; payload.bytes].into(),
            attachment: Some(self.attachment.clone()).filter(|bytes| !bytes.is_empty()),
            pool: self.pool.clone(),
        })
    }
}

impl End for RawEnd {
    fn send(&mut self) {
        let put = self.publisher.put(self.next_payload());
        put.attachment(self.attachment.clone()).wait().unwrap();
    }

    fn receive(&mut self) -> Option<usize> {
        let sample = match &self.reader {
            Reader::Ring(reader) => reader.recv_timeout(PATIENCE).ok().flatten(),
            Reader::Fifo(reader) => reader.recv_timeout(PATIENCE).ok().flatten(),
        };
        sample.map(|sample| {
            if let Some(attachment) = sample.attachment() {
                touch(&attachment.to_bytes());
            }
            touch(&sample.payload().to_bytes())
        })
    }

    fn is_heard(&self) -> bool {
        self.publisher.matching_status().wait().unwrap().matching()
    }

    fn n_copied(&self) -> Option<u64> {
        None
    }
}

/// What Zenoh's own ping does: the answer is sent from the receiving thread itself, which no robot
/// program may do; the floor of what the link can.
pub(crate) struct RawCallbackEnd {
    _subscriber: Subscriber<()>,
}

/// The stream of [`RawCallbackEnd`].
fn callback_key(payload: Payload, way: Way) -> String {
    format!("raw/callback/{}/{}", payload.bytes, way.name())
}

impl RawCallbackEnd {
    pub(crate) fn answer(stack: &RawStack, payload: Payload) -> Self {
        let publisher = stack.publisher(callback_key(payload, Way::Back), Purpose::RoundTrip);
        let subscriber = stack
            .session
            .declare_subscriber(callback_key(payload, Way::Out));
        let answer = move |sample: Sample| publisher.put(sample.payload().clone()).wait().unwrap();
        Self {
            _subscriber: subscriber.callback(answer).wait().unwrap(),
        }
    }

    /// The asking end of it.
    pub(crate) fn ask(stack: &RawStack, payload: Payload) -> Box<dyn End> {
        let ring = RingChannel::new(Purpose::RoundTrip.depth());
        let subscriber = stack
            .session
            .declare_subscriber(callback_key(payload, Way::Back));
        Box::new(RawEnd {
            publisher: stack.publisher(callback_key(payload, Way::Out), Purpose::RoundTrip),
            reader: Reader::Ring(subscriber.with(ring).wait().unwrap()),
            payload: vec![7_u8; payload.bytes].into(),
            attachment: None,
            pool: stack.pool.clone(),
        })
    }
}

/// Long enough for a session to settle.
pub(crate) const SETTLE: Duration = Duration::from_millis(300);
