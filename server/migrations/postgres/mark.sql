-- One row with the version of the schema, and whether its tables are the platform's.
CREATE TABLE IF NOT EXISTS usage_schema (
    version integer NOT NULL,
    platform boolean NOT NULL
);
