-- A batch that was removed on purpose is not made anew with all others; where it was in its life is kept.
ALTER TABLE batches ADD COLUMN removed BIGINT NOT NULL DEFAULT 0;
UPDATE batches SET removed = 1, state = 'sealed' WHERE state = 'removed';
