-- The same text on SQLite and PostgreSQL, as every step.

-- Whether a decision is of a test device, which no count knows.
ALTER TABLE decision ADD COLUMN test BIGINT NOT NULL DEFAULT 0;
