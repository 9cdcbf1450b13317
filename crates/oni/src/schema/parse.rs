//! Reading a schema file, ours or a stranger's: bounded, and never a panic.

use serde_json::Value;

use crate::limits::{RANK_MAX, SCHEMA_BYTES_MAX, SCHEMA_DEPTH_MAX, TENSORS_MAX};
use crate::schema::{Content, Dim, ListOf, ModelHashRule, Presence, Schema, TensorRule};
use crate::tensor::{cut, is_tensor_name};
use crate::{Dtype, SchemaId, canonical_json, key};

/// Why a text is no schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("schema at {at}: expected {expected}, got {got}")]
pub struct SchemaError {
    at: String,
    expected: String,
    got: String,
}

impl SchemaError {
    /// At a place of the document; what came is cut.
    pub(crate) fn new(at: impl Into<String>, expected: impl Into<String>, got: &str) -> Self {
        Self {
            at: at.into(),
            expected: expected.into(),
            got: cut(got),
        }
    }
}

impl Schema {
    /// Reads a schema file, at most [`SCHEMA_BYTES_MAX`] bytes of it.
    ///
    /// # Errors
    /// [`SchemaError`] with the place in the file.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        parse_document(text).map(|(_, schema)| schema)
    }

    fn of_json(json: &Value, hash: [u8; 16]) -> Result<Self, SchemaError> {
        let root = Node {
            at: String::new(),
            json,
        };
        let version = root.member("x-version")?;
        let title = root.member("title")?;
        if !key::is_chunk(title.text()?) {
            return Err(title.error("a part of a key"));
        }
        let id = SchemaId {
            name: title.text()?.to_string(),
            major: version.member("major")?.number()?,
            minor: version.member("minor")?.number()?,
            hash,
        };
        let model_hash = root.member("x-model-hash")?;
        Ok(Self {
            id,
            description: root.member("description")?.text()?.to_string(),
            model_hash: match model_hash.text()? {
                "absent" => ModelHashRule::Absent,
                "optional" => ModelHashRule::Optional,
                "required" => ModelHashRule::Required,
                _ => return Err(model_hash.error("absent, optional or required")),
            },
            tensors: tensor_rules(&root.member("properties")?.member("tensors")?)?,
        })
    }
}

/// A schema, and the canonical JSON that its hash is of.
pub(crate) fn parse_document(text: &str) -> Result<(String, Schema), SchemaError> {
    let json = parse_json(text)?;
    let canonical = canonical_json(&json);
    let schema = Schema::of_json(&json, schema_hash(&canonical))?;
    Ok((canonical, schema))
}

/// The document of a text, within the limits and with whole numbers only.
fn parse_json(text: &str) -> Result<Value, SchemaError> {
    if text.len() > SCHEMA_BYTES_MAX {
        let (expected, got) = (
            format!("at most {SCHEMA_BYTES_MAX} bytes"),
            text.len().to_string(),
        );
        return Err(SchemaError::new("/", expected, &got));
    }
    let json: Value = serde_json::from_str(text).map_err(|error| {
        SchemaError::new(format!("line {}", error.line()), "JSON", &error.to_string())
    })?;
    check_plain(&json, SCHEMA_DEPTH_MAX)?;
    Ok(json)
}

/// The first 16 bytes of blake3 over canonical JSON.
fn schema_hash(canonical: &str) -> [u8; 16] {
    *blake3::hash(canonical.as_bytes())
        .as_bytes()
        .first_chunk()
        .expect("a blake3 hash has 32 bytes")
}

/// Only whole numbers have one spelling, and only shallow documents can be walked by recursion.
fn check_plain(json: &Value, depth_left: usize) -> Result<(), SchemaError> {
    let Some(depth_left) = depth_left.checked_sub(1) else {
        let expected = format!("at most {SCHEMA_DEPTH_MAX} levels");
        return Err(SchemaError::new("/", expected, "more"));
    };
    let mut each = |json| check_plain(json, depth_left);
    match json {
        Value::Array(items) => items.iter().try_for_each(&mut each),
        Value::Object(members) => members.values().try_for_each(&mut each),
        Value::Number(number) if number.is_f64() => {
            let expected = "whole numbers of 64 bits, without point or exponent";
            Err(SchemaError::new("/", expected, &number.to_string()))
        }
        _ => Ok(()),
    }
}

fn tensor_rules(tensors: &Node<'_>) -> Result<Vec<TensorRule>, SchemaError> {
    let (required, properties) = (tensors.member("required")?, tensors.member("properties")?);
    let members = properties.members()?;
    if members.len() > TENSORS_MAX {
        return Err(properties.error(&format!("at most {TENSORS_MAX} tensors")));
    }
    let mut names: Vec<&str> = Vec::new();
    for name in required.items()? {
        let text = name.text()?;
        if names.contains(&text) {
            return Err(name.error("names that differ"));
        }
        // Also what bounds the list: each name is a different member.
        properties.member(text)?;
        names.push(text);
    }
    let n_required = names.len();
    let optional = members.keys().map(String::as_str);
    names.extend(
        optional
            .filter(|name| !names.contains(name))
            .collect::<Vec<_>>(),
    );
    let rule = |(idx, name): (usize, &&str)| {
        let presence = if idx < n_required {
            Presence::Required
        } else {
            Presence::Optional
        };
        tensor_rule(name, presence, &properties.member(name)?)
    };
    let rules: Vec<TensorRule> = names
        .iter()
        .enumerate()
        .map(rule)
        .collect::<Result<_, _>>()?;
    for rule in &rules {
        let Content::List(_, Some(dim)) = &rule.content else {
            continue;
        };
        let is_it = |it: &Dim| matches!(it, Dim::Symbol(symbol) if symbol == dim);
        if !rules.iter().any(|rule| rule.dims.iter().any(is_it)) {
            let at = format!("{}/{}/x-lines", properties.at, rule.name);
            return Err(SchemaError::new(at, "the name of a dimension", dim));
        }
    }
    Ok(rules)
}

fn tensor_rule(
    name: &str,
    presence: Presence,
    tensor: &Node<'_>,
) -> Result<TensorRule, SchemaError> {
    if !is_tensor_name(name) {
        return Err(SchemaError::new(&tensor.at, "a tensor name", name));
    }
    let parts = tensor.member("properties")?;
    let dtype = parts.member("dtype")?.member("const")?;
    let data = parts.member("data")?;
    let items = data.member("items")?;
    let limit = |name: &str| match items.optional(name) {
        None => Ok(None),
        Some(limit) => {
            let number = limit.json.as_f64();
            number.map(Some).ok_or_else(|| limit.error("a number"))
        }
    };
    let dims = tensor.member("x-dims")?;
    if dims.items()?.len() > RANK_MAX {
        return Err(dims.error(&format!("at most {RANK_MAX} dimensions")));
    }
    let frame = tensor.optional("x-frame");
    let rule = TensorRule {
        name: name.to_string(),
        description: tensor.member("description")?.text()?.to_string(),
        presence,
        dtype: Dtype::from_name(dtype.text()?).ok_or_else(|| dtype.error("a dtype"))?,
        dims: dims.items()?.iter().map(dim).collect::<Result<_, _>>()?,
        unit: tensor.member("x-unit")?.text()?.to_string(),
        frame: frame
            .map(|frame| frame.text().map(str::to_string))
            .transpose()?,
        non_empty: data.optional("minItems").is_some(),
        minimum: limit("minimum")?,
        exclusive_minimum: limit("exclusiveMinimum")?,
        maximum: limit("maximum")?,
        content: content(tensor)?,
    };
    check_content(tensor, &rule)?;
    Ok(rule)
}

fn dim(node: &Node<'_>) -> Result<Dim, SchemaError> {
    match node.json {
        Value::String(symbol) if is_tensor_name(symbol) => Ok(Dim::Symbol(symbol.clone())),
        Value::String(_) => Err(node.error("a dimension's name of 1 to 64 of a-z 0-9 _")),
        _ => node.number().map(Dim::Fixed),
    }
}

fn content(tensor: &Node<'_>) -> Result<Content, SchemaError> {
    let Some(rule) = tensor.optional("x-rule") else {
        return Ok(Content::Numbers);
    };
    let lines = match tensor.optional("x-lines") {
        None => None,
        Some(lines) => match dim(&lines)? {
            Dim::Symbol(symbol) => Some(symbol),
            Dim::Fixed(_) => return Err(lines.error("a dimension's name")),
        },
    };
    match rule.text()? {
        "covariance" => Ok(Content::Covariance),
        "ascending" => Ok(Content::Ascending),
        "names" => Ok(Content::List(ListOf::Names, lines)),
        "agents" => Ok(Content::List(ListOf::Agents, lines)),
        "keys" => Ok(Content::List(ListOf::Keys, lines)),
        "patterns" => Ok(Content::List(ListOf::Patterns, lines)),
        "text" => Ok(Content::Text),
        "schema" => Ok(Content::Schema),
        _ => Err(rule.error("one of the rules that the specification lists")),
    }
}

/// A rule that cannot apply would be a rule that nobody checks.
fn check_content(tensor: &Node<'_>, rule: &TensorRule) -> Result<(), SchemaError> {
    let fits = match rule.content {
        Content::Numbers => true,
        Content::Covariance => {
            let square = [Dim::Fixed(3), Dim::Fixed(3)];
            rule.dtype == Dtype::F64 && rule.dims.ends_with(&square)
        }
        Content::Ascending => rule.dims.len() == 1,
        Content::List(..) | Content::Text | Content::Schema => {
            rule.dtype == Dtype::U8 && rule.dims.len() == 1
        }
    };
    if fits {
        return Ok(());
    }
    let expected = "a tensor that its x-rule can be about";
    Err(SchemaError::new(&tensor.at, expected, &rule.layout()))
}

/// A place in a JSON document, for errors that say where.
struct Node<'j> {
    at: String,
    json: &'j Value,
}

impl<'j> Node<'j> {
    fn error(&self, expected: &str) -> SchemaError {
        let at = if self.at.is_empty() { "/" } else { &self.at };
        SchemaError::new(at, expected, &self.json.to_string())
    }

    fn optional(&self, name: &str) -> Option<Self> {
        let at = format!("{}/{name}", self.at);
        self.json.get(name).map(|json| Self { at, json })
    }

    fn member(&self, name: &str) -> Result<Self, SchemaError> {
        let none = || SchemaError::new(format!("{}/{}", self.at, cut(name)), "a member", "none");
        self.optional(name).ok_or_else(none)
    }

    fn members(&self) -> Result<&'j serde_json::Map<String, Value>, SchemaError> {
        self.json.as_object().ok_or_else(|| self.error("an object"))
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
