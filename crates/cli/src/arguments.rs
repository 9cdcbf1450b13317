//! What can be typed.

use clap::{Parser, Subcommand};

use crate::commands::{
    agent::AgentArgs, bench::BenchArgs, bw::BwArgs, calibrate::CalibrateArgs, collect::CollectArgs,
    completion::CompletionArgs, dataset::DatasetArgs, demo::DemoArgs, devices::DevicesArgs,
    doctor::DoctorArgs, echo::EchoArgs, eval::EvalArgs, film::FilmArgs, graph::GraphArgs,
    hz::HzArgs, inspect::InspectArgs, latency::LatencyArgs, link::LinkArgs, list::ListArgs,
    play::PlayArgs, router::RouterArgs, schema::SchemaArgs, screenshot::ScreenshotArgs,
    swarm::SwarmArgs, top::TopArgs, train::TrainArgs,
};

/// World models for robots that talk to each other: train one from a log, run it live, and see how
/// its predictions fare when the future arrives.
#[derive(Debug, Parser)]
#[command(
    name = "sedge",
    version,
    max_term_width = 100,
    after_help = "\
Examples:
  sedge demo                                     eight robots cross a hallway with walkers
  sedge swarm launch/swarm.toml                  robots in a simulated hallway
  sedge train --log a.log.gz --preset s --seed 1 --out runs/a
  sedge eval --log a.log.gz --run runs/a
  sedge play a.log.gz                            and, in another terminal:
  sedge agent --run runs/a --rerun file a.rrd
  sedge list                                     who is there, and with which streams

Exit codes: 0 done, 1 failed, 2 the request makes no sense (of `sedge doctor`: see its help)."
)]
pub struct Cli {
    /// What to log to standard error, as in `RUST_LOG`, such as `debug` or `sedge_runtime=trace`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub log_filter: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run robots that sense, predict, plan and act in a simulated world, and say how they fared.
    Swarm(SwarmArgs),
    /// Collect episodes of simulated robots to learn from.
    Collect(CollectArgs),
    /// Train a world model on the first 70 % of a log.
    Train(TrainArgs),
    /// Grade predictions on the last part of a log: baselines and trained models in one table.
    Eval(EvalArgs),
    /// Fit scanner latency and odometry calibration from a log.
    Calibrate(CalibrateArgs),
    /// Say what a log or a trained run holds.
    Inspect(InspectArgs),
    /// List where networks can run.
    Devices(DevicesArgs),
    /// Fetch and list public logs.
    Dataset(DatasetArgs),
    /// Play a log as live messages over Zenoh.
    Play(PlayArgs),
    /// Sense over Zenoh, believe, predict, and grade when the future arrives.
    Agent(AgentArgs),
    /// List who is on the network and with which streams.
    List(ListArgs),
    /// Print messages as they come.
    Echo(EchoArgs),
    /// Measure how often and how regularly messages come, and what is lost.
    Hz(HzArgs),
    /// Measure how many bytes a second each stream takes.
    Bw(BwArgs),
    /// Draw who sends what to whom.
    Graph(GraphArgs),
    /// Show live what each stage of every agent takes, its budget, and what missed it.
    Top(TopArgs),
    /// Write down where the time goes: real traffic beside synthetic probes, and what changed.
    Latency(LatencyArgs),
    /// Race engines, messages and whole loops beside peers: `PyTorch`, raw Zenoh, dora.
    Bench(BenchArgs),
    /// Look for what is wrong with this machine, the network and who is on it.
    Doctor(DoctorArgs),
    /// List, show, check and compare what message types hold.
    Schema(SchemaArgs),
    /// Relay between two endpoints as a bad network would: delay, loss, cuts, by orders or by plan.
    Link(LinkArgs),
    /// Relay between all who dial it.
    Router(RouterArgs),
    /// Do all of it at once, with nothing else installed.
    Demo(DemoArgs),
    /// Draw a recording's screen as a picture.
    Screenshot(ScreenshotArgs),
    /// Make a film (GIF) of what a recording shows.
    Film(FilmArgs),
    /// Print a completion script for a shell.
    Completion(CompletionArgs),
}
