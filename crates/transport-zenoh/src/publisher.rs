//! Publishers: class of service to Zenoh's settings, message to sample.

use sedge_oni::{EncodedMessage, Key};
use sedge_transport::{Batching, Congestion, Priority, Publisher, PutOutcome, Qos, Wake};
use zenoh::Wait as _;
use zenoh::qos::CongestionControl;

pub(crate) struct ZenohPublisher {
    key: Key,
    publisher: zenoh::pubsub::Publisher<'static>,
}

impl ZenohPublisher {
    pub(crate) fn declare(
        session: &zenoh::Session,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> zenoh::Result<Self> {
        let profile = qos.class().profile();
        let publisher = session
            .declare_publisher(key.as_str().to_string())
            .priority(priority(profile.priority))
            .congestion_control(congestion(qos.congestion()))
            .express(profile.batching == Batching::Express)
            .wait()?;
        publisher
            .matching_listener()
            .callback(move |_| wake())
            .background()
            .wait()?;
        tracing::debug!(key = key.as_str(), class = ?qos.class(), "network.publish");
        Ok(Self {
            key: key.clone(),
            publisher,
        })
    }
}

impl Publisher for ZenohPublisher {
    fn key(&self) -> &Key {
        &self.key
    }

    /// Zenoh does not say when a congested link sheds; the reader's loss ledger does.
    fn put(&mut self, message: &EncodedMessage) -> PutOutcome {
        let put = self
            .publisher
            .put(message.payload())
            .attachment(message.header())
            .wait();
        if put.is_ok() {
            PutOutcome::Sent
        } else {
            PutOutcome::Closed
        }
    }

    fn has_subscribers(&self) -> bool {
        self.publisher
            .matching_status()
            .wait()
            .is_ok_and(|status| status.matching())
    }
}

fn priority(priority: Priority) -> zenoh::qos::Priority {
    match priority {
        Priority::RealTime => zenoh::qos::Priority::RealTime,
        Priority::InteractiveHigh => zenoh::qos::Priority::InteractiveHigh,
        Priority::InteractiveLow => zenoh::qos::Priority::InteractiveLow,
        Priority::DataHigh => zenoh::qos::Priority::DataHigh,
        Priority::Data => zenoh::qos::Priority::Data,
        Priority::DataLow => zenoh::qos::Priority::DataLow,
        Priority::Background => zenoh::qos::Priority::Background,
    }
}

fn congestion(congestion: Congestion) -> CongestionControl {
    match congestion {
        Congestion::Drop => CongestionControl::Drop,
        Congestion::Block => CongestionControl::Block,
        Congestion::BlockFirst => CongestionControl::BlockFirst,
    }
}
