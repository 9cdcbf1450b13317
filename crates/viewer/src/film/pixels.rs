//! A picture as pixels, read and made smaller.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use crate::ViewerError;

/// Pixels that a picture may have.
const PIXELS_MAX: usize = 1 << 26;

/// Red, green and blue, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) rgb: Vec<[u8; 3]>,
}

impl Pixels {
    /// Reads a picture and makes it `width` wide.
    pub(super) fn read_png(path: &Path, width: u16) -> Result<Self, ViewerError> {
        let failed = |error: &dyn ToString| ViewerError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let file = File::open(path).map_err(|e| failed(&e))?;
        let mut decoder = png::Decoder::new(BufReader::new(file));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().map_err(|e| failed(&e))?;
        let size = reader.output_buffer_size().filter(|n| *n <= 4 * PIXELS_MAX);
        let size = size.ok_or_else(|| failed(&"expected at most 67 million pixels, got more"))?;
        let mut bytes = vec![0; size];
        let info = reader.next_frame(&mut bytes).map_err(|e| failed(&e))?;
        let samples = info.color_type.samples();
        let rgb = bytes[..info.buffer_size()].chunks_exact(samples);
        let rgb = rgb.map(|pixel| match *pixel {
            [red, green, blue, ..] => [red, green, blue],
            [grey, ..] => [grey; 3],
            [] => [0; 3],
        });
        let whole = Self {
            width: info.width as usize,
            height: info.height as usize,
            rgb: rgb.collect(),
        };
        Ok(whole.narrowed(usize::from(width)))
    }

    /// The same `width` pixels wide: each pixel the mean of those it stands for.
    fn narrowed(&self, width: usize) -> Self {
        if width >= self.width {
            return self.clone();
        }
        let height = (self.height * width / self.width).max(1);
        let mut rgb = Vec::with_capacity(width * height);
        for row in 0..height {
            let rows = row * self.height / height..((row + 1) * self.height / height);
            for column in 0..width {
                let columns = column * self.width / width..((column + 1) * self.width / width);
                rgb.push(self.mean(rows.clone(), columns));
            }
        }
        Self { width, height, rgb }
    }

    fn mean(&self, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>) -> [u8; 3] {
        let (mut sum, mut n) = ([0_u32; 3], 0_u32);
        for row in rows {
            for pixel in &self.rgb[row * self.width..][columns.clone()] {
                for (sum, channel) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(*channel);
                }
                n += 1;
            }
        }
        sum.map(|sum| ((sum + n / 2) / n.max(1)) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrowing_takes_means_and_never_widens() {
        let whole = Pixels {
            width: 4,
            height: 2,
            rgb: vec![
                [0; 3], [10; 3], [20; 3], [30; 3], [40; 3], [50; 3], [60; 3], [70; 3],
            ],
        };
        let half = whole.narrowed(2);
        assert_eq!((half.width, half.height), (2, 1));
        assert_eq!(half.rgb, [[25; 3], [45; 3]]);
        assert_eq!(whole.narrowed(9), whole);
        assert_eq!(whole.narrowed(3).rgb.len(), 3);
    }
}
