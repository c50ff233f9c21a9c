-- The same text on SQLite and PostgreSQL, as every step.

-- What a decision was made of, if that is kept: the encoded profile before it and the ping, with its positions. `profiled`
-- is 1 if what only profiling may read is in it. It is whose the decision is, and goes with that, if not before.
CREATE TABLE decision_input (
    decision_id TEXT PRIMARY KEY REFERENCES decision (id) ON DELETE CASCADE,
    profiled    BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    body        BYTEA NOT NULL
);
CREATE INDEX decision_input_expiry ON decision_input (expires_at);
