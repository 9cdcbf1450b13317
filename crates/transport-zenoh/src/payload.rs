//! Payloads on their way in and out: Zenoh's buffers as ours, and ours as Zenoh's.

use std::any::Any;
use std::cell::RefCell;
use std::sync::Arc;

use sedge_oni::{EncodedMessage, PayloadBuffer};
use zenoh::bytes::ZBytes;
use zenoh_buffers::{ZBuf, ZSlice, ZSliceBuffer};

/// Messages below this are copied where they come in: they lie in a receive buffer of 64 KiB,
/// which a waiting message would keep for itself, and the copy costs less than a microsecond.
pub(crate) const COPY_BYTES_MAX: usize = 8 * 1024;
/// Payloads below this are copied where they go out, too: that takes less than sharing them.
pub(crate) const COPY_OUT_BYTES_MAX: usize = 4 * 1024;

/// A payload in a buffer of Zenoh's: what came over a link, or shared memory.
pub(crate) struct ZenohPayload(pub(crate) ZBytes);

impl PayloadBuffer for ZenohPayload {
    fn len_bytes(&self) -> usize {
        self.0.len()
    }

    fn contiguous(&self) -> Option<&[u8]> {
        let mut slices = self.0.slices();
        let first = slices.next().unwrap_or(&[]);
        slices.next().is_none().then_some(first)
    }

    fn copy_to(&self, target: &mut [u8]) {
        let mut rest = target;
        for slice in self.0.slices() {
            let (to, behind) = rest.split_at_mut(slice.len());
            to.copy_from_slice(slice);
            rest = behind;
        }
    }
}

/// The message that came in these buffers. A large payload stays in its own.
pub(crate) fn received(header: &[u8], payload: &ZBytes) -> EncodedMessage {
    let is_shared = payload.as_shm().is_some();
    if payload.len() < COPY_BYTES_MAX && !is_shared {
        return EncodedMessage::copy_of(header, &payload.to_bytes());
    }
    EncodedMessage::from_buffer(header, Box::new(ZenohPayload(payload.clone())))
}

/// What Zenoh is to send.
pub(crate) struct Outgoing {
    /// As the attachment.
    pub(crate) header: ZBytes,
    pub(crate) payload: ZBytes,
}

impl Outgoing {
    /// A message; a large payload is shared, not copied.
    pub(crate) fn of(message: &EncodedMessage) -> Self {
        if message.len_bytes() >= COPY_OUT_BYTES_MAX || message.buffer().is_some() {
            return Self::new(message, shared(message));
        }
        let (header, payload) = copied(message.header(), message.payload());
        Self { header, payload }
    }

    /// The header of a message, and its payload where it lies already.
    pub(crate) fn new(message: &EncodedMessage, payload: ZBytes) -> Self {
        let header = message.header();
        let header = if header.len() < COPY_OUT_BYTES_MAX {
            copied(header, &[]).0
        } else {
            ZBytes::from(header)
        };
        Self { header, payload }
    }
}

thread_local! {
    /// Where small messages are copied to on their way out. Zenoh writes them into its batches at
    /// once, and the memory serves again.
    static COPIED: RefCell<Arc<Vec<u8>>> = RefCell::default();
}

/// Copies of both in one piece of memory: the last one's, if nobody keeps that.
fn copied(header: &[u8], payload: &[u8]) -> (ZBytes, ZBytes) {
    let copied = COPIED.try_with(|copied| {
        let copied = &mut *copied.borrow_mut();
        if let Some(bytes) = Arc::get_mut(copied) {
            bytes.clear();
            bytes.extend_from_slice(header);
            bytes.extend_from_slice(payload);
        } else {
            *copied = Arc::new([header, payload].concat());
        }
        Arc::clone(copied)
    });
    // A thread that ends has no such place any more.
    let copied: Arc<dyn ZSliceBuffer> =
        copied.unwrap_or_else(|_| Arc::new([header, payload].concat()));
    let (middle, end) = (header.len(), header.len() + payload.len());
    let part = |buffer, begin, end| {
        let part = ZSlice::new(buffer, begin, end).expect("both are in it");
        ZBytes::from(ZBuf::from(part))
    };
    let header = part(Arc::clone(&copied), 0, middle);
    (header, part(copied, middle, end))
}

/// A payload that stays where it is.
fn shared(message: &EncodedMessage) -> ZBytes {
    if let Some(buffer) = message.buffer()
        && let Some(ours) = (buffer as &dyn Any).downcast_ref::<ZenohPayload>()
    {
        return ours.0.clone();
    }
    ZBytes::from(bytes::Bytes::from_owner(Owner(message.clone())))
}

/// Keeps a message for as long as its payload is being sent.
struct Owner(EncodedMessage);

impl AsRef<[u8]> for Owner {
    fn as_ref(&self) -> &[u8] {
        self.0.payload()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sedge_oni::AlignedBytes;

    fn bytes(part: &ZBytes) -> Vec<u8> {
        part.to_bytes().into_owned()
    }

    #[test]
    fn memory_of_small_messages_serves_again_once_nobody_keeps_it() {
        let small =
            |header: &[u8], payload: &[u8]| Outgoing::of(&EncodedMessage::copy_of(header, payload));
        let (first, second) = (small(b"one", &[1; 64]), small(b"two", &[2; 99]));
        assert_eq!(bytes(&first.header), b"one", "it was kept");
        assert_eq!(bytes(&first.payload), [1; 64]);
        assert_eq!(bytes(&second.payload), [2; 99]);
        let at = second.header.to_bytes().as_ptr();
        drop((first, second));
        let third = small(b"three", &[]);
        assert_eq!(third.header.to_bytes().as_ptr(), at);
        assert_eq!(bytes(&third.header), b"three");
        assert!(third.payload.is_empty());
    }

    #[test]
    fn large_payloads_stay_where_they_are_and_large_headers_are_copied_alone() {
        for n_header_bytes in [3, 2 * COPY_OUT_BYTES_MAX] {
            let payload = AlignedBytes::copy_of(&[7; COPY_OUT_BYTES_MAX]);
            let message = EncodedMessage::new(vec![5; n_header_bytes], payload);
            let outgoing = Outgoing::of(&message);
            assert_eq!(bytes(&outgoing.header), message.header());
            let (ours, theirs) = (message.payload(), outgoing.payload.to_bytes());
            assert_eq!((ours.as_ptr(), ours.len()), (theirs.as_ptr(), theirs.len()));
        }
    }
}
