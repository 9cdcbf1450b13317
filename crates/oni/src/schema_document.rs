//! `agent.schema`: a schema as it is served to whoever asks.

use crate::schema::parse_document;
use crate::tensor::cut;
use crate::typed::values;
use crate::{InvalidMessage, Message, MessageBuilder, Schema, SchemaError, TypedMessage};

const JSON: &str = "json";

/// A schema and the canonical JSON that its hash is of.
///
/// It may be a stranger's: whatever came has been parsed within the limits and hashed here, so the
/// hash of [`SchemaDocument::schema`] is that of the text, whatever its sender claimed.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaDocument {
    canonical: String,
    schema: Schema,
}

impl SchemaDocument {
    /// Of a schema file, in whatever layout.
    ///
    /// # Errors
    /// [`SchemaError`] where it is none.
    pub fn of_file(text: &str) -> Result<Self, SchemaError> {
        let (canonical, schema) = parse_document(text)?;
        Ok(Self { canonical, schema })
    }

    /// Of the bytes of an `agent.schema` message, which must be canonical.
    ///
    /// # Errors
    /// [`SchemaError`] where they are no schema, or are laid out otherwise.
    pub fn parse(bytes: &[u8]) -> Result<Self, SchemaError> {
        let text = str::from_utf8(bytes)
            .map_err(|error| SchemaError::new("/", "UTF-8", &error.to_string()))?;
        let document = Self::of_file(text)?;
        if document.canonical == text {
            return Ok(document);
        }
        Err(SchemaError::new("/", "canonical JSON", &cut(text)))
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Its canonical JSON.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl TypedMessage<'_> for SchemaDocument {
    const NAME: &'static str = "agent.schema";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let bytes = self.canonical.as_bytes();
        Ok(builder.tensor(JSON, &[bytes.len()], bytes)?)
    }

    fn read(message: &Message<'_>) -> Result<Self, InvalidMessage> {
        Ok(Self::parse(values(message, JSON)?)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::{RANK_MAX, SCHEMA_BYTES_MAX, TENSORS_MAX};
    use crate::schema_documents;

    #[test]
    fn a_layout_of_its_own_is_read_from_a_file_and_refused_from_the_bus() {
        let document = schema_documents().swap_remove(0);
        let spread = document.canonical().replace(':', ": ");
        let read = SchemaDocument::of_file(&spread).unwrap();
        assert_eq!(read.schema().id.name, document.schema().id.name);
        let error = SchemaDocument::parse(spread.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("canonical"), "{error}");
        let canonical = document.canonical().as_bytes();
        assert_eq!(SchemaDocument::parse(canonical), Ok(document.clone()));
    }

    #[test]
    fn damaged_documents_are_refused_or_within_the_limits() {
        let (mut state, mut refused, mut read) = (1u64, 0, 0);
        // Knuth's multiplicative generator: its high bits are good enough to choose places.
        let mut below = |limit: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % limit.max(1)
        };
        let pieces: [&[u8]; 12] = [
            b"",
            b"\"",
            b"{",
            b"]",
            b"[[[[",
            b"null",
            b"-1",
            b"1e999",
            b"18446744073709551615",
            b"\\ud800",
            b"\xff",
            b"\"x-rule\":\"text\",",
        ];
        for document in schema_documents().iter().cycle().take(4_000) {
            let mut bytes = document.canonical().as_bytes().to_vec();
            let (at, length) = (below(bytes.len()), below(30));
            let end = (at + length).min(bytes.len());
            drop(bytes.splice(at..end, pieces[below(pieces.len())].iter().copied()));
            match SchemaDocument::parse(&bytes) {
                Err(error) => {
                    assert!(error.to_string().len() < 2_000, "{error}");
                    refused += 1;
                }
                Ok(document) => {
                    assert!(document.canonical().len() <= SCHEMA_BYTES_MAX);
                    let tensors = &document.schema().tensors;
                    assert!(tensors.len() <= TENSORS_MAX);
                    assert!(tensors.iter().all(|rule| rule.dims.len() <= RANK_MAX));
                    read += 1;
                }
            }
        }
        assert!(
            refused > 1_000 && read > 10,
            "{refused} refused, {read} read"
        );
    }
}
