//! The process at the other end: answers every ping, counts every flood.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::loads::{End, Link, PAYLOADS, Payload, Purpose, Stack, Way};
use crate::raw::{RawCallbackEnd, RawStack};
use crate::sedge::{SedgeStack, header_bytes};

/// First argument of the process at the other end.
pub(crate) const ROLE: &str = "far-process";

/// A running process at the other end; ends with the benchmark, also where that dies.
pub(crate) struct FarProcess {
    child: Child,
    _stdin: ChildStdin,
    pub(crate) link: Link,
    /// Those that are asked for, which the link carries.
    pub(crate) payloads: Vec<Payload>,
    pub(crate) raw: RawStack,
    /// A session of its own, or raw's would be used twice as often as ours, and stay warmer.
    pub(crate) raw_answered_in_callback: RawStack,
    pub(crate) sedge: SedgeStack,
}

impl FarProcess {
    pub(crate) fn start(link: Link, payloads: Vec<Payload>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([ROLE, link.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || {
            lines
                .next()
                .expect("the far process says where it is")
                .unwrap()
        };
        let (raw, raw_answered_in_callback, sedge) = (line(), line(), line());
        Self {
            _stdin: child.stdin.take().unwrap(),
            child,
            link,
            payloads,
            raw: RawStack::dial(link, &raw),
            raw_answered_in_callback: RawStack::dial(link, &raw_answered_in_callback),
            sedge: SedgeStack::dial(link, &sedge),
        }
    }
}

impl Drop for FarProcess {
    fn drop(&mut self) {
        // It may be gone already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs until standard input ends.
pub(crate) fn run(link: &str) {
    let link = Link::ALL.into_iter().find(|known| known.name() == link);
    let link = link.unwrap();
    let (raw, raw_at) = RawStack::listen(link);
    let (answered_in_callback, answered_in_callback_at) = RawStack::listen(link);
    let (sedge, sedge_at) = SedgeStack::listen(link);
    let mut answering = Vec::new();
    for payload in PAYLOADS
        .into_iter()
        .filter(|payload| link.carries(*payload))
    {
        let attaching = raw.attaching(header_bytes(payload));
        for stack in [&raw as &dyn Stack, &attaching, &sedge] {
            for purpose in Purpose::ALL {
                serve(stack.end(payload, purpose, Way::Back), payload, purpose);
            }
        }
        answering.push(RawCallbackEnd::answer(&answered_in_callback, payload));
    }
    println!("{raw_at}\n{answered_in_callback_at}\n{sedge_at}");
    std::io::stdout().flush().unwrap();
    // Nothing is ever written to it: this returns when the other side is gone.
    drop(std::io::stdin().read(&mut [0]));
}

fn serve(mut end: Box<dyn End>, payload: Payload, purpose: Purpose) {
    let n_per_answer = match purpose {
        Purpose::RoundTrip => 1,
        Purpose::Throughput => payload.n_per_round,
    };
    let mut n_received = 0;
    std::thread::spawn(move || {
        loop {
            if end.receive().is_some() {
                n_received += 1;
                if n_received % n_per_answer == 0 {
                    end.send();
                }
            }
        }
    });
}
