-- People: their second factor, and what is mailed to them. Small shared tables beside `users`; all of it is lost with its user.

-- What an authenticator app was given (RFC 6238).
CREATE TABLE two_factors (
  user_id integer PRIMARY KEY REFERENCES users (id),
  sealed bytea NOT NULL,                        -- {secret, recovery_codes}; the codes only until it is in force
  confirmed_at timestamptz,                     -- null: not in force yet
  last_step bigint,                             -- the newest time step whose code was accepted: each is accepted once
  tries smallint NOT NULL DEFAULT 0,            -- codes tried since `trying_since`, by all processes
  trying_since timestamptz,
  created_at timestamptz NOT NULL
);

-- Recovery codes that were not used yet.
CREATE TABLE recovery_codes (
  user_id integer NOT NULL REFERENCES users (id),
  hash bytea NOT NULL,                          -- SHA-256 of 80 random bits
  PRIMARY KEY (user_id, hash)
);

-- Addresses that a code has proven for some minutes.
CREATE TABLE two_factor_proofs (
  user_id integer NOT NULL REFERENCES users (id),
  address text COLLATE "C" NOT NULL,
  until timestamptz NOT NULL,
  PRIMARY KEY (user_id, address)
);

-- One-time tokens that were mailed.
CREATE TABLE mail_tokens (
  hash bytea PRIMARY KEY,                       -- SHA-256 of 256 random bits
  purpose text COLLATE "C" NOT NULL CHECK (purpose IN ('verification', 'password_reset')),
  user_id integer REFERENCES users (id),        -- null: nobody has this e-mail, and it opens nothing
  email text COLLATE "C" NOT NULL,              -- the one that it was mailed to, and proves
  expires_at timestamptz NOT NULL
);
CREATE INDEX mail_tokens_of_user ON mail_tokens (user_id, purpose);
CREATE INDEX mail_tokens_age ON mail_tokens (expires_at);

-- The outbox of mail, written in the commit of what it tells. Without SMTP (under `start`) it is the mailbox.
CREATE TABLE mails (
  id text COLLATE "C" PRIMARY KEY,              -- ulid, also the Message-ID
  kind text COLLATE "C" NOT NULL,
  recipient text COLLATE "C" NOT NULL,
  behalf text COLLATE "C",                      -- whose wish it is: account:ID, user:ID; null: anybody's
  sealed bytea,                                 -- {subject, text}, which may hold a token; null once it was sent or given up
  state text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'sent', 'given_up', 'kept', 'nobody')),
  attempts smallint NOT NULL DEFAULT 0,
  next_attempt_at timestamptz,
  expires_at timestamptz NOT NULL,              -- what it says is of no use afterwards
  error text,                                   -- the last attempt's, without what the server said
  created_at timestamptz NOT NULL
);
CREATE INDEX mails_pending ON mails (next_attempt_at) WHERE state = 'pending';
CREATE INDEX mails_of_recipient ON mails (recipient, kind, created_at);
CREATE INDEX mails_on_behalf ON mails (behalf, kind, created_at) WHERE behalf IS NOT NULL;
CREATE INDEX mails_age ON mails (created_at);
