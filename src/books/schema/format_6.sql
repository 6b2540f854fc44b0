-- Format 6: webhooks out. Who is told of what, what waits to be told, and what became of it.
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

-- Leads and sales are told by whatever writes them: each lead once, an order when it first counts for somebody. While a
-- million events wait, what comes is counted for every webhook that would have heard of it.
CREATE TABLE told_sales (order_no INTEGER PRIMARY KEY REFERENCES orders (no) ON DELETE CASCADE) STRICT;
CREATE TRIGGER outbox_of_new_leads AFTER INSERT ON leads WHEN EXISTS (
    SELECT 1 FROM webhooks WHERE workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 16)
BEGIN
    INSERT INTO outbox (workspace, word, facts, at)
    SELECT NEW.workspace, 'lead.created', json_object('lead', NEW.no), NEW.at
    WHERE coalesce((SELECT max(no) FROM outbox) - (SELECT min(no) FROM outbox), 0) < 1000000;
    UPDATE webhooks SET untold = untold + 1
    WHERE changes() = 0 AND workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 16;
END;
CREATE TRIGGER outbox_of_new_orders AFTER INSERT ON orders
WHEN NEW.counts = 1 AND (NEW.link IS NOT NULL OR NEW.creator IS NOT NULL) AND EXISTS (
    SELECT 1 FROM webhooks WHERE workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 32)
BEGIN
    INSERT INTO outbox (workspace, word, facts)
    SELECT NEW.workspace, 'sale.created', json_object('sale', NEW.no)
    WHERE coalesce((SELECT max(no) FROM outbox) - (SELECT min(no) FROM outbox), 0) < 1000000;
    UPDATE webhooks SET untold = untold + 1
    WHERE changes() = 0 AND workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 32;
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
    INSERT INTO outbox (workspace, word, facts)
    SELECT NEW.workspace, 'sale.created', json_object('sale', NEW.no)
    WHERE coalesce((SELECT max(no) FROM outbox) - (SELECT min(no) FROM outbox), 0) < 1000000;
    UPDATE webhooks SET untold = untold + 1
    WHERE changes() = 0 AND workspace = NEW.workspace AND deleted_at IS NULL AND disabled_at IS NULL
        AND triggers & 32;
    INSERT INTO told_sales (order_no) VALUES (NEW.no);
END;

-- Creators who take part no more: since when, and why they were sent away.
ALTER TABLE creators ADD COLUMN left_at INTEGER;
ALTER TABLE creators ADD COLUMN ban_reason TEXT;
