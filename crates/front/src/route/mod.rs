//! Which database a key of a program lives in.
