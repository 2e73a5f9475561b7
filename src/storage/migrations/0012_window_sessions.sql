-- Shoppers at the payment window. A session is one opened page of a link; its id is what its forms and addresses carry.

CREATE TABLE window_sessions (
  bucket smallint NOT NULL,
  id text COLLATE "C" NOT NULL,                 -- 64 hex characters, the first three name the bucket
  account_id integer NOT NULL,
  type text COLLATE "C" NOT NULL,
  transaction_id integer NOT NULL,
  terms text COLLATE "C" NOT NULL,              -- hash of the link as it was when it was opened
  language text COLLATE "C" NOT NULL,
  method text COLLATE "C",                      -- of another provider, once one was chosen
  fee integer,                                  -- the last that was shown
  attempts integer NOT NULL DEFAULT 0,
  busy_until timestamptz,                       -- an attempt is under way, by the database's clock
  held bytea,                                   -- card and CVD while 3-D Secure is under way; only the processes' memory has the key
  held_until timestamptz,
  authentication json,                          -- how far 3-D Secure is
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX window_sessions_age ON window_sessions (expires_at);
CREATE INDEX window_sessions_held ON window_sessions (held_until) WHERE held IS NOT NULL;

-- Changes with each change of the files: stylesheets and images are named after it and may be kept for ever.
ALTER TABLE brandings ADD COLUMN files_version integer NOT NULL DEFAULT 1;
