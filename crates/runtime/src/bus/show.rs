//! A message as a person reads it.

use sedge_oni::{
    Dtype, Element, Encoding, Envelope, Header, LedgerEntry, Message, TensorEntry, TensorView,
    check_schema,
};
use sedge_transport::Received;
use serde_json::{Value, json};

/// A tensor of up to so many values is printed whole.
const VALUES_WHOLE_MAX: usize = 8;
/// Of a longer one these are printed, and the last.
const VALUES_FIRST: usize = 3;
/// Characters of a text that are printed unless all are wanted.
const TEXT_CHARS_MAX: usize = 60;
/// Bytes that are printed of a message that is none, or whose bytes were asked for.
const RAW_BYTES_MAX: usize = 256;
const BYTES_A_LINE: usize = 16;

/// How much of a message is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The header, and of each tensor its beginning and its range.
    Brief,
    /// Every value.
    Full,
    /// The bytes.
    Raw,
}

/// The message in lines, the first of them its key; one that cannot be decoded is shown with the
/// reason and its bytes.
pub fn show(received: &Received, detail: Detail) -> String {
    let mut text = String::new();
    let encoded = &received.message;
    let sizes = (encoded.header().len(), encoded.payload().len());
    let header = Header::decode(encoded.header());
    let number = match &header {
        Ok(header) => {
            let source = &header.envelope.source;
            let (agent, sequence) = (&source.agent, source.sequence);
            format!("  #{sequence} of {agent}, epoch {}", source.epoch)
        }
        Err(_) => String::new(),
    };
    line(
        &mut text,
        &format!("{}{number}, {} + {} bytes", received.key, sizes.0, sizes.1),
    );
    match Message::decode(encoded.header(), encoded.payload()) {
        Err(error) => {
            line(&mut text, &format!("  malformed: {error}"));
            show_bytes(&mut text, received, detail);
        }
        Ok(_) if detail == Detail::Raw => show_bytes(&mut text, received, detail),
        Ok(message) => {
            show_header(&mut text, message.header());
            // The table as it came says how each tensor was packed.
            let packed = header.map(|header| header.tensors).unwrap_or_default();
            for (tensor, packed) in message.tensors().zip(&packed) {
                line(&mut text, &show_tensor(tensor, packed, detail));
            }
        }
    }
    text
}

/// The message as JSON: its key, when it came, and its JSON form with every value; one that cannot
/// be decoded has the reason and its bytes, in hexadecimal, instead. [`Detail::Raw`] gives bytes
/// only.
pub fn show_json(received: &Received, detail: Detail) -> Value {
    let encoded = &received.message;
    let mut json = json!({
        "key": received.key.as_str(),
        "arrival_nanos": received.arrival.nanos(),
        "header_bytes": encoded.header().len(),
        "payload_bytes": encoded.payload().len(),
    });
    let decoded = Message::decode(encoded.header(), encoded.payload());
    if let (Ok(message), Detail::Brief | Detail::Full) = (&decoded, detail) {
        json["message"] = message.to_json();
        let packed = Header::decode(encoded.header()).map(|header| header.tensors);
        let packed = packed.unwrap_or_default();
        for tensor in packed.iter().filter(|each| each.encoding != Encoding::Raw) {
            json["packed"][&*tensor.name] = json!({
                "encoding": tensor.encoding.name(),
                "bytes": tensor.length,
            });
        }
    } else {
        json["header_hex"] = hex(encoded.header()).into();
        json["payload_hex"] = hex(encoded.payload()).into();
    }
    if let Err(error) = decoded {
        json["error"] = error.to_string().into();
    }
    json
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

fn show_header(text: &mut String, header: &Header) {
    let verdict = match check_schema(header) {
        Ok(()) => String::new(),
        Err(mismatch) => format!("\n  refused   {mismatch}"),
    };
    line(text, &format!("  schema    {}{verdict}", header.schema));
    let Envelope {
        capture,
        frame,
        deadline,
        lifespan,
        model_hash,
        ledger,
        ..
    } = &header.envelope;
    let (stamp, clock, error) = (capture.stamp, &capture.clock, capture.error);
    line(
        text,
        &format!("  captured  {stamp} on clock {clock}, within {error:?}"),
    );
    let facts = [
        frame.as_ref().map(|frame| format!("frame {frame}")),
        deadline.map(|time| format!("deadline {time:?}")),
        lifespan.map(|time| format!("lifespan {time:?}")),
        model_hash.map(|hash| format!("model {}", hex(&hash[..8]))),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    if !facts.is_empty() {
        line(text, &format!("  with      {}", facts.join(", ")));
    }
    let entry = |entry: &LedgerEntry| format!("{} {} ns", entry.stage, entry.nanos);
    if !ledger.is_empty() {
        let entries: Vec<String> = ledger.iter().map(entry).collect();
        line(text, &format!("  ledger    {}", entries.join(", ")));
    }
}

fn show_tensor(tensor: TensorView<'_>, packed: &TensorEntry, detail: Detail) -> String {
    let entry = tensor.entry();
    let packing = match packed.encoding {
        Encoding::Raw => String::new(),
        encoding => format!(" {} of {} bytes", encoding.name(), packed.length),
    };
    let values = match entry.dtype {
        Dtype::F32 => numbers::<f32>(tensor, detail),
        Dtype::F64 => numbers::<f64>(tensor, detail),
        Dtype::I32 => numbers::<i32>(tensor, detail),
        Dtype::I64 => numbers::<i64>(tensor, detail),
        Dtype::U8 => {
            characters(tensor.bytes(), detail).unwrap_or_else(|| numbers::<u8>(tensor, detail))
        }
        Dtype::U16 => numbers::<u16>(tensor, detail),
        Dtype::U32 => numbers::<u32>(tensor, detail),
    };
    let (name, dtype, shape) = (&entry.name, entry.dtype, &entry.shape);
    format!("  {name}: {dtype} {shape:?}{packing} {values}")
}

/// Bytes that are a text, quoted.
fn characters(bytes: &[u8], detail: Detail) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = |c: char| !c.is_control() || c == '\n';
    if text.is_empty() || !text.chars().all(is_plain) {
        return None;
    }
    let shown: String = match detail {
        Detail::Full => text.to_owned(),
        Detail::Brief | Detail::Raw => text.chars().take(TEXT_CHARS_MAX).collect(),
    };
    let rest = if shown.len() < text.len() { ".." } else { "" };
    Some(format!("{shown:?}{rest}"))
}

fn numbers<T: Element + ToString>(tensor: TensorView<'_>, detail: Detail) -> String {
    let values = tensor.values::<T>().unwrap_or_default();
    let texts = |values: &[T]| {
        let texts: Vec<String> = values.iter().map(ToString::to_string).collect();
        texts.join(" ")
    };
    if detail == Detail::Full || values.len() <= VALUES_WHOLE_MAX {
        return texts(values);
    }
    let last = &values[values.len() - 1..];
    let ends = range(values);
    let ends =
        ends.map(|(least, most)| format!(" (from {} to {})", texts(&[least]), texts(&[most])));
    let first = texts(&values[..VALUES_FIRST]);
    format!("{first} .. {}{}", texts(last), ends.unwrap_or_default())
}

/// The least and the greatest number, or `None` where all are NaN.
fn range<T: Element>(values: &[T]) -> Option<(T, T)> {
    let is_number = |value: &&T| !value.as_f64().is_nan();
    let by_size = |one: &&T, other: &&T| one.as_f64().total_cmp(&other.as_f64());
    let least = values.iter().filter(is_number).min_by(by_size)?;
    let most = values.iter().filter(is_number).max_by(by_size)?;
    Some((*least, *most))
}

fn show_bytes(text: &mut String, received: &Received, detail: Detail) {
    let parts = [
        ("header", received.message.header()),
        ("payload", received.message.payload()),
    ];
    let limit = match detail {
        Detail::Full => usize::MAX,
        Detail::Brief | Detail::Raw => RAW_BYTES_MAX,
    };
    for (name, bytes) in parts {
        let shown = &bytes[..bytes.len().min(limit)];
        for (idx, row) in shown.chunks(BYTES_A_LINE).enumerate() {
            let offset = idx * BYTES_A_LINE;
            line(text, &format!("  {name:<8}{offset:>6}  {}", hex(row)));
        }
        if shown.len() < bytes.len() {
            let rest = bytes.len() - shown.len();
            line(text, &format!("  {name:<8}.. {rest} bytes more"));
        }
    }
}

/// Two hexadecimal digits a byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('?');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
mod tests;
