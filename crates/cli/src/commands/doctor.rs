//! `sedge doctor`: what works, what is doubtful, what is broken, and what to do about it.

mod latency;

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use clap::{Args, Subcommand};
use sedge_oni::{Header, KeyPattern};
use sedge_runtime::SystemClock;
use sedge_runtime::bus::doctor::{
    self, Check, PeerFact, RealTime, Verdict, disk_space, locked_bytes_max, real_time_answer,
    version_in, worst,
};
use sedge_runtime::bus::{Bus, Clocks};
use sedge_runtime::relay::TimeSpan;
use sedge_transport::{Network as _, Received};
use sedge_transport_zenoh::{Mode, Peer};
use sedge_viewer::viewer_version;
use serde::Serialize;

use super::{devices, write_json};
use crate::ExitWith;
use crate::bus_session::{BusSession, EVERYTHING, Enough, LinkArgs, dial};

/// How long it listens unless told otherwise.
const LOOK: Duration = Duration::from_secs(2);
/// How long peers are waited for.
const PEER_WAIT_MAX: Duration = Duration::from_secs(3);
/// Where every program answers with the schemas that it publishes.
const SCHEMAS: &str = "oni/*/*/agent.schema/**";
/// How long one round of questions waits for answers.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(500);
/// Rounds of questions: of several round trips the quickest says most about clocks.
const ROUNDS: usize = 5;
/// The viewer's program.
const VIEWER: &str = "rerun";

/// What `sedge doctor` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Examples:
  sedge doctor --machine
  sedge doctor --connect tcp/robot:7447
  sedge doctor --json
  sedge doctor latency                    does this machine wake an agent on time?

Exit codes: 0 all is well, 1 something is doubtful (WARN), 2 something is broken (FAIL).

Another machine's clock is bounded by messages and round trips: a message cannot come before it was
put, and the quickest one is taken to need no longer than the quickest round trip.")]
pub struct DoctorArgs {
    /// What to look at more closely.
    #[command(subcommand)]
    pub closer: Option<Closer>,
    /// Whom it listens to.
    #[command(flatten)]
    pub links: LinkArgs,
    /// How long it listens, such as 5s (default 2s).
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<TimeSpan>,
    /// Look at this machine only, at no network.
    #[arg(long, conflicts_with_all = ["connect", "listen", "launch", "span"])]
    pub machine: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What can be looked at more closely.
#[derive(Debug, Subcommand)]
pub enum Closer {
    /// Measure how late this machine wakes a thread, and look for what keeps it from being on time.
    Latency(latency::LatencyArgs),
}

/// What was found; what `--json` prints.
#[derive(Debug, Serialize)]
struct Diagnosis {
    verdict: Verdict,
    checks: Vec<Check>,
}

/// Looks at everything that a fleet needs.
///
/// # Errors
/// [`ExitWith`] where something is doubtful or broken, and when nothing can be printed.
pub fn run(args: &DoctorArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if let Some(Closer::Latency(args)) = &args.closer {
        return latency::run(args, out);
    }
    let mut checks = machine();
    if !args.machine {
        checks.extend(network(args)?);
    }
    let verdict = worst(&checks);
    if args.json {
        write_json(&Diagnosis { verdict, checks }, out)?;
    } else {
        for check in &checks {
            write_check(check, out)?;
        }
    }
    out.flush()?;
    exit_of(verdict)
}

/// What the process says to scripts.
fn exit_of(verdict: Verdict) -> anyhow::Result<()> {
    match verdict {
        Verdict::Ok => Ok(()),
        Verdict::Warn => Err(ExitWith(1).into()),
        Verdict::Fail => Err(ExitWith(2).into()),
    }
}

fn write_check(check: &Check, out: &mut dyn Write) -> io::Result<()> {
    let verdict = check.verdict.to_string();
    writeln!(out, "{verdict:<4}  {}: {}", check.subject, check.found)?;
    match &check.advice {
        Some(advice) => writeln!(out, "      -> {advice}"),
        None => Ok(()),
    }
}

/// What can be known without a network.
fn machine() -> Vec<Check> {
    let file = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let (limits, status) = (file("/proc/self/limits"), file("/proc/self/status"));
    let space = answer("df", &["-P", "-k", "/dev/shm"]).ok();
    let space = space.and_then(|output| disk_space(&String::from_utf8_lossy(&output.stdout)));
    let built = devices::rows().into_iter().filter(|row| row.built);
    let built: Vec<(String, usize)> = built
        .map(|row| (row.device.to_string(), row.count))
        .collect();
    let viewer = answer(VIEWER, &["--version"]).ok();
    let viewer = viewer.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let viewer = viewer
        .as_deref()
        .map(|said| version_in(said).unwrap_or("of no known version"));
    vec![
        doctor::shared_memory(space),
        doctor::locked_memory(locked_bytes_max(&limits, &status)),
        doctor::real_time(&try_real_time()),
        doctor::devices(&built),
        doctor::viewer(&viewer_version(), viewer),
    ]
}

/// Runs a program that says something about the machine.
fn answer(program: &str, arguments: &[&str]) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C");
    command.stdin(Stdio::null()).output()
}

fn try_real_time() -> RealTime {
    match answer("chrt", &["-f", "1", "true"]) {
        Err(error) => RealTime::NotTried(format!("chrt: {error}")),
        Ok(output) if output.status.success() => RealTime::Granted,
        Ok(output) => match real_time_answer(&String::from_utf8_lossy(&output.stderr)) {
            RealTime::Granted => RealTime::Denied(output.status.to_string()),
            denied => denied,
        },
    }
}

/// What the network and the programs on it are like.
fn network(args: &DoctorArgs) -> anyhow::Result<Vec<Check>> {
    let config = args.links.config()?;
    let dialled = config.connect.iter();
    let mut checks: Vec<Check> = dialled
        .map(|endpoint| doctor::end_point(endpoint, &dial(endpoint)))
        .collect();
    let session = match BusSession::open_alone(&config) {
        Ok(session) => session,
        Err(error) => {
            checks.push(doctor::no_session(&format!("{error:#}")));
            return Ok(checks);
        }
    };
    // What it says is in the next check.
    drop(session.network.wait_for_peers(1, PEER_WAIT_MAX));
    let peers = peers(&session);
    checks.push(doctor::peers(config.connect.len(), &peers));
    if peers.is_empty() {
        return Ok(checks);
    }
    let span = args.span.map_or(LOOK, |span| span.0);
    let (mut bus, mut clocks) = (Bus::new(session.now()), Clocks::new(SystemClock::domain()));
    let mut subscribers = [session.subscribe(&KeyPattern::parse(EVERYTHING)?, 0)?];
    let until = session.now() + span;
    let mut take = |_: usize, received: Received| {
        bus.observe(&received);
        if let Ok(header) = Header::decode(received.message.header()) {
            clocks.observe(&header, received.arrival);
        }
        Ok(Enough::No)
    };
    session.listen(&mut subscribers, Some(until), &mut take, &mut |_| Ok(()))?;
    let answers = ask_for_schemas(&session, &mut clocks)?;
    let streams = bus.streams(session.now());
    checks.push(doctor::traffic(&streams, span));
    checks.extend(doctor::schemas(&streams));
    checks.extend(doctor::served_schemas(&answers));
    checks.push(doctor::losses(&streams, subscribers[0].dropped()));
    checks.extend(doctor::clocks(&clocks.views()));
    Ok(checks)
}

fn peers(session: &BusSession) -> Vec<PeerFact> {
    let fact = |peer: Peer| PeerFact {
        id: peer.id,
        kind: match peer.kind {
            Mode::Router => "router",
            Mode::Peer => "peer",
            Mode::Client => "client",
        }
        .to_owned(),
        links: peer.links.into_iter().map(|link| link.to).collect(),
    };
    session.network.peers().into_iter().map(fact).collect()
}

/// Asks every program for its schemas, a few times over; clocks learn how long each agent took. The
/// answers of the first time.
fn ask_for_schemas(session: &BusSession, clocks: &mut Clocks) -> anyhow::Result<Vec<Received>> {
    let pattern = KeyPattern::parse(SCHEMAS)?;
    let mut first = Vec::new();
    for round in 0..ROUNDS {
        let asked = session.now();
        let wake = session.signal.wake();
        let Ok(mut replies) = session.network.query(&pattern, ANSWER_WAIT_MAX, wake) else {
            // Without answers nothing bounds a clock from above, which its check says.
            break;
        };
        let until = asked + ANSWER_WAIT_MAX;
        let mut answers = Vec::new();
        loop {
            answers.extend(std::iter::from_fn(|| replies.try_next()));
            let left = until.saturating_since(session.now());
            if replies.is_finished() || left.is_zero() || session.shutdown.is_requested() {
                break;
            }
            session.signal.wait(left);
        }
        for answer in &answers {
            let took = answer.arrival.saturating_since(asked);
            clocks.answered(answer.key.agent(), took);
        }
        if answers.is_empty() {
            break;
        }
        if round == 0 {
            first = answers;
        }
    }
    Ok(first)
}
