-- The same text on SQLite and PostgreSQL, as every step.

-- Of which arm of its campaign's experiment an offer is: `{experiment}/{variant}`; NULL without an experiment.
ALTER TABLE offer ADD COLUMN arm TEXT;
CREATE INDEX offer_arm ON offer (campaign_id, arm) WHERE arm IS NOT NULL;

-- What people in a holdout would have been offered. No table of offers has it, so nobody claims, lists or redeems it.
CREATE TABLE ghost (
    id          TEXT PRIMARY KEY,
    profile_id  TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    arm         TEXT NOT NULL,
    test        BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);
CREATE INDEX ghost_arm ON ghost (campaign_id, arm);
CREATE INDEX ghost_profile ON ghost (profile_id);
CREATE INDEX ghost_expiry ON ghost (expires_at);
