//! Rungs that imagine in other numbers.

use std::sync::Mutex;

use sedge_world_model::{
    ActionSequence, Futures, ImagineError, ObserveError, Precision, PrecisionError, RangeReadout,
    SensorEvent, WorldModel,
};

use super::*;
use crate::test_drive::{Bench, PERIOD_MILLIS, Robot, WallModel, goal, millis, name};
use crate::{AgentConfig, Imagining, ModelFactory, RungAction, RungConfig};

/// What was imagined, and in what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// What a plan is searched in.
    Plan(Precision),
    /// What is published.
    Prediction(Precision),
}

/// Imagines in either precision, and remembers in which it did.
struct Twofold {
    model: Box<dyn WorldModel>,
    precision: Precision,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl WorldModel for Twofold {
    fn name(&self) -> &str {
        self.model.name()
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        self.model.observe(event)
    }

    fn belief(&self) -> Option<Belief> {
        self.model.belief()
    }

    fn imagine(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        let asked = Asked::Prediction(self.precision);
        self.asked.lock().unwrap().push(asked);
        self.model.imagine(plans, horizons)
    }

    fn imagine_ranges(
        &mut self,
        plans: &[ActionSequence],
        horizons: &[Duration],
        _read_out: RangeReadout,
    ) -> Result<Reused<Futures>, ImagineError> {
        self.asked.lock().unwrap().push(Asked::Plan(self.precision));
        self.model.imagine(plans, horizons)
    }

    fn imagine_in(&mut self, precision: Precision) -> Result<Precision, PrecisionError> {
        Ok(std::mem::replace(&mut self.precision, precision))
    }
}

fn rung(name: &str, precision: Option<Precision>) -> RungConfig {
    RungConfig {
        name: Stage::new(name).unwrap(),
        skill: 1.0,
        action: RungAction::Search,
        n_samples: None,
        n_iterations_max: None,
        n_steps: None,
        n_nominal: None,
        precision,
    }
}

fn driving(imagining: Imagining) -> DrivingConfig {
    let held = ["full", "eight-bits", "eight-bits"];
    DrivingConfig {
        imagining,
        ladder: vec![
            rung("full", None),
            rung("eight-bits", Some(Precision::Int8)),
        ],
        ladder_held: held.map(|it| Stage::new(it).unwrap()).to_vec(),
        ..DrivingConfig::default()
    }
}

fn agent(
    bench: &Bench,
    model: ModelFactory,
    driving: DrivingConfig,
) -> Result<AgentNode, AgentError> {
    let mut config = AgentConfig::new(name("flock"), name("crane3"), 7);
    config.clock_domain = Some("log".into());
    let clock = Arc::clone(&bench.clock);
    AgentNode::new(config, clock, model, Vec::new())?.with_driving(driving, 1)
}

/// What is imagined in nine periods on rungs by turns.
fn asked(imagining: Imagining) -> Vec<Asked> {
    let (bench, asked) = (Bench::new(), Arc::new(Mutex::new(Vec::new())));
    let (wall, said) = (WallModel::factory("wall", 0.0), Arc::clone(&asked));
    let model: ModelFactory = Box::new(move || {
        Ok(Box::new(Twofold {
            model: wall()?,
            precision: Precision::F32,
            asked: Arc::clone(&said),
        }))
    });
    let node = agent(&bench, model, driving(imagining)).unwrap();
    let (subscriptions, publications) = (node.subscriptions(), node.publications());
    let mut agent = bench.bind(node, &subscriptions, &publications);
    agent.feed_encoded(&bench.clock, &[goal()]);
    let mut robot = Robot::new(1);
    for n_scans in 0..9 {
        let at = millis(n_scans * PERIOD_MILLIS);
        bench.clock.advance_to(at);
        let items = [robot.odometry(at), robot.scan(at)];
        agent.feed(&bench.clock, &items);
    }
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[test]
fn a_rung_imagines_plans_in_its_own_numbers_and_predictions_stay_as_they_are() {
    use Asked::{Plan, Prediction};
    use Precision::{F32, Int8};
    let turn = [F32, Int8, Int8].map(|it| [Plan(it), Prediction(F32)]);
    assert_eq!(asked(Imagining::First), turn.as_flattened().repeat(3));
    // The first plan waits; each later one is searched for in what its rung before imagined.
    let asked = asked(Imagining::Afterwards);
    let plans: Vec<_> = asked.iter().filter(|it| matches!(it, Plan(_))).collect();
    let n_narrow = plans.iter().filter(|it| ***it == Plan(Int8)).count();
    assert!(n_narrow >= 5 && n_narrow < plans.len(), "{asked:?}");
    assert!(!asked.contains(&Prediction(Int8)), "{asked:?}");
}

#[test]
fn a_rung_is_refused_at_the_start_where_the_model_cannot_imagine_in_its_numbers() {
    let bench = Bench::new();
    let wall = WallModel::factory("wall", 0.0);
    let refused = agent(&bench, wall, driving(Imagining::First))
        .err()
        .unwrap();
    let text = refused.to_string();
    for words in [
        "expected a model that can imagine in int8",
        "rung eight-bits",
        "got wall",
    ] {
        assert!(text.contains(words), "{text}");
    }
    let plain = DrivingConfig::default();
    assert!(agent(&bench, WallModel::factory("wall", 0.0), plain).is_ok());
}

#[test]
fn what_a_rung_imagines_in_is_written_by_its_usual_name() {
    let text = r#"{"ladder": [{"name": "full", "skill": 1.0},
        {"name": "eight-bits", "skill": 1.0, "precision": "int8"}]}"#;
    let driving: DrivingConfig = serde_json::from_str(text).unwrap();
    assert!(driving.asks_for(Precision::Int8) && !driving.asks_for(Precision::F32));
    let other = serde_json::from_str::<DrivingConfig>(&text.replace("int8", "int4"));
    assert!(other.unwrap_err().to_string().contains("int4"));
}
