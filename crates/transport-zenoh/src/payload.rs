//! Payloads on their way in and out: Zenoh's buffers as ours, and ours as Zenoh's.

use std::any::Any;

use sedge_oni::{EncodedMessage, PayloadBuffer};
use zenoh::bytes::ZBytes;

/// Messages below this are copied where they come in: they lie in a receive buffer of 64 KiB,
/// which a waiting message would keep for itself, and the copy costs less than a microsecond.
pub(crate) const COPY_BYTES_MAX: usize = 8 * 1024;
/// Payloads below this are copied where they go out, too: that takes less than sharing them.
const COPY_OUT_BYTES_MAX: usize = 256;

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
pub(crate) fn received(header: &ZBytes, payload: &ZBytes) -> EncodedMessage {
    let header = header.to_bytes();
    let is_shared = payload.as_shm().is_some();
    if payload.len() < COPY_BYTES_MAX && !is_shared {
        return EncodedMessage::copy_of(&header, &payload.to_bytes());
    }
    EncodedMessage::from_buffer(&*header, Box::new(ZenohPayload(payload.clone())))
}

/// The bytes to put: those of a buffer of Zenoh's are shared, others too unless they are few.
pub(crate) fn outgoing(message: &EncodedMessage) -> ZBytes {
    if let Some(buffer) = message.buffer()
        && let Some(ours) = (buffer as &dyn Any).downcast_ref::<ZenohPayload>()
    {
        return ours.0.clone();
    }
    let payload = message.payload();
    if payload.len() < COPY_OUT_BYTES_MAX {
        return ZBytes::from(payload);
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
