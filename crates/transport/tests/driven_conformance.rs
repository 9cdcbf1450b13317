//! The contract of networks over one whose messages take their time.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::sync::Arc;
use std::time::Duration;

use sedge_oni::{EncodedMessage, Key, KeyPattern};
use sedge_spacetime::{AgentName, ManualClock};
use sedge_transport::{
    DropLedger, ImpairedNetwork, ImpairedSide, Impairments, LinkQueue, Network, NetworkError,
    Publisher, Qos, Rate, Received, Replies, Served, Subscriber, Wake, conformance,
};

/// Whoever looks for something moves the clock until it comes or nothing is under way.
#[derive(Clone)]
struct Drive {
    clock: Arc<ManualClock>,
    network: ImpairedNetwork,
}

impl Drive {
    fn step(&self) -> bool {
        let due = self.network.next_due();
        if let Some(due) = due {
            self.clock.advance_to(due);
            self.network.advance(due);
        }
        due.is_some()
    }

    fn settle(&self) {
        while self.step() {}
    }
}

struct Driven {
    side: ImpairedSide,
    drive: Drive,
}

struct DrivenSubscriber(Box<dyn Subscriber>, Drive);

impl Subscriber for DrivenSubscriber {
    fn try_next(&mut self) -> Option<Received> {
        loop {
            let next = self.0.try_next();
            if next.is_some() || !self.1.step() {
                return next;
            }
        }
    }

    fn waiting(&self) -> usize {
        self.1.settle();
        self.0.waiting()
    }

    fn dropped(&self) -> u64 {
        self.1.settle();
        self.0.dropped()
    }
}

struct DrivenReplies(Box<dyn Replies>, Drive);

impl Replies for DrivenReplies {
    fn try_next(&mut self) -> Option<Received> {
        loop {
            let next = self.0.try_next();
            if next.is_some() || !self.1.step() {
                return next;
            }
        }
    }

    fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    fn dropped(&self) -> u64 {
        self.0.dropped()
    }
}

impl Network for Driven {
    fn publisher(
        &self,
        key: &Key,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Publisher>, NetworkError> {
        self.side.publisher(key, qos, wake)
    }

    fn subscriber(
        &self,
        pattern: &KeyPattern,
        qos: Qos,
        wake: Wake,
    ) -> Result<Box<dyn Subscriber>, NetworkError> {
        let subscriber = self.side.subscriber(pattern, qos, wake)?;
        Ok(Box::new(DrivenSubscriber(subscriber, self.drive.clone())))
    }

    fn serve(&self, key: &Key, message: EncodedMessage) -> Result<Box<dyn Served>, NetworkError> {
        self.side.serve(key, message)
    }

    fn query(
        &self,
        pattern: &KeyPattern,
        timeout: Duration,
        wake: Wake,
    ) -> Result<Box<dyn Replies>, NetworkError> {
        let replies = self.side.query(pattern, timeout, wake)?;
        Ok(Box::new(DrivenReplies(replies, self.drive.clone())))
    }

    fn drops(&self) -> DropLedger {
        self.side.drops()
    }
}

fn check(impairments: &Impairments) {
    let mut seed = 0;
    conformance::check_all(&mut || {
        seed += 1;
        let clock = Arc::new(ManualClock::default());
        let names = ["crane", "heron"].map(|name| AgentName::new(name).unwrap());
        let network =
            ImpairedNetwork::new(seed, Arc::clone(&clock) as Arc<_>, &names, impairments).unwrap();
        let drive = Drive {
            clock,
            network: network.clone(),
        };
        let [near, far] = names.map(|name| Driven {
            side: network.side(&name).unwrap(),
            drive: drive.clone(),
        });
        (Box::new(near), Box::new(far))
    });
}

#[test]
fn links_that_do_nothing_keep_the_contract() {
    check(&Impairments::default());
}

#[test]
fn links_that_are_slow_keep_the_contract() {
    let millis = Duration::from_millis;
    check(&Impairments {
        delay: millis(20),
        jitter: millis(15),
        rate: Some(Rate {
            bytes_per_sec: 1_000_000,
        }),
        queue: LinkQueue {
            items_max: 1_000,
            bytes_max: 10_000_000,
        },
        ..Impairments::default()
    });
}
