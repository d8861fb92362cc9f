//! What the targets share: how a fuzzer's bytes become a bound, a way of cutting, and a stream.
//!
//! Streams are cut by the input itself, so that the fuzzer can learn where a cut hurts.

/// An input taken apart: the first byte bounds, the second says how the rest is cut.
#[derive(Clone, Copy, Debug)]
pub struct Stream<'a> {
    /// A bound between 0 and 255, for decoders that refuse what is longer.
    pub bound: usize,
    /// What arrives.
    pub bytes: &'a [u8],
    step: usize,
}

// === impl Stream ===

impl<'a> Stream<'a> {
    /// `None` for inputs too short to say anything.
    pub fn of(input: &'a [u8]) -> Option<Self> {
        let [bound, step, bytes @ ..] = input else { return None };
        Some(Self { bound: usize::from(*bound), bytes, step: usize::from(*step) })
    }

    /// The stream in pieces whose lengths vary with the cut that the input chose. No piece is empty.
    pub fn pieces(&self) -> impl Iterator<Item = &'a [u8]> {
        let (mut rest, mut length) = (self.bytes, self.step);
        std::iter::from_fn(move || {
            length = length.wrapping_mul(5).wrapping_add(3) % 17;
            let (piece, later) = rest.split_at_checked(length + 1).unwrap_or((rest, &[]));
            rest = later;
            (!piece.is_empty()).then_some(piece)
        })
    }
}
