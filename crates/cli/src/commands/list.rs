//! `sedge list`: who is there, and with which streams.

use std::io::Write;

use clap::Args;
use sedge_oni::{Manifest, TypedMessage as _};
use sedge_runtime::bus::{Agreement, ProgramView, StreamView};

use super::write_json;
use crate::Table;
use crate::bus_session::BusSession;
use crate::watching::{Figures, WatchArgs, bytes_text, look};

/// Digits of a schema's hash that are printed; `--json` has all.
const HASH_DIGITS: usize = 8;

/// What `sedge list` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge list
  sedge list --connect tcp/robot:7447
  sedge list 'oni/*/crane/**' --for 10s --json

It listens for 2 s unless --for says otherwise. Programs and who reads what come from manifests,
which their publishers keep for whoever comes late; rates, sizes and ages from messages. A program
without a manifest is seen by what it sends only. A stream is `refused` where its schema does not
fit: here, or with the program that is named (agent/stream: several may speak for one agent).

Peers do not relay: through a player one sees that player, not who listens to it, unless those can
dial us (--listen) or all of them meet at a `sedge router`.")]
pub struct ListArgs {
    /// Which streams, and for how long.
    #[command(flatten)]
    pub watch: WatchArgs,
}

/// Lists programs and streams.
///
/// # Errors
/// When nobody can be reached.
pub fn run(args: &ListArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = BusSession::open(&args.watch.links)?;
    let figures = look(&session, &args.watch, &text)?;
    if args.watch.json {
        write_json(&figures, out)?;
    } else {
        write!(out, "{}", text(&figures))?;
    }
    if figures.streams.is_empty() {
        eprintln!(
            "nothing under {} within {:.1} s, with {} connected; `sedge doctor` looks closer",
            args.watch.pattern, figures.listened_secs, figures.peers
        );
    }
    figures.say_doubts();
    Ok(())
}

fn text(figures: &Figures) -> String {
    let mut tables = Vec::new();
    if !figures.programs.is_empty() {
        tables.push(programs(&figures.programs).text());
    }
    if !figures.streams.is_empty() {
        tables.push(streams(&figures.streams).text());
    }
    tables.join("\n")
}

fn programs(programs: &[ProgramView]) -> Table {
    let mut table = Table::new(["agent", "stream", "software", "state", "sends", "reads", ""]);
    for view in programs {
        let said = |text: &Option<String>| text.clone().unwrap_or_default();
        table.push([
            format!("{}/{}", view.fleet, view.agent),
            view.stream.clone(),
            said(&view.software),
            view.state.unwrap_or_default().to_owned(),
            view.publishes.to_string(),
            view.subscribes.to_string(),
            said(&view.detail),
        ]);
    }
    table
}

fn streams(streams: &[StreamView]) -> Table {
    let mut table = Table::new([
        "key", "schema", "class", "Hz", "size", "age s", "from", "to", "",
    ]);
    for view in streams {
        let schema = view.schema.as_ref().map(|schema| {
            let hash: String = schema.hash.chars().take(HASH_DIGITS).collect();
            format!("{} {hash}", schema.version)
        });
        let hz = view.rhythm.map(|rhythm| format!("{:.1}", rhythm.mean_hz));
        table.push([
            view.key.clone(),
            schema.unwrap_or_default(),
            view.class.clone(),
            hz.unwrap_or_default(),
            view.mean_bytes.map(bytes_text).unwrap_or_default(),
            view.age_secs
                .map(|age| format!("{age:.1}"))
                .unwrap_or_default(),
            view.publishers.join(" "),
            view.subscribers.join(" "),
            note(view),
        ]);
    }
    table
}

/// What is not as it should be with a stream.
fn note(view: &StreamView) -> String {
    let here = match &view.agreement {
        Agreement::Refused(why) => Some(format!("refused here: {why}")),
        Agreement::Unknown => Some("schema unknown here".to_owned()),
        Agreement::Compatible => Some("another minor version".to_owned()),
        Agreement::Unread | Agreement::Same => None,
    };
    let count = |n: u64, what: &str| (n > 0).then(|| format!("{n} {what}"));
    // A manifest itself is put once, before we came: that it is known says that it was heard.
    let is_unheard = view.messages == 0 && view.message_type != Manifest::NAME;
    let refusers = view.refused_by.join(", ");
    let notes = [
        here,
        (!refusers.is_empty()).then(|| format!("refused by {refusers}")),
        count(view.loss.lost, "lost"),
        count(view.loss.duplicated, "duplicated"),
        count(view.malformed, "malformed"),
        is_unheard.then(|| "announced, not heard".to_owned()),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    notes.join("; ")
}
