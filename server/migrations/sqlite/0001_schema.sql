-- Times are integer microseconds since 1970-01-01T00:00:00Z. Text is compared by its bytes.
-- Every key of tenant data starts with org_id, because sandbox ids are not unique across orgs.

CREATE TABLE orgs (
    id TEXT NOT NULL PRIMARY KEY,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
    org_id TEXT NOT NULL REFERENCES orgs (id),
    key_hash TEXT NOT NULL,
    key_prefix TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used INTEGER,
    PRIMARY KEY (org_id, key_hash)
) STRICT, WITHOUT ROWID;

-- A key decides the org, so it is looked up before the org is known.
CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (key_hash);

CREATE TABLE sandbox_sessions (
    id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    sandbox_id TEXT NOT NULL,
    org_id TEXT NOT NULL REFERENCES orgs (id),
    template TEXT NOT NULL,
    region TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    status TEXT NOT NULL,
    config TEXT NOT NULL DEFAULT '{}',
    metadata TEXT,
    started_at INTEGER NOT NULL,
    stopped_at INTEGER,
    error_msg TEXT,
    PRIMARY KEY (org_id, sandbox_id, started_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX sandbox_sessions_running ON sandbox_sessions (org_id, started_at)
    WHERE status = 'running' AND stopped_at IS NULL;

-- The primary key clusters the rows, so the usage query reads one org from one tree, in the order of its groups.
CREATE TABLE sandbox_scale_events (
    id TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    sandbox_id TEXT NOT NULL,
    org_id TEXT NOT NULL REFERENCES orgs (id),
    memory_mb INTEGER NOT NULL,
    cpu_percent INTEGER NOT NULL,
    disk_mb INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER,
    PRIMARY KEY (org_id, sandbox_id, memory_mb, disk_mb, started_at)
) STRICT, WITHOUT ROWID;

CREATE TABLE sandbox_tags (
    org_id TEXT NOT NULL REFERENCES orgs (id),
    sandbox_id TEXT NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (org_id, sandbox_id, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX sandbox_tags_by_value ON sandbox_tags (org_id, key, value);
