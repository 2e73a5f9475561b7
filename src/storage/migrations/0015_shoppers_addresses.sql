-- What a shop wants to know of the simulated shopper at a provider that the shopper is sent to.

ALTER TABLE simulator.book ADD COLUMN addresses text[] NOT NULL DEFAULT '{}';  -- invoice_address, shipping_address
