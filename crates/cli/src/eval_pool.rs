//! Rows of several drives as if they were one.

use sedge_world_model::MetricRow;

/// Pools rows of one method at one horizon over drives, in the order in which they first came.
///
/// Every beam counts the same: shares and mean errors are weighted by beams, squared errors are
/// pooled before the root is taken, and so the figures are those of all beams together. Medians
/// cannot be pooled: theirs is the mean of the drives' medians, weighted by beams.
pub(crate) fn pooled_over_drives(rows: &[MetricRow]) -> Vec<MetricRow> {
    let mut pooled: Vec<MetricRow> = Vec::new();
    for row in rows {
        match pooled.iter_mut().find(|there| is_same(there, row)) {
            Some(there) => *there = both(there, row),
            None => pooled.push(row.clone()),
        }
    }
    pooled
}

fn is_same(one: &MetricRow, other: &MetricRow) -> bool {
    let same_horizon = match (one.horizon_steps, other.horizon_steps) {
        (None, None) => (one.horizon_secs - other.horizon_secs).abs() < 1e-9,
        (one, other) => one == other,
    };
    one.method == other.method && same_horizon
}

fn both(one: &MetricRow, other: &MetricRow) -> MetricRow {
    let weights = [one.n_beams as f64, other.n_beams as f64];
    let sum = (weights[0] + weights[1]).max(1.0);
    let mean = |of: fn(&MetricRow) -> f64| (of(one) * weights[0] + of(other) * weights[1]) / sum;
    let root = |of: fn(&MetricRow) -> f64| {
        let squares = of(one).powi(2) * weights[0] + of(other).powi(2) * weights[1];
        (squares / sum).sqrt()
    };
    MetricRow {
        method: one.method.clone(),
        horizon_secs: mean(|row| row.horizon_secs),
        horizon_steps: one.horizon_steps,
        oracle: one.oracle,
        n: one.n + other.n,
        n_beams: one.n_beams + other.n_beams,
        mae_m: mean(|row| row.mae_m),
        rmse_m: root(|row| row.rmse_m),
        median_m: mean(|row| row.median_m),
        within_5cm: mean(|row| row.within_5cm),
        within_10cm: mean(|row| row.within_10cm),
        within_20cm: mean(|row| row.within_20cm),
        log_rmse: root(|row| row.log_rmse),
    }
}

#[cfg(test)]
mod tests {
    use sedge_world_model::{ErrorPool, LidarScan, ScanGeometry};

    use super::*;

    fn scan(ranges_m: &[f32]) -> LidarScan {
        LidarScan {
            geometry: ScanGeometry {
                first_angle_rad: 0.0,
                step_rad: 0.1,
                n_beams: ranges_m.len(),
            },
            ranges_m: ranges_m.into(),
        }
    }

    #[test]
    fn pooled_figures_are_those_of_all_beams_together() {
        let drives = [
            (vec![1.0, 2.5, 3.0], scan(&[1.02, 2.0, 3.3])),
            (vec![4.0, 5.0], scan(&[4.5, 81.0])),
        ];
        let mut all = ErrorPool::default();
        let mut rows = Vec::new();
        for (predicted, target) in &drives {
            all.add(predicted.iter().copied(), target, 0.5);
            let mut own = ErrorPool::default();
            own.add(predicted.iter().copied(), target, 0.5);
            rows.push(own.row().unwrap());
        }
        let pooled = pooled_over_drives(&rows);
        let [got] = pooled.as_slice() else {
            panic!("expected one row, got {pooled:?}");
        };
        let expected = all.row().unwrap();
        assert_eq!((got.n, got.n_beams), (expected.n, expected.n_beams));
        let close = |of: fn(&MetricRow) -> f64| assert!((of(got) - of(&expected)).abs() < 1e-12);
        close(|row| row.mae_m);
        close(|row| row.rmse_m);
        close(|row| row.within_5cm);
        close(|row| row.within_20cm);
        close(|row| row.log_rmse);
    }

    #[test]
    fn other_methods_and_horizons_stay_apart() {
        let mut pool = ErrorPool::default();
        pool.add([1.0], &scan(&[1.1]), 0.5);
        let row = pool.row().unwrap();
        let other = MetricRow {
            method: "x".to_owned(),
            ..row.clone()
        };
        let later = MetricRow {
            horizon_secs: 1.0,
            ..row.clone()
        };
        let rows = [row.clone(), other, later, row];
        let n_beams: Vec<usize> = pooled_over_drives(&rows)
            .iter()
            .map(|it| it.n_beams)
            .collect();
        assert_eq!(n_beams, [2, 1, 1]);
    }
}
