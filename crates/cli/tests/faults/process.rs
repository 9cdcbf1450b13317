//! Processes that the test starts, tells what to do, freezes, and always ends.

use std::fmt::Debug;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use sedge_runtime::spawn_named;
use serde_json::Value;

/// Longer than anything here takes on a busy machine; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(2);

/// A process that takes a line and says lines of JSON; dropping it ends it.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
}

/// What the system says about a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    pub(crate) threads: u64,
    pub(crate) resident_kib: u64,
    pub(crate) files: u64,
}

impl Process {
    pub(crate) fn start(name: &'static str, program: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let stdin = child.stdin.take();
        let said = BufReader::new(child.stdout.take().unwrap());
        let (says, lines) = channel();
        let read = move || {
            for line in said.lines().map_while(Result::ok) {
                // A test that has heard enough no longer listens.
                drop(says.send(line));
            }
        };
        spawn_named(name, read).unwrap();
        Self {
            name,
            child,
            stdin,
            lines,
        }
    }

    /// Hands over a line.
    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("it was not told to end");
        writeln!(stdin, "{line}").unwrap();
    }

    /// The next line that it says.
    pub(crate) fn hear(&self) -> Value {
        let line = self.lines.recv_timeout(PATIENCE);
        let line = line.unwrap_or_else(|error| panic!("{} says nothing: {error}", self.name));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The next line, which must be of this event.
    pub(crate) fn hear_event(&self, event: &str) -> Value {
        let said = self.hear();
        assert_eq!(said["event"], event, "{}: {said}", self.name);
        said
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) fn signal(&self, signal: &str) {
        let command = format!("kill -{signal} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status().unwrap();
        assert!(status.success(), "{command}: {status}");
    }

    /// Its threads, memory and open files now.
    pub(crate) fn vitals(&self) -> Vitals {
        let folder = format!("/proc/{}", self.child.id());
        let status = std::fs::read_to_string(format!("{folder}/status")).unwrap();
        let number = |field: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(field));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse().ok()).unwrap()
        };
        Vitals {
            threads: number("Threads:"),
            resident_kib: number("VmRSS:"),
            files: std::fs::read_dir(format!("{folder}/fd")).unwrap().count() as u64,
        }
    }

    /// Ends it at once, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends its standard input and waits until it has ended by itself.
    pub(crate) fn end(mut self) -> ExitStatus {
        drop(self.stdin.take());
        // The channel closes with its standard output.
        while self.lines.recv_timeout(PATIENCE).is_ok() {}
        let ended = self.child.try_wait().unwrap();
        ended.unwrap_or_else(|| self.child.wait().unwrap())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
