-- The same text on SQLite and PostgreSQL. Times are microseconds since 1970-01-01T00:00:00Z, set by the application;
-- JSON is TEXT; what may go has an expires_at, which the sweep reads.

-- A person. `state` is the encoded profile; NULL once it was erased, and then the row is the tombstone.
CREATE TABLE profile (
    id        TEXT PRIMARY KEY,
    version   BIGINT NOT NULL,
    state     BYTEA,
    erased_at BIGINT
);

CREATE TABLE device (
    id         TEXT PRIMARY KEY,
    profile_id TEXT NOT NULL
);
CREATE INDEX device_profile ON device (profile_id);

-- Which pings were answered; the answer itself is in the decision's receipt.
CREATE TABLE answer (
    device_id   TEXT NOT NULL,
    ping_id     TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    decision_id TEXT NOT NULL,
    expires_at  BIGINT NOT NULL,
    PRIMARY KEY (device_id, ping_id)
);
CREATE INDEX answer_expiry ON answer (expires_at);

-- Receipts. The device and ping are columns so that an erasure finds the answers of a device that moved away.
CREATE TABLE decision (
    id              TEXT PRIMARY KEY,
    profile_id      TEXT NOT NULL,
    device_id       TEXT NOT NULL,
    ping_id         TEXT NOT NULL,
    catalog_version BIGINT NOT NULL,
    at              BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    receipt         TEXT NOT NULL
);
CREATE INDEX decision_profile ON decision (profile_id);
CREATE INDEX decision_expiry ON decision (expires_at);

CREATE TABLE offer (
    id           TEXT PRIMARY KEY,
    profile_id   TEXT NOT NULL,
    campaign_id  TEXT NOT NULL,
    decision_id  TEXT NOT NULL,
    offered_at   BIGINT NOT NULL,
    show_by      BIGINT NOT NULL,
    shown_at     BIGINT,
    opened_at    BIGINT,
    dismissed_at BIGINT,
    returned_at  BIGINT,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX offer_profile ON offer (profile_id);
CREATE INDEX offer_expiry ON offer (expires_at);

-- A limit shared by many people. `limit_units` is NULL where the limit was lifted; it may be below `taken`.
CREATE TABLE account (
    id          TEXT PRIMARY KEY,
    unit        TEXT NOT NULL,
    limit_units BIGINT,
    taken       BIGINT NOT NULL
);

-- Units of an account. The row with the empty offer_id is the sum of the holds whose offers are gone (swept or
-- erased), so that taken = SUM(units - returned) stays true and no row points to a person who was erased.
CREATE TABLE hold (
    offer_id   TEXT NOT NULL,
    account_id TEXT NOT NULL,
    units      BIGINT NOT NULL,
    returned   BIGINT NOT NULL,
    expires_at BIGINT,
    PRIMARY KEY (offer_id, account_id)
);
CREATE INDEX hold_expiry ON hold (expires_at);

-- The newest version of the catalog, in one row; the lock that every append takes first.
CREATE TABLE catalog_head (
    version BIGINT NOT NULL
);
INSERT INTO catalog_head (version) VALUES (0);

-- Append-only. `body` is NULL where the resource was deleted.
CREATE TABLE catalog_change (
    id      TEXT NOT NULL,
    version BIGINT NOT NULL,
    kind    TEXT NOT NULL,
    author  TEXT NOT NULL,
    at      BIGINT NOT NULL,
    body    TEXT,
    PRIMARY KEY (id, version)
);
CREATE INDEX catalog_change_version ON catalog_change (version);

CREATE TABLE secret (
    label TEXT PRIMARY KEY,
    value BYTEA NOT NULL
);
