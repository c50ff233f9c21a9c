-- The same text on SQLite and PostgreSQL, as every step.

-- What receipts are found by: each campaign that a decision considered, the store it was for (empty if none), and the code
-- of its verdict. They go with their decision.
CREATE TABLE considered (
    campaign_id TEXT NOT NULL,
    decision_id TEXT NOT NULL REFERENCES decision (id) ON DELETE CASCADE,
    store_id    TEXT NOT NULL,
    verdict     TEXT NOT NULL,
    PRIMARY KEY (campaign_id, decision_id, store_id, verdict)
);
CREATE INDEX considered_decision ON considered (decision_id);
CREATE INDEX considered_store ON considered (store_id, decision_id) WHERE store_id <> '';

-- A decision's id begins with its time, so that receipts by id are receipts by time.
DROP INDEX decision_profile;
CREATE INDEX decision_profile ON decision (profile_id, id);
