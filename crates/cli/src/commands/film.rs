//! `sedge film`: what a recording shows between two times, as an endless GIF.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sedge_spacetime::Stamp;
use sedge_viewer::{FilmConfig, ScreenshotConfig, film};

use super::screenshot::{expect_recording, expect_taken, seconds, window};
use crate::{Progress, ProgressStyle};

/// What `sedge film` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sedge film a.rrd a.gif --from 2 --to 20

It takes a picture for every frame as `sedge screenshot` does: two seconds or so each.")]
pub struct FilmArgs {
    /// The recording.
    #[arg(value_name = "RECORDING.rrd")]
    pub recording: PathBuf,
    /// The film to write.
    #[arg(value_name = "FILM.gif")]
    pub film: PathBuf,
    /// When it begins, in seconds of the recording's clock.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub from: Stamp,
    /// When it ends.
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub to: Stamp,
    /// Frames, evenly between them.
    #[arg(long, value_name = "N", default_value_t = 48)]
    pub frames: u32,
    /// Width of the film in pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 800)]
    pub width: u16,
    /// Width and height of the window in points.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "960x600", value_parser = window)]
    pub window: [u32; 2],
}

/// Makes the film.
///
/// # Errors
/// When there is no recording, no viewer, the viewer cannot draw, or the numbers make no film.
pub fn run(args: &FilmArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    expect_recording(&args.recording)?;
    let config = FilmConfig {
        n_frames: args.frames,
        width_px: args.width,
        screenshot: ScreenshotConfig {
            window: args.window,
            ..ScreenshotConfig::default()
        },
        ..FilmConfig::new(args.from, args.to)
    };
    let total = u64::from(args.frames);
    let mut progress = Progress::begin("filming", ProgressStyle::detect(), 0, total);
    let mut on_frame = |frame: u32| progress.set(u64::from(frame) + 1, |_| "frames".to_owned());
    let outcome = film(&args.recording, &args.film, &config, &mut on_frame)
        .with_context(|| format!("cannot film {}", args.recording.display()))?;
    progress.end_in_place();
    expect_taken(outcome)?;
    Ok(writeln!(out, "film: {}", args.film.display())?)
}
