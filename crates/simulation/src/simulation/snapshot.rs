//! A run's state as bytes, and back.

use std::sync::Arc;

use super::{Simulation, State, View};

/// Why bytes are no snapshot of this run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// It is of another scenario or seed.
    #[error("expected a snapshot of this scenario and seed, got one of another run")]
    OtherRun,
    /// It was cut or changed.
    #[error("expected a whole snapshot, got {0} bytes that do not fit their checksum")]
    Damaged(usize),
    /// Its content is none of this version.
    #[error("expected a snapshot of this version, got {0}")]
    Content(String),
}

const HASH_BYTES: usize = 32;

impl Simulation {
    /// All that moves, random numbers and metrics too: restored, the run goes on as it would have,
    /// bit by bit. For this version of the program: it is no format for files that last.
    ///
    /// # Panics
    /// Never: the state can always be written.
    pub fn snapshot(&self) -> Vec<u8> {
        let mut bytes = self.plan.identity.to_vec();
        let content =
            postcard::to_stdvec(&self.state).expect("the state is plain data, written to memory");
        bytes.extend(content);
        bytes.extend(blake3::hash(&bytes).as_bytes());
        bytes
    }

    /// Goes back, or on, to where a snapshot of the same scenario and seed was taken.
    ///
    /// # Errors
    /// [`SnapshotError`]; the simulation is then as before.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), SnapshotError> {
        let damaged = || SnapshotError::Damaged(snapshot.len());
        let content_end = snapshot.len().checked_sub(HASH_BYTES).ok_or_else(damaged)?;
        let (checked, checksum) = snapshot.split_at(content_end);
        if *blake3::hash(checked).as_bytes() != *checksum {
            return Err(damaged());
        }
        let (identity, content) = checked.split_at_checked(HASH_BYTES).ok_or_else(damaged)?;
        if *identity != self.plan.identity {
            return Err(SnapshotError::OtherRun);
        }
        let state: State = postcard::from_bytes(content)
            .map_err(|error| SnapshotError::Content(error.to_string()))?;
        self.state = state;
        self.view.readings.clear();
        self.look();
        Ok(())
    }

    /// A second run that goes on from here by itself.
    ///
    /// # Panics
    /// Never: a snapshot just taken can be restored.
    pub fn fork(&self) -> Self {
        let content = postcard::to_stdvec(&self.state);
        let content = content.expect("the state is plain data, written to memory");
        let state = postcard::from_bytes(&content).expect("what was just written can be read");
        let mut fork = Self {
            plan: Arc::clone(&self.plan),
            state,
            view: View::default(),
        };
        fork.look();
        fork
    }
}
