-- Against card testing in the payment window, and what browsers report of its pages. Test cards are counted apart from real
-- ones (`test_mode`), so that they neither trouble nor excuse those.

-- What one address was declined on one account within the hour, and what it has under way.
CREATE TABLE card_attempts (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  test_mode boolean NOT NULL,
  address bytea NOT NULL,                       -- keyed hash of the address, of IPv6 its first 64 bits
  declined_at timestamptz[] NOT NULL,           -- the last ones, in no order
  under_way timestamptz[] NOT NULL,             -- when those began whose outcome is not known yet, oldest first
  attempt_at timestamptz NOT NULL,              -- when the last one was let through
  revision integer NOT NULL,                    -- whoever is let through names the revision that it read
  PRIMARY KEY (bucket, account_id, test_mode, address)
);
CREATE INDEX card_attempts_age ON card_attempts (attempt_at);

-- Proofs of work that have let an attempt through: each does so once.
CREATE TABLE card_attempt_work (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  id text COLLATE "C" NOT NULL,
  used_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, account_id, id)
);
CREATE INDEX card_attempt_work_age ON card_attempt_work (used_at);

-- Attempts of an account by the minute, of which the alarm takes the last ten.
CREATE TABLE card_attempt_minutes (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  test_mode boolean NOT NULL,
  minute timestamptz NOT NULL,
  attempts integer NOT NULL,
  declined integer NOT NULL,
  PRIMARY KEY (bucket, account_id, test_mode, minute)
);
CREATE INDEX card_attempt_minutes_age ON card_attempt_minutes (minute);

-- Accounts that are or were under attack.
CREATE TABLE card_testing_alarms (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  test_mode boolean NOT NULL,
  since timestamptz,                            -- null: it is over
  changed_at timestamptz NOT NULL,
  mailed_at timestamptz,
  PRIMARY KEY (bucket, account_id, test_mode)
);
CREATE INDEX card_testing_alarms_on ON card_testing_alarms (bucket) WHERE since IS NOT NULL;

-- What browsers refused to load on our pages (PCI DSS 11.6.1). Equal ones of a day are one row. They are the installation's;
-- `account_id` says on whose page it was, where that is known.
CREATE TABLE csp_reports (
  day date NOT NULL,
  account_id integer,
  directive text COLLATE "C" NOT NULL,
  blocked text COLLATE "C" NOT NULL,            -- an address without its query, or a word such as `inline`
  source text COLLATE "C" NOT NULL,             -- the file that wanted it, without its query
  line integer NOT NULL,                        -- 0: not said
  reports integer NOT NULL DEFAULT 1,
  last_at timestamptz NOT NULL,
  UNIQUE NULLS NOT DISTINCT (day, account_id, directive, blocked, source, line)
);
