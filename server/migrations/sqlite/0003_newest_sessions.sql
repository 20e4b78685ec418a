-- For the list of sandboxes in every state, newest first.
CREATE INDEX sandbox_sessions_newest ON sandbox_sessions (org_id, started_at);
