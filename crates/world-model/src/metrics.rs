//! How wrong predicted ranges were, beam by beam.

use serde::{Deserialize, Serialize};

use crate::{LidarScan, PREDICTION_MIN_M, RANGE_MAX_M, render::decimal_range_m};

/// One line of an evaluation: one method at one horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// What predicted.
    pub method: String,
    /// How far ahead, in seconds; for next-scan horizons the mean time to the target.
    pub horizon_secs: f64,
    /// How many scans ahead, for next-scan horizons.
    pub horizon_steps: Option<usize>,
    /// Uses poses that have seen the future: an upper bound, not a contestant.
    pub oracle: bool,
    /// Starts that had a target at this horizon.
    pub n: usize,
    /// Beams that counted.
    pub n_beams: usize,
    /// Mean absolute error, metres.
    pub mae_m: f64,
    /// Root of the mean squared error, metres.
    pub rmse_m: f64,
    /// Median absolute error, metres.
    pub median_m: f64,
    /// Share of beams within 5 cm.
    pub within_5cm: f64,
    /// Share of beams within 10 cm.
    pub within_10cm: f64,
    /// Share of beams within 20 cm.
    pub within_20cm: f64,
    /// Root of the mean squared difference of the logarithms.
    pub log_rmse: f64,
}

/// Errors of one method at one horizon, pooled over the beams of all starts.
#[derive(Debug, Clone, Default)]
pub struct ErrorPool {
    absolute_m: Vec<f64>,
    squared_log_sum: f64,
    horizon_secs_sum: f64,
    n_scans: usize,
}

impl ErrorPool {
    /// Adds a predicted scan and what came `horizon_secs` later. Only beams that measured
    /// something in the target count; predictions are clipped to `[0.05, 20]` metres.
    pub fn add(
        &mut self,
        predicted_m: impl IntoIterator<Item = f64>,
        target: &LidarScan,
        horizon_secs: f64,
    ) {
        self.add_where(predicted_m, target, horizon_secs, |_| true);
    }

    /// As [`ErrorPool::add`], counting only beams that `counts` admits.
    pub fn add_where(
        &mut self,
        predicted_m: impl IntoIterator<Item = f64>,
        target: &LidarScan,
        horizon_secs: f64,
        counts: impl Fn(usize) -> bool,
    ) {
        self.n_scans += 1;
        self.horizon_secs_sum += horizon_secs;
        for (beam, predicted) in predicted_m
            .into_iter()
            .enumerate()
            .take(target.ranges_m.len())
        {
            if !target.is_valid(beam) || !counts(beam) {
                continue;
            }
            let truth = decimal_range_m(target.ranges_m[beam]);
            let predicted = predicted.clamp(f64::from(PREDICTION_MIN_M), f64::from(RANGE_MAX_M));
            self.absolute_m.push((predicted - truth).abs());
            self.squared_log_sum += (predicted / truth).ln().powi(2);
        }
    }

    /// How many scans were added.
    pub fn n_scans(&self) -> usize {
        self.n_scans
    }

    /// Mean absolute error in metres; NaN for an empty pool.
    pub fn mae_m(&self) -> f64 {
        self.absolute_m.iter().sum::<f64>() / self.absolute_m.len() as f64
    }

    /// The figures, or `None` if no beam counted. `horizon_secs` and the method are the caller's
    /// to set: they start as the mean time to the targets and an empty name.
    pub fn row(&self) -> Option<MetricRow> {
        let n_beams = self.absolute_m.len();
        if n_beams == 0 {
            return None;
        }
        let n = n_beams as f64;
        let mut sorted = self.absolute_m.clone();
        sorted.sort_by(f64::total_cmp);
        let within = |limit: f64| sorted.partition_point(|&error| error <= limit) as f64 / n;
        Some(MetricRow {
            method: String::new(),
            horizon_secs: self.horizon_secs_sum / self.n_scans as f64,
            horizon_steps: None,
            oracle: false,
            n: self.n_scans,
            n_beams,
            mae_m: self.mae_m(),
            rmse_m: (sorted.iter().map(|error| error * error).sum::<f64>() / n).sqrt(),
            median_m: median_of_sorted(&sorted),
            within_5cm: within(0.05),
            within_10cm: within(0.1),
            within_20cm: within(0.2),
            log_rmse: (self.squared_log_sum / n).sqrt(),
        })
    }
}

/// The middle value, or the mean of the middle two; the slice must not be empty.
fn median_of_sorted(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        0.5 * (sorted[middle - 1] + sorted[middle])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_scenes::half_circle;

    fn target(ranges_m: &[f32]) -> LidarScan {
        LidarScan {
            geometry: half_circle(ranges_m.len()),
            ranges_m: ranges_m.into(),
        }
    }

    #[test]
    fn figures_are_those_of_the_beams_that_count() {
        let mut pool = ErrorPool::default();
        pool.add([1.05, 2.5, 9.0, 3.0], &target(&[1.0, 2.0, 81.91, 3.0]), 0.5);
        pool.add(
            [30.0, 4.1, 0.0, 1.0],
            &target(&[19.0, 4.0, 0.02, 20.0]),
            0.7,
        );
        let row = pool.row().unwrap();
        let close = |got: f64, expected: f64| assert!((got - expected).abs() < 1e-6, "{got}");
        assert_eq!((row.n, row.n_beams), (2, 5));
        close(row.horizon_secs, 0.6);
        close(row.mae_m, (0.05 + 0.5 + 0.0 + 1.0 + 0.1) / 5.0);
        close(row.rmse_m, ((0.0025 + 0.25 + 1.0 + 0.01) / 5.0_f64).sqrt());
        close(row.median_m, 0.1);
        close(row.within_20cm, 0.6);
        let logs = [1.05_f64, 1.25, 1.0, 20.0 / 19.0, 4.1 / 4.0].map(|ratio| ratio.ln().powi(2));
        close(row.log_rmse, (logs.iter().sum::<f64>() / 5.0).sqrt());
    }

    #[test]
    fn an_error_of_exactly_the_limit_is_within_it() {
        let mut pool = ErrorPool::default();
        // 0.25 and 0.5 have no rounding; 0.2 away is judged on the decimals of the log.
        pool.add([0.25, 0.5], &target(&[0.25, 0.5]), 1.0);
        assert!((pool.row().unwrap().within_5cm - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert!((median_of_sorted(&[1.0, 2.0, 4.0, 9.0]) - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_pool_without_beams_has_no_figures() {
        let mut pool = ErrorPool::default();
        assert!(pool.row().is_none());
        pool.add([1.0], &target(&[81.0]), 1.0);
        assert!(pool.row().is_none());
    }
}
