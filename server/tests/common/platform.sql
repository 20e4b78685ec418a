-- What this server meets on a platform's database once all of the platform's migrations (001 to 054) have run: the tables
-- that bear on usage, with their types, defaults, keys, indexes and triggers. Columns that neither this server nor the
-- platform's rollup reads are left out in part. Texts have the database's own collation.

CREATE TABLE orgs (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    slug text NOT NULL UNIQUE,
    plan text NOT NULL DEFAULT 'free',
    max_concurrent_sandboxes integer NOT NULL DEFAULT 50,
    max_sandbox_timeout_sec integer NOT NULL DEFAULT 3600,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    is_personal boolean NOT NULL DEFAULT false,
    stripe_customer_id text UNIQUE,
    last_usage_reported_at timestamptz NOT NULL DEFAULT now(),
    max_disk_mb integer NOT NULL DEFAULT 20480,
    max_memory_gb integer NOT NULL DEFAULT 8 CHECK (max_memory_gb >= 0),
    free_credits_remaining_cents bigint NOT NULL DEFAULT 500,
    billing_mode text NOT NULL DEFAULT 'unified' CHECK (billing_mode IN ('legacy', 'unified')),
    billing_provider text NOT NULL DEFAULT 'legacy' CHECK (billing_provider IN ('legacy', 'autumn')),
    is_halted boolean NOT NULL DEFAULT false
);
CREATE INDEX idx_orgs_halted ON orgs (is_halted) WHERE is_halted = true;

CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES orgs (id),
    email text NOT NULL UNIQUE
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES orgs (id),
    created_by uuid REFERENCES users (id),
    key_hash text NOT NULL UNIQUE,
    key_prefix text NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL DEFAULT '{sandbox:*}',
    last_used timestamptz,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_api_keys_hash ON api_keys (key_hash);

CREATE TABLE sandbox_sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sandbox_id text NOT NULL,
    org_id uuid NOT NULL REFERENCES orgs (id),
    user_id uuid REFERENCES users (id),
    template text NOT NULL,
    region text NOT NULL,
    worker_id text NOT NULL,
    status text NOT NULL DEFAULT 'running',
    config jsonb NOT NULL DEFAULT '{}',
    metadata jsonb,
    started_at timestamptz NOT NULL DEFAULT now(),
    stopped_at timestamptz,
    error_msg text,
    last_patch_sequence integer NOT NULL DEFAULT 0,
    migrating_to_worker text NOT NULL DEFAULT '',
    autoscale_enabled boolean NOT NULL DEFAULT false,
    scaling_locked boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL DEFAULT now(),
    halt_reason text,
    hibernation_mode text,
    paused_at timestamptz
);
CREATE INDEX idx_sessions_org ON sandbox_sessions (org_id, status);
CREATE INDEX idx_sessions_sandbox ON sandbox_sessions (sandbox_id);
CREATE INDEX idx_sandbox_sessions_autoscale_active ON sandbox_sessions (sandbox_id)
    WHERE autoscale_enabled = true AND status = 'running';
CREATE INDEX idx_sandbox_sessions_halt_reason ON sandbox_sessions (org_id, halt_reason) WHERE halt_reason IS NOT NULL;
CREATE INDEX idx_sandbox_sessions_paused ON sandbox_sessions (org_id, paused_at) WHERE hibernation_mode = 'paused';
CREATE INDEX idx_sandbox_sessions_pooled ON sandbox_sessions (region, template, started_at) WHERE status = 'pooled';

-- The org is no foreign key here.
CREATE TABLE sandbox_scale_events (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sandbox_id text NOT NULL,
    org_id uuid NOT NULL,
    memory_mb integer NOT NULL,
    cpu_percent integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    disk_mb integer NOT NULL DEFAULT 20480
);
CREATE INDEX idx_scale_events_sandbox ON sandbox_scale_events (sandbox_id);
CREATE INDEX idx_scale_events_org ON sandbox_scale_events (org_id, started_at);
CREATE INDEX idx_scale_events_org_disk ON sandbox_scale_events (org_id, disk_mb);

CREATE TABLE sandbox_usage_samples (
    sandbox_id text NOT NULL,
    org_id uuid NOT NULL,
    sampled_at timestamptz NOT NULL DEFAULT now(),
    memory_mb integer NOT NULL,
    cpu_usec bigint NOT NULL,
    memory_bytes bigint NOT NULL,
    pids integer NOT NULL,
    PRIMARY KEY (sandbox_id, sampled_at)
);
CREATE INDEX idx_usage_samples_org ON sandbox_usage_samples (org_id, sampled_at);

CREATE TABLE sandbox_tags (
    org_id uuid NOT NULL,
    sandbox_id text NOT NULL,
    key text NOT NULL,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (org_id, sandbox_id, key)
);
CREATE INDEX idx_sandbox_tags_org_key_value ON sandbox_tags (org_id, key, value);

CREATE TABLE agent_subscriptions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL REFERENCES orgs (id) ON DELETE CASCADE,
    agent_id text NOT NULL,
    feature text NOT NULL,
    stripe_customer_id text NOT NULL,
    stripe_subscription_id text NOT NULL,
    stripe_price_id text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX agent_subscriptions_active_per_feature ON agent_subscriptions (agent_id, feature)
    WHERE status NOT IN ('canceled', 'incomplete_expired', 'unpaid');
CREATE INDEX agent_subscriptions_org ON agent_subscriptions (org_id);

CREATE TABLE sandbox_hibernations (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    sandbox_id text NOT NULL,
    org_id uuid NOT NULL REFERENCES orgs (id),
    hibernation_key text NOT NULL,
    hibernated_at timestamptz NOT NULL DEFAULT now(),
    restored_at timestamptz,
    expired_at timestamptz
);
CREATE INDEX idx_hibernations_sandbox ON sandbox_hibernations (sandbox_id);
CREATE INDEX idx_hibernations_org ON sandbox_hibernations (org_id);
CREATE UNIQUE INDEX idx_hibernations_active ON sandbox_hibernations (sandbox_id)
    WHERE restored_at IS NULL AND expired_at IS NULL;

-- Rows know when they changed, and rows that are deleted leave a note for the platform's synchronisation.
CREATE TABLE global_sync_outbox (
    seq bigserial PRIMARY KEY,
    table_name text NOT NULL,
    op text NOT NULL,
    row_id text NOT NULL,
    enqueued_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE FUNCTION enqueue_global_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO global_sync_outbox (table_name, op, row_id) VALUES (TG_TABLE_NAME, TG_OP, OLD.id);
    RETURN NULL;
END $$;
CREATE TRIGGER orgs_set_updated_at BEFORE UPDATE ON orgs FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER api_keys_set_updated_at BEFORE UPDATE ON api_keys FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER sandbox_sessions_set_updated_at BEFORE UPDATE ON sandbox_sessions
    FOR EACH ROW EXECUTE FUNCTION set_updated_at();
CREATE TRIGGER orgs_global_sync AFTER DELETE ON orgs FOR EACH ROW EXECUTE FUNCTION enqueue_global_sync();
CREATE TRIGGER api_keys_global_sync AFTER DELETE ON api_keys FOR EACH ROW EXECUTE FUNCTION enqueue_global_sync();

-- The owner of sandboxes that nobody has claimed yet.
INSERT INTO orgs (id, name, slug, plan)
VALUES ('00000000-0000-4000-8000-000000000001', 'System Warm Pool', 'system-warm-pool', 'system');
