//! The legal-document stages: extract, chunk, entities, resolve, relate.
