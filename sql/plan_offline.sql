-- Planning and EXPLAIN without a connection: every column says its key role and type, and the
-- server's port is closed.

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA plan_offline;
SET search_path = plan_offline, public;
CREATE SERVER plan_offline FOREIGN DATA WRAPPER scylla_fdw
	OPTIONS (host '127.0.0.1', port '1', keyspace 'ks', fdw_startup_cost '100', fdw_tuple_cost '0.02');
CREATE USER MAPPING FOR CURRENT_USER SERVER plan_offline;

CREATE FOREIGN TABLE kv (
	k int OPTIONS (key 'partition 1', type 'int'),
	v text OPTIONS (key 'regular', type 'text')
) SERVER plan_offline;

CREATE FOREIGN TABLE wide (
	a int OPTIONS (key 'partition 1', type 'int'),
	b text OPTIONS (key 'partition 2', type 'text'),
	c timestamptz(3) OPTIONS (key 'clustering 1 desc', type 'timestamp'),
	d bigint OPTIONS (key 'clustering 2 asc', type 'bigint'),
	v text OPTIONS (key 'regular', type 'text'),
	w float8 OPTIONS (key 'regular', type 'double')
) SERVER plan_offline;

CREATE FOREIGN TABLE statics (
	k bigint OPTIONS (key 'partition 1', type 'bigint'),
	c int OPTIONS (key 'clustering 1 asc', type 'int'),
	s text OPTIONS (key 'static', type 'text'),
	v int OPTIONS (key 'regular', type 'int')
) SERVER plan_offline;

CREATE TABLE local (x int, y text, z bigint);
INSERT INTO local SELECT i, 'y' || i, i FROM generate_series(1, 100) i;
ANALYZE local;

-- the form
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM kv WHERE k = 5;
EXPLAIN (COSTS OFF) SELECT * FROM kv WHERE k = 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT w FROM wide
	WHERE a = 1 AND b = 'x' AND c >= '2025-01-01 00:00:00+00' AND c < now() AND v = 'z';
-- as JSON: the fields that are ours
CREATE FUNCTION plan_json(query text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF, FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan';
END $$;
SELECT key, value FROM jsonb_each(plan_json('SELECT v FROM kv WHERE k = 5 AND v = ''x'' AND length(v) = 1'))
	WHERE key IN ('Remote CQL', 'Access', 'Bind', 'Local') ORDER BY key;
SELECT key, value FROM jsonb_each(plan_json('SELECT v FROM kv'))
	WHERE key IN ('Remote CQL', 'Access', 'Bind', 'Local') ORDER BY key;

\t on
\pset format unaligned

-- the partition key: whole and by =
SELECT scans('SELECT * FROM kv');
SELECT scans('SELECT v FROM kv WHERE 5 = k');
SELECT scans('SELECT v FROM kv WHERE k > 5');
SELECT scans('SELECT v FROM kv WHERE k = NULL');
SELECT scans('SELECT * FROM wide WHERE a = 1');
SELECT scans('SELECT * FROM wide WHERE b = ''x'' AND a = 1');
SELECT scans('SELECT v FROM kv WHERE k IN (1, 2)');
SELECT scans('SELECT v FROM kv WHERE k = 1 OR v = ''x''');

-- the clustering prefix and one range
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = ''2025-01-01 00:00:00+00'' AND d = 3');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND d = 3');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c < now() AND d = 3');
SELECT scans('SELECT v FROM wide WHERE d <= 9 AND d > 3 AND c = now() AND b = ''x'' AND a = 1');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = now() AND d < 3 AND d < 7');
SELECT scans('SELECT v FROM wide WHERE c = now() AND d = 3');

-- values: other integer types, stable and volatile functions, subqueries
SELECT scans('SELECT v FROM kv WHERE k = 5::bigint');
SELECT scans('SELECT v FROM kv WHERE k = 5::smallint');
SELECT scans('SELECT v FROM kv WHERE k = 5::numeric');
SELECT scans('SELECT v FROM kv WHERE k = 5000000000');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c > now() - interval ''1 day''');
SELECT scans('SELECT v FROM kv WHERE k = random()::int');
SELECT scans('SELECT v FROM kv WHERE k = (SELECT max(x) FROM local)');
SELECT scans('SELECT v FROM kv WHERE k = length(v)');
SELECT scans('SELECT v FROM kv WHERE k + 1 = 2');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c > current_date');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c > localtimestamp');

-- generic plans
PREPARE point(int) AS SELECT v FROM kv WHERE k = $1;
PREPARE slice(int, text, timestamptz) AS
	SELECT v FROM wide WHERE a = $1 AND b = $2 AND c > $3 - interval '1 hour' AND c <= $3;
SET plan_cache_mode = force_generic_plan;
SELECT scans('EXECUTE point(3)');
SELECT scans('EXECUTE slice(3, ''x'', now())');
RESET plan_cache_mode;
SELECT scans('EXECUTE point(3)');

-- parameters from the outer side of a join, also by equivalence
SELECT scans('SELECT * FROM local JOIN kv ON k = x');
SELECT scans('SELECT * FROM local JOIN kv ON k = z WHERE y = ''y1''');
SELECT scans('SELECT * FROM local LEFT JOIN kv ON k = x AND v = y');
SELECT scans('SELECT * FROM local JOIN wide ON a = x AND b = y AND d = z');
SELECT scans('SELECT * FROM local JOIN statics ON k = x AND c > z');
SELECT scans('SELECT * FROM local l, local m, wide WHERE a = l.x AND b = m.y AND l.x < 3 AND m.x < 3');
SELECT scans('SELECT * FROM kv p JOIN kv q ON p.k = q.k WHERE p.k = 3');
SELECT scans('SELECT x, (SELECT v FROM kv WHERE k = x) FROM local');
SELECT scans('SELECT * FROM local, LATERAL (SELECT * FROM statics WHERE k = x ORDER BY c LIMIT 2) s');
SELECT scans('SELECT * FROM local WHERE EXISTS (SELECT FROM kv WHERE k = x)');

-- columns: only those in use, and one to count rows by
SELECT scans('SELECT count(*) FROM kv');
SELECT scans('SELECT count(*) FROM wide WHERE a = 1 AND b = ''x''');
SELECT scans('SELECT count(*) FROM kv WHERE v LIKE ''x%''');
SELECT scans('SELECT kv FROM kv WHERE k = 1');
SELECT scans('SELECT tableoid FROM kv WHERE k = 1');
SELECT ctid FROM kv;
-- the column of a range is fetched to see that it is not NULL
SELECT scans('SELECT v FROM statics WHERE k = 1 AND c < 5');
-- static columns alone cannot be selected from a slice
SELECT scans('SELECT s FROM statics WHERE k = 1 AND c = 5');
SELECT scans('SELECT s FROM statics WHERE k = 1');
SELECT scans('SELECT s, v FROM statics WHERE k = 1 AND c = 5');

-- text: = under deterministic collations, order under "C"
CREATE FOREIGN TABLE texts (
	k varchar OPTIONS (key 'partition 1', type 'text'),
	c text OPTIONS (key 'clustering 1 asc', type 'text') COLLATE "C",
	d varchar OPTIONS (key 'clustering 2 asc', type 'ascii') COLLATE "C"
) SERVER plan_offline;
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c > ''x'' AND c <= ''y''');
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c > ''x'' COLLATE "C"');
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c ~>~ ''x''');
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c = ''x'' AND d = ''z''');
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c = ''x'' AND d < ''z''');
SELECT scans('SELECT * FROM texts WHERE k = ''a''::char(3)');
SELECT scans('SELECT * FROM texts WHERE k::char(3) = ''a''');
SELECT scans('SELECT * FROM texts WHERE k = ''a''::name');

-- booleans, domains, uuids
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE FOREIGN TABLE others (
	b boolean OPTIONS (key 'partition 1', type 'boolean'),
	p positive OPTIONS (key 'clustering 1 asc', type 'int'),
	u uuid OPTIONS (key 'clustering 2 asc', type 'timeuuid'),
	f float8 OPTIONS (key 'clustering 3 asc', type 'double')
) SERVER plan_offline;
SELECT scans('SELECT * FROM others WHERE b');
SELECT scans('SELECT * FROM others WHERE NOT b');
SELECT scans('SELECT * FROM others WHERE b IS FALSE AND p > 3');
SELECT scans('SELECT * FROM others WHERE b IS NOT TRUE');
SELECT scans('SELECT * FROM others WHERE b AND p = 3 AND u > ''00000000-0000-1000-8000-000000000000''');
SELECT scans('SELECT * FROM others WHERE b AND p = 3 AND u = ''00000000-0000-1000-8000-000000000000'' AND f = 1');
SELECT scans('SELECT * FROM others WHERE b AND p = 3 AND u = ''00000000-0000-1000-8000-000000000000'' AND f < 1');

-- names
CREATE FOREIGN TABLE names (
	"Key" int OPTIONS (key 'partition 1', type 'int'),
	o int OPTIONS ("column" 'order', key 'clustering 1 asc', type 'int'),
	q int OPTIONS ("column" 'a "b', key 'regular', type 'int'),
	_u int OPTIONS (key 'regular', type 'int'),
	type int OPTIONS (key 'regular', type 'int')
) SERVER plan_offline OPTIONS (keyspace 'My KS', "table" 'select');
SELECT scans('SELECT * FROM names WHERE "Key" = 1 AND o >= 2');

-- a condition that comes before the view's own must not be sent unless it leaks nothing
CREATE FUNCTION leaky(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS
	'BEGIN RAISE NOTICE ''%'', $1; RETURN true; END';
CREATE VIEW barrier WITH (security_barrier) AS SELECT * FROM kv WHERE v = 'public';
SELECT scans('SELECT * FROM barrier WHERE k = 3 AND leaky(v)');

-- a partition of a local table
CREATE TABLE parent (k int, v text) PARTITION BY LIST (v);
CREATE TABLE parent_b PARTITION OF parent FOR VALUES IN ('b');
ALTER TABLE parent ATTACH PARTITION kv FOR VALUES IN ('a');
SELECT scans('SELECT * FROM parent WHERE k = 3');
SELECT scans('SELECT * FROM local JOIN parent ON k = x WHERE y = ''y1''');

-- nothing is pushed
SET scylla_fdw.enable_pushdown = off;
SELECT scans('SELECT * FROM texts WHERE k = ''a'' AND c = ''x''');
SELECT scans('SELECT * FROM local JOIN statics ON k = x WHERE y = ''y1''');
RESET scylla_fdw.enable_pushdown;

-- rows: a unique key is one row
\pset format aligned
EXPLAIN SELECT * FROM texts WHERE k = 'a' AND c = 'x' AND d = 'z';
\t off

DROP SCHEMA plan_offline CASCADE;
DROP SERVER plan_offline CASCADE;
