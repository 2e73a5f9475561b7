-- The simulated shopper at a provider that the shopper is sent to, and the simulated far side of 3-D Secure.

ALTER TABLE simulator.book
  ADD COLUMN return_url text,                   -- where the shopper goes back to; with one, a session waits for its page
  ADD COLUMN method text;                       -- what the shopper chose to pay with

CREATE TABLE simulator.authentications (
  transaction_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),             -- threeDSServerTransID
  acs_transaction_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),     -- acsTransID: the issuer's own name for it
  method_ends boolean NOT NULL,                 -- whether the 3-D Secure method's page ever reports back
  status text,                                  -- transStatus as first told: Y, A, N, U, R, or C for a challenge; never the card
  mastercard boolean,                           -- whose electronic commerce indicators are told
  merchant_name text,
  amount integer,
  currency text,
  notification_url text,                        -- where the challenge's answer goes
  answer text CHECK (answer IN ('Y', 'N')),     -- of a challenge; the first one stands
  prepared_at timestamptz NOT NULL,
  authenticated_at timestamptz,
  opened_at timestamptz,                        -- when the challenge was first seen
  approves_at timestamptz,                      -- when it approves by itself; null once the shopper asked for time
  answered_at timestamptz,
  CHECK (answer IS NULL OR status = 'C')
);
CREATE INDEX authentications_age ON simulator.authentications (prepared_at);
