-- Ways into a table at their edges: rows that are asked for twice, scans that are begun again
-- without having asked, bounds of text under what the server counts, views of another key order.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
\set VERBOSITY terse
SET client_min_messages = error; -- Cassandra warns of views
CREATE EXTENSION IF NOT EXISTS scylla_fdw;
CREATE SCHEMA ways;
SET search_path = ways, public;
CREATE SERVER ways_server FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host :'host', port :'port',
	read_consistency 'one', write_consistency 'one');
DO $$
DECLARE
	text_of text;
BEGIN
	FOREACH text_of IN ARRAY ARRAY['DROP KEYSPACE IF EXISTS fdw_ways',
		'CREATE KEYSPACE fdw_ways WITH replication = {''class'': ''NetworkTopologyStrategy'', ''replication_factor'': 1}',
		'CREATE TABLE fdw_ways.t (k int, c int, v int, PRIMARY KEY (k, c))',
		'CREATE TABLE fdw_ways.word (k int, w text, PRIMARY KEY (k, w))',
		'CREATE TABLE fdw_ways.m (k int, c1 int, c2 int, v int, a int, b int, PRIMARY KEY (k, c1, c2))',
		'CREATE INDEX m_a ON fdw_ways.m (a)', 'CREATE INDEX m_b ON fdw_ways.m (b)',
		'CREATE MATERIALIZED VIEW fdw_ways.m_by_v AS SELECT * FROM fdw_ways.m WHERE v IS NOT NULL '
			'AND k IS NOT NULL AND c1 IS NOT NULL AND c2 IS NOT NULL PRIMARY KEY (v, c1, k, c2)']
	LOOP
		PERFORM scylla_execute('ways_server', text_of);
	END LOOP;
	FOR i IN 1..300 LOOP
		EXIT WHEN (SELECT count(*) FROM scylla_query('ways_server', 'SELECT view_name FROM '
			'system.built_views WHERE keyspace_name = ?', 'fdw_ways') AS v (name text)
			WHERE name = 'm_by_v') = 1
			AND (SELECT count(*) FROM scylla_query('ways_server', 'SELECT index_name FROM '
			'system."IndexInfo" WHERE table_name = ?', 'fdw_ways') AS i (name text)) = 2;
		PERFORM pg_sleep(0.1);
	END LOOP;
	PERFORM scylla_execute('ways_server', 'INSERT INTO fdw_ways.t (k, c) VALUES (1, blobAsInt(0x))');
END
$$;
IMPORT FOREIGN SCHEMA fdw_ways FROM SERVER ways_server INTO ways;
INSERT INTO t SELECT k, c, 10 * k + c FROM (VALUES (1, 1), (1, 2), (2, 5), (2, 6)) AS r (k, c);
INSERT INTO word VALUES (1, ''), (1, 'a'), (1, 'b'), (1, 'c'), (2, 'a');
INSERT INTO m (k, c1, c2, v, a, b) SELECT k, c1, c2, k % 2, c1, c2
	FROM generate_series(1, 3) k, generate_series(1, 2) c1, generate_series(1, 2) c2;

-- NULLs that the local filter drops are merged where CQL has them
SELECT k, c FROM t WHERE k IN (1, 2) AND c <> 9 ORDER BY c;
SELECT k, c FROM t WHERE k IN (1, 2) AND c <> 9 ORDER BY c DESC;
SELECT k, c FROM t WHERE k IN (1, 2) AND c IS NOT NULL ORDER BY c NULLS FIRST;
SELECT k, c FROM t WHERE k IN (1, 2) ORDER BY c;

-- an aggregate that asks nothing is begun again
SET plan_cache_mode = force_generic_plan;
PREPARE again(int) AS
	SELECT g, (SELECT count(*) FROM t WHERE k = $1 OFFSET g * 0) FROM generate_series(1, 2) AS g;
EXECUTE again(NULL);
EXECUTE again(2);
EXECUTE again(NULL);
RESET plan_cache_mode;
SELECT g, (SELECT max(v) FROM t WHERE k = 9000000000 OFFSET g * 0) FROM generate_series(1, 2) AS g;

-- the empty text is a value: an upper bound lets nothing in that reads as NULL
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM word WHERE k = 1 AND w < 'c';
SELECT count(*) FROM word WHERE k = 1 AND w < 'c';
SELECT count(*), min(w), max(w) FROM word WHERE k IN (1, 2) AND w <= 'b';
SELECT w FROM word WHERE k = 1 AND w < 'c' ORDER BY w DESC LIMIT 2;

-- a row goes to the first arm that is true of it, so that has to be one answer
CREATE SEQUENCE tick;
EXPLAIN (VERBOSE, COSTS OFF) SELECT k, c FROM t
	WHERE (k = 1 AND nextval('tick') % 2 = 0) OR (k = 2 AND c < 9) OR (k = 1 AND c < 8);
SELECT k, c FROM t
	WHERE (k = 1 AND nextval('tick') % 2 = 0) OR (k = 2 AND c < 9) OR (k = 1 AND c < 8)
	ORDER BY k, c;

-- the view has (c1, k, c2): a row of c1 and c2 is none of its slices
EXPLAIN (VERBOSE, COSTS OFF) SELECT k, c1, c2 FROM m WHERE v = 1 AND (c1, c2) > (1, 1);
SELECT k, c1, c2 FROM m WHERE v = 1 AND (c1, c2) > (1, 1) ORDER BY c1, c2, k;

-- arms by several indexes and a partition
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM m WHERE a = 1 OR b = 1 OR k = 1;
SELECT k, c1, c2 FROM m WHERE a = 1 OR b = 1 OR k = 1 ORDER BY k, c1, c2;

-- rows that are read by a view of the table are made before any is written
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO m (k, c1, c2, v, a, b) SELECT k, c1, c2 + 2, v, a, b FROM m WHERE v = 1;
INSERT INTO m (k, c1, c2, v, a, b) SELECT k, c1, c2 + 2, v, a, b FROM m WHERE v = 1;
SELECT k, count(*) FROM m GROUP BY k ORDER BY k;

DO $$
BEGIN
	PERFORM scylla_execute('ways_server', 'DROP KEYSPACE fdw_ways');
END
$$;
SET client_min_messages = warning;
DROP SCHEMA ways CASCADE;
DROP SERVER ways_server CASCADE;
