-- Format 4: pools of single-use codes, and the dialect in full.

-- Sums of the models other than the last touch. An order that they share out stands in shared_orders as the sums have it
-- (`shares`: JSON of who gets parts, and the weights; null = not in the sums yet), so that it can be taken out again; what
-- a model moves between creators and links on a UTC day is in shared_days, signed. Creator and link 0 = nobody and none.
CREATE TABLE shared_orders (
    order_no INTEGER PRIMARY KEY REFERENCES orders (no),
    workspace INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    ordered_at INTEGER NOT NULL,
    creator INTEGER,
    link INTEGER,
    store INTEGER NOT NULL,
    revenue INTEGER NOT NULL,
    discounts INTEGER NOT NULL,
    refunded INTEGER NOT NULL,
    standing INTEGER NOT NULL,
    cost INTEGER,
    shares TEXT
) STRICT;
CREATE INDEX shared_orders_by_time ON shared_orders (workspace, currency, ordered_at);
CREATE INDEX shared_orders_waiting ON shared_orders (shares) WHERE shares IS NULL;
CREATE TABLE shared_days (
    workspace INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    model TEXT NOT NULL,
    day INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    link INTEGER NOT NULL,
    store INTEGER NOT NULL,
    orders_milli INTEGER NOT NULL,
    new_customers_milli INTEGER NOT NULL,
    returning_customers_milli INTEGER NOT NULL,
    costed_milli INTEGER NOT NULL,
    discounts INTEGER NOT NULL,
    gross INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    PRIMARY KEY (workspace, currency, model, day, creator, link, store)
) STRICT, WITHOUT ROWID;
INSERT INTO shared_orders
SELECT no, workspace, currency, ordered_at, creator, link, store, revenue, discounts, refunded, standing, cost, NULL
FROM orders WHERE counts = 1 AND is_split = 1;
DROP INDEX orders_split;
