//! The rules of a schema about the numbers of one tensor together.

use crate::schema_document::SchemaDocument;
use crate::text::{lines, text};
use crate::typed::{covariance_from_rows, values};
use crate::validate::validate;
use crate::{
    Content, Dim, Dtype, Element, InvalidMessage, Message, Schema, TensorRule, TensorView,
};

/// Numbers of one covariance.
const N_COVARIANCE_ENTRIES: usize = 9;

impl Schema {
    /// Checks a message against everything that this schema says: header, shapes, each number, and
    /// what numbers are together. For messages whose type is not known when compiling; a
    /// [`TypedMessage`](crate::TypedMessage) checks the same and what its own page adds.
    ///
    /// # Errors
    /// [`InvalidMessage`] for the first rule that the message breaks.
    pub fn validate(&self, message: &Message<'_>) -> Result<(), InvalidMessage> {
        validate(self, message)?;
        for rule in &self.tensors {
            if let Some(tensor) = message.tensor(&rule.name) {
                self.check_content(rule, tensor, message)?;
            }
        }
        Ok(())
    }

    fn check_content(
        &self,
        rule: &TensorRule,
        tensor: TensorView<'_>,
        message: &Message<'_>,
    ) -> Result<(), InvalidMessage> {
        match &rule.content {
            Content::Numbers => Ok(()),
            Content::Covariance => tensor
                .values::<f64>()?
                .chunks_exact(N_COVARIANCE_ENTRIES)
                .try_for_each(|rows| covariance_from_rows(&rule.name, rows).map(drop)),
            Content::Ascending => check_ascending(rule, tensor),
            Content::List(of, dim) => {
                let n_lines = dim.as_ref().and_then(|dim| self.length(dim, message));
                lines(&rule.name, tensor.bytes(), *of, n_lines).map(drop)
            }
            Content::Text => text(&rule.name, tensor.bytes()).map(drop),
            Content::Schema => Ok(SchemaDocument::parse(tensor.bytes()).map(drop)?),
        }
    }

    /// The length that a named dimension has in a message.
    fn length(&self, name: &str, message: &Message<'_>) -> Option<usize> {
        self.tensors.iter().find_map(|rule| {
            let is_it = |dim: &Dim| matches!(dim, Dim::Symbol(symbol) if symbol == name);
            let idx = rule.dims.iter().position(is_it)?;
            let length = message.tensor(&rule.name)?.entry().shape[idx];
            usize::try_from(length).ok()
        })
    }
}

fn check_ascending(rule: &TensorRule, tensor: TensorView<'_>) -> Result<(), InvalidMessage> {
    match rule.dtype {
        Dtype::F32 => ascending::<f32>(&rule.name, tensor.values()?),
        Dtype::F64 => ascending::<f64>(&rule.name, tensor.values()?),
        Dtype::I32 => ascending::<i32>(&rule.name, tensor.values()?),
        Dtype::I64 => ascending::<i64>(&rule.name, tensor.values()?),
        Dtype::U8 => ascending::<u8>(&rule.name, tensor.values()?),
        Dtype::U16 => ascending::<u16>(&rule.name, tensor.values()?),
        Dtype::U32 => ascending::<u32>(&rule.name, tensor.values()?),
    }
}

/// Refuses a number that is below the one before it.
pub(crate) fn ascending<T: Element + PartialOrd>(
    tensor: &str,
    values: &[T],
) -> Result<(), InvalidMessage> {
    match values.windows(2).position(|pair| pair[1] < pair[0]) {
        None => Ok(()),
        Some(idx) => Err(InvalidMessage::OutOfRange {
            tensor: tensor.to_string(),
            expected: format!("of at least the {} before", values[idx].as_f64()),
            index: idx + 1,
            value: values[idx + 1].as_f64(),
        }),
    }
}

/// [`Content::Ascending`] of a tensor that the schema check has already found.
pub(crate) fn ascending_values<'m, T: Element + PartialOrd>(
    message: &'m Message<'_>,
    tensor: &str,
) -> Result<&'m [T], InvalidMessage> {
    let numbers = values::<T>(message, tensor)?;
    ascending(tensor, numbers)?;
    Ok(numbers)
}
