//! An agent in a process of its own, that never outlives us.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sedge_runtime::spawn_named;
use sedge_viewer::ViewerTarget;

/// What an agent process is told.
pub(crate) struct AgentOrder<'a> {
    /// The folder of the run whose model it believes with.
    pub(crate) run: &'a Path,
    /// Whom it dials.
    pub(crate) connect: &'a str,
    /// How far ahead it predicts.
    pub(crate) horizons_secs: &'a [f64],
    /// Where it draws.
    pub(crate) target: &'a ViewerTarget,
    /// Where it writes its report.
    pub(crate) report: &'a Path,
}

/// An agent process. It ends when we drop this or die: its standard input ends with us.
pub(crate) struct AgentProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Closed when the process ends: nobody holds its standard output any more.
    ended: Receiver<()>,
}

impl AgentProcess {
    pub(crate) fn start(order: &AgentOrder<'_>) -> anyhow::Result<Self> {
        let horizons: Vec<String> = order
            .horizons_secs
            .iter()
            .map(ToString::to_string)
            .collect();
        let target = order.target.to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args([
                "agent",
                "--until-end",
                "--until-stdin-ends",
                "--lossless",
                "--run",
            ])
            .arg(order.run)
            .args([
                "--connect",
                order.connect,
                "--horizons-secs",
                &horizons.join(","),
            ])
            .arg("--rerun")
            .args(target.splitn(2, ' '))
            .arg("--report")
            .arg(order.report)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start an agent process")?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take();
        // Owned from here on, so that a failure below ends the process too.
        let (ends, ended) = channel();
        let process = Self {
            child,
            stdin,
            ended,
        };
        spawn_named("agent-stdout", move || {
            let mut said = Vec::new();
            // What it prints is also in its report; a broken pipe ends it all the same.
            drop(stdout.map(|mut stdout| stdout.read_to_end(&mut said)));
            drop(ends);
        })?;
        Ok(process)
    }

    /// Waits for the process to end by itself; past `wait_max` it is killed.
    pub(crate) fn wait_for_end(mut self, wait_max: Duration) -> anyhow::Result<()> {
        self.reap(wait_max)
    }

    /// Asks the process to end and waits; past `wait_max` it is killed.
    pub(crate) fn end(mut self, wait_max: Duration) -> anyhow::Result<()> {
        drop(self.stdin.take());
        self.reap(wait_max)
    }

    fn reap(&mut self, wait_max: Duration) -> anyhow::Result<()> {
        let in_time = !matches!(
            self.ended.recv_timeout(wait_max),
            Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        );
        if !in_time {
            self.child.kill()?;
        }
        let status = self.child.wait()?;
        if !in_time {
            bail!("expected the agent process to end within {wait_max:?}, killed it");
        }
        ensure!(
            status.success(),
            "expected the agent process to end well, got {status}"
        );
        Ok(())
    }
}

impl Drop for AgentProcess {
    fn drop(&mut self) {
        // Both fail only when the process has ended and been waited for already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
