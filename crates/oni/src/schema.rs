//! Schemas: what the tensors of a message type are, read from the files of `schemas/oni/v1`.

use std::fmt;
use std::sync::LazyLock;

use crate::{Dtype, Header, SchemaDocument, SchemaId, TensorEntry};

mod parse;

pub use parse::SchemaError;
pub(crate) use parse::parse_document;

/// The files, embedded so that a program carries the schemas that it was built with.
const FILES: [&str; 16] = [
    include_str!("../../../schemas/oni/v1/actuator.cmd.json"),
    include_str!("../../../schemas/oni/v1/agent.manifest.json"),
    include_str!("../../../schemas/oni/v1/agent.schema.json"),
    include_str!("../../../schemas/oni/v1/event.stop.json"),
    include_str!("../../../schemas/oni/v1/mission.goal.json"),
    include_str!("../../../schemas/oni/v1/model.belief.json"),
    include_str!("../../../schemas/oni/v1/model.latent_state.json"),
    include_str!("../../../schemas/oni/v1/model.prediction.json"),
    include_str!("../../../schemas/oni/v1/sensor.camera.json"),
    include_str!("../../../schemas/oni/v1/sensor.depth.json"),
    include_str!("../../../schemas/oni/v1/sensor.imu.json"),
    include_str!("../../../schemas/oni/v1/sensor.lidar.json"),
    include_str!("../../../schemas/oni/v1/sensor.odometry.json"),
    include_str!("../../../schemas/oni/v1/sensor.range_bearing.json"),
    include_str!("../../../schemas/oni/v1/telemetry.health.json"),
    include_str!("../../../schemas/oni/v1/telemetry.latency.json"),
];

static SCHEMAS: LazyLock<Vec<Schema>> = LazyLock::new(|| {
    let parse = |file: &&str| Schema::parse(file).expect("the embedded schema files are tested");
    FILES.iter().map(parse).collect()
});

/// Every schema that this version knows, in the order of their names.
pub fn schemas() -> &'static [Schema] {
    &SCHEMAS
}

/// The documents of [`schemas`], in the same order, to be served to whoever asks.
///
/// # Panics
/// Never: a test parses every file.
pub fn schema_documents() -> Vec<SchemaDocument> {
    let document = |file: &&str| SchemaDocument::of_file(file);
    let documents: Result<_, _> = FILES.iter().map(document).collect();
    documents.expect("the embedded schema files are tested")
}

/// Whether a message type's header must name the model that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelHashRule {
    /// No model made it.
    Absent,
    /// A model may have made it.
    Optional,
    /// A model made it.
    Required,
}

/// One dimension of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// Always this long.
    Fixed(u64),
    /// As long as every other dimension of this name in the message.
    Symbol(String),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => write!(f, "{length}"),
            Self::Symbol(symbol) => f.write_str(symbol),
        }
    }
}

/// What the numbers of a tensor are together, beyond the range of each (`x-rule`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Nothing but numbers.
    Numbers,
    /// Each run of nine, row-major, is a covariance of x, y and yaw.
    Covariance,
    /// No number is below the one before it.
    Ascending,
    /// Bytes of a list.
    List(ListOf, Option<String>),
    /// One UTF-8 text without control characters, of at most
    /// [`TEXT_BYTES_MAX`](crate::limits::TEXT_BYTES_MAX) bytes.
    Text,
    /// The canonical JSON of a schema.
    Schema,
}

/// What each line of a list is; lists are bytes, each line ended by a line feed. The length of the
/// dimension that [`Content::List`] may name is the number of lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListOf {
    /// 1 to 64 printable ASCII characters without spaces.
    Names,
    /// Names of agents.
    Agents,
    /// Keys.
    Keys,
    /// Keys, or patterns of keys.
    Patterns,
}

/// What one tensor of a message type must be.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorRule {
    /// Its name.
    pub name: String,
    /// What it is, in words.
    pub description: String,
    /// Whether it may be missing.
    pub presence: Presence,
    /// What its numbers are.
    pub dtype: Dtype,
    /// Its dimensions.
    pub dims: Vec<Dim>,
    /// The unit of its numbers; `1` for counts, codes and bytes.
    pub unit: String,
    /// The coordinate frame of its numbers, where they have one.
    pub frame: Option<String>,
    /// Whether there must be at least one value.
    pub non_empty: bool,
    /// Every value is at least this.
    pub minimum: Option<f64>,
    /// Every value is more than this.
    pub exclusive_minimum: Option<f64>,
    /// Every value is at most this.
    pub maximum: Option<f64>,
    /// What its numbers are together.
    pub content: Content,
}

/// Whether a message must have a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It must.
    Required,
    /// It may; where it does, the tensor follows its rule.
    Optional,
}

/// A message type.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Name, version and hash.
    pub id: SchemaId,
    /// What the messages are, in words.
    pub description: String,
    /// Whether headers name a model.
    pub model_hash: ModelHashRule,
    /// The tensors that a message must or may have; it may have others.
    pub tensors: Vec<TensorRule>,
}

/// Why the messages of a header are not the ones that this version knows.
///
/// Where a version differs, `difference` is the first tensor of the header's table that the known
/// schema would refuse; [`schema_differences`](crate::schema_differences) tells all of them, for
/// who has both documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaMismatch {
    /// No schema of that name is known here.
    #[error("no schema of this name is known here: got {got}")]
    Unknown {
        /// What the header says.
        got: SchemaId,
    },
    /// Another type was asked for.
    #[error("expected schema {expected}, got {got}")]
    OtherType {
        /// What was asked for.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
    },
    /// The major version differs.
    #[error("incompatible major version: expected schema {expected}, got {got}: {difference}")]
    OtherMajor {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
        /// Which tensor differs.
        difference: Box<str>,
    },
    /// One version, two contents: somebody changed a schema and not its version.
    #[error("one version with two contents: expected schema {expected}, got {got}: {difference}")]
    OtherHash {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
        /// Which tensor differs.
        difference: Box<str>,
    },
    /// A tensor is missing or is another.
    #[error("expected schema {expected}, got {got}: {difference}")]
    OtherTensor {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
        /// Which tensor, what it must be and what it is.
        difference: Box<str>,
    },
}

/// Checks that a header's messages can be read with the schema of that name known here: the same
/// major version and at least its tensors. Equal versions must have equal hashes.
///
/// # Errors
/// [`SchemaMismatch`], which prints both names, versions and hashes.
pub fn check_schema(header: &Header) -> Result<(), SchemaMismatch> {
    match schemas()
        .iter()
        .find(|schema| schema.id.name == header.schema.name)
    {
        Some(schema) => schema.check(header),
        None => Err(SchemaMismatch::Unknown {
            got: header.schema.clone(),
        }),
    }
}

impl Schema {
    /// Checks that messages of this header can be read with this schema.
    ///
    /// # Errors
    /// [`SchemaMismatch`], which prints both names, versions and hashes.
    pub fn check(&self, header: &Header) -> Result<(), SchemaMismatch> {
        let difference = self.differing_tensor(header);
        if self.id == header.schema && difference.is_none() {
            return Ok(());
        }
        let (expected, got) = (self.id.clone(), header.schema.clone());
        let same_table = || "no tensor of this message differs in dtype or shape".into();
        if expected.name != got.name {
            return Err(SchemaMismatch::OtherType { expected, got });
        }
        if expected.major != got.major {
            let difference = difference.unwrap_or_else(same_table);
            return Err(SchemaMismatch::OtherMajor {
                expected,
                got,
                difference,
            });
        }
        if expected.minor == got.minor && expected.hash != got.hash {
            let difference = difference.unwrap_or_else(same_table);
            return Err(SchemaMismatch::OtherHash {
                expected,
                got,
                difference,
            });
        }
        match difference {
            None => Ok(()),
            Some(difference) => Err(SchemaMismatch::OtherTensor {
                expected,
                got,
                difference,
            }),
        }
    }

    /// The first tensor that is missing or is another.
    fn differing_tensor(&self, header: &Header) -> Option<Box<str>> {
        self.tensors.iter().enumerate().find_map(|(idx, rule)| {
            // Writers keep the schema's order, mostly: its own row first.
            let is_it = |tensor: &&TensorEntry| tensor.name == rule.name;
            let there = header.tensors.get(idx).filter(is_it);
            let found = there.or_else(|| header.tensors.iter().find(is_it));
            let fits = found.map_or(rule.presence == Presence::Optional, |it| rule.fits(it));
            if fits {
                return None;
            }
            let found = found.map_or_else(
                || "none".to_string(),
                |tensor| format!("{} {:?}", tensor.dtype, tensor.shape),
            );
            let (name, expected) = (&rule.name, rule.layout());
            Some(format!("tensor {name:?}: expected {expected}, got {found}").into())
        })
    }
}

impl TensorRule {
    /// Whether dtype, rank and fixed dimensions are those of the rule.
    fn fits(&self, tensor: &TensorEntry) -> bool {
        let fits_dim = |(dim, length): (&Dim, &u64)| match dim {
            Dim::Fixed(fixed) => fixed == length,
            Dim::Symbol(_) => true,
        };
        self.dtype == tensor.dtype
            && self.dims.len() == tensor.shape.len()
            && self.dims.iter().zip(&tensor.shape).all(fits_dim)
    }

    /// Its dtype and dimensions, such as `f32 [horizon, beam]`.
    pub fn layout(&self) -> String {
        let dims: Vec<String> = self.dims.iter().map(ToString::to_string).collect();
        format!("{} [{}]", self.dtype, dims.join(", "))
    }
}

#[cfg(test)]
mod tests;
