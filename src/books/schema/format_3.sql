-- Format 3: attribution, campaigns and the dialect's conversions.

-- Attribution: how each brand credits orders, one row a version; the latest is in force.
CREATE TABLE programs (
    no INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    window_days INTEGER NOT NULL,
    customer_window_days INTEGER NOT NULL,
    evidence_order TEXT NOT NULL,
    leak_signals TEXT NOT NULL,
    model TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX programs_of_workspace ON programs (workspace, no);

-- Why a code is not trusted; a word of the domain.
ALTER TABLE discount_codes ADD COLUMN leak TEXT;
-- Whether the brand said that it is to be trusted, whatever signals say.
ALTER TABLE discount_codes ADD COLUMN is_trusted INTEGER NOT NULL DEFAULT 0;

ALTER TABLE orders ADD COLUMN id TEXT;
-- credited, held or none; by what; and who is credited without the customer's past.
ALTER TABLE orders ADD COLUMN credit TEXT NOT NULL DEFAULT 'none';
ALTER TABLE orders ADD COLUMN credited_by TEXT;
ALTER TABLE orders ADD COLUMN owner INTEGER REFERENCES creators (no);
ALTER TABLE orders ADD COLUMN is_split INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN program INTEGER REFERENCES programs (no);
ALTER TABLE orders ADD COLUMN ruling TEXT;
-- The buyer by their address, hashed.
ALTER TABLE orders ADD COLUMN buyer TEXT;
-- When what told the customer, the buyer, the codes and the click id was updated; null = with the order.
ALTER TABLE orders ADD COLUMN customer_at INTEGER;
ALTER TABLE orders ADD COLUMN buyer_at INTEGER;
ALTER TABLE orders ADD COLUMN codes_at INTEGER;
ALTER TABLE orders ADD COLUMN click_at INTEGER;
-- The verified click id; what is given back of the revenue; 1 = the customer's first counted order in the store, 2 = a
-- later one, 0 = nobody knows. All three follow from other columns and rows, and are kept by whoever writes those.
ALTER TABLE orders ADD COLUMN click TEXT;
ALTER TABLE orders ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0;
ALTER TABLE orders ADD COLUMN standing INTEGER NOT NULL DEFAULT 0;

-- A journey's touches get the creators that their links have now.
UPDATE orders SET evidence = json_set(evidence, '$.click.journey', json((
    SELECT json_group_array(json_object(
        'link', json_extract(touch.value, '$[0]'),
        'creator', (SELECT creator FROM links WHERE no = json_extract(touch.value, '$[0]')),
        'seconds', json_extract(touch.value, '$[1]')))
    FROM json_each(evidence, '$.click.journey') touch)))
WHERE json_type(evidence, '$.click') = 'object';

-- New orders derive their ids from the shop's.
UPDATE orders SET
    id = 'ord_' || hex(randomblob(13)),
    credit = iif(creator IS NULL, 'none', 'credited'),
    credited_by = CASE
        WHEN json_array_length(evidence, '$.codes') > 0 THEN 'creator_code'
        WHEN json_type(evidence, '$.click') = 'object' THEN 'click' END,
    owner = creator,
    is_split = coalesce(json_array_length(evidence, '$.click.journey') > 0, 0),
    click = json_extract(evidence, '$.click.click_id'),
    refunded = iif(cancelled_at IS NOT NULL, max(revenue, 0), min(max(revenue, 0), coalesce((
        SELECT sum(r.amount) FROM refunds r WHERE r.store = orders.store AND r.order_external_id = orders.external_id
    ), 0))),
    standing = iif(customer IS NULL OR counts = 0, 0, 1 + EXISTS (
        SELECT 1 FROM orders e WHERE e.store = orders.store AND e.customer = orders.customer AND e.counts = 1
            AND (e.ordered_at, e.external_id) < (orders.ordered_at, orders.external_id)));

CREATE UNIQUE INDEX orders_by_id ON orders (id);
CREATE INDEX orders_held ON orders (workspace, ordered_at, no) WHERE credit = 'held';
CREATE INDEX orders_of_click ON orders (click) WHERE click IS NOT NULL;
CREATE INDEX orders_split ON orders (workspace, currency, ordered_at) WHERE counts = 1 AND is_split = 1;
CREATE INDEX orders_owning ON orders (store, customer, ordered_at, external_id) WHERE counts = 1 AND owner IS NOT NULL;
CREATE INDEX orders_new ON orders (store, customer) WHERE standing = 1;
DROP INDEX orders_of_customer;
CREATE INDEX orders_of_customer ON orders (store, customer, ordered_at, external_id, counts) WHERE customer IS NOT NULL;
-- Holds all that a report asks, so that it need not read the orders themselves.
DROP INDEX orders_counted;
CREATE INDEX orders_counted ON orders (workspace, currency, ordered_at, creator, link, store, revenue, discounts,
    refunded, standing) WHERE counts = 1;

-- What counted orders brought on each UTC day, under the last touch; creator and link 0 = nobody and none. Kept by the
-- triggers below, whoever writes an order: a million orders are a few thousand rows.
CREATE TABLE sales_days (
    workspace INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    day INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    link INTEGER NOT NULL,
    store INTEGER NOT NULL,
    orders INTEGER NOT NULL,
    new_customers INTEGER NOT NULL,
    returning_customers INTEGER NOT NULL,
    discounts INTEGER NOT NULL,
    gross INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    PRIMARY KEY (workspace, currency, day, creator, link, store)
) STRICT, WITHOUT ROWID;

INSERT INTO sales_days
SELECT workspace, currency, (ordered_at - ((ordered_at % 86400000) + 86400000) % 86400000) / 86400000 AS day,
    coalesce(creator, 0) AS by_creator, coalesce(link, 0) AS by_link, store,
    count(*), sum(standing = 1), sum(standing = 2), sum(discounts), sum(revenue), sum(refunded)
FROM orders WHERE counts = 1
GROUP BY workspace, currency, day, by_creator, by_link, store;

CREATE TRIGGER sales_days_of_new_orders AFTER INSERT ON orders WHEN NEW.counts = 1 BEGIN
    INSERT INTO sales_days VALUES (
        NEW.workspace, NEW.currency,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(NEW.creator, 0), coalesce(NEW.link, 0), NEW.store,
        1, NEW.standing = 1, NEW.standing = 2, NEW.discounts, NEW.revenue, NEW.refunded)
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders,
        new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts,
        gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds;
END;

CREATE TRIGGER sales_days_of_gone_orders AFTER DELETE ON orders WHEN OLD.counts = 1 BEGIN
    UPDATE sales_days SET
        orders = orders - 1,
        new_customers = new_customers - (OLD.standing = 1),
        returning_customers = returning_customers - (OLD.standing = 2),
        discounts = discounts - OLD.discounts,
        gross = gross - OLD.revenue,
        refunds = refunds - OLD.refunded
    WHERE workspace = OLD.workspace AND currency = OLD.currency
        AND day = (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000
        AND creator = coalesce(OLD.creator, 0) AND link = coalesce(OLD.link, 0) AND store = OLD.store;
END;

CREATE TRIGGER sales_days_of_changed_orders
AFTER UPDATE OF workspace, currency, ordered_at, creator, link, store, counts, standing, discounts, revenue, refunded
ON orders WHEN
    (OLD.currency, OLD.ordered_at, OLD.creator, OLD.link, OLD.counts, OLD.standing, OLD.discounts, OLD.revenue,
        OLD.refunded) IS NOT
    (NEW.currency, NEW.ordered_at, NEW.creator, NEW.link, NEW.counts, NEW.standing, NEW.discounts, NEW.revenue,
        NEW.refunded)
BEGIN
    UPDATE sales_days SET
        orders = orders - 1,
        new_customers = new_customers - (OLD.standing = 1),
        returning_customers = returning_customers - (OLD.standing = 2),
        discounts = discounts - OLD.discounts,
        gross = gross - OLD.revenue,
        refunds = refunds - OLD.refunded
    WHERE OLD.counts = 1 AND workspace = OLD.workspace AND currency = OLD.currency
        AND day = (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000
        AND creator = coalesce(OLD.creator, 0) AND link = coalesce(OLD.link, 0) AND store = OLD.store;
    INSERT INTO sales_days SELECT
        NEW.workspace, NEW.currency,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(NEW.creator, 0), coalesce(NEW.link, 0), NEW.store,
        1, NEW.standing = 1, NEW.standing = 2, NEW.discounts, NEW.revenue, NEW.refunded
    WHERE NEW.counts = 1
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders,
        new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts,
        gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds;
END;

-- The dialect's conversions: publishable keys, customers whom leads and sales named, leads, and what a sale said beside
-- its order.
-- JSON array of the origins that a publishable key may be used from; null = a secret key.
ALTER TABLE api_keys ADD COLUMN origins TEXT;

CREATE TABLE customers (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    external_id TEXT NOT NULL,
    name TEXT,
    email TEXT COLLATE NOCASE,
    avatar TEXT,
    country TEXT,
    -- The click that brought them, its link, and the creator who owned the link then.
    click_id TEXT,
    clicked_at INTEGER,
    link INTEGER,
    creator INTEGER,
    -- As sales told them, in the currency of the first.
    sales INTEGER NOT NULL DEFAULT 0,
    sale_amount INTEGER NOT NULL DEFAULT 0,
    sale_currency TEXT,
    first_sale_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX customers_by_external_id ON customers (workspace, external_id);
CREATE INDEX customers_of_workspace ON customers (workspace, created_at, no);
CREATE INDEX customers_by_sales ON customers (workspace, sale_amount, no);
CREATE INDEX customers_by_email ON customers (workspace, email) WHERE email IS NOT NULL;

-- Customer null = erased; the lead still counts.
CREATE TABLE leads (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    customer INTEGER REFERENCES customers (no),
    event_name TEXT NOT NULL,
    at INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    metadata TEXT,
    click_id TEXT NOT NULL,
    clicked_at INTEGER NOT NULL,
    link INTEGER NOT NULL,
    creator INTEGER,
    is_from_browser INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX leads_once ON leads (customer, event_name);
CREATE INDEX leads_of_workspace ON leads (workspace, at, no);
CREATE INDEX leads_of_link ON leads (link);
CREATE INDEX leads_of_creator ON leads (creator) WHERE creator IS NOT NULL;

CREATE TABLE tracked_sales (
    no INTEGER PRIMARY KEY,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    invoice_id TEXT,
    store INTEGER NOT NULL REFERENCES stores (no),
    order_external_id TEXT NOT NULL,
    customer INTEGER REFERENCES customers (no),
    event_name TEXT NOT NULL,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    processor TEXT NOT NULL,
    metadata TEXT,
    at INTEGER NOT NULL,
    is_from_browser INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tracked_sales_once ON tracked_sales (workspace, invoice_id) WHERE invoice_id IS NOT NULL;
CREATE UNIQUE INDEX tracked_sales_of_order ON tracked_sales (store, order_external_id);
CREATE INDEX tracked_sales_of_customer ON tracked_sales (customer) WHERE customer IS NOT NULL;

-- Hold what counters of links and creators ask, so that they need not read the orders themselves.
CREATE INDEX orders_sold_by_link ON orders (link, currency, store, customer, revenue, refunded)
    WHERE counts = 1 AND link IS NOT NULL;
CREATE INDEX orders_sold_by_creator ON orders (creator, currency, store, customer, revenue, refunded)
    WHERE counts = 1 AND creator IS NOT NULL;

-- Experiments: a link's variants with their times, as JSON; and which variant's click an order shows.
ALTER TABLE links ADD COLUMN experiment TEXT;
CREATE TABLE variant_orders (
    order_no INTEGER PRIMARY KEY REFERENCES orders (no) ON DELETE CASCADE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    link INTEGER NOT NULL,
    variant INTEGER NOT NULL,
    clicked_at INTEGER NOT NULL
) STRICT;
CREATE INDEX variant_orders_of_link ON variant_orders (link, clicked_at);
CREATE INDEX variant_orders_of_workspace ON variant_orders (workspace);
-- Campaigns, spend, rates, settings, and what reports sum by codes, countries and what goods cost.
CREATE TABLE settings (
    workspace INTEGER PRIMARY KEY REFERENCES workspaces (no),
    currency TEXT,
    -- Followers from which tiers begin: micro, mid, macro, celebrity.
    micro INTEGER NOT NULL,
    mid INTEGER NOT NULL,
    macro INTEGER NOT NULL,
    celebrity INTEGER NOT NULL
) STRICT;

CREATE TABLE campaigns (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    name TEXT NOT NULL,
    starts_at INTEGER,
    ends_at INTEGER,
    budget INTEGER,
    currency TEXT,
    note TEXT,
    is_archived INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX campaigns_of_workspace ON campaigns (workspace, created_at, no);

CREATE TABLE campaign_creators (
    campaign INTEGER NOT NULL REFERENCES campaigns (no),
    creator INTEGER NOT NULL REFERENCES creators (no),
    PRIMARY KEY (campaign, creator)
) STRICT, WITHOUT ROWID;

ALTER TABLE links ADD COLUMN campaign INTEGER REFERENCES campaigns (no);
ALTER TABLE links ADD COLUMN content_id TEXT;
ALTER TABLE links ADD COLUMN content_url TEXT;
CREATE INDEX links_by_campaign ON links (campaign, created_at, no) WHERE campaign IS NOT NULL;
CREATE INDEX links_by_content ON links (workspace, content_id, created_at, no) WHERE content_id IS NOT NULL;

-- Which link was minted for a creator; content '' = none was named. Minting again finds it.
CREATE TABLE mints (
    campaign INTEGER NOT NULL REFERENCES campaigns (no),
    creator INTEGER NOT NULL REFERENCES creators (no),
    content TEXT NOT NULL,
    link INTEGER NOT NULL REFERENCES links (no) ON DELETE CASCADE,
    code TEXT,
    PRIMARY KEY (campaign, creator, content)
) STRICT, WITHOUT ROWID;
CREATE INDEX mints_of_link ON mints (link);

-- Never edited but once, when an entry is voided. Links are deleted while what was spent on them stays.
CREATE TABLE spend (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    external_id TEXT,
    creator INTEGER REFERENCES creators (no),
    campaign INTEGER REFERENCES campaigns (no),
    link INTEGER,
    amount INTEGER NOT NULL,
    currency TEXT NOT NULL,
    at INTEGER NOT NULL,
    note TEXT,
    created_at INTEGER NOT NULL,
    voided_at INTEGER,
    void_note TEXT
) STRICT;
CREATE INDEX spend_of_workspace ON spend (workspace, at, no);
CREATE UNIQUE INDEX spend_by_external_id ON spend (workspace, external_id) WHERE external_id IS NOT NULL;

-- One of the base currency in the quote currency, in units of 10^-12, on a UTC day.
CREATE TABLE rates (
    workspace INTEGER NOT NULL REFERENCES workspaces (no),
    base TEXT NOT NULL,
    quote TEXT NOT NULL,
    day INTEGER NOT NULL,
    rate INTEGER NOT NULL,
    PRIMARY KEY (workspace, base, quote, day)
) STRICT, WITHOUT ROWID;

-- What one piece costs the brand; minor units of the store's currency.
ALTER TABLE products ADD COLUMN cost INTEGER;
CREATE INDEX products_by_variant ON products (store, variant_id);

-- The code on the order in the form in which codes are compared; where its click came from; what its goods cost the
-- brand: null = not known, 0 once cancelled.
ALTER TABLE orders ADD COLUMN code TEXT;
ALTER TABLE orders ADD COLUMN country TEXT;
ALTER TABLE orders ADD COLUMN cost INTEGER;
UPDATE orders SET code = lower(trim(coalesce(json_extract(evidence, '$.codes[0].code'), json_extract(codes, '$[0]'))));

-- Orders in another currency than their store's count where a report can convert them.
UPDATE orders SET quarantine = NULL, counts = is_paid = 1 AND is_test = 0
WHERE quarantine = 'currency' AND revenue BETWEEN 0 AND 100000000000000 AND discounts BETWEEN 0 AND 100000000000000;
UPDATE orders SET standing = iif(customer IS NULL OR counts = 0, 0, 1 + EXISTS (
    SELECT 1 FROM orders e WHERE e.store = orders.store AND e.customer = orders.customer AND e.counts = 1
        AND (e.ordered_at, e.external_id) < (orders.ordered_at, orders.external_id)));

DROP INDEX orders_counted;
CREATE INDEX orders_counted ON orders (workspace, currency, ordered_at, creator, link, store, revenue, discounts,
    refunded, standing, cost) WHERE counts = 1;

-- As sales_days, by what orders show: their code and their click's country; '' = none.
CREATE TABLE mark_days (
    workspace INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    kind TEXT NOT NULL,
    day INTEGER NOT NULL,
    mark TEXT NOT NULL,
    orders INTEGER NOT NULL,
    new_customers INTEGER NOT NULL,
    returning_customers INTEGER NOT NULL,
    discounts INTEGER NOT NULL,
    gross INTEGER NOT NULL,
    refunds INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    costed INTEGER NOT NULL,
    PRIMARY KEY (workspace, currency, kind, day, mark)
) STRICT, WITHOUT ROWID;

-- Beside sales_days: what the goods of those orders cost whose cost is known, and how many these are.
CREATE TABLE cost_days (
    workspace INTEGER NOT NULL,
    currency TEXT NOT NULL COLLATE NOCASE,
    day INTEGER NOT NULL,
    creator INTEGER NOT NULL,
    link INTEGER NOT NULL,
    store INTEGER NOT NULL,
    cost INTEGER NOT NULL,
    costed INTEGER NOT NULL,
    PRIMARY KEY (workspace, currency, day, creator, link, store)
) STRICT, WITHOUT ROWID;

INSERT INTO mark_days
SELECT workspace, currency, kind, (ordered_at - ((ordered_at % 86400000) + 86400000) % 86400000) / 86400000 AS day,
    mark, count(*), sum(standing = 1), sum(standing = 2), sum(discounts), sum(revenue), sum(refunded), 0, 0
FROM (SELECT *, 'code' AS kind, coalesce(code, '') AS mark FROM orders WHERE counts = 1
      UNION ALL SELECT *, 'country', coalesce(country, '') FROM orders WHERE counts = 1)
GROUP BY workspace, currency, kind, day, mark;

CREATE TRIGGER part_days_of_new_orders AFTER INSERT ON orders WHEN NEW.counts = 1 BEGIN
    INSERT INTO mark_days SELECT
        NEW.workspace, NEW.currency, kind,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000, mark,
        1, NEW.standing = 1, NEW.standing = 2, NEW.discounts, NEW.revenue, NEW.refunded,
        coalesce(NEW.cost, 0), NEW.cost IS NOT NULL
    FROM (SELECT 'code' AS kind, coalesce(NEW.code, '') AS mark UNION ALL SELECT 'country', coalesce(NEW.country, ''))
    WHERE true
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders, new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts, gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds, cost = cost + excluded.cost, costed = costed + excluded.costed;
    INSERT INTO cost_days SELECT
        NEW.workspace, NEW.currency,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(NEW.creator, 0), coalesce(NEW.link, 0), NEW.store, NEW.cost, 1
    WHERE NEW.cost IS NOT NULL
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, costed = costed + excluded.costed;
END;

CREATE TRIGGER part_days_of_gone_orders AFTER DELETE ON orders WHEN OLD.counts = 1 BEGIN
    INSERT INTO mark_days SELECT
        OLD.workspace, OLD.currency, kind,
        (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000, mark,
        -1, -(OLD.standing = 1), -(OLD.standing = 2), -OLD.discounts, -OLD.revenue, -OLD.refunded,
        -coalesce(OLD.cost, 0), -(OLD.cost IS NOT NULL)
    FROM (SELECT 'code' AS kind, coalesce(OLD.code, '') AS mark UNION ALL SELECT 'country', coalesce(OLD.country, ''))
    WHERE true
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders, new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts, gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds, cost = cost + excluded.cost, costed = costed + excluded.costed;
    INSERT INTO cost_days SELECT
        OLD.workspace, OLD.currency,
        (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(OLD.creator, 0), coalesce(OLD.link, 0), OLD.store, -OLD.cost, -1
    WHERE OLD.cost IS NOT NULL
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, costed = costed + excluded.costed;
END;

CREATE TRIGGER part_days_of_changed_orders
AFTER UPDATE OF workspace, currency, ordered_at, creator, link, store, counts, standing, discounts, revenue, refunded,
    code, country, cost
ON orders WHEN
    (OLD.currency, OLD.ordered_at, OLD.creator, OLD.link, OLD.counts, OLD.standing, OLD.discounts, OLD.revenue,
        OLD.refunded, OLD.code, OLD.country, OLD.cost) IS NOT
    (NEW.currency, NEW.ordered_at, NEW.creator, NEW.link, NEW.counts, NEW.standing, NEW.discounts, NEW.revenue,
        NEW.refunded, NEW.code, NEW.country, NEW.cost)
BEGIN
    INSERT INTO mark_days SELECT
        OLD.workspace, OLD.currency, kind,
        (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000, mark,
        -1, -(OLD.standing = 1), -(OLD.standing = 2), -OLD.discounts, -OLD.revenue, -OLD.refunded,
        -coalesce(OLD.cost, 0), -(OLD.cost IS NOT NULL)
    FROM (SELECT 'code' AS kind, coalesce(OLD.code, '') AS mark UNION ALL SELECT 'country', coalesce(OLD.country, ''))
    WHERE OLD.counts = 1
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders, new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts, gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds, cost = cost + excluded.cost, costed = costed + excluded.costed;
    INSERT INTO mark_days SELECT
        NEW.workspace, NEW.currency, kind,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000, mark,
        1, NEW.standing = 1, NEW.standing = 2, NEW.discounts, NEW.revenue, NEW.refunded,
        coalesce(NEW.cost, 0), NEW.cost IS NOT NULL
    FROM (SELECT 'code' AS kind, coalesce(NEW.code, '') AS mark UNION ALL SELECT 'country', coalesce(NEW.country, ''))
    WHERE NEW.counts = 1
    ON CONFLICT DO UPDATE SET
        orders = orders + excluded.orders, new_customers = new_customers + excluded.new_customers,
        returning_customers = returning_customers + excluded.returning_customers,
        discounts = discounts + excluded.discounts, gross = gross + excluded.gross,
        refunds = refunds + excluded.refunds, cost = cost + excluded.cost, costed = costed + excluded.costed;
    INSERT INTO cost_days SELECT
        OLD.workspace, OLD.currency,
        (OLD.ordered_at - ((OLD.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(OLD.creator, 0), coalesce(OLD.link, 0), OLD.store, -OLD.cost, -1
    WHERE OLD.counts = 1 AND OLD.cost IS NOT NULL
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, costed = costed + excluded.costed;
    INSERT INTO cost_days SELECT
        NEW.workspace, NEW.currency,
        (NEW.ordered_at - ((NEW.ordered_at % 86400000) + 86400000) % 86400000) / 86400000,
        coalesce(NEW.creator, 0), coalesce(NEW.link, 0), NEW.store, NEW.cost, 1
    WHERE NEW.counts = 1 AND NEW.cost IS NOT NULL
    ON CONFLICT DO UPDATE SET cost = cost + excluded.cost, costed = costed + excluded.costed;
END;
