CREATE TABLE IF NOT EXISTS sandbox_tags (
    org_id uuid NOT NULL,
    sandbox_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, sandbox_id, key)
);

CREATE INDEX IF NOT EXISTS sandbox_tags_by_value ON sandbox_tags (org_id, key, value);

-- One row: which version the schema has, and whether the tables beside it are ours or were there before.
CREATE TABLE IF NOT EXISTS usage_schema (
    version integer NOT NULL,
    platform boolean NOT NULL
);
