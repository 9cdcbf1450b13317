//! What geometry alone expects a future scan to be: several answers, from last scan to local map.

use std::sync::Arc;
use std::time::Duration;

use sedge_spacetime::Pose2;

use crate::company::Company;
use crate::discs::MoverRows;
use crate::{
    PREDICTION_MIN_M, RANGE_MAX_M, RenderableScan, Renderer, Reused, ScanGeometry, fill_far,
    fill_near,
};

/// The longest window, in seconds: scans older than this are not looked at.
pub const WINDOW_SECS: f64 = 20.0;
/// The window of the `map1` candidates, seconds.
const SHORT_WINDOW_SECS: f64 = 1.0;
/// The window of the `map5` candidates, seconds.
const MIDDLE_WINDOW_SECS: f64 = 5.0;
/// Ages are compared with this tolerance, in seconds: one nanosecond.
const AGE_TOLERANCE_SECS: f64 = 1e-9;
/// Scans of a belief's window beyond the short window are at least this far apart, and beyond the
/// middle window this far, in seconds: a little less than two and five scans a second would be.
const OLD_SPACINGS_SECS: [f64; 2] = [0.39, 0.95];
/// How many of a beam's most recent values the medians and the spread look at.
const N_RECENT: usize = 3;
/// Share of a mover's doubt, one standard deviation, by which [`Candidate::MoversWide`] widens it.
/// On collected training drives 0.3 is nearer to the truth than 1 on what moves (0.36 m for
/// 0.40 m at a second) and on what stands (0.12 m for 0.25 m); 0.15 is worse on what moves.
const WIDENED_SHARE: f64 = 0.3;
/// How many candidates there are.
pub const N_CANDIDATES: usize = Candidate::ALL.len();

/// One geometric answer. `mapW` looks at the scans of the last `W` seconds, each rendered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Candidate {
    /// The newest scan, holes filled with the larger neighbour.
    Last,
    /// The newest scan, holes filled with the smaller neighbour.
    LastNearFill,
    /// Most recent value of each beam within 1 s.
    Map1Latest,
    /// Median of the three most recent values of each beam within 1 s.
    Map1Med3,
    /// Most recent value of each beam within 5 s.
    Map5Latest,
    /// Median of the three most recent values of each beam within 5 s.
    Map5Med3,
    /// Smallest value of each beam within 5 s: a map of points.
    Map5Min,
    /// Most recent value of each beam within 20 s.
    Map20Latest,
    /// Median of the three most recent values of each beam within 20 s.
    Map20Med3,
    /// Smallest value of each beam within 20 s.
    Map20Min,
    /// As [`Candidate::Map20Med3`], without what moves: what stands.
    StillMed3,
    /// What stands, and before it the movers where they will be at constant velocity.
    Movers,
    /// As [`Candidate::Neighbours`], each wider the less certain it is where it will be.
    MoversWide,
    /// As [`Candidate::Movers`], with known robots where they mean to be.
    Neighbours,
}

impl Candidate {
    /// All of them, in the order of their indexes.
    pub const ALL: [Self; 14] = [
        Self::Last,
        Self::LastNearFill,
        Self::Map1Latest,
        Self::Map1Med3,
        Self::Map5Latest,
        Self::Map5Med3,
        Self::Map5Min,
        Self::Map20Latest,
        Self::Map20Med3,
        Self::Map20Min,
        Self::StillMed3,
        Self::Movers,
        Self::MoversWide,
        Self::Neighbours,
    ];

    /// Row of a [`CandidateSet`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// Name in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::LastNearFill => "last-near-fill",
            Self::Map1Latest => "map1-latest",
            Self::Map1Med3 => "map1-med3",
            Self::Map5Latest => "map5-latest",
            Self::Map5Med3 => "map5-med3",
            Self::Map5Min => "map5-min",
            Self::Map20Latest => "map20-latest",
            Self::Map20Med3 => "map20-med3",
            Self::Map20Min => "map20-min",
            Self::StillMed3 => "still-med3",
            Self::Movers => "still+movers",
            Self::MoversWide => "still+movers-wide",
            Self::Neighbours => "still+movers+neighbours",
        }
    }
}

/// All geometric candidates for one future view.
///
/// # Units and frames
/// Ranges in metres along the beams of the scanner at the future pose.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateSet {
    /// Beams per row.
    pub n_beams: usize,
    /// Filled ranges within `[0.05, 20]`, never NaN. `[candidate, beam]`, flat.
    pub ranges_m: Reused<f32>,
    /// Where nothing was seen and the range is only filled in. `[candidate, beam]`, flat.
    pub holes: Reused<bool>,
    /// Largest minus smallest of the up to three most recent values within 20 s; zero for fewer
    /// than two. `[beam]`
    pub spread_m: Reused<f32>,
    /// Age, at the newest scan, of the newest scan that saw something on the beam; 20 where none
    /// did. `[beam]`
    pub age_secs: Reused<f32>,
    /// Where movers and neighbours will be.
    pub movers: MoverRows,
}

impl CandidateSet {
    /// The ranges of one candidate. `[beam]`
    pub fn row(&self, candidate: Candidate) -> &[f32] {
        let start = candidate.index() * self.n_beams;
        &self.ranges_m[start..start + self.n_beams]
    }

    /// The holes of one candidate. `[beam]`
    pub fn hole_row(&self, candidate: Candidate) -> &[bool] {
        let start = candidate.index() * self.n_beams;
        &self.holes[start..start + self.n_beams]
    }
}

/// A scan of a window.
#[derive(Debug, Clone)]
pub struct WindowScan {
    /// The scan.
    pub scan: Arc<RenderableScan>,
    /// Where it was seen from, in the frame of the newest scan.
    pub newest_from_scan: Pose2,
    /// How much older than the newest scan it is, in seconds.
    pub age_secs: f64,
}

/// Recent scans, posed relative to the newest one: a local map that keeps its history.
#[derive(Debug, Clone)]
pub struct ScanWindow {
    geometry: ScanGeometry,
    scans: Reused<WindowScan>,
    company: Company,
}

impl ScanWindow {
    /// From scans, newest first, where nobody is known to move.
    pub fn new(geometry: ScanGeometry, scans: Reused<WindowScan>) -> Self {
        Self {
            geometry,
            scans,
            company: Company::default(),
        }
    }

    /// With who moves, in the frame of the newest scan.
    #[must_use]
    pub fn with_company(self, company: Company) -> Self {
        Self { company, ..self }
    }

    /// Without most of what a fast scanner sees: the older scans are, the further they are apart.
    /// The map is the same, and looked at in time.
    #[must_use]
    pub(crate) fn thinned(mut self) -> Self {
        let mut last_kept_secs = f64::NEG_INFINITY;
        let is_kept = |scan: &WindowScan| {
            let spacing_secs = match scan.age_secs - AGE_TOLERANCE_SECS {
                age if age <= SHORT_WINDOW_SECS => 0.0,
                age if age <= MIDDLE_WINDOW_SECS => OLD_SPACINGS_SECS[0],
                _ => OLD_SPACINGS_SECS[1],
            };
            let is_kept = scan.age_secs - last_kept_secs >= spacing_secs;
            if is_kept {
                last_kept_secs = scan.age_secs;
            }
            is_kept
        };
        self.scans.retain(is_kept);
        self
    }

    /// The scans, newest first.
    pub fn scans(&self) -> &[WindowScan] {
        &self.scans
    }

    /// What each candidate expects to be seen from `newest_from_then`, that long after the newest
    /// scan.
    pub fn candidates(&self, newest_from_then: Pose2, ahead: Duration) -> CandidateSet {
        self.rows(newest_from_then, ahead).into_set()
    }

    /// The candidates before rounding to `f32`, holes still NaN.
    pub(crate) fn rows(&self, newest_from_then: Pose2, ahead: Duration) -> CandidateRows {
        let n_beams = self.geometry.n_beams;
        let mut renderer = Renderer::new(self.geometry);
        let mut rows = CandidateRows::new(n_beams);
        let mut stack = RecentStack::new(n_beams);
        // Where nothing ever moved, what stands is everything.
        let has_movers = self.scans.iter().any(|scan| scan.scan.has_movers());
        let mut still = has_movers.then(|| RecentStack::new(n_beams));
        let mut windows = WINDOWS.iter().peekable();
        for (idx, scan) in self.scans.iter().enumerate() {
            while let Some(window) =
                windows.next_if(|window| scan.age_secs > window.secs + AGE_TOLERANCE_SECS)
            {
                rows.take_window(window, &stack);
            }
            if windows.peek().is_none() {
                break;
            }
            let scan_from_view = scan.newest_from_scan.inverse() * newest_from_then;
            let views = renderer.render_apart(&scan.scan, scan_from_view);
            if idx == 0 {
                rows.row_mut(Candidate::Last).copy_from_slice(views.all);
                rows.row_mut(Candidate::LastNearFill)
                    .copy_from_slice(views.all);
            }
            stack.push(views.all, scan.age_secs);
            if let Some(still) = &mut still {
                still.push(views.still, scan.age_secs);
            }
        }
        for window in windows {
            rows.take_window(window, &stack);
        }
        stack.describe(&mut rows);
        rows.take_still(still.as_ref().unwrap_or(&stack));
        rows.put_company(&self.company, newest_from_then, ahead, renderer.rays());
        rows
    }
}

/// Which candidates are ready once all scans up to an age are stacked.
struct Window {
    secs: f64,
    latest: Candidate,
    median: Candidate,
    minimum: Option<Candidate>,
}

const WINDOWS: [Window; 3] = [
    Window {
        secs: SHORT_WINDOW_SECS,
        latest: Candidate::Map1Latest,
        median: Candidate::Map1Med3,
        minimum: None,
    },
    Window {
        secs: MIDDLE_WINDOW_SECS,
        latest: Candidate::Map5Latest,
        median: Candidate::Map5Med3,
        minimum: Some(Candidate::Map5Min),
    },
    Window {
        secs: WINDOW_SECS,
        latest: Candidate::Map20Latest,
        median: Candidate::Map20Med3,
        minimum: Some(Candidate::Map20Min),
    },
];

/// What one beam has seen so far, newest first.
#[derive(Debug, Clone, Copy)]
struct BeamHistory {
    recent_m: [f64; N_RECENT],
    n_recent: usize,
    minimum_m: f64,
    newest_age_secs: f64,
}

impl BeamHistory {
    const EMPTY: Self = Self {
        recent_m: [f64::NAN; N_RECENT],
        n_recent: 0,
        minimum_m: f64::NAN,
        newest_age_secs: WINDOW_SECS,
    };

    fn push(&mut self, range_m: f64, age_secs: f64) {
        if self.n_recent == 0 {
            self.newest_age_secs = age_secs;
        }
        if self.n_recent < N_RECENT {
            self.recent_m[self.n_recent] = range_m;
            self.n_recent += 1;
        }
        self.minimum_m = self.minimum_m.min(range_m);
    }

    /// Median of what there is; the mean of two.
    fn median_m(&self) -> f64 {
        let [a, b, c] = self.recent_m;
        match self.n_recent {
            0 | 1 => a,
            2 => 0.5 * (a + b),
            _ => a.min(b).max(a.max(b).min(c)),
        }
    }

    fn spread_m(&self) -> f64 {
        let seen = &self.recent_m[..self.n_recent];
        let largest = seen.iter().copied().fold(f64::NAN, f64::max);
        let smallest = seen.iter().copied().fold(f64::NAN, f64::min);
        if self.n_recent < 2 {
            0.0
        } else {
            largest - smallest
        }
    }
}

/// The history of every beam.
struct RecentStack {
    beams: Reused<BeamHistory>,
}

impl RecentStack {
    fn new(n_beams: usize) -> Self {
        Self {
            beams: Reused::filled(BeamHistory::EMPTY, n_beams),
        }
    }

    fn push(&mut self, view: &[f64], age_secs: f64) {
        for (beam, &range) in self.beams.iter_mut().zip(view) {
            if !range.is_nan() {
                beam.push(range, age_secs);
            }
        }
    }

    fn describe(&self, rows: &mut CandidateRows) {
        rows.spread_m
            .extend(self.beams.iter().map(BeamHistory::spread_m));
        rows.age_secs
            .extend(self.beams.iter().map(|beam| beam.newest_age_secs));
    }
}

/// A [`CandidateSet`] in the making: `f64`, unclipped, holes are NaN.
pub(crate) struct CandidateRows {
    n_beams: usize,
    ranges_m: Reused<f64>,
    spread_m: Reused<f64>,
    age_secs: Reused<f64>,
    movers: MoverRows,
}

impl CandidateRows {
    fn new(n_beams: usize) -> Self {
        Self {
            n_beams,
            ranges_m: Reused::filled(f64::NAN, N_CANDIDATES * n_beams),
            spread_m: Reused::with_capacity(n_beams),
            age_secs: Reused::with_capacity(n_beams),
            movers: MoverRows::none(n_beams),
        }
    }

    fn row_mut(&mut self, candidate: Candidate) -> &mut [f64] {
        let start = candidate.index() * self.n_beams;
        &mut self.ranges_m[start..start + self.n_beams]
    }

    fn take_window(&mut self, window: &Window, stack: &RecentStack) {
        for (range, beam) in self.row_mut(window.latest).iter_mut().zip(&stack.beams) {
            *range = beam.recent_m[0];
        }
        for (range, beam) in self.row_mut(window.median).iter_mut().zip(&stack.beams) {
            *range = beam.median_m();
        }
        if let Some(minimum) = window.minimum {
            for (range, beam) in self.row_mut(minimum).iter_mut().zip(&stack.beams) {
                *range = beam.minimum_m;
            }
        }
    }

    fn take_still(&mut self, stack: &RecentStack) {
        for (range, beam) in self
            .row_mut(Candidate::StillMed3)
            .iter_mut()
            .zip(&stack.beams)
        {
            *range = beam.median_m();
        }
    }

    /// Draws movers before what stands.
    fn put_company(
        &mut self,
        company: &Company,
        newest_from_then: Pose2,
        ahead: Duration,
        rays: &[[f64; 2]],
    ) {
        let still = Candidate::StillMed3.index() * self.n_beams;
        let still = still..still + self.n_beams;
        for candidate in [
            Candidate::Movers,
            Candidate::MoversWide,
            Candidate::Neighbours,
        ] {
            let start = candidate.index() * self.n_beams;
            self.ranges_m.copy_within(still.clone(), start);
        }
        let strangers = company.discs_at_constant_velocity(newest_from_then, ahead);
        let known = company.discs_as_announced(newest_from_then, ahead);
        for disc in &strangers {
            disc.draw(rays, self.row_mut(Candidate::Movers));
        }
        for disc in &known {
            let share = if disc.is_settled { 0.0 } else { WIDENED_SHARE };
            disc.widened(share)
                .draw(rays, self.row_mut(Candidate::MoversWide));
            disc.draw(rays, self.row_mut(Candidate::Neighbours));
        }
        self.movers.describe(&known, rays);
    }

    /// One candidate, filled and clipped.
    pub(crate) fn filled(&self, candidate: Candidate) -> Vec<f64> {
        let start = candidate.index() * self.n_beams;
        let mut row = self.ranges_m[start..start + self.n_beams].to_vec();
        fill_and_clip(&mut row, candidate);
        row
    }

    fn into_set(mut self) -> CandidateSet {
        let holes = self.ranges_m.iter().map(|range| range.is_nan()).collect();
        for candidate in Candidate::ALL {
            fill_and_clip(self.row_mut(candidate), candidate);
        }
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        CandidateSet {
            n_beams: self.n_beams,
            ranges_m: narrow(&self.ranges_m),
            holes,
            spread_m: narrow(&self.spread_m),
            age_secs: narrow(&self.age_secs),
            movers: self.movers,
        }
    }
}

fn fill_and_clip(row: &mut [f64], candidate: Candidate) {
    match candidate {
        Candidate::LastNearFill => fill_near(row),
        _ => fill_far(row),
    }
    clip(row);
}

/// Limits ranges to what a prediction may state.
pub(crate) fn clip(row: &mut [f64]) {
    for range in row {
        *range = range.clamp(f64::from(PREDICTION_MIN_M), f64::from(RANGE_MAX_M));
    }
}

#[cfg(test)]
mod tests;
