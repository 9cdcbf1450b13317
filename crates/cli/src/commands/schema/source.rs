//! Where schemas come from: files, this program, agents.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use sedge_oni::{Key, KeyPattern, SchemaDocument, TypedMessage as _, schemas};
use sedge_runtime::schema_of_message;
use sedge_transport::Network as _;

use super::{built_in, read_file};
use crate::UsageError;
use crate::bus_session::{BusSession, LinkArgs};

/// How long answers are waited for.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(2);
/// A session knows whom it can ask a moment after it has a peer: a question that nobody answered is
/// asked again, so often.
const ASKED_MAX: usize = 8;
/// Between two questions.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// What somebody answered for one message type.
pub(super) struct Answer {
    /// The key of the answer: its last chunk is the message type.
    pub(super) key: Key,
    /// The document, or why it is none.
    pub(super) document: Result<SchemaDocument, String>,
}

/// Finds schemas by what people type; opens a session when the first agent is to be asked.
pub(super) struct Schemas<'l> {
    links: &'l LinkArgs,
    session: Option<BusSession>,
}

impl<'l> Schemas<'l> {
    pub(super) fn new(links: &'l LinkArgs) -> Self {
        Self {
            links,
            session: None,
        }
    }

    /// The schema that a text means: a file that is there, a type of this program, or an agent's.
    pub(super) fn find(&mut self, text: &str) -> anyhow::Result<SchemaDocument> {
        let path = Path::new(text);
        if path.is_file() {
            let document = document_of(&read_file(path)?);
            return document.with_context(|| text.to_owned());
        }
        if let Some(document) = built_in(text) {
            return Ok(document);
        }
        if let Some(pattern) = agents_type(text) {
            return self.ask_one(&pattern, text);
        }
        let known: Vec<&str> = schemas().iter().map(|it| it.id.name.as_str()).collect();
        bail!(UsageError(format!(
            "expected a file, [FLEET/]AGENT/TYPE or one of {}, got {text:?}",
            known.join(", ")
        )))
    }

    fn ask_one(&mut self, pattern: &KeyPattern, text: &str) -> anyhow::Result<SchemaDocument> {
        let session = match self.session.take() {
            Some(session) => session,
            None => BusSession::open(self.links)?,
        };
        let answers = ask(self.session.insert(session), pattern);
        let mut documents: Vec<(Key, SchemaDocument)> = Vec::new();
        for Answer { key, document } in answers? {
            let document = document.map_err(|error| anyhow::anyhow!("{key}: {error}"))?;
            if documents.iter().all(|(_, known)| *known != document) {
                documents.push((key, document));
            }
        }
        if documents.len() > 1 {
            let each = |(key, it): &(Key, SchemaDocument)| format!("{key}: {}", it.schema().id);
            let each: Vec<String> = documents.iter().map(each).collect();
            bail!(
                "expected one schema of {text}, got several: {}",
                each.join("; ")
            );
        }
        let first = documents.pop();
        first.map(|(_, document)| document).with_context(|| {
            format!("nobody answers for {text}; `sedge schema list --connect ..` says who does")
        })
    }
}

/// A schema document in whatever layout.
pub(super) fn document_of(bytes: &[u8]) -> anyhow::Result<SchemaDocument> {
    let text = std::str::from_utf8(bytes).context("expected a schema in UTF-8")?;
    Ok(SchemaDocument::of_file(text)?)
}

/// What `[FLEET/]AGENT/TYPE` asks for.
fn agents_type(text: &str) -> Option<KeyPattern> {
    let reserved = SchemaDocument::NAME;
    let pattern = match text.split('/').collect::<Vec<_>>().as_slice() {
        [agent, message_type] => format!("oni/*/{agent}/{reserved}/{message_type}"),
        [fleet, agent, message_type] => format!("oni/{fleet}/{agent}/{reserved}/{message_type}"),
        _ => return None,
    };
    KeyPattern::parse(&pattern).ok()
}

/// Every schema that somebody answers for, in the order of their keys.
pub(super) fn ask_everybody(session: &BusSession) -> anyhow::Result<Vec<Answer>> {
    let pattern = format!("oni/*/*/{}/**", SchemaDocument::NAME);
    ask(session, &KeyPattern::parse(&pattern)?)
}

fn ask(session: &BusSession, pattern: &KeyPattern) -> anyhow::Result<Vec<Answer>> {
    let mut answers = Vec::new();
    let deadline = session.now() + ANSWER_WAIT_MAX;
    for _ in 0..ASKED_MAX {
        let left = deadline.saturating_since(session.now());
        if !answers.is_empty() || left.is_zero() || session.shutdown.is_requested() {
            break;
        }
        let wake = session.signal.wake();
        let mut replies = session.network.query(pattern, left, wake)?;
        loop {
            while let Some(reply) = replies.try_next() {
                answers.push(Answer {
                    key: reply.key,
                    document: schema_of_message(&reply.message).map_err(|it| it.to_string()),
                });
            }
            if replies.is_finished() || session.now() >= deadline {
                break;
            }
            session
                .signal
                .wait(deadline.saturating_since(session.now()));
        }
        if answers.is_empty() {
            session.signal.wait(ASK_AGAIN);
        }
    }
    answers.sort_by(|one: &Answer, other| one.key.cmp(&other.key));
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_file_a_type_or_an_agents() {
        let check = |text: &str, expected: Option<&str>| {
            let pattern = agents_type(text);
            assert_eq!(pattern.as_ref().map(KeyPattern::as_str), expected, "{text}");
        };
        check(
            "crane3/sensor.lidar",
            Some("oni/*/crane3/agent.schema/sensor.lidar"),
        );
        check(
            "flock/crane3/sensor.lidar",
            Some("oni/flock/crane3/agent.schema/sensor.lidar"),
        );
        check("sensor.sonar", None);
        check("a/b/c/d", None);
        let links = LinkArgs::default();
        let mut found = Schemas::new(&links);
        let document = found.find("sensor.lidar").unwrap();
        assert_eq!(document.schema().id.name, "sensor.lidar");
        let error = found.find("sensor.sonar").unwrap_err();
        assert!(error.is::<UsageError>() && error.to_string().contains("sensor.range_bearing"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), document.canonical()).unwrap();
        let same = found.find(file.path().to_str().unwrap()).unwrap();
        assert_eq!(same, document);
        std::fs::write(file.path(), "{}").unwrap();
        let error = found.find(file.path().to_str().unwrap()).unwrap_err();
        assert!(
            format!("{error:#}").contains("expected a member"),
            "{error:#}"
        );
    }
}
