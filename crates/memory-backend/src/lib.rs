//! The stores on moka, in process.
