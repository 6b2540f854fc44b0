-- Format 4: pools of single-use codes, and the dialect in full.

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
