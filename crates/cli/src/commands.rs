//! One file a command.

pub mod agent;
pub mod bench;
pub mod bw;
pub mod calibrate;
pub mod collect;
pub mod completion;
pub mod dataset;
pub mod demo;
pub mod devices;
pub mod doctor;
pub mod echo;
pub mod eval;
pub mod film;
pub mod graph;
pub mod hz;
pub mod inspect;
pub mod latency;
pub mod link;
pub mod list;
mod log_demo;
pub mod play;
pub mod router;
pub mod schema;
pub mod screenshot;
pub mod swarm;
mod swarm_demo;
pub mod top;
pub mod train;

use std::io::Write;

use crate::Command;

/// Runs a command; what it has to say goes to `out`.
///
/// # Errors
/// When it cannot do what was asked.
pub fn run(command: &Command, out: &mut dyn Write) -> anyhow::Result<()> {
    match command {
        Command::Swarm(args) => swarm::run(args, out),
        Command::Collect(args) => collect::run(args, out),
        Command::Train(args) => train::run(args, out),
        Command::Eval(args) => eval::run(args, out),
        Command::Calibrate(args) => calibrate::run(args, out),
        Command::Inspect(args) => inspect::run(args, out),
        Command::Devices(args) => devices::run(args, out),
        Command::Dataset(args) => dataset::run(args, out),
        Command::Play(args) => play::run(args, out),
        Command::Agent(args) => agent::run(args, out),
        Command::List(args) => list::run(args, out),
        Command::Echo(args) => echo::run(args, out),
        Command::Hz(args) => hz::run(args, out),
        Command::Bw(args) => bw::run(args, out),
        Command::Graph(args) => graph::run(args, out),
        Command::Top(args) => top::run(args, out),
        Command::Latency(args) => latency::run(args, out),
        Command::Bench(args) => bench::run(args, out),
        Command::Doctor(args) => doctor::run(args, out),
        Command::Schema(args) => schema::run(args, out),
        Command::Link(args) => link::run(args, out),
        Command::Router(args) => router::run(args, out),
        Command::Demo(args) => demo::run(args, out),
        Command::Screenshot(args) => screenshot::run(args, out),
        Command::Film(args) => film::run(args, out),
        Command::Completion(args) => completion::run(args, out),
    }
}

/// Writes a value as indented JSON and a line end.
pub(crate) fn write_json(value: &impl serde::Serialize, out: &mut dyn Write) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}
