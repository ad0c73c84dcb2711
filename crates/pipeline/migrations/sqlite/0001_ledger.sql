-- The ledger: the outcome of every document of every batch. Times are milliseconds since 1970 UTC.

-- A batch. A batch created later under an old name is a different batch with rows of its own.
CREATE TABLE batches (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    name        TEXT NOT NULL,
    created     INTEGER NOT NULL,            -- when it was created
    pipeline    TEXT NOT NULL,
    plan        TEXT NOT NULL,               -- its stages and limits, JSON
    record      TEXT NOT NULL,               -- its record in the list of batches, JSON
    state       TEXT NOT NULL DEFAULT 'open', -- open, sealed, completed, cancelled, removed
    paused      INTEGER NOT NULL DEFAULT 0,
    total       INTEGER NOT NULL DEFAULT 0,  -- documents submitted, when last read
    documents   INTEGER NOT NULL DEFAULT 0,  -- documents copied: all below this ordinal
    step        INTEGER NOT NULL DEFAULT 0,  -- incremented by every write from its outbox
    unreadable  INTEGER NOT NULL DEFAULT 0,  -- entries of its outbox that could not be read
    rebuilding  INTEGER NOT NULL DEFAULT 0,  -- whether a rebuild has begun and not ended
    seen        INTEGER NOT NULL DEFAULT 0,  -- when its state was last written
    UNIQUE (name, created)
);

-- Tasks of queues belong to no batch.
INSERT INTO batches (id, name, created, pipeline, plan, record, state)
VALUES (0, '', 0, '', '', '', 'open');

-- The submitted entry of a document: as text if it is text, otherwise as bytes.
CREATE TABLE batch_documents (
    batch_id  INTEGER NOT NULL,
    ordinal   INTEGER NOT NULL,
    document  TEXT,
    bytes     BLOB,
    PRIMARY KEY (batch_id, ordinal)
) WITHOUT ROWID;

-- One stage of one document, or one task of a queue (batch 0, the task's id as ordinal).
CREATE TABLE processing_tasks (
    batch_id     INTEGER NOT NULL,
    task_type    TEXT NOT NULL,              -- the stage, or the queue
    ordinal      INTEGER NOT NULL,           -- the document's number in its batch
    document     TEXT,                       -- the submitted entry, if it is text
    status       TEXT NOT NULL,              -- done, failed, dead, retried
    worker       TEXT NOT NULL,
    claim_token  INTEGER NOT NULL,           -- of the claim that wrote the row; 0 without a claim
    retry_count  INTEGER NOT NULL,           -- attempts before this one
    error        TEXT,
    started      INTEGER,
    completed    INTEGER,                    -- when the attempt ended, with any outcome
    PRIMARY KEY (batch_id, task_type, ordinal)
) WITHOUT ROWID;

CREATE INDEX processing_tasks_troubled ON processing_tasks (batch_id, status)
WHERE status <> 'done';

-- Entries of an outbox that could not be read, kept unchanged.
CREATE TABLE unreadable_entries (
    batch_id  INTEGER NOT NULL,
    entry     TEXT NOT NULL,
    stage     INTEGER NOT NULL,
    note      BLOB NOT NULL,
    reason    TEXT NOT NULL,
    PRIMARY KEY (batch_id, entry)
);
