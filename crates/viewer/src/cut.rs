//! A copy of a recording up to some time.
//!
//! The viewer cannot be told by a blueprint where its time cursor stands, but it follows the
//! newest data: so a picture of some time is a picture of what was there up to that time.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use rerun::blueprint::components::PanelState;
use rerun::external::re_build_info::CrateVersion;
use rerun::external::re_log_encoding::{Decoder, Encoder, EncodingOptions};
use rerun::external::re_log_types::{LogMsg, StoreId, TimePoint};
use rerun::external::re_sdk_types::blueprint::archetypes::PanelBlueprint;
use rerun::log::{Chunk, ChunkId};
use rerun::{AsComponents, EntityPath, EntityPathPart};
use sedge_spacetime::Stamp;

use crate::{ViewerError, blueprint_writer, path, swarm};

/// Of what the newest is shown alone, this much is kept: more than what stays until it is cleared.
const NEWEST_NANOS: i64 = 3_000_000_000;
/// Of series and trails that grow with every tick, this much is kept.
const SERIES_NANOS: i64 = 20_000_000_000;
/// Panels that a picture does without.
const PANELS: [&str; 2] = ["time_panel", "top_panel"];

/// Writes the part of a recording up to and with `at`, to be looked at without panels; with another
/// blueprint, where one is given.
pub(crate) fn cut(
    recording: &Path,
    at: Stamp,
    blueprint: Option<&Path>,
    to: &Path,
) -> Result<(), ViewerError> {
    let file = File::create(to).map_err(|source| ViewerError::File {
        path: to.to_owned(),
        source,
    })?;
    let failed = |error: &dyn ToString| ViewerError::Cut {
        path: to.to_owned(),
        reason: error.to_string(),
    };
    let options = EncodingOptions::PROTOBUF_COMPRESSED;
    let mut encoder =
        Encoder::new_eager(CrateVersion::LOCAL, options, file).map_err(|e| failed(&e))?;
    let mut write = |message: &LogMsg| encoder.append(message).map(|_| ()).map_err(|e| failed(&e));
    if let Some(blueprint) = blueprint {
        each_message(blueprint, &mut |message| {
            without_panels(&message, &mut write, &failed)
        })?;
    }
    // The viewer may draw before everything is loaded: what a picture is of comes first.
    let mut later = Vec::new();
    each_message(recording, &mut |message| match &message {
        LogMsg::ArrowMsg(store, batch) if store.is_recording() => {
            let chunk = Chunk::from_arrow_msg(batch).map_err(|e| unreadable(recording, &e))?;
            let entity = chunk.entity_path();
            let from = at.nanos().saturating_sub(history_nanos(entity));
            for rows in between(&chunk, from, at.nanos()) {
                let batch = rows.to_arrow_msg().map_err(|e| failed(&e))?;
                let part = LogMsg::ArrowMsg(store.clone(), batch);
                if is_under(entity, "world") {
                    write(&part)?;
                } else {
                    later.push(part);
                }
            }
            Ok(())
        }
        _ if message.store_id().is_recording() => write(&message),
        _ if blueprint.is_some() => Ok(()),
        _ => without_panels(&message, &mut write, &failed),
    })?;
    later.iter().try_for_each(&mut write)?;
    encoder.finish().map_err(|e| failed(&e))
}

/// Whether an entity lies below this first part of its path.
fn is_under(entity: &EntityPath, name: &str) -> bool {
    let first = entity.as_slice().first();
    first.is_some_and(|part| part.unescaped_str() == name)
}

fn unreadable(recording: &Path, error: &dyn ToString) -> ViewerError {
    ViewerError::Unreadable {
        path: recording.to_owned(),
        reason: error.to_string(),
    }
}

fn each_message(
    recording: &Path,
    take: &mut dyn FnMut(LogMsg) -> Result<(), ViewerError>,
) -> Result<(), ViewerError> {
    let file = File::open(recording).map_err(|e| unreadable(recording, &e))?;
    let messages = Decoder::<LogMsg>::decode_eager(BufReader::new(file))
        .map_err(|e| unreadable(recording, &e))?;
    for message in messages {
        take(message.map_err(|e| unreadable(recording, &e))?)?;
    }
    Ok(())
}

/// How long a part of an entity's history a picture may need.
///
/// The viewer takes its picture after some frames, loaded or not: what a picture of a swarm does
/// not show is left out, so that a busy machine has loaded the rest by then.
fn history_nanos(entity: &EntityPath) -> i64 {
    let shows_newest = |part: &EntityPathPart| swarm::shows_newest(part.unescaped_str());
    let is_newest = is_under(entity, "world") && entity.as_slice().get(1).is_some_and(shows_newest);
    if is_newest || is_under(entity, "followed") {
        NEWEST_NANOS
    } else if is_under(entity, "latency") || is_under(entity, "error") {
        SERIES_NANOS
    } else {
        i64::MAX
    }
}

/// The rows between two times: whole, in part, or none. What has no time is there at all times.
fn between(chunk: &Chunk, from_nanos: i64, to_nanos: i64) -> Vec<Chunk> {
    let timelines = chunk.timelines();
    let column = timelines
        .iter()
        .find(|(name, _)| name.as_str() == path::TIMELINE);
    let Some((_, column)) = column else {
        return vec![chunk.clone()];
    };
    let times = column.times_raw();
    let is_within = |row: usize| (from_nanos..=to_nanos).contains(&times[row]);
    let mut parts = Vec::new();
    let mut begin = 0;
    while begin < times.len() {
        let len = (begin..times.len())
            .take_while(|row| is_within(*row))
            .count();
        if len > 0 {
            let part = chunk.row_sliced_shallow(begin, len);
            parts.push(part.with_id(ChunkId::new()));
        }
        begin += len.max(1);
    }
    parts
}

/// A message of a blueprint; the panels are put away before it is activated.
fn without_panels(
    message: &LogMsg,
    write: &mut dyn FnMut(&LogMsg) -> Result<(), ViewerError>,
    failed: &dyn Fn(&dyn ToString) -> ViewerError,
) -> Result<(), ViewerError> {
    match message {
        LogMsg::ArrowMsg(_, batch) => {
            let chunk = Chunk::from_arrow_msg(batch).map_err(|e| failed(&e))?;
            let entity = chunk.entity_path().to_string();
            if PANELS.contains(&entity.trim_start_matches('/')) {
                return Ok(());
            }
            write(message)
        }
        LogMsg::BlueprintActivationCommand(command) => {
            let store = command.blueprint_id.clone();
            let hidden = PanelBlueprint::new().with_state(PanelState::Hidden);
            let following = blueprint_writer::following().with_state(PanelState::Hidden);
            let panels: [(&str, &dyn AsComponents); 2] =
                [(PANELS[0], &following), (PANELS[1], &hidden)];
            for (panel, looks) in panels {
                write(&blueprint_message(&store, panel, looks).map_err(|e| failed(&e))?)?;
            }
            write(message)
        }
        LogMsg::SetStoreInfo(_) => write(message),
    }
}

fn blueprint_message(
    store: &StoreId,
    entity: &str,
    looks: &dyn AsComponents,
) -> Result<LogMsg, rerun::log::ChunkError> {
    let timeline = rerun::Timeline::new_sequence("blueprint");
    let time = TimePoint::default().with(timeline, 0);
    let chunk = Chunk::builder(EntityPath::from(entity))
        .with_archetype_auto_row(time, looks)
        .build()?;
    Ok(LogMsg::ArrowMsg(store.clone(), chunk.to_arrow_msg()?))
}
