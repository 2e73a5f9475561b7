-- The acquirer simulator's own book. Nothing else reads it, except `coolpay audit`, which compares.

CREATE SCHEMA simulator;

CREATE TABLE simulator.book (
  reference text COLLATE "C" PRIMARY KEY,       -- the order's own name: an order has one effect, however often it is sent
  verb text NOT NULL,                           -- find, abort: nobody had heard of it, and now nobody will
  transaction text COLLATE "C" NOT NULL,
  "authorization" text COLLATE "C",             -- the order that this one builds on
  step integer,                                 -- 1, 2, 3, … on that authorization: what saw the same book is not written twice
  amount integer NOT NULL,
  currency text NOT NULL,
  scenario text NOT NULL,                       -- what the card (or session) does; never the card
  outcome text NOT NULL CHECK (outcome IN ('received', 'approved', 'rejected', 'waiting', 'refused')),
  status_code text,                             -- null while it is only received
  acquirer_status_code text,
  acquirer_status_msg text,
  received_at timestamptz NOT NULL,
  answer_at timestamptz NOT NULL,               -- earlier than this it says that it is still working
  answered boolean NOT NULL GENERATED ALWAYS AS (outcome <> 'received') STORED,
  CHECK (status_code IS NOT NULL OR outcome = 'received')
);
CREATE UNIQUE INDEX book_steps ON simulator.book ("authorization", step) WHERE "authorization" IS NOT NULL;
