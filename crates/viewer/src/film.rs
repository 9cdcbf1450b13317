//! A short film (GIF) from a recording, without a screen.

mod gif_writer;
mod pixels;

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;
use std::time::Duration;

use sedge_spacetime::Stamp;

use crate::ViewerError;
use crate::screenshot::{ScreenshotConfig, ScreenshotOutcome, screenshot_at};
use gif_writer::{GifTiming, write_gif};
use pixels::Pixels;

/// Frames a film may have: they are held in memory, 1.2 MB each at 800 pixels.
const FRAMES_MAX: u32 = 400;

/// How a film is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilmConfig {
    /// The time in the recording of the first frame. No default.
    pub from: Stamp,
    /// The time of the last. No default.
    pub to: Stamp,
    /// Frames, evenly between them, 2 to 400. Default 48.
    pub n_frames: u32,
    /// How long each is shown. Default 80 ms; the format counts in hundredths of a second.
    pub frame_time: Duration,
    /// Width in pixels, 16 to 4,096; the height follows the window's. Default 800.
    pub width_px: u16,
    /// How the pictures are taken.
    pub screenshot: ScreenshotConfig,
}

impl FilmConfig {
    /// The defaults for everything but the times.
    pub fn new(from: Stamp, to: Stamp) -> Self {
        Self {
            from,
            to,
            n_frames: 48,
            frame_time: Duration::from_millis(80),
            width_px: 800,
            screenshot: ScreenshotConfig {
                window: [960, 600],
                ..ScreenshotConfig::default()
            },
        }
    }

    fn at(&self, frame: u32) -> Stamp {
        let span = self.to.saturating_since(self.from);
        let share = f64::from(frame) / f64::from(self.n_frames - 1);
        self.from + span.mul_f64(share)
    }
}

/// Makes a film of what a recording shows between two times: one picture per frame, each of the
/// recording up to its time, put together as an endless GIF. `on_frame` hears of each frame taken.
///
/// It needs what [`screenshot`](crate::screenshot()) needs, and about two seconds per frame. The
/// first picture that cannot be taken ends it.
///
/// # Errors
/// [`ViewerError`] when the times, the number of frames or the width make no film, the recording
/// cannot be read, or a file cannot be written.
pub fn film(
    recording: &Path,
    film: &Path,
    config: &FilmConfig,
    on_frame: &mut dyn FnMut(u32),
) -> Result<ScreenshotOutcome, ViewerError> {
    let is_film = (2..=FRAMES_MAX).contains(&config.n_frames)
        && (16..=4096).contains(&config.width_px)
        && config.from < config.to;
    if !is_film {
        return Err(ViewerError::NoFilm {
            n_frames: config.n_frames,
            width_px: config.width_px,
            millis: (config.to.nanos().saturating_sub(config.from.nanos())) / 1_000_000,
        });
    }
    // An old film must not pass for a new one. That there is none is the usual case.
    fs::remove_file(film).ok();
    let picture = film.with_extension("frame.png");
    let mut frames = Vec::new();
    for frame in 0..config.n_frames {
        let outcome = screenshot_at(recording, config.at(frame), &picture, &config.screenshot)?;
        if outcome != ScreenshotOutcome::Taken {
            return Ok(outcome);
        }
        let pixels = Pixels::read_png(&picture, config.width_px);
        // It has been read; that it cannot be removed is no reason to stop.
        fs::remove_file(&picture).ok();
        frames.push(pixels?);
        on_frame(frame);
    }
    let failed = |source| ViewerError::File {
        path: film.to_owned(),
        source,
    };
    let file = BufWriter::new(File::create(film).map_err(failed)?);
    let timing = GifTiming::new(config.frame_time);
    write_gif(file, &frames, timing).map_err(failed)?;
    Ok(ScreenshotOutcome::Taken)
}

#[cfg(test)]
mod tests;
