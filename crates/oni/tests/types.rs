//! What each message type is beyond its round trip: read in place, refused by its writer, served.

#![expect(
    clippy::unwrap_used,
    reason = "these are tests, functions beside them included"
)]

#[path = "sample/sample.rs"]
mod sample;

use std::borrow::Cow;

use sedge_oni::{
    Camera, Depth, Direction, ErrorCode, Imu, LatentState, Message, Neighbour, PixelFormat,
    SchemaDocument, Stop, TypedMessage, schema_documents, schemas,
};

#[test]
fn a_schema_alone_takes_what_its_type_writes() {
    for (message, schema) in sample::all().iter().zip(schemas()) {
        assert_eq!(schema.validate(message), Ok(()), "{}", schema.id);
    }
}

#[test]
fn every_schema_can_be_served_and_read() {
    let documents = schema_documents();
    assert_eq!(documents.len(), schemas().len());
    for (document, schema) in documents.into_iter().zip(schemas()) {
        assert_eq!(document.schema(), schema);
        let hash = blake3::hash(document.canonical().as_bytes());
        assert_eq!(schema.id.hash, hash.as_bytes()[..16]);
        let message = document.to_message(sample::envelope()).unwrap();
        let encoded = message.encode().unwrap();
        let came = encoded.decode().unwrap();
        assert_eq!(SchemaDocument::from_message(&came), Ok(document));
    }
}

#[test]
fn large_tensors_are_read_where_they_lie() {
    let encode = |message: Message<'_>| message.encode().unwrap();
    let imu = encode(sample::imu().to_message(sample::envelope()).unwrap());
    let imu = imu.decode().unwrap();
    let imu = Imu::from_message(&imu).unwrap();
    assert!(matches!(imu.angular_velocity, Cow::Borrowed(_)));
    assert!(matches!(imu.linear_acceleration, Cow::Borrowed(_)));
    assert!(matches!(imu.offsets_nanos, Cow::Borrowed(_)));
    let depth = encode(sample::depth().to_message(sample::envelope()).unwrap());
    let depth = depth.decode().unwrap();
    assert!(matches!(
        Depth::from_message(&depth).unwrap().depth_ticks,
        Cow::Borrowed(_)
    ));
    let camera = encode(sample::camera().to_message(sample::envelope()).unwrap());
    let camera = camera.decode().unwrap();
    assert!(matches!(
        Camera::from_message(&camera).unwrap().pixels,
        Cow::Borrowed(_)
    ));
    let latent = encode(
        sample::latent_state()
            .to_message(sample::modelled())
            .unwrap(),
    );
    let latent = latent.decode().unwrap();
    assert!(matches!(
        LatentState::from_message(&latent).unwrap().latent,
        Cow::Borrowed(_)
    ));
    let stop = encode(sample::stop().to_message(sample::envelope()).unwrap());
    let stop = stop.decode().unwrap();
    assert!(matches!(
        Stop::from_message(&stop).unwrap().reason,
        Cow::Borrowed(_)
    ));
}

/// What a writer refuses to send, by its code.
fn refusal<'a>(content: &impl TypedMessage<'a>) -> ErrorCode {
    let error = content.to_message(sample::modelled()).unwrap_err();
    assert!(error.to_string().len() < 400, "an error is a line: {error}");
    error.code()
}

/// As [`refusal`], for a sensor, whose header names no model.
fn sensor_refusal<'a>(content: &impl TypedMessage<'a>) -> ErrorCode {
    content.to_message(sample::envelope()).unwrap_err().code()
}

#[test]
fn a_writer_of_measurements_refuses_what_a_reader_would() {
    let mut imu = sample::imu();
    imu.offsets_nanos = vec![5, 4].into();
    assert_eq!(sensor_refusal(&imu), ErrorCode::OUT_OF_RANGE);
    imu.offsets_nanos = vec![0, 1, 2].into();
    assert_eq!(sensor_refusal(&imu), ErrorCode::DIMENSION_MISMATCH);
    let mut depth = sample::depth();
    depth.n_columns = 4;
    assert_eq!(
        sensor_refusal(&depth),
        ErrorCode::TENSOR_LENGTH,
        "6 pixels in rows of 4"
    );
    depth.n_columns = 0;
    assert_eq!(sensor_refusal(&depth), ErrorCode::TENSOR_LENGTH);
    let mut camera = sample::camera();
    camera.format = PixelFormat::Gray8;
    camera.n_columns = usize::MAX;
    assert_eq!(sensor_refusal(&camera), ErrorCode::TENSOR_TOO_LARGE);
    let mut seen = sample::range_bearing();
    seen.neighbours.push(Neighbour {
        name: sample::agent("nobody"),
        range_m: None,
        bearing_rad: None,
    });
    assert_eq!(
        sensor_refusal(&seen),
        ErrorCode::OUT_OF_RANGE,
        "nothing was measured"
    );
    seen.neighbours.pop();
    seen.neighbours.extend(seen.neighbours.clone());
    assert_eq!(
        sensor_refusal(&seen),
        ErrorCode::BAD_TEXT,
        "each of them twice"
    );
}

#[test]
fn a_writer_of_thoughts_and_orders_refuses_what_a_reader_would() {
    let mut latent = sample::latent_state();
    latent.steps.reverse();
    assert_eq!(refusal(&latent), ErrorCode::OUT_OF_RANGE);
    latent.steps.reverse();
    latent.latent = vec![0.0; 7].into();
    assert_eq!(
        refusal(&latent),
        ErrorCode::TENSOR_LENGTH,
        "7 numbers in 2 rows"
    );
    latent.steps.clear();
    latent.latent = Cow::default();
    assert_eq!(refusal(&latent), ErrorCode::EMPTY_TENSOR);
    let mut goal = sample::goal();
    goal.waypoints[0].position_tolerance_m = 0.0;
    assert_eq!(refusal(&goal), ErrorCode::OUT_OF_RANGE);
    let mut stop = sample::stop();
    for reason in [
        "two\nlines".to_string(),
        "x".repeat(1_025),
        "\u{9b}".to_string(),
    ] {
        stop.reason = reason.into();
        assert_eq!(refusal(&stop), ErrorCode::BAD_TEXT);
    }
    let mut health = sample::health();
    health.drops[0].place = "in the queue".to_string();
    assert_eq!(sensor_refusal(&health), ErrorCode::BAD_TEXT);
    let mut manifest = sample::manifest();
    manifest.streams[0].direction = Direction::Publish;
    assert_eq!(
        refusal(&manifest),
        ErrorCode::BAD_TEXT,
        "published on a pattern"
    );
}

#[test]
fn a_goal_and_a_stop_without_names_are_for_everybody() {
    let (one, other) = (sample::agent("crane3"), sample::agent("heron"));
    let (mut goal, mut stop) = (sample::goal(), sample::stop());
    assert!(goal.is_for(&one) && stop.is_for(&one));
    assert!(!goal.is_for(&other) && !stop.is_for(&other));
    goal.agents.clear();
    stop.agents.clear();
    assert!(goal.is_for(&other) && stop.is_for(&other));
}

#[test]
fn a_served_schema_is_hashed_by_its_reader() {
    let lidar = sample::schema_document();
    let changed = lidar.canonical().replace("\"minimum\":0", "\"minimum\":1");
    let document = SchemaDocument::of_file(&changed).unwrap();
    assert_ne!(document.schema().id.hash, lidar.schema().id.hash);
    let error = lidar.schema().check_sender(document.schema()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::OTHER_HASH);
    let text = error.to_string();
    assert!(text.contains("tensor \"ranges_m\""), "{text}");
    assert!(text.contains(&document.schema().id.to_string()), "{text}");
    assert!(text.contains(&lidar.schema().id.to_string()), "{text}");
}
