//! `sensor.depth`.

use std::borrow::Cow;

use crate::typed::{rows, scalar, shape, values};
use crate::{InvalidMessage, Message, MessageBuilder, Pinhole, TypedMessage};

/// A depth picture.
///
/// # Units and frames
/// Depth is along z of the optical frame (x right, y down, z forward), which the header names. The
/// first row is the topmost.
#[derive(Debug, Clone, PartialEq)]
pub struct Depth<'a> {
    /// Pixels of a row.
    pub n_columns: usize,
    /// Depth of each pixel in ticks, row after row; 0 is no reading. `[row, column]`
    pub depth_ticks: Cow<'a, [u16]>,
    /// Metres of one tick, positive.
    pub metres_per_tick: f64,
    /// How the camera sees.
    pub pinhole: Pinhole,
}

impl Depth<'_> {
    /// Depth of a pixel in metres; none where there is no reading or no pixel.
    pub fn depth_m(&self, row: usize, column: usize) -> Option<f64> {
        let idx = row.checked_mul(self.n_columns)?.checked_add(column)?;
        let ticks = *self.depth_ticks.get(idx)?;
        (ticks > 0 && column < self.n_columns).then(|| f64::from(ticks) * self.metres_per_tick)
    }
}

impl<'a> TypedMessage<'a> for Depth<'a> {
    const NAME: &'static str = "sensor.depth";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let n_rows = self.depth_ticks.len() / self.n_columns.max(1);
        let shape = [n_rows, self.n_columns];
        Ok(builder
            .tensor("depth_ticks", &shape, &self.depth_ticks)?
            .tensor("metres_per_tick", &[1], &[self.metres_per_tick])?
            .tensor("focal_px", &[2], &self.pinhole.focal_px)?
            .tensor("centre_px", &[2], &self.pinhole.centre_px)?)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let [_, n_columns] = shape(message, "depth_ticks");
        Ok(Self {
            n_columns,
            depth_ticks: values(message, "depth_ticks")?.into(),
            metres_per_tick: scalar(message, "metres_per_tick")?,
            pinhole: Pinhole {
                focal_px: rows(message, "focal_px")?[0],
                centre_px: rows(message, "centre_px")?[0],
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_in_metres_and_missing_where_there_is_none() {
        let depth = Depth {
            n_columns: 2,
            depth_ticks: vec![0, 1, 2, 3].into(),
            metres_per_tick: 0.5,
            pinhole: Pinhole {
                focal_px: [1.0; 2],
                centre_px: [0.0; 2],
            },
        };
        assert_eq!(depth.depth_m(0, 0), None, "no reading");
        assert_eq!(depth.depth_m(0, 1), Some(0.5));
        assert_eq!(depth.depth_m(1, 0), Some(1.0));
        assert_eq!(depth.depth_m(0, 2), None, "no such column");
        assert_eq!(depth.depth_m(2, 0), None, "no such row");
        assert_eq!(depth.depth_m(usize::MAX, 1), None);
    }
}
