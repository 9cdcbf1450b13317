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
