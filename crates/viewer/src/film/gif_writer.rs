//! Frames as a GIF: one palette for all, and of each frame only what changed.

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use gif::{DisposalMethod, Encoder, Frame, Repeat};

use super::pixels::Pixels;

/// Colours of the palette; one more stands for what did not change.
const COLORS_MAX: usize = 255;
/// The index of that one.
const UNCHANGED: u8 = 255;
/// Bits per channel by which colours are looked up: fine enough for eyes, and it keeps noise of
/// the renderer from changing pixels.
const LOOKUP_BITS: u32 = 6;
/// Pixels from which the palette is made.
const SAMPLES_MAX: usize = 1 << 18;
/// How exact the palette is: 1 is slow, 30 is coarse.
const PALETTE_SPEED: i32 = 5;

/// How long frames are shown, in hundredths of a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GifTiming {
    each: u16,
    last: u16,
}

impl GifTiming {
    /// The last frame stays for a second and a half, so that the end is seen.
    pub(super) fn new(frame_time: Duration) -> Self {
        // Players take less than two hundredths for a mistake, and play at ten frames a second.
        let each = (frame_time.as_millis() / 10).clamp(2, 1000) as u16;
        Self {
            each,
            last: each.max(150),
        }
    }
}

/// Writes frames of one size as an endless film.
pub(super) fn write_gif(to: impl Write, frames: &[Pixels], timing: GifTiming) -> io::Result<()> {
    let Some(first) = frames.first() else {
        return Err(io::Error::other("expected frames, got none"));
    };
    if frames
        .iter()
        .any(|f| (f.width, f.height) != (first.width, first.height))
    {
        return Err(io::Error::other("expected frames of one size, got several"));
    }
    let side = |side: usize| u16::try_from(side).map_err(io::Error::other);
    let (width, height) = (side(first.width)?, side(first.height)?);
    let mut palette = Palette::of(frames);
    let mut encoder =
        Encoder::new(to, width, height, &palette.bytes()).map_err(io::Error::other)?;
    encoder
        .set_repeat(Repeat::Infinite)
        .map_err(io::Error::other)?;
    let mut shown: Option<Vec<u8>> = None;
    for (nth, pixels) in frames.iter().enumerate() {
        let indexes: Vec<u8> = pixels
            .rgb
            .iter()
            .map(|color| palette.index(*color))
            .collect();
        let mut frame = match &shown {
            Some(before) => changed(before, &indexes, first.width),
            None => whole(&indexes, width, height),
        };
        frame.delay = if nth + 1 == frames.len() {
            timing.last
        } else {
            timing.each
        };
        encoder.write_frame(&frame).map_err(io::Error::other)?;
        shown = Some(indexes);
    }
    Ok(())
}

fn whole(indexes: &[u8], width: u16, height: u16) -> Frame<'static> {
    Frame {
        width,
        height,
        dispose: DisposalMethod::Keep,
        buffer: Cow::Owned(indexes.to_vec()),
        ..Frame::default()
    }
}

/// The rectangle that holds all changes, transparent where nothing changed.
fn changed(before: &[u8], now: &[u8], width: usize) -> Frame<'static> {
    let is_changed = |idx: &usize| before[*idx] != now[*idx];
    let indexes: Vec<usize> = (0..now.len()).filter(is_changed).collect();
    let columns = indexes.iter().map(|idx| idx % width);
    // Without any change, one pixel that does not change either.
    let left = columns.clone().min().unwrap_or(0);
    let right = columns.max().unwrap_or(0);
    let top = indexes.first().map_or(0, |idx| idx / width);
    let bottom = indexes.last().map_or(0, |idx| idx / width);
    let pixels = (top..=bottom).flat_map(|row| (left..=right).map(move |c| row * width + c));
    let buffer: Vec<u8> = pixels
        .map(|idx| {
            if is_changed(&idx) {
                now[idx]
            } else {
                UNCHANGED
            }
        })
        .collect();
    // Sides of a frame fit 16 bits: those of the film do.
    Frame {
        left: left as u16,
        top: top as u16,
        width: (right - left + 1) as u16,
        height: (bottom - top + 1) as u16,
        transparent: Some(UNCHANGED),
        dispose: DisposalMethod::Keep,
        buffer: Cow::Owned(buffer),
        ..Frame::default()
    }
}

/// A few colours, and which of them is nearest to any.
struct Palette {
    colors: Vec<[u8; 3]>,
    /// Per colour of [`LOOKUP_BITS`] per channel, once it was asked for.
    nearest: Vec<Option<u8>>,
}

impl Palette {
    /// Colours that come near those of all frames.
    fn of(frames: &[Pixels]) -> Self {
        let n_pixels: usize = frames.iter().map(|frame| frame.rgb.len()).sum();
        // Odd, so that it does not keep to the same columns.
        let every = n_pixels.div_ceil(SAMPLES_MAX) | 1;
        let samples = frames.iter().flat_map(|frame| &frame.rgb).step_by(every);
        let samples: Vec<u8> = samples.flatten().copied().collect();
        let n_samples = samples.len() / 3;
        let width = n_samples.clamp(1, 512);
        let height = n_samples / width;
        let montage = Frame::from_rgb_speed(
            width as u16,
            height as u16,
            &samples[..3 * width * height],
            PALETTE_SPEED,
        );
        let bytes = montage.palette.unwrap_or_default();
        let (triples, _) = bytes.as_chunks::<3>();
        let mut colors = triples.to_vec();
        colors.sort_unstable();
        colors.dedup();
        while colors.len() > COLORS_MAX {
            drop_the_most_alike(&mut colors);
        }
        Self {
            colors,
            nearest: vec![None; 1 << (3 * LOOKUP_BITS)],
        }
    }

    fn bytes(&self) -> Vec<u8> {
        self.colors.iter().flatten().copied().collect()
    }

    fn index(&mut self, color: [u8; 3]) -> u8 {
        let cell = color.iter().fold(0, |cell, channel| {
            cell << LOOKUP_BITS | usize::from(channel >> (8 - LOOKUP_BITS))
        });
        if let Some(index) = self.nearest[cell] {
            return index;
        }
        let distances = self.colors.iter().map(|known| distance(*known, color));
        let nearest = distances.enumerate().min_by_key(|(_, distance)| *distance);
        let index = nearest.map_or(0, |(idx, _)| idx as u8);
        self.nearest[cell] = Some(index);
        index
    }
}

/// One of two colours that nobody tells apart.
fn drop_the_most_alike(colors: &mut Vec<[u8; 3]>) {
    let pairs = (1..colors.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let alike = pairs.min_by_key(|(a, b)| distance(colors[*a], colors[*b]));
    colors.remove(alike.map_or(0, |(_, b)| b));
}

fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
    let squares = a
        .iter()
        .zip(b)
        .map(|(a, b)| u32::from(a.abs_diff(b)).pow(2));
    squares.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 16;

    /// A bright dot on a dark ground.
    fn dot_at(place: usize) -> Pixels {
        let mut rgb = vec![[13, 16, 22]; SIZE * SIZE];
        rgb[place] = [250, 230, 40];
        Pixels {
            width: SIZE,
            height: SIZE,
            rgb,
        }
    }

    #[test]
    fn a_film_reads_back_as_it_was_drawn() {
        let frames: Vec<_> = [5, 40, 40, 250].into_iter().map(dot_at).collect();
        let mut bytes = Vec::new();
        write_gif(
            &mut bytes,
            &frames,
            GifTiming::new(Duration::from_millis(80)),
        )
        .unwrap();
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::Indexed);
        let mut reader = options.read_info(bytes.as_slice()).unwrap();
        let palette = reader.global_palette().unwrap().to_vec();
        let mut canvas = vec![0; SIZE * SIZE];
        let mut n_frames = 0;
        while let Some(frame) = reader.read_next_frame().unwrap() {
            let width = usize::from(frame.width);
            for (nth, index) in frame.buffer.iter().enumerate() {
                if Some(*index) != frame.transparent {
                    let row = usize::from(frame.top) + nth / width;
                    canvas[row * SIZE + usize::from(frame.left) + nth % width] = *index;
                }
            }
            let colors: Vec<_> = canvas
                .iter()
                .map(|index| &palette[3 * usize::from(*index)..][..3])
                .collect();
            for (color, drawn) in colors.iter().zip(&frames[n_frames].rgb) {
                let color = [color[0], color[1], color[2]];
                assert!(distance(color, *drawn) < 3 * 12 * 12, "{color:?} {drawn:?}");
            }
            n_frames += 1;
        }
        assert_eq!(n_frames, frames.len());
    }

    #[test]
    fn only_what_changed_is_written() {
        let (before, mut now) = (vec![1; SIZE * SIZE], vec![1; SIZE * SIZE]);
        (now[2 * SIZE + 3], now[4 * SIZE + 5]) = (2, 3);
        let frame = changed(&before, &now, SIZE);
        assert_eq!((frame.left, frame.top), (3, 2));
        assert_eq!((frame.width, frame.height), (3, 3));
        assert_eq!(frame.buffer[0], 2);
        assert_eq!(frame.buffer[1], UNCHANGED);
        let same = changed(&before, &before, SIZE);
        assert_eq!(same.buffer.as_ref(), [UNCHANGED]);
    }

    #[test]
    fn palettes_leave_room_for_what_did_not_change() {
        let many = Pixels {
            width: 64,
            height: 64,
            rgb: (0..4096_u32)
                .map(|i| [(i * 7 % 256) as u8, (i * 13 % 256) as u8, (i / 16) as u8])
                .collect(),
        };
        assert!(Palette::of(&[many]).colors.len() <= COLORS_MAX);
    }

    #[test]
    fn frames_of_two_sizes_and_no_frames_are_refused() {
        let small = Pixels {
            width: 1,
            height: 1,
            rgb: vec![[0; 3]],
        };
        let timing = GifTiming::new(Duration::ZERO);
        assert!(write_gif(Vec::new(), &[dot_at(0), small], timing).is_err());
        assert!(write_gif(Vec::new(), &[], timing).is_err());
    }
}
