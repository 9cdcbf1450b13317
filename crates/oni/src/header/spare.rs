//! Headers that were read and are read into again.

use std::cell::RefCell;
use std::fmt;
use std::ops::{Deref, DerefMut};

use sedge_spacetime::{AgentName, Stamp};

use crate::limits::NAME_BYTES_MAX;

use super::{Capture, Envelope, Header, SchemaId, Source};

/// Headers that a thread keeps: as many messages as it usually reads at once.
const SPARES_MAX: usize = 4;
/// Rows, stages and bytes of names for which a kept header has room; it takes less than 8 KiB.
const ROWS_MAX: usize = 16;
const NAME_ROOM_MAX: usize = 2 * NAME_BYTES_MAX;

/// Handed out as it is: moving a header into another box takes as long as making one.
type Spare = Box<Header>;

thread_local! {
    static SPARES: RefCell<Vec<Spare>> = const { RefCell::new(Vec::new()) };
}

/// A header in a box, as messages are moved more often than they are made. The box and the memory
/// of what is in it serve for a later message of the same thread: five small pieces of memory take
/// longer to be asked for, and to be given back, than to be filled.
#[derive(Clone)]
pub(crate) struct HeaderBox(Option<Box<Header>>);

impl HeaderBox {
    pub(crate) fn new(header: Box<Header>) -> Self {
        Self(Some(header))
    }

    /// One to be written over, whatever is in it.
    pub(crate) fn spare() -> Self {
        // There is none while a thread ends.
        let spare = SPARES.try_with(|spares| spares.borrow_mut().pop());
        Self(Some(spare.ok().flatten().unwrap_or_else(unwritten)))
    }

    pub(crate) fn into_header(mut self) -> Header {
        *self.0.take().expect("only taken when it is dropped")
    }
}

/// A header of nothing.
fn unwritten() -> Box<Header> {
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
    Box::new(Header {
        schema,
        envelope: Envelope::new(source, capture),
        tensors: Vec::new(),
    })
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
        self.0.as_ref().expect("only taken when it is dropped")
    }
}

impl DerefMut for HeaderBox {
    #[inline]
    fn deref_mut(&mut self) -> &mut Header {
        self.0.as_mut().expect("only taken when it is dropped")
    }
}

impl fmt::Debug for HeaderBox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl Drop for HeaderBox {
    fn drop(&mut self) {
        let Some(mut header) = self.0.take() else {
            return;
        };
        header.envelope.ledger.clear();
        if !is_small(&header) {
            return;
        }
        // A thread that ends keeps nothing.
        SPARES
            .try_with(|spares| {
                let mut spares = spares.borrow_mut();
                if spares.len() < SPARES_MAX {
                    spares.push(header);
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
    use crate::{LedgerEntry, Message, MessageBuilder, TraceContext};

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
        envelope.ledger.push(LedgerEntry {
            stage: "fuse".to_string(),
            nanos: 8,
        });
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
