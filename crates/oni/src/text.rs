//! Texts in tensors: lists with one entry a line, and single texts.

use sedge_spacetime::AgentName;

use crate::limits::{LINES_MAX, NAME_BYTES_MAX, TEXT_BYTES_MAX};
use crate::tensor::cut;
use crate::typed::values;
use crate::{InvalidMessage, Key, KeyPattern, ListOf, Message, MessageBuilder};

/// The lines of a list, `n_lines` of them where that is known.
///
/// # Errors
/// [`InvalidMessage::Text`] for bytes that are no such list.
pub(crate) fn lines<'b>(
    tensor: &str,
    bytes: &'b [u8],
    of: ListOf,
    n_lines: Option<usize>,
) -> Result<Vec<&'b str>, InvalidMessage> {
    let refuse = |expected: &str| refused(tensor, expected.to_string(), bytes);
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(refuse("UTF-8"));
    };
    if !text.is_empty() && !text.ends_with('\n') {
        return Err(refuse("a line feed after each line"));
    }
    let n_lines_max = n_lines.unwrap_or(LINES_MAX).min(LINES_MAX);
    let lines: Vec<&str> = text.split_terminator('\n').take(n_lines_max + 1).collect();
    if lines.len() > n_lines_max || n_lines.is_some_and(|n_lines| n_lines != lines.len()) {
        let expected = n_lines.map_or_else(
            || format!("at most {LINES_MAX} lines"),
            |n_lines| format!("{n_lines} lines"),
        );
        return Err(refused(tensor, expected, bytes));
    }
    if lines.iter().all(|line| of.admits(line)) {
        Ok(lines)
    } else {
        Err(refuse(of.expected()))
    }
}

impl ListOf {
    fn admits(self, line: &str) -> bool {
        match self {
            Self::Names => {
                (1..=NAME_BYTES_MAX).contains(&line.len())
                    && line.bytes().all(|byte| byte.is_ascii_graphic())
            }
            Self::Agents => AgentName::is_name(line),
            Self::Keys => Key::is_key(line),
            Self::Patterns => KeyPattern::parse(line).is_ok(),
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Names => "1 to 64 printable ASCII characters without spaces a line",
            Self::Agents => "the name of an agent a line",
            Self::Keys => "a key a line",
            Self::Patterns => "a key or a pattern of keys a line",
        }
    }
}

/// One text.
///
/// # Errors
/// [`InvalidMessage::Text`] for bytes that are none.
pub(crate) fn text<'b>(tensor: &str, bytes: &'b [u8]) -> Result<&'b str, InvalidMessage> {
    let refuse = |expected: String| refused(tensor, expected, bytes);
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(refuse(format!("at most {TEXT_BYTES_MAX} bytes")));
    }
    let Ok(text) = str::from_utf8(bytes) else {
        return Err(refuse("UTF-8".to_string()));
    };
    if text.chars().any(char::is_control) {
        Err(refuse("no control characters".to_string()))
    } else {
        Ok(text)
    }
}

fn refused(tensor: &str, expected: String, bytes: &[u8]) -> InvalidMessage {
    InvalidMessage::Text {
        tensor: tensor.to_string(),
        expected,
        got: cut(&String::from_utf8_lossy(
            &bytes[..bytes.len().min(4 * NAME_BYTES_MAX)],
        )),
    }
}

/// The lines of a tensor that the schema check has already found.
pub(crate) fn read_lines<'m>(
    message: &'m Message<'_>,
    tensor: &str,
    of: ListOf,
    n_lines: Option<usize>,
) -> Result<Vec<&'m str>, InvalidMessage> {
    lines(tensor, values(message, tensor)?, of, n_lines)
}

/// The text of a tensor that the schema check has already found.
pub(crate) fn read_text<'m>(
    message: &'m Message<'_>,
    tensor: &str,
) -> Result<&'m str, InvalidMessage> {
    text(tensor, values(message, tensor)?)
}

/// Adds a list, one line an entry.
pub(crate) fn write_lines<'l>(
    builder: MessageBuilder,
    tensor: &str,
    of: ListOf,
    entries: impl Iterator<Item = &'l str> + Clone,
) -> Result<MessageBuilder, InvalidMessage> {
    let is_line = |entry: &'l str| !entry.contains('\n') && of.admits(entry);
    let n_lines = entries.clone().count();
    let n_bytes = entries.clone().map(|entry| entry.len() + 1).sum();
    let is_list = n_lines <= LINES_MAX && entries.clone().all(is_line);
    let bytes = entries.flat_map(|entry| entry.bytes().chain([b'\n']));
    if !is_list {
        // Read as a reader would, for what it would say.
        lines(
            tensor,
            &bytes.clone().collect::<Vec<u8>>(),
            of,
            Some(n_lines),
        )?;
    }
    Ok(builder.tensor_of(tensor, &[n_bytes], bytes)?)
}

/// Adds a text.
pub(crate) fn write_text(
    builder: MessageBuilder,
    tensor: &str,
    content: &str,
) -> Result<MessageBuilder, InvalidMessage> {
    text(tensor, content.as_bytes())?;
    Ok(builder.tensor(tensor, &[content.len()], content.as_bytes())?)
}
