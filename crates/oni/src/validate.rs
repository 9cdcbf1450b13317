//! Whether a message's header, shapes and numbers follow its schema.

use crate::tensor::Limits;
use crate::{
    Dim, Dtype, Element, InvalidMessage, Message, ModelHashRule, Schema, TensorRule, TensorView,
};

pub(crate) fn validate(schema: &Schema, message: &Message<'_>) -> Result<(), InvalidMessage> {
    schema.check(message.header())?;
    check_model_hash(schema, message)?;
    let mut lengths = Lengths::default();
    for (idx, rule) in schema.tensors.iter().enumerate() {
        let Some(tensor) = message.tensor_near(idx, &rule.name) else {
            continue; // An optional one: the schema check found those that there must be.
        };
        check_dims(rule, tensor, &mut lengths)?;
        match rule.dtype {
            Dtype::F32 => check_values::<f32>(rule, tensor)?,
            Dtype::F64 => check_values::<f64>(rule, tensor)?,
            Dtype::I32 => check_values::<i32>(rule, tensor)?,
            Dtype::I64 => check_values::<i64>(rule, tensor)?,
            Dtype::U8 => check_values::<u8>(rule, tensor)?,
            Dtype::U16 => check_values::<u16>(rule, tensor)?,
            Dtype::U32 => check_values::<u32>(rule, tensor)?,
        }
    }
    Ok(())
}

/// Lengths of dimensions that have names.
#[derive(Default)]
struct Lengths<'s> {
    first: [(&'s str, u64); N_LENGTHS],
    n_first: usize,
    /// What is beyond.
    others: Vec<(&'s str, u64)>,
}

/// More names than a schema of ours has: messages of these need no memory to be checked.
const N_LENGTHS: usize = 8;

impl<'s> Lengths<'s> {
    /// The length that this dimension had first, which is now where it is new.
    fn first_of(&mut self, symbol: &'s str, now: u64) -> u64 {
        let mut known = self.first[..self.n_first].iter().chain(&self.others);
        if let Some((_, first)) = known.find(|(name, _)| *name == symbol) {
            return *first;
        }
        match self.first.get_mut(self.n_first) {
            Some(place) => {
                *place = (symbol, now);
                self.n_first += 1;
            }
            None => self.others.push((symbol, now)),
        }
        now
    }
}

fn check_model_hash(schema: &Schema, message: &Message<'_>) -> Result<(), InvalidMessage> {
    let (expected, got) = match (schema.model_hash, &message.envelope().model_hash) {
        (ModelHashRule::Absent, Some(_)) => ("no", "one"),
        (ModelHashRule::Required, None) => ("a", "none"),
        _ => return Ok(()),
    };
    Err(InvalidMessage::ModelHash {
        schema: schema.id.name.clone(),
        expected,
        got,
    })
}

fn check_dims<'s>(
    rule: &'s TensorRule,
    tensor: TensorView<'_>,
    lengths: &mut Lengths<'s>,
) -> Result<(), InvalidMessage> {
    let shape = &tensor.entry().shape;
    for (dim, got) in rule.dims.iter().zip(shape) {
        let Dim::Symbol(symbol) = dim else { continue };
        let expected = lengths.first_of(symbol, *got);
        if expected != *got {
            let (tensor, dim) = (rule.name.clone(), symbol.clone());
            return Err(InvalidMessage::Dimension {
                tensor,
                dim,
                expected,
                got: *got,
            });
        }
    }
    if rule.non_empty && tensor.bytes().is_empty() {
        let (tensor, dims) = (rule.name.clone(), rule.dims.clone());
        return Err(InvalidMessage::Empty {
            tensor,
            shape: shape.to_vec(),
            dims,
        });
    }
    Ok(())
}

fn check_values<T: Element>(
    rule: &TensorRule,
    tensor: TensorView<'_>,
) -> Result<(), InvalidMessage> {
    let values = tensor.values::<T>()?;
    if T::all_within(values, rule.limits()) {
        return Ok(());
    }
    for (index, value) in values.iter().enumerate() {
        let value = value.as_f64();
        if !value.is_finite() {
            return Err(InvalidMessage::NotFinite {
                tensor: rule.name.clone(),
                index,
                value,
            });
        }
        if !rule.admits(value) {
            let (tensor, expected) = (rule.name.clone(), rule.range_text());
            return Err(InvalidMessage::OutOfRange {
                tensor,
                expected,
                index,
                value,
            });
        }
    }
    Ok(())
}

impl TensorRule {
    fn limits(&self) -> Limits {
        Limits {
            minimum: self.minimum,
            exclusive_minimum: self.exclusive_minimum,
            maximum: self.maximum,
        }
    }

    fn admits(&self, value: f64) -> bool {
        self.minimum.is_none_or(|minimum| value >= minimum)
            && self.exclusive_minimum.is_none_or(|minimum| value > minimum)
            && self.maximum.is_none_or(|maximum| value <= maximum)
    }

    pub(crate) fn range_text(&self) -> String {
        let limits = [
            self.minimum.map(|minimum| format!("of at least {minimum}")),
            self.exclusive_minimum
                .map(|minimum| format!("above {minimum}")),
            self.maximum.map(|maximum| format!("of at most {maximum}")),
        ];
        limits
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" and ")
    }
}
