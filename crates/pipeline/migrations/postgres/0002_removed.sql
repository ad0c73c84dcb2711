-- A batch that was removed on purpose is not rebuilt with all others; its state is kept.
ALTER TABLE batches ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
UPDATE batches SET removed = 1, state = 'sealed' WHERE state = 'removed';
