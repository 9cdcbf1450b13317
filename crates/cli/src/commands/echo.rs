//! `sedge echo`: messages as they come, for a person to read.

use std::io::Write;

use anyhow::bail;
use clap::Args;
use sedge_oni::KeyPattern;
use sedge_runtime::bus::{Detail, show, show_json};
use sedge_runtime::relay::TimeSpan;
use sedge_transport::Received;

use crate::bus_session::{BusSession, EVERYTHING, Enough, LinkArgs, parse_pattern};
use crate::watching::{nothing_under, say_foreign};

/// What `sedge echo` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge echo
  sedge echo 'oni/*/*/sensor.lidar/**' --n 1 --full
  sedge echo oni/sedge/crane/model.belief/main --connect tcp/robot:7447 --json

It goes on until ctrl-c, or until --n or --for says. What cannot be decoded is shown with the reason
and its bytes. A stream that keeps its last message for late joiners shows it at once.")]
pub struct EchoArgs {
    /// Which streams: * stands for one chunk, a last ** for any rest.
    #[arg(value_name = "KEY_PATTERN", default_value = EVERYTHING, value_parser = parse_pattern)]
    pub pattern: KeyPattern,
    /// Whom it listens to.
    #[command(flatten)]
    pub links: LinkArgs,
    /// End after so many messages.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
    /// End after this time, such as 5s.
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<TimeSpan>,
    /// Print every value.
    #[arg(long, conflicts_with = "raw")]
    pub full: bool,
    /// Print the bytes of header and payload instead of what they mean.
    #[arg(long)]
    pub raw: bool,
    /// Print one line of JSON a message, with every value.
    #[arg(long)]
    pub json: bool,
}

/// Prints messages.
///
/// # Errors
/// When nobody can be reached, or nothing came in the time given.
pub fn run(args: &EchoArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let session = BusSession::open(&args.links)?;
    let mut subscribers = [session.subscribe(&args.pattern, 1)?];
    let detail = match (args.raw, args.full) {
        (true, _) => Detail::Raw,
        (_, true) => Detail::Full,
        _ => Detail::Brief,
    };
    let until = args.span.map(|span| session.now() + span.0);
    // Both closures look at it.
    let n_came = std::cell::Cell::new(0_u64);
    let mut take = |_: usize, received: Received| {
        if args.json {
            writeln!(out, "{}", show_json(&received, detail))?;
        } else {
            writeln!(out, "{}", show(&received, detail))?;
        }
        out.flush()?;
        n_came.set(n_came.get() + 1);
        let has_all = args.n.is_some_and(|n| n_came.get() >= n);
        Ok(if has_all { Enough::Yes } else { Enough::No })
    };
    let mut has_hinted = false;
    session.listen(&mut subscribers, until, &mut take, &mut |_| {
        if n_came.get() == 0 && !has_hinted {
            has_hinted = true;
            eprintln!(
                "nothing yet under {}; `sedge list` shows what there is",
                args.pattern
            );
        }
        Ok(())
    })?;
    let dropped = subscribers[0].dropped();
    if dropped > 0 {
        eprintln!("{dropped} messages came faster than they could be printed, and were left out");
    }
    say_foreign(session.network.refused());
    match args.span {
        Some(span) if n_came.get() == 0 => bail!(nothing_under(&args.pattern, span)),
        _ => Ok(()),
    }
}
