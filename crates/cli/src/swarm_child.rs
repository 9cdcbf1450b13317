//! One agent of a swarm as a process of its own, and its files.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, ensure};
use sedge_runtime::AgentReport;

/// The agent of one robot: how to start it, and its process while it lives. The process ends with
/// us: its standard input does.
pub(crate) struct SwarmChild {
    launch: PathBuf,
    report: PathBuf,
    log: PathBuf,
    /// Its standard input goes when it is asked to end.
    child: Option<(Child, Option<ChildStdin>)>,
}

impl SwarmChild {
    /// Of an agent whose launch file is written to `folder`.
    pub(crate) fn new(folder: &Path, name: &str, launch: &str) -> anyhow::Result<Self> {
        let path = folder.join(format!("{name}.toml"));
        std::fs::write(&path, launch)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self {
            launch: path,
            report: folder.join(format!("{name}.json")),
            log: folder.join(format!("{name}.log")),
            child: None,
        })
    }

    /// Starts the process, again after it has died; its log goes on in the same file.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let log = File::options().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let mut child = Command::new(std::env::current_exe()?)
            .arg("agent")
            .arg(&self.launch)
            .args(["--until-stdin-ends", "--json", "--report"])
            .arg(&self.report)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start an agent process")?;
        let stdin = child.stdin.take();
        self.child = Some((child, stdin));
        Ok(())
    }

    /// Ends the process at once, as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some((mut child, _)) = self.child.take() {
            // Both fail only when it has ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// Whether the process has been started and has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        let ended = self.child.as_mut().map(|(child, _)| child.try_wait());
        matches!(ended, Some(Ok(None)))
    }

    /// Whether the process has ended by itself, which no agent is to do; it can be started again.
    pub(crate) fn has_died(&mut self) -> bool {
        let has_died = self.child.is_some() && !self.is_running();
        if has_died {
            self.child = None;
        }
        has_died
    }

    /// Asks the process to end.
    pub(crate) fn ask_to_end(&mut self) {
        if let Some((_, stdin)) = &mut self.child {
            drop(stdin.take());
        }
    }

    /// What the agent reports that was asked to end; one that has not ended yet is killed.
    pub(crate) fn last_word(&mut self) -> anyhow::Result<AgentReport> {
        let (mut child, _) = self.child.take().context("expected an agent, it is away")?;
        if matches!(child.try_wait(), Ok(None)) {
            child.kill()?;
        }
        let status = child.wait()?;
        ensure!(
            status.success(),
            "expected the agent to end well, got {status}"
        );
        let text = std::fs::read_to_string(&self.report)
            .with_context(|| format!("expected a report in {}", self.report.display()))?;
        Ok(serde_json::from_str(&text)?)
    }
}

impl Drop for SwarmChild {
    fn drop(&mut self) {
        self.kill();
    }
}
