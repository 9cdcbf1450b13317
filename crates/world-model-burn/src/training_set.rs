//! What is learnt from: stretches of scans, and pairs of a start and what came later.

use std::time::Duration;

use sedge_spacetime::Pose2;
use sedge_world_model::{CandidateSet, Episode, RegisteredScans, ScanGeometry};

use sedge_world_model_trained::structure::MOTION_INPUTS;
use sedge_world_model_trained::{CompanyRow, HorizonRange, encoder_scan, motion_error, motion_row};

/// Targets kept per start: memory for variety.
const TARGETS_PER_START: usize = 4;
/// Pairs kept in memory at most; longer logs are thinned evenly (a pair is about 35 kB).
pub(crate) const PAIRS_MAX: usize = 16_000;
/// The longest pause inside a stretch, as a multiple of the median scan period.
const PAUSE_MAX_PERIODS: f64 = 8.0;

/// Why there is nothing to learn from.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainingSetError {
    /// The log is too short for the recipe.
    #[error(
        "expected enough scans for stretches of {stretch_scans} and targets within {horizons:?}, \
         got {scans} scans to learn from"
    )]
    TooShort {
        /// Scans that may be learnt from.
        scans: usize,
        /// Scans per stretch.
        stretch_scans: usize,
        /// Where targets may lie.
        horizons: HorizonRange,
    },
}

/// A start, a target and what geometry expects there.
pub(crate) struct Pair {
    pub(crate) target: usize,
    pub(crate) horizon: Duration,
    pub(crate) motion: Pose2,
    /// What the motion head should say, by hindsight.
    pub(crate) motion_error: [f32; 3],
    pub(crate) candidates: CandidateSet,
}

/// A part of an episode, ready for batches.
pub(crate) struct TrainingSet {
    pub(crate) geometry: ScanGeometry,
    /// Encoder input per scan. `[scan][channel * bin]`
    pub(crate) scans: Vec<Vec<f32>>,
    /// What was known beside the scan. `[scan]`
    pub(crate) company: Vec<CompanyRow>,
    /// Ranges per scan, in metres. `[scan][beam]`
    pub(crate) ranges_m: Vec<std::sync::Arc<[f32]>>,
    /// Movement since the scan before. `[scan]`
    pub(crate) motions: Vec<[f32; MOTION_INPUTS]>,
    /// Time since the scan before, in seconds. `[scan]`
    pub(crate) dt_secs: Vec<f32>,
    pub(crate) pairs: Vec<Pair>,
    /// Indexes into `pairs`, by start. `[scan]`
    pub(crate) pairs_of_start: Vec<Vec<usize>>,
    /// First scans of stretches without a pause that have pairs to grade.
    pub(crate) stretch_starts: Vec<usize>,
}

/// Where pairs are looked for.
pub(crate) struct PairSource<'a> {
    pub(crate) episode: &'a Episode,
    pub(crate) scans_in_place: &'a RegisteredScans,
    /// Scans that may be starts and targets.
    pub(crate) scans: std::ops::Range<usize>,
    pub(crate) horizons: HorizonRange,
}

impl PairSource<'_> {
    /// Scans that may be targets of a start, in order.
    fn targets(&self, start: usize) -> Vec<usize> {
        let later = start + 1..self.scans.end;
        match self.horizons {
            HorizonRange::Scans { min, max } => (start + min..=start + max)
                .filter(|target| later.contains(target))
                .collect(),
            HorizonRange::Secs { min, max } => {
                let ahead = |&target: &usize| {
                    let secs = self.horizon_secs(start, target);
                    (min..=max).contains(&secs)
                };
                // Stamps may run backwards a little: look past the first that is too far.
                later
                    .take_while(|&t| self.horizon_secs(start, t) < 2.0 * max)
                    .filter(ahead)
                    .collect()
            }
        }
    }

    fn horizon_secs(&self, start: usize, target: usize) -> f64 {
        let scans = &self.episode.scans;
        scans[target].stamp.secs_since(scans[start].stamp)
    }

    /// Up to [`TARGETS_PER_START`] targets, spread evenly over those there are.
    fn chosen_targets(&self, start: usize) -> Vec<usize> {
        let all = self.targets(start);
        let n = all.len().min(TARGETS_PER_START);
        // Offset by the start, so that neighbouring starts look at different horizons.
        let offset = if all.len() > n {
            start % (all.len() / n.max(1)).max(1)
        } else {
            0
        };
        (0..n)
            .map(|k| all[(k * all.len() / n + offset).min(all.len() - 1)])
            .collect()
    }

    fn pair(&self, start: usize, target: usize) -> Pair {
        let motion = self.scans_in_place.expected_motion(start, target);
        let real = self.scans_in_place.registered_motion(start, target);
        let secs = self.horizon_secs(start, target).max(0.0);
        let horizon = Duration::from_secs_f64(secs);
        Pair {
            target,
            horizon,
            motion,
            motion_error: motion_error(motion, real),
            candidates: self
                .scans_in_place
                .window(start)
                .candidates(motion, horizon),
        }
    }
}

impl TrainingSet {
    /// Gathers everything, at most about `pairs_max` pairs; `progress` is told how many of how many
    /// starts are done.
    pub(crate) fn gather(
        source: &PairSource<'_>,
        stretch_scans: usize,
        pairs_max: usize,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, TrainingSetError> {
        let episode = source.episode;
        let n = source.scans.end;
        let mut dt_secs = vec![0.0_f32; n];
        let mut motions = vec![motion_row(Pose2::IDENTITY, 0.0); n];
        for scan in 1..n {
            let secs = source.horizon_secs(scan - 1, scan).max(0.0);
            dt_secs[scan] = secs as f32;
            motions[scan] = motion_row(
                source.scans_in_place.registered_motion(scan - 1, scan),
                secs,
            );
        }
        let starts: Vec<usize> = source.scans.clone().collect();
        let thinning = (starts.len() * TARGETS_PER_START)
            .div_ceil(pairs_max.max(1))
            .max(1);
        let (mut pairs, mut pairs_of_start) = (Vec::new(), vec![Vec::new(); n]);
        for (done, &start) in starts.iter().enumerate() {
            progress(done, starts.len());
            if done % thinning != 0 {
                continue;
            }
            for target in source.chosen_targets(start) {
                pairs_of_start[start].push(pairs.len());
                pairs.push(source.pair(start, target));
            }
        }
        let set = Self {
            geometry: episode.geometry,
            scans: episode.scans[..n]
                .iter()
                .map(|scan| encoder_scan(&scan.scan).to_vec())
                .collect(),
            company: (0..n)
                .map(|scan| {
                    let known = source.scans_in_place;
                    CompanyRow::new(known.company(scan), known.imu(scan))
                })
                .collect(),
            ranges_m: episode.scans[..n]
                .iter()
                .map(|scan| scan.scan.ranges_m.clone())
                .collect(),
            motions,
            dt_secs,
            pairs,
            pairs_of_start,
            stretch_starts: Vec::new(),
        };
        set.with_stretches(source, stretch_scans)
    }

    /// Adds another drive behind this one: no stretch and no pair reaches from one to the other.
    pub(crate) fn append(&mut self, other: Self) {
        let (n_scans, n_pairs) = (self.scans.len(), self.pairs.len());
        self.scans.extend(other.scans);
        self.company.extend(other.company);
        self.ranges_m.extend(other.ranges_m);
        self.motions.extend(other.motions);
        self.dt_secs.extend(other.dt_secs);
        self.pairs.extend(other.pairs.into_iter().map(|pair| Pair {
            target: pair.target + n_scans,
            ..pair
        }));
        let shifted = |pairs: Vec<usize>| pairs.into_iter().map(|idx| idx + n_pairs).collect();
        self.pairs_of_start
            .extend(other.pairs_of_start.into_iter().map(shifted));
        let starts = other.stretch_starts.into_iter();
        self.stretch_starts.extend(starts.map(|idx| idx + n_scans));
    }

    fn with_stretches(
        mut self,
        source: &PairSource<'_>,
        stretch_scans: usize,
    ) -> Result<Self, TrainingSetError> {
        let pause = PAUSE_MAX_PERIODS * source.episode.median_scan_period_secs();
        let whole = |&first: &usize| {
            let rest = first + 1..first + stretch_scans;
            let later_half = first + stretch_scans / 2..first + stretch_scans;
            rest.clone()
                .all(|scan| f64::from(self.dt_secs[scan]) <= pause)
                && later_half
                    .into_iter()
                    .any(|scan| !self.pairs_of_start[scan].is_empty())
        };
        // The first scan after the last stretch that still fits.
        let end = (source.scans.end + 1).saturating_sub(stretch_scans);
        self.stretch_starts = (source.scans.start..end).filter(whole).collect();
        if self.stretch_starts.is_empty() {
            return Err(TrainingSetError::TooShort {
                scans: source.scans.len(),
                stretch_scans,
                horizons: source.horizons,
            });
        }
        Ok(self)
    }
}
