//! `sedge graph`: who sends what to whom.

use std::io::Write;

use clap::Args;
use sedge_runtime::bus::Graph;

use super::write_json;
use crate::bus_session::BusSession;
use crate::watching::{Figures, WatchArgs, look};

/// What `sedge graph` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge graph
  sedge graph --mermaid > fleet.mmd
  sedge graph 'oni/*/*/model.belief/**' --connect tcp/robot:7447

It listens for 2 s unless --for says otherwise. Who listens is known of programs with a manifest
only. Mermaid diagrams are drawn by GitHub, GitLab and many editors inside ```mermaid fences.")]
pub struct GraphArgs {
    /// Which streams, and for how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// Print a Mermaid flowchart.
    #[arg(long, conflicts_with = "json")]
    pub mermaid: bool,
}

/// Draws streams.
///
/// # Errors
/// When nobody can be reached.
pub fn run(args: &GraphArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = BusSession::open(&args.watch.links)?;
    let figures = look(&session, &args.watch, &|figures: &Figures| {
        Graph::of(&figures.streams).text()
    })?;
    let graph = Graph::of(&figures.streams);
    if args.watch.json {
        write_json(&graph, out)?;
    } else if args.mermaid {
        write!(out, "{}", graph.mermaid())?;
    } else {
        write!(out, "{}", graph.text())?;
    }
    if graph.streams.is_empty() {
        eprintln!(
            "nothing under {} within {:.1} s, with {} connected; `sedge doctor` looks closer",
            args.watch.pattern, figures.listened_secs, figures.peers
        );
    }
    figures.say_doubts();
    Ok(())
}
