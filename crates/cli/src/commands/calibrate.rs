//! `sedge calibrate`.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use sedge_world_model::{CalibrationFit, LatencyFit, MotionFit, MotionModel, fit_motion};
use serde::Serialize;

use super::write_json;
use crate::{Table, open_log};

/// What `sedge calibrate` takes.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sedge calibrate a.log.gz
  sedge calibrate a.log.gz --out a.motion.json   then: sedge agent --calibration a.motion.json

Both are fitted on the first 60 % of the log. `sedge train` does this by itself.")]
pub struct CalibrateArgs {
    /// The log.
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// Write the result to this file, for `sedge agent --calibration`.
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

/// What was fitted, as `--json` prints it.
#[derive(Debug, Serialize)]
struct CalibrateReport {
    motion_model: MotionModel,
    latency: LatencyReport,
    calibration: CalibrationReport,
}

#[derive(Debug, Serialize)]
struct LatencyReport {
    latency_secs: f64,
    /// Latency in seconds and mean absolute range error in metres.
    tried: Vec<(f64, f64)>,
    not_fitted: Option<String>,
}

#[derive(Debug, Serialize)]
struct CalibrationReport {
    matrix: [[f64; 3]; 3],
    n_pairs: usize,
    /// Mean absolute residual: x (m), y (m), yaw (rad).
    residual_before: Option<[f64; 3]>,
    residual_after: Option<[f64; 3]>,
    /// Variance per second that stays: x (m2/s), y (m2/s), yaw (rad2/s).
    noise_variance_per_sec: [f64; 3],
    not_fitted: Option<String>,
}

impl CalibrateReport {
    fn of(fit: &MotionFit) -> Self {
        let latency = fit.latency.as_ref();
        let calibration = fit.calibration.as_ref();
        Self {
            motion_model: fit.model,
            latency: LatencyReport {
                latency_secs: fit.model.latency_secs,
                tried: latency.map_or(Vec::new(), |fit| fit.tried.clone()),
                not_fitted: latency.err().map(ToString::to_string),
            },
            calibration: CalibrationReport {
                matrix: fit.model.calibration.matrix,
                n_pairs: calibration.map_or(0, |fit| fit.n_pairs),
                residual_before: calibration.ok().map(|fit| fit.residual_before),
                residual_after: calibration.ok().map(|fit| fit.residual_after),
                noise_variance_per_sec: fit.noise.variance_per_sec,
                not_fitted: calibration.err().map(ToString::to_string),
            },
        }
    }
}

/// Fits and says what was found.
///
/// # Errors
/// When the log cannot be read or the result not be written. What cannot be fitted is said, and
/// is no error.
pub fn run(args: &CalibrateArgs, out: &mut dyn Write) -> anyhow::Result<()> {
    let log = open_log(&args.log)?;
    let fit = fit_motion(&log.episode);
    if let Some(path) = &args.out {
        let text = serde_json::to_string_pretty(&fit.model)? + "\n";
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    if args.json {
        return write_json(&CalibrateReport::of(&fit), out);
    }
    match &fit.latency {
        Ok(fit) => say_latency(fit, out)?,
        Err(error) => writeln!(out, "Scanner latency: not fitted, {error}")?,
    }
    writeln!(out)?;
    match &fit.calibration {
        Ok(fit) => say_calibration(fit, out),
        Err(error) => Ok(writeln!(out, "Odometry calibration: not fitted, {error}")?),
    }
}

fn say_latency(fit: &LatencyFit, out: &mut dyn Write) -> anyhow::Result<()> {
    let latency_secs = fit.latency_secs;
    writeln!(out, "Scanner latency: {latency_secs:.2} s")?;
    writeln!(
        out,
        "A scan stamped t was taken at t - {latency_secs:.2} s on odometry's clock:"
    )?;
    writeln!(
        out,
        "there the last scan, moved by odometry, predicts the next ones best.\n"
    )?;
    let best = fit
        .tried
        .iter()
        .find(|(tried_secs, _)| (tried_secs - latency_secs).abs() < 1e-6);
    let mut table = Table::new(["latency s", "range error m", ""]);
    for (tried_secs, error_m) in &fit.tried {
        let is_best = best.is_some_and(|(_, best_m)| best_m.to_bits() == error_m.to_bits());
        let mark = if is_best { "<- best" } else { "" };
        table.push([
            format!("{tried_secs:.2}"),
            format!("{error_m:.4}"),
            mark.to_owned(),
        ]);
    }
    Ok(write!(out, "{}", table.text())?)
}

fn say_calibration(fit: &CalibrationFit, out: &mut dyn Write) -> anyhow::Result<()> {
    let matrix = fit.calibration.matrix;
    writeln!(
        out,
        "Odometry calibration, from {} pairs of scans",
        fit.n_pairs
    )?;
    for sentence in sentences(&matrix) {
        writeln!(out, "- {sentence}")?;
    }
    writeln!(
        out,
        "\nA movement d (x m, y m, yaw rad) is corrected to d (+) C d, with C:\n"
    )?;
    let mut table = Table::new(["", "x", "y", "yaw"]);
    for (name, row) in ["x", "y", "yaw"].into_iter().zip(matrix) {
        let cells = row.map(|value| format!("{value:.4}"));
        table.push([name.to_owned()].into_iter().chain(cells));
    }
    writeln!(out, "{}", table.text())?;
    let mut table = Table::new(["mean error of a pair's movement", "before", "after"]);
    for (axis, name) in ["forward, m", "left, m", "turn, rad"]
        .into_iter()
        .enumerate()
    {
        let cell = |residual: [f64; 3]| format!("{:.4}", residual[axis]);
        table.push([
            name.to_owned(),
            cell(fit.residual_before),
            cell(fit.residual_after),
        ]);
    }
    Ok(write!(out, "{}", table.text())?)
}

/// The entries that a roboticist asks about, in words.
fn sentences(matrix: &[[f64; 3]; 3]) -> [String; 5] {
    let side = |value: f64| if value < 0.0 { "right" } else { "left" };
    let [[forward, ..], [drift, _, lever], [veer, _, turn]] = *matrix;
    [
        format!(
            "a metre that odometry reports forward is {:.4} m",
            1.0 + forward
        ),
        format!(
            "a radian that odometry reports turned is {:.4} rad",
            1.0 + turn
        ),
        format!(
            "each metre forward hides a turn of {:.4} rad ({:.2} deg) to the {}",
            veer.abs(),
            veer.abs().to_degrees(),
            side(veer)
        ),
        format!(
            "each metre forward hides a drift of {:.4} m to the {}",
            drift.abs(),
            side(drift)
        ),
        format!(
            "each radian turned to the left moves the scanner {:.4} m to the {}: it sits {:.1} cm \
             {} the point that odometry speaks of",
            lever.abs(),
            side(lever),
            100.0 * lever.abs(),
            if lever < 0.0 { "behind" } else { "ahead of" }
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_become_sides() {
        let matrix = [[0.01, 0.0, 0.0], [-0.02, 0.0, 0.042], [0.016, 0.0, -0.5]];
        let [forward, turn, veer, drift, lever] = sentences(&matrix);
        assert!(forward.ends_with("forward is 1.0100 m"), "{forward}");
        assert!(turn.ends_with("turned is 0.5000 rad"), "{turn}");
        assert!(
            veer.ends_with("0.0160 rad (0.92 deg) to the left"),
            "{veer}"
        );
        assert!(drift.ends_with("0.0200 m to the right"), "{drift}");
        assert!(lever.contains("4.2 cm ahead of"), "{lever}");
    }
}
