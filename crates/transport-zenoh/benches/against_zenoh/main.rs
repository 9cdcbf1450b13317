//! ONI over this room beside raw Zenoh, in one run: same payload, class of service, processes and
//! threads. Two processes, each with a session of each stack; turns alternate.
//!
//! It never judges: it prints every figure, nothing trimmed, and the ratio.
//!
//! ```text
//! cargo bench -p sedge-transport-zenoh --bench against_zenoh
//! cargo bench -p sedge-transport-zenoh --bench against_zenoh -- --round-trips 1000
//! cargo bench -p sedge-transport-zenoh --bench against_zenoh -- --payload "64 B"
//! cargo bench -p sedge-transport-zenoh --bench against_zenoh -- --write BENCHMARKS.md
//! cargo bench -p sedge-transport-zenoh --bench against_zenoh -- --link TCP --update BENCHMARKS.md
//! ```
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on should stop and say where"
)]

mod far;
mod loads;
mod round_trip;
mod table;
mod throughput;
mod update;

use std::fmt::Write as _;

use far::FarProcess;
use loads::{LINKS, PAYLOADS, Payload, carries, link_name};
use sedge_runtime::bench::{Surroundings, load_averages};
use sedge_transport_zenoh::race::Link;

const USAGE: &str = "options: --round-trips N (10000), --slow-round-trips N (10000, at 100 and \
    10 Hz), --rounds N (10), --only round-trip|throughput, --link NAME (both), --payload NAME \
    (all), --write FILE, --update FILE (only the rows that were measured)";

/// What is asked for on the command line.
struct Settings {
    /// Round trips per payload, load and stack.
    n_round_trips: u64,
    /// Round trips at 100 and 10 Hz, which take long.
    n_slow_round_trips: u64,
    /// Rounds of throughput per payload and stack.
    n_rounds: usize,
    /// One of the two parts, or both.
    only: Option<String>,
    /// One of the two links, or both.
    links: Vec<Link>,
    /// One of the payloads, or all.
    payloads: Vec<Payload>,
    /// Where the tables go, besides the screen.
    write: Option<String>,
    /// In which file the rows that are measured take the places of older ones.
    update: Option<String>,
}

impl Settings {
    fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Self {
            n_round_trips: 10_000,
            n_slow_round_trips: 10_000,
            n_rounds: 10,
            only: None,
            links: LINKS.to_vec(),
            payloads: PAYLOADS.to_vec(),
            write: None,
            update: None,
        };
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or(format!("expected a value after {name}"))
            };
            let number = |text: String| {
                let number = text.parse::<u32>();
                number.map_err(|error| format!("expected a number, got {text:?}: {error}"))
            };
            match name.as_str() {
                // What cargo adds by itself.
                "--bench" => {}
                "--round-trips" => settings.n_round_trips = u64::from(number(value()?)?.max(10)),
                "--slow-round-trips" => {
                    settings.n_slow_round_trips = u64::from(number(value()?)?.max(10));
                }
                "--rounds" => settings.n_rounds = number(value()?)?.max(1) as usize,
                "--only" => settings.only = Some(value()?),
                "--link" => keep(&mut settings.links, &value()?, link_name)?,
                "--payload" => keep(&mut settings.payloads, &value()?, |payload| payload.name)?,
                "--write" => settings.write = Some(value()?),
                "--update" => settings.update = Some(value()?),
                _ => return Err(format!("unknown option {name:?}; {USAGE}")),
            }
        }
        Ok(settings)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

/// Keeps the one of this name.
fn keep<T: Copy>(
    all: &mut Vec<T>,
    name: &str,
    name_of: fn(T) -> &'static str,
) -> Result<(), String> {
    let known: Vec<_> = all.iter().map(|one| name_of(*one)).collect();
    all.retain(|one| name_of(*one) == name);
    if all.is_empty() {
        return Err(format!("expected one of {known:?}, got {name:?}"));
    }
    Ok(())
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    if std::env::args().nth(1).as_deref() == Some(far::ROLE) {
        far::run(&std::env::args().nth(2).unwrap());
        return;
    }
    let settings = match Settings::read(&mut arguments) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("{error}");
            std::process::exit(2);
        }
    };
    let command = command();
    let mut report = format!("# ONI over Zenoh beside raw Zenoh\n\nMade by `{command}`.\n\n");
    let machine = format!("Machine: {}.", Surroundings::now());
    writeln!(report, "{machine}\n").unwrap();
    for link in settings.links.iter().copied() {
        let carried = |payload: &Payload| carries(link, *payload);
        let payloads: Vec<_> = settings.payloads.iter().copied().filter(carried).collect();
        if payloads.is_empty() {
            continue;
        }
        let far = FarProcess::start(link, payloads);
        if settings.wants("round-trip") {
            let n = settings.n_round_trips;
            report.push_str(&round_trip::measure(&far, [n, settings.n_slow_round_trips]));
        }
        if settings.wants("throughput") {
            report.push_str(&throughput::measure(&far, settings.n_rounds));
        }
    }
    writeln!(report, "{}", load()).unwrap();
    println!("{report}");
    if let Some(path) = settings.update {
        let old = std::fs::read_to_string(&path).unwrap();
        let after = load();
        let which = settings.payloads.iter().map(|payload| payload.name);
        let which = which.collect::<Vec<_>>().join(", ");
        let note = format!("Rows of {which} made later by `{command}`. {machine} After: {after}");
        std::fs::write(&path, update::updated(&old, &report, &note)).unwrap();
        eprintln!("updated {path}");
    }
    if let Some(path) = settings.write {
        std::fs::write(&path, report).unwrap();
        eprintln!("wrote {path}");
    }
}

/// What else the machine was doing.
fn load() -> String {
    let [one, five, fifteen] = load_averages().unwrap_or_default();
    format!("load averages {one:.2}, {five:.2}, {fifteen:.2}.")
}

/// How this was started, but for where the tables go.
fn command() -> String {
    let mut command = "cargo bench -p sedge-transport-zenoh --bench against_zenoh".to_string();
    let mut arguments = std::env::args().skip(1);
    let mut n_options = 0;
    while let Some(name) = arguments.next() {
        if name == "--bench" {
            continue;
        }
        let value = arguments.next().unwrap_or_default();
        if name == "--write" || name == "--update" {
            continue;
        }
        let separator = if n_options == 0 { " --" } else { "" };
        let value = if value.contains(' ') {
            format!("{value:?}")
        } else {
            value
        };
        write!(command, "{separator} {name} {value}").unwrap();
        n_options += 1;
    }
    command
}
