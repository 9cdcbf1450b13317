//! `sedge hz`: how often and how regularly messages come, and what is lost.

use std::io::Write;

use clap::Args;
use sedge_runtime::bus::StreamView;

use crate::Table;
use crate::watching::{Figures, WatchArgs, watch};

/// What `sedge hz` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge hz
  sedge hz 'oni/*/*/sensor.lidar/**' --for 10s
  sedge hz --for 5s --json

Without --for or --n it goes on until ctrl-c and prints once a second. Gaps are between arrivals
here; losses are counted from the senders' sequence numbers. Hz is the mean from the first message
to the last; recent Hz that of the last 4 s at most, which shows a stream that stops.")]
pub struct HzArgs {
    /// Which streams, and for how long.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// End after so many messages.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
}

/// Measures rates.
///
/// # Errors
/// When nobody can be reached, or nothing came in the time given.
pub fn run(args: &HzArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    watch(&args.watch, args.n, &table, out)
}

fn table(figures: &Figures) -> String {
    let mut table = Table::new([
        "key",
        "messages",
        "Hz",
        "recent Hz",
        "jitter ms",
        "min gap ms",
        "max gap ms",
        "lost",
        "duplicated",
    ]);
    let millis = |secs: f64| format!("{:.3}", secs * 1e3);
    for view in &figures.streams {
        let StreamView {
            key,
            messages,
            rhythm,
            recently,
            loss,
            ..
        } = view;
        let gaps = rhythm.map(|rhythm| {
            let hz = format!("{:.2}", rhythm.mean_hz);
            let gaps = [rhythm.jitter_secs, rhythm.gap_min_secs, rhythm.gap_max_secs];
            (hz, gaps.map(millis))
        });
        let (hz, [jitter, least, most]) = gaps.unwrap_or_default();
        let recent = recently.map(|flow| format!("{:.2}", flow.messages_per_sec));
        table.push([
            key.clone(),
            messages.to_string(),
            hz,
            recent.unwrap_or_default(),
            jitter,
            least,
            most,
            loss.lost.to_string(),
            loss.duplicated.to_string(),
        ]);
    }
    table.text()
}
