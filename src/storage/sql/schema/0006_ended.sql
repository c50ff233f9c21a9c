-- The same text on SQLite and PostgreSQL, as every step.

-- Whether anybody has anything of an account.
CREATE INDEX hold_account ON hold (account_id);
