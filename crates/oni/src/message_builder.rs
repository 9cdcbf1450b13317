//! Laying out a message.

use crate::header::HeaderBox;
use crate::limits::{PAYLOAD_BYTES_MAX, TENSORS_MAX};
use crate::payload::Payload;
use crate::tensor::{byte_length, cut};
use crate::{
    AlignedBytes, Element, Encoding, Envelope, Header, Message, PayloadOrigin, SchemaId, Shape,
    TensorEntry, TensorError, TensorName,
};

/// Lays out tensors, one after the other.
#[derive(Debug)]
pub struct MessageBuilder {
    header: HeaderBox,
    payload: AlignedBytes,
}

impl MessageBuilder {
    /// A message without tensors yet.
    pub fn new(schema: SchemaId, envelope: Envelope) -> Self {
        let header = HeaderBox::new(Header {
            schema,
            envelope,
            tensors: Vec::new(),
        });
        Self {
            header,
            payload: AlignedBytes::with_room(),
        }
    }

    /// As [`MessageBuilder::new`], in the memory of another message.
    pub(crate) fn over(
        (mut header, mut payload): (HeaderBox, AlignedBytes),
        (schema, envelope): (&SchemaId, &Envelope),
    ) -> Self {
        let Header {
            schema: before,
            envelope: to,
            tensors,
        } = &mut *header;
        before.name.clone_from(&schema.name);
        (before.major, before.minor, before.hash) = (schema.major, schema.minor, schema.hash);
        to.write_over(envelope);
        tensors.clear();
        payload.clear();
        Self { header, payload }
    }

    /// Adds a tensor, row-major.
    ///
    /// # Errors
    /// [`TensorError`] for a name that is none or taken, a shape that does not take as many values
    /// as there are, and messages beyond the limits.
    pub fn tensor<T: Element>(
        mut self,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> Result<Self, TensorError> {
        self.make_room(name, shape, values.len())?
            .copy_from_slice(values);
        Ok(self)
    }

    /// As [`MessageBuilder::tensor`], from values that do not lie in one piece.
    ///
    /// # Errors
    /// [`TensorError`] as [`MessageBuilder::tensor`].
    pub fn tensor_of<T: Element>(
        mut self,
        name: &str,
        shape: &[usize],
        values: impl IntoIterator<Item = T>,
    ) -> Result<Self, TensorError> {
        let (n_values, mut n_taken) = (shape.iter().product(), 0);
        let mut values = values.into_iter();
        let room = self.make_room::<T>(name, shape, n_values)?;
        for (to, value) in room.iter_mut().zip(values.by_ref()) {
            *to = value;
            n_taken += 1;
        }
        let got = n_taken + values.count();
        if got == n_values {
            return Ok(self);
        }
        Err(wrong_length::<T>(name, (n_values, got)))
    }

    /// Adds a tensor of zeros, to be written over.
    fn make_room<T: Element>(
        &mut self,
        name: &str,
        shape: &[usize],
        n_values: usize,
    ) -> Result<&mut [T], TensorError> {
        let Some(tensor_name) = TensorName::new(name) else {
            return Err(TensorError::Name { got: cut(name) });
        };
        let owned = || name.to_string();
        if self.header.tensors.iter().any(|tensor| tensor.name == name) {
            return Err(TensorError::SameName { name: owned() });
        }
        let mut dims = Shape::default();
        if !shape.iter().all(|dim| dims.push(*dim as u64)) {
            return Err(TensorError::Rank {
                name: owned(),
                got: shape.len(),
            });
        }
        let too_large = || TensorError::TooLarge {
            name: owned(),
            shape: dims.to_vec(),
        };
        let n_bytes = n_values.saturating_mul(size_of::<T>());
        let length = n_bytes as u64;
        let expected = byte_length(&dims, T::DTYPE).ok_or_else(too_large)?;
        if expected != length {
            return Err(TensorError::Length {
                name: owned(),
                expected,
                got: length,
            });
        }
        let whole = self.payload.as_slice().len().saturating_add(n_bytes);
        if whole > PAYLOAD_BYTES_MAX || self.header.tensors.len() == TENSORS_MAX {
            return Err(too_large());
        }
        let offset = self.payload.append_zeros(n_bytes);
        self.header.tensors.push(TensorEntry {
            name: tensor_name,
            dtype: T::DTYPE,
            shape: dims,
            offset: offset as u64,
            length,
            encoding: Encoding::Raw,
        });
        // Every tensor begins where any dtype may.
        let room = &mut self.payload.as_mut_slice()[offset..];
        Ok(bytemuck::cast_slice_mut(room))
    }

    /// The message, which gives its memory back ([`Message::into_kept`]).
    pub(crate) fn build_kept(self) -> Message<'static> {
        Message::built(self.header, Payload::Kept(self.payload))
    }

    /// The message.
    pub fn build(self) -> Message<'static> {
        let payload = Payload::owned(self.payload, PayloadOrigin::Built);
        Message::built(self.header, payload)
    }
}

fn wrong_length<T>(name: &str, (expected, got): (usize, usize)) -> TensorError {
    let bytes = |n_values: usize| (n_values * size_of::<T>()) as u64;
    TensorError::Length {
        name: name.to_string(),
        expected: bytes(expected),
        got: bytes(got),
    }
}
