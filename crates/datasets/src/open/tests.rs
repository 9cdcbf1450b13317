use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::open;
use crate::{LogError, LogFormat};

const LOG: &str = "# message formats\nPARAM robot_width 0.41\n\
    FLASER 4 1 2 3 81.91 0 0 0 0 0 0 1 host 1\n\
    FLASER 4 1 2 3 4 1 0 0 1 0 0 2 host 2\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        writer
            .start_file(*name, zip::write::SimpleFileOptions::default())
            .unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn packing_is_told_by_content_not_by_name() {
    let folder = Folder::new();
    let zipped = zip_of(&[
        ("__MACOSX/._a.log", b"\0\0"),
        ("folder/a.log", LOG.as_bytes()),
    ]);
    let twice = [gzip(&LOG.as_bytes()[..60]), gzip(&LOG.as_bytes()[60..])].concat();
    for (name, bytes) in [
        ("plain.gz", LOG.as_bytes().to_vec()),
        ("packed.log", gzip(LOG.as_bytes())),
        ("members.log.gz", twice),
        ("zipped.g2o", zipped),
    ] {
        let reading = open(&folder.file(name, &bytes)).unwrap();
        assert!(reading.defect.is_none(), "{name}: {:?}", reading.defect);
        assert_eq!(
            (reading.format, reading.episode.scans.len()),
            (LogFormat::Carmen, 2),
            "{name}"
        );
        assert_eq!(reading.episode.name, name.split('.').next().unwrap());
        assert_eq!(
            reading.episode.source_hash,
            blake3::hash(&bytes).to_hex().to_string()
        );
        assert!((reading.warnings.no_return_share - 0.125).abs() < 1e-12);
        assert_eq!(reading.warnings.skipped_lines["PARAM"], 1);
        assert!(!reading.warnings.messages().is_empty());
    }
}

#[test]
fn a_cut_archive_gives_the_scans_before_the_cut() {
    let folder = Folder::new();
    let mut text = String::new();
    for n in 0..2000 {
        let wiggle = (n * 7919) % 1000;
        writeln!(
            text,
            "FLASER 4 1 2.{wiggle} 3 4 {n} 0 0 {n} 0 0 {n} host {n}"
        )
        .unwrap();
    }
    let packed = gzip(text.as_bytes());
    let path = folder.file("cut.log.gz", &packed[..packed.len() / 2]);
    let reading = open(&path).unwrap();
    let n_scans = reading.episode.scans.len();
    assert!((100..1999).contains(&n_scans), "{n_scans}");
    let message = reading.defect.unwrap().to_string();
    assert!(message.contains("cut.log.gz, after line"), "{message}");

    // The checksum at the end does not fit: all scans are there, and the defect is told.
    let mut flipped = packed.clone();
    let at = flipped.len() - 6;
    flipped[at] ^= 1;
    let reading = open(&folder.file("flipped.log.gz", &flipped)).unwrap();
    assert_eq!(reading.episode.scans.len(), 2000);
    assert!(matches!(
        reading.defect,
        Some(LogError::Broken { line: 2000, .. })
    ));
}

#[test]
fn what_is_no_log_is_told_what_it_seems_to_be() {
    let folder = Folder::new();
    let mrclam = b"# UTIAS Multi-Robot\n# Time [s]\n1248272263.784 0.1 0.2\n";
    let cases: [(&[u8], &str); 12] = [
        (b"", "an empty file"),
        (b"\x89MCAP0\r\n", "an MCAP recording"),
        (b"#ROSBAG V2.0\n", "a ROS 1 bag"),
        (mrclam, "MRCLAM"),
        (b"VERTEX_SE3:QUAT 0 0 0 0 0 0 0 1\n", "in space"),
        (b"{\"a\": 1}", "JSON"),
        (b"\0\x01\x02\x03\x04", "a binary file"),
        (b"hello there\n", "starting \"hello there\""),
        (b"ODOM 0 0 0 0 0 0 1 host 1\n", "holds no scan"),
        (b"\x1f\x8b\x08", "a broken gzip"),
        (b"PK\x03\x04rubbish", "zip"),
        (&gzip(&gzip(LOG.as_bytes())), "a gzip file within"),
    ];
    for (bytes, expected) in cases {
        let message = open(&folder.file("it", bytes)).unwrap_err().to_string();
        assert!(
            message.to_lowercase().contains(&expected.to_lowercase()),
            "{message}"
        );
        assert!(
            message.contains("expected") && message.contains("it"),
            "{message}"
        );
    }
    let directory = open(folder.0.path()).unwrap_err();
    assert!(directory.to_string().contains("a directory"), "{directory}");
    assert!(matches!(
        open(&folder.0.path().join("absent")),
        Err(LogError::Io { .. })
    ));
}
