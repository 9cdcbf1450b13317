//! Draws a made-up swarm in a made-up hallway, so that the cockpit can be seen without a simulator.
//!
//! `cargo run -p sedge-viewer --example swarm_screen -- 8 20 swarm.rrd` draws 8 robots for 20 s;
//! then `rerun swarm.rrd`, or `rerun swarm.rrd swarm.rbl` for the screen of one robot. With
//! `swarm.png` at the end it also takes a picture of the middle of the run, with `robot.png` one of
//! that robot's screen, and with `swarm.gif` a film.

#[path = "swarm_screen/hallway.rs"]
mod hallway;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sedge_spacetime::{AgentName, Covariance2, Pose2, Stamp};
use sedge_viewer::{
    FanLine, FilmConfig, Forecaster, ImaginedPlan, MessageFlow, PlanHorizon, QueueFull,
    RobotCanvas, RobotState, ScanError, ScreenshotConfig, ScreenshotOutcome, SeenMover,
    SeenNeighbour, SwarmViewer, TextLevel, ViewerConfig, ViewerError, ViewerTarget, film,
    save_robot_blueprint, screenshot_at,
};

use hallway::{HORIZONS, Hallway, Robot};

/// Ten drawings per second.
const STEP: Duration = Duration::from_millis(100);

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [n_robots, n_secs, recording, pictures @ ..] = words.as_slice() else {
        return Err("expected ROBOTS SECONDS RECORDING.rrd [PICTURE.png|FILM.gif ...]".into());
    };
    let (n_robots, n_secs): (usize, u32) = (n_robots.parse()?, n_secs.parse()?);
    let recording = PathBuf::from(recording);
    let hallway = Hallway::new(n_robots);
    let scene = hallway.scene();
    // A real run is paced by its robots; this one waits for the drawing thread.
    let config = ViewerConfig {
        queue_full: QueueFull::Wait(Duration::from_secs(10)),
        ..ViewerConfig::new("sedge-hallway", "made-up")
    };
    let viewer = SwarmViewer::open(&ViewerTarget::File(recording.clone()), &config, &scene)?;
    for step in 0..n_secs * 10 {
        draw(&viewer, &hallway, Stamp::ZERO + STEP * step);
    }
    let counts = viewer.counts();
    drop(viewer);
    println!("{:?}", counts.total);
    for (layer, counts) in &counts.layers {
        println!("{layer:>10}: {counts:?}");
    }
    let bytes = std::fs::metadata(&recording)?.len() as f64;
    let per_minute = bytes / f64::from(n_secs) * 60.0;
    println!("{:.1} MB per simulated minute", per_minute / 1e6);
    let blueprint = recording.with_extension("rbl");
    save_robot_blueprint("sedge-hallway", &AgentName::new("crane3")?, &blueprint)?;
    for picture in pictures {
        let picture = Path::new(picture);
        let outcome = take(&recording, picture, n_secs)?;
        println!("{}: {outcome:?}", picture.display());
    }
    Ok(())
}

/// A film of the whole run, or a picture of its middle: of one robot, where its name says so.
fn take(recording: &Path, picture: &Path, n_secs: u32) -> Result<ScreenshotOutcome, ViewerError> {
    let at = |tenths: u32| Stamp::ZERO + STEP * tenths;
    if picture.extension().is_some_and(|ending| ending == "gif") {
        let config = FilmConfig {
            n_frames: 3 * n_secs,
            ..FilmConfig::new(at(10), at(10 * n_secs - 10))
        };
        return film(recording, picture, &config, &mut |frame| {
            println!("frame {frame}");
        });
    }
    let is_of_robot = picture.to_string_lossy().contains("robot");
    let config = ScreenshotConfig {
        window: [1400, 900],
        blueprint: is_of_robot.then(|| recording.with_extension("rbl")),
        ..ScreenshotConfig::default()
    };
    screenshot_at(recording, at(5 * n_secs), picture, &config)
}

/// Everything that is drawn of one moment.
fn draw(viewer: &SwarmViewer, hallway: &Hallway, stamp: Stamp) {
    let secs = stamp.saturating_since(Stamp::ZERO).as_secs_f64();
    for robot in hallway.robots() {
        draw_robot(viewer, hallway, robot, stamp);
    }
    let states: Vec<_> = hallway
        .robots()
        .iter()
        .map(|robot| RobotState {
            name: robot.name.clone(),
            world_from_base: robot.pose(secs),
            mode: hallway.mode(robot, secs),
        })
        .collect();
    viewer.team(stamp, &states, &hallway.walkers(secs));
    let mut flows = Vec::new();
    for robot in hallway.robots() {
        let name = robot.name.as_str();
        let mut flow = |from, to, kind, hz| flows.push(MessageFlow { from, to, kind, hz });
        flow("simulation", name, "sensor.lidar", 10.0);
        flow("simulation", name, "sensor.odometry", 50.0);
        flow(name, "simulation", "actuator.cmd", 10.0);
        let others = hallway.robots().iter().map(|other| other.name.as_str());
        for other in others.filter(|other| *other != name).take(8) {
            flow(name, other, "model.belief", 10.0);
            flow(name, other, "model.prediction", 10.0);
        }
    }
    viewer.messages(stamp, &flows);
    if stamp.nanos() == 6_000_000_000 {
        viewer.text(stamp, TextLevel::Info, "walker3 enters the hallway");
    }
}

fn draw_robot(viewer: &SwarmViewer, hallway: &Hallway, robot: &Robot, stamp: Stamp) {
    let secs = stamp.saturating_since(Stamp::ZERO).as_secs_f64();
    let pose = robot.pose(secs);
    let canvas = viewer.robot(&robot.name, stamp);
    let (scan, moving) = hallway.scan(pose, &robot.name, secs);
    canvas.scan(pose, &scan, Some(&moving));
    let believed = pose * Pose2::new(0.04 * (secs + robot.phase).sin(), 0.03, 0.02);
    canvas.belief(believed, &Covariance2::from_sigmas([0.06, 0.04, 0.02]));
    let fan = robot.fan(secs);
    let lines: Vec<_> = fan
        .iter()
        .map(|(points_m, cost)| FanLine {
            points_m,
            cost: *cost,
        })
        .collect();
    let ahead = |after: f64| pose.between(robot.pose(secs + after));
    let chosen: Vec<_> = (0..=20).map(|i| ahead(0.1 * f64::from(i))).collect();
    let horizons = HORIZONS.map(|after| {
        let after_secs = after.as_secs_f64();
        let [along, across] = [0.12 * after_secs, 0.05 + 0.07 * after_secs];
        PlanHorizon {
            after,
            base_from_then: ahead(after_secs),
            covariance: Covariance2::from_sigmas([along, across, 0.05]),
        }
    });
    canvas.plan(
        pose,
        &ImaginedPlan {
            fan: &lines,
            chosen: &chosen,
            horizons: &horizons,
        },
    );
    let movers: Vec<_> = hallway
        .walkers_seen(pose, secs)
        .map(|(position_m, velocity_mps)| SeenMover {
            position_m,
            velocity_mps,
            sigma_m: 0.1,
            radius_m: 0.3,
        })
        .collect();
    canvas.movers(pose, &movers);
    let known = hallway.others_seen(robot, secs);
    let known: Vec<_> = known
        .iter()
        .map(|(position_m, intention_m)| SeenNeighbour {
            position_m: *position_m,
            sigma_m: 0.15,
            intention_m,
        })
        .collect();
    canvas.neighbours(pose, &known);
    draw_series(&canvas, robot.phase, secs);
    if let Some(reason) = hallway.stop_reason(robot, secs) {
        canvas.text(TextLevel::Warn, reason);
    }
}

/// Errors and times, the same for all but for their phase.
fn draw_series(canvas: &RobotCanvas<'_>, phase: f64, secs: f64) {
    for horizon in HORIZONS {
        let hardness = horizon.as_secs_f64() * (1.0 + 0.4 * (0.5 * secs + phase).sin());
        let by = [
            (Forecaster::Model, 0.05),
            (Forecaster::Geometry, 0.08),
            (Forecaster::Persistence, 0.2),
        ];
        for (forecaster, mae_m) in by {
            let error = ScanError {
                mae_m: mae_m * hardness,
                within_10cm: 0.8,
            };
            canvas.error(horizon, forecaster, error);
        }
    }
    for (stage, micros) in [
        ("decode", 60.0),
        ("fuse", 900.0),
        ("predict", 2300.0),
        ("plan", 5200.0),
    ] {
        let jitter = 1.0 + 0.15 * (7.0 * secs + phase).sin();
        canvas.latency(stage, Duration::from_secs_f64(1e-6 * micros * jitter));
    }
}
