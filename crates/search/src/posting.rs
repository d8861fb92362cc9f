//! That a document has a term, and how much that counts: the smallest unit of the index, of which there are millions.

use crate::document::Field;

/// One unit in which weights are kept; they are below four.
const UNIT: f32 = 1.0 / 16_384.0;

/// A document's place in the index.
pub(crate) type Slot = u32;

/// That a document has a term.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Posting {
    pub(crate) slot: Slot,
    weight: u16,
    fields: u8,
}

// === impl Posting ===

impl Posting {
    /// `weight` is what the term counts in all fields together, `saturation` how soon that is enough.
    pub(crate) fn new(slot: Slot, weight: f32, saturation: f32, fields: u8) -> Self {
        let weight = weight * (saturation + 1.0) / (weight + saturation);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a float keeps to the bounds"
        )]
        let weight = (weight / UNIT) as u16;
        Self { slot, weight, fields }
    }

    /// What it counts, before the rarity of the term.
    pub(crate) fn weight(self) -> f32 {
        f32::from(self.weight) * UNIT
    }

    /// Where the term stands.
    pub(crate) fn fields(self) -> impl Iterator<Item = Field> {
        Field::ALL.into_iter().filter(move |field| self.fields & bit(*field) != 0)
    }
}

/// A field in a set of fields.
pub(crate) fn bit(field: Field) -> u8 {
    1 << field as u8
}
