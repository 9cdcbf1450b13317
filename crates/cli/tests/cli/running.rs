//! `sedge` as a process that a test starts, listens to, and always ends.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use sedge_oni::KeyPattern;
use sedge_runtime::SystemClock;
use sedge_transport::{Network as _, Qos, QosClass, Signal};
use sedge_transport_zenoh::{ZenohConfig, ZenohNetwork};
use serde_json::Value;

/// Longer than anything here takes on a busy machine; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A process that ends by itself.
pub(crate) fn sedge(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_sedge"))
        .args(arguments)
        .output()
        .unwrap()
}

/// One that looks at a fleet.
pub(crate) fn look(locator: &str, arguments: &[&str]) -> Output {
    sedge(&[arguments, &["--connect", locator]].concat())
}

/// What such a one finds.
pub(crate) fn found(locator: &str, arguments: &[&str]) -> Value {
    let output = look(locator, &[arguments, &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A process; dropping it ends it.
pub(crate) struct Running {
    child: Child,
    stderr_lines: Receiver<String>,
    stdout: Receiver<String>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sedge"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (lines, stderr_lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                eprintln!("{line}");
                // A test that has heard enough no longer listens.
                drop(lines.send(line));
            }
        });
        let (whole, stdout) = channel();
        let mut said = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut text = String::new();
            drop(said.read_to_string(&mut text));
            drop(whole.send(text));
        });
        Self {
            child,
            stderr_lines,
            stdout,
        }
    }

    /// Where it says that it listens.
    pub(crate) fn locator(&self) -> String {
        loop {
            let line = self
                .stderr_lines
                .recv_timeout(PATIENCE)
                .expect("it must say where");
            if let Some((_, rest)) = line.split_once("\"tcp/127.0.0.1:") {
                let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
                return format!("tcp/127.0.0.1:{port}");
            }
        }
    }

    /// What it says after these words, to the end of the line.
    pub(crate) fn said_after(&self, words: &str) -> String {
        loop {
            let line = self.stderr_lines.recv_timeout(PATIENCE);
            let line = line.expect("it must say so");
            if let Some((_, rest)) = line.split_once(words) {
                return rest.trim().to_owned();
            }
        }
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// What it printed, once it has ended by itself.
    pub(crate) fn output(mut self) -> (ExitStatus, String) {
        let text = self
            .stdout
            .recv_timeout(PATIENCE)
            .expect("it must end by itself");
        (self.child.wait().unwrap(), text)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Waits until an agent that listens at `locator` has made so many predictions.
pub(crate) fn wait_for_predictions(locator: &str, n_predictions: usize) {
    let config = ZenohConfig {
        connect: vec![locator.to_owned()],
        ..ZenohConfig::default()
    };
    let network = ZenohNetwork::open(&config, std::sync::Arc::new(SystemClock::new())).unwrap();
    let signal = Signal::new();
    let pattern = KeyPattern::parse("oni/*/*/model.prediction/**").unwrap();
    let qos = Qos::of(QosClass::Belief).with_depth(64);
    let mut subscriber = network.subscriber(&pattern, qos, signal.wake()).unwrap();
    let mut n_came = 0;
    while n_came < n_predictions {
        assert!(
            signal.wait(PATIENCE),
            "expected {n_predictions} predictions, got {n_came}"
        );
        n_came += std::iter::from_fn(|| subscriber.try_next()).count();
    }
}
