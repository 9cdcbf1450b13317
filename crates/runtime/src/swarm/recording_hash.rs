//! One number for everything that was said in a run.

use sedge_spacetime::Stamp;
use sedge_transport::Outgoing;

use super::Sender;

/// blake3 over every message in order: when it was sent, by whom, under which key, and every byte
/// of it, each part behind its length.
#[derive(Default)]
pub(super) struct RecordingHash(blake3::Hasher);

impl RecordingHash {
    pub(super) fn update(&mut self, at: Stamp, sender: Sender, outgoing: &Outgoing) {
        let sender = match sender {
            Sender::World => 0_u64,
            Sender::Member(idx) => 1 + idx as u64,
        };
        self.0.update(&at.nanos().to_le_bytes());
        self.0.update(&sender.to_le_bytes());
        self.part(outgoing.key.as_str().as_bytes());
        self.part(outgoing.message.header());
        self.part(outgoing.message.payload());
    }

    fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    /// Hexadecimal.
    pub(super) fn finish(&self) -> String {
        self.0.finalize().to_hex().to_string()
    }
}
