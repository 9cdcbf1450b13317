//! The agent's model, and the baselines that it is graded beside.

use std::time::Duration;

use sedge_world_model::{
    ActionSequence, Belief, ImagineError, ObserveError, Prediction, Reused, SensorEvent, WorldModel,
};

use crate::grader::Method;
use crate::{AgentError, MethodRole, ModelFactory};

/// Events that baselines may be behind the model; they catch up after each scan.
const BEHIND_MAX: usize = 4_096;

pub(super) struct Minds {
    make_model: ModelFactory,
    make_baselines: Vec<ModelFactory>,
    model: Box<dyn WorldModel>,
    baselines: Vec<Box<dyn WorldModel>>,
    behind: Vec<SensorEvent>,
}

impl Minds {
    pub(super) fn new(
        make_model: ModelFactory,
        make_baselines: Vec<ModelFactory>,
    ) -> Result<Self, AgentError> {
        let model = make_model().map_err(AgentError::Model)?;
        let baselines = make_all(&make_baselines)?;
        Ok(Self {
            make_model,
            make_baselines,
            model,
            baselines,
            behind: Vec::new(),
        })
    }

    /// Forgets everything. On an error the old belief stays, which the caller must not use.
    pub(super) fn restart(&mut self) -> Result<(), AgentError> {
        self.behind.clear();
        self.model = (self.make_model)().map_err(AgentError::Model)?;
        self.baselines = make_all(&self.make_baselines)?;
        Ok(())
    }

    /// The model itself, for a planner: what it imagines leaves no trace.
    pub(super) fn model(&mut self) -> &mut dyn WorldModel {
        self.model.as_mut()
    }

    pub(super) fn model_name(&self) -> &str {
        self.model.name()
    }

    /// The rows of the report: the model's read-outs, persistence, the other baselines.
    pub(super) fn methods(&self) -> Vec<Method> {
        let method = |name: String, role| Method { name, role };
        let read_out = |read_out: &str| {
            method(
                format!("{} {read_out}", self.model.name()),
                MethodRole::Model,
            )
        };
        let persistence = method("persistence".into(), MethodRole::Persistence);
        let baselines = self
            .baselines
            .iter()
            .map(|baseline| method(baseline.name().to_owned(), MethodRole::Baseline));
        let read_outs = ["mean", "least_error", "mode"].into_iter().map(read_out);
        read_outs.chain([persistence]).chain(baselines).collect()
    }

    pub(super) fn observe(&mut self, event: SensorEvent) -> Result<(), ObserveError> {
        self.model.observe(&event)?;
        if !self.baselines.is_empty() && self.behind.len() < BEHIND_MAX {
            self.behind.push(event);
        }
        Ok(())
    }

    pub(super) fn belief(&self) -> Option<Belief> {
        self.model.belief()
    }

    pub(super) fn imagine(
        &mut self,
        plan: &ActionSequence,
        horizons: &[Duration],
    ) -> Result<Reused<Prediction>, ImagineError> {
        let mut futures = self.model.imagine(std::slice::from_ref(plan), horizons)?;
        let first = futures.drain(..).next();
        Ok(first.map(|it| it.predictions).unwrap_or_default())
    }

    /// Lets the baselines see what the model has seen; how many events they refused.
    pub(super) fn catch_up(&mut self) -> u64 {
        let mut n_refused = 0;
        for event in self.behind.drain(..) {
            for baseline in &mut self.baselines {
                n_refused += u64::from(baseline.observe(&event).is_err());
            }
        }
        n_refused
    }

    /// What each baseline expects at each horizon, or nothing where it cannot. `[baseline]`
    pub(super) fn imagine_baselines(
        &mut self,
        plan: &ActionSequence,
        horizons: &[Duration],
    ) -> Reused<Reused<Prediction>> {
        let imagine = |baseline: &mut Box<dyn WorldModel>| {
            let futures = baseline.imagine(std::slice::from_ref(plan), horizons);
            let first = futures
                .ok()
                .and_then(|mut futures| futures.drain(..).next());
            first.map(|futures| futures.predictions).unwrap_or_default()
        };
        self.baselines.iter_mut().map(imagine).collect()
    }
}

fn make_all(factories: &[ModelFactory]) -> Result<Vec<Box<dyn WorldModel>>, AgentError> {
    factories
        .iter()
        .map(|make| make().map_err(AgentError::Model))
        .collect()
}
