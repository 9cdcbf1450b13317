//! What computes a network.

use sedge_world_model::{Precision, PrecisionError, PredictedScan, RangeReadout, Reused};

use crate::structure::{MOTION_INPUTS, MOTION_OUTPUTS};
use crate::{CompanyRow, DecoderRows};

/// One scan and what is known beside it.
#[derive(Debug, Clone, Copy)]
pub struct SensedStep<'a> {
    /// What [`encoder_scan`](crate::encoder_scan) makes of a scan. `[ENCODER_CHANNELS, bin]`
    pub scan: &'a [f32],
    /// The movement since the scan before.
    pub motion: [f32; MOTION_INPUTS],
    /// How long that took, in seconds.
    pub dt_secs: f32,
    /// Who else is there, and the inertial unit.
    pub company: &'a CompanyRow,
}

/// Futures to look at, in one batch.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FutureRows {
    /// How many.
    pub n: usize,
    /// Beams of the scanner.
    pub n_beams: usize,
    /// What the decoder sees.
    pub views: DecoderRows,
    /// The whole movement of each. `[future]`
    pub motions: Vec<[f32; MOTION_INPUTS]>,
    /// One of [`IMAGINE_STEPS`](crate::structure::IMAGINE_STEPS) equal parts of it. `[future]`
    pub part_motions: Vec<[f32; MOTION_INPUTS]>,
    /// How long such a part takes, in seconds. `[future]`
    pub part_secs: Vec<f32>,
    /// The only range to be read out, or `None` for all.
    pub read_out: Option<RangeReadout>,
}

impl FutureRows {
    /// Without a future, its memory kept.
    pub(crate) fn clear(&mut self) {
        self.n = 0;
        self.views.clear();
        self.motions.clear();
        self.part_motions.clear();
        self.part_secs.clear();
    }
}

/// What a network says of one future.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreseen {
    /// What the scanner will see.
    pub scan: PredictedScan,
    /// For [`corrected_motion`](crate::corrected_motion).
    pub motion_head: [f32; MOTION_OUTPUTS],
}

/// The arithmetic of a network: its weights and its recurrent state.
///
/// An engine may be told only of steps and futures that [`TrainedModel`](crate::TrainedModel) made;
/// lengths that do not fit the weights are a bug of the caller's and may panic.
pub trait Engine {
    /// Predicts the recurrent state to a step, and corrects it with what was sensed there.
    fn filter(&mut self, step: &SensedStep<'_>);

    /// The recurrent state as heads see it. `[deter + groups * classes]`
    fn feature(&self) -> Reused<f32>;

    /// What each future looks like. Leaves no trace in the recurrent state.
    fn foresee(&mut self, futures: &FutureRows) -> Reused<Foreseen>;

    /// As [`WorldModel::imagine_in`](sedge_world_model::WorldModel::imagine_in): an engine with
    /// weights in one precision alone refuses.
    ///
    /// # Errors
    /// [`PrecisionError`] where it has no weights for it.
    fn imagine_in(&mut self, precision: Precision) -> Result<Precision, PrecisionError> {
        Err(PrecisionError { precision })
    }
}
