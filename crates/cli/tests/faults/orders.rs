//! What the test tells its processes, a line of JSON each way.

use std::io::{self, Write as _};
use std::sync::mpsc::Sender;

use sedge_transport::Wake;
use serde::{Deserialize, Serialize};

/// An order to a speaker or a listener.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "order")]
pub(crate) enum Order {
    /// Sets the process's clock.
    Step { millis: i64 },
    /// A speaker: so many messages a second from now on; 0 for none.
    Rate { hz: f64 },
    /// A speaker: for how long its messages may be used from now on.
    Lifespan { millis: u64 },
    /// A listener: reads one message in so long.
    Pace { millis: u64 },
    /// A listener: says when a message arrives that was sent at this time or later, on the
    /// machine's clock.
    After { nanos: i64 },
    /// A listener: says when it has the message of this number.
    Until { sequence: u64 },
    /// Says what it counted.
    Report,
    /// Ends.
    Quit,
}

/// What a process says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub(crate) enum Said {
    /// It has its network.
    Ready,
    /// An order was obeyed.
    Done,
    /// The message came that [`Order::After`] or [`Order::Until`] asked for.
    Came {
        sequence: u64,
        sent_nanos: i64,
        arrived_nanos: i64,
    },
    /// What a speaker counted.
    Spoke(Spoke),
    /// What a listener counted.
    Heard(Heard),
}

/// What a speaker counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spoke {
    /// Sequence numbers given: the truth.
    pub(crate) given: u64,
    /// Messages that the network took.
    pub(crate) sent: u64,
    /// Messages that it had no room for.
    pub(crate) shed: u64,
    /// Messages that were too old.
    pub(crate) late: u64,
    /// Messages for a closed network.
    pub(crate) closed: u64,
    /// The longest time that one put took.
    pub(crate) put_max_micros: u64,
    /// How often the session was opened anew.
    pub(crate) reopened: u64,
}

/// What a listener counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// Different messages, by (epoch, sequence number): the truth.
    pub(crate) distinct: u64,
    /// The smallest sequence number of the first epoch.
    pub(crate) first: u64,
    /// What the loss ledger claims.
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) restarts: u64,
    pub(crate) missed_at_start: u64,
    pub(crate) unplaced: u64,
    /// What the ring dropped because this reader was slow.
    pub(crate) ring_dropped: u64,
    /// Messages past their lifespan when they were read.
    pub(crate) expired: u64,
    /// Samples that were no messages.
    pub(crate) refused: u64,
    /// The longest time between two arrivals.
    pub(crate) gap_max_micros: u64,
    /// How often the session was opened anew.
    pub(crate) reopened: u64,
}

/// Says it on standard output.
pub(crate) fn say(said: &Said) {
    let mut out = io::stdout().lock();
    let line = serde_json::to_string(said).unwrap();
    // Nobody listens once the test has ended; then this process ends with its standard input.
    drop(writeln!(out, "{line}").and_then(|()| out.flush()));
}

/// Hands over each order of standard input, and [`Order::Quit`] at its end.
pub(crate) fn take_orders(orders: &Sender<Order>, wake: &Wake) {
    let lines = io::stdin().lines().map_while(Result::ok);
    let parsed = lines.map(|line| serde_json::from_str(&line).unwrap());
    for order in parsed.chain([Order::Quit]) {
        if orders.send(order).is_err() {
            return;
        }
        wake();
    }
}
