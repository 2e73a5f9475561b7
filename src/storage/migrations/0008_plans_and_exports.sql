-- Plans: which one an account is on, and what a bounded one has used. Exports: made by the worker, kept for a while.

ALTER TABLE accounts ADD COLUMN plan text COLLATE "C";  -- null: the first of the configuration

-- Rows only for accounts whose plan bounds them: written in the commit that begins or settles an authorization.
CREATE TABLE plan_uses (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  month text COLLATE "C" NOT NULL,              -- YYYY-MM, in the account's timezone
  used integer NOT NULL,                        -- live authorizations approved or still pending
  bound integer,                                -- of the last one that was added; null: something was given back
  PRIMARY KEY (bucket, account_id, month),
  -- The database itself refuses what would be one too many, however many come at once.
  CONSTRAINT plan_bound CHECK (used <= bound)
);

CREATE TABLE exports (
  bucket smallint NOT NULL,
  id integer NOT NULL,
  account_id integer NOT NULL,
  resource text COLLATE "C" NOT NULL,
  format text COLLATE "C" NOT NULL,
  delimiter text COLLATE "C" NOT NULL,
  filters json NOT NULL,                        -- as checked when it was asked for
  state text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'ready', 'failed')),
  attempts smallint NOT NULL DEFAULT 0,         -- names the chunks that count: who comes later begins anew
  rows integer,
  bytes bigint,
  created_at timestamptz NOT NULL,
  expires_at timestamptz,                       -- null while it is pending
  PRIMARY KEY (bucket, id)
);
CREATE INDEX exports_of_account ON exports (bucket, account_id, id);
CREATE INDEX exports_pending ON exports (created_at) WHERE state = 'pending';
CREATE INDEX exports_expiring ON exports (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE export_chunks (
  bucket smallint NOT NULL,
  export_id integer NOT NULL,
  attempt smallint NOT NULL,
  position integer NOT NULL,
  data bytea NOT NULL,
  PRIMARY KEY (bucket, export_id, attempt, position)
);
