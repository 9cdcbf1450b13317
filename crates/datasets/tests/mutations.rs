//! Broken logs: truncated, with flipped bits, with absurd numbers. Whatever comes gives an episode
//! or an error, never a panic, and what came before the damage is kept.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha12Rng;
use sedge_datasets::{
    CarmenLayout, LogError, LogReading, SyntheticConfig, open, synthetic_corridor, write_carmen,
};
use sedge_world_model::Episode;

const ABSURD: [&str; 12] = [
    "9223372036854775808",
    "18446744073709551616",
    "-9223372036854775809",
    "1e300",
    "-1e300",
    "NaN",
    "inf",
    "-1",
    "0",
    "",
    "\u{fffd}\0",
    "FLASER",
];

fn episode() -> Episode {
    let config = SyntheticConfig {
        duration: Duration::from_secs(4),
        n_beams: 12,
        ..SyntheticConfig::new(11)
    };
    synthetic_corridor(&config)
        .expect("the configuration is in range")
        .episode
}

fn carmen(episode: &Episode, layout: CarmenLayout) -> Vec<u8> {
    let mut text = Vec::new();
    write_carmen(episode, layout, &mut text).expect("memory takes everything");
    text
}

/// The same drive as a g2o file.
fn g2o(episode: &Episode) -> Vec<u8> {
    let mut text = String::new();
    for (id, scan) in episode.scans.iter().enumerate() {
        let pose = scan.reference.expect("a synthetic scan has a reference");
        let pose = format!("{} {} {}", pose.x_m, pose.y_m, pose.yaw_rad);
        let ranges: Vec<String> = scan.scan.ranges_m.iter().map(f32::to_string).collect();
        text += &[
            format!("VERTEX_SE2 {id} {pose}\n"),
            format!(
                "ROBOTLASER1 0 -1.570796 3.141593 0.261799 50 0.1 0 12 {}",
                ranges.join(" ")
            ),
            format!(" 0 {pose} {pose} 0 0 0 0 0 {} host 1\n", scan.stamp.secs()),
            format!("EDGE_SE2 {id} {} 0.1 0 0 1 0 0 1 0 1\n", id + 1),
        ]
        .concat();
    }
    text.into_bytes()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

fn zipped(bytes: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer
        .start_file("a.g2o", options)
        .expect("memory takes everything");
    writer.write_all(bytes).expect("memory takes everything");
    writer
        .finish()
        .expect("memory takes everything")
        .into_inner()
}

/// Reads bytes as a file; checks what holds for every file.
fn read(path: &Path, bytes: &[u8]) -> Result<LogReading, LogError> {
    fs::write(path, bytes).expect("the folder is ours");
    let reading = open(path);
    match &reading {
        Ok(reading) => {
            let episode = &reading.episode;
            assert!(!episode.scans.is_empty());
            assert!(
                episode
                    .odometry
                    .windows(2)
                    .all(|pair| pair[0].stamp < pair[1].stamp)
            );
            for scan in &episode.scans {
                assert_eq!(scan.scan.geometry, episode.geometry);
                assert_eq!(scan.scan.ranges_m.len(), episode.geometry.n_beams);
                assert!(
                    scan.scan
                        .ranges_m
                        .iter()
                        .all(|range| *range >= 0.0 && range.is_finite())
                );
                assert!(scan.reference.is_none_or(sedge_spacetime::Pose2::is_finite));
            }
            assert!(
                episode
                    .odometry
                    .iter()
                    .all(|s| s.odometry_from_base.is_finite())
            );
        }
        Err(error) => assert!(error.to_string().contains("mutant"), "{error}"),
    }
    reading
}

/// How many of the first scans are the whole log's.
fn n_same_scans(reading: &LogReading, whole: &Episode) -> usize {
    let pairs = reading.episode.scans.iter().zip(&whole.scans);
    pairs
        .take_while(|(a, b)| a.stamp == b.stamp && a.scan == b.scan)
        .count()
}

/// Every kind of file, by name.
fn sources() -> Vec<(&'static str, Vec<u8>)> {
    let episode = episode();
    let ordinary = carmen(&episode, CarmenLayout::Ordinary);
    let matched = carmen(&episode, CarmenLayout::ScanMatched);
    let graph = g2o(&episode);
    vec![
        ("ordinary CARMEN", ordinary.clone()),
        ("packed CARMEN", gzip(&ordinary)),
        ("scan-matched CARMEN", matched),
        ("g2o", graph.clone()),
        ("zipped g2o", zipped(&graph)),
    ]
}

#[test]
fn cut_anywhere_a_text_keeps_each_scan_before_the_cut() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("mutant");
    for (name, bytes) in sources() {
        let whole = read(&path, &bytes).expect(name).episode;
        let is_text = !bytes.starts_with(b"PK") && !bytes.starts_with(&[0x1f, 0x8b]);
        for n_bytes in (0..bytes.len()).step_by(31) {
            let cut = &bytes[..n_bytes];
            let reading = read(&path, cut);
            if !is_text {
                continue;
            }
            let text = String::from_utf8_lossy(cut);
            let starts = ["FLASER", "ROBOTLASER1"];
            let n_whole_scans = text
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n') && starts.iter().any(|s| line.starts_with(s)))
                .count();
            // A last line without its line break counts where nothing of it is missing.
            let kept = reading.map_or(0, |reading| n_same_scans(&reading, &whole));
            assert!(
                (n_whole_scans..=n_whole_scans + 1).contains(&kept),
                "{name} cut at {n_bytes}: {kept} of {n_whole_scans} scans kept"
            );
        }
    }
}

#[test]
fn flipped_bits_never_panic_and_spare_the_scans_before_them() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("mutant");
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    for (name, bytes) in sources() {
        let whole = read(&path, &bytes).expect(name).episode;
        for _ in 0..500 {
            let at = rng.random_range(0..bytes.len());
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << rng.random_range(0..8);
            let reading = read(&path, &flipped);
            if name == "ordinary CARMEN" {
                let before = String::from_utf8_lossy(&bytes[..at]);
                let n_before = before
                    .split_inclusive('\n')
                    .filter(|line| line.starts_with("FLASER") && line.ends_with('\n'))
                    .count();
                let kept = reading.map_or(0, |reading| n_same_scans(&reading, &whole));
                assert!(
                    kept >= n_before,
                    "flipped at {at}: {kept} of {n_before} scans kept"
                );
            }
        }
    }
}

#[test]
fn absurd_numbers_anywhere_never_panic() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("mutant");
    let mut rng = ChaCha12Rng::seed_from_u64(2);
    let mut n_defects = 0;
    for (name, bytes) in sources() {
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        };
        let words: Vec<&str> = text.split(' ').collect();
        for _ in 0..400 {
            let at = rng.random_range(1..words.len());
            let mut changed = words.clone();
            changed[at] = ABSURD[rng.random_range(0..ABSURD.len())];
            let reading = read(&path, changed.join(" ").as_bytes());
            n_defects += u32::from(reading.is_ok_and(|reading| reading.defect.is_some()));
        }
        assert!(n_defects > 60, "{name}: {n_defects} defects told");
        n_defects = 0;
    }
}

#[test]
fn a_small_file_that_unpacks_to_a_huge_one_is_given_up() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path = folder.path().join("mutant");
    // One line without an end, in a little gzip.
    let bomb = gzip(&vec![b'1'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let error = read(&path, &bomb).expect_err("no log");
    assert!(matches!(error, LogError::Unsupported { .. }), "{error}");
    let mut line = b"FLASER 4 ".to_vec();
    line.resize(8 << 20, b'1');
    let error = read(&path, &gzip(&line)).expect_err("no log");
    assert!(error.to_string().contains("a line of at most"), "{error}");
}
