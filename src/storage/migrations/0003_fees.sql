-- What a merchant has agreed on with acquirers: her own fee formulas, and which acquirer comes first for which method.

CREATE TABLE fee_formulas (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  acquirer text COLLATE "C" NOT NULL,
  payment_method text COLLATE "C" NOT NULL,     -- visa, or visa-dk for cards issued in Denmark
  id integer NOT NULL,
  formula text NOT NULL,
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, account_id, acquirer, payment_method)
);

CREATE TABLE payment_method_priorities (
  bucket smallint NOT NULL,
  account_id integer NOT NULL,
  priority json NOT NULL,                       -- payment method -> acquirers, the first choice first
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (bucket, account_id)
);
