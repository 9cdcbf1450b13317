use super::*;
use crate::canonical_json;
use crate::limits::SCHEMA_BYTES_MAX;
use serde_json::Value;

/// The place of `sensor.lidar` among the files.
const LIDAR: usize = 11;

#[test]
fn every_embedded_schema_is_one_and_sits_in_the_file_of_its_name() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/oni/v1");
    let mut files: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_string())
        .collect();
    files.sort();
    let names: Vec<String> = schemas()
        .iter()
        .map(|schema| format!("{}.json", schema.id.name))
        .collect();
    assert_eq!(files, names);
    for (file, schema) in FILES.iter().zip(schemas()) {
        assert_eq!(Schema::parse(file).as_ref(), Ok(schema));
        let json: Value = serde_json::from_str(file).unwrap();
        assert_eq!(json["$id"], format!("oni:v1/{}", schema.id.name));
        assert_eq!(schema.id.major, 1);
    }
}

#[test]
fn what_json_schema_says_about_a_shape_is_what_its_dimensions_say() {
    for (file, schema) in FILES.iter().zip(schemas()) {
        let json: Value = serde_json::from_str(file).unwrap();
        for rule in &schema.tensors {
            let tensor = &json["properties"]["tensors"]["properties"][&rule.name];
            let shape = &tensor["properties"]["shape"];
            assert_eq!(
                shape["minItems"],
                rule.dims.len(),
                "{} {}",
                schema.id,
                rule.name
            );
            assert_eq!(
                shape["maxItems"],
                rule.dims.len(),
                "{} {}",
                schema.id,
                rule.name
            );
            for (dim, item) in rule
                .dims
                .iter()
                .zip(shape["prefixItems"].as_array().unwrap())
            {
                let expected = match dim {
                    Dim::Fixed(length) => serde_json::json!({ "const": length }),
                    Dim::Symbol(_) => serde_json::json!({ "type": "integer", "minimum": 0 }),
                };
                assert_eq!(item, &expected, "{} {}", schema.id, rule.name);
            }
        }
    }
}

#[test]
fn the_hash_is_of_the_content_and_not_of_the_layout() {
    let spread = "{ \"b\": [1, 2],\n \"a\": {\"d\": \"x\", \"c\": null} }";
    let json: Value = serde_json::from_str(spread).unwrap();
    assert_eq!(
        canonical_json(&json),
        r#"{"a":{"c":null,"d":"x"},"b":[1,2]}"#
    );
    let file = FILES[LIDAR];
    let compact = serde_json::from_str::<Value>(file).unwrap().to_string();
    assert_eq!(
        Schema::parse(&compact).unwrap().id,
        Schema::parse(file).unwrap().id
    );
    let other = file.replace("\"minimum\": 0", "\"minimum\": 1");
    assert_ne!(
        Schema::parse(&other).unwrap().id.hash,
        Schema::parse(file).unwrap().id.hash
    );
}

#[test]
fn a_schema_that_is_none_is_refused_with_the_place() {
    let check = |from: &str, to: &str, at: &str| {
        let broken = FILES[LIDAR].replace(from, to);
        assert_ne!(broken, FILES[LIDAR], "the test must break something");
        let error = Schema::parse(&broken).unwrap_err().to_string();
        assert!(error.contains(at), "{error}");
    };
    check("\"absent\"", "\"maybe\"", "/x-model-hash");
    check("\"title\"", "\"subtitle\"", "/title");
    check(
        "\"f32\"",
        "\"f16\"",
        "/properties/tensors/properties/ranges_m/properties/dtype/const",
    );
    check("\"major\": 1", "\"major\": -1", "/x-version/major");
    check("\"beam\"", "-1", "/x-dims/0");
    check("\"beam\"", "\"Beam\"", "/x-dims/0");
    check("\"beam\"", "1.5", "whole numbers");
    check(
        "\"sensor.lidar\",\n  \"desc",
        "\"a/b\",\n  \"desc",
        "/title",
    );
    check(
        "\"ranges_m\": {",
        "\"Ranges\": {",
        "/properties/tensors/properties/ranges_m",
    );
    check("\"step_rad\",\n", "\"ranges_m\",\n", "names that differ");
    let ruled = |rule: &str| format!("\"x-rule\": \"{rule}\", \"x-unit\": \"m\"");
    check("\"x-unit\": \"m\"", &ruled("prime"), "/x-rule");
    check("\"x-unit\": \"m\"", &ruled("text"), "its x-rule");
    assert!(
        Schema::parse("{")
            .unwrap_err()
            .to_string()
            .contains("line 1")
    );
}

#[test]
fn a_list_that_is_as_long_as_nothing_is_refused() {
    let latency = FILES.last().unwrap();
    let lost = latency.replace("\"x-lines\": \"stage\"", "\"x-lines\": \"ghost\"");
    let error = Schema::parse(&lost).unwrap_err().to_string();
    assert!(error.contains("stage_names/x-lines"), "{error}");
}

#[test]
fn a_document_beyond_the_limits_is_refused() {
    let refused = |text: &str, why: &str| {
        let error = Schema::parse(text).unwrap_err().to_string();
        assert!(error.contains(why) && error.len() < 300, "{error}");
    };
    let long = FILES[LIDAR].replace("One planar", &"x".repeat(SCHEMA_BYTES_MAX));
    refused(&long, "at most 262144 bytes");
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    refused(&nested(65), "at most 64 levels");
    refused(&nested(64), "/x-version");
    refused(&nested(SCHEMA_BYTES_MAX / 2), "JSON");
    let mut json: Value = serde_json::from_str(FILES[LIDAR]).unwrap();
    let tensors = json["properties"]["tensors"]["properties"]
        .as_object_mut()
        .unwrap();
    let tensor = tensors["ranges_m"].clone();
    tensors.extend((0..62).map(|idx| (format!("t{idx}"), tensor.clone())));
    refused(&json.to_string(), "at most 64 tensors");
}

#[test]
fn a_tensor_that_is_not_required_is_optional() {
    let file = FILES[LIDAR].replace("\"first_angle_rad\",\n", "");
    let schema = Schema::parse(&file).unwrap();
    let presence = |name: &str| {
        let mut rules = schema.tensors.iter();
        rules.find(|rule| rule.name == name).unwrap().presence
    };
    assert_eq!(presence("first_angle_rad"), Presence::Optional);
    assert_eq!(presence("ranges_m"), Presence::Required);
}
