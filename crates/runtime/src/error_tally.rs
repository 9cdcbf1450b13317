//! Pooled errors of one method at one horizon, in bounded memory.

use sedge_world_model::{PREDICTION_MIN_M, RANGE_MAX_M};

/// One bin of the histogram that the median is read from, in metres.
const BIN_M: f64 = 0.001;
/// Errors between clipped ranges stay below 20 m; the last bin takes whatever is beyond.
const N_BINS: usize = 20_001;
const WITHIN_M: [f64; 3] = [0.05, 0.10, 0.20];

/// Running sums over every counted beam of every graded prediction: 160 kB, however long it runs.
///
/// Sums and shares are exact; the median is within 1 mm.
#[derive(Debug, Clone)]
pub(crate) struct ErrorTally {
    n_starts: u64,
    n_beams: u64,
    sum_abs: f64,
    sum_squares: f64,
    sum_log_squares: f64,
    n_within: [u64; 3],
    n_interval: u64,
    n_covered: u64,
    bins: Vec<u64>,
}

/// What one prediction's errors add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct ScanErrors {
    pub(crate) n_beams: u64,
    pub(crate) mae_m: f64,
    pub(crate) rmse_m: f64,
    pub(crate) within_10cm: f64,
}

/// The pooled figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pooled {
    pub(crate) n_starts: u64,
    pub(crate) n_beams: u64,
    pub(crate) mae_m: f64,
    pub(crate) rmse_m: f64,
    pub(crate) median_m: f64,
    pub(crate) within: [f64; 3],
    pub(crate) log_rmse: f64,
    pub(crate) coverage: Option<f64>,
}

impl ErrorTally {
    pub(crate) fn new() -> Self {
        Self {
            n_starts: 0,
            n_beams: 0,
            sum_abs: 0.0,
            sum_squares: 0.0,
            sum_log_squares: 0.0,
            n_within: [0; 3],
            n_interval: 0,
            n_covered: 0,
            bins: vec![0; N_BINS],
        }
    }

    /// Takes in the errors of one prediction: pairs of predicted and true range of counted beams.
    pub(crate) fn add(&mut self, pairs: impl Iterator<Item = (f32, f32)>) -> ScanErrors {
        let (mut n_beams, mut n_within_10cm) = (0_u64, 0_u64);
        let (mut sum_abs, mut sum_squares) = (0.0, 0.0);
        for (predicted, came) in pairs {
            let predicted = f64::from(predicted.clamp(PREDICTION_MIN_M, RANGE_MAX_M));
            let error = predicted - f64::from(came);
            let size = error.abs();
            n_beams += 1;
            sum_abs += size;
            sum_squares += error * error;
            self.sum_log_squares += (predicted / f64::from(came)).ln().powi(2);
            for (n, limit) in self.n_within.iter_mut().zip(WITHIN_M) {
                *n += u64::from(size <= limit);
            }
            n_within_10cm += u64::from(size <= WITHIN_M[1]);
            self.bins[((size / BIN_M) as usize).min(N_BINS - 1)] += 1;
        }
        self.n_starts += 1;
        self.n_beams += n_beams;
        self.sum_abs += sum_abs;
        self.sum_squares += sum_squares;
        let n = n_beams.max(1) as f64;
        ScanErrors {
            n_beams,
            mae_m: sum_abs / n,
            rmse_m: (sum_squares / n).sqrt(),
            within_10cm: n_within_10cm as f64 / n,
        }
    }

    /// Takes in whether counted beams fell into their stated interval.
    pub(crate) fn add_coverage(&mut self, covered: impl Iterator<Item = bool>) {
        for inside in covered {
            self.n_interval += 1;
            self.n_covered += u64::from(inside);
        }
    }

    /// The figures so far, or `None` before the first counted beam.
    pub(crate) fn pooled(&self) -> Option<Pooled> {
        if self.n_beams == 0 {
            return None;
        }
        let n = self.n_beams as f64;
        Some(Pooled {
            n_starts: self.n_starts,
            n_beams: self.n_beams,
            mae_m: self.sum_abs / n,
            rmse_m: (self.sum_squares / n).sqrt(),
            median_m: self.median_m(),
            within: self.n_within.map(|n_within| n_within as f64 / n),
            log_rmse: (self.sum_log_squares / n).sqrt(),
            coverage: (self.n_interval > 0).then(|| self.n_covered as f64 / self.n_interval as f64),
        })
    }

    /// Linear within the bin that holds the middle.
    fn median_m(&self) -> f64 {
        let half = self.n_beams as f64 / 2.0;
        let mut before = 0.0;
        for (bin_idx, n) in self.bins.iter().enumerate() {
            let after = before + *n as f64;
            if after >= half && *n > 0 {
                return (bin_idx as f64 + (half - before) / (after - before)) * BIN_M;
            }
            before = after;
        }
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_a_hand_calculation() {
        let mut tally = ErrorTally::new();
        let one = tally.add([(1.0_f32, 1.0_f32), (2.0, 2.5)].into_iter());
        assert_eq!((one.n_beams, one.within_10cm), (2, 0.5));
        assert!((one.mae_m - 0.25).abs() < 1e-12);
        tally.add([(4.0, 3.0)].into_iter());
        tally.add_coverage([true, true, false].into_iter());
        let pooled = tally.pooled().unwrap();
        assert_eq!((pooled.n_starts, pooled.n_beams), (2, 3));
        assert!((pooled.mae_m - 0.5).abs() < 1e-12);
        assert!((pooled.rmse_m - (1.25_f64 / 3.0).sqrt()).abs() < 1e-12);
        assert!((pooled.median_m - 0.5).abs() <= BIN_M);
        let log = |a: f64| a.ln().powi(2);
        assert!((pooled.log_rmse - ((log(0.8) + log(4.0 / 3.0)) / 3.0).sqrt()).abs() < 1e-12);
        assert!((pooled.within[2] - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(pooled.coverage, Some(2.0 / 3.0));
    }

    #[test]
    fn nothing_counted_has_no_figures_and_absurd_predictions_are_clipped() {
        let mut tally = ErrorTally::new();
        assert_eq!(tally.pooled(), None);
        tally.add([(f32::INFINITY, 1.0_f32)].into_iter());
        assert!((tally.pooled().unwrap().mae_m - 19.0).abs() < 1e-12);
    }
}
