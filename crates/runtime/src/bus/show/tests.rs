use super::*;
use crate::bus::test_messages::{KEY, encoded, lidar, lidar_message, received};
use sedge_oni::{AlignedBytes, EncodedMessage};

#[test]
fn a_scan_is_shown_with_its_header_and_the_ends_of_its_ranges() {
    let message = encoded(|header| {
        header.envelope.lifespan = Some(std::time::Duration::from_millis(100));
    });
    let shown = show(&received(KEY, message, 0), Detail::Brief);
    // Sizes and the schema's hash change with the format, which has tests of its own.
    let stable: Vec<&str> = shown
        .lines()
        .filter(|line| !line.contains("schema"))
        .collect();
    assert!(stable[0].starts_with(&format!("{KEY}  #0 of crane3, epoch 9, ")));
    assert_eq!(
        stable[1..],
        [
            "  captured  0.000000005 s on clock robot, within 0ns",
            "  with      lifespan 100ms",
            "  first_angle_rad: f64 [1] -1.5",
            "  step_rad: f64 [1] 0.25",
            "  ranges_m: f32 [12] 1 1.25 1.5 .. 3.75 (from 1 to 3.75)",
        ]
    );
}

#[test]
fn full_detail_leaves_nothing_out() {
    let shown = show(&received(KEY, lidar(1), 0), Detail::Full);
    let ranges = shown
        .lines()
        .find(|line| line.contains("ranges_m"))
        .unwrap();
    assert_eq!(ranges.split(' ').filter(|word| *word == "..").count(), 0);
    assert!(
        ranges.ends_with("1 1.25 1.5 1.75 2 2.25 2.5 2.75 3 3.25 3.5 3.75"),
        "{ranges}"
    );
}

#[test]
fn a_schema_that_does_not_fit_is_said_beside_the_message() {
    let other = encoded(|header| header.schema.hash = [7; 16]);
    let shown = show(&received(KEY, other, 0), Detail::Brief);
    assert!(
        shown.contains("refused   one version with two contents"),
        "{shown}"
    );
    assert!(shown.contains("ranges_m"), "{shown}");
}

#[test]
fn what_is_no_message_is_shown_with_the_reason_and_its_bytes() {
    let nonsense = EncodedMessage::new([0xff; 3], AlignedBytes::copy_of(&[0xab; 300]));
    let shown = show(&received(KEY, nonsense.clone(), 0), Detail::Brief);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], format!("{KEY}, 3 + 300 bytes"));
    assert!(
        lines[1].starts_with("  malformed: expected an ONI header"),
        "{shown}"
    );
    assert_eq!(lines[2], "  header       0  ffffff");
    assert_eq!(*lines.last().unwrap(), "  payload .. 44 bytes more");
    let full = show(&received(KEY, nonsense, 0), Detail::Full);
    assert!(!full.contains("more"), "{full}");
}

#[test]
fn raw_shows_bytes_also_of_what_can_be_read() {
    let shown = show(&received(KEY, lidar(0), 0), Detail::Raw);
    assert!(
        shown.contains("header       0  ") && shown.contains("payload      0  "),
        "{shown}"
    );
    assert!(!shown.contains("ranges_m:"), "{shown}");
}

#[test]
fn bytes_that_are_a_text_are_shown_as_one() {
    assert_eq!(
        characters(b"fuse\npredict\n", Detail::Brief).as_deref(),
        Some("\"fuse\\npredict\\n\"")
    );
    assert_eq!(characters(&[0, 1, 2], Detail::Brief), None);
    assert_eq!(characters(b"", Detail::Brief), None);
    let long = "é".repeat(TEXT_CHARS_MAX + 1);
    assert!(
        characters(long.as_bytes(), Detail::Brief)
            .unwrap()
            .ends_with("\"..")
    );
    assert!(
        !characters(long.as_bytes(), Detail::Full)
            .unwrap()
            .ends_with("..")
    );
}

#[test]
fn a_range_leaves_out_what_is_no_number() {
    assert_eq!(range(&[f32::NAN, 2.0, 1.0]), Some((1.0, 2.0)));
    assert_eq!(range(&[f32::NAN]), None);
    assert_eq!(range::<u8>(&[]), None);
}

#[test]
fn json_holds_the_message_or_the_reason_and_the_bytes() {
    let json = show_json(&received(KEY, lidar(4), 0), Detail::Brief);
    assert_eq!(json["key"], KEY);
    assert_eq!(json["message"]["header"]["sequence"], 4);
    let data = &json["message"]["tensors"]["ranges_m"]["data"];
    assert_eq!(data.as_array().unwrap().len(), 12);
    assert!(json["error"].is_null() && json["header_hex"].is_null());

    let raw = show_json(&received(KEY, lidar(4), 0), Detail::Raw);
    let n_bytes = raw["payload_bytes"].as_u64().unwrap() as usize;
    assert_eq!(raw["payload_hex"].as_str().unwrap().len(), 2 * n_bytes);
    assert!(raw["message"].is_null());

    let nonsense = EncodedMessage::new([0xff; 3], AlignedBytes::default());
    let json = show_json(&received(KEY, nonsense, 0), Detail::Brief);
    assert_eq!(json["header_hex"], "ffffff");
    assert!(json["error"].as_str().unwrap().contains("ONI header"));
}

#[test]
fn packed_tensors_are_named_with_what_they_take() {
    let mut message = lidar_message();
    message.pack("ranges_m", Encoding::Zstd).unwrap();
    let encoded = message.encode().unwrap();
    let shown = show(&received(KEY, encoded.clone(), 0), Detail::Brief);
    let ranges = shown.lines().find(|line| line.contains("ranges_m"));
    let ranges = ranges.unwrap();
    assert!(ranges.contains("f32 [12] zstd of "), "{ranges}");
    assert!(ranges.ends_with("(from 1 to 3.75)"), "{ranges}");
    let json = show_json(&received(KEY, encoded, 0), Detail::Brief);
    assert_eq!(json["packed"]["ranges_m"]["encoding"], "zstd");
}
