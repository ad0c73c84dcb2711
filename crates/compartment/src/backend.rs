//! For authors of backends and wrappers: see [`compartment_core::backend`].

pub use compartment_core::backend::{
    Backend, BatchFacts, BatchRefusal, Capabilities, HOUSEKEEPING_PREFIX, LEASES_ENDED_ERROR,
    MAX_NAME, ReadMerger, ReadSource, Stores, StoresBuilder, TaskRecord, Traffic, TtlRule,
    Unfinished, UnfinishedWork, check_queue, glob_matches, is_name, ordinals_from_text,
    ordinals_to_text, random, shorten_task_error, shown_message, shown_name,
};
