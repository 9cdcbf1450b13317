//! The golden vectors of `schemas/oni/golden`: one framed message of each type beside its JSON.
//!
//! They pin the bytes: a reader in another language, or a later version of this one, is held to
//! them. `ONI_WRITE_GOLDEN=1 cargo test -p sedge-oni --test golden` writes them anew.

#[path = "sample/sample.rs"]
mod sample;

use std::path::PathBuf;

use sedge_oni::Message;

fn path(name: &str, extension: &str) -> PathBuf {
    let golden = "../../schemas/oni/golden";
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join(golden)
        .join(format!("{name}.{extension}"))
}

#[test]
fn the_golden_vectors_are_what_is_written_and_read() {
    for message in sample::all() {
        let name = &message.header().schema.name;
        let frame = message.encode().unwrap().to_frame();
        let json = message.to_json();
        if std::env::var_os("ONI_WRITE_GOLDEN").is_some() {
            std::fs::write(path(name, "oni"), &frame).unwrap();
            let text = serde_json::to_string_pretty(&json).unwrap() + "\n";
            std::fs::write(path(name, "json"), text).unwrap();
        }
        let golden = std::fs::read(path(name, "oni")).unwrap();
        assert!(
            golden == frame,
            "{name}: the bytes written differ from the golden ones"
        );
        let (read, used) = Message::from_frame(&golden).unwrap();
        assert_eq!(used, golden.len());
        assert_eq!(read.header(), message.header());
        let text = std::fs::read_to_string(path(name, "json")).unwrap();
        let golden_json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read.to_json(), golden_json, "{name}");
        assert_eq!(json, golden_json, "{name}");
    }
}
