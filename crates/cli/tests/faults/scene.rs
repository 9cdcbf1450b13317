//! The usual set-up: a speaker and listeners at a router of ours, with a link of ours between the
//! speaker and the router.
//!
//! ```text
//! speaker --> sedge link --> sedge router <-- listener
//! ```

use std::path::Path;
use std::time::Duration;

use sedge_runtime::SystemClock;
use sedge_runtime::relay::RelayReport;
use sedge_spacetime::{Clock as _, Stamp};
use sedge_transport::Signal;
use serde_json::Value;

use crate::listener::ListenerConfig;
use crate::orders::{Heard, Order, Said, Spoke};
use crate::process::Process;
use crate::speaker::SpeakerConfig;

/// For how long messages flow before and after a fault.
const AROUND: Duration = Duration::from_secs(1);

/// `sedge` itself.
fn sedge() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sedge"))
}

/// A router of ours.
pub(crate) struct Router {
    pub(crate) process: Process,
    /// One a protocol that it was told to listen to.
    pub(crate) locators: Vec<String>,
}

impl Router {
    pub(crate) fn start(listen: &[&str]) -> Self {
        // What Zenoh says about connections that break is what the rows are about.
        let mut arguments = vec![
            "--log-filter",
            "off",
            "router",
            "--json",
            "--until-stdin-ends",
        ];
        for endpoint in listen {
            arguments.extend(["--listen", endpoint]);
        }
        let process = Process::start("router", sedge(), &arguments);
        let said = process.hear_event("listening");
        let locators = said["locators"].as_array().unwrap().iter();
        Self {
            locators: locators
                .map(|text| text.as_str().unwrap().to_owned())
                .collect(),
            process,
        }
    }

    /// Where it listens with this protocol.
    pub(crate) fn locator(&self, protocol: &str) -> &str {
        let of_protocol = |locator: &&String| locator.starts_with(protocol);
        self.locators.iter().find(of_protocol).unwrap()
    }
}

/// A link of ours.
pub(crate) struct Link {
    pub(crate) process: Process,
    pub(crate) endpoint: String,
}

impl Link {
    pub(crate) fn start(connect: &str, more: &[&str]) -> Self {
        let arguments = ["link", "--json", "--until-stdin-ends", "--connect", connect];
        let arguments = [&arguments, more].concat();
        let process = Process::start("link", sedge(), &arguments);
        let endpoint = process.hear_event("listening")["endpoint"].clone();
        Self {
            process,
            endpoint: endpoint.as_str().unwrap().to_owned(),
        }
    }

    /// Gives an order and waits until it is obeyed; when that was.
    pub(crate) fn order(&mut self, order: &str) -> Stamp {
        self.process.tell(order);
        at(&self.process.hear())
    }

    /// Waits until a cut has healed by itself; when that was.
    pub(crate) fn healed(&self) -> Stamp {
        at(&self.process.hear_event("healed"))
    }

    pub(crate) fn stats(&mut self) -> RelayReport {
        self.process.tell("stats");
        let mut said = self.process.hear_event("stats");
        said.as_object_mut().unwrap().remove("event");
        serde_json::from_value(said).unwrap()
    }
}

fn at(said: &Value) -> Stamp {
    Stamp::from_nanos(
        said["at_nanos"]
            .as_i64()
            .unwrap_or_else(|| panic!("{said}")),
    )
}

/// A speaker's or a listener's process: this test's own program in another role.
pub(crate) struct Party(pub(crate) Process);

impl Party {
    fn start(role: &'static str, config: &impl serde::Serialize) -> Self {
        let program = std::env::current_exe().unwrap();
        let config = serde_json::to_string(config).unwrap();
        let party = Self(Process::start(role, &program, &[role, &config]));
        assert_eq!(party.hear(), Said::Ready);
        party
    }

    fn hear(&self) -> Said {
        serde_json::from_value(self.0.hear()).unwrap()
    }

    fn tell(&mut self, order: Order) {
        self.0.tell(&serde_json::to_string(&order).unwrap());
    }

    /// Gives an order and waits until it is obeyed.
    pub(crate) fn order(&mut self, order: Order) {
        self.tell(order);
        assert_eq!(self.hear(), Said::Done, "{order:?}");
    }

    /// Waits until a message comes that was sent at this time or later; how long it took from
    /// this time until it came.
    pub(crate) fn hears_after(&mut self, then: Stamp) -> Duration {
        self.tell(Order::After {
            nanos: then.nanos(),
        });
        match self.hear() {
            Said::Came { arrived_nanos, .. } => {
                Stamp::from_nanos(arrived_nanos).saturating_since(then)
            }
            other => panic!("expected a message, got {other:?}"),
        }
    }

    /// Waits until it has the message of this number.
    pub(crate) fn hears_until(&mut self, sequence: u64) {
        self.tell(Order::Until { sequence });
        match self.hear() {
            Said::Came { .. } | Said::Done => {}
            other => panic!("expected a message, got {other:?}"),
        }
    }

    pub(crate) fn spoke(&mut self) -> Spoke {
        self.tell(Order::Report);
        match self.hear() {
            Said::Spoke(spoke) => spoke,
            other => panic!("expected a report, got {other:?}"),
        }
    }

    pub(crate) fn heard(&mut self) -> Heard {
        self.tell(Order::Report);
        match self.hear() {
            Said::Heard(heard) => heard,
            other => panic!("expected a report, got {other:?}"),
        }
    }
}

pub(crate) fn speaker(config: &SpeakerConfig) -> Party {
    Party::start("speaker", config)
}

pub(crate) fn listener(config: &ListenerConfig) -> Party {
    Party::start("listener", config)
}

/// Everybody of the usual set-up.
pub(crate) struct Scene {
    pub(crate) router: Router,
    pub(crate) link: Link,
    pub(crate) speaker: Party,
    pub(crate) listener: Party,
}

impl Scene {
    /// With a link over this protocol; messages have been flowing for a while when it returns.
    pub(crate) fn set(protocol: &str, config: &SpeakerConfig) -> Self {
        let listen = ["tcp/127.0.0.1:0", "udp/127.0.0.1:0"];
        let router = Router::start(&listen);
        let link = Link::start(router.locator(protocol), &[]);
        let listener = listener(&ListenerConfig::at(router.locator("tcp")));
        let speaker = speaker(&SpeakerConfig {
            connect: link.endpoint.clone(),
            ..config.clone()
        });
        let mut scene = Self {
            router,
            link,
            speaker,
            listener,
        };
        scene.listener.hears_after(now());
        let_pass(AROUND);
        scene
    }

    /// Lets messages flow for a while, ends the speaking, and compares the counts with the truth
    /// once the listener has the last message.
    pub(crate) fn settle(&mut self) -> Account {
        let_pass(AROUND);
        self.speaker.order(Order::Rate { hz: 0.0 });
        let spoke = self.speaker.spoke();
        self.listener.hears_until(spoke.given - 1);
        Account::of(spoke, self.listener.heard())
    }

    /// Ends every process in order: nothing is wedged.
    pub(crate) fn end(self) {
        for party in [
            self.speaker.0,
            self.listener.0,
            self.link.process,
            self.router.process,
        ] {
            let status = party.end();
            assert!(status.success(), "{status}");
        }
    }
}

/// What was sent and what came, and that the counts tell the truth.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) spoke: Spoke,
    pub(crate) heard: Heard,
    /// Messages that were sent since the first that came and did not come.
    pub(crate) lost: u64,
}

impl Account {
    /// Of a speaker that did not restart, whose last message came.
    ///
    /// # Panics
    /// Where the ledger's claim is not what every number, kept one by one, says.
    pub(crate) fn of(spoke: Spoke, heard: Heard) -> Self {
        let lost = spoke.given - heard.first - heard.distinct;
        let truth = (heard.distinct, lost, heard.first);
        let claim = (heard.received, heard.lost, heard.missed_at_start);
        assert_eq!(claim, truth, "{spoke:?} {heard:?}");
        assert_eq!((heard.unplaced, heard.refused), (0, 0), "{heard:?}");
        Self { spoke, heard, lost }
    }
}

pub(crate) fn now() -> Stamp {
    SystemClock::new().now()
}

/// Lets a fault last for as long as the row says.
pub(crate) fn let_pass(span: Duration) {
    // Nobody sets the signal.
    assert!(!Signal::new().wait(span));
}
