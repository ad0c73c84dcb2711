//! Looks into the results of `ingest --out`: finds names in their places, shows what an entity is related to, and why
//! names mean it.

mod decide;
mod explain;
mod find;
mod folder;
mod graph;
mod graph_formats;
mod values;
mod words;

pub use decide::{Effect, Named, decide, document_hash, forms_named};
pub use explain::{Form, decisions_on, explain};
pub use find::{Found, Hit, Query, find};
pub use folder::{Unreadable, walk};
pub use graph::{Choice, Edge, Graph, GraphOptions, graph, named};
pub use graph_formats::{as_dot, as_graphml, as_json_lines, as_text};
pub use values::shown_name;
