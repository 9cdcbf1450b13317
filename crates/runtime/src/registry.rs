//! The schema registry that needs no server: every program answers for the schemas that it
//! publishes, and whoever reads asks at first contact.

mod checking;
mod first_contact;
mod serving;
#[cfg(test)]
pub(crate) mod test_schemas;

pub use checking::{CheckedFrame, CheckedFrames, check_message};
pub use first_contact::{ContactRow, ContactVerdict, FirstContact, SchemaQuestion, Standing};
pub use serving::{AnswerError, ServeError, schema_key, schema_message, schema_of_message};
