-- ANALYZE: totals, statistics of columns beside those of a local copy, and estimates after it.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
SET client_min_messages = warning;
CREATE SERVER analyze_s FOREIGN DATA WRAPPER scylla_fdw
	OPTIONS (host :'host', port :'port', request_timeout '2min');
SELECT scylla_execute('analyze_s', 'DROP KEYSPACE IF EXISTS analyze_ks');
SELECT scylla_execute('analyze_s', $$CREATE KEYSPACE analyze_ks
	WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}$$);
\t on
SELECT scylla_execute('analyze_s', c) FROM unnest(ARRAY[
	-- 200 partitions of 20 rows, the clustering column has the same values in each
	'CREATE TABLE analyze_ks.slice (k int, c int, v text, n int, PRIMARY KEY (k, c))',
	-- 10 × 15 partitions of 6 × 4 rows
	'CREATE TABLE analyze_ks.pair (a int, b text, c1 int, c2 int, v int, PRIMARY KEY ((a, b), c1, c2))',
	-- 60 partitions of 60 rows, the clustering column has values of its own in each
	'CREATE TABLE analyze_ks.series (id uuid, at timestamp, x double, PRIMARY KEY (id, at))
		WITH CLUSTERING ORDER BY (at DESC)',
	'CREATE TABLE analyze_ks.single (id int PRIMARY KEY, g int, label text)',
	-- one partition of 2000 rows, 500 of one row, 20 of static columns alone
	'CREATE TABLE analyze_ks.skew (k int, c int, s int static, PRIMARY KEY (k, c))',
	'CREATE TABLE analyze_ks.tiny (k int, c int, PRIMARY KEY (k, c))',
	'CREATE TABLE analyze_ks.nothing (k int, c int, PRIMARY KEY (k, c))',
	'CREATE TABLE analyze_ks.unreadable (k int PRIMARY KEY, d date)']) AS c;
\t off
SELECT scylla_execute('analyze_s', 'CREATE INDEX single_g ON analyze_ks.single (g)');
CREATE FUNCTION fill(insertion text, parts text[]) RETURNS boolean LANGUAGE sql AS $$
	SELECT bool_and(scylla_execute('analyze_s', 'BEGIN UNLOGGED BATCH '
		|| (SELECT string_agg(insertion || ' VALUES (' || p || ')', '; ') FROM unnest(parts) AS p)
		|| '; APPLY BATCH')) $$;
SELECT bool_and(fill('INSERT INTO analyze_ks.slice (k, c, v, n)', p)) FROM (
	SELECT array_agg(format('%s, %s, ''word %s'', %s', k, c, (k + c) % 7, CASE WHEN c % 4 > 0 THEN (k * c)::text ELSE 'null' END)) AS p
	FROM generate_series(1, 200) AS k, generate_series(1, 20) AS c GROUP BY k) AS t;
SELECT bool_and(fill('INSERT INTO analyze_ks.pair (a, b, c1, c2, v)', p)) FROM (
	SELECT array_agg(format('%s, ''%s'', %s, %s, 1', a, b, c1, c2)) AS p
	FROM generate_series(1, 10) AS a, generate_series(1, 15) AS b,
		generate_series(1, 6) AS c1, generate_series(1, 4) AS c2 GROUP BY a, b) AS t;
SELECT bool_and(fill('INSERT INTO analyze_ks.series (id, at, x)', p)) FROM (
	SELECT array_agg(format('%s, %s, 0.5', md5(id::text)::uuid, id * 1000000 + i * 1000)) AS p
	FROM generate_series(1, 60) AS id, generate_series(1, 60) AS i GROUP BY id) AS t;
SELECT bool_and(fill('INSERT INTO analyze_ks.single (id, g, label)', p)) FROM (
	SELECT array_agg(format('%s, %s, ''label %s''', id, id % 25, id)) AS p
	FROM generate_series(1, 3000) AS id GROUP BY id / 5) AS t;
SELECT bool_and(fill('INSERT INTO analyze_ks.skew (k, c)', p)) FROM (
	SELECT array_agg(format('0, %s', c)) AS p FROM generate_series(1, 2000) AS c GROUP BY c / 100
	UNION ALL SELECT array_agg(format('%s, 1', k)) FROM generate_series(1, 500) AS k GROUP BY k / 5) AS t;
SELECT bool_and(fill('INSERT INTO analyze_ks.skew (k, s)', ARRAY[format('%s, 7', -k)])) FROM generate_series(1, 20) AS k;
SELECT fill('INSERT INTO analyze_ks.tiny (k, c)', ARRAY['1, 1', '1, 2', '2, 1']);
SELECT fill('INSERT INTO analyze_ks.unreadable (k, d)', ARRAY['1, ''2000-01-01''', '2, ''-2000000-01-01''']);
-- an index that is not built yet would be left out
CALL await_built('analyze_s', 'analyze_ks', '{}', 1);
CREATE SCHEMA analyze_ks;
IMPORT FOREIGN SCHEMA analyze_ks FROM SERVER analyze_s INTO analyze_ks;
CREATE SCHEMA analyze_copy;
DO $$
DECLARE t text;
BEGIN
	FOREACH t IN ARRAY '{slice,pair,series,single,skew,tiny,nothing}'::text[] LOOP
		EXECUTE format('CREATE TABLE analyze_copy.%1$I AS SELECT * FROM analyze_ks.%1$I', t);
	END LOOP;
END $$;

-- a sample of 900 rows: of the larger tables a part of the ring is read
SET default_statistics_target = 3;
ANALYZE analyze_ks.slice, analyze_ks.pair, analyze_ks.series, analyze_ks.single, analyze_ks.skew,
	analyze_ks.tiny, analyze_ks.nothing;
ANALYZE analyze_copy.slice, analyze_copy.pair, analyze_copy.series, analyze_copy.single,
	analyze_copy.skew, analyze_copy.tiny, analyze_copy.nothing;
SELECT f.relname, f.reltuples BETWEEN l.reltuples / 1.5 AND l.reltuples * 1.5 AS has_rows,
	   (f.relpages > 0) = (l.reltuples > 0) AS has_pages
FROM pg_class AS f JOIN pg_class AS l USING (relname)
WHERE f.relnamespace = 'analyze_ks'::regnamespace AND l.relnamespace = 'analyze_copy'::regnamespace
	AND relname <> 'skew'
ORDER BY 1;
-- number of values, part of NULLs and width of each column are those of the copy
WITH s AS (
	SELECT schemaname, tablename, attname, null_frac, avg_width,
		   CASE WHEN n_distinct < 0 THEN -n_distinct * reltuples ELSE n_distinct END AS n
	FROM pg_stats JOIN pg_class ON relname = tablename AND relnamespace = schemaname::regnamespace)
SELECT tablename, attname, f.n BETWEEN l.n / 2 AND l.n * 2 AS has_values,
	   abs(f.null_frac - l.null_frac) < 0.1 AS has_nulls, abs(f.avg_width - l.avg_width) <= 1 AS has_width
FROM s AS f JOIN s AS l USING (tablename, attname)
WHERE f.schemaname = 'analyze_ks' AND l.schemaname = 'analyze_copy' AND tablename <> 'skew'
ORDER BY tablename, attname;

-- whether a sample meets the one large partition is chance
SELECT reltuples BETWEEN 500 AND 100000 AS has_rows FROM pg_class WHERE oid = 'analyze_ks.skew'::regclass;

-- estimates: within a factor of two
CREATE FUNCTION is_near(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan json;
	estimate float8;
	rows float8;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	EXECUTE 'SELECT count(*) FROM (' || query || ') AS q' INTO rows;
	estimate := plan -> 0 -> 'Plan' ->> 'Plan Rows';
	IF estimate NOT BETWEEN rows / 2 AND rows * 2 THEN
		RAISE WARNING '%: estimated %, found %', query, estimate, rows;
	END IF;
	RETURN estimate BETWEEN rows / 2 AND rows * 2;
END $$;
SELECT q, is_near('SELECT * FROM analyze_ks.' || q) FROM unnest(ARRAY[
	'slice', 'slice WHERE k = 7', 'slice WHERE k = 7 AND c = 3', 'slice WHERE k = 7 AND c > 10',
	'slice WHERE k = 7 AND c BETWEEN 5 AND 14', 'slice WHERE v = ''word 3''', 'slice WHERE n IS NULL',
	'pair WHERE a = 3 AND b = ''5''', 'pair WHERE a = 3 AND b = ''5'' AND c1 = 2',
	'pair WHERE a = 3 AND b = ''5'' AND c1 <= 3', 'pair WHERE a = 3 AND b = ''5'' AND c1 = 2 AND c2 = 2',
	'pair WHERE a = 3 AND b = ''5'' AND c1 = 2 AND c2 > 2',
	'series', 'series WHERE id = md5(''7'')::uuid',
	-- several keys, remote filters, an index
	'slice WHERE k IN (7, 8, 9)', 'slice WHERE k IN (7, 8, 9) AND c > 10', 'single WHERE id IN (1, 2, 3)',
	'slice WHERE k = 7 OR k = 9', 'slice WHERE k = 7 AND v = ''word 3''',
	'slice WHERE k IN (7, 8, 9) AND v = ''word 3''', 'pair WHERE a = 3',
	'single WHERE id = 12', 'single WHERE g = 12', 'single',
	'tiny', 'tiny WHERE k = 2']) AS q;
-- joins on keys: as many rows as the outer side has times those of a partition
SELECT q, is_near(q) FROM unnest(ARRAY[
	'SELECT * FROM analyze_copy.single AS l JOIN analyze_ks.single AS f USING (id) WHERE l.g = 1',
	'SELECT * FROM (SELECT DISTINCT id AS k FROM analyze_copy.single WHERE id <= 100) AS l JOIN analyze_ks.slice AS f USING (k)',
	'SELECT * FROM analyze_copy.slice AS l JOIN analyze_ks.slice AS f USING (k, c)']) AS q;

-- an array of unknown length is taken for ten keys
CREATE FUNCTION estimate(query text, what text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> what;
END $$;
SET plan_cache_mode = force_generic_plan;
PREPARE some_keys (int[]) AS SELECT * FROM analyze_ks.slice WHERE k = ANY ($1);
SELECT estimate('EXECUTE some_keys (''{1,2,3}'')', 'Plan Rows') BETWEEN 100 AND 400 AS is_near;
DEALLOCATE some_keys;
RESET plan_cache_mode;
-- each costs more than the one above
CREATE FUNCTION cost(q text, what text DEFAULT 'Total Cost') RETURNS float8 LANGUAGE sql AS
	$$ SELECT estimate('SELECT * FROM analyze_ks.' || q, what) $$;
SELECT q, cost(q) > lag(cost(q)) OVER (ORDER BY n) AS is_more FROM unnest(ARRAY[
	'single WHERE id = 12', 'single WHERE id IN (1, 2, 3)', 'single WHERE g = 12', 'single'])
	WITH ORDINALITY AS t (q, n) ORDER BY n;
SELECT q, cost(q) > lag(cost(q)) OVER (ORDER BY n) AS is_more FROM unnest(ARRAY[
	'slice WHERE k = 7 AND c = 3', 'slice WHERE k = 7 AND v = ''word 3''', 'slice WHERE k = 7',
	'slice WHERE k = 7 OR k = 9', 'slice WHERE k IN (7, 8, 9)', 'slice WHERE v = ''word 3''', 'slice'])
	WITH ORDINALITY AS t (q, n) ORDER BY n;
-- a merge waits for the first rows of all keys
ALTER FOREIGN TABLE analyze_ks.slice OPTIONS (ADD max_in_flight '4');
SELECT cost(q || ' ORDER BY c', 'Startup Cost') > cost(q, 'Startup Cost') AS is_later,
	cost(q || ' ORDER BY c') > cost(q) AS is_more
FROM (VALUES ('slice WHERE k IN (1, 2, 3, 4, 5, 6, 7, 8, 9)')) AS t (q);
EXPLAIN (COSTS OFF) SELECT * FROM analyze_ks.slice WHERE k IN (1, 2, 3, 4, 5, 6, 7, 8, 9) ORDER BY c;

-- what cannot be read is an error that tells where
ANALYZE analyze_ks.unreadable;
\echo :LAST_ERROR_SQLSTATE
-- a foreign table that is a partition; and an owner who is no superuser
CREATE TABLE analyze_parent (k int, c int) PARTITION BY LIST (k);
CREATE FOREIGN TABLE analyze_child PARTITION OF analyze_parent DEFAULT SERVER analyze_s
	OPTIONS (keyspace 'analyze_ks', "table" 'tiny');
ANALYZE analyze_parent;
SELECT relname, reltuples FROM pg_class WHERE relname IN ('analyze_parent', 'analyze_child') ORDER BY 1;
DROP ROLE IF EXISTS regress_scylla_owner;
CREATE ROLE regress_scylla_owner;
CREATE USER MAPPING FOR regress_scylla_owner SERVER analyze_s OPTIONS (password_required 'false');
ALTER TABLE analyze_child OWNER TO regress_scylla_owner;
SET ROLE regress_scylla_owner;
ANALYZE analyze_child;
RESET ROLE;

SELECT scylla_execute('analyze_s', 'DROP KEYSPACE analyze_ks');
DROP TABLE analyze_parent;
DROP SCHEMA analyze_ks, analyze_copy CASCADE;
DROP FUNCTION is_near, cost, estimate, fill;
DROP SERVER analyze_s CASCADE;
DROP ROLE regress_scylla_owner;
