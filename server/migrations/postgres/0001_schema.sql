-- Every key of tenant data starts with org_id, because sandbox ids are not unique across orgs and org_id is the shard
-- key. Text is compared by its bytes. Column names are the platform's.

CREATE TABLE orgs (
    id uuid NOT NULL PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE api_keys (
    org_id uuid NOT NULL REFERENCES orgs (id),
    key_hash text COLLATE "C" NOT NULL,
    key_prefix text NOT NULL,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    last_used timestamptz,
    PRIMARY KEY (org_id, key_hash)
);

-- A key decides the org, so it is looked up before the org is known.
CREATE UNIQUE INDEX api_keys_by_hash ON api_keys (key_hash);

-- The tables below can be distributed by org_id, so they have no foreign keys to other tables.
CREATE TABLE sandbox_sessions (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    sandbox_id text COLLATE "C" NOT NULL,
    org_id uuid NOT NULL,
    template text NOT NULL,
    region text NOT NULL,
    worker_id text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    config jsonb NOT NULL DEFAULT '{}',
    metadata jsonb,
    started_at timestamptz NOT NULL,
    stopped_at timestamptz,
    error_msg text,
    PRIMARY KEY (org_id, sandbox_id, started_at)
);

CREATE INDEX sandbox_sessions_running ON sandbox_sessions (org_id, started_at)
    WHERE status = 'running' AND stopped_at IS NULL;

-- For reconcile-worker, which finds the open sessions of a worker.
CREATE INDEX sandbox_sessions_open ON sandbox_sessions (worker_id) WHERE stopped_at IS NULL;

-- The key contains everything that a sum needs, in the order of its groups, so that sums do not read the table.
CREATE TABLE sandbox_scale_events (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    sandbox_id text COLLATE "C" NOT NULL,
    org_id uuid NOT NULL,
    memory_mb integer NOT NULL,
    cpu_percent integer NOT NULL,
    disk_mb integer NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- The billed time of an event inside a window. Computing it once, when the event ends, makes sums a quarter cheaper.
    lasted_micros bigint NOT NULL GENERATED ALWAYS AS
        (greatest((extract(epoch FROM (ended_at - started_at)) * 1000000)::bigint, 0)) STORED,
    PRIMARY KEY (org_id, sandbox_id, memory_mb, disk_mb, started_at) INCLUDE (ended_at, lasted_micros)
);
