"""The same aggregate in DuckDB: loads the CSV files of a folder, prints seconds per run and the sums as JSON."""

import json
import sys
import time

import duckdb

folder, org, start, end, runs = sys.argv[1:]
start, end = int(start), int(end)
db = duckdb.connect()
db.execute("SET threads = 2")
db.execute(f"CREATE TABLE events AS SELECT * FROM read_csv('{folder}/events.csv', header = true)")
db.execute(f"CREATE TABLE tags AS SELECT * FROM read_csv('{folder}/tags.csv', header = true)")
# Exact integers, each sandbox summed before tags are joined: what the server computes under its default rule, `clipped`.
QUERY = """
    WITH sums AS (
        SELECT sandbox_id, sum(memory_mb * billed) AS memory, sum(greatest(disk_mb - 20480, 0) * billed) AS disk
        FROM (
            SELECT sandbox_id, memory_mb::BIGINT AS memory_mb, disk_mb::BIGINT AS disk_mb,
                least(coalesce(ended_at, $end), $end) - greatest(started_at, $start) AS billed
            FROM events WHERE org_id = $org AND started_at < $end AND (ended_at IS NULL OR ended_at > $start))
        GROUP BY sandbox_id)
    SELECT value, sum(memory)::VARCHAR, sum(disk)::VARCHAR, count(*)
    FROM sums LEFT JOIN (SELECT * FROM tags WHERE org_id = $org AND key = 'team') USING (sandbox_id)
    GROUP BY value ORDER BY sum(memory) DESC"""
seconds = []
for run in range(int(runs) + 2):
    began = time.perf_counter()
    rows = db.execute(QUERY, {"org": org, "start": start, "end": end}).fetchall()
    if run >= 2:
        seconds.append(time.perf_counter() - began)
memory = sum(int(row[1]) for row in rows)
print(json.dumps({"seconds": seconds, "memory": str(memory), "groups": len(rows), "version": duckdb.__version__}))
