//! Bytes with a scale: lossy, a quarter or an eighth of the bytes.

use super::{numbers, numbers_mut};
use crate::{Dtype, Element, TensorEntry, TensorError};

/// The largest number of steps that a byte can say, either way.
const STEPS_MAX: f64 = 128.0;

pub(super) fn check_scale(entry: &TensorEntry, scale: f64) -> Result<(), TensorError> {
    // Unpacking must not make an infinity out of a byte.
    let largest = match entry.dtype {
        Dtype::F32 => f64::from((STEPS_MAX * scale) as f32),
        _ => STEPS_MAX * scale,
    };
    if scale > 0.0 && largest.is_finite() {
        return Ok(());
    }
    Err(TensorError::Scale {
        name: entry.name.to_string(),
        expected: "a positive scale of which 128 are finite in the tensor's dtype",
        got: scale,
    })
}

pub(super) fn pack(entry: &TensorEntry, scale: f64, raw: &[u8]) -> Result<Vec<u8>, TensorError> {
    match entry.dtype {
        Dtype::F32 => pack_numbers(entry, scale, numbers::<f32>(raw)),
        _ => pack_numbers(entry, scale, numbers::<f64>(raw)),
    }
}

fn pack_numbers<T: Element>(
    entry: &TensorEntry,
    scale: f64,
    values: &[T],
) -> Result<Vec<u8>, TensorError> {
    let step = |(index, value): (usize, &T)| {
        let value = value.as_f64();
        let steps = (value / scale).round();
        if (-STEPS_MAX..STEPS_MAX).contains(&steps) {
            return Ok((steps as i8).cast_unsigned());
        }
        Err(TensorError::NotInt8 {
            name: entry.name.to_string(),
            scale,
            index,
            value,
        })
    };
    values.iter().enumerate().map(step).collect()
}

/// Every byte is a number: nothing can fail.
pub(super) fn unpack(dtype: Dtype, scale: f64, packed: &[u8], raw: &mut [u8]) {
    let value = |byte: u8| f64::from(byte.cast_signed()) * scale;
    match dtype {
        Dtype::F32 => {
            for (to, from) in numbers_mut::<f32>(raw).iter_mut().zip(packed) {
                *to = value(*from) as f32;
            }
        }
        _ => {
            for (to, from) in numbers_mut::<f64>(raw).iter_mut().zip(packed) {
                *to = value(*from);
            }
        }
    }
}
