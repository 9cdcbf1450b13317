//! What is sent is what comes, and what must not be sent or read is refused.

#[path = "sample/sample.rs"]
mod sample;

use std::borrow::Cow;
use std::time::Duration;

use proptest::prelude::*;
use sedge_oni::{
    BeliefReport, Command, CommandStep, DecodeError, Envelope, Forecast, Goal, HeaderError,
    InvalidMessage, LatencyReport, LedgerEntry, Lidar, Message, MessageBuilder, Odometry,
    PayloadOrigin, RangeBearing, SchemaMismatch, Severity, Stop, TensorError, TypedMessage,
    check_schema, schemas,
};
use sedge_spacetime::{Pose2, Stamp, Twist2};

/// Sends and receives, and checks that the content and the header come back.
macro_rules! assert_round_trip {
    ($content:expr, $envelope:expr) => {
        let (content, envelope): (_, Envelope) = ($content, $envelope);
        let sent = content.to_message(envelope.clone()).unwrap();
        let encoded = sent.encode().unwrap();
        let came = encoded.decode().unwrap();
        assert_eq!(came.header(), sent.header());
        assert_eq!(came.envelope(), &envelope);
        assert_eq!(TypedMessage::from_message(&came), Ok(content.clone()));
        let frame = encoded.to_frame();
        let (framed, used) = Message::from_frame(&frame).unwrap();
        assert_eq!(used, frame.len());
        assert_eq!(framed.header(), sent.header());
        assert_eq!(TypedMessage::from_message(&framed), Ok(content));
    };
}

#[test]
fn every_type_comes_back_as_it_was_sent() {
    assert_round_trip!(sample::lidar(), sample::envelope());
    assert_round_trip!(sample::odometry(), sample::envelope());
    assert_round_trip!(sample::command(), sample::envelope());
    assert_round_trip!(Command::default(), sample::envelope());
    assert_round_trip!(sample::belief(), sample::modelled());
    let no_latent = BeliefReport {
        latent: Cow::default(),
        ..sample::belief()
    };
    assert_round_trip!(no_latent, sample::envelope());
    assert_round_trip!(sample::forecast(), sample::modelled());
    assert_round_trip!(sample::latency(), sample::envelope());
    assert_round_trip!(LatencyReport::default(), sample::envelope());
    assert_round_trip!(sample::imu(), sample::envelope());
    assert_round_trip!(sample::depth(), sample::envelope());
    assert_round_trip!(sample::camera(), sample::envelope());
    assert_round_trip!(sample::range_bearing(), sample::envelope());
    assert_round_trip!(RangeBearing::default(), sample::envelope());
    assert_round_trip!(sample::latent_state(), sample::modelled());
    assert_round_trip!(sample::goal(), sample::envelope());
    assert_round_trip!(Goal::default(), sample::modelled());
    assert_round_trip!(sample::stop(), sample::envelope());
    assert_round_trip!(sample::health(), sample::envelope());
    assert_round_trip!(sample::manifest(), sample::modelled());
    for severity in Severity::ALL {
        let stop = Stop {
            severity,
            ..sample::stop()
        };
        assert_round_trip!(stop, sample::envelope());
    }
}

proptest! {
    #[test]
    fn any_scan_round_trips(
        ranges in proptest::collection::vec(0.0..100.0f32, 1..400),
        first in -4.0..4.0f64,
        step in 1e-4..0.1f64,
    ) {
        let scan = Lidar { first_angle_rad: first, step_rad: step, ranges_m: ranges.into() };
        assert_round_trip!(scan, sample::envelope());
    }

    #[test]
    fn any_command_round_trips(
        steps in proptest::collection::vec((0..u64::MAX / 4, -9.0..9.0f64, -9.0..9.0f64), 0..50),
    ) {
        let step = |(nanos, vx_mps, yaw_rate_radps)| CommandStep {
            duration: Duration::from_nanos(nanos),
            twist: Twist2 { vx_mps, vy_mps: 0.0, yaw_rate_radps },
        };
        let command = Command { steps: steps.into_iter().map(step).collect() };
        assert_round_trip!(command, sample::envelope());
    }

    #[test]
    fn any_header_round_trips(
        epoch: u64, sequence: u64, nanos: i64, error: u64, deadline in 1..u64::MAX,
    ) {
        let mut envelope = sample::envelope();
        envelope.source.epoch = epoch;
        envelope.source.sequence = sequence;
        envelope.capture.stamp = Stamp::from_nanos(nanos);
        envelope.capture.error = Duration::from_nanos(error);
        envelope.deadline = Some(Duration::from_nanos(deadline));
        assert_round_trip!(sample::odometry(), envelope);
    }
}

#[test]
fn an_unaligned_payload_is_copied_once_and_an_aligned_one_is_not() {
    let encoded = sample::lidar()
        .to_message(sample::envelope())
        .unwrap()
        .encode()
        .unwrap();
    let came = encoded.decode().unwrap();
    assert_eq!(came.origin(), PayloadOrigin::InPlace);
    assert!(matches!(
        Lidar::from_message(&came).unwrap().ranges_m,
        Cow::Borrowed(_)
    ));

    let mut shifted = vec![0; encoded.payload().len() + 8];
    let aligned = shifted.as_ptr().align_offset(8);
    shifted[aligned + 1..][..encoded.payload().len()].copy_from_slice(encoded.payload());
    let payload = &shifted[aligned + 1..][..encoded.payload().len()];
    let came = Message::decode(encoded.header(), payload).unwrap();
    assert_eq!(came.origin(), PayloadOrigin::Copied);
    assert_eq!(Lidar::from_message(&came), Ok(sample::lidar()));
}

#[test]
fn numbers_that_no_sensor_gives_are_refused_on_both_sides() {
    let check = |scan: Lidar<'_>, tensor: &str, finite: bool| {
        let refused = |error: InvalidMessage| match error {
            InvalidMessage::NotFinite { tensor: name, .. } => name == tensor && !finite,
            InvalidMessage::OutOfRange { tensor: name, .. } => name == tensor && finite,
            _ => false,
        };
        assert!(
            refused(scan.to_message(sample::envelope()).unwrap_err()),
            "sent {scan:?}"
        );
        // A sender that does not check: the reader must.
        let message = MessageBuilder::new(Lidar::schema().id.clone(), sample::envelope())
            .tensor("first_angle_rad", &[1], &[scan.first_angle_rad])
            .and_then(|builder| builder.tensor("step_rad", &[1], &[scan.step_rad]))
            .and_then(|builder| builder.tensor("ranges_m", &[scan.ranges_m.len()], &scan.ranges_m));
        let message = message.unwrap().build();
        assert!(
            refused(Lidar::from_message(&message).unwrap_err()),
            "read {scan:?}"
        );
    };
    let with_range = |range: f32| Lidar {
        ranges_m: vec![1.0, range].into(),
        ..sample::lidar()
    };
    check(with_range(f32::NAN), "ranges_m", false);
    check(with_range(f32::INFINITY), "ranges_m", false);
    check(with_range(-0.5), "ranges_m", true);
    check(
        Lidar {
            step_rad: 0.0,
            ..sample::lidar()
        },
        "step_rad",
        true,
    );
    check(
        Lidar {
            first_angle_rad: f64::NAN,
            ..sample::lidar()
        },
        "first_angle_rad",
        false,
    );
}

#[test]
fn odometry_and_commands_that_are_no_numbers_are_refused() {
    let pose = Pose2::new(f64::NEG_INFINITY, 0.0, 0.0);
    let odometry = Odometry {
        odometry_from_base: pose,
        ..sample::odometry()
    };
    let error = odometry.to_message(sample::envelope()).unwrap_err();
    assert!(matches!(error, InvalidMessage::NotFinite { .. }), "{error}");
    let mut command = sample::command();
    command.steps[1].twist.vy_mps = f64::NAN;
    let error = command.to_message(sample::envelope()).unwrap_err();
    assert!(
        matches!(error, InvalidMessage::NotFinite { index: 4, .. }),
        "{error}"
    );
}

#[test]
fn an_empty_scan_and_uneven_forecasts_are_refused() {
    let empty = Lidar {
        ranges_m: Cow::default(),
        ..sample::lidar()
    };
    let error = empty.to_message(sample::envelope()).unwrap_err();
    assert!(matches!(error, InvalidMessage::Empty { .. }), "{error}");

    let mut uneven = sample::forecast();
    uneven.horizons[1].mode_m = vec![1.0; 3].into();
    assert!(uneven.to_message(sample::modelled()).is_err());
    let none = Forecast {
        horizons: Vec::new(),
        ..sample::forecast()
    };
    assert!(none.to_message(sample::modelled()).is_err());
}

#[test]
fn shapes_that_do_not_agree_across_tensors_are_refused() {
    let message = MessageBuilder::new(Command::schema().id.clone(), sample::envelope())
        .tensor("durations_nanos", &[2], &[1i64, 2])
        .and_then(|builder| builder.tensor("twists", &[1, 3], &[0.0f64; 3]))
        .unwrap()
        .build();
    let error = Command::from_message(&message).unwrap_err();
    assert!(
        matches!(
            error,
            InvalidMessage::Dimension {
                expected: 2,
                got: 1,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_prediction_names_its_model_and_a_sensor_does_not() {
    let error = sample::forecast()
        .to_message(sample::envelope())
        .unwrap_err();
    assert!(matches!(error, InvalidMessage::ModelHash { .. }), "{error}");
    let error = sample::lidar().to_message(sample::modelled()).unwrap_err();
    assert!(matches!(error, InvalidMessage::ModelHash { .. }), "{error}");
}

#[test]
fn what_is_no_covariance_is_refused() {
    let mut rows = [0.0; 9];
    rows[1] = 1.0;
    let message = MessageBuilder::new(BeliefReport::schema().id.clone(), sample::envelope())
        .tensor("pose", &[3], &[0.0f64; 3])
        .and_then(|builder| builder.tensor("covariance", &[3, 3], &rows))
        .and_then(|builder| builder.tensor("latent", &[0], &[0f32; 0]))
        .unwrap()
        .build();
    let error = BeliefReport::from_message(&message).unwrap_err();
    assert!(
        matches!(error, InvalidMessage::Covariance { .. }),
        "{error}"
    );
}

#[test]
fn stage_names_that_would_break_the_list_are_refused() {
    for name in ["", "two\nlines", "a space", "é"] {
        let mut report = sample::latency();
        report.stages[0].stage = name.to_string();
        let error = report.to_message(sample::envelope()).unwrap_err();
        assert!(
            matches!(error, InvalidMessage::Text { .. }),
            "{name:?}: {error}"
        );
    }
}

#[test]
fn a_rung_that_is_none_of_the_ladder_is_refused() {
    for (rung, n_rungs) in [(2, 2), (0, 0), (usize::MAX, 1)] {
        let mut report = sample::latency();
        let ladder = report.ladder.as_mut().unwrap();
        ladder.rungs.truncate(n_rungs);
        ladder.rung = rung;
        let error = report.to_message(sample::envelope()).unwrap_err();
        assert!(
            matches!(error, InvalidMessage::OutOfRange { .. }),
            "{rung} of {n_rungs}: {error}"
        );
    }
}

#[test]
fn latency_of_a_sender_of_1_0_reads_as_no_budgets_and_no_ladder() {
    let frame = include_bytes!("../../../schemas/oni/golden/valid/schema.older-minor.oni");
    let (message, _) = Message::from_frame(frame).unwrap();
    assert_eq!(message.header().schema.minor, 0);
    let report = LatencyReport::from_message(&message).unwrap();
    let mut expected = sample::latency();
    expected.ladder = None;
    let fuse = &mut expected.stages[1];
    (fuse.budget_nanos, fuse.missed, fuse.missed_in_a_row_max) = (0, 0, 0);
    assert_eq!(report, expected);
}

#[test]
fn same_major_and_a_superset_of_tensors_is_compatible_and_nothing_else() {
    let mut id = Odometry::schema().id.clone();
    let build = |id: &sedge_oni::SchemaId, tensors: &[&str]| {
        let mut builder = MessageBuilder::new(id.clone(), sample::envelope());
        for name in tensors {
            builder = builder.tensor(name, &[3], &[0.0f64; 3]).unwrap();
        }
        builder.build()
    };
    (id.minor, id.hash) = (1, [1; 16]);
    let newer = build(&id, &["pose", "twist", "acceleration"]);
    assert_eq!(check_schema(newer.header()), Ok(()));
    assert!(Odometry::from_message(&newer).is_ok());
    let error = check_schema(build(&id, &["pose"]).header()).unwrap_err();
    assert!(
        matches!(error, SchemaMismatch::OtherTensor { .. }),
        "{error}"
    );

    (id.major, id.minor) = (2, 0);
    let error = check_schema(build(&id, &["pose", "twist"]).header()).unwrap_err();
    let text = error.to_string();
    let ours = Odometry::schema().id.to_string();
    assert!(
        text.contains(&ours) && text.contains(&id.to_string()),
        "{text}"
    );

    (id.major, id.minor) = (1, 0);
    let error = check_schema(build(&id, &["pose", "twist"]).header()).unwrap_err();
    assert!(matches!(error, SchemaMismatch::OtherHash { .. }), "{error}");
    id.name = "sensor.sonar".to_string();
    let error = check_schema(build(&id, &["pose", "twist"]).header()).unwrap_err();
    assert!(matches!(error, SchemaMismatch::Unknown { .. }), "{error}");
    let scan = sample::lidar().to_message(sample::envelope()).unwrap();
    let error = Odometry::from_message(&scan).unwrap_err();
    assert!(
        matches!(
            error,
            InvalidMessage::Schema(SchemaMismatch::OtherType { .. })
        ),
        "{error}"
    );
}

#[test]
fn each_rust_type_writes_the_tensors_of_its_schema_and_no_others() {
    let messages = sample::all();
    assert_eq!(messages.len(), schemas().len());
    for (message, schema) in messages.iter().zip(schemas()) {
        assert_eq!(message.header().schema, schema.id);
        let mut written: Vec<&str> = message
            .header()
            .tensors
            .iter()
            .map(|tensor| &*tensor.name)
            .collect();
        let mut required: Vec<&str> = schema
            .tensors
            .iter()
            .map(|rule| rule.name.as_str())
            .collect();
        written.sort_unstable();
        required.sort_unstable();
        assert_eq!(written, required, "{}", schema.id);
    }
}

#[test]
fn headers_that_break_a_rule_are_neither_written_nor_read() {
    let encode = |change: fn(&mut Envelope)| {
        let mut message = sample::odometry().to_message(sample::envelope()).unwrap();
        change(message.envelope_mut());
        message.encode().unwrap_err()
    };
    assert!(matches!(
        encode(|e| e.capture.clock = String::new()),
        HeaderError::Text { .. }
    ));
    assert_eq!(LedgerEntry::new(&"x".repeat(65), 1), None);
    assert!(matches!(
        encode(|e| e.deadline = Some(Duration::MAX)),
        HeaderError::Duration { .. }
    ));
    let many = |e: &mut Envelope| e.ledger = vec![e.ledger[0]; 65];
    assert!(matches!(encode(many), HeaderError::TooMany { .. }));
    let zero = |e: &mut Envelope| e.trace.as_mut().unwrap().trace_id = [0; 16];
    assert!(matches!(encode(zero), HeaderError::ZeroId { .. }));
    assert!(matches!(
        Message::decode(&vec![0; 70_000], &[]).unwrap_err(),
        DecodeError::Header(HeaderError::TooLong { got: 70_000 })
    ));
}

#[test]
fn builders_keep_the_rules_of_decoders() {
    let builder = || MessageBuilder::new(Odometry::schema().id.clone(), sample::envelope());
    let refused = |name: &str, shape: &[usize]| {
        builder()
            .tensor(name, shape, &[0.0f64; 4])
            .err()
            .unwrap_or_else(|| panic!("{name}"))
    };
    assert!(matches!(refused("Capital", &[4]), TensorError::Name { .. }));
    assert!(matches!(
        refused("a", &[5]),
        TensorError::Length {
            expected: 40,
            got: 32,
            ..
        }
    ));
    assert!(matches!(
        refused("a", &[1 << 62, 1 << 62]),
        TensorError::TooLarge { .. }
    ));
    assert!(matches!(
        refused("a", &[1, 1, 1, 1, 1, 1, 1, 1, 4]),
        TensorError::Rank { .. }
    ));
    let twice = builder()
        .tensor("a", &[1], &[0u8])
        .and_then(|b| b.tensor("a", &[1], &[0u8]));
    assert!(matches!(twice, Err(TensorError::SameName { .. })));
}
