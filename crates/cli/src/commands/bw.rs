//! `sedge bw`: how many bytes a second each stream takes.

use std::io::Write;

use clap::Args;

use crate::Table;
use crate::watching::{Figures, WatchArgs, bytes_text, watch};

/// What `sedge bw` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge bw
  sedge bw 'oni/*/crane/**' --for 10s
  sedge bw --for 5s --json

Without --for or --n it goes on until ctrl-c and prints once a second. Bytes are those of headers
and payloads as they travel, without what the network adds.")]
pub struct BwArgs {
    /// Which streams, and for how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// End after so many messages.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
}

/// Measures bytes.
///
/// # Errors
/// When nobody can be reached, or nothing came in the time given.
pub fn run(args: &BwArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    watch(&args.watch, args.n, &table, out)
}

fn table(figures: &Figures) -> String {
    let mut table = Table::new(["key", "messages", "mean size", "bytes", "per second"]);
    for view in &figures.streams {
        table.push([
            view.key.clone(),
            view.messages.to_string(),
            bytes_text(view.mean_bytes.unwrap_or(0.0)),
            bytes_text(view.bytes as f64),
            bytes_text(view.bytes_per_sec),
        ]);
    }
    let total = &figures.total;
    table.push([
        "all".to_owned(),
        total.messages.to_string(),
        String::new(),
        bytes_text(total.bytes as f64),
        bytes_text(total.bytes_per_sec),
    ]);
    table.text()
}
