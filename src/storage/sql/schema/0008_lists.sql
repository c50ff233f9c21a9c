-- The same text on SQLite and PostgreSQL, as every step.

-- Receipts of an app: its name is what stands before `/profiles/` in the person's, for no id has a slash. It is no column,
-- so that it is so of whatever was written before, or by a node that does not know this step.
CREATE INDEX decision_app ON decision
    (substr(profile_id, 1, length(rtrim(profile_id, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._~-')) - 10), id);

-- Whether a decision that considered a campaign is of the campaign's own organization, which lists those of others by
-- themselves. Of rows from before this step, or of a node that does not know it, it says nothing: they are looked at.
ALTER TABLE considered ADD COLUMN own BIGINT NOT NULL DEFAULT 0;
CREATE INDEX considered_others ON considered (campaign_id, decision_id) WHERE own = 0;
