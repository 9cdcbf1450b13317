//! `sedge latency report`: real traffic beside synthetic probes, and what changed since last time.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use sedge_oni::{Key, KeyPattern};
use sedge_runtime::bus::{AgentStages, StageBoard};
use sedge_runtime::latency_run::{
    LatencyHistory, LatencyRun, MeasuredSkills, Readable, RungRow, SpanRow, page, rows_of_agent,
    rows_of_report, rows_of_wake_ups, rungs_of_agent, rungs_of_report, skill_lost, this_machine,
};
use sedge_runtime::probes::{Ping, ask, ping};
use sedge_runtime::relay::TimeSpan;
use sedge_runtime::wakeups::{WakeUps, measure_wake_ups};
use sedge_runtime::{AgentReport, FifoPriority, Shutdown, SystemClock};
use sedge_spacetime::Clock as _;
use sedge_transport::Network as _;
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use serde::Serialize;

use crate::bus_session::{BusSession, Enough, LinkArgs};
use crate::commands::top::{LATENCIES, nothing_said};
use crate::commands::write_json;
use crate::interrupt::shutdown_of_process;
use crate::{Table, UsageError};

/// How long agents are listened to unless told otherwise.
const LISTEN: Duration = Duration::from_secs(10);
/// Where runs are kept unless told otherwise.
const HISTORY: &str = "runs/latency.jsonl";
/// A longer history, or report, is none.
const FILE_BYTES_MAX: u64 = 64 << 20;
/// Where every program answers with the schemas that it publishes.
const SCHEMAS: &str = "oni/*/*/agent.schema/**";
/// How long answers are waited for when agents are looked for.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(1);
/// Agents that are asked; a larger fleet's are not all of them needed to know a network.
const AGENTS_MAX: usize = 16;
/// Ranges in the scans of probes: 64 B, that of a lidar of 1080 beams, and 64 kB.
const PING_VALUES: [usize; 3] = [16, 1_080, 16_384];
/// A question costs more than a message: a fifth as many.
const PINGS_PER_QUESTION: u64 = 5;

/// What `sedge latency report` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge latency report
  sedge latency report --connect tcp/robot:7447 --for 30s --html latency.html
  sedge latency report --from crane.json heron.json
  sedge latency report --from crane.json --skill runs/skill.json
  sedge latency report --machine --json

Real traffic is what agents say of their stages (since each of them started), or what reports say
that `sedge agent --report` wrote. Probes are this program's own: scans there and back between two
of its sessions over TCP on this machine, one after the other; questions that each agent's session
answers, not its loop; threads that wait for a time. Both are compared with the last run of this
machine, and kept with it in a file of one line a run (--history), of which the last 100 stay.")]
pub struct ReportArgs {
    /// Whom it listens to.
    #[command(flatten)]
    pub links: LinkArgs,
    /// How long it listens to agents, such as 30s (default 10s).
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<TimeSpan>,
    /// Reports of agents, instead of listening.
    #[arg(long, value_name = "REPORT.json", num_args = 1..,
        conflicts_with_all = ["connect", "listen", "launch", "span"])]
    pub from: Vec<PathBuf>,
    /// What rungs of degradation ladders are worth, as `sedge latency skill` measured it, in place
    /// of what launch files say.
    #[arg(long, value_name = "SKILL.json")]
    pub skill: Option<PathBuf>,
    /// Probe this machine only, at no network.
    #[arg(long, conflicts_with_all = ["connect", "listen", "launch", "span", "from"])]
    pub machine: bool,
    /// How many times each probe goes there and back; 0 for no probes.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000,
        value_parser = clap::value_parser!(u64).range(..=1_000_000))]
    pub probes: u64,
    /// The file of earlier runs, to which this one is added.
    #[arg(long, value_name = "PATH", default_value = HISTORY)]
    pub history: PathBuf,
    /// Write a page with plots to this file: HTML that fetches nothing.
    #[arg(long, value_name = "PATH")]
    pub html: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Printed<'r> {
    run: &'r LatencyRun,
    /// The run before, of this machine, if there was one.
    before: Option<&'r LatencyRun>,
}

/// Measures, compares, prints and keeps.
pub(super) fn run(args: &ReportArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    if args.machine && args.probes == 0 {
        let text = "expected something to measure, got --machine without probes";
        return Err(UsageError(text.to_owned()).into());
    }
    // First, so that a file that is something else is met before the minute is spent.
    let mut history = read_history(&args.history)?;
    let skills = args.skill.as_deref().map(read_skills).transpose()?;
    let mut run = measured(args)?;
    if let Some(skills) = &skills {
        skills.apply(&mut run.rungs);
    }
    let before = history.last_of(&run.machine).cloned();
    if args.json {
        let before = before.as_ref();
        write_json(&Printed { run: &run, before }, out)?;
    } else {
        write_text(&run, before.as_ref(), out)?;
    }
    out.flush()?;
    if let Some(path) = &args.html {
        write_file(path, &page(&run, &history))?;
        eprintln!("wrote {}", path.display());
    }
    history.push(run);
    write_file(&args.history, &history.text()?)?;
    eprintln!(
        "kept in {}, to compare the next run with",
        args.history.display()
    );
    Ok(())
}

fn measured(args: &ReportArgs) -> anyhow::Result<LatencyRun> {
    let mut real = Vec::new();
    let mut rungs = Vec::new();
    let mut probes = Vec::new();
    let source = if args.machine {
        "none: only this machine was probed".to_owned()
    } else if args.from.is_empty() {
        let session = BusSession::open(&args.links)?;
        let agents = heard(&session, args.span.map_or(LISTEN, |span| span.0))?;
        real = agents.iter().flat_map(rows_of_agent).collect();
        rungs = agents.iter().flat_map(rungs_of_agent).collect();
        probes = asked(&session, args.probes / PINGS_PER_QUESTION)?;
        let span = args.span.map_or(LISTEN, |span| span.0);
        format!("telemetry.latency of live agents, heard for {span:?}")
    } else {
        for path in &args.from {
            let report = read_report(path)?;
            real.extend(rows_of_report(&report));
            rungs.extend(rungs_of_report(&report));
        }
        let names: Vec<String> = args
            .from
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!("reports of agents that have ended: {}", names.join(", "))
    };
    if args.probes > 0 {
        let shutdown = shutdown_of_process();
        probes.extend(pinged(args.probes, &shutdown)?);
        probes.extend(woken(args.probes, &shutdown)?);
    }
    Ok(LatencyRun {
        stamp_nanos: SystemClock::new().now().nanos(),
        machine: this_machine(),
        source,
        real,
        probes,
        rungs,
    })
}

/// What agents say of their stages.
fn heard(session: &BusSession, span: Duration) -> anyhow::Result<Vec<AgentStages>> {
    let pattern = KeyPattern::parse(LATENCIES)?;
    let mut subscribers = [session.subscribe(&pattern, 0)?];
    let mut board = StageBoard::default();
    let until = Some(session.now() + span);
    let mut take = |_: usize, received| {
        board.observe(&received);
        Ok(Enough::No)
    };
    session.listen(&mut subscribers, until, &mut take, &mut |_| Ok(()))?;
    if board.is_empty() {
        bail!(
            "{}; without an agent: `sedge latency report --machine`",
            nothing_said(&pattern, span, board.last_error())
        );
    }
    Ok(board.agents(session.now()))
}

/// How long questions to each program take; one of its schemas is asked for.
fn asked(session: &BusSession, n: u64) -> anyhow::Result<Vec<SpanRow>> {
    if n == 0 {
        return Ok(Vec::new());
    }
    let mut keys: Vec<Key> = Vec::new();
    let wake = session.signal.wake();
    let mut replies = session
        .network
        .query(&KeyPattern::parse(SCHEMAS)?, ANSWER_WAIT_MAX, wake)?;
    let until = session.now() + ANSWER_WAIT_MAX;
    while !replies.is_finished() && session.now() < until && !session.shutdown.is_requested() {
        while let Some(reply) = replies.try_next() {
            let is_same =
                |key: &Key| (key.fleet(), key.agent()) == (reply.key.fleet(), reply.key.agent());
            if keys.len() < AGENTS_MAX && !keys.iter().any(is_same) {
                keys.push(reply.key);
            }
        }
        session.signal.wait(until.saturating_since(session.now()));
    }
    keys.sort();
    let (clock, shutdown) = (session.clock.as_ref(), &session.shutdown);
    let mut rows = Vec::new();
    for key in &keys {
        rows.push(ask(&session.network, key, n, clock, shutdown)?);
    }
    Ok(rows)
}

/// How long scans take there and back between two sessions of our own.
fn pinged(n: u64, shutdown: &Shutdown) -> anyhow::Result<Vec<SpanRow>> {
    let clock = Arc::new(SystemClock::new());
    let far = ZenohConfig {
        listen: vec!["tcp/127.0.0.1:0".to_owned()],
        ..ZenohConfig::default()
    };
    let far = ZenohNetwork::open(&far, Arc::<SystemClock>::clone(&clock))?;
    let near = ZenohConfig {
        connect: far.locators(),
        ..ZenohConfig::default()
    };
    let near = ZenohNetwork::open(&near, Arc::<SystemClock>::clone(&clock))?;
    let mut rows = Vec::new();
    for n_values in PING_VALUES {
        let asked = Ping { n_values, n };
        rows.push(ping(&near, &far, asked, clock.as_ref(), shutdown)?);
    }
    Ok(rows)
}

fn woken(n: u64, shutdown: &Shutdown) -> anyhow::Result<Vec<SpanRow>> {
    let asked = WakeUps {
        period: Duration::from_millis(1),
        n,
        priority: FifoPriority::DEFAULT,
    };
    Ok(rows_of_wake_ups(&measure_wake_ups(asked, shutdown)?))
}

fn write_text(
    run: &LatencyRun,
    before: Option<&LatencyRun>,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    writeln!(out, "{}", run.machine)?;
    if !run.real.is_empty() {
        writeln!(
            out,
            "\nreal traffic, since each agent started ({})",
            run.source
        )?;
        let old = before.map_or(&[][..], |before| &before.real);
        write!(out, "{}", table(&run.real, old, "missed").text())?;
    }
    if !run.rungs.is_empty() {
        writeln!(out, "\ndegradation ladders, since each agent started")?;
        write!(out, "{}", rung_table(&run.rungs))?;
    }
    if !run.probes.is_empty() {
        writeln!(out, "\nsynthetic probes of this program's own")?;
        let old = before.map_or(&[][..], |before| &before.probes);
        write!(out, "{}", table(&run.probes, old, "unanswered").text())?;
    }
    match before {
        Some(_) => writeln!(out, "\nsince: the change from the last run of this machine")?,
        None => writeln!(
            out,
            "\nthe first run of this machine: nothing to compare with"
        )?,
    }
    Ok(())
}

fn table(rows: &[SpanRow], before: &[SpanRow], missed: &str) -> Table {
    let mut table = Table::new([
        "whose",
        "what",
        "n",
        "p50",
        "p99",
        "p99.9",
        "max",
        "budget",
        missed,
        "p50 since",
        "p99 since",
    ]);
    let percent = |share: f64| format!("{:+.1} %", share * 100.0);
    for row in rows {
        let change = row.change(before);
        let budget = row.budget_nanos.map(|nanos| Readable(nanos).to_string());
        table.push([
            row.whose.clone(),
            row.what.clone(),
            row.n.to_string(),
            Readable(row.p50_nanos).to_string(),
            Readable(row.p99_nanos).to_string(),
            Readable(row.p999_nanos).to_string(),
            Readable(row.max_nanos).to_string(),
            budget.unwrap_or_default(),
            row.missed.to_string(),
            change.map(|change| percent(change.p50)).unwrap_or_default(),
            change.map(|change| percent(change.p99)).unwrap_or_default(),
        ]);
    }
    table
}

/// Rungs, and what each agent's ladder lost.
fn rung_table(rows: &[RungRow]) -> String {
    let mut table = Table::new(["whose", "rung", "plans", "cost", "skill", "by"]);
    for row in rows {
        let by = if row.is_measured { "measured" } else { "said" };
        let skill = row.skill.map(|skill| format!("{skill:.3}"));
        table.push([
            row.whose.clone(),
            row.rung.clone(),
            row.plans.to_string(),
            Readable(row.cost_nanos).to_string(),
            skill.clone().unwrap_or_default(),
            skill.map_or(String::new(), |_| by.to_owned()),
        ]);
    }
    let mut agents: Vec<&str> = rows.iter().map(|row| row.whose.as_str()).collect();
    agents.dedup();
    let lost = |whose: &str| {
        let lost = skill_lost(rows, whose)?;
        Some(format!(
            "{whose}: {:.1} % of the skill lost over all plans\n",
            100.0 * lost
        ))
    };
    let lost: String = agents.into_iter().filter_map(lost).collect();
    table.text() + &lost
}

fn read_skills(path: &Path) -> anyhow::Result<MeasuredSkills> {
    let text = read_text(path)?;
    serde_json::from_str(&text).with_context(|| {
        let path = path.display();
        format!("{path}: expected what `sedge latency skill --out` wrote")
    })
}

fn read_history(path: &Path) -> anyhow::Result<LatencyHistory> {
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) if is_missing(&error) => return Ok(LatencyHistory::default()),
        Err(error) => return Err(error),
    };
    LatencyHistory::parse(&text).with_context(|| {
        let path = path.display();
        format!("{path} is no history of latency reports; name another file with --history")
    })
}

fn is_missing(error: &anyhow::Error) -> bool {
    let io_error = error.downcast_ref::<std::io::Error>();
    io_error.is_some_and(|error| error.kind() == ErrorKind::NotFound)
}

fn read_report(path: &Path) -> anyhow::Result<AgentReport> {
    let text = read_text(path)?;
    serde_json::from_str(&text).with_context(|| {
        let path = path.display();
        format!("{path}: expected a report that `sedge agent --report` wrote")
    })
}

fn read_text(path: &Path) -> anyhow::Result<String> {
    let cannot_read = || format!("cannot read {}", path.display());
    let bytes = std::fs::metadata(path).with_context(cannot_read)?.len();
    if bytes > FILE_BYTES_MAX {
        let path = path.display();
        bail!("{path}: expected a file of at most {FILE_BYTES_MAX} bytes, got {bytes}");
    }
    std::fs::read_to_string(path).with_context(cannot_read)
}

/// Writes a file whole or not at all, and the folder that it lies in where that is missing.
pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
