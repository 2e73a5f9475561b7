-- The foundation: who may act (users, accounts, agreements), what is paid (transactions and their operations), what is
-- told (callbacks, activity) and what keeps processes honest (leases, idempotency keys, id blocks).
--
-- `bucket` is the account's id modulo 1,024 and leads every key of what belongs to an account, so that one account's
-- rows share a shard on a cluster. users, accounts, agreements and counters are small shared (reference) tables.

CREATE TABLE counters (
  name text COLLATE "C" PRIMARY KEY,
  next integer NOT NULL
);
INSERT INTO counters (name, next) VALUES ('users', 10001), ('accounts', 100001), ('agreements', 300001), ('processes', 1);

-- The application's clock: how far tests (or demo data) have moved it.
CREATE TABLE clock (
  single boolean PRIMARY KEY DEFAULT true CHECK (single),
  offset_ms bigint NOT NULL DEFAULT 0
);
INSERT INTO clock DEFAULT VALUES;

CREATE TABLE users (
  id integer PRIMARY KEY,
  name text NOT NULL,
  email text COLLATE "C" UNIQUE,                -- lower case; null for system users
  email_verified boolean NOT NULL DEFAULT false,
  password_hash text,                           -- argon2id; null for system users
  is_system boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz
);

CREATE TABLE accounts (
  id integer PRIMARY KEY,
  settings json NOT NULL,                       -- the Merchant object's editable members
  private_key bytea NOT NULL,                   -- sealed
  old_private_key bytea,                        -- sealed; signs beside the new one for 24 hours
  private_key_changed_at timestamptz,
  created_at timestamptz NOT NULL,
  suspended_at timestamptz,
  closed_at timestamptz
);

CREATE TABLE agreements (
  id integer PRIMARY KEY,
  account_id integer NOT NULL REFERENCES accounts (id),
  user_id integer REFERENCES users (id),        -- null while an invitation is open
  invited_email text COLLATE "C",
  invitation_hash bytea,                        -- SHA-256 of the invitation's one-time token
  owner boolean NOT NULL DEFAULT false,
  service text,                                 -- payment_window, api_user, or null
  locked boolean NOT NULL DEFAULT false,
  accepted boolean NOT NULL DEFAULT false,
  description text,
  permissions json,                             -- [{resource, get, post, put, delete, patch}]; null: the preset of its service
  ip_restriction json NOT NULL DEFAULT '[]',    -- [{address}]
  key_hash bytea UNIQUE,                        -- SHA-256 of the API key, for lookup
  key_sealed bytea,                             -- the key itself, sealed, to be shown to who may see it
  created_at timestamptz NOT NULL,
  ended_at timestamptz
);
CREATE INDEX agreements_of_account ON agreements (account_id, id);
CREATE INDEX agreements_of_user ON agreements (user_id, id);

-- Ids of what belongs to an account: one counter per bucket, handed out in blocks.
CREATE TABLE id_blocks (
  bucket smallint PRIMARY KEY CHECK (bucket BETWEEN 0 AND 1023),
  next integer NOT NULL DEFAULT 1
);
INSERT INTO id_blocks (bucket) SELECT generate_series(0, 1023);

-- Payments, and later subscriptions, cards and payouts: what operations act on.
CREATE TABLE transactions (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  id integer NOT NULL,
  ulid text COLLATE "C" NOT NULL,
  type text COLLATE "C" NOT NULL CHECK (type IN ('Payment', 'Subscription', 'Card', 'Payout')),
  order_id text COLLATE "C",
  currency text COLLATE "C",
  state text COLLATE "C" NOT NULL CHECK (state IN ('initial', 'pending', 'new', 'rejected', 'processed', 'active', 'cancelled')),
  accepted boolean NOT NULL DEFAULT false,
  test_mode boolean NOT NULL DEFAULT false,
  acquirer text COLLATE "C",
  fraud_suspected boolean NOT NULL DEFAULT false,
  subscription_id integer,
  -- Totals stand beside the operations only so that the database itself refuses the impossible.
  authorized integer NOT NULL DEFAULT 0,
  captured integer NOT NULL DEFAULT 0,
  capture_pending integer NOT NULL DEFAULT 0,
  refunded integer NOT NULL DEFAULT 0,
  refund_pending integer NOT NULL DEFAULT 0,
  cancelled boolean NOT NULL DEFAULT false,
  body json NOT NULL,                           -- everything that is shown but never searched
  link_token text COLLATE "C",                  -- 64 hex characters, the first three are the bucket
  due_at timestamptz,                           -- when the worker must look: deadline, auto_capture_at
  last_operation_id smallint NOT NULL DEFAULT 0,
  revision integer NOT NULL DEFAULT 0,          -- every update names the revision that it read
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  retented_at timestamptz,
  PRIMARY KEY (bucket, id),
  -- One constraint, because PostgreSQL reads the text of each anew for every statement.
  CONSTRAINT transactions_possible CHECK (
    least(authorized, captured, capture_pending, refunded, refund_pending) >= 0
    AND captured + capture_pending <= authorized
    AND refunded + refund_pending <= captured
    AND (NOT cancelled OR captured + capture_pending = 0))
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX transactions_order_id ON transactions (bucket, account_id, type, order_id);
CREATE UNIQUE INDEX transactions_link ON transactions (bucket, link_token) WHERE link_token IS NOT NULL;
CREATE INDEX transactions_list ON transactions (bucket, account_id, type, id);
CREATE INDEX transactions_created ON transactions (bucket, account_id, type, created_at, id);
CREATE INDEX transactions_updated ON transactions (bucket, account_id, type, updated_at, id);
CREATE INDEX transactions_due ON transactions (due_at, bucket) WHERE due_at IS NOT NULL;

CREATE TABLE operations (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  transaction_id integer NOT NULL,
  id smallint NOT NULL CHECK (id > 0),
  type text COLLATE "C" NOT NULL,
  amount integer CHECK (amount >= 0),
  pending boolean NOT NULL,
  status_code text COLLATE "C",
  status_msg text,
  acquirer_status_code text,
  acquirer_status_msg text,
  data json NOT NULL DEFAULT '{}',
  acquirer text COLLATE "C",
  three_d_secure_status text COLLATE "C",
  reference text COLLATE "C" NOT NULL,          -- ulid: our name for it at the acquirer
  acquirer_reference text,                      -- the acquirer's name for it
  options json NOT NULL DEFAULT '{}',           -- what settling needs to know: auto_capture, …
  version text COLLATE "C" NOT NULL,            -- API version of the request that caused it
  runner integer,                               -- the process that asks the acquirer; repair waits until it is gone
  check_at timestamptz,                         -- when to ask the acquirer about it (again)
  created_at timestamptz NOT NULL,
  finished_at timestamptz,
  callback_url text,
  callback_success boolean,
  callback_response_code smallint,
  callback_duration integer,
  callback_at timestamptz,
  PRIMARY KEY (bucket, transaction_id, id),
  FOREIGN KEY (bucket, transaction_id) REFERENCES transactions (bucket, id)
) WITH (fillfactor = 80);
-- At most one pending operation per resource, and the worker's list of what to repair.
CREATE UNIQUE INDEX operations_pending ON operations (bucket, transaction_id) WHERE pending;
CREATE INDEX operations_to_repair ON operations (created_at) WHERE pending OR check_at IS NOT NULL;

-- The outbox. A row is written in the commit that settles its operation.
CREATE TABLE callbacks (
  bucket smallint NOT NULL,
  id text COLLATE "C" NOT NULL,                 -- ulid, also the webhook-id
  account_id integer NOT NULL,
  resource_type text COLLATE "C" NOT NULL,
  resource_id integer NOT NULL,
  operation_id smallint NOT NULL,
  sequence integer NOT NULL,                    -- the operation's id: grows per resource, the order of delivery
  url text NOT NULL,
  version text COLLATE "C" NOT NULL,
  body text NOT NULL,                           -- the resource as it was at the settle; sent as these very bytes
  state text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'given_up')),
  attempts smallint NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  response_code smallint,
  duration integer,
  attempt_log json NOT NULL DEFAULT '[]',       -- [{at, response_code, duration, error}]
  headers json,                                 -- as last sent
  created_at timestamptz NOT NULL,
  delivered_at timestamptz,
  PRIMARY KEY (bucket, id)
);
CREATE UNIQUE INDEX callbacks_of_operation ON callbacks (bucket, resource_id, sequence);
CREATE INDEX callbacks_waiting ON callbacks (bucket, resource_id, sequence) WHERE state = 'pending';
CREATE INDEX callbacks_of_account ON callbacks (bucket, account_id, id);

-- Every change: who, what, before and after.
CREATE TABLE activity (
  bucket smallint NOT NULL,
  id text COLLATE "C" NOT NULL,                 -- ulid
  account_id integer NOT NULL,
  target_type text COLLATE "C" NOT NULL,
  target_id integer,
  action text COLLATE "C" NOT NULL,
  changes json NOT NULL,                        -- attribute -> [before, after]
  user_id integer,
  agreement_id integer,
  extra json NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, account_id, id)
);
CREATE INDEX activity_of_target ON activity (bucket, account_id, target_type, target_id, id);
CREATE INDEX activity_of_agreement ON activity (bucket, agreement_id, id);

-- An Idempotency-Key's row is written in the commit of its effect; the answer follows, sealed.
CREATE TABLE idempotency_keys (
  bucket smallint NOT NULL,
  scope text COLLATE "C" NOT NULL,              -- agreement:ID or user:ID
  key text COLLATE "C" NOT NULL,
  fingerprint bytea NOT NULL,
  resource_type text COLLATE "C",
  resource_id integer,
  operation_id smallint,
  answer bytea,                                 -- sealed {status, headers, body}; null until it was given
  created_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, scope, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

-- Processes that are alive, and which of them works for which slice of the buckets (bucket modulo 16).
-- Both use the database's own clock.
CREATE TABLE processes (
  id integer PRIMARY KEY,
  seen_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE leases (
  slot smallint PRIMARY KEY,
  holder integer,
  until timestamptz NOT NULL DEFAULT now()
);
INSERT INTO leases (slot) SELECT generate_series(0, 15);
