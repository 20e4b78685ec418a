-- The measured use of sandboxes.
CREATE TABLE sandbox_usage_samples (
    sandbox_id TEXT NOT NULL,
    org_id TEXT NOT NULL REFERENCES orgs (id),
    sampled_at INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    cpu_usec INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    pids INTEGER NOT NULL,
    PRIMARY KEY (org_id, sandbox_id, sampled_at)
) STRICT, WITHOUT ROWID;
