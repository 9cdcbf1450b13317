//! `sensor.camera`.

use std::borrow::Cow;

use crate::text::{read_text, write_text};
use crate::typed::{rows, shape, values};
use crate::{InvalidMessage, Message, MessageBuilder, Pinhole, TypedMessage};

const PIXELS: &str = "pixels";
const FORMAT: &str = "pixel_format";

/// What the channels of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// One channel: brightness.
    Gray8,
    /// Three channels: red, green, blue, as sRGB.
    Rgb8,
}

impl PixelFormat {
    /// Every format.
    pub const ALL: [Self; 2] = [Self::Gray8, Self::Rgb8];

    /// Its name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gray8 => "gray8",
            Self::Rgb8 => "rgb8",
        }
    }

    /// Bytes of a pixel.
    pub fn n_channels(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::Rgb8 => 3,
        }
    }

    fn from_name(name: &str) -> Result<Self, InvalidMessage> {
        let mut formats = Self::ALL.into_iter();
        let format = formats.find(|format| format.name() == name);
        format.ok_or_else(|| InvalidMessage::Text {
            tensor: FORMAT.to_string(),
            expected: "gray8 or rgb8".to_string(),
            got: name.to_string(),
        })
    }
}

/// A picture, not compressed: a network that cannot carry one may carry a smaller one.
///
/// # Units and frames
/// The optical frame (x right, y down, z forward), which the header names. The first row is the
/// topmost.
#[derive(Debug, Clone, PartialEq)]
pub struct Camera<'a> {
    /// Pixels of a row.
    pub n_columns: usize,
    /// What the channels are.
    pub format: PixelFormat,
    /// The picture, row after row. `[row, column, channel]`
    pub pixels: Cow<'a, [u8]>,
    /// How the camera sees, where that is known.
    pub pinhole: Option<Pinhole>,
}

impl<'a> TypedMessage<'a> for Camera<'a> {
    const NAME: &'static str = "sensor.camera";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let n_channels = self.format.n_channels();
        let n_rows = self.pixels.len() / self.n_columns.saturating_mul(n_channels).max(1);
        let focal: Vec<f64> = self.pinhole.iter().flat_map(|it| it.focal_px).collect();
        let centre: Vec<f64> = self.pinhole.iter().flat_map(|it| it.centre_px).collect();
        let lens = [focal.len() / 2, 2];
        let shape = [n_rows, self.n_columns, n_channels];
        let builder = builder.tensor(PIXELS, &shape, &self.pixels)?;
        Ok(write_text(builder, FORMAT, self.format.name())?
            .tensor("focal_px", &lens, &focal)?
            .tensor("centre_px", &lens, &centre)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let format = PixelFormat::from_name(read_text(message, FORMAT)?)?;
        let [_, n_columns, n_channels] = shape(message, PIXELS);
        check_length(PIXELS, "channel", format.n_channels(), n_channels)?;
        let (focal, centre) = (rows(message, "focal_px")?, rows(message, "centre_px")?);
        if focal.len() > 1 {
            check_length("focal_px", "lens", 1, focal.len())?;
        }
        let mut lens = focal.iter().zip(centre);
        Ok(Self {
            n_columns,
            format,
            pixels: values(message, PIXELS)?.into(),
            pinhole: lens.next().map(|(focal_px, centre_px)| Pinhole {
                focal_px: *focal_px,
                centre_px: *centre_px,
            }),
        })
    }
}

fn check_length(
    tensor: &str,
    dim: &str,
    expected: usize,
    got: usize,
) -> Result<(), InvalidMessage> {
    if expected == got {
        return Ok(());
    }
    Err(InvalidMessage::Dimension {
        tensor: tensor.to_string(),
        dim: dim.to_string(),
        expected: expected as u64,
        got: got as u64,
    })
}
