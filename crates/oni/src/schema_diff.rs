//! What two schemas differ in, in sentences for people.

use std::fmt;

use crate::header::hex;
use crate::tensor::cut;
use crate::{
    Content, ListOf, ModelHashRule, Presence, Schema, SchemaId, SchemaMismatch, TensorRule,
};

/// What a difference means where one side reads the other's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The reader refuses them, or would misread them.
    Breaks,
    /// The reader ignores it, or does without.
    Compatible,
    /// Only words differ.
    Wording,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaDifference {
    /// The tensor that it is about; none where it is about the whole.
    pub tensor: Option<String>,
    /// What it means for the reader.
    pub effect: Effect,
    what: String,
}

impl fmt::Display for SchemaDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tensor {
            Some(tensor) => write!(f, "tensor {tensor:?}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// Everything that the schema of a sender differs in from the one of a reader. Each difference
/// prints as a sentence: what the reader expected, what the sender has.
pub fn schema_differences(reader: &Schema, sender: &Schema) -> Vec<SchemaDifference> {
    let mut found = identity(reader, sender);
    found.extend(content(reader, sender));
    if found.len() == 1 && reader.id.hash != sender.id.hash {
        found.push(SchemaDifference {
            tensor: None,
            effect: Effect::Wording,
            what: "the documents differ only in what is no rule for messages".to_string(),
        });
    }
    found
}

/// What they differ in apart from name, version and hash.
fn content(reader: &Schema, sender: &Schema) -> Vec<SchemaDifference> {
    let mut found = Vec::new();
    let mut add = |what: &str, effect, expected: String, got: String| {
        if expected != got {
            found.push(difference(None, what, effect, &expected, &got));
        }
    };
    let rule = |schema: &Schema| schema.model_hash.name().to_string();
    add("model hash", Effect::Breaks, rule(reader), rule(sender));
    let words = |schema: &Schema| format!("{:?}", cut(&schema.description));
    add("description", Effect::Wording, words(reader), words(sender));
    for rule in &reader.tensors {
        match sender.tensors.iter().find(|it| it.name == rule.name) {
            Some(other) => tensor(rule, other, &mut found),
            None => found.push(SchemaDifference {
                tensor: Some(rule.name.clone()),
                effect: match rule.presence {
                    Presence::Required => Effect::Breaks,
                    Presence::Optional => Effect::Compatible,
                },
                what: format!("expected {}, got none", rule.layout()),
            }),
        }
    }
    let is_new = |rule: &&TensorRule| reader.tensors.iter().all(|it| it.name != rule.name);
    found.extend(
        sender
            .tensors
            .iter()
            .filter(is_new)
            .map(|rule| SchemaDifference {
                tensor: Some(rule.name.clone()),
                effect: Effect::Compatible,
                what: format!("expected none, got {}", rule.layout()),
            }),
    );
    found
}

impl Schema {
    /// Checks that messages of a sender can be read with this schema, by the sender's own schema:
    /// what [`Schema::check`] says of one header, and beyond it units, frames, ranges and rules,
    /// which no header tells.
    ///
    /// # Errors
    /// [`SchemaMismatch`], which prints both names, versions and hashes, and each difference.
    pub fn check_sender(&self, sender: &Self) -> Result<(), SchemaMismatch> {
        let mut breaking = content(self, sender);
        breaking.retain(|it| it.effect == Effect::Breaks);
        let sentences: Vec<String> = breaking.iter().map(ToString::to_string).collect();
        let difference = match sentences.as_slice() {
            [] => "no rule for messages differs".into(),
            _ => sentences.join("; ").into(),
        };
        let (expected, got) = (self.id.clone(), sender.id.clone());
        if expected.name != got.name {
            return Err(SchemaMismatch::OtherType { expected, got });
        }
        if expected.major != got.major {
            return Err(SchemaMismatch::OtherMajor {
                expected,
                got,
                difference,
            });
        }
        if expected.minor == got.minor && expected.hash != got.hash {
            return Err(SchemaMismatch::OtherHash {
                expected,
                got,
                difference,
            });
        }
        if !breaking.is_empty() {
            return Err(SchemaMismatch::OtherTensor {
                expected,
                got,
                difference,
            });
        }
        Ok(())
    }
}

/// What their names, versions and hashes differ in.
fn identity(reader: &Schema, sender: &Schema) -> Vec<SchemaDifference> {
    let (ours, theirs) = (&reader.id, &sender.id);
    let mut found = Vec::new();
    let mut add = |what: &str, effect, expected: String, got: String| {
        if expected != got {
            found.push(difference(None, what, effect, &expected, &got));
        }
    };
    let is_same_major = ours.major == theirs.major;
    let is_same_version = ours.name == theirs.name && is_same_major && ours.minor == theirs.minor;
    let effect = |is_fine| {
        if is_fine {
            Effect::Compatible
        } else {
            Effect::Breaks
        }
    };
    let version = |id: &SchemaId| format!("{}.{}", id.major, id.minor);
    let hash = if is_same_version {
        "for this version the hash"
    } else {
        "hash"
    };
    add(
        "name",
        Effect::Breaks,
        ours.name.clone(),
        theirs.name.clone(),
    );
    add(
        "version",
        effect(is_same_major),
        version(ours),
        version(theirs),
    );
    add(
        hash,
        effect(!is_same_version),
        hex(&ours.hash),
        hex(&theirs.hash),
    );
    found
}

fn tensor(ours: &TensorRule, theirs: &TensorRule, found: &mut Vec<SchemaDifference>) {
    let mut add = |what: &str, effect, of: &dyn Fn(&TensorRule) -> String| {
        let (expected, got) = (of(ours), of(theirs));
        if expected != got {
            found.push(difference(Some(&ours.name), what, effect, &expected, &got));
        }
    };
    let breaks = Effect::Breaks;
    add("dtype", breaks, &|rule| rule.dtype.to_string());
    add("dims", breaks, &|rule| {
        let dims: Vec<String> = rule.dims.iter().map(ToString::to_string).collect();
        format!("[{}]", dims.join(", "))
    });
    let presence = match ours.presence {
        Presence::Required => breaks,
        Presence::Optional => Effect::Compatible,
    };
    add("presence", presence, &|rule| match rule.presence {
        Presence::Required => "required".to_string(),
        Presence::Optional => "optional".to_string(),
    });
    add("unit", breaks, &|rule| rule.unit.clone());
    add("frame", breaks, &|rule| {
        rule.frame.clone().unwrap_or_else(|| "none".to_string())
    });
    add("values", breaks, &TensorRule::values_text);
    add("rule", breaks, &|rule| rule.content.text());
    add("description", Effect::Wording, &|rule| {
        format!("{:?}", cut(&rule.description))
    });
}

fn difference(
    tensor: Option<&str>,
    what: &str,
    effect: Effect,
    expected: &str,
    got: &str,
) -> SchemaDifference {
    SchemaDifference {
        tensor: tensor.map(str::to_string),
        effect,
        what: format!("expected {what} {expected}, got {got}"),
    }
}

impl TensorRule {
    /// What its values may be, such as `at least one, of at least 0`.
    pub fn values_text(&self) -> String {
        let range = match self.range_text() {
            range if range.is_empty() => "any".to_string(),
            range => range,
        };
        if self.non_empty {
            format!("at least one, {range}")
        } else {
            range
        }
    }
}

impl ModelHashRule {
    /// Its name in schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Optional => "optional",
            Self::Required => "required",
        }
    }
}

impl Content {
    /// What it says, such as `agents, one line each of neighbour`.
    pub fn text(&self) -> String {
        match self {
            Self::Numbers => "none".to_string(),
            Self::Covariance => "covariance".to_string(),
            Self::Ascending => "ascending".to_string(),
            Self::List(of, None) => of.name().to_string(),
            Self::List(of, Some(dim)) => format!("{}, one line for each of {dim}", of.name()),
            Self::Text => "text".to_string(),
            Self::Schema => "schema".to_string(),
        }
    }
}

impl ListOf {
    /// Its name in schemas.
    pub fn name(self) -> &'static str {
        match self {
            Self::Names => "names",
            Self::Agents => "agents",
            Self::Keys => "keys",
            Self::Patterns => "patterns",
        }
    }
}

#[cfg(test)]
mod tests;
