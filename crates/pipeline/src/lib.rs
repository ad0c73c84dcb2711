//! Stages over documents with cached results and exact progress, on any backend.
