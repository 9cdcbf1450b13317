use std::collections::BTreeSet;
use std::path::Path;

use sedge_spacetime::Covariance2;
use sedge_world_model::{LidarScan, ScanGeometry};

use super::*;
use crate::recording_contents::{Contents, read};
use crate::{
    FanLine, Forecaster, ImaginedPlan, PlanHorizon, QueueFull, RobotMode, ScanError, SceneRobot,
    SceneWalker, ScreenshotConfig, SeenMover, SeenNeighbour, WallBox, save_robot_blueprint,
    screenshot_at,
};

/// Long enough for a busy machine; nothing waits this long unless something is broken.
const PATIENCE: Duration = Duration::from_mins(1);
const SECOND: Duration = Duration::from_secs(1);

fn name(idx: usize) -> AgentName {
    AgentName::new(format!("crane{}", idx + 1)).unwrap()
}

fn at(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn scene(n_robots: usize) -> SwarmScene {
    let robot = |idx| SceneRobot {
        name: name(idx),
        radius_m: 0.3,
        goals_m: vec![[5.0, 0.0]],
    };
    SwarmScene {
        title: "test".to_owned(),
        walls: vec![WallBox {
            center_m: [0.0, 3.0],
            size_m: [12.0, 0.2],
            yaw_rad: 0.0,
            height_m: 1.0,
        }],
        robots: (0..n_robots).map(robot).collect(),
        walkers: vec![SceneWalker { radius_m: 0.3 }],
        rungs: ["full", "short", "stop"].map(str::to_owned).to_vec(),
        focus: None,
        rates: SwarmRates {
            scans_hz: 5.0,
            plans_hz: 5.0,
            beliefs_hz: 5.0,
            ..SwarmRates::default()
        },
    }
}

fn open(path: &Path, scene: &SwarmScene) -> SwarmViewer {
    let config = ViewerConfig {
        queue_full: QueueFull::Wait(PATIENCE),
        close_wait_max: PATIENCE,
        ..ViewerConfig::new("sedge", "seed-7")
    };
    SwarmViewer::open(&ViewerTarget::File(path.to_owned()), &config, scene).unwrap()
}

fn scan() -> LidarScan {
    LidarScan {
        geometry: ScanGeometry {
            first_angle_rad: 0.0,
            step_rad: 0.01,
            n_beams: 360,
        },
        ranges_m: vec![2.0; 360].into(),
    }
}

fn state(idx: usize, world_from_base: Pose2, mode: RobotMode) -> RobotState {
    RobotState {
        name: name(idx),
        world_from_base,
        mode,
    }
}

/// A stage past its budget, and another rung each time.
fn hurry(canvas: &RobotCanvas<'_>, step: usize) {
    canvas.latency("fuse", Duration::from_micros(250));
    canvas.budget("fuse", Duration::from_micros(200));
    canvas.rung(["full", "short"][step % 2]);
}

/// One of everything per robot and tenth of a second, then the beat.
fn draw_all(viewer: &SwarmViewer, n_robots: usize, n_steps: i64) {
    let scan = scan();
    for step in 0..n_steps {
        let stamp = at(100 * step);
        let pose = Pose2::new(0.2 * step as f64, 0.0, 0.0);
        for idx in 0..n_robots {
            let name = name(idx);
            let canvas = viewer.robot(&name, stamp);
            canvas.scan(pose, &scan, Some(&[true; 20]));
            let points_m = [[0.0, 0.0], [1.0, 0.1 * idx as f32]];
            let fan = [1.0, 2.0].map(|cost| FanLine {
                points_m: &points_m,
                cost,
            });
            let horizons = [PlanHorizon {
                after: SECOND,
                base_from_then: Pose2::new(1.0, 0.0, 0.0),
                covariance: Covariance2::from_sigmas([0.1, 0.1, 0.1]),
            }];
            let plan = ImaginedPlan {
                fan: &fan,
                chosen: &[Pose2::IDENTITY, Pose2::new(1.0, 0.0, 0.0)],
                horizons: &horizons,
            };
            canvas.plan(pose, &plan);
            canvas.belief(pose, &Covariance2::from_sigmas([0.1, 0.1, 0.1]));
            canvas.movers(
                pose,
                &[SeenMover {
                    position_m: [1.0, 1.0],
                    velocity_mps: [0.5, 0.0],
                    sigma_m: 0.1,
                    radius_m: 0.3,
                }],
            );
            canvas.neighbours(
                pose,
                &[SeenNeighbour {
                    position_m: [2.0, 0.0],
                    sigma_m: 0.2,
                    intention_m: &[[3.0, 0.0]],
                }],
            );
            let error = ScanError {
                mae_m: 0.1 + idx as f64,
                within_10cm: 0.5,
            };
            canvas.error(SECOND, Forecaster::Model, error);
            hurry(&canvas, step as usize);
        }
        let mode = if step < 5 {
            RobotMode::Driving
        } else {
            RobotMode::Stopped
        };
        let states: Vec<_> = (0..n_robots).map(|idx| state(idx, pose, mode)).collect();
        viewer.team(stamp, &states, &[pose]);
        viewer.messages(
            stamp,
            &[MessageFlow {
                from: "crane1",
                to: "crane2",
                kind: "model.belief",
                hz: 10.0,
            }],
        );
    }
    viewer
        .robot(&name(0), at(0))
        .text(TextLevel::Warn, "safety stop");
    viewer.text(at(0), TextLevel::Info, "begin");
}

fn recorded(n_robots: usize, n_steps: i64) -> (Contents, SwarmCounts) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("swarm.rrd");
    let viewer = open(&path, &scene(n_robots));
    draw_all(&viewer, n_robots, n_steps);
    assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
    let counts = viewer.counts();
    drop(viewer);
    (read(&path).unwrap(), counts)
}

#[test]
fn a_few_robots_have_entities_of_their_own_at_the_rates_of_their_kinds() {
    let (contents, counts) = recorded(3, 20);
    let expected = [
        ("/world/walls", 1),
        ("/world/goals", 1),
        ("/world/robots", 20),
        ("/world/headings", 20),
        ("/world/walkers", 20),
        ("/world/trails", 19),
        ("/world/scans/crane2", 10),
        ("/world/fans/crane2", 10),
        ("/world/plans/crane2", 10),
        ("/world/doubts/crane2", 10),
        ("/world/beliefs/crane2", 10),
        ("/world/movers/crane2", 10),
        ("/world/velocities/crane2", 10),
        ("/world/neighbours/crane2", 10),
        ("/world/intentions/crane2", 10),
        ("/error/team/1s/model", 4),
        ("/error/robots/crane2/1s/model", 4),
        ("/error/everybody/1s", 4),
        ("/latency/worst/fuse", 4),
        ("/latency/median/fuse", 4),
        ("/latency/robots/crane2/fuse", 4),
        ("/latency/worst/fuse-budget", 4),
        ("/latency/median/fuse-budget", 0),
        ("/latency/robots/crane2/fuse-budget", 4),
        ("/rungs/crane2", 20),
        ("/modes/crane2", 2),
        ("/messages", 1),
        ("/log/crane1", 1),
        ("/log/team", 1),
        ("/world/scans/everybody", 0),
    ];
    for (entity, n_rows) in expected {
        assert_eq!(contents.n_rows(entity), n_rows, "{entity}");
    }
    assert_eq!(contents.n_blueprints, 1);
    assert_eq!(contents.timelines.len(), 1);
    assert_eq!(counts.total.failed + counts.total.dropped, 0, "{counts:?}");
    let scans = counts.of(SwarmLayer::Scans);
    assert_eq!((scans.drawn, scans.thinned, scans.skipped), (30, 30, 0));
    let messages = counts.of(SwarmLayer::Messages);
    assert_eq!((messages.drawn, messages.thinned), (1, 19));
}

#[test]
fn many_robots_share_entities_and_only_the_focus_has_its_own() {
    let (contents, _) = recorded(40, 6);
    let of_kind = |kind: &str| -> BTreeSet<String> {
        let names = contents.rows.keys().filter_map(|row| row.split(' ').next());
        let kind = format!("/world/{kind}/");
        let names = names.filter_map(|entity| entity.strip_prefix(&kind));
        names.map(str::to_owned).collect()
    };
    for kind in ["scans", "fans", "plans", "doubts"] {
        let expected = ["crane1", "everybody"].map(str::to_owned);
        assert_eq!(of_kind(kind), expected.into(), "{kind}");
    }
    for kind in ["beliefs", "movers", "neighbours"] {
        assert_eq!(of_kind(kind), ["crane1".to_owned()].into(), "{kind}");
    }
    let bodies = contents.n_rows("/world/robots");
    assert_eq!(bodies, 6, "one row per beat, not per robot");
}

#[test]
fn the_same_run_gives_the_same_recording() {
    let (first, second) = (recorded(12, 6).0, recorded(12, 6).0);
    assert!(first.rows.len() > 40);
    assert_eq!(first, second);
}

/// One of everything that a robot can say, none of which can be drawn.
fn say_nonsense(viewer: &SwarmViewer) {
    let nowhere = Pose2::new(f64::NAN, 0.0, 0.0);
    let (crane1, fine) = (name(0), Pose2::IDENTITY);
    let canvas = viewer.robot(&crane1, at(0));
    canvas.scan(nowhere, &scan(), None);
    let empty = LidarScan {
        ranges_m: Vec::new().into(),
        ..scan()
    };
    viewer.robot(&crane1, at(1000)).scan(fine, &empty, None);
    let line = FanLine {
        points_m: &[[f32::NAN, 0.0], [1.0, 0.0]],
        cost: 1.0,
    };
    let plan = ImaginedPlan {
        fan: &[line],
        chosen: &[nowhere],
        horizons: &[],
    };
    canvas.plan(fine, &plan);
    let mover = SeenMover {
        position_m: [f64::NAN; 2],
        velocity_mps: [0.0; 2],
        sigma_m: 0.1,
        radius_m: 0.3,
    };
    canvas.movers(fine, &[mover]);
    let neighbour = SeenNeighbour {
        position_m: [0.0; 2],
        sigma_m: f64::NAN,
        intention_m: &[],
    };
    canvas.neighbours(fine, &[neighbour]);
    let error = ScanError {
        mae_m: f64::NAN,
        within_10cm: 0.0,
    };
    canvas.error(SECOND, Forecaster::Model, error);
    canvas.rung("no such rung");
    let flow = MessageFlow {
        from: "a",
        to: "b",
        kind: "c",
        hz: f64::INFINITY,
    };
    viewer.messages(at(0), &[flow]);
}

#[test]
fn hostile_values_are_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("swarm.rrd");
    let mut scene = scene(2);
    scene.walls[0].size_m = [f64::NAN, 1.0];
    scene.robots[0].goals_m = vec![[f64::INFINITY, 0.0]];
    scene.robots[1].radius_m = f64::NAN;
    let viewer = open(&path, &scene);
    let nowhere = Pose2::new(f64::NAN, 0.0, 0.0);
    say_nonsense(&viewer);
    let fine = Pose2::IDENTITY;
    let states = [
        state(0, nowhere, RobotMode::Driving),
        state(1, fine, RobotMode::Driving),
    ];
    viewer.team(at(0), &states, &[nowhere, fine]);
    assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
    let counts = viewer.counts();
    drop(viewer);
    let skipped = |layer| counts.of(layer).skipped;
    let expected = [
        (SwarmLayer::Team, 2),
        (SwarmLayer::Scans, 2),
        (SwarmLayer::Plans, 3),
        (SwarmLayer::Movers, 1),
        (SwarmLayer::Neighbours, 1),
        (SwarmLayer::Errors, 1),
        (SwarmLayer::Rungs, 1),
        (SwarmLayer::Messages, 1),
    ];
    for (layer, n_skipped) in expected {
        assert_eq!(skipped(layer), n_skipped, "{layer}");
    }
    let contents = read(&path).unwrap();
    assert_eq!(contents.n_rows("/world/robots"), 1);
    assert_eq!(contents.n_rows("/world/scans/crane1"), 0);
}

#[test]
fn a_robot_that_falls_silent_loses_its_plan() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("swarm.rrd");
    let viewer = open(&path, &scene(1));
    let crane1 = name(0);
    viewer
        .robot(&crane1, at(0))
        .scan(Pose2::IDENTITY, &scan(), None);
    for step in 0..20 {
        viewer.team(
            at(100 * step),
            &[state(0, Pose2::IDENTITY, RobotMode::Away)],
            &[],
        );
    }
    drop(viewer);
    let contents = read(&path).unwrap();
    let cleared = contents
        .rows
        .keys()
        .any(|row| row.starts_with("/world/scans/crane1 Clear"));
    assert!(cleared, "{:?}", contents.rows.keys());
}

#[test]
fn a_recording_is_cut_at_a_time_and_looked_at_through_another_blueprint() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let viewer = open(&file("swarm.rrd"), &scene(2));
    draw_all(&viewer, 2, 60);
    drop(viewer);
    save_robot_blueprint("sedge", &name(1), &file("crane2.rbl")).unwrap();
    let blueprint = file("crane2.rbl");
    for blueprint in [None, Some(blueprint.as_path())] {
        crate::cut::cut(&file("swarm.rrd"), at(5000), blueprint, &file("cut.rrd")).unwrap();
        let contents = read(&file("cut.rrd")).unwrap();
        assert_eq!(contents.n_rows("/world/robots"), 31, "the newest is enough");
        assert_eq!(contents.n_rows("/world/trails"), 50, "a trail is all of it");
        assert_eq!(
            contents.n_rows("/world/walls"),
            1,
            "what is always there stays"
        );
        assert_eq!(contents.n_blueprints, 1);
    }
    let config = ScreenshotConfig {
        executable: "/no/such/viewer".into(),
        ..ScreenshotConfig::default()
    };
    screenshot_at(&file("swarm.rrd"), at(5000), &file("picture.png"), &config).unwrap();
    assert!(
        !file("picture.until.rrd").exists(),
        "no copy is left behind"
    );
}

#[test]
fn a_viewer_that_is_off_counts_nothing() {
    let config = ViewerConfig::new("sedge", "seed-7");
    let viewer = SwarmViewer::open(&ViewerTarget::Off, &config, &scene(2)).unwrap();
    assert!(viewer.is_off());
    draw_all(&viewer, 2, 2);
    assert_eq!(viewer.counts(), SwarmCounts::default());
}

#[test]
fn nobody_listening_costs_drawings_and_nothing_else() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rerun+http://{}/proxy", free.local_addr().unwrap());
    let config = ViewerConfig {
        queue_len_max: 4,
        close_wait_max: Duration::from_millis(50),
        ..ViewerConfig::new("sedge", "seed-7")
    };
    let viewer = SwarmViewer::open(&ViewerTarget::Connect(url), &config, &scene(8)).unwrap();
    draw_all(&viewer, 8, 50);
    let counts = viewer.counts();
    let (mut drawn, mut dropped) = (0, 0);
    for (_, of_layer) in &counts.layers {
        drawn += of_layer.drawn;
        dropped += of_layer.dropped;
    }
    assert_eq!((drawn, dropped), (counts.total.drawn, counts.total.dropped));
    assert!(dropped > 0, "{counts:?}");
}
