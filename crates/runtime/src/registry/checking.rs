//! Whether messages and files of frames are what their schemas say.

use sedge_oni::{
    BeliefReport, Camera, Command, Depth, ErrorCode, Forecast, FrameError, Goal, Health, Imu,
    InvalidMessage, LatencyReport, LatentState, Lidar, Manifest, Message, Odometry, RangeBearing,
    SchemaDocument, SchemaMismatch, Stop, TypedMessage,
};
use serde::Serialize;

/// Checks a message as a reader of its type does: schema, shapes, every number, and what the type
/// asks for beyond them.
///
/// # Errors
/// [`InvalidMessage`] for what a reader refuses, a type that is not known here included.
pub fn check_message(message: &Message<'_>) -> Result<(), InvalidMessage> {
    fn of<'m, T: TypedMessage<'m>>(message: &'m Message<'_>) -> Result<(), InvalidMessage> {
        T::from_message(message).map(drop)
    }
    let schema = &message.header().schema;
    match schema.name.as_str() {
        BeliefReport::NAME => of::<BeliefReport<'_>>(message),
        Camera::NAME => of::<Camera<'_>>(message),
        Command::NAME => of::<Command>(message),
        Depth::NAME => of::<Depth<'_>>(message),
        Forecast::NAME => of::<Forecast<'_>>(message),
        Goal::NAME => of::<Goal>(message),
        Health::NAME => of::<Health<'_>>(message),
        Imu::NAME => of::<Imu<'_>>(message),
        LatencyReport::NAME => of::<LatencyReport>(message),
        LatentState::NAME => of::<LatentState<'_>>(message),
        Lidar::NAME => of::<Lidar<'_>>(message),
        Manifest::NAME => of::<Manifest<'_>>(message),
        Odometry::NAME => of::<Odometry>(message),
        RangeBearing::NAME => of::<RangeBearing>(message),
        SchemaDocument::NAME => of::<SchemaDocument>(message),
        Stop::NAME => of::<Stop<'_>>(message),
        _ => Err(SchemaMismatch::Unknown {
            got: schema.clone(),
        }
        .into()),
    }
}

/// What was found at one place of a file of frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedFrame {
    /// Where the frame begins, in bytes from the file's beginning.
    pub at_byte: usize,
    /// The schema of its header: name, version and hash. None where there is no header.
    pub schema: Option<String>,
    /// Who sent it, in which epoch, with which number.
    pub source: Option<(String, u64, u64)>,
    /// The code of what is wrong, as in the specification. None where nothing is.
    pub code: Option<String>,
    /// What was expected and what came, where something is wrong.
    pub error: Option<String>,
}

/// Checks frames that follow each other, one at a time. It ends after a place where no frame
/// begins, since nobody can say where the next one does.
#[derive(Debug, Clone)]
pub struct CheckedFrames<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> CheckedFrames<'b> {
    /// Of a file's bytes.
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl Iterator for CheckedFrames<'_> {
    type Item = CheckedFrame;

    fn next(&mut self) -> Option<CheckedFrame> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let at_byte = self.at;
        match Message::from_frame(rest) {
            Ok((message, n_bytes)) => {
                self.at += n_bytes;
                Some(checked(at_byte, &message))
            }
            Err(error) => {
                self.at = self.bytes.len();
                Some(broken(at_byte, &error))
            }
        }
    }
}

fn checked(at_byte: usize, message: &Message<'_>) -> CheckedFrame {
    let error = check_message(message).err();
    let source = &message.envelope().source;
    CheckedFrame {
        at_byte,
        schema: Some(message.header().schema.to_string()),
        source: Some((source.agent.to_string(), source.epoch, source.sequence)),
        code: error.as_ref().map(|error| error.code().to_string()),
        error: error.map(|error| error.to_string()),
    }
}

fn broken(at_byte: usize, error: &FrameError) -> CheckedFrame {
    let code: ErrorCode = error.code();
    CheckedFrame {
        at_byte,
        schema: None,
        source: None,
        code: Some(code.to_string()),
        error: Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use sedge_oni::schemas;

    use super::*;
    use crate::registry::test_schemas::{bearing, edited};
    use crate::test_drive::{Robot, millis};

    #[test]
    fn every_type_that_is_known_is_checked() {
        let scan = Robot::new(1).scan(millis(0)).message;
        for schema in schemas() {
            let other = bearing(&scan, &edited(&schema.id.name, |_| {}));
            let unknown = matches!(
                check_message(&other),
                Err(InvalidMessage::Schema(SchemaMismatch::Unknown { .. }))
            );
            assert!(!unknown, "{} is known and not checked", schema.id);
        }
    }

    #[test]
    fn frames_are_told_apart_by_where_they_begin() {
        let mut robot = Robot::new(5);
        let good = robot.scan(millis(0)).message;
        let other = bearing(&good, &edited("sensor.imu", |_| {}));
        let frame = |message: &Message<'_>| message.encode().unwrap().to_frame();
        let (good, other) = (frame(&good), frame(&other));
        let file = [good.as_slice(), &other, &good[..good.len() - 1]].concat();
        let found: Vec<CheckedFrame> = CheckedFrames::new(&file).collect();
        let places: Vec<usize> = found.iter().map(|frame| frame.at_byte).collect();
        assert_eq!(places, [0, good.len(), good.len() + other.len()]);
        assert_eq!(found[0].source, Some(("crane3".to_owned(), 5, 0)));
        let codes: Vec<Option<&str>> = found.iter().map(|frame| frame.code.as_deref()).collect();
        assert_eq!(codes, [None, Some("other-tensor"), Some("truncated-frame")]);
    }
}
