-- Keys for cryptography (with acquirers that want certificates), rule sets against fraud, and the settings of the
-- 04-Platform.

CREATE TABLE cryptography_keys (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  id integer NOT NULL,
  type text COLLATE "C" NOT NULL CHECK (type IN ('ec', 'rsa')),
  short_description text NOT NULL,
  key_size integer,                             -- rsa
  curve text COLLATE "C",                       -- ec, as OpenSSL names it
  public_key bytea NOT NULL,                    -- SubjectPublicKeyInfo, DER
  public_key_hash text COLLATE "C" NOT NULL,    -- its SHA-256, hex
  private_key bytea NOT NULL,                   -- PKCS #8, sealed
  certificate text,                             -- PEM; what signed it may follow
  certificate_expires_at timestamptz,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, id),
  CHECK ((type = 'rsa') = (key_size IS NOT NULL) AND (type = 'ec') = (curve IS NOT NULL)),
  CHECK ((certificate IS NULL) = (certificate_expires_at IS NULL))
);
CREATE INDEX cryptography_keys_of_account ON cryptography_keys (bucket, account_id, id);

CREATE TABLE fraud_rulesets (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  id integer NOT NULL,
  name text NOT NULL,
  action text COLLATE "C" NOT NULL CHECK (action IN ('nothing', 'flag', 'force_3d', 'block')),
  combinator text COLLATE "C" NOT NULL CHECK (combinator IN ('and', 'or')),
  filter_rules json NOT NULL,                   -- [{metric_name, operator, value}]
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX fraud_rulesets_of_account ON fraud_rulesets (bucket, account_id, id);

CREATE TABLE zero4_platforms (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  phone text NOT NULL,
  secret bytea NOT NULL,                        -- sealed
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, account_id)
);
