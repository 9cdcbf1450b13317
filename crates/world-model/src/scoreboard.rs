//! Errors gathered by horizon, method and kind of beam, and the rows made of them.

use crate::metrics::{ErrorPool, MetricRow};
use crate::{EpisodeScan, Horizons};

/// Which beams of a target count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beams {
    All,
    /// That hit something that moves or could, where the truth is known.
    OnMovers,
    /// That hit anything else.
    OnStatic,
}

impl Beams {
    const EACH: [Self; 3] = [Self::All, Self::OnMovers, Self::OnStatic];

    /// What is added to a method's name.
    fn suffix(self) -> &'static str {
        match self {
            Self::All => "",
            Self::OnMovers => ", on movers",
            Self::OnStatic => ", on static",
        }
    }

    fn counts(self, moving: Option<&[bool]>, beam: usize) -> bool {
        let moves = moving.and_then(|mask| mask.get(beam).copied());
        match self {
            Self::All => true,
            Self::OnMovers => moves == Some(true),
            Self::OnStatic => moves == Some(false),
        }
    }
}

/// Errors by horizon and method, methods in the order they first appear.
#[derive(Debug, Default)]
pub(crate) struct Scoreboard {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    horizon_idx: usize,
    method: String,
    beams: Beams,
    pool: ErrorPool,
}

impl Scoreboard {
    /// Adds a prediction of a scan by a method at a horizon, `ahead_secs` before it came. Where the
    /// scan knows which of its beams hit movers, those and the others are graded apart, too.
    pub(crate) fn grade(
        &mut self,
        (horizon_idx, method): (usize, &str),
        predicted_m: &[f64],
        target: &EpisodeScan,
        ahead_secs: f64,
    ) {
        let moving = target.moving.as_deref();
        for beams in Beams::EACH {
            if beams != Beams::All && moving.is_none() {
                continue;
            }
            let counts = |beam| beams.counts(moving, beam);
            let predicted = predicted_m.iter().copied();
            self.pool((horizon_idx, method), beams).add_where(
                predicted,
                &target.scan,
                ahead_secs,
                counts,
            );
        }
    }

    fn pool(&mut self, (horizon_idx, method): (usize, &str), beams: Beams) -> &mut ErrorPool {
        let is_it = |entry: &Entry| {
            entry.horizon_idx == horizon_idx && entry.beams == beams && entry.method == method
        };
        let position = self.entries.iter().position(is_it).unwrap_or_else(|| {
            self.entries.push(Entry {
                horizon_idx,
                method: method.to_owned(),
                beams,
                pool: ErrorPool::default(),
            });
            self.entries.len() - 1
        });
        &mut self.entries[position].pool
    }

    /// The rows, by horizon; a method whose name ends in "oracle" is marked as one.
    pub(crate) fn rows(&self, horizons: &Horizons) -> Vec<MetricRow> {
        let mut rows = Vec::new();
        for horizon_idx in 0..horizons.len() {
            for beams in Beams::EACH {
                let entries = self
                    .entries
                    .iter()
                    .filter(|entry| entry.horizon_idx == horizon_idx && entry.beams == beams);
                rows.extend(entries.filter_map(|entry| entry.row(horizons)));
            }
        }
        rows
    }
}

impl Entry {
    fn row(&self, horizons: &Horizons) -> Option<MetricRow> {
        let row = self.pool.row()?;
        let (horizon_secs, horizon_steps) = match horizons {
            Horizons::Secs(secs) => (secs[self.horizon_idx], None),
            Horizons::Steps(steps) => (row.horizon_secs, Some(steps[self.horizon_idx])),
        };
        Some(MetricRow {
            method: format!("{}{}", self.method, self.beams.suffix()),
            horizon_secs,
            horizon_steps,
            oracle: self.method.ends_with("oracle"),
            ..row
        })
    }
}

#[cfg(test)]
mod tests {
    use sedge_spacetime::Stamp;

    use super::*;
    use crate::LidarScan;
    use crate::test_scenes::half_circle;

    fn target(moving: Option<[bool; 3]>) -> EpisodeScan {
        EpisodeScan {
            stamp: Stamp::ZERO,
            scan: LidarScan {
                geometry: half_circle(3),
                ranges_m: [1.0, 2.0, 3.0].into(),
            },
            reference: None,
            moving: moving.map(Into::into),
        }
    }

    #[test]
    fn beams_on_movers_and_the_others_are_graded_apart_where_the_truth_is_known() {
        let mut board = Scoreboard::default();
        let mask = Some([false, true, false]);
        board.grade((0, "m"), &[1.1, 2.5, 3.1], &target(mask), 1.0);
        let rows = board.rows(&Horizons::Secs(vec![1.0]));
        let row = |method: &str| rows.iter().find(|row| row.method == method).unwrap();
        assert_eq!(rows.len(), 3);
        assert_eq!((row("m").n_beams, row("m, on movers").n_beams), (3, 1));
        assert!((row("m, on movers").mae_m - 0.5).abs() < 1e-9);
        assert!((row("m, on static").mae_m - 0.1).abs() < 1e-6);
    }

    #[test]
    fn without_the_truth_there_is_one_row_and_oracles_are_marked() {
        let mut board = Scoreboard::default();
        board.grade((0, "an oracle"), &[1.0, 2.0, 3.0], &target(None), 1.0);
        let rows = board.rows(&Horizons::Secs(vec![1.0]));
        assert_eq!(rows.len(), 1);
        assert!(rows[0].oracle);
    }
}
