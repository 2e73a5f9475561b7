-- Subscriptions are charged one by one or in groups; saved cards rest in the vault until they are cancelled, and pay by
-- tokens that work once.

ALTER TABLE transactions ADD COLUMN group_ids integer[];
-- The members of a group are few among all of an account's transactions.
CREATE INDEX transactions_grouped ON transactions (bucket, account_id, id) WHERE group_ids IS NOT NULL;
-- The payments of a subscription.
CREATE INDEX transactions_of_subscription ON transactions (bucket, account_id, subscription_id, id) WHERE subscription_id IS NOT NULL;

CREATE TABLE subscription_groups (
  bucket smallint NOT NULL,
  id integer NOT NULL,
  account_id integer NOT NULL,
  name text NOT NULL,
  amount integer NOT NULL CHECK (amount > 0),
  currency text COLLATE "C" NOT NULL,
  description text,
  created_at timestamptz NOT NULL,
  deleted_at timestamptz,
  PRIMARY KEY (bucket, id)
);
CREATE INDEX subscription_groups_of_account ON subscription_groups (bucket, account_id, id);

-- Numbers and expiries of saved cards, sealed; named after the operation that saved them, so that a second attempt cannot
-- put another card in an approved one's place. CVDs are stored nowhere.
CREATE TABLE vault (
  bucket smallint NOT NULL,
  reference text COLLATE "C" NOT NULL,          -- of the card's authorize operation
  account_id integer NOT NULL,
  card_id integer NOT NULL,
  sealed bytea NOT NULL,                        -- {number, exp_month, exp_year, brand, issued_to}
  PRIMARY KEY (bucket, reference)
);
CREATE INDEX vault_of_card ON vault (bucket, card_id);

CREATE TABLE card_tokens (
  bucket smallint NOT NULL,
  token_hash bytea NOT NULL,                    -- SHA-256 of the token
  account_id integer NOT NULL,
  card_id integer NOT NULL,
  created_at timestamptz NOT NULL,
  used_at timestamptz,
  PRIMARY KEY (bucket, token_hash)
);
CREATE INDEX card_tokens_of_card ON card_tokens (bucket, card_id);
