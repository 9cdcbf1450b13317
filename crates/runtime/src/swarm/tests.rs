#![expect(clippy::float_cmp, reason = "standing still is exactly zero")]

use std::sync::Mutex;

use sedge_oni::{Health, Severity, TypedMessage as _};
use sedge_planning::{MotionLimits, PlannerConfig};
use sedge_spacetime::Pose2;
use sedge_world_model::{
    Belief, Futures, GeometricModel, ImagineError, MotionModel, MotionNoise, ObserveError, Reused,
    ScanGeometry, SensorEvent, WorldModel,
};

use super::toy_world::{N_BEAMS, STEP, ToyWorld, at};
use super::*;
use crate::{AgentConfig, DriveMode, DrivingConfig, ModelFactory, NoObserver};

mod between_scans;

fn geometry() -> ScanGeometry {
    let step_rad = std::f64::consts::TAU / N_BEAMS as f64;
    ScanGeometry {
        first_angle_rad: -std::f64::consts::PI,
        step_rad,
        n_beams: N_BEAMS,
    }
}

fn geometric() -> ModelFactory {
    let (motion, noise) = (MotionModel::default(), MotionNoise::ASSUMED);
    Box::new(move || {
        Ok(Box::new(GeometricModel::with_movers(
            geometry(),
            motion,
            noise,
        )))
    })
}

/// Little enough for a debug build.
fn driving() -> DrivingConfig {
    let limits = MotionLimits {
        speed_mps_max: 0.8,
        ..MotionLimits::default()
    };
    let mut driving = DrivingConfig {
        planner: PlannerConfig {
            n_samples: 32,
            n_iterations_max: 2,
            limits,
            ..PlannerConfig::default()
        },
        ..DrivingConfig::default()
    };
    driving.safety.limits = limits;
    driving
}

fn member_with(
    number: usize,
    model: impl FnOnce() -> ModelFactory + Send + 'static,
) -> SwarmMember {
    member_on("simulation", number, model)
}

fn member_on(
    domain: &'static str,
    number: usize,
    model: impl FnOnce() -> ModelFactory + Send + 'static,
) -> SwarmMember {
    member_driving(driving(), (domain, number), model)
}

fn member_driving(
    driving: DrivingConfig,
    (domain, number): (&'static str, usize),
    model: impl FnOnce() -> ModelFactory + Send + 'static,
) -> SwarmMember {
    let name = AgentName::new(format!("crane{number}")).unwrap();
    let robot = name.clone();
    let make = move |clocks: &SwarmClocks| {
        let mut config = AgentConfig::new(AgentName::new("flock").unwrap(), robot, 1);
        config.clock_domain = Some(domain.into());
        let clock = Arc::clone(&clocks.simulated);
        let agent = AgentNode::new(config, clock, model(), Vec::new())?;
        let agent = agent.with_driving(driving, number as u64)?;
        Ok(agent.with_stopwatch(Arc::clone(&clocks.stopwatch)))
    };
    SwarmMember {
        name,
        make: Box::new(make),
    }
}

/// One that shares its clock with everybody, and measures its own stages with it.
pub(crate) fn live_agent(clock: Arc<dyn Clock>) -> AgentNode {
    let name = |name: &str| AgentName::new(name).unwrap();
    let mut config = AgentConfig::new(name("flock"), name("crane1"), 1);
    config.clock_domain = Some("simulation".into());
    let agent = AgentNode::new(config, clock, geometric(), Vec::new()).unwrap();
    let mut driving = driving();
    driving.plan_secs_max = Some(0.05);
    driving.command_latency_secs = 0.02;
    agent.with_driving(driving, 1).unwrap()
}

fn members(n: usize) -> Vec<SwarmMember> {
    (1..=n)
        .map(|number| member_with(number, geometric))
        .collect()
}

fn run(
    world: &mut ToyWorld,
    members: Vec<SwarmMember>,
    (n_threads, secs): (usize, u64),
    observer: &mut dyn SwarmObserver,
) -> SwarmReport {
    let config = SwarmConfig {
        n_threads,
        tick: STEP,
        n_ticks_max: secs * 100,
    };
    let publications = world.publications();
    let world = World {
        node: world,
        subscriptions: ToyWorld::subscriptions(),
        publications,
    };
    run_swarm(&config, world, members, observer, &Shutdown::new()).unwrap()
}

fn mode(report: &SwarmReport, idx: usize) -> DriveMode {
    let report = report.members[idx].report.as_ref().unwrap();
    report.driving.as_ref().unwrap().mode
}

fn counter(report: &SwarmReport, idx: usize, name: &str) -> u64 {
    let report = report.members[idx].report.as_ref().unwrap();
    report.counters.get(name).copied().unwrap_or_default()
}

fn crossing() -> ToyWorld {
    ToyWorld::new(&[
        (Pose2::new(-1.7, 0.1, 0.0), Some([1.3, 0.2])),
        (Pose2::new(1.3, -0.3, 3.0), Some([-1.7, -0.4])),
    ])
}

/// Has seen enough when two members say that they have arrived.
#[derive(Default)]
struct Arrivals([bool; 2]);

impl SwarmObserver for Arrivals {
    fn on_message(&mut self, _: Stamp, sender: Sender, outgoing: &Outgoing) {
        if let (Sender::Member(idx), "telemetry.health") = (sender, outgoing.key.message_type()) {
            let message = outgoing.message.decode().unwrap();
            let health: Health<'_> = Health::from_message(&message).unwrap();
            self.0[idx] = health.detail == "arrived";
        }
    }

    fn on_tick(&mut self, _: Stamp) -> ControlFlow<()> {
        match self.0 {
            [true, true] => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn two_robots_pass_each_other_and_threads_change_nothing() {
    let outcome = |n_threads| {
        let mut world = crossing();
        let mut arrivals = Arrivals::default();
        let report = run(&mut world, members(2), (n_threads, 12), &mut arrivals);
        (world, report)
    };
    let (world, one) = outcome(1);
    let (_, two) = outcome(2);
    assert_eq!(one.hash, two.hash);
    assert_eq!((one.n_messages, one.n_bytes), (two.n_messages, two.n_bytes));
    for idx in 0..2 {
        let all = one.members[idx].report.as_ref().unwrap();
        assert_eq!(mode(&one, idx), DriveMode::Arrived, "{one}\n{all}");
        assert!(counter(&one, idx, "neighbours-heard") > 60);
        assert_eq!(counter(&one, idx, "publish-refused"), 0);
        assert_eq!(counter(&one, idx, "refused-by-model"), 0, "{one}");
    }
    assert!(world.closest_m > 0.0, "{}", world.closest_m);
    assert_eq!(
        (one.n_late, one.n_undeclared, one.n_world_dropped),
        (0, 0, 0)
    );
    let stages: Vec<&str> = one
        .latency
        .rows
        .iter()
        .map(|row| row.stage.as_str())
        .collect();
    for stage in ["plan", "safety", "act", "sensor-to-command"] {
        assert!(stages.contains(&stage), "{stages:?}");
    }
    assert!(one.to_string().contains("crane2: busy"), "{one}");
}

/// The modes of a member over time, by its health messages.
#[derive(Default)]
struct Modes(Vec<(Stamp, String)>);

impl SwarmObserver for Modes {
    fn on_message(&mut self, at: Stamp, sender: Sender, outgoing: &Outgoing) {
        if outgoing.key.message_type() == "actuator.cmd" {
            let lifespan = Duration::from_millis(300);
            assert_eq!(outgoing.expiry, Some(at + lifespan));
        }
        let is_health = outgoing.key.message_type() == "telemetry.health";
        if sender != Sender::Member(0) || !is_health {
            return;
        }
        let message = outgoing.message.decode().unwrap();
        let health: Health<'_> = Health::from_message(&message).unwrap();
        if self
            .0
            .last()
            .is_none_or(|(_, before)| *before != health.detail)
        {
            self.0.push((at, health.detail.into_owned()));
        }
    }
}

fn lone() -> ToyWorld {
    ToyWorld::new(&[(Pose2::new(-3.0, 0.0, 0.0), Some([3.0, 0.0]))])
}

fn is_standstill(command: &sedge_oni::Command) -> bool {
    let still = sedge_spacetime::Twist2::default();
    command.steps.iter().all(|step| step.twist == still)
}

#[test]
fn a_stop_order_holds_until_it_is_released() {
    let mut world = lone();
    world.orders = vec![(at(2_000), Severity::Hold), (at(4_000), Severity::Release)];
    let mut modes = Modes::default();
    let report = run(&mut world, members(1), (1, 5), &mut modes);
    let told = (at(2_000), "holding: told by warden".to_owned());
    let after = modes.0.iter().position(|it| *it == told);
    let after = after.unwrap_or_else(|| panic!("{:?}\n{report}", modes.0));
    assert_eq!(modes.0[after + 1].1, "driving", "{:?}", modes.0);
    assert!(modes.0[after + 1].0 <= at(4_100), "{:?}", modes.0);
    let is_held = |came: Stamp| came >= at(2_000) && came < at(4_000);
    let commands = world.robots[0].commands.iter();
    let held: Vec<_> = commands.filter(|it| is_held(it.came)).collect();
    assert!(held.len() >= 15, "{}", held.len());
    assert!(held.iter().all(|it| is_standstill(&it.command)));
}

#[test]
fn a_robot_that_goes_blind_is_stopped_within_a_tenth_of_a_second_and_drives_on() {
    let mut world = lone();
    // The scan of 2.0 s is the last one; that of 2.1 s is the first that does not come.
    world.blind = Some((at(2_050), at(3_050)));
    let mut modes = Modes::default();
    let report = run(&mut world, members(1), (1, 4), &mut modes);
    let stop = world.robots[0].commands.iter();
    let mut stop = stop.filter(|it| it.came > at(2_000) && is_standstill(&it.command));
    let first = stop
        .next()
        .unwrap_or_else(|| panic!("{:?}\n{report}", modes.0))
        .came;
    assert!(first > at(2_100) && first <= at(2_200), "{first}");
    let why: Vec<&str> = modes.0.iter().map(|(_, why)| why.as_str()).collect();
    assert!(why.contains(&"stopped: stale-scan"), "{why:?}");
    assert_eq!(mode(&report, 0), DriveMode::Driving, "{:?}", modes.0);
}

#[test]
fn who_shares_no_clock_with_its_sensors_stays_where_it_is() {
    let mut world = lone();
    let members = vec![member_on("elsewhere", 1, geometric)];
    let report = run(&mut world, members, (1, 1), &mut NoObserver);
    let driving = report.members[0].report.as_ref().unwrap().driving.clone();
    let driving = driving.unwrap();
    assert_eq!(
        (driving.mode, driving.why.as_str()),
        (DriveMode::Stopped, "no-scan")
    );
    assert!(counter(&report, 0, "scans-of-another-clock") > 5);
    let commands = &world.robots[0].commands;
    assert!(!commands.is_empty() && commands.iter().all(|it| is_standstill(&it.command)));
}

/// Believes until it has seen so many scans, and then dies.
struct Doomed {
    inner: Box<dyn WorldModel>,
    n_left: u32,
}

impl WorldModel for Doomed {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn observe(&mut self, event: &SensorEvent) -> Result<(), ObserveError> {
        if matches!(event.observation, sedge_world_model::Observation::Lidar(_)) {
            self.n_left = self.n_left.checked_sub(1).expect("its hour has come");
        }
        self.inner.observe(event)
    }

    fn belief(&self) -> Option<Belief> {
        self.inner.belief()
    }

    fn imagine(
        &mut self,
        plans: &[sedge_world_model::ActionSequence],
        horizons: &[Duration],
    ) -> Result<Reused<Futures>, ImagineError> {
        self.inner.imagine(plans, horizons)
    }
}

fn doomed() -> ModelFactory {
    let make = geometric();
    Box::new(move || {
        Ok(Box::new(Doomed {
            inner: make()?,
            n_left: 20,
        }))
    })
}

fn unmade() -> ModelFactory {
    Box::new(|| Err("no weights".into()))
}

/// Who failed, when and why.
struct Failures(Arc<Mutex<Vec<(Stamp, String, String)>>>);

impl SwarmObserver for Failures {
    fn on_failure(&mut self, at: Stamp, member: &AgentName, why: &str) {
        let failed = (at, member.to_string(), why.to_owned());
        self.0.lock().unwrap().push(failed);
    }
}

#[test]
fn a_member_that_fails_takes_nobody_with_it() {
    let outcome = |n_threads| {
        let mut world = ToyWorld::new(&[
            (Pose2::new(-3.0, 2.0, 0.0), Some([3.0, 2.0])),
            (Pose2::new(-3.0, -2.0, 0.0), Some([3.0, -2.0])),
            (Pose2::new(0.0, 0.0, 0.0), None),
        ]);
        let members = vec![
            member_with(1, doomed),
            member_with(2, geometric),
            member_with(3, unmade),
        ];
        let failures = Arc::new(Mutex::new(Vec::new()));
        let mut observer = Failures(Arc::clone(&failures));
        let report = run(&mut world, members, (n_threads, 4), &mut observer);
        let failures = failures.lock().unwrap().clone();
        (world, report, failures)
    };
    let (world, report, failures) = outcome(1);
    assert_eq!(failures.len(), 2, "{failures:?}");
    assert_eq!((failures[0].0, failures[0].1.as_str()), (at(0), "crane3"));
    assert!(failures[0].2.contains("no weights"), "{failures:?}");
    assert_eq!(
        (failures[1].0, failures[1].1.as_str()),
        (at(2_100), "crane1")
    );
    assert!(failures[1].2.contains("its hour has come"), "{failures:?}");
    assert!(report.members[0].failure.is_some() && report.members[0].report.is_none());
    // Nobody drives it any more, so it stands.
    assert_eq!(world.robots[0].twist.vx_mps, 0.0);
    assert!(
        world.robots[1].twist.vx_mps > 0.3,
        "{:?}",
        world.robots[1].twist
    );
    assert_eq!(mode(&report, 1), DriveMode::Driving);
    let (_, again, _) = outcome(3);
    assert_eq!(report.hash, again.hash);
}

#[test]
fn a_neighbour_that_begins_anew_is_heard_and_restarts_nobody_else() {
    let mut world = crossing();
    world.restarts = vec![(at(1_500), 1)];
    let report = run(&mut world, members(2), (2, 3), &mut NoObserver);
    assert_eq!(
        [
            counter(&report, 0, "restarts"),
            counter(&report, 1, "restarts")
        ],
        [0, 1]
    );
    assert_eq!(counter(&report, 0, "neighbours-old-news"), 0);
    // Three streams of the neighbour's, all the time but for the first moments.
    assert!(counter(&report, 0, "neighbours-heard") > 80, "{report}");
    // Its goal is where it was: the belief that begins anew is tied to the odometry.
    assert_eq!(mode(&report, 1), DriveMode::Driving);
    let moved = world.robots[1].world_from_base;
    assert!(moved.x_m < 0.7, "{moved:?}");
}

/// Puts one message that is late and one that is not.
struct Tardy {
    key: Key,
}

impl Node for Tardy {
    fn name(&self) -> &'static str {
        "tardy"
    }

    fn tick(&mut self, now: Stamp, _: &mut Inbox, outbox: &mut Outbox) -> NextTick {
        let message = || sedge_oni::EncodedMessage::new([1], sedge_oni::AlignedBytes::default());
        let expiries = [now - Duration::from_nanos(1), now];
        for expiry in expiries {
            let put = outbox.put_before(self.key.clone(), message(), Some(expiry));
            put.unwrap();
        }
        let other = Key::parse("oni/flock/crane1/actuator.cmd/undeclared").unwrap();
        outbox.put(other, message()).unwrap();
        NextTick::Finished
    }
}

#[test]
fn what_is_late_or_undeclared_goes_nowhere_and_is_counted() {
    let key = Key::parse("oni/flock/crane1/actuator.cmd/main").unwrap();
    let mut node = Tardy { key: key.clone() };
    let qos = Qos::of(sedge_transport::QosClass::Command);
    let world = World {
        node: &mut node,
        subscriptions: vec![((&key).into(), qos)],
        publications: vec![(key, qos)],
    };
    let config = SwarmConfig {
        n_threads: 1,
        tick: STEP,
        n_ticks_max: 5,
    };
    let shutdown = Shutdown::new();
    let report = run_swarm(&config, world, members(1), &mut NoObserver, &shutdown).unwrap();
    assert_eq!((report.end, report.n_ticks), (SwarmEnd::WorldFinished, 1));
    assert_eq!((report.n_late, report.n_undeclared), (1, 1));
}

#[test]
fn swarms_of_nobody_and_driving_that_cannot_be_are_refused() {
    let mut world = lone();
    let publications = world.publications();
    let world = World {
        node: &mut world,
        subscriptions: Vec::new(),
        publications,
    };
    let config = SwarmConfig {
        n_threads: 1,
        tick: STEP,
        n_ticks_max: 5,
    };
    let shutdown = Shutdown::new();
    let refused = run_swarm(&config, world, Vec::new(), &mut NoObserver, &shutdown);
    let text = refused.unwrap_err().to_string();
    assert!(text.contains("members within [1, "), "{text}");

    let refused = |change: fn(&mut DrivingConfig)| {
        let mut driving = driving();
        change(&mut driving);
        let config = AgentConfig::new(
            AgentName::new("flock").unwrap(),
            AgentName::new("crane1").unwrap(),
            1,
        );
        let clock = Arc::new(ManualClock::default());
        let agent = AgentNode::new(config, clock, geometric(), Vec::new()).unwrap();
        let refused = agent.with_driving(driving, 1).err();
        refused.map(|error| error.to_string())
    };
    let text = refused(|driving| driving.command_lifespan_secs = 0.01).unwrap();
    assert!(
        text.contains("command_lifespan_secs within [0.1, 5]"),
        "{text}"
    );
    assert!(refused(|driving| driving.command_period_secs = f64::NAN).is_some());
    assert!(refused(|driving| driving.streams.lidar = "a/b".into()).is_some());
    assert!(refused(|driving| driving.planner.n_samples = 0).is_some());
    assert!(refused(|_| {}).is_none());
}
