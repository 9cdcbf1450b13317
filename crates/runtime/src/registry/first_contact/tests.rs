use proptest::prelude::*;
use sedge_oni::{Lidar, SchemaDocument, TypedMessage as _};
use serde_json::{Value, json};

use super::*;
use crate::registry::test_schemas::{answer, bearing, edited, minor, set, with_another};
use crate::test_drive::{Robot, millis};

const RANGES: &str = "ranges_m";

fn lidar(edit: impl FnOnce(&mut Value)) -> SchemaDocument {
    edited(Lidar::NAME, edit)
}

fn next_minor() -> SchemaDocument {
    lidar(|json| with_another(json, RANGES))
}

/// A publisher of scans that bear a schema.
struct Scanner {
    document: SchemaDocument,
    robot: Robot,
    key: Key,
}

impl Scanner {
    fn new(document: SchemaDocument, epoch: u64) -> Self {
        Self {
            document,
            robot: Robot::new(epoch),
            key: Key::parse("oni/flock/crane3/sensor.lidar/front").unwrap(),
        }
    }

    fn scan(&mut self) -> (Received, Header) {
        let scan = self.robot.scan(Stamp::ZERO).message;
        let message = bearing(&scan, &self.document);
        let received = Received {
            key: self.key.clone(),
            message: message.encode().unwrap(),
            arrival: Stamp::ZERO,
        };
        (received, message.header().clone())
    }
}

/// One message, the answer to what is asked about it, and what becomes of the message.
fn contact(scanner: &mut Scanner, reader: &mut FirstContact) -> (Standing, Option<ContactRow>) {
    let (received, header) = scanner.scan();
    let mut standing = reader.meet(Stamp::ZERO, &received, &header);
    while let Some(question) = reader.ask(Stamp::ZERO) {
        reader.answer(&question, &answer(&scanner.document));
        reader.unanswered(Stamp::ZERO, &question);
    }
    if let Some(released) = reader.release() {
        assert_eq!(released, received, "what was held comes back");
        standing = reader.meet(Stamp::ZERO, &released, &header);
    }
    (standing, reader.news())
}

#[test]
fn our_own_schema_passes_and_leaves_no_trace() {
    let mut reader = FirstContact::new();
    let (standing, news) = contact(&mut Scanner::new(lidar(|_| {}), 7), &mut reader);
    assert_eq!((standing, news), (Standing::Passes, None));
    assert!(reader.rows().is_empty() && reader.next_poll().is_none());
}

#[test]
fn a_minor_version_with_one_more_tensor_is_accepted_after_asking_once() {
    let mut reader = FirstContact::new();
    let mut scanner = Scanner::new(next_minor(), 7);
    let (standing, news) = contact(&mut scanner, &mut reader);
    assert_eq!(standing, Standing::Passes);
    let news = news.unwrap();
    assert_eq!(news.verdict, ContactVerdict::Accepted);
    let text = news.to_string();
    assert!(text.contains("accepted sensor.lidar 1.1 ("), "{text}");
    let (received, header) = scanner.scan();
    let standing = reader.meet(Stamp::ZERO, &received, &header);
    assert_eq!(
        (standing, reader.ask(Stamp::ZERO)),
        (Standing::Passes, None)
    );
    assert_eq!((reader.rows()[0].read, reader.news()), (2, None));
}

#[test]
fn a_refusal_names_both_schemas_and_what_differs() {
    let ours = lidar(|_| {}).schema().id.to_string();
    let check = |edit: fn(&mut Value), why: &str, difference: &str| {
        let theirs = lidar(edit);
        let mut reader = FirstContact::new();
        let (standing, news) = contact(&mut Scanner::new(theirs.clone(), 7), &mut reader);
        assert_eq!((standing, reader.refused()), (Standing::Refused, 1));
        let news = news.unwrap();
        assert_eq!(
            (news.verdict, reader.n_held()),
            (ContactVerdict::Refused, 0)
        );
        let expected = format!(
            "oni/flock/crane3/sensor.lidar/front (epoch 7): {why}expected schema {ours}, got {}: \
             {difference}",
            theirs.schema().id
        );
        assert_eq!(news.to_string(), expected);
    };
    check(
        |json| {
            minor(json, 1);
            set(json, RANGES, "/properties/dtype/const", json!("f64"));
        },
        "",
        "tensor \"ranges_m\": expected dtype f32, got f64",
    );
    check(
        |json| {
            minor(json, 1);
            set(json, RANGES, "/x-unit", json!("mm"));
        },
        "",
        "tensor \"ranges_m\": expected unit m, got mm",
    );
    check(
        |json| set(json, RANGES, "/x-unit", json!("mm")),
        "one version with two contents: ",
        "tensor \"ranges_m\": expected unit m, got mm",
    );
    check(
        |json| json["description"] = json!("A scan"),
        "one version with two contents: ",
        "no rule for messages differs",
    );
    check(
        |json| json["x-version"]["major"] = json!(2),
        "incompatible major version: ",
        "no rule for messages differs",
    );
    check(
        |json| {
            minor(json, 1);
            json["properties"]["tensors"]["required"] = json!(["first_angle_rad", "step_rad"]);
        },
        "",
        "tensor \"ranges_m\": expected presence required, got optional",
    );
}

#[test]
fn another_type_under_a_key_is_refused_at_once() {
    let mut reader = FirstContact::new();
    let mut scanner = Scanner::new(lidar(|_| {}), 7);
    for (key, expected) in [
        ("sensor.odometry", "expected schema sensor.odometry 1.0 ("),
        (
            "sensor.sonar",
            "no schema of this name is known here: got sensor.lidar 1.0 (",
        ),
    ] {
        scanner.key = Key::parse(&format!("oni/flock/crane3/{key}/front")).unwrap();
        let (received, header) = scanner.scan();
        let standing = reader.meet(Stamp::ZERO, &received, &header);
        assert_eq!(
            (standing, reader.ask(Stamp::ZERO)),
            (Standing::Refused, None)
        );
        let news = reader.news().unwrap().to_string();
        assert!(news.contains(expected), "{news}");
    }
}

#[test]
fn without_an_answer_a_stream_is_unknown_and_is_asked_about_again() {
    let mut reader = FirstContact::new();
    let mut scanner = Scanner::new(next_minor(), 7);
    let (received, header) = scanner.scan();
    let meet = |reader: &mut FirstContact, at| reader.meet(millis(at), &received, &header);
    assert_eq!(meet(&mut reader, 0), Standing::Waits);
    let question = reader.ask(Stamp::ZERO).unwrap();
    assert_eq!(
        question.key.as_str(),
        "oni/flock/crane3/agent.schema/sensor.lidar"
    );
    assert_eq!(reader.ask(Stamp::ZERO), None, "one question at a time");
    reader.unanswered(millis(10), &question);
    let next = (reader.next_ask(), reader.next_poll());
    assert_eq!(next, (Some(millis(260)), Some(millis(2_000))));
    let question = reader.ask(millis(260)).unwrap();
    // Somebody answers, but with another schema than the stream bears.
    reader.answer(&question, &answer(&lidar(|_| {})));
    reader.poll(millis(1_999));
    assert_eq!((reader.release(), reader.news()), (None, None));
    reader.poll(millis(2_000));
    assert!(reader.release().is_some());
    assert_eq!(meet(&mut reader, 2_000), Standing::Refused);
    let news = reader.news().unwrap();
    assert_eq!(news.verdict, ContactVerdict::Unknown);
    let ours = lidar(|_| {}).schema().id.to_string();
    let expected = format!(
        "schema unknown: expected schema {ours}, got {}: answered with {ours}",
        header.schema
    );
    assert_eq!(news.reason, expected);
    reader.unanswered(millis(2_010), &question);

    // It stays refused, and is asked about again when its time has come.
    assert_eq!(meet(&mut reader, 5_999), Standing::Refused);
    assert_eq!(reader.ask(millis(5_999)), None);
    assert_eq!(meet(&mut reader, 6_000), Standing::Refused);
    let question = reader.ask(millis(6_000)).unwrap();
    reader.answer(&question, &answer(&scanner.document));
    assert_eq!(meet(&mut reader, 6_000), Standing::Passes);
    assert_eq!(reader.news().unwrap().verdict, ContactVerdict::Accepted);
    assert_eq!(reader.refused(), 3);
}

#[test]
fn a_new_epoch_is_a_new_contact_and_the_old_one_is_still_told_of() {
    let mut reader = FirstContact::new();
    let broken = lidar(|json| json["x-version"]["major"] = json!(2));
    contact(&mut Scanner::new(broken.clone(), 7), &mut reader);
    let (standing, _) = contact(&mut Scanner::new(next_minor(), 8), &mut reader);
    assert_eq!(standing, Standing::Passes);
    let rows = |reader: &FirstContact| -> Vec<(u64, ContactVerdict)> {
        let row = |row: &ContactRow| (row.epoch, row.verdict);
        reader.rows().iter().map(row).collect()
    };
    let both = [(7, ContactVerdict::Refused), (8, ContactVerdict::Accepted)];
    assert_eq!(rows(&reader), both);
    let (received, header) = Scanner::new(broken, 7).scan();
    let standing = reader.meet(Stamp::ZERO, &received, &header);
    assert_eq!(standing, Standing::Refused, "an epoch that is over");
    // A publisher that was mended bears our schema, and nothing is held against it any more.
    let (standing, news) = contact(&mut Scanner::new(lidar(|_| {}), 9), &mut reader);
    assert_eq!((standing, news), (Standing::Passes, None));
    assert_eq!(
        (reader.current().count(), rows(&reader)),
        (0, both.to_vec())
    );
}

#[test]
fn what_waits_is_bounded() {
    let mut reader = FirstContact::new();
    let mut scanner = Scanner::new(next_minor(), 7);
    for n in 0..HELD_MAX + 3 {
        let (received, header) = scanner.scan();
        let expected = if n < HELD_MAX {
            Standing::Waits
        } else {
            Standing::Refused
        };
        assert_eq!(reader.meet(Stamp::ZERO, &received, &header), expected);
    }
    assert_eq!((reader.n_held(), reader.refused()), (HELD_MAX, 3));
    // A stream that changes its schema over and over is not asked about over and over.
    for version in 2..9 {
        let (received, header) = Scanner::new(lidar(|json| minor(json, version)), 7).scan();
        let standing = reader.meet(Stamp::ZERO, &received, &header);
        assert_eq!(standing, Standing::Refused);
    }
    assert_eq!(reader.rows().len(), SCHEMAS_PER_STREAM_MAX);
    let asked = std::iter::from_fn(|| reader.ask(Stamp::ZERO)).count();
    assert_eq!(asked, SCHEMAS_PER_STREAM_MAX);
    for n in 0..2 * STREAMS_MAX {
        scanner.key = Key::parse(&format!("oni/flock/c{n}/sensor.lidar/front")).unwrap();
        let (received, header) = scanner.scan();
        reader.meet(Stamp::ZERO, &received, &header);
    }
    let asked_more = std::iter::from_fn(|| reader.ask(Stamp::ZERO)).count();
    assert_eq!(asked + asked_more, QUESTIONS_MAX);
    assert_eq!(reader.streams.len(), STREAMS_MAX);
}

/// A change of a schema, and whether readers of the one before it can read on, given that the minor
/// version rises with it.
#[derive(Debug, Clone, Copy)]
enum Edit {
    AddRequired,
    AddOptional,
    Describe,
    Dtype,
    Rank,
    Unit,
    Frame,
    Minimum,
    Drop,
    MakeOptional,
    ModelHash,
}

const EDITS: [(Edit, bool); 11] = [
    (Edit::AddRequired, true),
    (Edit::AddOptional, true),
    (Edit::Describe, true),
    (Edit::Dtype, false),
    (Edit::Rank, false),
    (Edit::Unit, false),
    (Edit::Frame, false),
    (Edit::Minimum, false),
    (Edit::Drop, false),
    (Edit::MakeOptional, false),
    (Edit::ModelHash, false),
];

/// Does the edit, unless one before it has taken away what it would change.
fn apply(json: &mut Value, edit: Edit) {
    let tensors = &mut json["properties"]["tensors"];
    let is_there = !tensors["properties"][RANGES].is_null();
    let without = |tensors: &mut Value| {
        let required = tensors["required"].as_array_mut().unwrap();
        required.retain(|name| name != RANGES);
    };
    match edit {
        Edit::AddRequired | Edit::AddOptional => {
            tensors["properties"]["another"] = tensors["properties"]["step_rad"].clone();
            let required = tensors["required"].as_array_mut().unwrap();
            if matches!(edit, Edit::AddRequired) && !required.contains(&json!("another")) {
                required.push(json!("another"));
            }
        }
        Edit::Describe => json["description"] = json!("Something else."),
        Edit::ModelHash => json["x-model-hash"] = json!("required"),
        Edit::Drop if is_there => {
            without(tensors);
            let properties = tensors["properties"].as_object_mut().unwrap();
            properties.remove(RANGES);
        }
        Edit::MakeOptional if is_there => without(tensors),
        Edit::Dtype if is_there => set(json, RANGES, "/properties/dtype/const", json!("u16")),
        Edit::Rank if is_there => {
            set(json, RANGES, "/x-dims", json!(["beam", "echo"]));
            let shape = json!({ "type": "array", "minItems": 2, "maxItems": 2, "prefixItems": [
                { "type": "integer", "minimum": 0 }, { "type": "integer", "minimum": 0 }
            ]});
            set(json, RANGES, "/properties/shape", shape);
        }
        Edit::Unit if is_there => set(json, RANGES, "/x-unit", json!("ft")),
        Edit::Frame if is_there => set(json, RANGES, "/x-frame", json!("base")),
        Edit::Minimum if is_there => {
            set(json, RANGES, "/properties/data/items/minimum", json!(1));
        }
        _ => {}
    }
}

proptest! {
    #[test]
    fn a_schema_is_refused_if_and_only_if_an_edit_breaks_it(
        edits in prop::collection::vec(prop::sample::select(EDITS.to_vec()), 0..4),
        rises in prop::sample::select(vec![(0_u32, 0_u32), (0, 1), (0, 9), (1, 0)]),
    ) {
        let (major, rise) = rises;
        let theirs = lidar(|json| {
            for (edit, _) in &edits {
                apply(json, *edit);
            }
            minor(json, rise);
            json["x-version"]["major"] = json!(1 + major);
        });
        let is_ours = edits.is_empty() && rises == (0, 0);
        let fits = edits.iter().all(|(_, fits)| *fits) && major == 0 && rise > 0;
        let mut reader = FirstContact::new();
        let (standing, news) = contact(&mut Scanner::new(theirs, 7), &mut reader);
        let expected = if is_ours || fits { Standing::Passes } else { Standing::Refused };
        prop_assert_eq!(standing, expected);
        prop_assert_eq!(news.is_none(), is_ours);
    }
}
