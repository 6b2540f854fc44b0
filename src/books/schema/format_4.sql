-- Format 4: pools of single-use codes, and the dialect in full.

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

-- Links in the dialect in full: upsert finds by destination; tags and folders keep order among them.
CREATE INDEX links_by_destination ON links (workspace, destination);

CREATE TABLE tags (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL COLLATE NOCASE,
    color TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tags_by_name ON tags (workspace, name);

CREATE TABLE link_tags (
    link INTEGER NOT NULL REFERENCES links (no) ON DELETE CASCADE,
    tag INTEGER NOT NULL REFERENCES tags (no) ON DELETE CASCADE,
    PRIMARY KEY (link, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_of_tag ON link_tags (tag, link);

CREATE TABLE folders (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL COLLATE NOCASE,
    description TEXT,
    access TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX folders_by_name ON folders (workspace, name);

ALTER TABLE links ADD COLUMN folder INTEGER REFERENCES folders (no) ON DELETE SET NULL;
CREATE INDEX links_by_folder ON links (folder, created_at, no) WHERE folder IS NOT NULL;
