//! Lines of text with a level.

use rerun::{TextLog, TextLogLevel};

use crate::drawing::TextLevel;

/// A line of the log.
pub(crate) fn line(level: TextLevel, message: &str) -> TextLog {
    let level = match level {
        TextLevel::Error => TextLogLevel::ERROR,
        TextLevel::Warn => TextLogLevel::WARN,
        TextLevel::Info => TextLogLevel::INFO,
        TextLevel::Debug => TextLogLevel::DEBUG,
    };
    TextLog::new(message).with_level(level)
}
