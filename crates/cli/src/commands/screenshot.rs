//! `sedge screenshot`: a recording's screen as a picture.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use sedge_spacetime::Stamp;
use sedge_viewer::{ScreenshotConfig, ScreenshotOutcome, screenshot, screenshot_at};

use crate::UsageError;

/// What `sedge screenshot` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge screenshot a.rrd a.png
  sedge screenshot a.rrd a.png --at 12.5

It runs an installed `rerun` viewer without a window; that needs a Vulkan driver, and a software
one is enough.")]
pub struct ScreenshotArgs {
    /// The recording.
    #[arg(value_name = "RECORDING.rrd")]
    pub recording: PathBuf,
    /// The picture to write.
    #[arg(value_name = "PICTURE.png")]
    pub picture: PathBuf,
    /// Width and height of the window in points; the picture has twice as many pixels.
    #[arg(long, value_name = "WIDTHxHEIGHT", default_value = "1600x900", value_parser = window)]
    pub window: [u32; 2],
    /// What it shows this many seconds after the beginning of its clock, without panels around it
    /// (default: what it opens to).
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub at: Option<Stamp>,
}

/// A time in a recording.
pub(super) fn seconds(text: &str) -> Result<Stamp, String> {
    let secs: Option<f64> = text.parse().ok().filter(|secs| (0.0..1e10).contains(secs));
    let secs = secs.ok_or_else(|| format!("expected seconds, 0 to 1e10, got {text:?}"))?;
    Ok(Stamp::ZERO + Duration::from_secs_f64(secs))
}

pub(super) fn window(text: &str) -> Result<[u32; 2], String> {
    let sides = text.split_once('x').and_then(|(width, height)| {
        let side = |text: &str| text.parse().ok().filter(|side| (100..=8000).contains(side));
        Some([side(width)?, side(height)?])
    });
    sides.ok_or_else(|| format!("expected WIDTHxHEIGHT, each 100 to 8000, got {text:?}"))
}

/// Takes the picture.
///
/// # Errors
/// When there is no recording, no viewer, or the viewer cannot draw.
pub fn run(args: &ScreenshotArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    expect_recording(&args.recording)?;
    let config = ScreenshotConfig {
        window: args.window,
        ..ScreenshotConfig::default()
    };
    let outcome = match args.at {
        Some(at) => screenshot_at(&args.recording, at, &args.picture, &config),
        None => screenshot(&args.recording, &args.picture, &config),
    };
    let outcome = outcome.with_context(|| format!("cannot draw {}", args.recording.display()))?;
    expect_taken(outcome)?;
    Ok(writeln!(out, "picture: {}", args.picture.display())?)
}

/// That there is a file to draw.
pub(super) fn expect_recording(path: &Path) -> anyhow::Result<()> {
    ensure!(
        path.is_file(),
        UsageError(format!(
            "expected a recording, there is no file {}",
            path.display()
        ))
    );
    Ok(())
}

/// That it was drawn.
pub(super) fn expect_taken(outcome: ScreenshotOutcome) -> anyhow::Result<()> {
    match outcome {
        ScreenshotOutcome::Taken => Ok(()),
        ScreenshotOutcome::NotInstalled => {
            bail!("expected a rerun viewer in PATH, found none (`pip install rerun-sdk==0.36.3`)")
        }
        ScreenshotOutcome::Failed { stderr } => {
            bail!("the rerun viewer could not draw it: {}", stderr.trim())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_two_sensible_sides() {
        assert_eq!(window("1200x700"), Ok([1200, 700]));
        for bad in ["1200", "x", "0x700", "1200x99999", "-1x4", "axb"] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_are_not_negative() {
        assert_eq!(seconds("1.5"), Ok(Stamp::from_nanos(1_500_000_000)));
        for bad in ["-1", "nan", "inf", "1e300", "soon"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
