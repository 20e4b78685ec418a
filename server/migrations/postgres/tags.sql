CREATE TABLE sandbox_tags (
    org_id uuid NOT NULL,
    sandbox_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (org_id, sandbox_id, key)
);

CREATE INDEX sandbox_tags_by_value ON sandbox_tags (org_id, key, value);
