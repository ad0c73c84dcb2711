//! The arguments of one request, in the bytes they were read from.

/// The name and the arguments of a request. Nothing is copied: they are ranges of the request's bytes.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    bytes: &'a [u8],
    ranges: &'a [(u32, u32)],
}

impl<'a> Arguments<'a> {
    /// From the bytes of a request, and the start and the end of each argument in them.
    #[must_use]
    pub fn new(bytes: &'a [u8], ranges: &'a [(u32, u32)]) -> Self {
        Self { bytes, ranges }
    }

    /// How many there are, the command's name included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// One of them; 0 is the command's name. Empty if there are not as many.
    #[must_use]
    pub fn get(&self, at: usize) -> &'a [u8] {
        let range = self.ranges.get(at).map(|(start, end)| *start as usize..*end as usize);
        range.and_then(|range| self.bytes.get(range)).unwrap_or_default()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + '_ {
        (0..self.len()).map(|at| self.get(at))
    }
}
