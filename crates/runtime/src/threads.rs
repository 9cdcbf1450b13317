//! What the operating system is asked for so that a loop runs on time, and what it gave.

#[cfg(any(test, not(target_os = "linux")))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod linux;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use linux as system;

/// The highest real-time priority of POSIX systems; 99 is the kernel's own threads' too.
const PRIORITY_MAX: u8 = 99;

/// What an agent asks of the operating system for its loop: everything is tried and reported,
/// nothing is assumed, and an agent that gets none of it runs all the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThreadsConfig {
    /// The cores that the loop may run on, counted from 0. Default all: pinning helps only where
    /// others are kept away.
    pub cores: Vec<usize>,
    /// Real-time scheduling of the loop, such as `fifo 20`. Default none. Above 50 it would keep
    /// the kernel's own interrupt threads waiting, where there are such.
    pub priority: Option<FifoPriority>,
    /// Whether all memory of the process, now and later, stays in RAM. Default false: it costs as
    /// much RAM as the process has address space in use.
    pub lock_memory: bool,
}

/// A priority of `SCHED_FIFO`, from 1 to 99: a thread that runs until it waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FifoPriority(u8);

/// A text that is no real-time priority.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a priority such as \"fifo 20\", from 1 to {PRIORITY_MAX}, got {got:?}")]
pub struct FifoPriorityError {
    /// What came, cut to 40 characters.
    pub got: String,
}

impl FifoPriority {
    /// `fifo 20`: before every thread as any other, and after the kernel's own interrupt threads,
    /// which are at 50 where there are such.
    pub const DEFAULT: Self = Self(20);

    /// From 1, the lowest, to 99.
    pub fn new(level: u8) -> Option<Self> {
        (1..=PRIORITY_MAX).contains(&level).then_some(Self(level))
    }

    /// The next higher one, or the highest.
    #[must_use]
    pub fn above(self) -> Self {
        Self(self.0.saturating_add(1).min(PRIORITY_MAX))
    }

    /// The number.
    pub fn level(self) -> u8 {
        self.0
    }
}

impl FromStr for FifoPriority {
    type Err = FifoPriorityError;

    fn from_str(text: &str) -> Result<Self, FifoPriorityError> {
        let mut words = text.split_whitespace();
        let level = match (words.next(), words.next(), words.next()) {
            (Some("fifo"), Some(level), None) => level.parse().ok(),
            _ => None,
        };
        level.and_then(Self::new).ok_or_else(|| FifoPriorityError {
            got: text.chars().take(40).collect(),
        })
    }
}

impl TryFrom<String> for FifoPriority {
    type Error = FifoPriorityError;

    fn try_from(text: String) -> Result<Self, FifoPriorityError> {
        text.parse()
    }
}

impl fmt::Display for FifoPriority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fifo {}", self.0)
    }
}

impl From<FifoPriority> for String {
    fn from(priority: FifoPriority) -> Self {
        priority.to_string()
    }
}

/// What became of something that the operating system was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Granted {
    /// It was given, and is in force.
    Yes,
    /// It was refused, or something else came.
    No,
    /// This operating system is not asked for it.
    NotSupported,
}

/// One thing that was asked for. `Display` is a line for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedRow {
    /// What was asked for, such as `cores 1`.
    pub asked: String,
    /// What became of it.
    pub granted: Granted,
    /// What is in force now, or why not and what to do.
    pub found: String,
}

impl fmt::Display for AskedRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            granted,
            found,
        } = self;
        match granted {
            Granted::Yes => write!(f, "{asked}: {found}"),
            Granted::No => write!(f, "{asked}: not granted, {found}"),
            Granted::NotSupported => write!(f, "{asked}: not supported here"),
        }
    }
}

/// Why something is not in force.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// What came instead, or what the system says, and what to do.
    Refused(String),
    /// This system is not asked.
    #[cfg_attr(
        all(target_os = "linux", not(test)),
        expect(dead_code, reason = "only other systems say so")
    )]
    NotSupported,
}

type Answer = Result<String, Refusal>;

/// Asks for all of it, for the thread that calls this and those that it starts later; what is in
/// force is read back. A row for each thing that was asked for.
pub fn prepare_thread(config: &ThreadsConfig) -> Vec<AskedRow> {
    let ThreadsConfig {
        cores,
        priority,
        lock_memory,
    } = config;
    let mut rows = Vec::new();
    if !cores.is_empty() {
        rows.push(row(
            format!("cores {}", core_list(cores)),
            system::pin(cores),
        ));
    }
    if let Some(priority) = priority {
        rows.push(row(
            format!("priority {priority}"),
            system::run_fifo(*priority),
        ));
    }
    if *lock_memory {
        rows.push(row("locked memory".to_owned(), system::lock_memory()));
    }
    rows
}

fn row(asked: String, answer: Answer) -> AskedRow {
    let (granted, found) = match answer {
        Ok(found) => (Granted::Yes, found),
        Err(Refusal::Refused(found)) => (Granted::No, found),
        Err(Refusal::NotSupported) => (Granted::NotSupported, String::new()),
    };
    AskedRow {
        asked,
        granted,
        found,
    }
}

fn core_list(cores: &[usize]) -> String {
    let words: Vec<String> = cores.iter().map(ToString::to_string).collect();
    words.join(", ")
}

#[cfg(test)]
mod tests;
