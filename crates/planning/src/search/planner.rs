//! Every planner that searches, as a [`Planner`].

use sedge_spacetime::Stamp;
use sedge_world_model::{Action, WorldModel};

use super::Searching;
use crate::{Imagined, Plan, PlanError, PlanRequest, Planner};

impl<S: Searching> Planner for S {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn plan(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError> {
        let (search, refine) = self.parts();
        search.plan(model, request, has_time, refine)
    }

    fn look_ahead(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
    ) -> Result<(), PlanError> {
        self.parts().0.look_ahead(model, request)
    }

    fn replan(
        &mut self,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError> {
        let (search, refine) = self.parts();
        search.replan(request, has_time, refine)
    }

    fn resume(&mut self, start: Stamp, actions: &[Action]) {
        self.parts().0.resume(start, actions);
    }

    fn imagined(&self) -> Option<Imagined<'_>> {
        self.search().imagined()
    }

    fn adopt(&mut self, imagined: &Imagined<'_>) -> bool {
        self.parts().0.adopt(imagined)
    }

    fn forget(&mut self) {
        self.parts().0.forget();
    }
}
