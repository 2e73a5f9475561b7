-- The request log: a line for each request on an account, with headers and bodies (secrets masked) where these are kept.

CREATE TABLE requests (
  bucket smallint NOT NULL,
  id text COLLATE "C" NOT NULL,                 -- ulid: the answer's X-Request-Id
  account_id integer NOT NULL,
  at timestamptz NOT NULL,                      -- when it was answered
  method text COLLATE "C" NOT NULL,
  path text NOT NULL,                           -- without its query
  status smallint NOT NULL,
  duration integer NOT NULL,                    -- milliseconds
  version text COLLATE "C",
  agreement_id integer,
  ip text NOT NULL,
  details json,                                 -- {query, request_headers, request_body, response_headers, response_body}
  PRIMARY KEY (bucket, account_id, id)
);
-- What failed is looked for most, and is little among the rest.
CREATE INDEX requests_failed ON requests (bucket, account_id, id) WHERE status >= 400;
-- Rows come in the order of time and go in it: the smallest index serves.
CREATE INDEX requests_age ON requests USING brin (at) WITH (pages_per_range = 32);
