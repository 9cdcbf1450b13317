use super::*;
use crate::{TypedMessage as _, schemas};

const LIDAR: &str = include_str!("../../../../schemas/oni/v1/sensor.lidar.json");

fn lidar() -> Schema {
    crate::Lidar::schema().clone()
}

/// The lidar's schema with some text replaced.
fn changed(changes: &[(&str, &str)]) -> Schema {
    let mut text = LIDAR.to_string();
    for (from, to) in changes {
        assert!(
            text.contains(from),
            "the test must change something: {from}"
        );
        text = text.replace(from, to);
    }
    Schema::parse(&text).unwrap()
}

fn sentences(sender: &Schema) -> Vec<String> {
    let found = schema_differences(&lidar(), sender);
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn a_schema_does_not_differ_from_itself() {
    for schema in schemas() {
        assert_eq!(schema_differences(schema, schema), []);
        assert_eq!(schema.check_sender(schema), Ok(()));
    }
}

#[test]
fn each_change_of_a_tensor_is_said_with_both_sides() {
    let check = |from: &str, to: &str, sentence: &str, effect: Effect| {
        let sender = changed(&[(from, to)]);
        let all = sentences(&sender);
        assert!(all.iter().any(|it| it == sentence), "{all:#?}");
        let found = schema_differences(&lidar(), &sender);
        let this = found.iter().find(|it| it.to_string() == sentence).unwrap();
        assert_eq!(this.effect, effect, "{sentence}");
    };
    let breaks = Effect::Breaks;
    check(
        "\"f32\"",
        "\"f64\"",
        "tensor \"ranges_m\": expected dtype f32, got f64",
        breaks,
    );
    check(
        "\"beam\"",
        "\"ray\"",
        "tensor \"ranges_m\": expected dims [beam], got [ray]",
        breaks,
    );
    check(
        "\"x-unit\": \"m\"",
        "\"x-unit\": \"mm\"",
        "tensor \"ranges_m\": expected unit m, got mm",
        breaks,
    );
    check(
        "\"minimum\": 0\n",
        "\"minimum\": 1\n",
        "tensor \"ranges_m\": expected values at least one, of at least 0, \
         got at least one, of at least 1",
        breaks,
    );
    check(
        "\"x-frame\": \"scanner\",",
        "",
        "tensor \"step_rad\": expected frame scanner, got none",
        breaks,
    );
    check(
        "\"absent\"",
        "\"required\"",
        "expected model hash absent, got required",
        breaks,
    );
    check(
        "Range per beam.",
        "Distance.",
        "tensor \"ranges_m\": expected description \"Range per beam.\", got \"Distance.\"",
        Effect::Wording,
    );
    check(
        "\"x-dims\": [\n            \"beam\"",
        "\"x-rule\": \"ascending\", \"x-dims\": [\n            \"beam\"",
        "tensor \"ranges_m\": expected rule none, got ascending",
        breaks,
    );
}

#[test]
fn a_tensor_more_is_ignored_and_one_less_is_missed() {
    let more = changed(&[("\"minor\": 0", "\"minor\": 1")]);
    let mut less = more.clone();
    let gone = less.tensors.pop().unwrap();
    let found = schema_differences(&lidar(), &less);
    let text = "tensor \"ranges_m\": expected f32 [beam], got none";
    assert!(
        found
            .iter()
            .any(|it| it.to_string() == text && it.effect == Effect::Breaks)
    );
    let error = lidar().check_sender(&less).unwrap_err().to_string();
    assert!(error.contains(text), "{error}");

    let mut extra = more;
    extra.tensors.push(TensorRule {
        name: "intensities".to_string(),
        ..gone
    });
    let found = schema_differences(&lidar(), &extra);
    let text = "tensor \"intensities\": expected none, got f32 [beam]";
    assert!(
        found
            .iter()
            .any(|it| it.to_string() == text && it.effect == Effect::Compatible)
    );
    assert_eq!(lidar().check_sender(&extra), Ok(()));

    // A newer reader that knows the tensor as optional reads the older sender.
    extra.tensors.last_mut().unwrap().presence = Presence::Optional;
    assert_eq!(extra.check_sender(&lidar()), Ok(()));
    extra.tensors.last_mut().unwrap().presence = Presence::Required;
    assert!(extra.check_sender(&lidar()).is_err());
}

#[test]
fn a_refusal_names_both_versions_both_hashes_and_each_tensor() {
    let check = |changes: &[(&str, &str)], expected: fn(&SchemaMismatch) -> bool| {
        let sender = changed(changes);
        let error = lidar().check_sender(&sender).unwrap_err();
        assert!(expected(&error), "{error}");
        let text = error.to_string();
        assert!(text.contains(&lidar().id.to_string()), "{text}");
        assert!(text.contains(&sender.id.to_string()), "{text}");
        text
    };
    let unit = ("\"x-unit\": \"m\"", "\"x-unit\": \"mm\"");
    let dtype = ("\"const\": \"f32\"", "\"const\": \"f64\"");
    let text = check(&[unit, dtype], |e| {
        matches!(e, SchemaMismatch::OtherHash { .. })
    });
    assert!(text.contains("expected dtype f32, got f64"), "{text}");
    assert!(text.contains("expected unit m, got mm"), "{text}");
    let minor = ("\"minor\": 0", "\"minor\": 7");
    let text = check(&[unit, minor], |e| {
        matches!(e, SchemaMismatch::OtherTensor { .. })
    });
    assert!(text.contains("expected unit m, got mm"), "{text}");
    let major = ("\"major\": 1", "\"major\": 2");
    check(&[unit, major], |e| {
        matches!(e, SchemaMismatch::OtherMajor { .. })
    });
    let words = ("Range per beam.", "Distance.");
    let text = check(&[words], |e| matches!(e, SchemaMismatch::OtherHash { .. }));
    assert!(text.contains("no rule for messages differs"), "{text}");
    let model = ("\"absent\"", "\"optional\"");
    let text = check(&[minor, model], |e| {
        matches!(e, SchemaMismatch::OtherTensor { .. })
    });
    assert!(
        text.contains("expected model hash absent, got optional"),
        "{text}"
    );
    let name = ("\"title\": \"sensor.lidar\"", "\"title\": \"sensor.sonar\"");
    check(&[name], |e| matches!(e, SchemaMismatch::OtherType { .. }));
}

#[test]
fn what_is_no_rule_is_said_to_be_none() {
    let sender = changed(&[("2020-12", "2019-09")]);
    let all = sentences(&sender);
    assert!(
        all.iter().any(|it| it.contains("no rule for messages")),
        "{all:?}"
    );
}
