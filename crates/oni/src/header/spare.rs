//! Headers that were read and are read into again.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut, Range};

use sedge_spacetime::{AgentName, Stamp};

use crate::limits::NAME_BYTES_MAX;

use super::{Capture, Envelope, Header, SchemaId, Source, codec};

/// Headers that a thread keeps: as many streams as it usually reads, or messages at once.
const SPARES_MAX: usize = 4;
/// Rows, stages and bytes of names for which a kept header has room; it takes less than 9 KiB.
const ROWS_MAX: usize = 16;
const NAME_ROOM_MAX: usize = 2 * NAME_BYTES_MAX;

/// The longest header whose bytes are remembered.
const READ_BYTES_MAX: usize = 1024;

/// Handed out as it is: moving a header into another box takes as long as making one.
type Spare = Box<Kept>;

thread_local! {
    /// The one that was read last comes last.
    static SPARES: RefCell<Vec<Spare>> = const { RefCell::new(Vec::new()) };
}

/// A header, and what it was read from.
#[derive(Debug, Clone)]
struct Kept {
    header: Header,
    /// Nothing where it was not read, or changed since.
    read: Vec<u8>,
    /// Where in it the sequence number and the stamp are.
    varying: Range<usize>,
}

impl Kept {
    /// Reads another header by comparing it, where it differs in sequence number and stamp alone,
    /// as the next one of a stream does; whether it did.
    fn read_next(&mut self, encoded: &[u8]) -> bool {
        if self.read.is_empty() {
            return false;
        }
        let (before, behind) = (
            &self.read[..self.varying.start],
            &self.read[self.varying.end..],
        );
        let varying = encoded.strip_prefix(before);
        let varying = varying.and_then(|rest| rest.strip_suffix(behind));
        let Some((sequence, stamp)) = varying.and_then(codec::read_varying) else {
            return false;
        };
        let envelope = &mut self.header.envelope;
        envelope.source.sequence = sequence;
        envelope.capture.stamp = stamp;
        true
    }
}

/// A header in a box, as messages are moved more often than they are made. The box and the memory
/// of what is in it serve for a later message of the same thread: five small pieces of memory take
/// longer to be asked for, and to be given back, than to be filled. Of the streams that a thread
/// reads in turn, what does not change from message to message is not even read again.
#[derive(Clone)]
pub(crate) struct HeaderBox(Option<Box<Kept>>);

impl HeaderBox {
    pub(crate) fn new(header: Header) -> Self {
        Self::of(Box::new(Kept::of(header)))
    }

    fn of(kept: Box<Kept>) -> Self {
        Self(Some(kept))
    }

    /// The header that these bytes are, where one of the same stream was read lately.
    pub(super) fn read_next(encoded: &[u8]) -> Option<Self> {
        let found = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            let idx = spares
                .iter_mut()
                .rposition(|spare| spare.read_next(encoded))?;
            Some(spares.remove(idx))
        });
        found.ok().flatten().map(Self::of)
    }

    /// One to be written over, whatever is in it.
    pub(super) fn spare() -> Self {
        // There is none while a thread ends.
        let oldest = SPARES.try_with(|spares| {
            let mut spares = spares.borrow_mut();
            (spares.len() == SPARES_MAX).then(|| spares.remove(0))
        });
        let unwritten = || Box::new(Kept::of(unwritten()));
        Self::of(oldest.ok().flatten().unwrap_or_else(unwritten))
    }

    /// Remembers what it was read from, where the next one of its stream may differ in this part
    /// alone.
    pub(super) fn remember(&mut self, encoded: &[u8], varying: Range<usize>) {
        let kept = self.kept_mut();
        // What each stage took is never the same again.
        let may_come_again = kept.header.envelope.ledger.is_empty();
        if may_come_again && encoded.len() <= READ_BYTES_MAX {
            kept.read.extend_from_slice(encoded);
            kept.varying = varying;
        }
    }

    pub(crate) fn into_header(mut self) -> Header {
        self.0.take().expect(TAKEN).header
    }

    fn kept_mut(&mut self) -> &mut Kept {
        self.0.as_mut().expect(TAKEN)
    }
}

const TAKEN: &str = "only taken when it is dropped";

impl Kept {
    fn of(header: Header) -> Self {
        Self {
            header,
            read: Vec::new(),
            varying: 0..0,
        }
    }
}

/// A header of nothing.
fn unwritten() -> Header {
    let schema = SchemaId {
        name: String::new(),
        major: 0,
        minor: 0,
        hash: [0; 16],
    };
    let source = Source {
        agent: AgentName::new("nobody").expect("a plain name"),
        epoch: 0,
        sequence: 0,
    };
    let capture = Capture::exact(Stamp::from_nanos(0), String::new());
    Header {
        schema,
        envelope: Envelope::new(source, capture),
        tensors: Vec::new(),
    }
}

/// Whether a header is worth keeping.
fn is_small(header: &Header) -> bool {
    let envelope = &header.envelope;
    let n_rows = header.tensors.capacity().max(envelope.ledger.capacity());
    let names = [&header.schema.name, &envelope.capture.clock];
    n_rows <= ROWS_MAX && names.iter().all(|name| name.capacity() <= NAME_ROOM_MAX)
}

impl Deref for HeaderBox {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        &self.0.as_ref().expect(TAKEN).header
    }
}

/// For whoever changes it: it is no longer what was read.
impl DerefMut for HeaderBox {
    #[inline]
    fn deref_mut(&mut self) -> &mut Header {
        let kept = self.kept_mut();
        kept.read.clear();
        &mut kept.header
    }
}

impl fmt::Debug for HeaderBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Drop for HeaderBox {
    fn drop(&mut self) {
        let Some(mut kept) = self.0.take() else {
            return;
        };
        kept.header.envelope.ledger.clear();
        if !is_small(&kept.header) {
            return;
        }
        // A thread that ends keeps nothing.
        SPARES
            .try_with(|spares| {
                let mut spares = spares.borrow_mut();
                if spares.len() < SPARES_MAX {
                    spares.push(kept);
                }
            })
            .unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sedge_spacetime::FrameName;

    use super::*;
    use crate::{HeaderError, LedgerEntry, Message, MessageBuilder, TraceContext};

    fn bare(agent: &str, clock: &str) -> MessageBuilder {
        let schema = SchemaId {
            name: format!("test.{agent}"),
            major: 1,
            minor: 2,
            hash: [3; 16],
        };
        let source = Source {
            agent: AgentName::new(agent).unwrap(),
            epoch: 4,
            sequence: 5,
        };
        let capture = Capture::exact(Stamp::from_nanos(6), clock);
        MessageBuilder::new(schema, Envelope::new(source, capture))
    }

    fn full() -> Message<'static> {
        let builder = bare("crane3", "log").tensor("ranges", &[3], &[1_f32, 2.0, 3.0]);
        let mut message = builder.unwrap().build();
        let envelope = message.envelope_mut();
        envelope.frame = Some(FrameName::new("scanner").unwrap());
        envelope.trace = Some(TraceContext {
            trace_id: [1; 16],
            span_id: [2; 8],
        });
        envelope.deadline = Some(Duration::from_millis(1));
        envelope.lifespan = Some(Duration::from_millis(2));
        envelope.model_hash = Some([7; 32]);
        envelope.ledger.extend(LedgerEntry::new("fuse", 8));
        message
    }

    #[test]
    fn nothing_of_an_earlier_header_is_left() {
        let messages = [full(), bare("ant", "x").build(), full()];
        for message in messages.iter().cycle().take(20) {
            let encoded = message.encode().unwrap();
            let decoded = encoded.decode().unwrap();
            assert_eq!(decoded.header(), message.header());
        }
    }

    #[test]
    fn a_header_that_was_changed_or_refused_is_no_spare_for_others_to_see() {
        let encoded = full().encode().unwrap();
        for _ in 0..20 {
            let mut decoded = encoded.decode().unwrap();
            assert_eq!(decoded.header(), full().header());
            decoded.envelope_mut().capture.clock = "no clock at all".to_string();
            decoded.envelope_mut().frame = None;
            drop(decoded);
            let cut = &encoded.header()[..encoded.header().len() - 1];
            assert!(Message::decode(cut, encoded.payload()).is_err());
        }
    }

    /// Reads a header, which is a spare one afterwards.
    fn read(encoded: &[u8]) -> Result<Header, HeaderError> {
        Header::decode_boxed(encoded).map(|read| (*read).clone())
    }

    fn read_alone(encoded: &[u8]) -> Result<Header, HeaderError> {
        SPARES.with_borrow_mut(Vec::clear);
        read(encoded)
    }

    #[test]
    fn the_next_of_a_stream_is_read_as_it_would_be_alone() {
        let mut streams = [full(), bare("ant", "x").build(), bare("bee", "x").build()];
        streams[0].envelope_mut().ledger.clear();
        for sequence in [0, 1, 127, 128, 1 << 40, u64::MAX, 5, 0, 6] {
            for message in &mut streams {
                message.envelope_mut().source.sequence = sequence;
                let nanos = (sequence as i64).wrapping_mul(7);
                message.envelope_mut().capture.stamp = Stamp::from_nanos(nanos);
                let encoded = message.encode().unwrap();
                let decoded = encoded.decode().unwrap();
                assert_eq!(decoded.header(), message.header());
            }
        }
        SPARES.with_borrow(|spares| {
            let agents = spares
                .iter()
                .map(|spare| &spare.header.envelope.source.agent);
            let agents: Vec<_> = agents.map(AgentName::as_str).collect();
            assert_eq!(agents[agents.len() - 3..], ["crane3", "ant", "bee"]);
        });
    }

    #[test]
    fn of_fields_that_come_twice_the_last_one_counts_for_the_next_header_too() {
        let plain = bare("ant", "x").build().encode().unwrap().header().to_vec();
        let (sequence, stamp) = ([0x38, 9], [0x41, 1, 0, 0, 0, 0, 0, 0, 0]);
        let padded = [0x38, 0x89, 0];
        let tails: [&[&[u8]]; 8] = [
            &[&sequence],
            &[&stamp],
            &[&sequence, &stamp],
            &[&stamp, &sequence],
            &[&sequence, &stamp, &sequence],
            &[&sequence, &stamp, &stamp],
            &[&padded, &stamp],
            &[&sequence, &padded, &stamp],
        ];
        for tail in tails {
            let one = [&plain, &tail.concat()[..]].concat();
            let expected = read_alone(&one);
            assert_eq!(read(&one), expected, "after itself");
            // Each byte of the numbers in turn.
            for idx in plain.len() - 30..one.len() {
                let mut other = one.clone();
                other[idx] ^= 2;
                let alone = read_alone(&other);
                assert_eq!(read_alone(&one), expected);
                assert_eq!(read(&other), alone, "byte {idx} of {one:02x?}");
            }
        }
    }

    #[test]
    fn a_header_that_is_never_the_same_again_is_read_each_time() {
        for (message, is_remembered) in [(full(), false), (bare("ant", "x").build(), true)] {
            drop(message.encode().unwrap().decode().unwrap());
            let spare = SPARES.with_borrow_mut(Vec::pop).unwrap();
            assert_eq!(!spare.read.is_empty(), is_remembered);
        }
    }

    #[test]
    fn many_headers_at_once_are_each_their_own() {
        let encoded = full().encode().unwrap();
        for _ in 0..3 {
            let decoded: Vec<_> = (0..3 * SPARES_MAX).map(|_| encoded.decode()).collect();
            for one in decoded {
                assert_eq!(one.unwrap().header(), full().header());
            }
        }
        SPARES.with_borrow(|spares| assert!(spares.len() <= SPARES_MAX));
    }

    #[test]
    fn large_headers_are_not_kept() {
        SPARES.with_borrow_mut(Vec::clear);
        let mut message = bare("ant", "x").build();
        message.envelope_mut().capture.clock = "x".repeat(10 * NAME_ROOM_MAX);
        drop(message);
        SPARES.with_borrow(|spares| assert!(spares.is_empty()));
    }
}
