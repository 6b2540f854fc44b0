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

-- Pools of single-use codes: what a brand uploaded, what workers took out (committed before any of it is used), on which
-- click each was handed out, and which orders showed it. A deleted pool stays for its orders.
CREATE TABLE code_pools (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    store INTEGER NOT NULL REFERENCES stores (no),
    creator INTEGER REFERENCES creators (no),
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    deleted_at INTEGER,
    -- Of its codes: all, taken out, handed out, seen on an order. Kept up with every change of one.
    total INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    given INTEGER NOT NULL DEFAULT 0,
    used INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX code_pools_of_workspace ON code_pools (workspace, created_at, no);

-- expires_at 9223372036854775807 = never. Visitor and identity are kept for as long as the code sticks to them: a day.
CREATE TABLE pool_codes (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    pool INTEGER NOT NULL REFERENCES code_pools (no),
    store INTEGER NOT NULL,
    code TEXT NOT NULL,
    code_fold TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    leased_at INTEGER,
    given_at INTEGER,
    clicked_at INTEGER,
    node INTEGER,
    sequence INTEGER,
    link INTEGER,
    creator INTEGER,
    visitor INTEGER,
    identity INTEGER
) STRICT;
CREATE UNIQUE INDEX pool_codes_by_code ON pool_codes (store, code_fold);
CREATE INDEX pool_codes_free ON pool_codes (pool, expires_at, no) WHERE leased_at IS NULL;
CREATE INDEX pool_codes_sticky ON pool_codes (given_at) WHERE visitor IS NOT NULL;

CREATE TABLE pool_code_orders (
    code INTEGER NOT NULL REFERENCES pool_codes (no),
    order_no INTEGER NOT NULL REFERENCES orders (no) ON DELETE CASCADE,
    PRIMARY KEY (code, order_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX pool_code_orders_of_order ON pool_code_orders (order_no);

-- Programs that heed every signal heed the new one too.
UPDATE programs SET leak_signals = json_insert(leak_signals, '$[#]', 'used_twice')
WHERE json_array_length(leak_signals) = 4;

-- The console: links that show a creator their own report, and what orders are looked for by.
CREATE TABLE report_links (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    creator INTEGER NOT NULL REFERENCES creators (no),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX report_links_of_creator ON report_links (creator, created_at, no);
CREATE INDEX orders_by_name ON orders (workspace, name);
CREATE INDEX orders_set_aside ON orders (workspace, ordered_at, no) WHERE quarantine IS NOT NULL;
CREATE INDEX orders_of_tests ON orders (workspace, ordered_at, no) WHERE is_test = 1;
CREATE INDEX links_tried_out ON links (workspace, created_at, no) WHERE experiment IS NOT NULL;
