-- Format 5: the dialect in full. Each block below belongs to one part of it.

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
