-- Rotation of the master key. A master key is named by the first four bytes of a hash of it, as the head of each sealed
-- record says. Whatever seals with a key writes it down here first; `coolpay key rewrap` takes those away that no record
-- needs any more. So a start without a key that is still needed is refused, not found out by a request.

CREATE TABLE master_keys (
  id text COLLATE "C" PRIMARY KEY,              -- 8 hexadecimal digits
  since timestamptz NOT NULL DEFAULT now()
);

-- The installation's own secrets, sealed. `hash key`: what keyed hashes (card fingerprints, Idempotency-Keys) are derived
-- from, so that they stay as they are when the master key changes.
CREATE TABLE secrets (
  name text COLLATE "C" PRIMARY KEY,
  sealed bytea NOT NULL
);

-- The key that each process seals with, told with its heartbeat.
ALTER TABLE processes ADD COLUMN master_key text COLLATE "C";
