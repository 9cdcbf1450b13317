//! `sedge top`: where every agent spends its time, live.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use sedge_oni::KeyPattern;
use sedge_runtime::bus::{AgentStages, StageBoard, StageFigures};
use sedge_runtime::relay::TimeSpan;
use sedge_spacetime::Stamp;
use serde::Serialize;

use super::write_json;
use crate::Table;
use crate::bus_session::{BusSession, Enough, LinkArgs, LiveText, parse_pattern};

/// Where agents say what their stages took.
pub(crate) const LATENCIES: &str = "oni/*/*/telemetry.latency/**";
/// How long one look takes: two words of every agent, which speaks once a second.
const LOOK: Duration = Duration::from_secs(2);
/// Who has said nothing for longer than this is marked: three words that did not come.
const SILENT_SECS: f64 = 3.0;

/// What `sedge top` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge top
  sedge top --once
  sedge top 'oni/*/crane3/telemetry.latency/**' --connect tcp/robot:7447
  sedge top --for 10s --json

Without --for or --once it goes on until ctrl-c; where standard error is a terminal, the table is
drawn over itself there, else it is printed once a second. Agents say once a second what each stage
took since they started: n is how often, /s how often a second lately, p50 to max how long, missed
how often it took longer than its budget (and lately), in a row the most of those without a kept one
between. The rung is where the agent stands on its degradation ladder, if it has one. --json has
times in nanoseconds.")]
pub struct TopArgs {
    /// Which agents' streams: * stands for one chunk, a last ** for any rest.
    #[arg(value_name = "KEY_PATTERN", default_value = LATENCIES, value_parser = parse_pattern)]
    pub pattern: KeyPattern,
    /// Whom it listens to.
    #[command(flatten)]
    pub links: LinkArgs,
    /// How long it listens, such as 5s.
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<TimeSpan>,
    /// Look for 2 s, print once and end.
    #[arg(long, conflicts_with = "span")]
    pub once: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was heard; what `--json` prints.
#[derive(Debug, Serialize)]
struct Top {
    /// How long it listened, in seconds.
    listened_secs: f64,
    /// Messages that could not be read.
    refused: u64,
    /// Messages of agents beyond the limit of what is listed.
    unlisted: u64,
    /// Each agent, in the order of keys.
    agents: Vec<AgentStages>,
}

/// Shows stages.
///
/// # Errors
/// When nobody can be reached, or no agent spoke in the time given.
pub fn run(args: &TopArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = BusSession::open(&args.links)?;
    let mut subscribers = [session.subscribe(&args.pattern, 0)?];
    let began = session.now();
    let span = args.span.map(|span| span.0).or(args.once.then_some(LOOK));
    let board = RefCell::new(StageBoard::default());
    let live = LiveText::detect();
    let top_at = |now: Stamp| {
        let board = board.borrow();
        Top {
            listened_secs: now.saturating_since(began).as_secs_f64(),
            refused: board.refused(),
            unlisted: board.unlisted(),
            agents: board.agents(now),
        }
    };
    let mut take = |_: usize, received| {
        board.borrow_mut().observe(&received);
        Ok(Enough::No)
    };
    let mut has_hinted = false;
    let mut news = |now| {
        let is_silent = board.borrow().is_empty();
        if is_silent && !has_hinted && span.is_none() {
            has_hinted = true;
            let pattern = &args.pattern;
            eprintln!("nothing yet under {pattern}; agents speak there once a second");
        }
        live.set(|| text(&top_at(now)));
        if span.is_none() && args.json {
            writeln!(out, "{}", serde_json::to_string(&top_at(now))?)?;
        } else if span.is_none() && live.is_silent() && !is_silent {
            writeln!(out, "{}", text(&top_at(now)))?;
        }
        Ok(out.flush()?)
    };
    session.listen(
        &mut subscribers,
        span.map(|span| began + span),
        &mut take,
        &mut news,
    )?;
    live.end();
    let top = top_at(session.now());
    if let Some(span) = span.filter(|_| top.agents.is_empty()) {
        bail!(nothing_said(
            &args.pattern,
            span,
            board.borrow().last_error()
        ));
    }
    match (args.json, span) {
        (true, None) => writeln!(out, "{}", serde_json::to_string(&top)?)?,
        (true, Some(_)) => write_json(&top, out)?,
        (false, _) => write!(out, "{}", text(&top))?,
    }
    if let Some(error) = board.borrow().last_error() {
        eprintln!(
            "warning: {} messages could not be read, the last: {error}",
            top.refused
        );
    }
    Ok(())
}

/// What to say where no agent spoke of its stages.
pub(crate) fn nothing_said(pattern: &KeyPattern, span: Duration, error: Option<&str>) -> String {
    match error {
        Some(error) => format!("expected what agents' stages took, got only {error}"),
        None => format!(
            "expected an agent's telemetry.latency under {pattern}, none came within {span:?}; \
             agents say it once a second: `sedge list` shows who is there"
        ),
    }
}

fn text(top: &Top) -> String {
    let header = [
        "agent",
        "stage",
        "budget ms",
        "n",
        "/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "missed",
        "lately",
        "in a row",
        "rung",
    ];
    let mut table = Table::new(header);
    for agent in &top.agents {
        let name = match agent.stream.as_str() {
            "main" => format!("{}/{}", agent.fleet, agent.agent),
            stream => format!("{}/{}/{stream}", agent.fleet, agent.agent),
        };
        for (idx, stage) in agent.stages.iter().enumerate() {
            // What is true of all of an agent's stages is said once.
            let note = if idx == 0 { note(agent) } else { String::new() };
            table.push(row(&name, stage, note));
        }
    }
    table.text()
}

fn row(agent: &str, stage: &StageFigures, note: String) -> [String; 13] {
    let millis = |nanos: u64| format!("{:.3}", nanos as f64 / 1e6);
    let budgeted = |n: u64| {
        stage
            .budget_nanos
            .map(|_| n.to_string())
            .unwrap_or_default()
    };
    [
        agent.to_owned(),
        stage.stage.clone(),
        stage.budget_nanos.map(millis).unwrap_or_default(),
        stage.n.to_string(),
        stage
            .per_sec
            .map(|hz| format!("{hz:.1}"))
            .unwrap_or_default(),
        millis(stage.p50_nanos),
        millis(stage.p99_nanos),
        millis(stage.p999_nanos),
        millis(stage.max_nanos),
        budgeted(stage.missed),
        stage.missed_lately.map(budgeted).unwrap_or_default(),
        budgeted(stage.missed_in_a_row_max),
        note,
    ]
}

/// The rung in force, and whether the agent has fallen silent.
fn note(agent: &AgentStages) -> String {
    let rung = agent.rung.as_ref().map(|rung| {
        format!(
            "{} ({} of {}, {} changes)",
            rung.name,
            rung.idx + 1,
            rung.n_rungs,
            rung.changes
        )
    });
    let silent =
        (agent.age_secs > SILENT_SECS).then(|| format!("silent for {:.0} s", agent.age_secs));
    let notes: Vec<String> = [rung, silent].into_iter().flatten().collect();
    notes.join("; ")
}
