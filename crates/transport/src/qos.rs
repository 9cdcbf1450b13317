//! Quality of service by class of message, not by topic.

use std::time::Duration;

use sedge_oni::Envelope;
use sedge_spacetime::Stamp;

use crate::{LOSSLESS_PUT_WAIT_MAX, PUT_WAIT_MAX};

/// How many messages a publisher may ask to be kept for whoever subscribes later.
pub const HISTORY_MAX: usize = 256;

/// What a message is for; everything about its delivery follows from that.
///
/// | class | priority | when congested | batching | depth | history | age |
/// |---|---|---|---|---|---|---|
/// | safety | real time | block | express | 16 | 1 | refused past its deadline |
/// | command | interactive high | drop | express | 1 | 0 | refused past its lifespan |
/// | state | data high | drop | express | 64 | 0 | refused past its lifespan |
/// | belief | data | drop | express | 2 | 1 | predicted to now, weighed by age |
/// | image | data low | block first | batched | 1 | 0 | only the newest |
/// | model | background | block | batched | 4 | 0 | by version |
/// | parameter | interactive low | block | batched | 256 | 1 | the last writer |
/// | log | background | drop | batched | 1024 | 0 | any |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Emergency stops.
    Safety,
    /// What an actuator shall do next.
    Command,
    /// Poses, scans, IMU: the latest of a steady stream.
    State,
    /// Beliefs, predictions and latents.
    Belief,
    /// Pictures and clouds.
    Image,
    /// Weights and maps.
    Model,
    /// Configuration.
    Parameter,
    /// Telemetry, logs, recordings.
    Log,
}

/// Who goes first on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Before everything else.
    RealTime,
    /// Interactive, first half.
    InteractiveHigh,
    /// Interactive, second half.
    InteractiveLow,
    /// Data, first third.
    DataHigh,
    /// Data, second third.
    Data,
    /// Data, last third.
    DataLow,
    /// When nothing else wants the link.
    Background,
}

/// What becomes of a message when the link cannot keep up.
///
/// Who waits is the network, never the caller of a live [`crate::Publisher::put`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Congestion {
    /// It is shed.
    Drop,
    /// It waits for the link, in a bounded queue.
    Block,
    /// One message waits, and the others are shed meanwhile.
    BlockFirst,
}

/// Whether small messages may wait for others to share a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Batching {
    /// Sent at once.
    Express,
    /// Sent together.
    Batched,
}

/// Up to which age a message may be used; kept by the reader, see [`AgeRule::admits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AgeRule {
    /// Not past the header's deadline.
    Deadline,
    /// Not past the header's lifespan.
    Lifespan,
    /// Any age: the reader predicts it to now and weighs it by its age.
    PredictToNow,
    /// Any age, but only the newest: the reader's ring keeps one.
    Newest,
    /// Any age: what counts is a version inside.
    Versioned,
    /// Any age.
    Any,
}

impl AgeRule {
    /// Whether a message may still be used at `now`, on the clock of its capture stamp. A message
    /// without a deadline or lifespan has no such limit.
    pub fn admits(self, envelope: &Envelope, now: Stamp) -> bool {
        self.expiry(envelope).is_none_or(|expiry| now <= expiry)
    }

    /// The last time at which a message may be used, on the clock of its capture stamp: what a
    /// publisher hands to [`crate::Publisher::put_before`] and a network to its rings, where that
    /// clock is theirs. `None` where there is no limit.
    pub fn expiry(self, envelope: &Envelope) -> Option<Stamp> {
        let limit = match self {
            Self::Deadline => envelope.deadline,
            Self::Lifespan => envelope.lifespan,
            Self::PredictToNow | Self::Newest | Self::Versioned | Self::Any => None,
        };
        limit.map(|limit| envelope.capture.stamp + limit)
    }
}

/// What a class means for delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QosProfile {
    /// Who goes first.
    pub priority: Priority,
    /// What becomes of a message when the link cannot keep up.
    pub congestion: Congestion,
    /// Whether small messages may wait for others.
    pub batching: Batching,
    /// How many messages wait for the reader before the oldest is dropped.
    pub queue_depth: usize,
    /// How many of a publisher's last messages whoever subscribes later gets.
    pub history: usize,
    /// Up to which age a message may be used.
    pub age: AgeRule,
}

impl QosClass {
    /// Every class.
    pub const ALL: [Self; 8] = [
        Self::Safety,
        Self::Command,
        Self::State,
        Self::Belief,
        Self::Image,
        Self::Model,
        Self::Parameter,
        Self::Log,
    ];

    /// What the class means; the table above.
    pub fn profile(self) -> QosProfile {
        use Batching::{Batched, Express};
        use Congestion::{Block, BlockFirst, Drop};
        let (priority, congestion, batching, queue_depth, age) = match self {
            Self::Safety => (Priority::RealTime, Block, Express, 16, AgeRule::Deadline),
            Self::Command => (
                Priority::InteractiveHigh,
                Drop,
                Express,
                1,
                AgeRule::Lifespan,
            ),
            Self::State => (Priority::DataHigh, Drop, Express, 64, AgeRule::Lifespan),
            Self::Belief => (Priority::Data, Drop, Express, 2, AgeRule::PredictToNow),
            Self::Image => (Priority::DataLow, BlockFirst, Batched, 1, AgeRule::Newest),
            Self::Model => (Priority::Background, Block, Batched, 4, AgeRule::Versioned),
            Self::Parameter => (Priority::InteractiveLow, Block, Batched, 256, AgeRule::Any),
            Self::Log => (Priority::Background, Drop, Batched, 1024, AgeRule::Any),
        };
        let history = match self {
            Self::Safety | Self::Belief | Self::Parameter => 1,
            Self::Command | Self::State | Self::Image | Self::Model | Self::Log => 0,
        };
        QosProfile {
            priority,
            congestion,
            batching,
            queue_depth,
            history,
            age,
        }
    }

    /// The class of a message type; one that is not listed is taken for telemetry.
    pub fn of_message_type(message_type: &str) -> Self {
        match message_type.split_once('.') {
            Some(("event", _)) => Self::Safety,
            Some(("actuator", _)) => Self::Command,
            Some(("sensor", "camera" | "depth")) => Self::Image,
            Some(("sensor", _)) => Self::State,
            Some(("model", _)) => Self::Belief,
            Some(("mission" | "agent", _)) => Self::Parameter,
            _ => Self::Log,
        }
    }
}

/// Whether a stream lives with loss or waits instead; each side asks for its own half.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// As the class says: a congested link sheds what a publisher sends, a reader's full ring drops
    /// its oldest. The loss ledger counts both.
    Live,
    /// Nothing is lost between two that both ask for it, while the connection holds: a publisher
    /// waits for its link and its readers, or sheds before anybody got the message, and tries
    /// again. For replay, never for control; and where both ends are in one session, never on one
    /// thread. A live publisher does not wait for a lossless reader, whose full ring then takes no
    /// more.
    Lossless,
}

/// A class, with what a stream asks for on top of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Qos {
    class: QosClass,
    delivery: Delivery,
    depth: usize,
    history: usize,
}

impl Qos {
    /// The class as it is.
    pub fn of(class: QosClass) -> Self {
        Self {
            class,
            delivery: Delivery::Live,
            depth: class.profile().queue_depth,
            history: class.profile().history,
        }
    }

    /// Waits rather than loses; each side asks for its own half.
    #[must_use]
    pub fn lossless(self) -> Self {
        Self {
            delivery: Delivery::Lossless,
            ..self
        }
    }

    /// Another depth of the reader's ring, at least 1.
    #[must_use]
    pub fn with_depth(self, depth: usize) -> Self {
        Self {
            depth: depth.max(1),
            ..self
        }
    }

    /// Another number of last messages for whoever subscribes later, at most [`HISTORY_MAX`]; each
    /// side asks for its own half: a publisher for how many are kept, a subscriber for how many it
    /// wants of each publisher, and the smaller number counts.
    #[must_use]
    pub fn with_history(self, history: usize) -> Self {
        Self {
            history: history.min(HISTORY_MAX),
            ..self
        }
    }

    /// The class.
    pub fn class(self) -> QosClass {
        self.class
    }

    /// Whether the stream lives with loss.
    pub fn delivery(self) -> Delivery {
        self.delivery
    }

    /// Depth of the reader's ring.
    pub fn depth(self) -> usize {
        self.depth
    }

    /// How many of a publisher's last messages whoever subscribes later gets.
    pub fn history(self) -> usize {
        self.history
    }

    /// How long a `put` may hold its caller.
    pub fn put_wait_max(self) -> Duration {
        match self.delivery {
            Delivery::Live => PUT_WAIT_MAX,
            Delivery::Lossless => LOSSLESS_PUT_WAIT_MAX,
        }
    }

    /// What becomes of a message when the link cannot keep up.
    pub fn congestion(self) -> Congestion {
        match self.delivery {
            Delivery::Live => self.class.profile().congestion,
            Delivery::Lossless => Congestion::Block,
        }
    }
}

impl From<QosClass> for Qos {
    fn from(class: QosClass) -> Self {
        Self::of(class)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_oni::{Capture, Sequence};
    use sedge_spacetime::AgentName;

    /// A class's row in the specification, from its second cell to the last that has no prose.
    fn specified(class: QosClass) -> String {
        let of_class = format!("{class:?}").to_lowercase();
        let rows = include_str!("../../../schemas/oni/README.md").lines();
        let mut rows = rows.map(|row| row.split(" | ").collect::<Vec<_>>());
        let row = rows
            .find(|cells| cells.len() == 8 && cells[0] == format!("| {of_class}"))
            .unwrap();
        row[2..7].join(" | ")
    }

    #[test]
    fn the_specification_says_the_same() {
        for class in QosClass::ALL {
            let profile = class.profile();
            let priority = match profile.priority {
                Priority::RealTime => "real time",
                Priority::InteractiveHigh => "interactive high",
                Priority::InteractiveLow => "interactive low",
                Priority::DataHigh => "data high",
                Priority::Data => "data",
                Priority::DataLow => "data low",
                Priority::Background => "background",
            };
            let congestion = match profile.congestion {
                Congestion::Drop => "drop",
                Congestion::Block => "block",
                Congestion::BlockFirst => "block first",
            };
            let batching = match profile.batching {
                Batching::Express => "express",
                Batching::Batched => "batched",
            };
            let (depth, history) = (profile.queue_depth, profile.history);
            let ours = format!("{priority} | {congestion} | {batching} | {depth} | {history}");
            assert_eq!(ours, specified(class).replace("1,024", "1024"), "{class:?}");
        }
    }

    #[test]
    fn message_types_fall_into_their_classes() {
        let check = |message_type, class| {
            assert_eq!(
                QosClass::of_message_type(message_type),
                class,
                "{message_type}"
            );
        };
        check("sensor.lidar", QosClass::State);
        check("sensor.camera", QosClass::Image);
        check("actuator.cmd", QosClass::Command);
        check("model.prediction", QosClass::Belief);
        check("event.stop", QosClass::Safety);
        check("telemetry.latency", QosClass::Log);
        check("something", QosClass::Log);
    }

    #[test]
    fn what_may_wait_never_goes_before_what_may_not() {
        let rank = |class: QosClass| class.profile().priority;
        assert!(
            QosClass::ALL
                .into_iter()
                .all(|class| rank(QosClass::Safety) <= rank(class))
        );
        assert!(rank(QosClass::Command) < rank(QosClass::State));
        assert!(rank(QosClass::State) < rank(QosClass::Image));
        assert!(rank(QosClass::Image) < rank(QosClass::Log));
    }

    #[test]
    fn age_counts_from_the_capture_stamp() {
        let source = Sequence::new(AgentName::new("crane3").unwrap(), 1).next_source();
        let mut envelope = Envelope::new(source, Capture::exact(Stamp::from_nanos(100), "robot"));
        let at = Stamp::from_nanos;
        assert!(
            AgeRule::Lifespan.admits(&envelope, at(i64::MAX)),
            "no lifespan, no limit"
        );
        envelope.lifespan = Some(Duration::from_nanos(50));
        assert!(AgeRule::Lifespan.admits(&envelope, at(150)));
        assert!(!AgeRule::Lifespan.admits(&envelope, at(151)));
        assert!(
            AgeRule::Deadline.admits(&envelope, at(151)),
            "that is another limit"
        );
        assert!(AgeRule::PredictToNow.admits(&envelope, at(i64::MAX)));
        assert!(
            AgeRule::Lifespan.admits(&envelope, at(0)),
            "from the future is not old"
        );
    }
}
