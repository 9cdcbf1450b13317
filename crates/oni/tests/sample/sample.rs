//! One message of each type, for the tests that need bytes.

use std::time::Duration;

use nalgebra::Matrix3;
use sedge_oni::{
    BeliefReport, Capture, Command, CommandStep, Envelope, Forecast, LatencyReport, LedgerEntry,
    Lidar, Message, Odometry, ScanForecast, Sequence, StageLatency, TraceContext,
    TypedMessage as _,
};
use sedge_spacetime::{AgentName, Covariance2, FrameName, Pose2, Stamp, Twist2};

pub(crate) fn envelope() -> Envelope {
    let mut sequence = Sequence::new(AgentName::new("crane3").expect("a valid sample"), 7_000);
    sequence.next_source();
    let stamp = Stamp::from_nanos(1_234_567_890_123);
    let capture = Capture {
        error: Duration::from_micros(50),
        ..Capture::exact(stamp, "log")
    };
    Envelope {
        frame: Some(FrameName::new("scanner").expect("a valid sample")),
        trace: Some(TraceContext {
            trace_id: [0xab; 16],
            span_id: [0xcd; 8],
        }),
        deadline: Some(Duration::from_millis(10)),
        lifespan: Some(Duration::from_millis(500)),
        ledger: vec![LedgerEntry {
            stage: "encode".to_string(),
            nanos: 1_500,
        }],
        ..Envelope::new(sequence.next_source(), capture)
    }
}

pub(crate) fn modelled() -> Envelope {
    Envelope {
        model_hash: Some([0x5a; 32]),
        ..envelope()
    }
}

pub(crate) fn lidar() -> Lidar<'static> {
    let ranges_m: Vec<f32> = (0..5).map(|beam| 0.5 * beam as f32).collect();
    Lidar {
        first_angle_rad: -1.5,
        step_rad: 0.25,
        ranges_m: ranges_m.into(),
    }
}

pub(crate) fn odometry() -> Odometry {
    Odometry {
        odometry_from_base: Pose2::new(1.5, -2.25, 0.5),
        twist: Twist2 {
            vx_mps: 0.75,
            vy_mps: 0.0,
            yaw_rate_radps: -0.125,
        },
    }
}

pub(crate) fn command() -> Command {
    let step = |millis, vx_mps| CommandStep {
        duration: Duration::from_millis(millis),
        twist: Twist2 {
            vx_mps,
            vy_mps: 0.0,
            yaw_rate_radps: 0.25,
        },
    };
    Command {
        steps: vec![step(100, 0.5), step(200, 0.75), step(0, -1.0)],
    }
}

pub(crate) fn covariance() -> Covariance2 {
    let matrix = Matrix3::new(0.25, 0.125, 0.0, 0.125, 0.5, 0.0, 0.0, 0.0, 0.0625);
    Covariance2::new(matrix).expect("a valid sample")
}

pub(crate) fn belief() -> BeliefReport<'static> {
    BeliefReport {
        world_from_scanner: Pose2::new(3.0, 4.0, -0.5),
        covariance: covariance(),
        latent: vec![-1.0, 0.5, 2.0].into(),
    }
}

pub(crate) fn forecast() -> Forecast<'static> {
    let at = |millis: u64| {
        let table = |offset: f32| {
            (0..4)
                .map(|beam| beam as f32 + offset)
                .collect::<Vec<_>>()
                .into()
        };
        ScanForecast {
            horizon: Duration::from_millis(millis),
            motion: Pose2::new(millis as f64 * 0.001, 0.0, 0.125),
            covariance: covariance(),
            mean_m: table(0.5),
            least_error_m: table(0.25),
            mode_m: table(0.125),
            low_m: table(0.0),
            high_m: table(1.0),
            hit_probability: vec![0.0, 0.25, 0.5, 1.0].into(),
        }
    };
    Forecast {
        first_angle_rad: -1.5,
        step_rad: 0.5,
        horizons: vec![at(500), at(1_000)],
    }
}

pub(crate) fn latency() -> LatencyReport {
    let stage = |stage: &str, nanos: u64| StageLatency {
        stage: stage.to_string(),
        count: 1_000,
        p50_nanos: nanos,
        p99_nanos: 2 * nanos,
        p999_nanos: 3 * nanos,
        max_nanos: 4 * nanos,
    };
    LatencyReport {
        stages: vec![stage("decode", 10_000), stage("fuse", 250_000)],
        received: 2_000,
        lost: 3,
        duplicated: 1,
    }
}

/// A message of each type, in the order of their schemas' names.
pub(crate) fn all() -> Vec<Message<'static>> {
    vec![
        command().to_message(envelope()).expect("a valid sample"),
        belief().to_message(modelled()).expect("a valid sample"),
        forecast().to_message(modelled()).expect("a valid sample"),
        lidar().to_message(envelope()).expect("a valid sample"),
        odometry().to_message(envelope()).expect("a valid sample"),
        latency().to_message(envelope()).expect("a valid sample"),
    ]
}
