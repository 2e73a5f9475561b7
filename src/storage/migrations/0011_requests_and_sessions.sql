-- Who asks to be connected to an account, and where people have signed in. Small shared tables beside `users`.

INSERT INTO counters (name, next) VALUES ('access_requests', 1), ('sessions', 1);

CREATE TABLE access_requests (
  id integer PRIMARY KEY,
  account_id integer NOT NULL,                  -- as asked for: there may be no such account, and nobody is told
  user_id integer NOT NULL REFERENCES users (id),
  message text NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'granted', 'refused')),
  agreement_id integer REFERENCES agreements (id),
  created_at timestamptz NOT NULL,
  answered_at timestamptz
);
CREATE UNIQUE INDEX access_requests_open ON access_requests (user_id, account_id) WHERE state = 'pending';
CREATE INDEX access_requests_of_account ON access_requests (account_id, id);
CREATE INDEX access_requests_of_user ON access_requests (user_id, created_at);

CREATE TABLE sessions (
  id integer PRIMARY KEY,
  user_id integer NOT NULL REFERENCES users (id),
  token_hash bytea NOT NULL UNIQUE,             -- SHA-256 of 256 random bits
  address text NOT NULL,
  user_agent text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id, id);
CREATE INDEX sessions_age ON sessions (expires_at);
