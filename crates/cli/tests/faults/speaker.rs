//! A process that puts numbered messages at a steady rate.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use sedge_oni::{Capture, EncodedMessage, Envelope, Key, MessageBuilder, SchemaId, Sequence};
use sedge_runtime::{SystemClock, new_epoch, spawn_named};
use sedge_spacetime::{AgentName, Clock as _, Stamp};
use sedge_transport::{Network as _, Publisher, PutOutcome, Qos, QosClass, no_wake};
use sedge_transport_zenoh::{Mode, ZenohConfig, ZenohNetwork};
use serde::{Deserialize, Serialize};

use crate::orders::{Order, Said, Spoke, say, take_orders};
use crate::stepped_clock::SteppedClock;

/// How a speaker speaks.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SpeakerConfig {
    /// Whom it dials.
    pub(crate) connect: String,
    /// Messages a second.
    pub(crate) rate_hz: f64,
    /// Bytes of each message's payload.
    pub(crate) payload_bytes: usize,
    /// How long each may be used.
    pub(crate) lifespan_millis: Option<u64>,
    /// The first wait before the other side is dialled again.
    pub(crate) retry_first_millis: Option<u64>,
}

impl SpeakerConfig {
    /// 100 messages a second, as small as a robot's odometry.
    pub(crate) fn steady() -> Self {
        Self {
            connect: String::new(),
            rate_hz: 100.0,
            payload_bytes: 48,
            lifespan_millis: None,
            retry_first_millis: None,
        }
    }

    /// 100 messages a second, as large as a small picture.
    pub(crate) fn large() -> Self {
        Self {
            payload_bytes: 64 * 1024,
            ..Self::steady()
        }
    }

    /// As steady, but back at once when it is cut off.
    pub(crate) fn eager() -> Self {
        Self {
            retry_first_millis: Some(10),
            ..Self::steady()
        }
    }
}

/// The key that a speaker puts under.
pub(crate) const KEY: &str = "oni/faults/speaker/sensor.odometry/base";
/// An hour: a speaker that is silent still obeys at once.
const NEVER: Duration = Duration::from_hours(1);

pub(crate) fn zenoh_config(connect: &str, retry_first_millis: Option<u64>) -> ZenohConfig {
    let default = ZenohConfig::default();
    ZenohConfig {
        // A router relays between clients; peers would go round the link that a test has put
        // between.
        mode: Mode::Client,
        connect: vec![connect.to_owned()],
        retry_first_millis: retry_first_millis.unwrap_or(default.retry_first_millis),
        ..default
    }
}

struct Speaker {
    config: SpeakerConfig,
    clock: Arc<SteppedClock>,
    network: ZenohNetwork,
    publisher: Box<dyn Publisher>,
    numbers: Sequence,
    spoke: Spoke,
}

/// Speaks until it is told to quit.
pub(crate) fn run(config: SpeakerConfig) {
    let clock = Arc::new(SteppedClock::new());
    let session = zenoh_config(&config.connect, config.retry_first_millis);
    let network = ZenohNetwork::open(&session, Arc::<SteppedClock>::clone(&clock)).unwrap();
    let key = Key::parse(KEY).unwrap();
    let publisher = network.publisher(&key, Qos::of(QosClass::State), no_wake());
    let (sender, orders) = channel();
    spawn_named("orders", move || take_orders(&sender, &no_wake())).unwrap();
    let agent = AgentName::new("speaker").unwrap();
    let speaker = Speaker {
        numbers: Sequence::new(agent, new_epoch(clock.as_ref())),
        publisher: publisher.unwrap(),
        config,
        clock,
        network,
        spoke: Spoke::default(),
    };
    say(&Said::Ready);
    speaker.speak(&orders);
}

impl Speaker {
    fn speak(mut self, orders: &Receiver<Order>) {
        // Paced by a clock that nobody sets.
        let pace = SystemClock::new();
        let mut next = pace.now();
        loop {
            let period = Duration::try_from_secs_f64(self.config.rate_hz.recip()).ok();
            let left = period.map_or(NEVER, |_| next.saturating_since(pace.now()));
            match orders.recv_timeout(left) {
                Ok(Order::Quit) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(order) => {
                    self.obey(order);
                    // A new rate counts from now on.
                    next = next.max(pace.now());
                }
                Err(RecvTimeoutError::Timeout) => {
                    let before = pace.now();
                    self.put(before);
                    let after = pace.now();
                    let took = after.saturating_since(before).as_micros() as u64;
                    self.spoke.put_max_micros = self.spoke.put_max_micros.max(took);
                    // What was due while the process was frozen is not made up for.
                    next = (next + period.unwrap_or(NEVER)).max(before);
                }
            }
        }
        drop(self.publisher);
        self.network.close().unwrap();
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Step { millis } => self.clock.step(millis),
            Order::Rate { hz } => self.config.rate_hz = hz,
            Order::Lifespan { millis } => self.config.lifespan_millis = Some(millis),
            Order::Report => {
                self.spoke.reopened = self.network.counters().reopened;
                return say(&Said::Spoke(self.spoke.clone()));
            }
            other => panic!("a speaker cannot {other:?}"),
        }
        say(&Said::Done);
    }

    fn put(&mut self, sent: Stamp) {
        let message = self.message(sent);
        self.spoke.given += 1;
        let counted = match self.publisher.put(&message) {
            PutOutcome::Sent => &mut self.spoke.sent,
            PutOutcome::Shed => &mut self.spoke.shed,
            PutOutcome::Late => &mut self.spoke.late,
            PutOutcome::Closed => &mut self.spoke.closed,
        };
        *counted += 1;
    }

    /// Stamped with the clock that may be set; when it was truly sent is in the payload.
    fn message(&mut self, sent: Stamp) -> EncodedMessage {
        let source = self.numbers.next_source();
        let mut envelope = Envelope::new(source, Capture::exact(self.clock.now(), "machine"));
        envelope.lifespan = self.config.lifespan_millis.map(Duration::from_millis);
        let schema = SchemaId {
            name: "sensor.odometry".to_owned(),
            major: 1,
            minor: 0,
            hash: [0; 16],
        };
        let filler = vec![0_u8; self.config.payload_bytes];
        let message = MessageBuilder::new(schema, envelope)
            .tensor("sent", &[1], &[sent.nanos()])
            .and_then(|builder| builder.tensor("filler", &[filler.len()], &filler));
        message.unwrap().build().encode().unwrap()
    }
}
