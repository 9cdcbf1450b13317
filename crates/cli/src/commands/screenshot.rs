//! `sedge screenshot`: a recording's first screen as a picture.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use sedge_viewer::{ScreenshotConfig, ScreenshotOutcome, screenshot};

use crate::UsageError;

/// What `sedge screenshot` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  sedge screenshot a.rrd a.png

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
}

fn window(text: &str) -> Result<[u32; 2], String> {
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
    if !args.recording.is_file() {
        bail!(UsageError(format!(
            "expected a recording, there is no file {}",
            args.recording.display()
        )));
    }
    let config = ScreenshotConfig {
        window: args.window,
        ..ScreenshotConfig::default()
    };
    let outcome = screenshot(&args.recording, &args.picture, &config)
        .with_context(|| format!("cannot draw {}", args.recording.display()))?;
    match outcome {
        ScreenshotOutcome::Taken => Ok(writeln!(out, "picture: {}", args.picture.display())?),
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
}
