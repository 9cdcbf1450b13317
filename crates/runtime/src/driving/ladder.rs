//! The ways in which a driving agent can plan, from the best to the cheapest.

use std::time::Duration;

use sedge_latency::{Effort, LadderController, LadderReport, N_RUNGS_MAX, RungSpec, Stage};
use sedge_planning::{Plan, PlanError, PlanRequest, Planner, PlannerConfig};
use sedge_spacetime::Stamp;
use sedge_world_model::{Action, Precision, Reused, WorldModel};
use serde::{Deserialize, Serialize};

use crate::{DrivingConfig, DrivingError};

/// Rungs that can be held in turn: more than any pattern needs.
const N_HELD_MAX: usize = 64;

/// What is done on a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RungAction {
    /// A plan is searched for.
    #[default]
    Search,
    /// The plan before is kept, as long as it lasts and the safety filter lets it.
    LastPlan,
    /// The robot brakes.
    Stop,
}

/// One rung of the degradation ladder: what is searched for otherwise than `driving.planner` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RungConfig {
    /// Its name, in lower-case letters, digits and `-`. No default.
    pub name: Stage,
    /// How well it drives, as a share of how the first rung does, in `[0, 1]`, and no better than
    /// the rung above. It changes nothing but what is reported as lost. No default: it is a
    /// measurement, or an estimate, of one robot with one model.
    pub skill: f64,
    /// What is done. Default `search`.
    #[serde(default)]
    pub action: RungAction,
    /// Motions tried in an iteration. Default that of `driving.planner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_samples: Option<usize>,
    /// Iterations at most. Default that of `driving.planner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_iterations_max: Option<usize>,
    /// Steps of a plan: how far ahead it looks. Default that of `driving.planner`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_steps: Option<usize>,
    /// Plans that the model imagines. Default `driving.planner.field.n_nominal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_nominal: Option<usize>,
    /// The numbers that the model imagines these plans in, `f32` or `int8`. What is believed and
    /// what is published as prediction does not change with it. Default those that the model was
    /// started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Precision>,
}

impl RungConfig {
    /// The planner of this rung; what must not exceed a number that is smaller here follows it.
    fn planner(&self, full: &PlannerConfig) -> PlannerConfig {
        let mut planner = *full;
        planner.n_samples = self.n_samples.unwrap_or(full.n_samples);
        planner.n_iterations_max = self.n_iterations_max.unwrap_or(full.n_iterations_max);
        planner.n_steps = self.n_steps.unwrap_or(full.n_steps);
        planner.field.n_nominal = self.n_nominal.unwrap_or(full.field.n_nominal);
        planner.n_knots = planner.n_knots.min(planner.n_steps);
        planner.n_fan_max = planner.n_fan_max.min(planner.n_samples);
        planner
    }

    fn is_full(&self, full: &PlannerConfig) -> bool {
        self.searches() && self.precision.is_none() && self.planner(full) == *full
    }

    fn searches(&self) -> bool {
        self.action == RungAction::Search
    }
}

/// Refuses a ladder that is none: the first rung is the planner itself, those that search come
/// first, names differ, and skills fall.
pub(super) fn check(driving: &DrivingConfig) -> Result<(), DrivingError> {
    held_rungs(driving)?;
    check_rungs(&driving.ladder, &driving.planner)
}

/// Refuses a ladder with a rung whose numbers this model cannot imagine in.
pub(super) fn check_model(
    rungs: &[RungConfig],
    model: &mut dyn WorldModel,
) -> Result<(), DrivingError> {
    for rung in rungs {
        let Some(precision) = rung.precision else {
            continue;
        };
        let changed = model.imagine_in(precision);
        if changed.and_then(|before| model.imagine_in(before)).is_err() {
            return Err(DrivingError::Precision {
                name: rung.name.clone(),
                precision,
                model: model.name().to_owned(),
            });
        }
    }
    Ok(())
}

/// The same of the rungs alone.
fn check_rungs(rungs: &[RungConfig], full: &PlannerConfig) -> Result<(), DrivingError> {
    let refuse = |rung: &RungConfig, expected: &'static str| {
        let name = rung.name.clone();
        Err(DrivingError::Rung { name, expected })
    };
    if let Some(rung) = rungs.get(N_RUNGS_MAX) {
        return refuse(rung, "to be one of the first 16");
    }
    for (idx, rung) in rungs.iter().enumerate() {
        let before = idx.checked_sub(1).map(|idx| &rungs[idx]);
        if before.is_none() && !rung.is_full(full) {
            return refuse(rung, "to be first and to search as driving.planner says");
        }
        let best = before.map_or(1.0, |it| it.skill);
        if !(0.0..=best).contains(&rung.skill) {
            return refuse(
                rung,
                "to have a skill in [0, 1], no better than the one above",
            );
        }
        if before.is_some_and(|it| !it.searches()) && rung.searches() {
            return refuse(rung, "to come before those that do not search");
        }
        if rung.precision.is_some() && !rung.searches() {
            return refuse(
                rung,
                "to search, as it says in what precision, or to say none",
            );
        }
        if rungs[..idx].iter().any(|other| other.name == rung.name) {
            return refuse(rung, "to have a name of its own");
        }
        rung.planner(full).check()?;
    }
    Ok(())
}

/// The rungs that are held in turn, by their places in the ladder.
fn held_rungs(driving: &DrivingConfig) -> Result<Vec<usize>, DrivingError> {
    let place = |name: &Stage| {
        let found = driving.ladder.iter().position(|rung| rung.name == *name);
        found.ok_or_else(|| DrivingError::Rung {
            name: name.clone(),
            expected: "to be declared before it is held",
        })
    };
    let held = &driving.ladder_held;
    if let Some(name) = held.get(N_HELD_MAX) {
        return Err(DrivingError::Rung {
            name: name.clone(),
            expected: "to be one of the first 64 that are held",
        });
    }
    held.iter().map(place).collect()
}

/// The planner, keeping off what the safety filter would stop it before: otherwise it would find
/// the same plan again and again, and the filter would stop it each time.
fn within_safety(driving: &DrivingConfig) -> PlannerConfig {
    let mut planner = driving.planner;
    planner.field.keep_off_m = planner.field.keep_off_m.max(driving.safety.margin_m);
    planner
}

/// One rung: what it does, and what with.
struct Way {
    action: RungAction,
    planner: Box<dyn Planner + Send>,
    /// Other numbers than the model's own for what this planner has it imagine.
    precision: Option<Precision>,
}

/// The planner of each rung, and who picks the rung.
pub(super) struct Ladder {
    controller: LadderController,
    rungs: Vec<Way>,
    /// What was said of it last, for its memory; none where no rungs were declared.
    told: Option<LadderReport>,
    /// The rungs that are held in turn, if any are, and how many were.
    held: (Vec<usize>, usize),
    /// The rung whose planner had the model imagine last.
    looked: Option<usize>,
    /// The rung that was said last to be in force.
    said: Option<usize>,
    /// The rung that searched last, and what it found: when it begins and what it does.
    last: Option<(usize, Stamp, Reused<Action>)>,
}

impl Ladder {
    /// Without rungs it is one planner and nothing else.
    pub(super) fn new(driving: &DrivingConfig, seed: u64) -> Result<Self, DrivingError> {
        let (rungs, full) = (driving.ladder.as_slice(), &within_safety(driving));
        let patience = driving.ladder_patience;
        check(driving)?;
        let spec = |rung: &RungConfig| RungSpec {
            name: rung.name.clone(),
            skill: rung.skill,
            effort: match rung.action {
                RungAction::Search => Effort::Measured,
                RungAction::LastPlan | RungAction::Stop => Effort::Free,
            },
        };
        let way = |rung: &RungConfig| {
            Ok(Way {
                action: rung.action,
                planner: rung.planner(full).build(seed)?,
                precision: rung.precision,
            })
        };
        let mut ways = rungs
            .iter()
            .map(way)
            .collect::<Result<Vec<_>, DrivingError>>()?;
        if rungs.is_empty() {
            ways.push(Way {
                action: RungAction::Search,
                planner: full.build(seed)?,
                precision: None,
            });
        }
        let controller = LadderController::new(rungs.iter().map(spec).collect(), patience);
        Ok(Self {
            told: (!rungs.is_empty()).then(|| controller.report()),
            controller,
            rungs: ways,
            held: (held_rungs(driving)?, 0),
            looked: None,
            said: None,
            last: None,
        })
    }

    /// Picks the rung for a plan that may take as long as `allowed`; what is done there.
    pub(super) fn pick(&mut self, allowed: Option<Duration>) -> RungAction {
        let (turns, n_held) = &mut self.held;
        let picked = match turns.len() {
            0 => self.controller.pick(allowed),
            n_turns => {
                let rung = turns[*n_held];
                *n_held = (*n_held + 1) % n_turns;
                self.controller.hold(rung)
            }
        };
        self.rungs[picked].action
    }

    /// Whether the rung in force searches, so that imagining for it is no waste.
    pub(super) fn searches(&self) -> bool {
        self.rungs[self.controller.rung()].action == RungAction::Search
    }

    /// Searches as the picked rung does, and goes on from what was searched for last, whichever
    /// rung that was.
    pub(super) fn search(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError> {
        self.imagining(model, |planner, model| {
            planner.plan(model, request, has_time)
        })
    }

    /// As [`Ladder::search`], in what was imagined last, whichever rung that was for.
    pub(super) fn replan(
        &mut self,
        request: &PlanRequest<'_>,
        has_time: &mut dyn FnMut() -> bool,
    ) -> Result<Plan, PlanError> {
        let rung_idx = self.controller.rung();
        if let Some(other) = self.looked.filter(|it| *it != rung_idx)
            && let Ok([other, mine]) = self.rungs.get_disjoint_mut([other, rung_idx])
        {
            let imagined = other.planner.imagined();
            if imagined.is_some_and(|it| mine.planner.adopt(&it)) {
                self.looked = Some(rung_idx);
            }
        }
        self.planner().replan(request, has_time)
    }

    /// Has the model imagine what the picked rung's planner searches in next.
    pub(super) fn look_ahead(
        &mut self,
        model: &mut dyn WorldModel,
        request: &PlanRequest<'_>,
    ) -> Result<(), PlanError> {
        self.imagining(model, |planner, model| planner.look_ahead(model, request))
    }

    /// Has the picked rung's planner do something for which the model imagines in the numbers of
    /// that rung; afterwards it imagines in those before, so that nothing but plans depends on the
    /// rung.
    fn imagining<T>(
        &mut self,
        model: &mut dyn WorldModel,
        work: impl FnOnce(&mut dyn Planner, &mut dyn WorldModel) -> T,
    ) -> T {
        let rung_idx = self.controller.rung();
        self.looked = Some(rung_idx);
        // None refuses that did not refuse at the start: a restart makes the same model again.
        let precision = self.rungs[rung_idx].precision;
        let before = precision.and_then(|it| model.imagine_in(it).ok());
        let done = work(self.planner(), model);
        if let Some(before) = before {
            let back = model.imagine_in(before);
            debug_assert!(back.is_ok(), "it imagined in {before} before");
        }
        done
    }

    /// The picked rung's planner, going on from what was searched for last.
    fn planner(&mut self) -> &mut dyn Planner {
        let rung_idx = self.controller.rung();
        let planner = &mut self.rungs[rung_idx].planner;
        if let Some((_, start, actions)) = self.last.as_ref().filter(|it| it.0 != rung_idx) {
            planner.resume(*start, actions);
        }
        planner.as_mut()
    }

    /// Takes in what the picked rung took, and what it found if it searched.
    pub(super) fn observe(&mut self, cost: Duration, found: Option<&Plan>) {
        self.controller.observe(cost);
        if let Some(plan) = found.filter(|_| self.told.is_some()) {
            let actions = plan.actions.actions.clone();
            self.last = Some((self.controller.rung(), plan.start, actions));
        }
    }

    /// A budget was missed that says to go down a rung.
    pub(super) fn miss(&mut self) {
        self.controller.miss();
    }

    /// Another mission, or a belief that began anew.
    pub(super) fn forget(&mut self) {
        self.last = None;
        self.looked = None;
        for way in &mut self.rungs {
            way.planner.forget();
        }
    }

    /// Whether another rung was picked since this was asked last.
    pub(super) fn has_moved(&mut self) -> bool {
        let picked = self.controller.rung();
        self.said.replace(picked) != Some(picked)
    }

    /// What became of the ladder, where one was declared; it is lent, so that no memory is taken.
    pub(super) fn tell(&mut self) -> Option<&LadderReport> {
        let told = self.told.as_mut()?;
        self.controller.write_report(told);
        Some(told)
    }

    /// The same, to be kept.
    pub(super) fn report(&self) -> Option<LadderReport> {
        self.told.as_ref().map(|_| self.controller.report())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rung(name: &str, skill: f64) -> RungConfig {
        RungConfig {
            name: Stage::new(name).unwrap(),
            skill,
            action: RungAction::Search,
            n_samples: None,
            n_iterations_max: None,
            n_steps: None,
            n_nominal: None,
            precision: None,
        }
    }

    fn free(name: &str, skill: f64, action: RungAction) -> RungConfig {
        RungConfig {
            action,
            ..rung(name, skill)
        }
    }

    fn refusal(rungs: &[RungConfig]) -> String {
        let error = check_rungs(rungs, &PlannerConfig::default()).unwrap_err();
        error.to_string()
    }

    #[test]
    fn a_ladder_begins_with_the_planner_itself_and_falls() {
        let few = |skill| RungConfig {
            n_samples: Some(8),
            n_steps: Some(4),
            ..rung("few", skill)
        };
        let good = [
            rung("full", 1.0),
            few(0.8),
            free("keep", 0.3, RungAction::LastPlan),
            free("stop", 0.0, RungAction::Stop),
        ];
        check_rungs(&good, &PlannerConfig::default()).unwrap();
        let ways = |ladder: &mut Ladder, n: usize| {
            for _ in 1..n {
                ladder.miss();
                ladder.pick(None);
            }
            ladder.miss();
            ladder.pick(None) == RungAction::Search
        };
        let driving = DrivingConfig {
            ladder: good.to_vec(),
            ..DrivingConfig::default()
        };
        let mut ladder = Ladder::new(&driving, 1).unwrap();
        assert!(ways(&mut ladder, 1), "the second rung searches");
        assert!(!ways(&mut ladder, 1), "the third does not");
        assert_eq!(ladder.report().unwrap().rung, 2);
        assert!(
            refusal(&[few(0.8)]).contains("few"),
            "the first is the full one"
        );
        assert!(refusal(&[rung("full", 1.1)]).contains("skill"));
        assert!(refusal(&[rung("full", 0.5), few(0.6)]).contains("no better"));
        assert!(refusal(&[rung("few", 1.0), few(0.6)]).contains("name of its own"));
        let narrow = RungConfig {
            precision: Some(Precision::Int8),
            ..rung("narrow", 0.9)
        };
        check_rungs(
            &[rung("full", 1.0), narrow.clone()],
            &PlannerConfig::default(),
        )
        .unwrap();
        // Not even in the numbers that a model may have been started in.
        for precision in [Precision::F32, Precision::Int8] {
            let first = RungConfig {
                precision: Some(precision),
                ..rung("full", 1.0)
            };
            let text = refusal(&[first]);
            assert!(text.contains("full of the ladder to be first"), "{text}");
        }
        let stop = RungConfig {
            action: RungAction::Stop,
            ..narrow
        };
        assert!(refusal(&[rung("full", 1.0), stop]).contains("to search"));
        let swapped = [good[0].clone(), good[2].clone(), few(0.2)];
        assert!(refusal(&swapped).contains("before those"));
        let long = RungConfig {
            n_steps: Some(150),
            ..rung("long", 0.5)
        };
        let text = refusal(&[rung("full", 1.0), long]);
        assert!(text.contains("half_size_m"), "{text}");
        let many: Vec<_> = (0..17).map(|idx| rung(&format!("r{idx}"), 1.0)).collect();
        assert!(refusal(&many).contains("r16"));
    }

    #[test]
    fn without_rungs_there_is_one_planner_and_no_report() {
        let mut ladder = Ladder::new(&DrivingConfig::default(), 1).unwrap();
        ladder.miss();
        assert_eq!(ladder.pick(Some(Duration::ZERO)), RungAction::Search);
        ladder.observe(Duration::from_secs(1), None);
        assert_eq!(ladder.pick(Some(Duration::ZERO)), RungAction::Search);
        assert_eq!(ladder.report(), None);
    }

    #[test]
    fn rungs_that_are_held_take_turns_whatever_they_cost() {
        let names = |names: &[&str]| names.iter().map(|name| Stage::new(name).unwrap()).collect();
        let mut driving = DrivingConfig {
            ladder: vec![rung("full", 1.0), free("keep", 0.3, RungAction::LastPlan)],
            ladder_held: names(&["full", "keep", "keep"]),
            ..DrivingConfig::default()
        };
        let mut ladder = Ladder::new(&driving, 1).unwrap();
        let picked: Vec<bool> = (0..7)
            .map(|_| {
                ladder.miss();
                let searches = ladder.pick(Some(Duration::ZERO)) == RungAction::Search;
                assert_eq!(ladder.searches(), searches);
                ladder.observe(Duration::from_secs(1), None);
                searches
            })
            .collect();
        assert_eq!(picked, [true, false, false, true, false, false, true]);
        let report = ladder.report().unwrap();
        assert_eq!((report.rungs[0].n, report.rungs[1].n), (3, 4));
        assert_eq!(report.n_changes, 4);
        driving.ladder_held = names(&["full", "flat"]);
        let text = Ladder::new(&driving, 1).err().unwrap().to_string();
        assert!(text.contains("flat of the ladder to be declared"), "{text}");
        driving.ladder_held = vec![Stage::new("full").unwrap(); 65];
        assert!(Ladder::new(&driving, 1).is_err());
    }

    #[test]
    fn whoever_plans_keeps_off_what_the_filter_keeps_off() {
        let mut driving = DrivingConfig::default();
        let kept_m = |driving: &DrivingConfig| within_safety(driving).field.keep_off_m;
        let margin_m = driving.safety.margin_m;
        assert!((kept_m(&driving) - margin_m).abs() < 1e-12);
        driving.safety.margin_m = 0.3;
        assert!((kept_m(&driving) - 0.3).abs() < 1e-12);
        driving.planner.field.keep_off_m = 0.4;
        assert!((kept_m(&driving) - 0.4).abs() < 1e-12);
        driving.safety.margin_m = f64::NAN;
        assert!((kept_m(&driving) - 0.4).abs() < 1e-12);
    }

    #[test]
    fn a_change_of_rung_is_news_once() {
        let driving = DrivingConfig {
            ladder: vec![rung("full", 1.0), free("keep", 0.3, RungAction::LastPlan)],
            ..DrivingConfig::default()
        };
        let mut ladder = Ladder::new(&driving, 1).unwrap();
        ladder.pick(None);
        assert!(ladder.has_moved());
        assert_eq!(ladder.tell().unwrap().rung, 0);
        ladder.pick(None);
        assert!(!ladder.has_moved());
        ladder.miss();
        ladder.pick(None);
        assert!(ladder.has_moved());
        assert_eq!(ladder.tell().cloned(), ladder.report());
        assert_eq!(ladder.tell().unwrap().rung, 1);
        let mut alone = Ladder::new(&DrivingConfig::default(), 1).unwrap();
        alone.pick(None);
        assert_eq!(alone.tell(), None, "no ladder, no news");
    }

    #[test]
    fn rungs_are_read_from_a_launch_file_and_unknown_keys_refused() {
        let text = r#"{"name": "few", "skill": 0.8, "n_samples": 64}"#;
        let read: RungConfig = serde_json::from_str(text).unwrap();
        let expected = RungConfig {
            n_samples: Some(64),
            ..rung("few", 0.8)
        };
        assert_eq!(read, expected);
        for bad in [
            r#"{"name": "few"}"#,
            r#"{"name": "few", "skill": 1, "n": 1}"#,
        ] {
            assert!(serde_json::from_str::<RungConfig>(bad).is_err(), "{bad}");
        }
    }
}
