//! `sedge link`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use sedge_runtime::relay::{
    BitRate, CutKind, Direction, Percent, Relay, RelayConfig, RelayControl, RelayEndpoint,
    RelayError, RelayNews, RelayOrder, RelayReport, TimeSpan, TimeWindow,
};
use sedge_runtime::{Shutdown, spawn_named};
use sedge_spacetime::Stamp;
use sedge_transport::{Impairments, Reordering};
use serde::{Deserialize, Serialize};

use crate::interrupt::shutdown_of_process;
use crate::{Table, UsageError, read_launch_file};

/// The seed of a link that is told none: its faults matter, not which of them come first.
const DEFAULT_SEED: u64 = 1;
/// Three messages of a stream at 300 a second.
const REORDER_BY: Duration = Duration::from_millis(10);

/// What `sedge link` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge link --connect tcp/10.0.0.7:7447 --delay 20ms --jitter 5ms
  sedge link --listen udp/127.0.0.1:7448 --connect udp/127.0.0.1:7447 --loss 5% --duplicate 1%
  sedge link --config link.toml --partition 10s..20s --for 60s --json

Dial it instead of the endpoint it stands for: sedge agent --connect tcp/127.0.0.1:7448.
No root and no kernel module is needed; both directions have the faults, each with its own chance.

Over UDP each datagram is delayed, lost, doubled, overtaken or cut off by itself. Over TCP the
bytes may not be lost: a lost packet is sent again 200 ms later, then 400 ms, and so on, and all
bytes behind it wait meanwhile; the kernel's own TCP to either side has no faults. TLS is relayed
as the bytes it is: write tcp/. A silent cut holds back what TCP carries and lets it go when it
heals; who dials during a cut is let through when his kernel would try again, 1, 3, 7, .. s after
he dialled. Delays are kept to about 1 ms.

While it runs it takes orders, one a line, on standard input:
  cut [forward|back] [10s]   heal   reset   delay 20ms   jitter 5ms   loss 20%   duplicate 1%
  reorder 2%   rate 10Mbit/s   rate none   stats   quit
`forward` is from who dials the link to whom it dials. Each order that is taken is answered with a
line. The end of standard input ends nothing, unless --until-stdin-ends says so.

A link file has the same keys with `_` for `-`: connect = \"tcp/10.0.0.7:7447\", loss = \"5%\"")]
pub struct LinkArgs {
    /// A link file (TOML); what is typed here overrides what it says.
    #[arg(long, value_name = "LINK.toml")]
    pub config: Option<PathBuf>,
    /// Everything that a link file may say too.
    #[command(flatten)]
    pub settings: LinkSettings,
    /// End when standard input ends.
    #[arg(long)]
    pub until_stdin_ends: bool,
    /// Print a JSON object a line: where it listens, what happens, and the totals at the end.
    #[arg(long)]
    pub json: bool,
}

/// What a link is told, on the command line or in a link file (keys with `_` for `-`).
#[derive(Debug, Clone, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LinkSettings {
    /// Where to listen (default: the protocol of --connect at 127.0.0.1, any free port).
    #[arg(long, value_name = "ENDPOINT")]
    pub listen: Option<RelayEndpoint>,
    /// Whom to dial for each who dials the link: tcp/HOST:PORT or udp/HOST:PORT.
    #[arg(long, value_name = "ENDPOINT")]
    pub connect: Option<RelayEndpoint>,
    /// How long everything takes on its way (default 0s).
    #[arg(long, value_name = "TIME")]
    pub delay: Option<TimeSpan>,
    /// By how much that varies, at most (default 0s).
    #[arg(long, value_name = "TIME")]
    pub jitter: Option<TimeSpan>,
    /// Which share is lost (default 0%).
    #[arg(long, value_name = "SHARE")]
    pub loss: Option<Percent>,
    /// Which share comes twice; UDP (default 0%).
    #[arg(long, value_name = "SHARE")]
    pub duplicate: Option<Percent>,
    /// Which share is held back, so that what was sent later overtakes it; UDP (default 0%).
    #[arg(long, value_name = "SHARE")]
    pub reorder: Option<Percent>,
    /// For how long that share is held back (default 10ms).
    #[arg(long, value_name = "TIME")]
    pub reorder_by: Option<TimeSpan>,
    /// How much fits through, such as 10Mbit/s (default: no limit).
    #[arg(long, value_name = "RATE")]
    pub rate: Option<BitRate>,
    /// When nothing comes through, since the start, such as 10s..20s; may be given again.
    #[arg(long, value_name = "FROM..UNTIL")]
    pub partition: Vec<TimeWindow>,
    /// What a cut does to TCP: nothing comes (default), or connections are reset.
    #[arg(long, value_enum, value_name = "silent|reset")]
    pub on_cut: Option<OnCut>,
    /// The seed of the faults (default 1).
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// How long to run (default: until ctrl-c).
    #[arg(long = "for", value_name = "TIME")]
    #[serde(rename = "for")]
    pub run_for: Option<TimeSpan>,
}

/// What a cut does to TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCut {
    /// Nothing comes, and nobody is told.
    Silent,
    /// Connections are reset and new ones turned away.
    Reset,
}

impl LinkSettings {
    fn or(self, otherwise: Self) -> Self {
        Self {
            listen: self.listen.or(otherwise.listen),
            connect: self.connect.or(otherwise.connect),
            delay: self.delay.or(otherwise.delay),
            jitter: self.jitter.or(otherwise.jitter),
            loss: self.loss.or(otherwise.loss),
            duplicate: self.duplicate.or(otherwise.duplicate),
            reorder: self.reorder.or(otherwise.reorder),
            reorder_by: self.reorder_by.or(otherwise.reorder_by),
            rate: self.rate.or(otherwise.rate),
            partition: if self.partition.is_empty() {
                otherwise.partition
            } else {
                self.partition
            },
            on_cut: self.on_cut.or(otherwise.on_cut),
            seed: self.seed.or(otherwise.seed),
            run_for: self.run_for.or(otherwise.run_for),
        }
    }

    fn relay(self) -> anyhow::Result<RelayConfig> {
        let connect = self.connect.ok_or_else(|| {
            let example = "--connect tcp/127.0.0.1:7447";
            UsageError(format!(
                "expected an endpoint to dial, such as {example}, got none"
            ))
        })?;
        let listen = match self.listen {
            Some(listen) => listen,
            None => format!("{}/127.0.0.1:0", connect.protocol()).parse()?,
        };
        let impairments = Impairments {
            delay: self.delay.unwrap_or_default().0,
            jitter: self.jitter.unwrap_or_default().0,
            loss: self.loss.unwrap_or_default().into(),
            duplication: self.duplicate.unwrap_or_default().probability(),
            reordering: Reordering {
                probability: self.reorder.unwrap_or_default().probability(),
                by: self.reorder_by.map_or(REORDER_BY, |span| span.0),
            },
            rate: self.rate.map(Into::into),
            partitions: self.partition.into_iter().map(Into::into).collect(),
            ..Impairments::default()
        };
        Ok(RelayConfig {
            listen,
            connect,
            impairments,
            on_cut: match self.on_cut {
                None | Some(OnCut::Silent) => CutKind::Silent,
                Some(OnCut::Reset) => CutKind::Reset,
            },
            seed: self.seed.unwrap_or(DEFAULT_SEED),
            run_for: self.run_for.map(|span| span.0),
        })
    }
}

/// A line of `--json`.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum LinkEvent {
    Listening {
        endpoint: String,
        connect: String,
    },
    Cut {
        at_nanos: i64,
        forward: bool,
        back: bool,
        heals_after_secs: Option<f64>,
    },
    Healed {
        at_nanos: i64,
    },
    Reset {
        at_nanos: i64,
    },
    Changed {
        at_nanos: i64,
    },
    Stats(Box<RelayReport>),
    Ended(Box<RelayReport>),
}

impl LinkEvent {
    fn of(at: Stamp, news: RelayNews) -> Self {
        let at_nanos = at.nanos();
        match news {
            RelayNews::Cut(cut) => Self::Cut {
                at_nanos,
                forward: cut.only != Some(Direction::Back),
                back: cut.only != Some(Direction::Forward),
                heals_after_secs: cut.heals_after.map(|span| span.as_secs_f64()),
            },
            RelayNews::Healed => Self::Healed { at_nanos },
            RelayNews::Reset => Self::Reset { at_nanos },
            RelayNews::Changed => Self::Changed { at_nanos },
            RelayNews::Stats(report) => Self::Stats(Box::new(report)),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Listening { endpoint, connect } => {
                format!("listening on {endpoint} for {connect}\n")
            }
            Self::Cut {
                forward,
                back,
                heals_after_secs,
                ..
            } => {
                let ways = match (forward, back) {
                    (true, false) => " forward",
                    (false, true) => " back",
                    _ => "",
                };
                let heals = heals_after_secs.map(|secs| format!(" for {secs} s"));
                format!("cut{ways}{}\n", heals.unwrap_or_default())
            }
            Self::Healed { .. } => "healed\n".to_owned(),
            Self::Reset { .. } => "reset\n".to_owned(),
            Self::Changed { .. } => "changed\n".to_owned(),
            Self::Stats(report) | Self::Ended(report) => totals(report),
        }
    }
}

/// Where lines go, one at a time and at once.
struct Lines<'a> {
    out: &'a mut dyn Write,
    json: bool,
}

impl Lines<'_> {
    fn say(&mut self, event: &LinkEvent) -> anyhow::Result<()> {
        if self.json {
            serde_json::to_writer(&mut *self.out, event)?;
            writeln!(self.out)?;
        } else {
            self.out.write_all(event.text().as_bytes())?;
        }
        Ok(self.out.flush()?)
    }
}

/// Runs a link until its end and prints what went through.
///
/// # Errors
/// When an endpoint cannot be used or nothing can be printed.
pub fn run(args: &LinkArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let written = match &args.config {
        Some(path) => read_launch_file(path)?,
        None => LinkSettings::default(),
    };
    let config = args.settings.clone().or(written).relay()?;
    let connect = config.connect.to_string();
    let relay = Relay::open(config).map_err(as_usage)?;
    let shutdown = shutdown_of_process();
    let ends_with_orders = args.until_stdin_ends.then(|| shutdown.clone());
    take_orders(relay.control(), ends_with_orders)?;
    let mut lines = Lines {
        out,
        json: args.json,
    };
    let endpoint = relay.endpoint();
    lines.say(&LinkEvent::Listening { endpoint, connect })?;
    let mut said = Ok(());
    let report = relay.run(&shutdown, |at, news| {
        if said.is_ok() {
            said = lines.say(&LinkEvent::of(at, news));
        }
        if said.is_err() {
            // Nobody reads any more.
            shutdown.request();
        }
    });
    said?;
    lines.say(&LinkEvent::Ended(Box::new(report)))
}

/// What could be known to be wrong without trying.
fn as_usage(error: RelayError) -> anyhow::Error {
    match error {
        RelayError::Protocols { .. } | RelayError::PortZero { .. } | RelayError::Faults(_) => {
            UsageError(error.to_string()).into()
        }
        error => error.into(),
    }
}

/// Takes orders from standard input, and asks for the end when it ends, where there is whom to ask.
fn take_orders(control: RelayControl, at_end: Option<Shutdown>) -> anyhow::Result<()> {
    spawn_named("orders", move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            if line.trim().is_empty() {
                continue;
            }
            match line.parse::<RelayOrder>() {
                Ok(order) if control.order(order) => {}
                Ok(_) => return,
                Err(error) => eprintln!("error: {error}"),
            }
        }
        if let Some(shutdown) = at_end {
            shutdown.request();
        }
    })
    .context("cannot start a thread that takes orders")?;
    Ok(())
}

fn totals(report: &RelayReport) -> String {
    let mut table = Table::new([
        "direction",
        "came",
        "forwarded",
        "bytes",
        "lost",
        "queue full",
        "cut",
        "closed",
        "doubled",
        "sent again",
    ]);
    for (direction, row) in [("forward", &report.forward), ("back", &report.back)] {
        let counts = [
            row.came,
            row.forwarded,
            row.bytes_forwarded,
            row.dropped.loss,
            row.dropped.queue,
            row.dropped.partition,
            row.dropped.closed,
            row.duplicated,
            row.sent_again,
        ];
        let counts = counts.iter().map(ToString::to_string);
        table.push(std::iter::once(direction.to_owned()).chain(counts));
    }
    let connections = &report.connections;
    format!(
        "{:.1} s; connections: {} accepted, {} open, {} refused, {} unreachable, {} reset\n{}",
        report.secs,
        connections.accepted,
        connections.open,
        connections.refused,
        connections.unreachable,
        connections.reset,
        table.text()
    )
}

#[cfg(test)]
mod tests {
    use sedge_runtime::relay::Cut;
    use sedge_transport::Loss;

    use super::*;

    fn settings(text: &str) -> LinkSettings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn what_is_typed_overrides_the_file() {
        let typed = settings("loss = '5%'\nconnect = 'udp/a:1'");
        let written = settings("loss = '1%'\ndelay = '20ms'\npartition = ['1s..2s']\nfor = '1min'");
        let config = typed.or(written).relay().unwrap();
        assert_eq!(
            config.impairments.loss,
            Loss::Independent { probability: 0.05 }
        );
        assert_eq!(config.impairments.delay.as_millis(), 20);
        assert_eq!(
            (
                config.impairments.partitions.len(),
                config.run_for.unwrap().as_secs()
            ),
            (1, 60)
        );
        assert_eq!(config.listen.to_string(), "udp/127.0.0.1:0");
    }

    #[test]
    fn what_makes_no_link_is_a_matter_of_usage() {
        let check = |text: &str, expected: &str| {
            let args = LinkArgs {
                config: None,
                settings: settings(text),
                until_stdin_ends: false,
                json: false,
            };
            let error = run(&args, &mut Vec::new()).unwrap_err();
            assert!(crate::is_usage(&error), "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        };
        check("", "--connect tcp/127.0.0.1:7447");
        check("connect = 'tcp/127.0.0.1:0'", "expected a port to dial");
        check("connect = 'tcp/a:1'\nlisten = 'udp/b:1'", "one protocol");
    }

    #[test]
    fn events_read_as_lines_of_text_and_json() {
        let check = |news: RelayNews, text: &str, json: &str| {
            let event = LinkEvent::of(Stamp::ZERO, news);
            assert_eq!(event.text(), text);
            assert_eq!(serde_json::to_string(&event).unwrap(), json);
        };
        check(
            RelayNews::Healed,
            "healed\n",
            r#"{"event":"healed","at_nanos":0}"#,
        );
        let cut = Cut {
            only: Some(Direction::Back),
            heals_after: Some(Duration::from_secs(1)),
        };
        check(
            RelayNews::Cut(cut),
            "cut back for 1 s\n",
            r#"{"event":"cut","at_nanos":0,"forward":false,"back":true,"heals_after_secs":1.0}"#,
        );
    }
}
