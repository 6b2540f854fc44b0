-- Format 3: attribution, campaigns and the dialect's conversions.

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
