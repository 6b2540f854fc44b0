-- Format 2: landing pages (when prices were told, how stores look), domains bound to stores, UCP, waiting lists.

ALTER TABLE products ADD COLUMN price_at INTEGER;
UPDATE products SET price_at = stock_at WHERE price IS NOT NULL;

-- Which of two cart permalinks a Shopify store gets; JSON of how its landing pages look.
ALTER TABLE stores ADD COLUMN permalink TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE stores ADD COLUMN look TEXT;
-- Whether an order that came over UCP has returned a click id: then /buy carries attribution for sure.
ALTER TABLE stores ADD COLUMN returns_click_ids INTEGER NOT NULL DEFAULT 0;

-- What a store's /.well-known/ucp last said. A failed look keeps what was known before.
CREATE TABLE ucp_profiles (
    store INTEGER PRIMARY KEY REFERENCES stores (no),
    endpoint TEXT,
    signing_keys TEXT,
    fetched_at INTEGER,
    looked_at INTEGER NOT NULL,
    fresh_until INTEGER NOT NULL,
    problem TEXT
) STRICT;

-- The store whose carts a domain takes at /buy and /checkout.
ALTER TABLE link_domains ADD COLUMN store INTEGER REFERENCES stores (no);

-- E-mail addresses that want to know when a link's products are back, with the sentence that was agreed to.
CREATE TABLE waitlist (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    store INTEGER NOT NULL REFERENCES stores (no),
    link INTEGER NOT NULL,
    email TEXT NOT NULL COLLATE NOCASE,
    consent TEXT NOT NULL,
    language TEXT NOT NULL,
    skus TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (link, email)
) STRICT;
CREATE INDEX waitlist_of_workspace ON waitlist (workspace, created_at, no);
CREATE INDEX waitlist_by_email ON waitlist (workspace, email);
