use std::fs;
use std::path::Path;
use std::time::Duration;

use sedge_oni::{
    Capture, EncodedMessage, Envelope, Imu, Lidar, Measured, MessageBuilder, Neighbour, Odometry,
    RangeBearing, Sequence, TypedMessage as _,
};
use sedge_spacetime::{AgentName, FrameName, Pose2, Stamp, Twist2};
use sedge_world_model::{Broadcast, Observation};

use super::{
    Collection, CollectionFile, CollectionRecipe, EpisodeWriter, Split, dataset_hash,
    open_collections, read_run,
};
use crate::{LogError, Opened, open_any};

fn millis(millis: i64) -> Stamp {
    Stamp::from_nanos(millis * 1_000_000)
}

fn envelope(agent: &str, frame: &str, stamp: Stamp) -> Envelope {
    let source = Sequence::new(AgentName::new(agent).unwrap(), 1).next_source();
    let mut envelope = Envelope::new(source, Capture::exact(stamp, "simulation"));
    envelope.frame = Some(FrameName::new(frame).unwrap());
    envelope
}

fn odometry(agent: &str, frame: &str, stamp: Stamp, x_m: f64) -> EncodedMessage {
    let content = Odometry {
        odometry_from_base: Pose2::new(x_m, 0.0, 0.0),
        twist: Twist2 {
            vx_mps: x_m,
            ..Twist2::default()
        },
    };
    let message = content.to_message(envelope(agent, frame, stamp)).unwrap();
    message.encode().unwrap()
}

const BEAMS: usize = 4;

fn lidar(agent: &str, stamp: Stamp, n_beams: usize) -> EncodedMessage {
    let content = Lidar {
        first_angle_rad: -1.0,
        step_rad: 0.5,
        ranges_m: vec![stamp.secs() as f32; n_beams].into(),
    };
    let message = content.to_message(envelope(agent, "lidar", stamp)).unwrap();
    message.encode().unwrap()
}

fn true_lidar(agent: &str, stamp: Stamp, moving: [u8; BEAMS]) -> EncodedMessage {
    let id = Lidar::schema().id.clone();
    let built = MessageBuilder::new(id, envelope(agent, "lidar", stamp))
        .tensor("first_angle_rad", &[1], &[-1.0_f64])
        .and_then(|it| it.tensor("step_rad", &[1], &[0.5_f64]))
        .and_then(|it| it.tensor("ranges_m", &[BEAMS], &[9.0_f32; BEAMS]))
        .and_then(|it| it.tensor("moving", &[BEAMS], &moving));
    built.unwrap().build().encode().unwrap()
}

fn sees(agent: &str, other: &str, stamp: Stamp) -> EncodedMessage {
    let content = RangeBearing {
        neighbours: vec![Neighbour {
            name: AgentName::new(other).unwrap(),
            range_m: Some(Measured {
                value: 2.0,
                sigma: 0.1,
            }),
            bearing_rad: None,
        }],
    };
    let message = content.to_message(envelope(agent, "base", stamp)).unwrap();
    message.encode().unwrap()
}

fn imu(agent: &str, stamp: Stamp) -> EncodedMessage {
    let content = Imu {
        offsets_nanos: vec![0, 10_000_000].into(),
        angular_velocity: vec![[0.0, 0.0, 0.5], [0.0, 0.0, 0.75]].into(),
        linear_acceleration: vec![[1.0, 2.0, 9.81]; 2].into(),
    };
    let message = content.to_message(envelope(agent, "base", stamp)).unwrap();
    message.encode().unwrap()
}

/// A second of two robots and somebody who walks by.
fn messages() -> Vec<EncodedMessage> {
    let mut messages = Vec::new();
    for step in 0..10 {
        let stamp = millis(100 * step);
        for robot in ["crane1", "crane2"] {
            messages.push(odometry(robot, "world", stamp, step as f64));
            messages.push(odometry(robot, "odometry", stamp, 0.5 * step as f64));
            messages.push(odometry(
                robot,
                "odometry",
                stamp + Duration::from_millis(20),
                0.1,
            ));
            messages.push(imu(robot, stamp));
            messages.push(lidar(robot, stamp, BEAMS));
            messages.push(true_lidar(robot, stamp, [0, 1, 0, 1]));
        }
        messages.push(sees("crane2", "crane1", stamp + Duration::from_millis(10)));
        messages.push(odometry("walker1", "world", stamp, 7.0));
    }
    messages
}

fn write(folder: &Path, seed: u64) -> super::EpisodeEntry {
    let mut writer = EpisodeWriter::create(folder, seed).unwrap();
    for message in messages() {
        writer.push(&message).unwrap();
    }
    writer.finish("{}", 1.0).unwrap()
}

fn collection(folder: &Path, seeds: std::ops::Range<u64>) -> CollectionFile {
    let recipe = CollectionRecipe::new("hall".into(), "00".into(), "orca".into(), seeds.start);
    let mut file = CollectionFile {
        recipe,
        n_episodes: seeds.end - seeds.start,
        dataset_hash: None,
        episodes: seeds.map(|seed| write(folder, seed)).collect(),
    };
    file.dataset_hash = Some(file.hash_episodes());
    file.write(folder).unwrap();
    file
}

#[test]
fn a_run_comes_back_as_one_episode_a_robot() {
    let folder = tempfile::tempdir().unwrap();
    let entry = write(folder.path(), 3);
    let reading = read_run(&folder.path().join(entry.file_name())).unwrap();
    assert!(reading.defect.is_none(), "{:?}", reading.defect);
    assert_eq!((reading.blake3, reading.n_messages), (entry.blake3, 140));
    let names: Vec<&str> = reading.robots.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["crane1", "crane2"]);
    assert_eq!(reading.walkers, [AgentName::new("walker1").unwrap()]);
    let episode = &reading.robots[0].episode;
    assert_eq!((episode.scans.len(), episode.odometry.len()), (10, 20));
    let scan = &episode.scans[3];
    assert_eq!(scan.reference, Some(Pose2::new(3.0, 0.0, 0.0)));
    assert_eq!(
        scan.moving.as_deref(),
        Some(&[false, true, false, true][..])
    );
    assert_eq!(scan.scan.ranges_m[0].to_bits(), 0.3_f32.to_bits());
    assert!(episode.others.is_sorted_by_key(|event| event.stamp));
}

#[test]
fn robots_hear_who_sees_them_and_how_that_one_moves() {
    let folder = tempfile::tempdir().unwrap();
    let entry = write(folder.path(), 3);
    let reading = read_run(&folder.path().join(entry.file_name())).unwrap();
    let heard = |robot: usize| -> Vec<(Stamp, Broadcast)> {
        let events = reading.robots[robot].episode.others.iter();
        let said = events.filter_map(|event| match &event.observation {
            Observation::Neighbour(report) => Some((event.stamp, report.said.clone())),
            _ => None,
        });
        said.collect()
    };
    let first = heard(0);
    let is_seen = |said: &&(Stamp, Broadcast)| matches!(said.1, Broadcast::Sees(_));
    assert_eq!(first.iter().filter(is_seen).count(), 10);
    // Not before crane2 has seen it, and at 10 Hz of odometry's 20.
    let moves: Vec<_> = first.iter().filter(|said| !is_seen(said)).collect();
    assert_eq!((moves[0].0, moves.len()), (millis(20), 10));
    // Nobody sees crane2, but crane2 sees crane1 and so knows where it is.
    assert_eq!(heard(1).len(), 10);
    let own = &reading.robots[1].episode.others;
    let sights = own
        .iter()
        .filter(|event| matches!(event.observation, Observation::RangeBearing(_)));
    assert_eq!(sights.count(), 10);
}

#[test]
fn a_torn_run_gives_what_came_before_and_where_it_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let entry = write(folder.path(), 1);
    let path = folder.path().join(entry.file_name());
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let reading = read_run(&path).unwrap();
    let n_scans = reading.robots[0].episode.scans.len();
    assert!((1..10).contains(&n_scans), "{n_scans}");
    let Some(LogError::Frame { offset, .. }) = &reading.defect else {
        panic!("expected a broken frame, got {:?}", reading.defect);
    };
    assert!(*offset < whole.len() as u64 / 2);
    let said = reading.defect.unwrap().to_string();
    assert!(
        said.contains("000001.oni, at byte ") && said.contains("expected a frame of"),
        "{said}"
    );
}

#[test]
fn damage_anywhere_is_found_and_nothing_before_it_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let entry = write(folder.path(), 1);
    let path = folder.path().join(entry.file_name());
    let whole = fs::read(&path).unwrap();
    for place in (0..whole.len()).step_by(997) {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x41;
        fs::write(&path, &bytes).unwrap();
        match read_run(&path) {
            Ok(reading) => {
                assert!(reading.defect.is_some(), "{place}");
                assert!(reading.n_messages < 140, "{place}");
            }
            Err(LogError::Frame { offset, .. }) => assert!(offset <= place as u64, "{place}"),
            Err(error) => panic!("{place}: {error}"),
        }
    }
}

#[test]
fn a_scanner_that_changes_ends_the_reading() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EpisodeWriter::create(folder.path(), 1).unwrap();
    writer.push(&lidar("crane1", millis(0), BEAMS)).unwrap();
    writer
        .push(&lidar("crane1", millis(100), BEAMS + 1))
        .unwrap();
    let entry = writer.finish("{}", 0.1).unwrap();
    let reading = read_run(&folder.path().join(entry.file_name())).unwrap();
    assert_eq!(reading.robots[0].episode.scans.len(), 1);
    let said = reading.defect.unwrap().to_string();
    assert!(said.contains("expected dimension beam to be 4"), "{said}");
}

#[test]
fn a_run_without_scans_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EpisodeWriter::create(folder.path(), 1).unwrap();
    writer.push(&imu("crane1", millis(0))).unwrap();
    let entry = writer.finish("{}", 0.1).unwrap();
    let error = read_run(&folder.path().join(entry.file_name())).unwrap_err();
    assert!(
        error.to_string().contains("got 1 messages without"),
        "{error}"
    );
}

#[test]
fn seeds_say_what_an_episode_is_for() {
    let splits: Vec<Split> = (10..20).map(Split::of).collect();
    let count = |split| splits.iter().filter(|it| **it == split).count();
    assert_eq!(
        [Split::Train, Split::Validation, Split::Test].map(count),
        [7, 1, 2]
    );
    assert_eq!("test".parse(), Ok(Split::Test));
    assert!("tset".parse::<Split>().is_err());
}

#[test]
fn a_collection_says_what_it_holds_and_finds_changed_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = collection(folder.path(), 6..10);
    let Opened::Collections(opened) = open_any(folder.path()).unwrap() else {
        panic!("expected a collection");
    };
    assert_eq!(opened[0].file, file);
    assert_eq!(dataset_hash(&opened), file.dataset_hash.unwrap());
    let tests: Vec<u64> = opened[0]
        .entries(Some(Split::Test))
        .map(|it| it.seed)
        .collect();
    assert_eq!(tests, [8, 9]);
    let entry = opened[0].entries(None).next().unwrap();
    let reading = opened[0].read(entry).unwrap();
    assert!(reading.defect.is_none());
    assert_eq!(reading.robots[0].episode.name, "hall seed 6 crane1");

    // Another whole file of messages in its place.
    let mut writer = EpisodeWriter::create(folder.path(), 6).unwrap();
    writer.push(&lidar("crane1", millis(0), BEAMS)).unwrap();
    writer.finish("{}", 0.1).unwrap();
    let reading = opened[0].read(entry).unwrap();
    assert!(matches!(reading.defect, Some(LogError::Hash { .. })));
}

#[test]
fn a_folder_of_collections_is_one_data_set() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["b", "a"] {
        let part = folder.path().join(part);
        fs::create_dir(&part).unwrap();
        collection(&part, 0..1);
    }
    let opened = open_collections(folder.path()).unwrap();
    let names: Vec<_> = opened
        .iter()
        .map(|it| it.folder.file_name().unwrap())
        .collect();
    assert_eq!(names, ["a", "b"]);
    assert_ne!(dataset_hash(&opened), dataset_hash(&opened[..1]));
    let empty = tempfile::tempdir().unwrap();
    let error = open_collections(empty.path()).unwrap_err();
    assert!(
        error.to_string().contains("without collection.toml"),
        "{error}"
    );
}

#[test]
fn a_collection_file_with_an_unknown_key_is_refused_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    collection(folder.path(), 0..1);
    let path = folder.path().join(super::COLLECTION_FILE);
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replace("driver =", "pilot =")).unwrap();
    let error = Collection::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("collection.toml, line ") && error.contains("`pilot`"),
        "{error}"
    );
    fs::write(&path, text.replace("format = 1", "format = 2")).unwrap();
    let error = Collection::open(folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("expected a collection of format 1, got format 2"),
        "{error}"
    );
}

#[test]
fn an_unfinished_episode_leaves_no_file_that_could_be_taken_for_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = EpisodeWriter::create(folder.path(), 5).unwrap();
    writer.push(&imu("crane1", millis(0))).unwrap();
    drop(writer);
    let endings = fs::read_dir(folder.path()).unwrap();
    for entry in endings {
        assert!(
            entry
                .unwrap()
                .path()
                .extension()
                .is_some_and(|end| end == "partial")
        );
    }
}
