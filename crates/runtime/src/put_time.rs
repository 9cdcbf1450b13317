//! When a message was put, and that a stream has ended: two words in a header's ledger.

use std::time::Duration;

use sedge_oni::{Envelope, LedgerEntry};
use sedge_spacetime::Stamp;
use sedge_world_model::Reused;

/// Followed by the clock's domain; the entry's nanoseconds are the time on that clock.
const PUT_AT: &str = "put@";
/// In the last message of a stream, which must not be used otherwise.
const END_OF_STREAM: &str = "end-of-stream";
/// Stands for the first stages of a ledger that is too long to be carried on.
const EARLIER: &str = "earlier";
/// Half of what a ledger holds.
const N_CARRIED_MAX: usize = 32;
/// Any time at all after the capture stamp is past this, so nobody uses the message.
const NEVER_USED: Duration = Duration::from_nanos(1);

/// Notes in the ledger that the message is put at `now`, a time of the clock `domain`.
pub(crate) fn note_put(envelope: &mut Envelope, domain: &str, now: Stamp) {
    envelope.ledger.extend(put_entry(domain, now));
}

/// The entry of a ledger that says so; none where the name of the clock is too long for it.
pub(crate) fn put_entry(domain: &str, now: Stamp) -> Option<LedgerEntry> {
    let nanos = u64::try_from(now.nanos()).unwrap_or_default();
    LedgerEntry::of_parts([PUT_AT, domain], nanos)
}

/// When the message was put, if that is noted on the clock `domain`.
pub(crate) fn put_time(envelope: &Envelope, domain: &str) -> Option<Stamp> {
    let is_ours = |entry: &&LedgerEntry| entry.stage.strip_prefix(PUT_AT) == Some(domain);
    let noted = envelope.ledger.iter().rev().find(is_ours)?;
    i64::try_from(noted.nanos).ok().map(Stamp::from_nanos)
}

/// When the message was put last, and on which clock.
pub(crate) fn newest_put(envelope: &Envelope) -> Option<(&str, Stamp)> {
    envelope.ledger.iter().rev().find_map(|entry| {
        let domain = entry.stage.strip_prefix(PUT_AT)?;
        let nanos = i64::try_from(entry.nanos).ok()?;
        Some((domain, Stamp::from_nanos(nanos)))
    })
}

/// The stages that the ledger states, without the words that are reserved. Of a ledger that is so
/// long that a reader's own stages would not fit behind it, the first ones become one.
pub(crate) fn stages_before(envelope: &Envelope) -> Reused<LedgerEntry> {
    let is_stage =
        |entry: &&LedgerEntry| !entry.stage.starts_with(PUT_AT) && &*entry.stage != END_OF_STREAM;
    let mut stages: Reused<LedgerEntry> =
        envelope.ledger.iter().filter(is_stage).copied().collect();
    let n_beyond = (stages.len() + 1).saturating_sub(N_CARRIED_MAX);
    if n_beyond > 1 {
        let first = stages.drain(..n_beyond);
        let nanos = first.fold(0, |sum: u64, entry| sum.saturating_add(entry.nanos));
        stages.splice(0..0, LedgerEntry::new(EARLIER, nanos));
    }
    stages
}

/// Turns a message into the last of its stream.
pub(crate) fn note_end(envelope: &mut Envelope) {
    envelope.lifespan = Some(NEVER_USED);
    envelope.ledger.extend(LedgerEntry::new(END_OF_STREAM, 0));
}

/// Whether the message only says that its stream has ended.
pub(crate) fn is_end(envelope: &Envelope) -> bool {
    envelope
        .ledger
        .iter()
        .any(|entry| &*entry.stage == END_OF_STREAM)
}

#[cfg(test)]
mod tests {
    use sedge_oni::{Capture, Sequence};
    use sedge_spacetime::AgentName;

    use super::*;

    #[test]
    fn stages_are_carried_on_and_none_is_lost_from_their_sum() {
        let source = Sequence::new(AgentName::new("crane3").unwrap(), 1).next_source();
        let mut envelope = Envelope::new(source, Capture::exact(Stamp::ZERO, "log"));
        assert!(stages_before(&envelope).is_empty());
        for nanos in 1..=60 {
            let entry = LedgerEntry::new(&format!("s{nanos}"), nanos);
            envelope.ledger.push(entry.unwrap());
            note_put(&mut envelope, "here", Stamp::from_nanos(7));
            let carried = stages_before(&envelope);
            let sum: u64 = carried.iter().map(|entry| entry.nanos).sum();
            assert_eq!(sum, nanos * (nanos + 1) / 2);
            assert_eq!(carried.len() as u64, nanos.min(32));
            envelope.ledger.pop();
        }
    }

    #[test]
    fn put_times_of_other_clocks_are_not_compared() {
        let source = Sequence::new(AgentName::new("crane3").unwrap(), 1).next_source();
        let mut envelope = Envelope::new(source, Capture::exact(Stamp::ZERO, "log"));
        assert_eq!(put_time(&envelope, "here"), None);
        note_put(&mut envelope, "here", Stamp::from_nanos(7));
        assert_eq!(put_time(&envelope, "here"), Some(Stamp::from_nanos(7)));
        assert_eq!(put_time(&envelope, "her"), None);
        assert!(!is_end(&envelope));
        note_end(&mut envelope);
        assert!(is_end(&envelope));
    }
}
