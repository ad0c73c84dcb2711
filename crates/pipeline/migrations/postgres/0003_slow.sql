-- Finds the slowest documents of a batch without reading all. Tasks of less than a second are in no index: they are the
-- many, and writing them stays as cheap as it is.
CREATE INDEX processing_tasks_slow ON processing_tasks (batch_id, (completed - started) DESC)
WHERE completed - started >= 1000;
