//! Schemas: what the tensors of a message type are, read from the files of `schemas/oni/v1`.

use std::sync::LazyLock;

use serde_json::Value;

use crate::tensor::is_tensor_name;
use crate::{Dtype, Header, SchemaId, TensorEntry, canonical_json};

/// The files, embedded so that a program carries the schemas that it was built with.
const FILES: [&str; 6] = [
    include_str!("../../../schemas/oni/v1/actuator.cmd.json"),
    include_str!("../../../schemas/oni/v1/model.belief.json"),
    include_str!("../../../schemas/oni/v1/model.prediction.json"),
    include_str!("../../../schemas/oni/v1/sensor.lidar.json"),
    include_str!("../../../schemas/oni/v1/sensor.odometry.json"),
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

/// What one tensor of a message type must be.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorRule {
    /// Its name.
    pub name: String,
    /// What its numbers are.
    pub dtype: Dtype,
    /// Its dimensions.
    pub dims: Vec<Dim>,
    /// Whether there must be at least one value.
    pub non_empty: bool,
    /// Every value is at least this.
    pub minimum: Option<f64>,
    /// Every value is more than this.
    pub exclusive_minimum: Option<f64>,
    /// Every value is at most this.
    pub maximum: Option<f64>,
}

/// A message type.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// Name, version and hash.
    pub id: SchemaId,
    /// Whether headers name a model.
    pub model_hash: ModelHashRule,
    /// The tensors that a message must have; it may have others.
    pub tensors: Vec<TensorRule>,
}

/// Why a text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema at {at}: expected {expected}, got {got}")]
pub struct SchemaError {
    at: String,
    expected: &'static str,
    got: String,
}

/// Why the messages of a header are not the ones that this version knows.
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
    #[error("incompatible major version: expected schema {expected}, got {got}")]
    OtherMajor {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
    },
    /// One version, two contents: somebody changed a schema and not its version.
    #[error("one version with two contents: expected schema {expected}, got {got}")]
    OtherHash {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
    },
    /// A tensor is missing or is another.
    #[error("expected schema {expected}, got {got}: {difference}")]
    OtherTensor {
        /// What is known here.
        expected: SchemaId,
        /// What the header says.
        got: SchemaId,
        /// Which tensor, what it must be and what it is.
        difference: String,
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
    /// Reads a schema file.
    ///
    /// # Errors
    /// [`SchemaError`] with the place in the file.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let json: Value = serde_json::from_str(text).map_err(|error| SchemaError {
            at: format!("line {}", error.line()),
            expected: "JSON",
            got: error.to_string(),
        })?;
        let root = Node {
            at: String::new(),
            json: &json,
        };
        let version = root.member("x-version")?;
        let model_hash = root.member("x-model-hash")?;
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(canonical_json(&json).as_bytes()).as_bytes()[..16]);
        let tensors = root.member("properties")?.member("tensors")?;
        let properties = tensors.member("properties")?;
        let names = tensors.member("required")?.items()?;
        Ok(Self {
            id: SchemaId {
                name: root.member("title")?.text()?.to_string(),
                major: version.member("major")?.number()?,
                minor: version.member("minor")?.number()?,
                hash,
            },
            model_hash: match model_hash.text()? {
                "absent" => ModelHashRule::Absent,
                "optional" => ModelHashRule::Optional,
                "required" => ModelHashRule::Required,
                _ => return Err(model_hash.error("absent, optional or required")),
            },
            tensors: names
                .iter()
                .map(|name| tensor_rule(name, &properties))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Checks that messages of this header can be read with this schema.
    ///
    /// # Errors
    /// [`SchemaMismatch`], which prints both names, versions and hashes.
    pub fn check(&self, header: &Header) -> Result<(), SchemaMismatch> {
        let (expected, got) = (self.id.clone(), header.schema.clone());
        if expected == got {
            return self.check_tensors(header);
        }
        if expected.name != got.name {
            return Err(SchemaMismatch::OtherType { expected, got });
        }
        if expected.major != got.major {
            return Err(SchemaMismatch::OtherMajor { expected, got });
        }
        if expected.minor == got.minor {
            return Err(SchemaMismatch::OtherHash { expected, got });
        }
        self.check_tensors(header)
    }

    fn check_tensors(&self, header: &Header) -> Result<(), SchemaMismatch> {
        for rule in &self.tensors {
            let found = header
                .tensors
                .iter()
                .find(|tensor| tensor.name == rule.name);
            if !found.is_some_and(|tensor| rule.fits(tensor)) {
                let found = found.map_or_else(
                    || "none".to_string(),
                    |tensor| format!("{} {:?}", tensor.dtype, tensor.shape),
                );
                let TensorRule {
                    name, dtype, dims, ..
                } = rule;
                return Err(SchemaMismatch::OtherTensor {
                    expected: self.id.clone(),
                    got: header.schema.clone(),
                    difference: format!("tensor {name:?} must be {dtype} {dims:?}, is {found}"),
                });
            }
        }
        Ok(())
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
}

fn tensor_rule(name: &Node<'_>, properties: &Node<'_>) -> Result<TensorRule, SchemaError> {
    if !is_tensor_name(name.text()?) {
        return Err(name.error("a tensor name"));
    }
    let tensor = properties.member(name.text()?)?;
    let parts = tensor.member("properties")?;
    let dtype = parts.member("dtype")?.member("const")?;
    let data = parts.member("data")?;
    let items = data.member("items")?;
    let dim = |node: &Node<'_>| match node.json {
        Value::String(symbol) => Ok(Dim::Symbol(symbol.clone())),
        _ => Ok(Dim::Fixed(node.number()?)),
    };
    let limit = |name: &str| match items.json.get(name) {
        None => Ok(None),
        Some(_) => items.member(name).and_then(|limit| {
            let number = limit.json.as_f64();
            number.map(Some).ok_or_else(|| limit.error("a number"))
        }),
    };
    Ok(TensorRule {
        name: name.text()?.to_string(),
        dtype: Dtype::from_name(dtype.text()?).ok_or_else(|| dtype.error("a dtype"))?,
        dims: tensor
            .member("x-dims")?
            .items()?
            .iter()
            .map(dim)
            .collect::<Result<_, _>>()?,
        non_empty: data.json.get("minItems").is_some(),
        minimum: limit("minimum")?,
        exclusive_minimum: limit("exclusiveMinimum")?,
        maximum: limit("maximum")?,
    })
}

/// A place in a JSON document, for errors that say where.
struct Node<'j> {
    at: String,
    json: &'j Value,
}

impl<'j> Node<'j> {
    fn error(&self, expected: &'static str) -> SchemaError {
        let at = if self.at.is_empty() {
            "/".to_string()
        } else {
            self.at.clone()
        };
        SchemaError {
            at,
            expected,
            got: self.json.to_string().chars().take(80).collect(),
        }
    }

    fn member(&self, name: &str) -> Result<Self, SchemaError> {
        let at = format!("{}/{name}", self.at);
        match self.json.get(name) {
            Some(json) => Ok(Self { at, json }),
            None => Err(SchemaError {
                at,
                expected: "a member",
                got: "none".to_string(),
            }),
        }
    }

    fn items(&self) -> Result<Vec<Self>, SchemaError> {
        let items = self.json.as_array().ok_or_else(|| self.error("an array"))?;
        let node = |(idx, json)| Self {
            at: format!("{}/{idx}", self.at),
            json,
        };
        Ok(items.iter().enumerate().map(node).collect())
    }

    fn text(&self) -> Result<&'j str, SchemaError> {
        self.json.as_str().ok_or_else(|| self.error("a text"))
    }

    fn number<T: TryFrom<u64>>(&self) -> Result<T, SchemaError> {
        let number = self
            .json
            .as_u64()
            .and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| self.error("a whole number"))
    }
}

#[cfg(test)]
mod tests;
