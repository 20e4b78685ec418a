-- The measured use of sandboxes. A platform has a table of this name of its own, or none.
CREATE TABLE IF NOT EXISTS sandbox_usage_samples (
    sandbox_id text COLLATE "C" NOT NULL,
    org_id uuid NOT NULL,
    sampled_at timestamptz NOT NULL,
    memory_mb integer NOT NULL,
    cpu_usec bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    pids integer NOT NULL,
    PRIMARY KEY (org_id, sandbox_id, sampled_at)
);
