//! Messages: building, encoding, decoding, reading in place.

use std::sync::Arc;

use crate::encoding::unpack;
use crate::header::HeaderBox;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::payload::{Payload, PayloadBytes, Together};
use crate::slab::InSlab;
use crate::tensor::{check_layout, cut};
use crate::{
    AlignedBytes, Encoding, Envelope, Header, HeaderError, PayloadBuffer, PayloadOrigin,
    TensorEntry, TensorError, TensorView,
};

/// A header and its payload: whatever is in it lies within the limits and the payload, so that
/// reading it cannot fail. What its numbers mean is checked by [`crate::TypedMessage`].
#[derive(Debug, Clone)]
pub struct Message<'a> {
    header: HeaderBox,
    payload: Payload<'a>,
    /// How each tensor will be packed: empty, or one for each row of the table.
    packing: Vec<Encoding>,
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// The header is refused.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A packed tensor cannot be unpacked.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// The payload is too long.
    #[error("expected a payload of at most {PAYLOAD_BYTES_MAX} bytes, got {got}")]
    PayloadTooLong {
        /// What came.
        got: usize,
    },
}

impl<'a> Message<'a> {
    /// Reads a message. The payload stays where it is, or is copied once if it is not aligned
    /// for every dtype, or unpacked into new memory if any tensor is packed; [`Message::origin`]
    /// tells which. Afterwards every tensor is raw.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that is no message within the limits.
    pub fn decode(header: &[u8], payload: &'a [u8]) -> Result<Self, DecodeError> {
        check_payload_bytes(payload.len())?;
        Self::from_parts(header, payload, Payload::from_bytes)
    }

    /// The payload's length must have been checked.
    fn from_parts(
        header: &[u8],
        bytes: &'a [u8],
        read: impl FnOnce(&'a [u8]) -> Payload<'a>,
    ) -> Result<Self, DecodeError> {
        let mut header = Header::decode_boxed(header)?;
        check_layout(&header.tensors, bytes.len()).map_err(HeaderError::Tensor)?;
        let is_raw = |tensor: &TensorEntry| tensor.encoding == Encoding::Raw;
        let payload = if header.tensors.iter().all(is_raw) {
            read(bytes)
        } else {
            let unpacked = unpack(&mut header.tensors, bytes)?;
            Payload::owned(unpacked, PayloadOrigin::Unpacked)
        };
        Ok(Self {
            header,
            payload,
            packing: Vec::new(),
        })
    }

    pub(crate) fn built(header: HeaderBox, payload: Payload<'a>) -> Self {
        Self {
            header,
            payload,
            packing: Vec::new(),
        }
    }

    /// Chooses how [`Message::encode`] packs a tensor. Here its numbers stay as they are.
    ///
    /// # Errors
    /// [`TensorError`] where there is no such tensor or the encoding is not for it.
    pub fn pack(&mut self, tensor: &str, encoding: Encoding) -> Result<(), TensorError> {
        let tensors = &self.header.tensors;
        let Some(idx) = tensors.iter().position(|entry| entry.name == tensor) else {
            return Err(TensorError::NoSuchTensor { name: cut(tensor) });
        };
        encoding.check(&tensors[idx])?;
        self.packing.resize(tensors.len(), Encoding::Raw);
        self.packing[idx] = encoding;
        Ok(())
    }

    /// The two parts, ready to be sent. A payload that was built is shared, not copied, unless
    /// [`Message::pack`] was asked for.
    ///
    /// # Errors
    /// [`HeaderError`] where the envelope breaks a rule of headers, or a number cannot be packed.
    pub fn encode(&self) -> Result<EncodedMessage, HeaderError> {
        if self.packing.iter().any(|packing| *packing != Encoding::Raw) {
            return self.encode_packed();
        }
        let header = self.header.encode_shared()?;
        Ok(EncodedMessage::of_parts(header, self.payload.to_shared()))
    }

    fn encode_packed(&self) -> Result<EncodedMessage, HeaderError> {
        let mut header = self.header.clone();
        let mut payload = AlignedBytes::default();
        for (idx, tensor) in self.tensors().enumerate() {
            let packing = self.packing.get(idx).copied().unwrap_or(Encoding::Raw);
            let packed = packing.pack(tensor.entry(), tensor.bytes())?;
            let entry = &mut header.tensors[idx];
            entry.encoding = packing;
            entry.length = packed.len() as u64;
            entry.offset = payload.append_tensor(&packed) as u64;
            // Numbers that do not compress take a little more when packed.
            if payload.as_slice().len() > PAYLOAD_BYTES_MAX {
                let (name, shape) = (entry.name.to_string(), entry.shape.to_vec());
                return Err(TensorError::TooLarge { name, shape }.into());
            }
        }
        let payload = Arc::new(PayloadBytes::Owned(payload));
        Ok(EncodedMessage::of_parts(header.encode_shared()?, payload))
    }

    /// Writes the encoded header over what is in `out`.
    pub(crate) fn write_header(&self, out: &mut Vec<u8>) -> Result<(), HeaderError> {
        out.clear();
        self.header.encode_to(out)
    }

    /// What [`MessageBuilder::build_kept`] made it of.
    pub(crate) fn into_kept(self) -> Option<(HeaderBox, AlignedBytes)> {
        match self.payload {
            Payload::Kept(payload) => Some((self.header, payload)),
            Payload::Borrowed(..) | Payload::Shared(..) => None,
        }
    }

    /// The header. Its tensors are those of the raw payload, whatever they were packed as.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Who, when, how long.
    pub fn envelope(&self) -> &Envelope {
        &self.header.envelope
    }

    /// Who, when, how long; to add to the ledger before sending.
    pub fn envelope_mut(&mut self) -> &mut Envelope {
        &mut self.header.envelope
    }

    /// The payload's bytes.
    pub fn payload(&self) -> &[u8] {
        self.payload.as_slice()
    }

    /// Whether the payload was built, is read in place, or had to be copied.
    pub fn origin(&self) -> PayloadOrigin {
        self.payload.origin()
    }

    /// The tensor of this name.
    pub fn tensor(&self, name: &str) -> Option<TensorView<'_>> {
        let mut entries = self.header.tensors.iter();
        let entry = entries.find(|entry| entry.name.as_bytes() == name.as_bytes())?;
        Some(view(entry, self.payload()))
    }

    /// The tensor of this name, which is in this row unless the sender has an order of its own.
    pub(crate) fn tensor_near(&self, idx: usize, name: &str) -> Option<TensorView<'_>> {
        let there = self.header.tensors.get(idx);
        match there.filter(|entry| entry.name.as_bytes() == name.as_bytes()) {
            Some(entry) => Some(view(entry, self.payload())),
            None => self.tensor(name),
        }
    }

    /// Every tensor, in the table's order.
    pub fn tensors(&self) -> impl Iterator<Item = TensorView<'_>> {
        let payload = self.payload();
        let entries = self.header.tensors.iter();
        entries.map(move |entry| view(entry, payload))
    }
}

/// The layout was checked: every tensor lies within the payload.
fn view<'m>(entry: &'m TensorEntry, payload: &'m [u8]) -> TensorView<'m> {
    TensorView::new(
        entry,
        &payload[entry.offset as usize..][..entry.length as usize],
    )
}

fn check_payload_bytes(got: usize) -> Result<(), DecodeError> {
    if got > PAYLOAD_BYTES_MAX {
        return Err(DecodeError::PayloadTooLong { got });
    }
    Ok(())
}

/// A message as it travels: cheap to clone, so that it can be handed to many readers.
///
/// The payload is owned, or it stays in the buffer that brought it ([`PayloadBuffer`]).
#[derive(Clone)]
pub struct EncodedMessage(Parts);

#[derive(Clone)]
enum Parts {
    /// Each in memory of its own.
    Apart(Arc<[u8]>, Arc<PayloadBytes>),
    /// Both in one piece, as small messages are copied out of a network's buffer.
    Together(Together),
    /// Among others, as they are copied where many come.
    InSlab(InSlab),
}

impl EncodedMessage {
    /// From the two parts, unchecked: a transport need not know what it carries. The header is
    /// copied.
    pub fn new(header: impl Into<Vec<u8>>, payload: AlignedBytes) -> Self {
        Self::of_parts(header.into().into(), Arc::new(PayloadBytes::Owned(payload)))
    }

    /// A copy of the two parts, unchecked, in one piece of memory: what costs least where they are
    /// small.
    pub fn copy_of(header: &[u8], payload: &[u8]) -> Self {
        Self(Parts::Together(Together::copy_of(header, payload)))
    }

    pub(crate) fn in_slab(message: InSlab) -> Self {
        Self(Parts::InSlab(message))
    }

    /// From a header and a payload that stays where it is, unchecked. Nothing is copied here.
    pub fn from_buffer(header: impl Into<Vec<u8>>, payload: Box<dyn PayloadBuffer>) -> Self {
        Self::of_parts(
            header.into().into(),
            Arc::new(PayloadBytes::of_buffer(payload)),
        )
    }

    fn of_parts(header: Arc<[u8]>, payload: Arc<PayloadBytes>) -> Self {
        Self(Parts::Apart(header, payload))
    }

    /// The header's bytes.
    pub fn header(&self) -> &[u8] {
        match &self.0 {
            Parts::Apart(header, _) => header,
            Parts::Together(parts) => parts.header(),
            Parts::InSlab(parts) => parts.header(),
        }
    }

    /// The payload's bytes, aligned for every dtype. The first call copies a buffer that is not
    /// aligned or not in one run; all clones share the copy.
    pub fn payload(&self) -> &[u8] {
        match &self.0 {
            Parts::Apart(_, payload) => payload.as_slice(),
            Parts::Together(parts) => parts.payload(),
            Parts::InSlab(parts) => parts.payload(),
        }
    }

    /// Where the payload's bytes are: built here, in somebody's buffer, or copied out of it (now
    /// or when they are first read).
    pub fn origin(&self) -> PayloadOrigin {
        match &self.0 {
            Parts::Apart(_, payload) => payload.origin(),
            Parts::Together(_) | Parts::InSlab(_) => PayloadOrigin::Built,
        }
    }

    /// The buffer that the payload came in, if it came in one.
    pub fn buffer(&self) -> Option<&dyn PayloadBuffer> {
        match &self.0 {
            Parts::Apart(_, payload) => payload.buffer(),
            Parts::Together(_) | Parts::InSlab(_) => None,
        }
    }

    /// Copies nothing, unlike [`EncodedMessage::payload`].
    fn payload_bytes(&self) -> usize {
        match &self.0 {
            Parts::Apart(_, payload) => payload.len_bytes(),
            Parts::Together(parts) => parts.payload().len(),
            Parts::InSlab(parts) => parts.payload_bytes(),
        }
    }

    /// Bytes of both parts together.
    pub fn len_bytes(&self) -> usize {
        self.header().len() + self.payload_bytes()
    }

    /// Reads the message, its payload in place.
    ///
    /// # Errors
    /// [`DecodeError`] for anything that is no message within the limits.
    pub fn decode(&self) -> Result<Message<'_>, DecodeError> {
        // Before the payload is touched, which may copy it.
        check_payload_bytes(self.payload_bytes())?;
        let origin = match self.origin() {
            PayloadOrigin::Copied => PayloadOrigin::Copied,
            _ => PayloadOrigin::InPlace,
        };
        let read = |bytes| Payload::Borrowed(bytes, origin);
        Message::from_parts(self.header(), self.payload(), read)
    }

    fn is_same_memory(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Parts::Apart(header, payload), Parts::Apart(other_header, other_payload)) => {
                Arc::ptr_eq(header, other_header) && Arc::ptr_eq(payload, other_payload)
            }
            (Parts::Together(ours), Parts::Together(theirs)) => ours.is_same_memory(theirs),
            (Parts::InSlab(ours), Parts::InSlab(theirs)) => ours.is_same_memory(theirs),
            _ => false,
        }
    }
}

impl PartialEq for EncodedMessage {
    /// By the bytes of both parts, wherever they lie.
    fn eq(&self, other: &Self) -> bool {
        self.is_same_memory(other)
            || (self.header() == other.header()
                && self.payload_bytes() == other.payload_bytes()
                && self.payload() == other.payload())
    }
}

impl Eq for EncodedMessage {}

impl std::fmt::Debug for EncodedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (header, payload) = (self.header().len(), self.payload_bytes());
        let origin = self.origin();
        write!(f, "EncodedMessage({header} + {payload} bytes, {origin:?})")
    }
}
