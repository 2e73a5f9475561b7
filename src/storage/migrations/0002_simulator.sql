-- The acquirer simulator's own book. Nothing else reads it, except `coolpay audit`, which compares.

CREATE SCHEMA simulator;

CREATE TABLE simulator.book (
  reference text COLLATE "C" PRIMARY KEY,       -- the order's own name: an order has one effect, however often it is sent
  verb text NOT NULL,
  transaction text COLLATE "C" NOT NULL,
  "authorization" text COLLATE "C",             -- the order that this one builds on
  amount integer NOT NULL,
  currency text NOT NULL,
  scenario text NOT NULL,                       -- what the card (or session) does
  outcome text NOT NULL CHECK (outcome IN ('approved', 'rejected', 'waiting', 'refused')),
  status_code text NOT NULL,
  acquirer_status_code text,
  acquirer_status_msg text,
  answer_at timestamptz NOT NULL,               -- earlier than this it says that it is still working
  answered boolean NOT NULL DEFAULT false       -- kept only where it waits before it answers
);
CREATE INDEX book_authorization ON simulator.book ("authorization") WHERE "authorization" IS NOT NULL;
