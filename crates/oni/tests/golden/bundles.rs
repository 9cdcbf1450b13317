//! Bundles of messages, whole and broken.

use sedge_oni::{Bundle, EncodedMessage, ErrorCode};

use crate::sample;

pub(crate) struct Bundled {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) attachment: Vec<u8>,
    pub(crate) payload: Vec<u8>,
    /// The valid vectors whose messages a reader finds, in order; none where it is refused.
    pub(crate) frames: Vec<&'static str>,
}

impl Bundled {
    pub(crate) fn outcome(&self) -> Result<(), ErrorCode> {
        if self.frames.is_empty() {
            Err(ErrorCode::BAD_BUNDLE)
        } else {
            Ok(())
        }
    }
}

/// The frame of a message, given by its parts.
pub(crate) fn framed((header, payload): (&[u8], &[u8])) -> Vec<u8> {
    EncodedMessage::copy_of(header, payload).to_frame()
}

/// The parts of a bundle of the samples of these types.
fn parts(names: &[&str]) -> (Vec<u8>, Vec<u8>) {
    let samples = sample::all();
    let mut bundle = Bundle::default();
    for name in names {
        let mut samples = samples.iter();
        let message = samples.find(|it| it.header().schema.name == *name);
        let message = message.unwrap().encode().unwrap();
        assert!(bundle.push(message.header(), message.payload()));
    }
    bundle.into_parts()
}

pub(crate) fn all() -> Vec<Bundled> {
    let whole = |name, why, frames: &[&'static str]| {
        let (attachment, payload) = parts(frames);
        let frames = frames.to_vec();
        Bundled {
            name,
            why,
            attachment,
            payload,
            frames,
        }
    };
    let (attachment, payload) = parts(&["sensor.odometry", "sensor.imu"]);
    let broken = |name, why, attachment: &[u8], payload: &[u8]| Bundled {
        name,
        why,
        attachment: attachment.to_vec(),
        payload: payload.to_vec(),
        frames: Vec::new(),
    };
    let longer = [&attachment[..], &[0; 4]].concat();
    let mut huge = attachment.clone();
    huge[4..8].fill(0xff);
    vec![
        whole("one", "one message", &["sensor.odometry"]),
        whole(
            "three",
            "three messages, two of them of one type",
            &["sensor.odometry", "sensor.imu", "sensor.odometry"],
        ),
        broken("none", "no message", &attachment[..4], &[]),
        broken(
            "half-a-row",
            "the last row has one length",
            &longer,
            &payload,
        ),
        broken(
            "payload-short",
            "a byte is missing",
            &attachment,
            &payload[1..],
        ),
        broken(
            "payload-long",
            "a byte is left over",
            &attachment,
            &[&payload[..], &[0]].concat(),
        ),
        broken(
            "length-huge",
            "a header of 4,294,967,295 bytes",
            &huge,
            &payload,
        ),
        broken(
            "too-many",
            "1,025 empty messages",
            &[&attachment[..4], &[0; 8 * 1_025]].concat(),
            &[],
        ),
    ]
}
