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
