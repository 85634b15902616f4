-- Foreign tables as partitions of a PostgreSQL table: pruning, order and limit through the parent,
-- joins and aggregates partition by partition.
\set VERBOSITY terse
CALL begin_topic('partitioned');

DO $$
BEGIN
	PERFORM scylla_execute('partitioned_server', format('CREATE TABLE fdw_partitioned.%s (k int, '
		'c int, v int, n bigint, PRIMARY KEY (k, c))', t)) FROM unnest('{a,b,x,y}'::text[]) t;
END
$$;

-- Two tables of the same bounds: the first partitions are remote, the last one is local.
CREATE TABLE readings (k int, c int NOT NULL, v int, n bigint) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE readings_a PARTITION OF readings FOR VALUES FROM (0) TO (10)
	SERVER partitioned_server OPTIONS (table 'a');
CREATE FOREIGN TABLE readings_b PARTITION OF readings FOR VALUES FROM (10) TO (20)
	SERVER partitioned_server OPTIONS (table 'b');
CREATE TABLE readings_c PARTITION OF readings FOR VALUES FROM (20) TO (30);
CREATE TABLE names (k int, c int NOT NULL, v int, n bigint) PARTITION BY RANGE (k);
CREATE FOREIGN TABLE names_x PARTITION OF names FOR VALUES FROM (0) TO (10)
	SERVER partitioned_server OPTIONS (table 'x');
CREATE FOREIGN TABLE names_y PARTITION OF names FOR VALUES FROM (10) TO (20)
	SERVER partitioned_server OPTIONS (table 'y');
CREATE TABLE names_z PARTITION OF names FOR VALUES FROM (20) TO (30);
CREATE TABLE readings_local (k int, c int, v int, n bigint);
CREATE TABLE names_local (k int, c int, v int, n bigint);
INSERT INTO readings_local SELECT k, c, k * 10 + c, k * 1000000000000
	FROM generate_series(1, 29, 2) k, generate_series(1, 4) c;
INSERT INTO names_local SELECT k, 1, -k, k FROM generate_series(1, 29, 4) k;
DO $$
BEGIN
	PERFORM scylla_execute('partitioned_server', format('INSERT INTO fdw_partitioned.%s (k, c, v, n) '
		'VALUES (?, ?, ?, ?)', CASE WHEN k < 10 THEN 'a' ELSE 'b' END), k, c, v, n)
		FROM readings_local WHERE k < 20;
	PERFORM scylla_execute('partitioned_server', format('INSERT INTO fdw_partitioned.%s (k, c, v, n) '
		'VALUES (?, ?, ?, ?)', CASE WHEN k < 10 THEN 'x' ELSE 'y' END), k, c, v, n)
		FROM names_local WHERE k < 20;
END
$$;
INSERT INTO readings_c SELECT * FROM readings_local WHERE k >= 20;
INSERT INTO names_z SELECT * FROM names_local WHERE k >= 20;
ANALYZE readings_c;
ANALYZE names_z;

-- pruning: of the plan, and when it runs
SELECT explain('SELECT v FROM readings WHERE k = 3');
SELECT explain('SELECT v FROM readings WHERE k >= 20');
PREPARE of_key(int) AS SELECT v FROM readings WHERE k = $1 ORDER BY v;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE of_key(13);
EXECUTE of_key(13);
EXECUTE of_key(21);
EXECUTE of_key(35);
RESET plan_cache_mode;

-- order and limit
SELECT explain('SELECT c, v FROM readings WHERE k = 3 ORDER BY c DESC LIMIT 2');
SELECT explain('SELECT v FROM readings LIMIT 5');

SET enable_partitionwise_join = on;
SET enable_partitionwise_aggregate = on;
SELECT explain('SELECT r.v, n.v FROM readings r JOIN names n USING (k) WHERE r.k = 5 AND n.c = 1');
SELECT explain('SELECT count(*), min(v), max(v), sum(v), avg(n) FROM readings');
SELECT explain('SELECT count(*), min(v), max(v), sum(v) FROM readings');
SELECT explain('SELECT k, count(*), avg(n) FROM readings GROUP BY k');
SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT * FROM readings ORDER BY k, c',
	'SELECT c, v FROM readings WHERE k = 3 ORDER BY c DESC LIMIT 2',
	'SELECT v FROM readings WHERE k IN (3, 13, 23) ORDER BY v',
	'SELECT c, v FROM readings WHERE k IN (3, 13, 23) ORDER BY c, v LIMIT 5',
	'SELECT count(*) FROM (SELECT v FROM readings LIMIT 45) x',
	'SELECT r.k, r.v, n.v FROM readings r JOIN names n USING (k) ORDER BY 1, 2',
	'SELECT r.k, r.v, n.v FROM readings r LEFT JOIN names n ON r.k = n.k AND n.c = r.c ORDER BY 1, 2',
	'SELECT count(*), min(v), max(v), sum(v) FROM readings',
	'SELECT count(*), avg(n), sum(n) FROM readings',
	'SELECT k, count(*), avg(n) FROM readings GROUP BY k ORDER BY k',
	'SELECT k, c, sum(v) FROM readings GROUP BY k, c HAVING sum(v) > 100 ORDER BY k, c',
	'SELECT c, count(*), max(v) FROM readings GROUP BY c ORDER BY c',
	'SELECT DISTINCT k FROM readings ORDER BY k']) q;
RESET enable_partitionwise_join;
RESET enable_partitionwise_aggregate;

-- row security policies of the parent hold for what goes to a foreign partition
CREATE ROLE partitioned_reader;
GRANT USAGE ON SCHEMA partitioned_test TO partitioned_reader;
GRANT ALL ON readings TO partitioned_reader;
CREATE USER MAPPING FOR partitioned_reader SERVER partitioned_server OPTIONS (password_required 'false');
ALTER TABLE readings ENABLE ROW LEVEL SECURITY;
CREATE POLICY lower_half ON readings USING (c < 3) WITH CHECK (v < 1000);
SET ROLE partitioned_reader;
INSERT INTO readings (k, c, v) VALUES (1, 1, 1000);
UPDATE readings SET v = 1000 WHERE k = 3;
UPDATE readings SET v = v + 1 WHERE k = 3 AND v < 1000 RETURNING *;
INSERT INTO readings (k, c, v) VALUES (1, 1, 999) RETURNING *;
RESET ROLE;
SELECT k, c, v FROM readings WHERE k IN (1, 3) ORDER BY k, c;

-- no row stays in a foreign partition that it no longer belongs to
CREATE TABLE moving (k int, c int NOT NULL, v int, n bigint) PARTITION BY RANGE (v);
CREATE FOREIGN TABLE moving_x PARTITION OF moving FOR VALUES FROM (0) TO (1000)
	SERVER partitioned_server OPTIONS (table 'x');
CREATE TABLE moving_rest PARTITION OF moving DEFAULT;
INSERT INTO moving VALUES (100, 1, 5), (101, 1, 1005);
UPDATE moving SET v = 1500 WHERE k = 100;
UPDATE moving SET v = 6 WHERE k IN (100, 101);
SELECT tableoid::regclass, * FROM moving WHERE k IN (100, 101) ORDER BY k;

CALL end_topic('partitioned');
DROP ROLE partitioned_reader;
