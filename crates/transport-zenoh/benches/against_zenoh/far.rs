//! The process at the other end: answers every ping, counts every flood.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use sedge_runtime::SystemClock;
use sedge_transport_zenoh::race::{
    self, End, Link, OniStack, Purpose, RawCallback, RawStack, Stack, header_bytes,
};

use crate::loads::{LINKS, PAYLOADS, PURPOSES, Payload, carries, far, link_name};

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
    pub(crate) sedge: OniStack,
}

impl FarProcess {
    pub(crate) fn start(link: Link, payloads: Vec<Payload>) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([ROLE, link_name(link)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || {
            let line = lines.next().expect("the far process says where it is");
            [line.unwrap()]
        };
        let (raw, raw_answered_in_callback, sedge) = (line(), line(), line());
        let clock = Arc::new(SystemClock::new());
        let (raw, _) = RawStack::open(link, &raw).unwrap();
        let (raw_answered_in_callback, _) =
            RawStack::open(link, &raw_answered_in_callback).unwrap();
        let (sedge, _) = OniStack::open(link, &sedge, clock).unwrap();
        Self {
            _stdin: child.stdin.take().unwrap(),
            child,
            link,
            payloads,
            raw,
            raw_answered_in_callback,
            sedge,
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
    let link = LINKS.into_iter().find(|known| link_name(*known) == link);
    let link = link.unwrap();
    let clock = Arc::new(SystemClock::new());
    let (raw, raw_at) = RawStack::open(link, &[]).unwrap();
    let (answered_in_callback, answered_in_callback_at) = RawStack::open(link, &[]).unwrap();
    let (sedge, sedge_at) = OniStack::open(link, &[], clock).unwrap();
    let mut answering = Vec::new();
    for payload in PAYLOADS
        .into_iter()
        .filter(|payload| carries(link, *payload))
    {
        let attaching = raw.attaching(header_bytes(payload.bytes).unwrap());
        for stack in [&raw as &dyn Stack, &attaching, &sedge] {
            for purpose in PURPOSES {
                serve(stack.end(far(payload, purpose)).unwrap(), payload, purpose);
            }
        }
        answering.push(RawCallback::answer(&answered_in_callback, payload.bytes).unwrap());
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
    std::thread::spawn(move || race::serve(&mut *end, Some(n_per_answer), &|| false).unwrap());
}
