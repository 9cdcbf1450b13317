//! How a schema is asked for and answered: one key, one message.

use sedge_oni::{
    Capture, DecodeError, EncodedMessage, Envelope, HeaderError, InvalidMessage, Key,
    SchemaDocument, Source, TypedMessage as _,
};

/// Why an answer holds no schema.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// It is no message.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// It is of another type, or holds something else.
    #[error(transparent)]
    Content(#[from] InvalidMessage),
}

/// Under which key the publisher of a stream serves the stream's schema.
///
/// # Panics
/// Never: chunks of a key make a key.
pub fn schema_key(stream: &Key) -> Key {
    let (fleet, agent, message_type) = (stream.fleet(), stream.agent(), stream.message_type());
    let reserved = SchemaDocument::NAME;
    Key::parse(&format!("oni/{fleet}/{agent}/{reserved}/{message_type}"))
        .expect("the chunks are those of a key")
}

/// Why a schema cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It does not fit into a message.
    #[error(transparent)]
    Content(#[from] InvalidMessage),
    /// The source or the clock breaks a rule of headers.
    #[error(transparent)]
    Header(#[from] HeaderError),
}

/// The answer of a program that publishes messages of this schema.
///
/// # Errors
/// [`ServeError`] where the envelope breaks a rule of headers.
pub fn schema_message(
    document: &SchemaDocument,
    source: Source,
    capture: Capture,
) -> Result<EncodedMessage, ServeError> {
    let message = document.to_message(Envelope::new(source, capture))?;
    Ok(message.encode()?)
}

/// The schema in an answer.
///
/// # Errors
/// [`AnswerError`] for anything that is none.
pub fn schema_of_message(message: &EncodedMessage) -> Result<SchemaDocument, AnswerError> {
    Ok(SchemaDocument::from_message(&message.decode()?)?)
}
