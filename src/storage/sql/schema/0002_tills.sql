-- Budgets of every unit, place and period; what people hold and use; codes; requests of tills.

-- A limit, set with the campaign it is of; `limit_units` is NULL where it was lifted, and may be below what is taken.
-- A pool of codes is one too: as many units as it has codes.
CREATE TABLE budget (
    id          TEXT PRIMARY KEY,
    campaign_id TEXT NOT NULL,
    unit        TEXT NOT NULL,
    limit_units BIGINT
);
INSERT INTO budget (id, campaign_id, unit, limit_units)
    SELECT id, SUBSTR(id, 1, LENGTH(id) - LENGTH('/offers')), 'offers', limit_units FROM account;
CREATE INDEX budget_campaign ON budget (campaign_id);

-- What was taken of a budget: in one account, or in one for each place and period.
ALTER TABLE account ADD COLUMN budget_id TEXT NOT NULL DEFAULT '';
UPDATE account SET budget_id = id;
ALTER TABLE account DROP COLUMN unit;
ALTER TABLE account DROP COLUMN limit_units;
-- Offers reported as shown after their units had gone back.
ALTER TABLE account ADD COLUMN late_overrun BIGINT NOT NULL DEFAULT 0;

CREATE INDEX account_budget ON account (budget_id, id);

-- Whoever holds units is an offer, or a redemption of none. They go back at lapses_at, unless they are confirmed before.
ALTER TABLE hold RENAME COLUMN offer_id TO holder_id;
ALTER TABLE hold ADD COLUMN lapses_at BIGINT;
CREATE INDEX hold_lapse ON hold (lapses_at) WHERE lapses_at IS NOT NULL;

-- To whom it was given first, under which catalog, and how many accounts it took from: what the ledger is proven by.
ALTER TABLE offer ADD COLUMN given_to TEXT NOT NULL DEFAULT '';
UPDATE offer SET given_to = profile_id;
ALTER TABLE offer ADD COLUMN catalog_version BIGINT NOT NULL DEFAULT 0;
ALTER TABLE offer ADD COLUMN accounts BIGINT NOT NULL DEFAULT 0;
ALTER TABLE offer ADD COLUMN store_id TEXT;
ALTER TABLE offer ADD COLUMN test BIGINT NOT NULL DEFAULT 0;
ALTER TABLE offer ADD COLUMN valid_from BIGINT NOT NULL DEFAULT 0;
ALTER TABLE offer ADD COLUMN valid_until BIGINT NOT NULL DEFAULT 0;
ALTER TABLE offer ADD COLUMN code TEXT;
-- When its units went back though no phone said that it was never shown.
ALTER TABLE offer ADD COLUMN units_returned_at BIGINT;
ALTER TABLE offer ADD COLUMN claimed_at BIGINT;
ALTER TABLE offer ADD COLUMN redeemed_at BIGINT;
ALTER TABLE offer ADD COLUMN reversed_at BIGINT;
ALTER TABLE offer ADD COLUMN locked_store TEXT;
ALTER TABLE offer ADD COLUMN locked_till TEXT;
ALTER TABLE offer ADD COLUMN locked_until BIGINT;
DROP INDEX offer_profile;
CREATE INDEX offer_profile ON offer (profile_id, offered_at);
CREATE INDEX offer_code ON offer (code) WHERE code IS NOT NULL;
-- Those whose units may go back without word.
CREATE INDEX offer_unshown ON offer (offered_at)
    WHERE accounts > 0 AND shown_at IS NULL AND returned_at IS NULL AND units_returned_at IS NULL;

-- A coupon that was used. Offer and profile are NULL for everyone's code without a customer, and once the person was
-- erased.
CREATE TABLE redemption (
    id             TEXT PRIMARY KEY,
    offer_id       TEXT,
    profile_id     TEXT,
    campaign_id    TEXT NOT NULL,
    store_id       TEXT NOT NULL,
    till           TEXT NOT NULL,
    till_reference TEXT NOT NULL,
    currency       TEXT,
    units          BIGINT NOT NULL,
    instruction    TEXT NOT NULL,
    test           BIGINT NOT NULL,
    accounts       BIGINT NOT NULL,
    redeemed_at    BIGINT NOT NULL,
    reversed_units BIGINT NOT NULL,
    reversed_at    BIGINT,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX redemption_store ON redemption (store_id, redeemed_at);
CREATE INDEX redemption_campaign ON redemption (campaign_id, redeemed_at);
CREATE INDEX redemption_offer ON redemption (offer_id) WHERE offer_id IS NOT NULL;
CREATE INDEX redemption_profile ON redemption (profile_id) WHERE profile_id IS NOT NULL;
CREATE INDEX redemption_expiry ON redemption (expires_at);

-- What tills asked for, and the redemption as it was answered.
CREATE TABLE till_request (
    key_id         TEXT NOT NULL,
    request_id     TEXT NOT NULL,
    fingerprint    BYTEA NOT NULL,
    redemption_id  TEXT NOT NULL,
    reversed_units BIGINT NOT NULL,
    reversed_at    BIGINT,
    expires_at     BIGINT NOT NULL,
    PRIMARY KEY (key_id, request_id)
);
CREATE INDEX till_request_expiry ON till_request (expires_at);

-- Uploaded codes, numbered from 1 within their campaign: the number of units taken of the pool's account says which was
-- given last.
CREATE TABLE pool_code (
    organization_id TEXT NOT NULL,
    code            TEXT NOT NULL,
    campaign_id     TEXT NOT NULL,
    number          BIGINT NOT NULL,
    PRIMARY KEY (organization_id, code)
);
CREATE UNIQUE INDEX pool_code_number ON pool_code (campaign_id, number);
