//! One message of each type, for the tests that need bytes.

use std::time::Duration;

use nalgebra::Matrix3;
use sedge_oni::{
    BeliefReport, Camera, Capture, Command, CommandStep, Depth, Direction, DropCount, Envelope,
    Forecast, Goal, Health, HealthState, Imu, Key, KeyCounts, KeyPattern, LadderReport,
    LatencyReport, LatentState, LatentStep, LedgerEntry, Lidar, Manifest, Measured, Message,
    Neighbour, Odometry, Pinhole, PixelFormat, RangeBearing, RungLatency, ScanForecast,
    SchemaDocument, Sequence, Severity, StageLatency, Stop, Stream, TraceContext, TypedMessage,
    Validity, Waypoint, schema_documents,
};
use sedge_spacetime::{AgentName, Covariance2, FrameName, Pose2, Stamp, Twist2};

pub(crate) fn agent(name: &str) -> AgentName {
    AgentName::new(name).expect("a valid sample")
}

pub(crate) fn envelope() -> Envelope {
    let mut sequence = Sequence::new(agent("crane3"), 7_000);
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
        ledger: vec![LedgerEntry::new("encode", 1_500).expect("a valid sample")],
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

pub(crate) fn imu() -> Imu<'static> {
    Imu {
        offsets_nanos: vec![0, 5_000_000].into(),
        angular_velocity: vec![[0.0, 0.0, 0.125], [0.0, -0.5, 0.25]].into(),
        linear_acceleration: vec![[0.25, 0.0, 9.75], [0.5, 0.0, 9.875]].into(),
    }
}

pub(crate) fn pinhole() -> Pinhole {
    Pinhole {
        focal_px: [320.5, 320.0],
        centre_px: [1.0, 0.5],
    }
}

pub(crate) fn depth() -> Depth<'static> {
    Depth {
        n_columns: 3,
        depth_ticks: vec![0, 1_000, 2_000, 3_000, 4_000, 65_535].into(),
        metres_per_tick: 0.000_976_562_5,
        pinhole: pinhole(),
    }
}

pub(crate) fn camera() -> Camera<'static> {
    Camera {
        n_columns: 2,
        format: PixelFormat::Rgb8,
        pixels: vec![255, 0, 0, 0, 255, 0, 0, 0, 255, 8, 16, 32].into(),
        pinhole: Some(pinhole()),
    }
}

pub(crate) fn range_bearing() -> RangeBearing {
    let measured = |value, sigma| Some(Measured { value, sigma });
    let neighbour = |name, range_m, bearing_rad| Neighbour {
        name: agent(name),
        range_m,
        bearing_rad,
    };
    RangeBearing {
        neighbours: vec![
            neighbour("crane4", measured(4.5, 0.125), measured(-0.75, 0.0625)),
            neighbour("heron-1", measured(12.0, 0.25), None),
            neighbour("heron-2", None, measured(1.5, 0.5)),
        ],
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

pub(crate) fn latent_state() -> LatentState<'static> {
    let step = |millis, validity| LatentStep {
        horizon: Duration::from_millis(millis),
        validity,
    };
    LatentState {
        steps: vec![step(0, Validity::Unsettled), step(250, Validity::Valid)],
        latent: vec![0.0, -127.0, 63.0, 1.0, 2.0, -3.0].into(),
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

pub(crate) fn goal() -> Goal {
    let waypoint = |x_m, deadline| Waypoint {
        goal_from_base: Pose2::new(x_m, -2.0, 1.5),
        position_tolerance_m: 0.25,
        yaw_tolerance_rad: 4.0,
        deadline,
    };
    Goal {
        agents: vec![agent("crane3"), agent("crane4")],
        waypoints: vec![
            waypoint(1.0, None),
            waypoint(2.5, Some(Duration::from_secs(30))),
        ],
    }
}

pub(crate) fn stop() -> Stop<'static> {
    Stop {
        agents: vec![agent("crane3")],
        severity: Severity::Stop,
        reason: "a person in the aisle, 2 m ahead – halt".into(),
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
        budget_nanos: 0,
        missed: 0,
        missed_in_a_row_max: 0,
    };
    let budgeted = StageLatency {
        budget_nanos: 700_000,
        missed: 2,
        missed_in_a_row_max: 1,
        ..stage("fuse", 250_000)
    };
    let rung = |name: &str, cost_nanos, plans| RungLatency {
        name: name.to_string(),
        cost_nanos,
        plans,
    };
    LatencyReport {
        stages: vec![stage("decode", 10_000), budgeted],
        received: 2_000,
        lost: 3,
        duplicated: 1,
        ladder: Some(LadderReport {
            rungs: vec![rung("full", 9_000_000, 900), rung("last-plan", 0, 100)],
            rung: 1,
            changes: 3,
        }),
    }
}

pub(crate) fn health() -> Health<'static> {
    let key = |text| Key::parse(text).expect("a valid sample");
    let scans = key("oni/flock/crane3/sensor.lidar/front");
    let drop = |place: &str, reason: &str, count| DropCount {
        key: scans.clone(),
        place: place.to_string(),
        reason: reason.to_string(),
        count,
    };
    let counts = |key, received, lost| KeyCounts {
        key,
        received,
        lost,
        duplicated: 2,
        reordered: 1,
        restarts: 0,
    };
    Health {
        state: HealthState::Degraded,
        detail: "3 of 4 sensors".into(),
        uptime: Duration::from_hours(1),
        keys: vec![
            counts(scans.clone(), 1_000, 12),
            counts(key("oni/flock/crane4/model.belief/main"), 500, 0),
        ],
        drops: vec![drop("queue", "full", 10), drop("reader", "expired", 2)],
        drops_unlisted: 0,
    }
}

pub(crate) fn manifest() -> Manifest<'static> {
    let stream = |key: &str, direction, schema: &sedge_oni::Schema, qos_class: &str| Stream {
        key: KeyPattern::parse(key).expect("a valid sample"),
        direction,
        schema: schema.id.clone(),
        qos_class: qos_class.to_string(),
        rate_hz: 12.5,
    };
    let scans = stream(
        "oni/flock/*/sensor.lidar/**",
        Direction::Subscribe,
        Lidar::schema(),
        "state",
    );
    let beliefs = stream(
        "oni/flock/crane3/model.belief/main",
        Direction::Publish,
        BeliefReport::schema(),
        "belief",
    );
    Manifest {
        software: "sedge 0.1.0".into(),
        streams: vec![scans, beliefs],
    }
}

pub(crate) fn schema_document() -> SchemaDocument {
    let mut documents = schema_documents().into_iter();
    let lidar = documents.find(|document| document.schema().id.name == "sensor.lidar");
    lidar.expect("a valid sample")
}

/// A message of each type, in the order of their schemas' names.
pub(crate) fn all() -> Vec<Message<'static>> {
    let plain = envelope;
    vec![
        message(&command(), plain()),
        message(&manifest(), modelled()),
        message(&schema_document(), plain()),
        message(&stop(), plain()),
        message(&goal(), plain()),
        message(&belief(), modelled()),
        message(&latent_state(), modelled()),
        message(&forecast(), modelled()),
        message(&camera(), plain()),
        message(&depth(), plain()),
        message(&imu(), plain()),
        message(&lidar(), plain()),
        message(&odometry(), plain()),
        message(&range_bearing(), plain()),
        message(&health(), plain()),
        message(&latency(), plain()),
    ]
}

fn message<'a, T: TypedMessage<'a>>(content: &T, envelope: Envelope) -> Message<'static> {
    content.to_message(envelope).expect("a valid sample")
}
