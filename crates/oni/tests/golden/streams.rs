//! Streams of frames, with damage between them.

use crate::sample;

pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) why: &'static str,
    pub(crate) bytes: Vec<u8>,
    /// The valid vectors whose frames a reader finds, in order.
    pub(crate) frames: Vec<&'static str>,
    /// Places that begin as a frame does and are none.
    pub(crate) broken: u64,
    pub(crate) skipped_bytes: usize,
}

/// The frame of the sample of a type.
fn of(name: &str) -> Vec<u8> {
    let samples = sample::all();
    let mut samples = samples.iter();
    let message = samples.find(|it| it.header().schema.name == name);
    message.unwrap().encode().unwrap().to_frame()
}

fn stream(
    name: &'static str,
    why: &'static str,
    parts: &[&[u8]],
    frames: &[&'static str],
    broken: u64,
) -> Stream {
    let bytes = parts.concat();
    let whole: usize = frames.iter().map(|frame| of(frame).len()).sum();
    Stream {
        name,
        why,
        skipped_bytes: bytes.len() - whole,
        bytes,
        frames: frames.to_vec(),
        broken,
    }
}

pub(crate) fn all() -> Vec<Stream> {
    let (first, second) = ("sensor.odometry", "sensor.lidar");
    let (odometry, lidar) = (of(first), of(second));
    let with_bit = |at: usize| {
        let mut damaged = odometry.clone();
        damaged[at] ^= 1;
        damaged
    };
    let damaged = with_bit(odometry.len() - 20);
    let too_long = with_bit(15);
    let cut = &odometry[..odometry.len() - 100];
    vec![
        stream(
            "whole",
            "two frames",
            &[&odometry, &lidar],
            &[first, second],
            0,
        ),
        stream("nothing", "no byte", &[], &[], 0),
        stream(
            "noise",
            "bytes before, between and behind",
            &[b"noise", &odometry, b"ONIONI", &lidar, b"ON"],
            &[first, second],
            1,
        ),
        stream(
            "damaged-payload",
            "a bit of the first of two payloads flipped",
            &[&damaged, &lidar],
            &[second],
            1,
        ),
        stream(
            "damaged-length",
            "a length beyond the limits, then a frame",
            &[&too_long, &lidar],
            &[second],
            1,
        ),
        stream(
            "lost-bytes",
            "a frame that lacks its last 100 bytes, then another",
            &[cut, &lidar],
            &[second],
            1,
        ),
        stream(
            "cut-end",
            "a frame, then the beginning of one",
            &[&lidar, cut],
            &[second],
            1,
        ),
        stream(
            "magic-in-noise",
            "ONI1 where no frame is",
            &[b"ONI1 is its name.", &odometry],
            &[first],
            1,
        ),
    ]
}
