//! The same network in `PyTorch`, in a process of its own: `notebooks/peers/torch_side.py`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use sedge_runtime::Shutdown;
use sedge_runtime::bench::{Block, Contender, ContenderError, Spans};
use sedge_world_model_onboard::workload::Work;

use super::run::Peers;

/// The file that is run, from the folder that `peers` is in.
const SIDE: &str = "peers/torch_side.py";
/// Its threads may spin for a while before they sleep.
const REST: Duration = Duration::from_millis(300);

/// A process that answers a line with a line.
pub(super) struct TorchSide {
    name: String,
    /// What is asked for, but for how often.
    request: String,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl TorchSide {
    /// Starts it and has it do the work once, as compiling takes a minute; or says why it cannot
    /// take part.
    pub(super) fn start(
        peers: &Peers,
        (is_compiled, n_threads): (bool, u64),
        work: Work,
    ) -> anyhow::Result<Result<Self, String>> {
        let Some(python) = &peers.python else {
            let why = "PyTorch was not asked for: --peers PYTHON, one that has torch and \
                       safetensors (notebooks/peers/engine_requirements.txt).";
            return Ok(Err(why.to_owned()));
        };
        if !peers.notebooks.join(SIDE).is_file() {
            let folder = peers.notebooks.display();
            return Ok(Err(format!(
                "PyTorch's side was not found: expected {folder}/{SIDE}, as in Sedge's repository."
            )));
        }
        // Absolute, as it is started from another folder; links are not followed, as an
        // environment's Python is one.
        let python = &std::path::absolute(python)?;
        let mut probe = Command::new(python);
        let asked = "import safetensors, torch; print(torch.__version__)";
        let probed = probe.args(["-c", asked]).stderr(Stdio::null()).output();
        let version = match probed {
            Ok(output) if output.status.success() => output.stdout,
            _ => {
                let python = python.display();
                return Ok(Err(format!("PyTorch is not installed for {python}.")));
            }
        };
        let version = String::from_utf8_lossy(&version).trim().to_owned();
        let mut command = Command::new(python);
        command.args(["-m", "peers.torch_side", "--threads"]);
        command.arg(n_threads.to_string());
        if is_compiled {
            command.arg("--compile");
        }
        let mut child = command
            .current_dir(&peers.notebooks)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start PyTorch's side")?;
        let how = if is_compiled { "compiled" } else { "eager" };
        let requests = child.stdin.take().context("expected its input")?;
        let answers = child.stdout.take().context("expected its output")?;
        let mut side = Self {
            name: format!("PyTorch {version} {how}, threads: {n_threads}"),
            request: format!("race {}", case_name(work)),
            child,
            requests,
            answers: BufReader::new(answers),
        };
        side.micros(1)?;
        Ok(Ok(side))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Microseconds of so many calls.
    fn micros(&mut self, n: u64) -> anyhow::Result<Vec<f64>> {
        writeln!(self.requests, "{} {n}", self.request)?;
        self.requests.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let micros: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        let micros = micros.with_context(|| format!("expected microseconds, got {line:?}"))?;
        anyhow::ensure!(
            micros.len() as u64 == n,
            "expected {n} calls of {}, got {}",
            self.name,
            micros.len()
        );
        Ok(micros)
    }
}

/// As that side names work.
fn case_name(work: Work) -> String {
    match work {
        Work::Filter => "filter".to_owned(),
        Work::Imagine { n_plans, n_steps } => format!("imagine-{n_plans}x{n_steps}"),
        Work::Plan {
            n_samples,
            n_steps,
            n_iterations,
        } => format!("plan-{n_samples}x{n_steps}x{n_iterations}"),
    }
}

impl Contender for TorchSide {
    fn take(&mut self, block: &Block<'_>, spans: &mut Spans) -> Result<(), ContenderError> {
        for micros in self.micros(block.n)? {
            spans.add(Duration::from_nanos((micros.max(0.0) * 1e3) as u64));
        }
        Shutdown::new().wait(REST);
        Ok(())
    }
}

impl Drop for TorchSide {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
