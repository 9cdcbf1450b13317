//! One schema on one stream: what is known of it, and what became of its messages.

use std::fmt;

use sedge_oni::{Key, SchemaId, SchemaMismatch};
use sedge_spacetime::Stamp;
use serde::{Deserialize, Serialize};

use super::{ANSWER_WAIT_MAX, Standing, TRIES_MAX};

/// Wrong answers that are told of.
const ANSWERS_TOLD_MAX: usize = 4;

/// What became of a stream with a schema that is not ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContactVerdict {
    /// Its publisher is being asked.
    Waiting,
    /// It is read.
    Accepted,
    /// It is not read.
    Refused,
    /// It is not read, because nobody said what it is.
    Unknown,
}

/// A stream with a schema that is not ours, for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContactRow {
    /// The stream.
    pub key: String,
    /// The epoch of its sender.
    pub epoch: u64,
    /// The schema of its headers: name, version and hash.
    pub schema: String,
    /// What became of it.
    pub verdict: ContactVerdict,
    /// Why it is not read: both names, versions and hashes, and what differs. Empty otherwise.
    pub reason: String,
    /// Messages that were read.
    pub read: u64,
    /// Messages that were refused.
    pub refused: u64,
}

impl fmt::Display for ContactRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            epoch,
            schema,
            reason,
            ..
        } = self;
        write!(f, "{key} (epoch {epoch}): ")?;
        match self.verdict {
            ContactVerdict::Waiting => write!(f, "waits for an answer about {schema}"),
            ContactVerdict::Accepted => write!(f, "accepted {schema}"),
            ContactVerdict::Refused | ContactVerdict::Unknown => f.write_str(reason),
        }
    }
}

#[derive(Debug)]
pub(super) enum Verdict {
    Open,
    Accepted,
    Refused(SchemaMismatch),
    Unknown(String),
}

/// Somebody is being asked.
#[derive(Debug)]
pub(super) struct Inquiry {
    pub(super) deadline: Stamp,
    /// None while a question is out.
    pub(super) next_ask: Option<Stamp>,
}

impl Inquiry {
    fn new(now: Stamp, deadline: Stamp) -> Self {
        Self {
            deadline,
            next_ask: Some(now),
        }
    }
}

#[derive(Debug)]
pub(super) struct Contact {
    pub(super) schema: SchemaId,
    pub(super) inquiry: Option<Inquiry>,
    verdict: Verdict,
    tries: u32,
    again_at: Stamp,
    answers: Vec<String>,
    read: u64,
    refused: u64,
}

impl Contact {
    pub(super) fn asking(schema: SchemaId, now: Stamp, deadline: Stamp) -> Self {
        Self {
            inquiry: Some(Inquiry::new(now, deadline)),
            ..Self::decided(schema, Verdict::Open)
        }
    }

    pub(super) fn decided(schema: SchemaId, verdict: Verdict) -> Self {
        Self {
            schema,
            inquiry: None,
            verdict,
            tries: 1,
            again_at: Stamp::ZERO,
            answers: Vec::new(),
            read: 0,
            refused: 0,
        }
    }

    pub(super) fn is_decided(&self) -> bool {
        !matches!(self.verdict, Verdict::Open)
    }

    /// Counts a message. One of an unknown schema begins another inquiry when it is time for it,
    /// and is refused all the same.
    pub(super) fn meets(&mut self, now: Stamp) -> Standing {
        match &self.verdict {
            Verdict::Open => return Standing::Waits,
            Verdict::Accepted => {
                self.read += 1;
                return Standing::Passes;
            }
            Verdict::Unknown(_) => {
                let is_due = self.inquiry.is_none() && now >= self.again_at;
                if is_due && self.tries < TRIES_MAX {
                    self.tries += 1;
                    self.inquiry = Some(Inquiry::new(now, now + ANSWER_WAIT_MAX));
                }
            }
            Verdict::Refused(_) => {}
        }
        self.refused += 1;
        Standing::Refused
    }

    pub(super) fn decide(&mut self, verdict: Verdict) {
        self.inquiry = None;
        self.verdict = verdict;
    }

    pub(super) fn answered_with(&mut self, what: String) {
        if self.answers.len() < ANSWERS_TOLD_MAX && !self.answers.contains(&what) {
            self.answers.push(what);
        }
    }

    /// Nobody gave the right answer; whether that decides the stream for the first time.
    pub(super) fn give_up(&mut self, now: Stamp, expected: Option<&SchemaId>) -> bool {
        let is_first = !self.is_decided();
        self.again_at = now + ANSWER_WAIT_MAX * 2_u32.saturating_pow(self.tries);
        let detail = if self.answers.is_empty() {
            format!("no answer within {} s", ANSWER_WAIT_MAX.as_secs())
        } else {
            format!("answered with {}", self.answers.join(", "))
        };
        let expected = expected.map(ToString::to_string);
        let expected = expected.unwrap_or_else(|| "none of this name".to_owned());
        let got = &self.schema;
        let text = format!("schema unknown: expected schema {expected}, got {got}: {detail}");
        self.decide(Verdict::Unknown(text));
        is_first
    }

    pub(super) fn row(&self, key: &Key, epoch: u64) -> ContactRow {
        let (verdict, reason) = match &self.verdict {
            Verdict::Open => (ContactVerdict::Waiting, String::new()),
            Verdict::Accepted => (ContactVerdict::Accepted, String::new()),
            Verdict::Refused(mismatch) => (ContactVerdict::Refused, mismatch.to_string()),
            Verdict::Unknown(text) => (ContactVerdict::Unknown, text.clone()),
        };
        ContactRow {
            key: key.to_string(),
            epoch,
            schema: self.schema.to_string(),
            verdict,
            reason,
            read: self.read,
            refused: self.refused,
        }
    }
}
