//! Lengths, and strings behind their length, as the format writes them.

/// Appends a string with its length before it.
pub(super) fn string(bytes: &[u8], to: &mut Vec<u8>) {
    length(bytes.len() as u64, to);
    to.extend_from_slice(bytes);
}

/// Appends a length: 6 or 14 bits with the kind in the first two, or 32 or 64 behind a byte of its own.
pub(super) fn length(length: u64, to: &mut Vec<u8>) {
    match length {
        0..=0x3f => to.push(length as u8),
        0x40..=0x3fff => to.extend_from_slice(&[0x40 | (length >> 8) as u8, length as u8]),
        _ => match u32::try_from(length) {
            Ok(length) => {
                to.push(0x80);
                to.extend_from_slice(&length.to_be_bytes());
            }
            Err(_) => {
                to.push(0x81);
                to.extend_from_slice(&length.to_be_bytes());
            }
        },
    }
}
