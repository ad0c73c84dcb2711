//! Names and formats of typed keys, beside [`KeyTemplate`](crate::KeyTemplate) and [`TypedKey`](crate::TypedKey).

pub use compartment_core::{
    Codec, DecodeLimit, Format, MAX_DECODED_BYTES, MAX_NESTING, MAX_TTL, Template,
};
