//! Messages for the tests of this folder.

use sedge_oni::{
    Capture, EncodedMessage, Envelope, Header, Key, Lidar, Message, Sequence, TypedMessage as _,
};
use sedge_spacetime::{AgentName, Stamp};
use sedge_transport::Received;

pub(crate) const KEY: &str = "oni/flock/crane3/sensor.lidar/front";

pub(crate) fn at_millis(millis: i64) -> Stamp {
    Stamp::from_nanos(1_000_000_000_000 + millis * 1_000_000)
}

pub(crate) fn lidar_message() -> Message<'static> {
    let source = Sequence::new(AgentName::new("crane3").unwrap(), 9).next_source();
    let envelope = Envelope::new(source, Capture::exact(Stamp::from_nanos(5), "robot"));
    let ranges_m: Vec<f32> = (0..12_u8).map(|n| 1.0 + f32::from(n) / 4.0).collect();
    let lidar = Lidar {
        first_angle_rad: -1.5,
        step_rad: 0.25,
        ranges_m: ranges_m.into(),
    };
    lidar.to_message(envelope).unwrap()
}

/// A scan whose header was changed.
pub(crate) fn encoded(change: impl FnOnce(&mut Header)) -> EncodedMessage {
    let message = lidar_message();
    let mut header = message.header().clone();
    change(&mut header);
    let whole = message.encode().unwrap();
    EncodedMessage::new(
        header.encode().unwrap(),
        sedge_oni::AlignedBytes::copy_of(whole.payload()),
    )
}

/// A scan with this sequence number.
pub(crate) fn lidar(sequence: u64) -> EncodedMessage {
    encoded(|header| header.envelope.source.sequence = sequence)
}

pub(crate) fn received(key: &str, message: EncodedMessage, millis: i64) -> Received {
    Received {
        key: Key::parse(key).unwrap(),
        message,
        arrival: at_millis(millis),
    }
}
