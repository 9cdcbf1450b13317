//! Writing an episode as a CARMEN text log.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use sedge_spacetime::{Pose2, Stamp};
use sedge_world_model::{Episode, EpisodeScan, OdometrySample};

use crate::LogError;
use crate::scan_line::half_circle;

/// What the poses of a written log are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarmenLayout {
    /// Odometry as measured; the reference is the first pose on a scan's line, the odometry at the
    /// scan's time is the second.
    Ordinary,
    /// As a scan matcher leaves a log: both poses on a scan's line are the reference, the odometry
    /// line after it repeats it with a time of 0, and the odometry lines after that are it plus
    /// raw increments. Odometry before the first scan is lost, and the chain begins anew at the
    /// first scan.
    ScanMatched,
}

/// Writes an episode as CARMEN text.
///
/// Numbers are written with the fewest digits that give the same number back (at most nine for a
/// range), and times to the nanosecond within fifty days of the log's origin, to the quarter of a
/// microsecond for times since 1970. An episode with odometry at each scan's stamp and references
/// that move relative to it is read back from [`CarmenLayout::Ordinary`] exactly as it was; where
/// a scan has no odometry at its stamp, it is interpolated, and comes back as one sample more.
///
/// # Errors
/// When `output` fails.
pub fn write_carmen(
    episode: &Episode,
    layout: CarmenLayout,
    output: &mut dyn Write,
) -> io::Result<()> {
    let name = episode.name.replace(['\n', '\r'], " ");
    writeln!(output, "# {name}, written by sedge")?;
    writeln!(output, "# message formats defined: ODOM FLASER ROBOTLASER1")?;
    match layout {
        CarmenLayout::Ordinary => write_ordinary(episode, output),
        CarmenLayout::ScanMatched => write_scan_matched(episode, output),
    }
}

/// Writes an episode into a file, with gzip where its name ends in `.gz`.
///
/// # Errors
/// [`LogError::Io`] when it cannot be written.
pub fn save_carmen(episode: &Episode, layout: CarmenLayout, path: &Path) -> Result<(), LogError> {
    let write = || {
        let file = BufWriter::new(File::create(path)?);
        if path.extension().is_some_and(|ending| ending == "gz") {
            let mut output = GzEncoder::new(file, Compression::default());
            write_carmen(episode, layout, &mut output)?;
            output.finish()?.into_inner()?.sync_all()
        } else {
            let mut output = file;
            write_carmen(episode, layout, &mut output)?;
            output.into_inner()?.sync_all()
        }
    };
    write().map_err(|source| LogError::Io {
        path: path.into(),
        source,
    })
}

fn write_ordinary(episode: &Episode, output: &mut dyn Write) -> io::Result<()> {
    let mut samples = episode.odometry.iter().peekable();
    for scan in &episode.scans {
        while let Some(sample) = samples.next_if(|sample| sample.stamp < scan.stamp) {
            write_odometry(sample.odometry_from_base, sample.stamp, output)?;
        }
        // The scan's line says this one.
        while samples
            .next_if(|sample| sample.stamp == scan.stamp)
            .is_some()
        {}
        let robot = odometry_at(&episode.odometry, scan.stamp);
        write_scan(scan, [scan.reference.unwrap_or(robot), robot], output)?;
    }
    samples.try_for_each(|sample| write_odometry(sample.odometry_from_base, sample.stamp, output))
}

fn write_scan_matched(episode: &Episode, output: &mut dyn Write) -> io::Result<()> {
    let Some(first) = episode.scans.first() else {
        return Ok(());
    };
    let mut anchor = odometry_at(&episode.odometry, first.stamp);
    let mut samples = episode.odometry.iter().peekable();
    while samples
        .next_if(|sample| sample.stamp <= first.stamp)
        .is_some()
    {}
    for (idx, scan) in episode.scans.iter().enumerate() {
        let corrected = scan
            .reference
            .unwrap_or_else(|| odometry_at(&episode.odometry, scan.stamp));
        write_scan(scan, [corrected; 2], output)?;
        write_odometry(corrected, Stamp::ZERO, output)?;
        let next = episode.scans.get(idx + 1).map(|scan| scan.stamp);
        let before_next = |stamp: Stamp| next.is_none_or(|next| stamp <= next);
        let mut newest = anchor;
        while let Some(sample) = samples.next_if(|sample| before_next(sample.stamp)) {
            newest = sample.odometry_from_base;
            write_odometry(corrected * anchor.between(newest), sample.stamp, output)?;
        }
        anchor = newest;
    }
    Ok(())
}

/// The odometry at a time: between samples at constant twist, at the ends standing still.
fn odometry_at(samples: &[OdometrySample], stamp: Stamp) -> Pose2 {
    let after = samples.partition_point(|sample| sample.stamp < stamp);
    match (
        after.checked_sub(1).and_then(|idx| samples.get(idx)),
        samples.get(after),
    ) {
        (_, Some(after)) if after.stamp == stamp => after.odometry_from_base,
        (Some(before), Some(after)) => {
            let share = stamp.secs_since(before.stamp) / after.stamp.secs_since(before.stamp);
            let moved = before.odometry_from_base.between(after.odometry_from_base);
            before.odometry_from_base * moved.powf(share)
        }
        (Some(end), None) | (None, Some(end)) => end.odometry_from_base,
        (None, None) => Pose2::IDENTITY,
    }
}

fn write_odometry(pose: Pose2, stamp: Stamp, output: &mut dyn Write) -> io::Result<()> {
    let (Pose2 { x_m, y_m, yaw_rad }, secs) = (pose, stamp.secs());
    writeln!(
        output,
        "ODOM {x_m} {y_m} {yaw_rad} 0 0 0 {secs} sedge {secs}"
    )
}

fn write_scan(scan: &EpisodeScan, poses: [Pose2; 2], output: &mut dyn Write) -> io::Result<()> {
    let geometry = scan.scan.geometry;
    let is_half_circle = geometry == half_circle(geometry.n_beams);
    if is_half_circle {
        write!(output, "FLASER {}", geometry.n_beams)?;
    } else {
        let view_rad = geometry.step_rad * (geometry.n_beams - 1) as f64;
        let (first_rad, step_rad) = (geometry.first_angle_rad, geometry.step_rad);
        write!(
            output,
            "ROBOTLASER1 0 {first_rad} {view_rad} {step_rad} 81.91 0.01 0 {}",
            geometry.n_beams
        )?;
    }
    for range in scan.scan.ranges_m.iter() {
        write!(output, " {range}")?;
    }
    if !is_half_circle {
        write!(output, " 0")?;
    }
    for Pose2 { x_m, y_m, yaw_rad } in poses {
        write!(output, " {x_m} {y_m} {yaw_rad}")?;
    }
    if !is_half_circle {
        write!(output, " 0 0 0 0 0")?;
    }
    let secs = scan.stamp.secs();
    writeln!(output, " {secs} sedge {secs}")
}

#[cfg(test)]
mod tests;
