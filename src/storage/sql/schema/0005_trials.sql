-- The same text on SQLite and PostgreSQL, as every step.

-- Whether the campaign was only tried on the device when the offer was made: then no till gives anything for it.
ALTER TABLE offer ADD COLUMN trial BIGINT NOT NULL DEFAULT 0;
