//! The JSON form of messages, which the schemas describe, and canonical JSON, which is hashed.

use serde_json::{Map, Number, Value, json};

use crate::header::hex;
use crate::{Dtype, Element, Envelope, Message, TensorView};

impl Message<'_> {
    /// The message as JSON: `{"header": .., "tensors": {name: {"dtype", "shape", "data"}}}`, data
    /// flat and row-major; a number that JSON cannot say becomes null.
    pub fn to_json(&self) -> Value {
        let tensors: Map<String, Value> = self
            .tensors()
            .map(|tensor| (tensor.entry().name.to_string(), tensor_to_json(tensor)))
            .collect();
        let schema = &self.header().schema;
        let mut header = envelope_to_json(self.envelope());
        header.insert(
            "schema".to_string(),
            json!({
                "name": schema.name,
                "major": schema.major,
                "minor": schema.minor,
                "hash": hex(&schema.hash),
            }),
        );
        json!({ "header": header, "tensors": tensors })
    }
}

fn envelope_to_json(envelope: &Envelope) -> Map<String, Value> {
    let nanos = |time: std::time::Duration| time.as_nanos() as u64;
    let ledger = envelope
        .ledger
        .iter()
        .map(|entry| json!([entry.stage.as_str(), entry.nanos]));
    let json = json!({
        "agent": envelope.source.agent.as_str(),
        "epoch": envelope.source.epoch,
        "sequence": envelope.source.sequence,
        "capture_nanos": envelope.capture.stamp.nanos(),
        "clock_id": envelope.capture.clock,
        "capture_error_nanos": nanos(envelope.capture.error),
        "frame_id": envelope.frame.as_ref().map(ToString::to_string),
        "trace_id": envelope.trace.map(|trace| hex(&trace.trace_id)),
        "span_id": envelope.trace.map(|trace| hex(&trace.span_id)),
        "deadline_nanos": envelope.deadline.map(nanos),
        "lifespan_nanos": envelope.lifespan.map(nanos),
        "model_hash": envelope.model_hash.map(|hash| hex(&hash)),
        "ledger": ledger.collect::<Vec<_>>(),
    });
    match json {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn tensor_to_json(tensor: TensorView<'_>) -> Value {
    let data = match tensor.entry().dtype {
        Dtype::F32 => floats::<f32>(tensor),
        Dtype::F64 => floats::<f64>(tensor),
        Dtype::I32 => integers::<i32>(tensor),
        Dtype::I64 => integers::<i64>(tensor),
        Dtype::U8 => integers::<u8>(tensor),
        Dtype::U16 => integers::<u16>(tensor),
        Dtype::U32 => integers::<u32>(tensor),
    };
    let (dtype, shape) = (tensor.entry().dtype.name(), tensor.entry().shape.to_vec());
    json!({ "dtype": dtype, "shape": shape, "data": data })
}

fn floats<T: Element>(tensor: TensorView<'_>) -> Vec<Value> {
    let values = tensor.values::<T>().unwrap_or_default();
    let number = |value: &T| Number::from_f64(value.as_f64()).map_or(Value::Null, Value::Number);
    values.iter().map(number).collect()
}

fn integers<T: Element + Into<Number>>(tensor: TensorView<'_>) -> Vec<Value> {
    let values = tensor.values::<T>().unwrap_or_default();
    values
        .iter()
        .map(|value| Value::Number((*value).into()))
        .collect()
}

/// JSON without spaces, members sorted by name (byte order): one text per value, to be hashed.
///
/// Numbers are written as `serde_json` writes them; schemas hold only integers, where that is the
/// only way.
pub fn canonical_json(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(canonical_json).collect();
            format!("[{}]", items.join(","))
        }
        Value::Object(members) => {
            let mut members: Vec<(&String, &Value)> = members.iter().collect();
            members.sort_by_key(|(name, _)| *name);
            let members: Vec<String> = members
                .into_iter()
                .map(|(name, value)| format!("{}:{}", json!(name), canonical_json(value)))
                .collect();
            format!("{{{}}}", members.join(","))
        }
        plain => plain.to_string(),
    }
}
