-- Aggregates and GROUP BY: what the server computes, and that the results are those of a local
-- copy, in value and type.
\set VERBOSITY terse
CALL begin_topic('aggregate', $$fetch_size '5'$$);

DO $$
BEGIN
	PERFORM scylla_execute('aggregate_server', 'CREATE TABLE fdw_aggregate.m (k int, c int, d int, '
		't tinyint, h smallint, i int, n bigint, x varint, e decimal, f double, w text, q timestamp, '
		'u uuid, o boolean, s int static, PRIMARY KEY (k, c, d))');
	PERFORM scylla_execute('aggregate_server', 'CREATE TABLE fdw_aggregate.parts (p text, "Q" int, '
		'c int, v int, PRIMARY KEY ((p, "Q"), c))');
END
$$;
CREATE TABLE m_local (k int, c int, d int, t smallint, h smallint, i int, n bigint, x numeric,
	e numeric, f float8, w text COLLATE "C", q timestamptz(3), u uuid, o bool, s int);
INSERT INTO m_local SELECT k, c, d, 100 + d, 32000 + d, 2147483640 + d, 9223372036854775800 + d,
	12345678901234567890 * d, d + 0.25, d * 1.5, 'w' || c, '2024-05-01 UTC'::timestamptz + c * interval '1 day',
	md5(c::text)::uuid, d = 1, k
	FROM generate_series(1, 4) k, generate_series(1, 5) c, generate_series(1, 3) d;
UPDATE m_local SET i = NULL, n = NULL, w = NULL, q = NULL WHERE d = 2 AND c < 4;
UPDATE m_local SET i = NULL, n = NULL, x = NULL WHERE k = 4;
CREATE TABLE parts_local (p text COLLATE "C", "Q" int, c int, v int);
INSERT INTO parts_local SELECT p, q, c, q * c - 5 FROM unnest('{a,b}'::text[]) p,
	generate_series(1, 3) q, generate_series(1, 4) c;
DO $$
BEGIN
	PERFORM scylla_execute('aggregate_server', 'INSERT INTO fdw_aggregate.m (k, c, d, t, h, i, n, '
		'x, e, f, w, q, u, o, s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
		k, c, d, t, h, i, n, x, e, f, w, q, u, o, s) FROM m_local;
	PERFORM scylla_execute('aggregate_server', 'INSERT INTO fdw_aggregate.parts (p, "Q", c, v) '
		'VALUES (?, ?, ?, ?)', p, "Q", c, v) FROM parts_local;
	-- a partition of statics alone; empty values, which read as NULL
	PERFORM scylla_execute('aggregate_server', 'INSERT INTO fdw_aggregate.m (k, s) VALUES (9, 9)');
	PERFORM scylla_execute('aggregate_server', 'INSERT INTO fdw_aggregate.m (k, c, d, i, n, x, e, '
		'f, w, q, u, o) VALUES (1, blobAsInt(0x), 1, blobAsInt(0x), blobAsBigint(0x), '
		'blobAsVarint(0x), blobAsDecimal(0x), blobAsDouble(0x), '''', blobAsTimestamp(0x), '
		'blobAsUuid(0x), blobAsBoolean(0x))');
END
$$;
INSERT INTO m_local (k, s) VALUES (9, 9);
INSERT INTO m_local (k, c, d, w, s) VALUES (1, NULL, 1, '', 1);
IMPORT FOREIGN SCHEMA fdw_aggregate FROM SERVER aggregate_server INTO aggregate_test;
ALTER FOREIGN TABLE m ALTER w TYPE text COLLATE "C";

-- Aggregates in an order of their own get sorted rows from PostgreSQL 16 on.
DO $$
BEGIN
	PERFORM set_config(name, 'off', false) FROM pg_settings WHERE name = 'enable_presorted_aggregate';
END
$$;
-- Results with pushdown and of the local copy, with their types: true if they are the same.
CREATE FUNCTION is_same(query text) RETURNS bool LANGUAGE sql AS $$
	SELECT public.is_same(query,
		'SELECT string_agg(_row::text || to_jsonb(_row)::text, '' '' ORDER BY _row::text) FROM (%s) _row')
$$;

---- what is sent: of a partition, of several, of the ring in pieces

SELECT explain('SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 2');
SELECT explain('SELECT sum(n), avg(n), min(n), sum(x), sum(t), sum(h) FROM m WHERE k IN (1, 2)');
SELECT explain('SELECT count(*), min(q), max(q), max(w), max(u::text) IS NULL FROM m');
SELECT explain('SELECT count(w), min(w), max(w), min(q), max(q), count(q) FROM m');
SELECT explain('SELECT count(*) FROM m WHERE k = 2 AND c < 3');
SELECT explain('SELECT count(*) + 1, sum(i) / count(*) FROM m WHERE k = 2 AND c >= 3');
SELECT explain('SELECT count(*) FROM m WHERE k = 2 HAVING count(*) > 100');
-- GROUP BY the partition key, and a prefix of the clustering key
SELECT explain('SELECT k, count(*) FROM m GROUP BY k');
SELECT explain('SELECT p, "Q", sum(v) FROM parts GROUP BY "Q", p');
SELECT explain('SELECT "Q", p, c, max(v) FROM parts GROUP BY p, "Q", c');
SELECT explain('SELECT c, count(*), sum(i) FROM m WHERE k = 2 GROUP BY c HAVING count(*) > 2 ORDER BY c');
SELECT explain('SELECT k, c FROM m WHERE k IN (1, 2) AND c IN (1, 2) GROUP BY k, c');

---- what stays here, and why

SELECT explain('SELECT sum(f), avg(f), min(f), sum(e), min(e), count(u), count(o), min(d) FROM m');
SELECT explain('SELECT count(*) FILTER (WHERE i > 0), count(DISTINCT i), array_agg(i), bool_and(o), stddev(i) FROM m');
SELECT explain('SELECT max(w COLLATE "en-x-icu") FROM m');
SELECT explain('SELECT sum(i + 1) FROM m');
SELECT explain('SELECT count(*) FROM m WHERE i > 5');
SELECT explain('SELECT p, count(*) FROM parts GROUP BY p');
SELECT explain('SELECT c, count(*) FROM m GROUP BY c');
SELECT explain('SELECT k, d, count(*) FROM m GROUP BY k, d');
SELECT explain FROM explain('SELECT k, count(*) FROM m WHERE k = 1 AND c IN (1, 2) GROUP BY k')
	WHERE explain !~ 'Group Key'; -- none for a constant from PostgreSQL 17 on
SELECT explain('SELECT k, count(*) FROM m GROUP BY GROUPING SETS ((k), ())');

---- results

SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 2',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 4',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 9',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 77',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = NULL',
	'SELECT count(*), count(i), sum(i), avg(i), min(i), max(i) FROM m WHERE k = 5000000000',
	'SELECT sum(t), avg(t), min(t), max(t), count(t), sum(h), avg(h), min(h), max(h) FROM m',
	'SELECT sum(n), avg(n), min(n), max(n), count(n) FROM m',
	'SELECT sum(n), avg(n), min(n), max(n), count(n) FROM m WHERE k IN (1, 2, 4)',
	'SELECT sum(x), avg(x), max(x), count(x), sum(e), avg(e), min(e), max(e), count(e) FROM m',
	'SELECT sum(f), avg(f), min(f), max(f), count(f) FROM m',
	'SELECT min(w), max(w), count(w), min(q), max(q), count(q), count(u), count(o), count(s), count(k) FROM m',
	'SELECT count(c), min(c), max(c), sum(c), avg(c), count(d) FROM m WHERE k IN (1, 9)',
	'SELECT count(*), count(c) FROM m WHERE k = 1 AND c < 3',
	'SELECT count(*), count(c) FROM m WHERE k = 1 AND c < 9000000000',
	'SELECT count(*), count(c) FROM m WHERE k IN (1, 9) AND c < 9000000000',
	'SELECT count(*), count(c) FROM m WHERE k IN (1, 9) AND c > -9000000000',
	'SELECT count(*), count(c) FROM m WHERE k IN (1, 9) AND c >= -9000000000 AND c <= 4',
	'SELECT count(*), sum(d) FROM m WHERE k = 1 AND c IN (1, 2, NULL, 1) AND d > 1',
	'SELECT count(*), sum(i) FROM m WHERE k = 1 AND c = 1 OR k = 2 AND c > 3',
	'SELECT count(*) FROM m WHERE k = 2 HAVING count(*) > 100',
	'SELECT count(*) FROM m WHERE k = 2 AND now() < ''2000-01-01''',
	'SELECT k, count(*) FROM m WHERE now() < ''2000-01-01'' GROUP BY k',
	'SELECT k, count(*), sum(i), min(w) FROM m GROUP BY k',
	'SELECT k, count(*), count(c) FROM m WHERE k IN (1, 3, 9) GROUP BY k',
	'SELECT k, c, count(*), avg(n) FROM m GROUP BY k, c',
	'SELECT c, count(*), sum(i) FROM m WHERE k = 2 GROUP BY c HAVING count(*) > 2',
	'SELECT c, d, count(*) FROM m WHERE k = 1 GROUP BY c, d',
	'SELECT d, count(*) FROM m WHERE k = 1 AND c = 2 GROUP BY d',
	'SELECT k, count(*) FROM m WHERE k = 1 AND c IN (1, 2) GROUP BY k',
	'SELECT k, c FROM m WHERE k IN (1, 2) AND c IN (1, 2) GROUP BY k, c',
	'SELECT count(*) FROM m WHERE k = 77 GROUP BY k',
	'SELECT p, "Q", sum(v), avg(v) FROM parts GROUP BY "Q", p',
	'SELECT p, count(*) FROM parts GROUP BY p',
	'SELECT p, "Q", c, max(v) FROM parts GROUP BY p, "Q", c HAVING max(v) > 0',
	'SELECT count(*) FILTER (WHERE i > 0), count(DISTINCT c), sum(i + 1) FROM m',
	'SELECT k, grouping(k), count(*) FROM m GROUP BY ROLLUP (k)',
	'SELECT g, (SELECT count(*) FROM m WHERE k = g) FROM generate_series(0, 4) g',
	'SELECT g, x.* FROM generate_series(0, 4) g, LATERAL (SELECT sum(i), max(w) FROM m WHERE k = 1 AND c >= g) x',
	'SELECT (SELECT count(*) FROM m) = (SELECT count(*) FROM (SELECT * FROM m) x) AS is_one',
	'SELECT k, count(*) * 2 + k FROM m GROUP BY k ORDER BY 2, 1 LIMIT 2',
	'SELECT DISTINCT count(*) FROM m GROUP BY k']) q;

-- generic plans, eight times
PREPARE total(int, int) AS SELECT count(*), sum(n), avg(i) FROM m WHERE k = $1 AND c > $2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE total(2, 2);
EXECUTE total(2, 2);
EXECUTE total(NULL, 2);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE total(2, 2);
EXECUTE total(2, 2);
RESET plan_cache_mode;
EXECUTE total(2, 1);
EXECUTE total(2, 2);
EXECUTE total(2, 3);
EXECUTE total(2, 4);
EXECUTE total(2, 5);
EXECUTE total(3, 1);
EXECUTE total(3, 2);
EXECUTE total(4, 2);

-- a condition that is not of the rows
PREPARE gated(int) AS SELECT count(*), max(i) FROM m WHERE k = 2 AND $1 > 5;
SET plan_cache_mode = force_generic_plan;
EXECUTE gated(6);
EXECUTE gated(4);
RESET plan_cache_mode;

-- NOT NULL is a promise that there are no empty values
CREATE FOREIGN TABLE promised (k int OPTIONS (key 'partition 1', type 'int') NOT NULL,
	c int OPTIONS (key 'clustering 1 asc', type 'int') NOT NULL,
	d int OPTIONS (key 'clustering 2 asc', type 'int') NOT NULL,
	u uuid OPTIONS (key 'regular', type 'uuid') NOT NULL,
	q timestamptz(3) OPTIONS (key 'regular', type 'timestamp') NOT NULL)
	SERVER aggregate_server OPTIONS (keyspace 'fdw_aggregate', table 'm');
SELECT explain('SELECT count(u), min(q), min(c) FROM promised WHERE k = 3');

---- partial results of the partitions of a local table

CREATE TABLE whole (k int, c int, d int, i int, n bigint) PARTITION BY LIST (k);
CREATE FOREIGN TABLE whole_low PARTITION OF whole FOR VALUES IN (1, 2) SERVER aggregate_server
	OPTIONS (table 'm');
CREATE TABLE whole_high PARTITION OF whole FOR VALUES IN (101);
INSERT INTO whole_high SELECT 101, c, 1, c, c FROM generate_series(1, 5) c;
ANALYZE whole_high;
SET enable_partitionwise_aggregate = on;
SELECT explain('SELECT count(*), max(i), sum(i) FROM whole WHERE k IN (1, 101)');
SELECT count(*), max(i), sum(i) FROM whole WHERE k IN (1, 101);
SELECT explain('SELECT k, count(*), sum(n) FROM whole WHERE k IN (1, 101) GROUP BY k');
SELECT k, count(*), sum(n) FROM whole WHERE k IN (1, 101) GROUP BY k ORDER BY k;
SELECT explain('SELECT sum(n) FROM whole WHERE k IN (1, 101)');
RESET enable_partitionwise_aggregate;
SELECT sum(n), count(*) FROM whole WHERE k IN (1, 101);

SET scylla_fdw.enable_pushdown = off;
SELECT explain('SELECT count(*) FROM m WHERE k = 2');
RESET scylla_fdw.enable_pushdown;

CALL end_topic('aggregate');
