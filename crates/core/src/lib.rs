//! What a store promises: store traits, the database map, typed keys, errors. No I/O.
