//! What a planner imagined, to be searched in by another.

use super::Search;
use crate::field_stack::FieldStack;
use crate::shift::Seen;

/// What a planner has the model imagine: clearance over time, seen from one place. It is lent, so
/// that whoever takes it over at a change of planners takes no memory.
#[derive(Debug, Clone, Copy)]
pub struct Imagined<'a> {
    fields: &'a FieldStack,
    seen: Seen,
}

impl Search {
    pub(super) fn imagined(&self) -> Option<Imagined<'_>> {
        let seen = *self.seen.as_ref().ok()?;
        let fields = &self.stage.fields;
        Some(Imagined { fields, seen })
    }

    pub(super) fn adopt(&mut self, imagined: &Imagined<'_>) -> bool {
        let fits = self.stage.fields.is_laid_out_as(imagined.fields);
        if fits {
            self.stage.fields.copy_from(imagined.fields);
            self.seen = Ok(imagined.seen);
        }
        fits
    }
}
