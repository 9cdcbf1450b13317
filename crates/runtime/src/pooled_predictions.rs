//! Prediction figures of several agents as if they were one's.

use crate::PredictionRow;

/// Pools rows of one method at one horizon, in the order in which they first come.
///
/// Every beam counts the same: the figures are those of all beams together. Medians cannot be
/// pooled: theirs is the mean of the agents' medians, weighted by beams.
pub(crate) fn pooled_predictions<'r>(
    rows: impl IntoIterator<Item = &'r PredictionRow>,
) -> Vec<PredictionRow> {
    let mut pooled: Vec<PredictionRow> = Vec::new();
    for row in rows {
        match pooled.iter_mut().find(|there| is_same(there, row)) {
            Some(there) => *there = both(there, row),
            None => pooled.push(row.clone()),
        }
    }
    pooled
}

fn is_same(one: &PredictionRow, other: &PredictionRow) -> bool {
    one.method == other.method && one.horizon_secs.total_cmp(&other.horizon_secs).is_eq()
}

fn both(one: &PredictionRow, other: &PredictionRow) -> PredictionRow {
    let (here, there) = (one.n_beams as f64, other.n_beams as f64);
    let all = (here + there).max(1.0);
    let mean = |one: f64, other: f64| (one * here + other * there) / all;
    let root = |one: f64, other: f64| mean(one * one, other * other).sqrt();
    PredictionRow {
        method: one.method.clone(),
        horizon_secs: one.horizon_secs,
        n: one.n + other.n,
        n_beams: one.n_beams + other.n_beams,
        mae_m: mean(one.mae_m, other.mae_m),
        rmse_m: root(one.rmse_m, other.rmse_m),
        median_m: mean(one.median_m, other.median_m),
        within_5cm: mean(one.within_5cm, other.within_5cm),
        within_10cm: mean(one.within_10cm, other.within_10cm),
        within_20cm: mean(one.within_20cm, other.within_20cm),
        log_rmse: root(one.log_rmse, other.log_rmse),
        coverage_90: one
            .coverage_90
            .zip(other.coverage_90)
            .map(|(one, other)| mean(one, other)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::MethodRole;
    use crate::error_tally::ErrorTally;
    use crate::grader::Method;

    fn row(tally: &ErrorTally) -> PredictionRow {
        let method = Method {
            name: "toy mean".to_owned(),
            role: MethodRole::Baseline,
        };
        PredictionRow::from((Duration::from_secs(1), &method, tally.pooled().unwrap()))
    }

    #[test]
    fn figures_are_those_of_all_beams_together() {
        let beams: [&[(f32, f32)]; 2] = [&[(1.0, 1.0), (2.0, 2.5), (3.0, 3.1)], &[(4.0, 3.0)]];
        let covered: [&[bool]; 2] = [&[true, true, false], &[false]];
        let mut all = ErrorTally::new();
        let each = beams.iter().zip(covered).map(|(pairs, covered)| {
            let mut own = ErrorTally::new();
            for tally in [&mut own, &mut all] {
                tally.add(pairs.iter().copied());
                tally.add_coverage(covered.iter().copied());
            }
            row(&own)
        });
        let each: Vec<PredictionRow> = each.collect();
        let pooled = pooled_predictions(&each);
        let (got, expected) = (&pooled[0], row(&all));
        assert_eq!((pooled.len(), got.n, got.n_beams), (1, 2, 4));
        let same = |of: fn(&PredictionRow) -> f64| (of(got) - of(&expected)).abs() < 1e-12;
        assert!(same(|it| it.mae_m) && same(|it| it.rmse_m) && same(|it| it.log_rmse));
        assert!(same(|it| it.within_5cm) && same(|it| it.within_20cm));
        assert!(same(|it| it.coverage_90.unwrap()));
    }

    #[test]
    fn other_methods_and_horizons_stay_apart() {
        let mut tally = ErrorTally::new();
        tally.add([(1.0, 1.5)].into_iter());
        let first = row(&tally);
        let other = PredictionRow {
            method: "persistence".to_owned(),
            ..first.clone()
        };
        let later = PredictionRow {
            horizon_secs: 2.0,
            ..first.clone()
        };
        let pooled = pooled_predictions([&first, &other, &later, &first]);
        let n_beams: Vec<u64> = pooled.iter().map(|it| it.n_beams).collect();
        assert_eq!(n_beams, [2, 1, 1]);
    }
}
