//! `sedge router`.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use sedge_runtime::SystemClock;
use sedge_transport_zenoh::{Mode, Peer, ZenohRouter};
use serde::Serialize;

use super::agent::end_with_stdin;
use crate::Endpoint;
use crate::endpoint::{Side, zenoh_config};
use crate::interrupt::shutdown_of_process;

/// Exit code after a panic, as Rust's own.
const PANICKED: i32 = 101;
/// How often it looks who is connected.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What `sedge router` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge router                                      for this machine alone
  sedge router --listen tcp/0.0.0.0:7447            for everybody who can reach it
  sedge router --listen tcp/0.0.0.0:7447 --listen udp/0.0.0.0:7447
  sedge router --connect tcp/10.0.0.7:7447          joined to another one

Peers do not relay for each other: agents that cannot all dial each other dial a router. It holds
no state of its own; when it comes back after a crash, everybody dials it again by themselves. So a
panic of any of its threads ends it: let something start it anew.")]
pub struct RouterArgs {
    /// Where to listen (default tcp/127.0.0.1:7447); may be given again.
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Vec<Endpoint>,
    /// Another router to dial; dialled again when lost.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Vec<Endpoint>,
    /// End when standard input ends.
    #[arg(long)]
    pub until_stdin_ends: bool,
    /// Print a JSON object a line: where it listens, who comes and who goes.
    #[arg(long)]
    pub json: bool,
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum RouterEvent<'a> {
    Listening {
        locators: &'a [String],
    },
    Joined {
        id: &'a str,
        kind: &'static str,
        links: Vec<String>,
    },
    Left {
        id: &'a str,
        kind: &'static str,
    },
    Ended {
        joined: u64,
        left: u64,
    },
}

impl RouterEvent<'_> {
    fn text(&self) -> String {
        match self {
            Self::Listening { locators } => format!("listening on {}\n", locators.join(" ")),
            Self::Joined { id, kind, links } => {
                format!("{kind} {id} joined by {}\n", links.join(" "))
            }
            Self::Left { id, kind } => format!("{kind} {id} left\n"),
            Self::Ended { joined, left } => format!("ended: {joined} joined, {left} left\n"),
        }
    }
}

/// Ends the process where any of its threads panics: a router that has lost one of the network's
/// looks as if it routed, and does not. Whoever keeps it running starts it anew, and everybody
/// dials it again.
fn end_on_panic() {
    let say = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        say(panic);
        std::process::exit(PANICKED);
    }));
}

/// Routes until ctrl-c.
///
/// # Errors
/// When it cannot listen, or nothing can be printed.
pub fn run(args: &RouterArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let mut config = zenoh_config(&args.listen, &args.connect, Side::Listens);
    if config.listen.is_empty() {
        config
            .listen
            .push(crate::endpoint::DEFAULT_ENDPOINT.to_owned());
    }
    end_on_panic();
    let shutdown = shutdown_of_process();
    if args.until_stdin_ends {
        end_with_stdin(shutdown.clone())?;
    }
    let router = ZenohRouter::open(&config, Arc::new(SystemClock::new()))?;
    let mut say = |event: &RouterEvent<'_>| -> anyhow::Result<()> {
        if args.json {
            serde_json::to_writer(&mut *out, event)?;
            writeln!(out)?;
        } else {
            out.write_all(event.text().as_bytes())?;
        }
        Ok(out.flush()?)
    };
    let locators = router.locators();
    say(&RouterEvent::Listening {
        locators: &locators,
    })?;
    let (mut known, mut joined, mut left): (Vec<Peer>, u64, u64) = (Vec::new(), 0, 0);
    while !shutdown.wait(LOOK_EVERY) {
        let now = router.peers();
        let is_in = |peers: &[Peer], id: &str| peers.iter().any(|peer| peer.id == id);
        for peer in now.iter().filter(|peer| !is_in(&known, &peer.id)) {
            joined += 1;
            let (id, kind) = (peer.id.as_str(), kind_of(peer));
            let links = peer.links.iter().map(|link| link.from.clone()).collect();
            say(&RouterEvent::Joined { id, kind, links })?;
        }
        for peer in known.iter().filter(|peer| !is_in(&now, &peer.id)) {
            left += 1;
            let (id, kind) = (peer.id.as_str(), kind_of(peer));
            say(&RouterEvent::Left { id, kind })?;
        }
        known = now;
    }
    router.close()?;
    say(&RouterEvent::Ended { joined, left })
}

fn kind_of(peer: &Peer) -> &'static str {
    match peer.kind {
        Mode::Peer => "peer",
        Mode::Router => "router",
        Mode::Client => "client",
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn events_read_as_lines_of_text_and_json() {
        let joined = RouterEvent::Joined {
            id: "a1",
            kind: "peer",
            links: vec!["tcp/127.0.0.1:7447".to_owned()],
        };
        assert_eq!(joined.text(), "peer a1 joined by tcp/127.0.0.1:7447\n");
        let json = r#"{"event":"joined","id":"a1","kind":"peer","links":["tcp/127.0.0.1:7447"]}"#;
        assert_eq!(serde_json::to_string(&joined).unwrap(), json);
    }

    /// Set in the process that panics.
    const PANICS: &str = "SEDGE_TEST_PANICS";

    #[test]
    fn a_panic_on_any_thread_ends_a_router() {
        if std::env::var_os(PANICS).is_some() {
            end_on_panic();
            let thread = std::thread::spawn(|| panic!("as a thread of the network might"));
            drop(thread.join());
            println!("it went on");
            return;
        }
        let name = "commands::router::tests::a_panic_on_any_thread_ends_a_router";
        let output = Command::new(std::env::current_exe().unwrap())
            .args([name, "--exact", "--nocapture"])
            .env(PANICS, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(PANICKED), "{said}");
        assert!(
            said.contains("running 1 test") && !said.contains("it went on"),
            "{said}"
        );
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            stderr.contains("as a thread of the network might"),
            "{stderr}"
        );
    }
}
