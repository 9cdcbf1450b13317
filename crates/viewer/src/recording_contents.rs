//! What a recording file holds, for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use rerun::external::re_log_encoding::{DecodeError, Decoder};
use rerun::external::re_log_types::LogMsg;
use rerun::log::Chunk;

/// What a recording file holds, without what differs from write to write (ids of chunks and rows).
#[derive(Debug, PartialEq, Default)]
pub(crate) struct Contents {
    /// Per entity and component, the rows' times and values, as text.
    pub(crate) rows: BTreeMap<String, Vec<String>>,
    pub(crate) timelines: BTreeSet<String>,
    pub(crate) n_blueprints: usize,
}

/// Reads a recording file.
pub(crate) fn read(path: &Path) -> Result<Contents, DecodeError> {
    let mut contents = Contents::default();
    let messages = Decoder::<LogMsg>::decode_eager(BufReader::new(File::open(path).unwrap()))?;
    for message in messages {
        match message? {
            LogMsg::BlueprintActivationCommand(_) => contents.n_blueprints += 1,
            LogMsg::ArrowMsg(store, message) if store.is_recording() => {
                contents.take(&Chunk::from_arrow_msg(&message).unwrap());
            }
            _ => {}
        }
    }
    Ok(contents)
}

impl Contents {
    fn take(&mut self, chunk: &Chunk) {
        self.timelines
            .extend(chunk.timelines().keys().map(ToString::to_string));
        for component in chunk.components_identifiers() {
            let rows = self
                .rows
                .entry(format!("{} {component}", chunk.entity_path()))
                .or_default();
            for row_idx in 0..chunk.num_rows() {
                let row = chunk.row_sliced_shallow(row_idx, 1);
                let times: Vec<_> = row
                    .timelines()
                    .values()
                    .map(|t| t.times_raw().to_vec())
                    .collect();
                let value = row.component_batch_raw(component, 0);
                rows.push(format!("{times:?} {value:?}"));
            }
        }
    }

    /// The most rows that any component of an entity has.
    pub(crate) fn n_rows(&self, entity: &str) -> usize {
        let of_entity = |name: &&String| name.split(' ').next() == Some(entity);
        self.rows
            .keys()
            .filter(of_entity)
            .map(|name| self.rows[name].len())
            .max()
            .unwrap_or(0)
    }
}
