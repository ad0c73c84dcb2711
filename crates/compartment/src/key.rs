//! Names and formats of typed keys, beside [`KeyTemplate`](crate::KeyTemplate) and [`TypedKey`](crate::TypedKey).

pub use compartment_core::{Codec, Format, MAX_DECODED_BYTES, MAX_TTL, Template};
