//! One stream as somebody sees it who only listens.

use std::collections::BTreeSet;

use sedge_oni::{Header, HeaderError, Key, SchemaId, SchemaMismatch, check_schema, schemas};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::{LossCounts, QosClass};
use serde::Serialize;

use super::arrivals::{Arrivals, Flow, Rhythm};
use super::per_sec;
use super::show::hex;

/// Senders of one stream that are told apart; a stream should have one.
const PUBLISHERS_MAX: usize = 16;

/// A schema in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct SchemaView {
    /// Such as `sensor.lidar`.
    pub name: String,
    /// Such as `1.0`.
    pub version: String,
    /// Hexadecimal.
    pub hash: String,
}

impl From<&SchemaId> for SchemaView {
    fn from(id: &SchemaId) -> Self {
        Self {
            name: id.name.clone(),
            version: format!("{}.{}", id.major, id.minor),
            hash: hex(&id.hash),
        }
    }
}

/// How a stream's schema stands to the one of that name known here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Agreement {
    /// Nothing was read yet.
    Unread,
    /// It is the same.
    Same,
    /// Another minor version, with the tensors that are needed here.
    Compatible,
    /// No schema of that name is known here.
    Unknown,
    /// It is refused here; why, with both sides' names, versions and hashes.
    Refused(String),
}

impl Agreement {
    fn of(header: &Header) -> Self {
        match check_schema(header) {
            Ok(()) if is_known(&header.schema) => Self::Same,
            Ok(()) => Self::Compatible,
            Err(SchemaMismatch::Unknown { .. }) => Self::Unknown,
            Err(mismatch) => Self::Refused(mismatch.to_string()),
        }
    }

    /// A word for a table.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unread => "",
            Self::Same => "same",
            Self::Compatible => "compatible",
            Self::Unknown => "unknown",
            Self::Refused(_) => "refused",
        }
    }
}

fn is_known(schema: &SchemaId) -> bool {
    schemas().iter().any(|known| known.id == *schema)
}

/// What became of a stream's messages on the way here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct StreamLoss {
    /// Messages received, each counted once.
    pub received: u64,
    /// Messages that were sent since the first one received, and never came.
    pub lost: u64,
    /// Copies of messages that had already come.
    pub duplicated: u64,
    /// Messages that came after a later one.
    pub reordered: u64,
    /// New starts of the sender.
    pub restarts: u64,
    /// Messages too far behind, or of a start before, to tell.
    pub unplaced: u64,
}

impl StreamLoss {
    pub(super) fn add(&mut self, counts: LossCounts) {
        let add = |sum: &mut u64, n: u64| *sum = sum.saturating_add(n);
        add(&mut self.received, counts.received);
        add(&mut self.lost, counts.lost);
        add(&mut self.duplicated, counts.duplicated);
        add(&mut self.reordered, counts.reordered);
        add(&mut self.restarts, counts.restarts);
        add(&mut self.unplaced, counts.unplaced);
    }
}

/// A stream at one time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StreamView {
    /// Its whole name.
    pub key: String,
    /// Whose stream it is by its key.
    pub agent: String,
    /// Its message type by its key.
    pub message_type: String,
    /// What it is for, such as `state`.
    pub class: String,
    /// The newest message's schema.
    pub schema: Option<SchemaView>,
    /// Whether that schema fits the one known here.
    pub agreement: Agreement,
    /// Who sent, by the headers, or says that it will, by its manifest.
    pub publishers: Vec<String>,
    /// Programs that say in their manifest that they publish it, as `agent/stream`.
    pub declared_by: Vec<String>,
    /// Programs that say in their manifest that they listen, as `agent/stream`; whoever has no
    /// manifest is not seen listening.
    pub subscribers: Vec<String>,
    /// Programs that refuse it: by their manifest its schema does not fit, or by their telemetry
    /// they dropped messages of it.
    pub refused_by: Vec<String>,
    /// Messages, whatever they are.
    pub messages: u64,
    /// Bytes of headers and payloads.
    pub bytes: u64,
    /// Mean bytes of a message.
    pub mean_bytes: Option<f64>,
    /// Bytes a second since listening began.
    pub bytes_per_sec: f64,
    /// How regularly they came.
    pub rhythm: Option<Rhythm>,
    /// What came in the last seconds.
    pub recently: Option<Flow>,
    /// Seconds since the last one.
    pub age_secs: Option<f64>,
    /// What was lost on the way.
    pub loss: StreamLoss,
    /// Messages that are none.
    pub malformed: u64,
    /// Why the last one that is none is none.
    pub last_error: Option<String>,
}

/// What is kept of a stream.
pub(super) struct Watched {
    class: QosClass,
    schema: Option<SchemaId>,
    agreement: Agreement,
    publishers: BTreeSet<AgentName>,
    arrivals: Arrivals,
    malformed: u64,
    last_error: Option<String>,
}

impl Watched {
    pub(super) fn new(key: &Key) -> Self {
        Self {
            class: QosClass::of_message_type(key.message_type()),
            schema: None,
            agreement: Agreement::Unread,
            publishers: BTreeSet::new(),
            arrivals: Arrivals::default(),
            malformed: 0,
            last_error: None,
        }
    }

    /// A stream that was announced and not heard.
    pub(super) fn announced(key: &Key, schema: &SchemaId) -> Self {
        let agreement = if is_known(schema) {
            Agreement::Same
        } else {
            Agreement::Unread
        };
        Self {
            schema: Some(schema.clone()),
            agreement,
            ..Self::new(key)
        }
    }

    pub(super) fn schema(&self) -> Option<&SchemaId> {
        self.schema.as_ref()
    }

    pub(super) fn arrived(&mut self, arrival: Stamp, bytes: u64) {
        self.arrivals.add(arrival, bytes);
    }

    pub(super) fn malformed(&mut self, error: &HeaderError) {
        self.malformed += 1;
        self.last_error = Some(error.to_string());
    }

    pub(super) fn said(&mut self, header: &Header) {
        self.agreement = Agreement::of(header);
        if self.schema.as_ref() != Some(&header.schema) {
            self.schema = Some(header.schema.clone());
        }
        let agent = &header.envelope.source.agent;
        if self.publishers.len() < PUBLISHERS_MAX && !self.publishers.contains(agent) {
            self.publishers.insert(agent.clone());
        }
    }

    pub(super) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    pub(super) fn n_malformed(&self) -> u64 {
        self.malformed
    }

    pub(super) fn view(&self, key: &Key, began: Stamp, now: Stamp) -> StreamView {
        let arrivals = &self.arrivals;
        let secs = now.saturating_since(began).as_secs_f64();
        StreamView {
            key: key.to_string(),
            agent: key.agent().to_owned(),
            message_type: key.message_type().to_owned(),
            class: class_name(self.class).to_owned(),
            schema: self.schema.as_ref().map(SchemaView::from),
            agreement: self.agreement.clone(),
            publishers: self.publishers.iter().map(ToString::to_string).collect(),
            subscribers: Vec::new(),
            refused_by: Vec::new(),
            declared_by: Vec::new(),
            messages: arrivals.n(),
            bytes: arrivals.bytes(),
            mean_bytes: arrivals.mean_bytes(),
            bytes_per_sec: per_sec(arrivals.bytes(), secs),
            rhythm: arrivals.rhythm(),
            recently: arrivals.recently(now),
            age_secs: arrivals.age(now).map(|age| age.as_secs_f64()),
            loss: StreamLoss::default(),
            malformed: self.malformed,
            last_error: self.last_error.clone(),
        }
    }
}

/// The class's name in tables.
pub(super) fn class_name(class: QosClass) -> &'static str {
    match class {
        QosClass::Safety => "safety",
        QosClass::Command => "command",
        QosClass::State => "state",
        QosClass::Belief => "belief",
        QosClass::Image => "image",
        QosClass::Model => "model",
        QosClass::Parameter => "parameter",
        QosClass::Log => "log",
    }
}
