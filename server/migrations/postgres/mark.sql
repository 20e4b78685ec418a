-- One row: which version the schema has, and whether the tables beside it are ours or were there before.
CREATE TABLE IF NOT EXISTS usage_schema (
    version integer NOT NULL,
    platform boolean NOT NULL
);
