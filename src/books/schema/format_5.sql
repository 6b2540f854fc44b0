-- Format 5: the dialect in full. Each block below belongs to one part of it.

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

-- How links receive their followers (rules, targets by device and country, pages on the way): JSON. Schemes of the brand's
-- apps: a JSON list.
ALTER TABLE links ADD COLUMN reception TEXT;
ALTER TABLE settings ADD COLUMN app_schemes TEXT;
ALTER TABLE settings ADD COLUMN hides_cards INTEGER NOT NULL DEFAULT 0;
-- Where a domain sends followers who meet no link, and those of links that have ended; hosts that redir_url may lead to: a
-- JSON list.
ALTER TABLE link_domains ADD COLUMN not_found_url TEXT;
ALTER TABLE link_domains ADD COLUMN expired_url TEXT;
ALTER TABLE link_domains ADD COLUMN redir_hosts TEXT;
-- Whose a domain is: the word that a TXT record must hold, and when one did.
ALTER TABLE link_domains ADD COLUMN proof TEXT NOT NULL DEFAULT '';
ALTER TABLE link_domains ADD COLUMN verified_at INTEGER;
UPDATE link_domains SET proof = lower(hex(randomblob(16)));

CREATE TABLE utm_templates (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL COLLATE NOCASE,
    utm TEXT NOT NULL,
    reference TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX utm_templates_by_name ON utm_templates (workspace, name);

-- JSON of what a key may do (NULL = everything), until when, how often a minute (NULL = as the server says, 0 = as often
-- as it likes), and its last call, to the minute.
ALTER TABLE api_keys ADD COLUMN scopes TEXT;
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
ALTER TABLE api_keys ADD COLUMN calls_per_minute INTEGER;
ALTER TABLE api_keys ADD COLUMN last_used_at INTEGER;

-- Calls that must not be carried out twice. has_written is set in the transactions of the call's own writes; status and
-- body are the kept answer.
CREATE TABLE idempotency_keys (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    request BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    has_written INTEGER NOT NULL DEFAULT 0,
    status INTEGER,
    content_type TEXT,
    body BLOB
) STRICT;
CREATE UNIQUE INDEX idempotency_keys_by_name ON idempotency_keys (workspace, name);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);

-- Who wrote what over the API, in the transaction of the write.
CREATE TABLE audit_log (
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    -- Counts up within the workspace, so that its oldest rows are found without counting.
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    key_id TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT,
    before TEXT,
    after TEXT
) STRICT;
CREATE UNIQUE INDEX audit_log_of_workspace ON audit_log (workspace, seq);
CREATE INDEX audit_log_of_target ON audit_log (workspace, target, seq) WHERE target IS NOT NULL;
CREATE INDEX audit_log_by_age ON audit_log (at);

-- Links are found by what stands in them: trigrams of slug, destination and title, without the texts. A text goes
-- out as exactly what came in.
CREATE VIRTUAL TABLE link_texts USING fts5 (
    text, content = '', columnsize = 0, detail = none, tokenize = 'trigram'
);
INSERT INTO link_texts (rowid, text)
SELECT no, slug_fold || char(10) || destination || char(10) || coalesce(title, '') || char(10) || char(10) FROM links;
-- The trigrams themselves, each with its links: what begins with one or two characters.
CREATE VIRTUAL TABLE link_terms USING fts5vocab (link_texts, instance);

-- Webhooks out: who is told of what, what waits to be told, and what became of it.
CREATE TABLE webhooks (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    -- A bit a trigger, in the order of domain/webhook.rs.
    triggers INTEGER NOT NULL,
    -- Whether it is told of clicks on the links in link_webhooks alone.
    is_narrow INTEGER NOT NULL,
    clicks_per_event INTEGER NOT NULL,
    secret TEXT NOT NULL,
    old_secret TEXT,
    old_secret_until INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    disabled_at INTEGER,
    disabled_because TEXT,
    failures INTEGER NOT NULL DEFAULT 0,
    failing_since INTEGER,
    resting_until INTEGER,
    last_success_at INTEGER,
    untold INTEGER NOT NULL DEFAULT 0,
    -- Its deliveries go piece by piece, and then the row.
    deleted_at INTEGER
) STRICT;
CREATE INDEX webhooks_by_workspace ON webhooks (workspace, no) WHERE deleted_at IS NULL;

CREATE TABLE link_webhooks (
    link INTEGER NOT NULL REFERENCES links (no) ON DELETE CASCADE,
    webhook INTEGER NOT NULL REFERENCES webhooks (no) ON DELETE CASCADE,
    PRIMARY KEY (link, webhook)
) STRICT, WITHOUT ROWID;
CREATE INDEX links_of_webhook ON link_webhooks (webhook, link);

-- What happened and is not told yet, in its order; written with what it tells of, and only where somebody wants it.
CREATE TABLE outbox (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace INTEGER NOT NULL,
    word TEXT NOT NULL,
    -- JSON, see Facts in domain/webhook.rs.
    facts TEXT NOT NULL,
    -- When it happened, where what tells of it does not say.
    at INTEGER
) STRICT;

CREATE TABLE webhook_events (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL,
    word TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- As it is signed and sent.
    body TEXT NOT NULL
) STRICT;

CREATE TABLE webhook_deliveries (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook INTEGER NOT NULL REFERENCES webhooks (no),
    event INTEGER NOT NULL REFERENCES webhook_events (no),
    -- Whose events are told in order; 0 = no link's.
    link INTEGER NOT NULL,
    -- waiting, delivered or failed.
    state TEXT NOT NULL,
    -- From when its three days are counted.
    since INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    attempted_at INTEGER,
    took_ms INTEGER,
    status INTEGER,
    error TEXT,
    answer TEXT
) STRICT;
CREATE UNIQUE INDEX deliveries_of_event ON webhook_deliveries (event, webhook);
CREATE INDEX deliveries_due ON webhook_deliveries (webhook, due_at, no) WHERE state = 'waiting';
CREATE INDEX deliveries_in_order ON webhook_deliveries (webhook, link, no) WHERE state = 'waiting';
CREATE INDEX deliveries_done ON webhook_deliveries (webhook, state, no) WHERE state <> 'waiting';
CREATE INDEX deliveries_by_webhook ON webhook_deliveries (webhook, no);

-- Leads and sales are told by whatever writes them: each lead once, an order when it first counts for somebody.
CREATE TABLE told_sales (order_no INTEGER PRIMARY KEY REFERENCES orders (no) ON DELETE CASCADE) STRICT;
CREATE TRIGGER outbox_of_new_leads AFTER INSERT ON leads WHEN EXISTS (
    SELECT 1 FROM webhooks WHERE workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 16)
BEGIN
    INSERT INTO outbox (workspace, word, facts, at)
    VALUES (NEW.workspace, 'lead.created', json_object('lead', NEW.no), NEW.at);
END;
CREATE TRIGGER outbox_of_new_orders AFTER INSERT ON orders
WHEN NEW.counts = 1 AND (NEW.link IS NOT NULL OR NEW.creator IS NOT NULL) AND EXISTS (
    SELECT 1 FROM webhooks WHERE workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 32)
BEGIN
    INSERT INTO outbox (workspace, word, facts) VALUES (NEW.workspace, 'sale.created', json_object('sale', NEW.no));
    INSERT INTO told_sales (order_no) VALUES (NEW.no);
END;
CREATE TRIGGER outbox_of_changed_orders AFTER UPDATE OF counts, link, creator ON orders
WHEN NEW.counts = 1 AND (NEW.link IS NOT NULL OR NEW.creator IS NOT NULL)
    AND NOT (OLD.counts = 1 AND (OLD.link IS NOT NULL OR OLD.creator IS NOT NULL))
    AND EXISTS (
        SELECT 1 FROM webhooks WHERE workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
            AND triggers & 32)
    AND NOT EXISTS (SELECT 1 FROM told_sales WHERE order_no = NEW.no)
BEGIN
    INSERT INTO outbox (workspace, word, facts) VALUES (NEW.workspace, 'sale.created', json_object('sale', NEW.no));
    INSERT INTO told_sales (order_no) VALUES (NEW.no);
END;
