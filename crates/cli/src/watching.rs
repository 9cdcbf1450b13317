//! Watching streams for a while and printing figures: on the way and at the end.

use std::cell::RefCell;
use std::io::Write;
use std::time::Duration;

use anyhow::bail;
use clap::Args;
use sedge_oni::{Key, KeyPattern};
use sedge_runtime::bus::{Bus, BusTotal, ProgramView, StreamView};
use sedge_runtime::relay::TimeSpan;
use sedge_spacetime::Stamp;
use serde::Serialize;

use crate::bus_session::{BusSession, EVERYTHING, Enough, LinkArgs, LiveText, parse_pattern};
use crate::commands::write_json;

/// Where programs say what they are: their last word is kept for whoever comes late.
const MANIFESTS: &str = "oni/*/*/agent.manifest/**";
/// Where programs say how they are, once a second.
const HEALTH: &str = "oni/*/*/telemetry.health/**";
/// How long a look takes unless told otherwise: two words of everybody's health.
const LOOK: Duration = Duration::from_secs(2);

/// What all commands that watch streams take.
#[derive(Debug, Clone, Args)]
pub struct WatchArgs {
    /// Which streams: * stands for one chunk, a last ** for any rest.
    #[arg(value_name = "KEY_PATTERN", default_value = EVERYTHING, value_parser = parse_pattern)]
    pub pattern: KeyPattern,
    /// Whom it listens to.
    #[command(flatten)]
    pub links: LinkArgs,
    /// How long it listens, such as 5s.
    #[arg(long = "for", value_name = "TIME")]
    pub span: Option<TimeSpan>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was seen; what `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    /// How long it listened, in seconds.
    pub(crate) listened_secs: f64,
    /// Sessions at the other ends of our links.
    pub(crate) peers: usize,
    /// Messages that came faster than this program took them; losses below may be its own.
    pub(crate) dropped_here: u64,
    /// What came under these keys and has no header, or is beyond the limits: no ONI at all.
    pub(crate) foreign: u64,
    /// Everything together.
    pub(crate) total: BusTotal,
    /// Programs that have spoken of themselves; only those who look ask for them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) programs: Vec<ProgramView>,
    /// Each stream, in the order of keys.
    pub(crate) streams: Vec<StreamView>,
}

impl Figures {
    fn of(bus: &Bus, pattern: &KeyPattern, now: Stamp) -> Self {
        let mut streams = bus.streams(now);
        // Manifests name more than was asked for.
        streams.retain(|view| Key::parse(&view.key).is_ok_and(|key| pattern.matches(&key)));
        Self {
            listened_secs: now.saturating_since(bus.began()).as_secs_f64(),
            peers: 0,
            dropped_here: 0,
            foreign: 0,
            total: bus.total(now),
            programs: bus.programs(now),
            streams,
        }
    }

    /// Says where the figures are not the network's, or not whole.
    pub(crate) fn say_doubts(&self) {
        if self.dropped_here > 0 {
            eprintln!(
                "warning: {} messages came faster than this program took them; \
                 losses above may be its own",
                self.dropped_here
            );
        }
        say_foreign(self.foreign);
    }
}

/// Listens for a while to streams and to what programs say of themselves.
pub(crate) fn look(
    session: &BusSession,
    args: &WatchArgs,
    table: &dyn Fn(&Figures) -> String,
) -> anyhow::Result<Figures> {
    let mut subscribers = [
        session.subscribe(&args.pattern, 0)?,
        session.subscribe(&KeyPattern::parse(MANIFESTS)?, 1)?,
        session.subscribe(&KeyPattern::parse(HEALTH)?, 0)?,
    ];
    let began = session.now();
    let until = began + args.span.map_or(LOOK, |span| span.0);
    let bus = RefCell::new(Bus::new(began));
    let live = LiveText::detect();
    let mut take = |subscriber, received| {
        let mut bus = bus.borrow_mut();
        match subscriber {
            0 => bus.observe(&received),
            _ => bus.meet(&received),
        }
        Ok(Enough::No)
    };
    let mut news = |now| {
        live.set(|| table(&Figures::of(&bus.borrow(), &args.pattern, now)));
        Ok(())
    };
    session.listen(&mut subscribers, Some(until), &mut take, &mut news)?;
    live.end();
    Ok(Figures {
        peers: session.network.n_peers(),
        dropped_here: subscribers[0].dropped(),
        foreign: session.network.refused(),
        ..Figures::of(&bus.into_inner(), &args.pattern, session.now())
    })
}

/// Watches, at most for `n` messages. With an end in sight, figures are printed there, as text or
/// as one JSON document; without one, every second, as text or as lines of JSON.
pub(crate) fn watch(
    args: &WatchArgs,
    n: Option<u64>,
    table: &dyn Fn(&Figures) -> String,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let session = BusSession::open(&args.links)?;
    let mut subscribers = [session.subscribe(&args.pattern, 0)?];
    let began = session.now();
    let until = args.span.map(|span| began + span.0);
    let is_endless = until.is_none() && n.is_none();
    let bus = RefCell::new(Bus::new(began));
    let live = LiveText::detect();
    let figures_at = |now| Figures {
        peers: session.network.n_peers(),
        foreign: session.network.refused(),
        programs: Vec::new(),
        ..Figures::of(&bus.borrow(), &args.pattern, now)
    };
    let mut n_came = 0;
    let mut take = |_: usize, received| {
        bus.borrow_mut().observe(&received);
        n_came += 1;
        let has_all = n.is_some_and(|n| n_came >= n);
        Ok(if has_all { Enough::Yes } else { Enough::No })
    };
    let mut news = |now| {
        live.set(|| table(&figures_at(now)));
        if is_endless && args.json {
            writeln!(out, "{}", serde_json::to_string(&figures_at(now))?)?;
        } else if is_endless && live.is_silent() {
            writeln!(out, "{}", table(&figures_at(now)))?;
        }
        Ok(out.flush()?)
    };
    session.listen(&mut subscribers, until, &mut take, &mut news)?;
    live.end();
    let figures = Figures {
        dropped_here: subscribers[0].dropped(),
        ..figures_at(session.now())
    };
    if let Some(span) = args.span.filter(|_| figures.total.messages == 0) {
        bail!(nothing_under(&args.pattern, span));
    }
    match (args.json, is_endless) {
        (true, true) => writeln!(out, "{}", serde_json::to_string(&figures)?)?,
        (true, false) => write_json(&figures, out)?,
        (false, _) => write!(out, "{}", table(&figures))?,
    }
    figures.say_doubts();
    Ok(())
}

/// What to say where a pattern matched nothing.
pub(crate) fn nothing_under(pattern: &KeyPattern, span: TimeSpan) -> String {
    format!(
        "expected messages under {pattern}, none came within {:?}; \
         `sedge list` shows what there is",
        span.0
    )
}

/// Says what came and was no ONI at all.
pub(crate) fn say_foreign(n: u64) {
    if n > 0 {
        eprintln!(
            "warning: {n} samples under these keys are no ONI messages: they have no header, or \
             are beyond the limits"
        );
    }
}

/// Bytes in the unit that reads best.
pub(crate) fn bytes_text(bytes: f64) -> String {
    let units = [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")];
    match units.into_iter().find(|(size, _)| bytes >= *size) {
        Some((size, unit)) => format!("{:.2} {unit}", bytes / size),
        None => format!("{bytes:.0} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_said_in_the_unit_that_reads_best() {
        let texts = [0.0, 999.0, 1_500.0, 2.5e6, 3e9].map(bytes_text);
        assert_eq!(texts, ["0 B", "999 B", "1.50 kB", "2.50 MB", "3.00 GB"]);
    }
}
