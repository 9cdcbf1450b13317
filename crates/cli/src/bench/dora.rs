//! dora's nodes as a peer: `notebooks/peers/dora_ping`, run by `dora run` in a folder of its own.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sedge_runtime::bench::{Block, Contender, ContenderError, Pace, Spans};
use sedge_runtime::{Shutdown, SystemClock};
use sedge_spacetime::Clock as _;

use super::report::Side;
use super::run::Peers;

/// The files of its dataflow, from the folder that `peers` is in.
const FOLDER: &str = "peers/dora_ping";
const DATAFLOW: &str = "dataflow.yml";
const FILES: [&str; 3] = [DATAFLOW, "near.py", "far.py"];
/// Where its node finds us.
const PORT: &str = "SEDGE_BENCH_PORT";
/// Its daemon and nodes have this long to start, and are looked for this often.
const START_WAIT_MAX: Duration = Duration::from_mins(1);
const START_STEP: Duration = Duration::from_millis(20);
/// Its daemon has this long to end by itself.
const END_WAIT_MAX: Duration = Duration::from_secs(5);

/// A running dataflow.
pub(super) struct DoraSide {
    /// `dora 1.1.0`, as it says itself.
    version: String,
    payload_bytes: usize,
    daemon: Child,
    /// Gone when it is to end.
    node: Option<(TcpStream, BufReader<TcpStream>)>,
    folder: PathBuf,
}

impl DoraSide {
    /// Starts it, or says why it cannot take part.
    pub(super) fn start(peers: &Peers) -> anyhow::Result<Result<Self, String>> {
        let Some(python) = &peers.python else {
            let why = "dora was not asked for: --peers PYTHON, one beside which it is installed \
                       (notebooks/peers/dora_requirements.txt).";
            return Ok(Err(why.to_owned()));
        };
        let files = peers.notebooks.join(FOLDER);
        if !files.join(DATAFLOW).is_file() {
            let folder = files.display();
            return Ok(Err(format!(
                "dora's side was not found: expected {folder}/{DATAFLOW}, as in Sedge's repository."
            )));
        }
        // Absolute, without following links: an environment's Python is one.
        let python = std::path::absolute(python)?;
        let programs = python.parent().unwrap_or(Path::new("")).to_owned();
        let dora = programs.join("dora");
        if !dora.is_file() {
            return Ok(Err(format!(
                "dora is not installed beside {}.",
                python.display()
            )));
        }
        let name = format!("sedge-bench-dora-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder)?;
        for file in FILES {
            std::fs::copy(files.join(file), folder.join(file))?;
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs).chain(std::env::split_paths(&path));
        let daemon = Command::new(dora)
            .args(["run", DATAFLOW])
            .current_dir(&folder)
            .env("PATH", std::env::join_paths(path)?)
            .env(PORT, listener.local_addr()?.port().to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("cannot start dora")?;
        let mut side = Self {
            version: String::new(),
            payload_bytes: 1,
            daemon,
            node: None,
            folder,
        };
        side.meet(&listener)?;
        Ok(Ok(side))
    }

    /// Waits until its node has dialled, and hears which version it is.
    fn meet(&mut self, listener: &TcpListener) -> anyhow::Result<()> {
        let clock = SystemClock::new();
        let give_up = clock.now() + START_WAIT_MAX;
        let stream = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(status) = self.daemon.try_wait()? {
                bail!("dora ended before its node spoke: {status}: {}", self.log());
            }
            ensure!(
                clock.now() < give_up,
                "expected dora's node to dial within {START_WAIT_MAX:?}: {}",
                self.log()
            );
            Shutdown::new().wait(START_STEP);
        };
        stream.set_nonblocking(false)?;
        let mut answers = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        answers.read_line(&mut line)?;
        line.trim().clone_into(&mut self.version);
        self.node = Some((stream, answers));
        Ok(())
    }

    /// The last of what it logged.
    fn log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    }

    /// From now on it sends payloads of so many bytes.
    pub(super) fn send(&mut self, payload_bytes: usize) {
        self.payload_bytes = payload_bytes;
    }

    pub(super) fn name(&self) -> String {
        format!("{}, nodes in Python", self.version)
    }

    pub(super) fn side(&self) -> Side {
        Side::Peer {
            rival: self.version.clone(),
        }
    }

    /// Nanoseconds of so many round trips; below zero where no answer came.
    fn nanos(&mut self, n: u64, pace: Pace) -> anyhow::Result<Vec<i64>> {
        let (requests, answers) = self.node.as_mut().context("expected a node that runs")?;
        let period_nanos = match pace {
            Pace::BackToBack => 0,
            Pace::Every(period) => period.as_nanos(),
        };
        writeln!(requests, "{} {period_nanos} {n}", self.payload_bytes)?;
        let mut line = String::new();
        answers.read_line(&mut line)?;
        let nanos: Result<Vec<i64>, _> = line.split_whitespace().map(str::parse).collect();
        let nanos = nanos.context("expected nanoseconds of dora's node")?;
        let got = nanos.len();
        if got as u64 != n {
            bail!(
                "expected {n} round trips of dora, got {got}: {}",
                self.log()
            );
        }
        Ok(nanos)
    }
}

impl Contender for DoraSide {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        for nanos in self.nanos(block.n, block.pace)? {
            match u64::try_from(nanos) {
                Ok(nanos) => spans.add(Duration::from_nanos(nanos)),
                Err(_) => spans.lose(),
            }
        }
        Ok(())
    }
}

impl Drop for DoraSide {
    fn drop(&mut self) {
        // Its near node ends when it is not asked any more, and with it the dataflow.
        drop(self.node.take());
        let clock = SystemClock::new();
        let give_up = clock.now() + END_WAIT_MAX;
        while clock.now() < give_up && matches!(self.daemon.try_wait(), Ok(None)) {
            Shutdown::new().wait(START_STEP);
        }
        // All of these fail only where it has ended, or its folder is gone.
        drop(self.daemon.kill());
        drop(self.daemon.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
