-- What the payment window looks like: brandings with their files, and the account's logos.

CREATE TABLE brandings (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  id integer NOT NULL,
  name text COLLATE "C" NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX brandings_by_name ON brandings (bucket, account_id, name, id);
CREATE INDEX brandings_by_id ON brandings (bucket, account_id, id);

CREATE TABLE branding_files (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  branding_id integer NOT NULL,
  name text COLLATE "C" NOT NULL,               -- a path within the branding: templates/form/card.liquid
  data bytea NOT NULL,
  PRIMARY KEY (bucket, branding_id, name),
  FOREIGN KEY (bucket, branding_id) REFERENCES brandings (bucket, id) ON DELETE CASCADE
);

CREATE TABLE logos (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  type text COLLATE "C" NOT NULL CHECK (type IN ('payment_window', 'mobilepay')),
  data bytea NOT NULL,
  PRIMARY KEY (bucket, account_id, type)
);
