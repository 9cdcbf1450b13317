//! Schemas that are ours with a change, and messages that bear them.

use sedge_oni::{
    Capture, EncodedMessage, Message, MessageBuilder, SchemaDocument, Sequence, schema_documents,
};
use sedge_spacetime::Stamp;
use serde_json::{Value, json};

use super::schema_message;
use crate::test_drive::name;

/// A built-in schema, changed.
pub(crate) fn edited(message_type: &str, edit: impl FnOnce(&mut Value)) -> SchemaDocument {
    let documents = schema_documents();
    let mut documents = documents.iter();
    let ours = documents.find(|document| document.schema().id.name == message_type);
    let mut json = serde_json::from_str(ours.unwrap().canonical()).unwrap();
    edit(&mut json);
    SchemaDocument::of_file(&json.to_string()).unwrap()
}

/// The next minor version, with one more tensor like the one named.
pub(crate) fn with_another(json: &mut Value, like: &str) {
    minor(json, 1);
    let tensors = &mut json["properties"]["tensors"];
    tensors["properties"]["another"] = tensors["properties"][like].clone();
    let required = tensors["required"].as_array_mut().unwrap();
    required.push(json!("another"));
}

pub(crate) fn minor(json: &mut Value, minor: u32) {
    json["x-version"]["minor"] = json!(minor);
}

/// Changes one member of what is said of a tensor.
pub(crate) fn set(json: &mut Value, tensor: &str, at: &str, value: Value) {
    let at = format!("/properties/tensors/properties/{tensor}{at}");
    *json.pointer_mut(&at).unwrap() = value;
}

/// The same message under another schema. Tensors that this one asks for beyond ours are left out.
pub(crate) fn bearing(message: &Message<'_>, document: &SchemaDocument) -> Message<'static> {
    let id = document.schema().id.clone();
    let mut builder = MessageBuilder::new(id, message.envelope().clone());
    for tensor in message.tensors() {
        let (name, shape) = (&tensor.entry().name, &tensor.entry().shape);
        let shape: Vec<usize> = shape.iter().map(|length| *length as usize).collect();
        builder = match (tensor.values::<f32>(), tensor.values::<f64>()) {
            (Ok(values), _) => builder.tensor(name, &shape, values),
            (_, Ok(values)) => builder.tensor(name, &shape, values),
            _ => builder.tensor(name, &shape, tensor.values::<i64>().unwrap()),
        }
        .unwrap();
    }
    builder.build()
}

/// What the publisher of a schema answers.
pub(crate) fn answer(document: &SchemaDocument) -> EncodedMessage {
    let source = Sequence::new(name("crane3"), 1).next_source();
    schema_message(document, source, Capture::exact(Stamp::ZERO, "log")).unwrap()
}
