use std::collections::BTreeSet;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use flume::Receiver;
use sedge_spacetime::Covariance2;
use sedge_world_model::{LidarScan, PredictedScan, ScanGeometry};

use super::*;
use crate::recording_contents::read;
use crate::{Forecaster, ScanError, TextLevel};

const SECOND: Duration = Duration::from_secs(1);
/// Long enough for a busy machine; nothing waits this long unless something is broken.
const PATIENCE: Duration = Duration::from_mins(1);

fn agent() -> AgentName {
    AgentName::new("crane1").unwrap()
}

fn config() -> ViewerConfig {
    let queue_full = QueueFull::Wait(PATIENCE);
    ViewerConfig {
        queue_full,
        close_wait_max: PATIENCE,
        ..ViewerConfig::new("sedge", "seed-7")
    }
}

fn scan(range_m: f32) -> LidarScan {
    let geometry = ScanGeometry {
        first_angle_rad: 0.0,
        step_rad: 0.01,
        n_beams: 90,
    };
    LidarScan {
        geometry,
        ranges_m: vec![range_m; 90].into(),
    }
}

/// One of everything per tenth of a second.
fn draw_all(viewer: &Viewer, n_steps: i64) {
    let agent = agent();
    for step in 0..n_steps {
        let canvas = viewer.at(&agent, Stamp::from_nanos(step * 100_000_000));
        let pose = Pose2::new(0.1 * step as f64, 0.0, 0.0);
        let (came, predicted) = (scan(2.0), PredictedScan::certain([2.1; 90]));
        canvas.pose(pose, &Covariance2::from_sigmas([0.1, 0.1, 0.1]));
        canvas.scan(pose, &came);
        canvas.prediction(SECOND, pose, &predicted, &came.geometry);
        canvas.arrived(SECOND, &predicted, &came);
        canvas.error(
            SECOND,
            Forecaster::Model,
            ScanError {
                mae_m: 0.1,
                within_10cm: 0.5,
            },
        );
        canvas.latency("fuse", Duration::from_micros(250));
        canvas.budget("fuse", Duration::from_millis(1));
        canvas.rung(&["full", "stop"], "full");
        canvas.text(TextLevel::Info, "step");
    }
}

const ENTITIES: [&str; 15] = [
    "/world/crane1/robot",
    "/world/crane1/covariance",
    "/world/crane1/scan",
    "/world/crane1/prediction/1s/points",
    "/world/crane1/prediction/1s/robot",
    "/world/crane1/prediction/1s/uncertainty",
    "/arrived/crane1/1s/predicted",
    "/arrived/crane1/1s/came",
    "/arrived/crane1/1s/error",
    "/error/crane1/1s/mae_m/model",
    "/error/crane1/1s/within_10cm/model",
    "/latency/crane1/fuse",
    "/latency/crane1/fuse-budget",
    "/rungs/crane1",
    "/log/crane1",
];

#[test]
fn a_file_holds_everything_drawn_in_sensor_time_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.rrd");
    let viewer = Viewer::open(&ViewerTarget::File(path.clone()), &config()).unwrap();
    draw_all(&viewer, 20);
    assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
    let counts = viewer.counts();
    assert_eq!(
        counts,
        ViewerCounts {
            drawn: 180,
            ..ViewerCounts::default()
        }
    );
    drop(viewer);
    let contents = read(&path).unwrap();
    for entity in ENTITIES {
        assert_eq!(contents.n_rows(entity), 20, "{entity}");
    }
    assert_eq!(
        contents.n_rows("/world/crane1/trajectory"),
        19,
        "a piece per move, no more"
    );
    assert_eq!(
        contents.timelines,
        BTreeSet::from(["sensor_time".to_owned()])
    );
    assert_eq!(contents.n_blueprints, 2);
}

#[test]
fn the_same_run_gives_the_same_recording() {
    let folder = tempfile::tempdir().unwrap();
    let contents = ["a.rrd", "b.rrd"].map(|name| {
        let path = folder.path().join(name);
        let viewer = Viewer::open(&ViewerTarget::File(path.clone()), &config()).unwrap();
        draw_all(&viewer, 10);
        drop(viewer);
        read(&path).unwrap()
    });
    assert!(contents[0].rows.len() > ENTITIES.len());
    assert_eq!(contents[0], contents[1]);
}

/// Tells the process started by the test below what to do.
const CHILD: &str = "SEDGE_VIEWER_TEST_FILE";

#[test]
fn a_killed_process_leaves_a_file_that_can_be_read_up_to_the_last_flush() {
    if let Some(path) = std::env::var_os(CHILD) {
        let viewer = Viewer::open(&ViewerTarget::File(path.into()), &config()).unwrap();
        draw_all(&viewer, 20);
        assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
        std::process::abort();
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.rrd");
    let name = std::thread::current().name().unwrap().to_owned();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name])
        .env(CHILD, &path)
        .output()
        .unwrap();
    assert!(!child.status.success(), "it was meant to die");
    let contents = read(&path).unwrap();
    for entity in ENTITIES {
        assert_eq!(contents.n_rows(entity), 20, "{entity}");
    }
}

fn draw_much(target: &ViewerTarget) -> ViewerCounts {
    let config = ViewerConfig {
        spatial_hz_max: 0.0,
        queue_len_max: 16,
        queue_full: QueueFull::Drop,
        close_wait_max: Duration::from_millis(50),
        ..config()
    };
    let viewer = Viewer::open(target, &config).unwrap();
    draw_all(&viewer, 20_000);
    viewer.counts()
}

#[test]
fn nobody_listening_costs_drawings_and_nothing_else() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let counts = draw_much(&ViewerTarget::Connect(format!("rerun+http://{free}/proxy")));
    assert_eq!(counts.drawn + counts.dropped, 180_000, "{counts:?}");
    assert!(counts.dropped > 0, "{counts:?}");
}

#[test]
fn a_listener_that_never_answers_costs_drawings_and_nothing_else() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("rerun+http://{}/proxy", silent.local_addr().unwrap());
    let counts = draw_much(&ViewerTarget::Connect(url));
    assert_eq!(counts.drawn + counts.dropped, 180_000, "{counts:?}");
    assert!(counts.dropped > 0, "{counts:?}");
}

#[test]
fn a_served_recording_is_flushed_with_nobody_looking() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let viewer = Viewer::open(&ViewerTarget::Serve(free), &config()).unwrap();
    draw_all(&viewer, 20);
    assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
    assert_eq!(viewer.counts().failed, 0);
}

/// Passes one connection on to `to`, until the stream that comes out of the channel is shut down.
fn pass_on(to: SocketAddr) -> (SocketAddr, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (wire_out, wire) = flume::bounded(1);
    std::thread::spawn(move || {
        let (mut near, _) = listener.accept().unwrap();
        let mut far = TcpStream::connect(to).unwrap();
        let (mut near_back, mut far_back) = (near.try_clone().unwrap(), far.try_clone().unwrap());
        wire_out.send(near.try_clone().unwrap()).unwrap();
        std::thread::spawn(move || std::io::copy(&mut far_back, &mut near_back));
        std::io::copy(&mut near, &mut far)
    });
    (address, wire)
}

#[test]
fn a_viewer_that_dies_costs_drawings_and_nothing_else() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let _listening = Viewer::open(&ViewerTarget::Serve(free), &config()).unwrap();
    while TcpStream::connect(free).is_err() {
        std::thread::yield_now();
    }
    let (address, wire) = pass_on(free);
    let target = ViewerTarget::Connect(format!("rerun+http://{address}/proxy"));
    let viewer = Viewer::open(&target, &config()).unwrap();
    draw_all(&viewer, 2);
    assert_eq!(viewer.flush(PATIENCE), FlushOutcome::Done);
    assert_eq!(viewer.counts().failed, 0);

    wire.recv().unwrap().shutdown(Shutdown::Both).unwrap();
    let noticed = (0..1000).any(|_| {
        draw_all(&viewer, 1);
        viewer.flush(PATIENCE) == FlushOutcome::Failed && viewer.counts().failed > 0
    });
    assert!(noticed, "{:?}", viewer.counts());
}

#[test]
fn a_taken_address_is_said_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = Viewer::open(&ViewerTarget::Serve(address), &config()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("expected to listen on {address}")),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_made_is_said_at_once() {
    let target = ViewerTarget::File("/no/such/folder/run.rrd".into());
    let error = Viewer::open(&target, &config()).unwrap_err();
    assert!(
        error.to_string().contains("/no/such/folder/run.rrd"),
        "{error}"
    );
}

#[test]
fn a_run_without_a_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let target = ViewerTarget::File(folder.path().join("run.rrd"));
    for (application_id, recording_id) in [("", "seed-7"), ("sedge", "")] {
        let config = ViewerConfig::new(application_id, recording_id);
        let error = Viewer::open(&target, &config).unwrap_err();
        assert!(matches!(error, ViewerError::NoName { .. }), "{error}");
    }
}

#[test]
fn spatial_drawings_are_thinned_and_series_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.rrd");
    let config = ViewerConfig {
        spatial_hz_max: 2.0,
        ..config()
    };
    let viewer = Viewer::open(&ViewerTarget::File(path.clone()), &config).unwrap();
    draw_all(&viewer, 20);
    drop(viewer);
    let contents = read(&path).unwrap();
    assert_eq!(contents.n_rows("/world/crane1/scan"), 4);
    assert_eq!(contents.n_rows("/latency/crane1/fuse"), 20);
}

#[test]
fn numbers_that_are_none_are_counted_and_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let target = ViewerTarget::File(folder.path().join("run.rrd"));
    let viewer = Viewer::open(&target, &config()).unwrap();
    viewer
        .at(&agent(), Stamp::ZERO)
        .scan(Pose2::new(f64::NAN, 0.0, 0.0), &scan(1.0));
    assert_eq!(
        viewer.counts(),
        ViewerCounts {
            failed: 1,
            ..ViewerCounts::default()
        }
    );
}

#[test]
fn a_viewer_that_is_off_counts_nothing() {
    let viewer = Viewer::open(&ViewerTarget::Off, &config()).unwrap();
    assert!(viewer.is_off());
    draw_all(&viewer, 2);
    assert_eq!(viewer.counts(), ViewerCounts::default());
    assert_eq!(viewer.flush(Duration::ZERO), FlushOutcome::Done);
}
