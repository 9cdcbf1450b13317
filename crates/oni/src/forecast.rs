//! `model.prediction`.

use std::borrow::Cow;
use std::time::Duration;

use sedge_spacetime::{Covariance2, Pose2};

use crate::command::{duration, nanos};
use crate::typed::{
    covariance_from_rows, covariance_to_rows, pose_from_row, pose_to_row, scalar, values,
};
use crate::{InvalidMessage, Message, MessageBuilder, TensorError, TypedMessage};

/// What a model expects at one horizon.
///
/// # Shapes
/// Every read-out is `[beam]`, ranges in metres.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanForecast<'a> {
    /// How far ahead of the capture stamp.
    pub horizon: Duration,
    /// `now_from_then`: where the scanner will be, seen from where it is at the capture stamp.
    pub motion: Pose2,
    /// Uncertainty of `motion`, in the frame of the scanner then.
    pub covariance: Covariance2,
    /// Expected range: least squared error.
    pub mean_m: Cow<'a, [f32]>,
    /// Median range: least absolute error.
    pub least_error_m: Cow<'a, [f32]>,
    /// The most probable range.
    pub mode_m: Cow<'a, [f32]>,
    /// 5 % quantile of the range.
    pub low_m: Cow<'a, [f32]>,
    /// 95 % quantile of the range.
    pub high_m: Cow<'a, [f32]>,
    /// Probability that the beam returns at all.
    pub hit_probability: Cow<'a, [f32]>,
}

impl ScanForecast<'_> {
    /// The `[beam]` tables under the names of their tensors.
    fn tables(&self) -> [(&'static str, &[f32]); 6] {
        [
            ("mean_m", &self.mean_m),
            ("least_error_m", &self.least_error_m),
            ("mode_m", &self.mode_m),
            ("low_m", &self.low_m),
            ("high_m", &self.high_m),
            ("hit_probability", &self.hit_probability),
        ]
    }
}

/// What a model expects after the capture stamp, given the commands that it knew.
#[derive(Debug, Clone, PartialEq)]
pub struct Forecast<'a> {
    /// Angle of beam 0, in radians, as in [`crate::Lidar`].
    pub first_angle_rad: f64,
    /// Angle from one beam to the next, in radians, positive.
    pub step_rad: f64,
    /// One entry per horizon, at least one, all with the same number of beams.
    pub horizons: Vec<ScanForecast<'a>>,
}

impl<'a> TypedMessage<'a> for Forecast<'a> {
    const NAME: &'static str = "model.prediction";

    fn write(&self, builder: MessageBuilder) -> Result<MessageBuilder, InvalidMessage> {
        let n_horizons = self.horizons.len();
        let n_beams = self.horizons.first().map_or(0, |first| first.mean_m.len());
        let each = || self.horizons.iter();
        let horizons = each().map(|at| nanos(at.horizon));
        let motion = each().flat_map(|at| pose_to_row(at.motion));
        let covariance = each().flat_map(|at| covariance_to_rows(&at.covariance));
        let mut builder = builder
            .tensor_of("horizons_nanos", &[n_horizons], horizons)?
            .tensor_of("motion", &[n_horizons, 3], motion)?
            .tensor_of("covariance", &[n_horizons, 3, 3], covariance)?
            .tensor("first_angle_rad", &[1], &[self.first_angle_rad])?
            .tensor("step_rad", &[1], &[self.step_rad])?;
        let n_tables = self
            .horizons
            .first()
            .map_or(0, |first| first.tables().len());
        for table_idx in 0..n_tables {
            let mut name = "";
            for at in &self.horizons {
                let (table_name, row) = at.tables()[table_idx];
                name = table_name;
                check_row(name, row, n_beams)?;
            }
            let table = each().flat_map(|at| at.tables()[table_idx].1.iter().copied());
            builder = builder.tensor_of(name, &[n_horizons, n_beams], table)?;
        }
        Ok(builder)
    }

    fn read(message: &'a Message<'_>) -> Result<Self, InvalidMessage> {
        let horizons = values::<i64>(message, "horizons_nanos")?;
        let motion = values::<f64>(message, "motion")?;
        let covariance = values::<f64>(message, "covariance")?;
        let tables = [
            values::<f32>(message, "mean_m")?,
            values::<f32>(message, "least_error_m")?,
            values::<f32>(message, "mode_m")?,
            values::<f32>(message, "low_m")?,
            values::<f32>(message, "high_m")?,
            values::<f32>(message, "hit_probability")?,
        ];
        let n_beams = tables[0].len() / horizons.len();
        let at = |(idx, nanos): (usize, &i64)| {
            let row = |table: &'a [f32]| Cow::Borrowed(&table[idx * n_beams..][..n_beams]);
            let [
                mean_m,
                least_error_m,
                mode_m,
                low_m,
                high_m,
                hit_probability,
            ] = tables.map(row);
            Ok(ScanForecast {
                horizon: duration(*nanos),
                motion: pose_from_row(&motion[idx * 3..]),
                covariance: covariance_from_rows("covariance", &covariance[idx * 9..][..9])?,
                mean_m,
                least_error_m,
                mode_m,
                low_m,
                high_m,
                hit_probability,
            })
        };
        Ok(Self {
            first_angle_rad: scalar(message, "first_angle_rad")?,
            step_rad: scalar(message, "step_rad")?,
            horizons: horizons
                .iter()
                .enumerate()
                .map(at)
                .collect::<Result<_, InvalidMessage>>()?,
        })
    }
}

/// Rows of different lengths could add up to the right table: each is checked on its own.
fn check_row(name: &str, row: &[f32], n_beams: usize) -> Result<(), TensorError> {
    if row.len() == n_beams {
        return Ok(());
    }
    let bytes = |values: usize| (values * size_of::<f32>()) as u64;
    let (expected, got) = (bytes(n_beams), bytes(row.len()));
    Err(TensorError::Length {
        name: name.to_string(),
        expected,
        got,
    })
}
