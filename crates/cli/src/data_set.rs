//! What is learnt from and graded on: one log, or the drives of collections.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sedge_datasets::{
    Collection, EpisodeEntry, Opened, RobotReading, Split, dataset_hash, open_any,
};
use sedge_world_model::{Episode, MotionModel, MotionNoise, ScanGeometry, fit_motion};

use crate::{OpenedLog, log_file};

/// Drives that a motion model is fitted to: each robot's wheels differ, their middle does not.
const FITTED_DRIVES: usize = 3;

/// What a path holds that can be learnt from.
pub enum DataSet {
    /// One drive of one robot.
    Log(Box<OpenedLog>),
    /// Many runs of many robots.
    Collected(CollectedDrives),
}

/// Opens a log or a folder of collected runs; says on standard error what is odd about it.
///
/// # Errors
/// When nothing of it can be read.
pub fn open_data_set(path: &Path) -> anyhow::Result<DataSet> {
    let about = || format!("cannot use {}", path.display());
    match open_any(path).with_context(about)? {
        Opened::Log(reading) => {
            let log = OpenedLog::of(path.to_owned(), reading);
            log_file::warn_about(&log);
            Ok(DataSet::Log(Box::new(log)))
        }
        Opened::Collections(collections) => Ok(DataSet::Collected(CollectedDrives::open(
            path,
            collections,
        )?)),
        Opened::Run(run) => bail!(
            "expected a log or a folder of collected runs, got one run of {} robots in {}",
            run.robots.len(),
            path.display()
        ),
    }
}

/// The drives of collections, read file by file.
pub struct CollectedDrives {
    /// The folder.
    pub path: PathBuf,
    /// The collections in it.
    pub collections: Vec<Collection>,
    /// Of all of them.
    pub hash: String,
    /// The scanner of the first robot; all are to have it.
    pub geometry: ScanGeometry,
    /// Robots a run, by collection.
    n_robots: Vec<usize>,
    /// Scans a drive, by its first one.
    pub n_scans: usize,
}

/// A file and which of its robots are wanted.
struct Share<'a> {
    collection: &'a Collection,
    entry: &'a EpisodeEntry,
    n_wanted: usize,
    first: usize,
}

impl CollectedDrives {
    fn open(path: &Path, collections: Vec<Collection>) -> anyhow::Result<Self> {
        let mut n_robots = Vec::new();
        let mut scanner = None;
        for collection in &collections {
            let folder = collection.folder.display();
            if collection.file.dataset_hash.is_none() {
                tracing::warn!("{folder}: not whole: `sedge collect` goes on with it");
            }
            let entry = collection.entries(None).next();
            let entry = entry.with_context(|| format!("{folder}: expected episodes, got none"))?;
            let reading = collection.read(entry)?;
            n_robots.push(reading.robots.len());
            let first = reading.robots.first();
            scanner = scanner.or(first.map(|it| (it.episode.geometry, it.episode.scans.len())));
        }
        let (geometry, n_scans) = scanner.context("expected a collection with scans, got none")?;
        Ok(Self {
            path: path.to_owned(),
            hash: dataset_hash(&collections),
            collections,
            geometry,
            n_robots,
            n_scans,
        })
    }

    /// How many drives there are for this.
    pub fn count(&self, split: Split) -> usize {
        let each = self.collections.iter().zip(&self.n_robots);
        each.map(|(collection, n)| collection.entries(Some(split)).count() * n)
            .sum()
    }

    /// Shows drives one after the other, at most `drives_max`, spread evenly over the runs and
    /// robots; how many there were. A file that breaks is said on standard error, and what came
    /// before the break counts.
    ///
    /// # Errors
    /// When there is no drive for this, a file cannot be read at all, or `visit` fails.
    pub fn visit(
        &self,
        split: Split,
        drives_max: usize,
        visit: &mut dyn FnMut(Episode) -> anyhow::Result<()>,
    ) -> anyhow::Result<usize> {
        let shares = self.shares(split, drives_max);
        let mut n_shown = 0;
        for share in &shares {
            let reading = share.collection.read(share.entry)?;
            if let Some(defect) = &reading.defect {
                tracing::warn!("{defect}; going on with what came before");
            }
            for robot in chosen(reading.robots, share) {
                if robot.episode.geometry != self.geometry {
                    bail!(
                        "{}: expected every robot to have the scanner {:?}, got {:?}",
                        robot.episode.name,
                        self.geometry,
                        robot.episode.geometry
                    );
                }
                visit(robot.episode)?;
                n_shown += 1;
            }
        }
        if n_shown == 0 {
            bail!(
                "{}: expected episodes for {split}, whose seeds end in {}, got none",
                self.path.display(),
                digits(split)
            );
        }
        Ok(n_shown)
    }

    /// Which files to read, and how many robots of each.
    fn shares(&self, split: Split, drives_max: usize) -> Vec<Share<'_>> {
        let total = self.count(split);
        let wanted = drives_max.min(total);
        let quota = |n_before: usize| (n_before * wanted).checked_div(total).unwrap_or(0);
        let mut shares = Vec::new();
        let mut n_before = 0;
        for (collection, n_robots) in self.collections.iter().zip(&self.n_robots) {
            for (file_idx, entry) in collection.entries(Some(split)).enumerate() {
                let n_wanted = quota(n_before + n_robots) - quota(n_before);
                n_before += n_robots;
                if n_wanted > 0 {
                    // Another robot of each run, or one start place would teach alone.
                    let first = file_idx * n_wanted;
                    shares.push(Share {
                        collection,
                        entry,
                        n_wanted,
                        first,
                    });
                }
            }
        }
        shares
    }

    /// The middle of what suits a few drives, number by number.
    ///
    /// # Errors
    /// When there is no drive to learn from.
    pub fn fit_motion(&self) -> anyhow::Result<(MotionModel, MotionNoise)> {
        let mut fits = Vec::new();
        self.visit(Split::Train, FITTED_DRIVES, &mut |episode| {
            fits.push(fit_motion(&episode).belief);
            Ok(())
        })?;
        let middle = |of: &dyn Fn(&MotionModel, &MotionNoise) -> f64| {
            let mut values: Vec<f64> = fits.iter().map(|fit| of(&fit.model, &fit.noise)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        let mut model = MotionModel::default();
        for (row, column) in (0..3).flat_map(|row| (0..3).map(move |column| (row, column))) {
            model.calibration.matrix[row][column] =
                middle(&|model, _| model.calibration.matrix[row][column]);
        }
        model.latency_secs = middle(&|model, _| model.latency_secs);
        model.smoothing_secs = middle(&|model, _| model.smoothing_secs);
        let axis = |axis: usize| middle(&|_, noise| noise.variance_per_sec[axis]);
        let noise = MotionNoise {
            variance_per_sec: [axis(0), axis(1), axis(2)],
        };
        Ok((model, noise))
    }
}

fn chosen(robots: Vec<RobotReading>, share: &Share<'_>) -> impl Iterator<Item = RobotReading> {
    let n = robots.len();
    let wanted: Vec<usize> = (0..share.n_wanted.min(n))
        .map(|idx| (share.first + idx) % n)
        .collect();
    let all = robots.into_iter().enumerate();
    all.filter(move |(idx, _)| wanted.contains(idx))
        .map(|(_, robot)| robot)
}

fn digits(split: Split) -> &'static str {
    match split {
        Split::Train => "0 to 6",
        Split::Validation => "7",
        Split::Test => "8 or 9",
    }
}
