-- Format 1. Instants: milliseconds since 1970. Money: minor units. Public ids: text. Row numbers never leave the server.

CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secrets (
    purpose TEXT NOT NULL,
    version INTEGER NOT NULL,
    key BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (purpose, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE workspaces (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE api_keys (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    is_owner INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_of_workspace ON api_keys (workspace);

CREATE TABLE link_domains (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER REFERENCES workspaces (no),
    slug TEXT NOT NULL UNIQUE,
    is_primary INTEGER NOT NULL,
    is_archived INTEGER NOT NULL,
    is_case_sensitive INTEGER NOT NULL,
    consent TEXT NOT NULL,
    has_legal_basis INTEGER NOT NULL,
    cookie_domain TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX link_domains_of_workspace ON link_domains (workspace, created_at, no);
CREATE UNIQUE INDEX link_domains_primary ON link_domains (workspace) WHERE is_primary = 1;

-- Answers for every host that nobody registered; all workspaces share it.
INSERT INTO link_domains VALUES (1, 'dom_default', NULL, '', 0, 0, 0, 'gpc', 0, NULL, 0, 0);

CREATE TABLE creators (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    email TEXT COLLATE NOCASE,
    username TEXT,
    image TEXT,
    tenant_id TEXT,
    country TEXT COLLATE NOCASE,
    description TEXT,
    niche TEXT COLLATE NOCASE,
    platform TEXT,
    followers INTEGER,
    cost INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX creators_of_workspace ON creators (workspace, created_at, no);
CREATE UNIQUE INDEX creators_by_email ON creators (workspace, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX creators_by_tenant_id ON creators (workspace, tenant_id) WHERE tenant_id IS NOT NULL;
CREATE INDEX creators_by_niche ON creators (workspace, niche, created_at, no) WHERE niche IS NOT NULL;
CREATE INDEX creators_by_country ON creators (workspace, country, created_at, no) WHERE country IS NOT NULL;

CREATE TABLE links (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    domain INTEGER NOT NULL REFERENCES link_domains (no),
    slug TEXT NOT NULL,
    slug_fold TEXT NOT NULL,
    is_exact INTEGER NOT NULL,
    destination TEXT NOT NULL,
    external_id TEXT,
    tenant_id TEXT,
    creator INTEGER REFERENCES creators (no),
    tracks_conversions INTEGER NOT NULL,
    is_archived INTEGER NOT NULL,
    expires_at INTEGER,
    expired_url TEXT,
    disabled_at INTEGER,
    clicks_max INTEGER,
    title TEXT,
    description TEXT,
    comments TEXT,
    utm TEXT,
    cart TEXT,
    stock_policy TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
-- Finds by fold; that equal slugs always conflict makes it unique with the slug.
CREATE UNIQUE INDEX links_by_slug ON links (domain, slug_fold, slug);
CREATE UNIQUE INDEX links_by_external_id ON links (workspace, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX links_by_creation ON links (workspace, created_at, no);
CREATE INDEX links_by_update ON links (workspace, updated_at, no);
CREATE INDEX links_by_domain ON links (workspace, domain, created_at, no);
CREATE INDEX links_by_tenant_id ON links (workspace, tenant_id, created_at, no) WHERE tenant_id IS NOT NULL;
CREATE INDEX links_by_creator ON links (creator, created_at, no) WHERE creator IS NOT NULL;

CREATE TABLE discount_codes (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    code TEXT NOT NULL,
    code_fold TEXT NOT NULL,
    creator INTEGER NOT NULL REFERENCES creators (no),
    link INTEGER REFERENCES links (no) ON DELETE SET NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace, code_fold)
) STRICT;
CREATE INDEX discount_codes_of_workspace ON discount_codes (workspace, created_at, no);
CREATE INDEX discount_codes_of_creator ON discount_codes (creator, created_at, no);
CREATE INDEX discount_codes_of_link ON discount_codes (link) WHERE link IS NOT NULL;

CREATE TABLE stores (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    provider TEXT NOT NULL,
    base_url TEXT NOT NULL,
    currency TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX stores_of_workspace ON stores (workspace);

CREATE TABLE store_secrets (
    store INTEGER NOT NULL REFERENCES stores (no),
    place INTEGER NOT NULL,
    secret TEXT NOT NULL,
    PRIMARY KEY (store, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE products (
    store INTEGER NOT NULL REFERENCES stores (no),
    sku TEXT NOT NULL,
    variant_id TEXT NOT NULL,
    title TEXT NOT NULL,
    image_url TEXT,
    price INTEGER,
    stock INTEGER,
    policy TEXT NOT NULL,
    stock_at INTEGER NOT NULL,
    PRIMARY KEY (store, sku)
) STRICT, WITHOUT ROWID;

-- Links are deleted while their orders stay, so an order's link is not a foreign key; a link's number is never reused.
CREATE TABLE orders (
    no INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    store INTEGER NOT NULL REFERENCES stores (no),
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    ordered_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    revenue INTEGER NOT NULL,
    discounts INTEGER NOT NULL,
    is_test INTEGER NOT NULL,
    is_paid INTEGER NOT NULL,
    cancelled_at INTEGER,
    customer TEXT,
    codes TEXT NOT NULL,
    click_id TEXT,
    quarantine TEXT,
    creator INTEGER REFERENCES creators (no),
    link INTEGER,
    evidence TEXT NOT NULL,
    -- Whether it is in the numbers: the verdict of the domain when the row was written.
    counts INTEGER NOT NULL,
    UNIQUE (store, external_id)
) STRICT;
CREATE INDEX orders_of_workspace ON orders (workspace, ordered_at, no);
CREATE INDEX orders_by_external_id ON orders (workspace, external_id);
CREATE INDEX orders_counted ON orders (workspace, currency, ordered_at) WHERE counts = 1;
CREATE INDEX orders_of_customer ON orders (store, customer, ordered_at, external_id)
    WHERE counts = 1 AND customer IS NOT NULL;
CREATE INDEX orders_in_quarantine ON orders (no) WHERE quarantine IS NOT NULL;
CREATE INDEX orders_for_test ON orders (no) WHERE is_test = 1;
CREATE INDEX orders_of_creator ON orders (creator, ordered_at) WHERE creator IS NOT NULL;

CREATE TABLE order_lines (
    order_no INTEGER NOT NULL REFERENCES orders (no) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    external_id TEXT NOT NULL,
    sku TEXT,
    variant_id TEXT,
    title TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (order_no, place)
) STRICT, WITHOUT ROWID;

-- A refund may come before its order, so the order is not a foreign key.
CREATE TABLE refunds (
    no INTEGER PRIMARY KEY,
    store INTEGER NOT NULL REFERENCES stores (no),
    external_id TEXT NOT NULL,
    order_external_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    UNIQUE (store, external_id)
) STRICT;
CREATE INDEX refunds_of_order ON refunds (store, order_external_id, amount);

CREATE TABLE refund_lines (
    refund_no INTEGER NOT NULL REFERENCES refunds (no) ON DELETE CASCADE,
    place INTEGER NOT NULL,
    line_external_id TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    amount INTEGER NOT NULL,
    PRIMARY KEY (refund_no, place)
) STRICT, WITHOUT ROWID;

-- Kept for ever: a delivery that was acted on is never acted on again.
CREATE TABLE deliveries (
    store INTEGER NOT NULL REFERENCES stores (no),
    delivery_id TEXT NOT NULL,
    topic TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (store, delivery_id)
) STRICT, WITHOUT ROWID;
