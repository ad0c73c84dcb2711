//! Measures a result before it is stored: a result that is too large is its document's failure.

use std::io::{self, Write};

use serde::Serialize;

use crate::StageError;

/// Counts bytes, and fails when there are too many.
struct Measure {
    left: u64,
}

impl Write for Measure {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.left.checked_sub(bytes.len() as u64) {
            Some(left) => self.left = left,
            None => return Err(io::ErrorKind::FileTooLarge.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the result unless it takes more than `max` bytes in MessagePack. A value that cannot be encoded passes;
/// storing it reports the error.
pub(crate) fn check_size<T: Serialize>(stage: &str, result: T, max: u64) -> Result<T, StageError> {
    if max == u64::MAX {
        return Ok(result);
    }
    let mut measure = Measure { left: max };
    match rmp_serde::encode::write(&mut measure, &result) {
        Err(rmp_serde::encode::Error::InvalidValueWrite(_)) => {
            let what = format!(
                "stage {stage} returned more than {max} bytes; raise its limit or return less"
            );
            Err(StageError::new("result_too_large", what))
        }
        _ => Ok(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_may_be_as_large_as_the_limit() {
        let text = "x".repeat(1_000);
        assert!(check_size("s", text.clone(), 1_003).is_ok());
        assert_eq!(check_size("s", text.clone(), 1_002).unwrap_err().code, "result_too_large");
        assert!(check_size("s", vec![text; 1_000], 10_000).is_err());
        assert!(check_size("s", vec![1_u64; 100], u64::MAX).is_ok());
    }
}
