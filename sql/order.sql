-- ORDER BY, LIMIT and DISTINCT: what the server is asked for, and that rows and their order are
-- those of a local copy.
\set VERBOSITY terse
CALL begin_topic('order', $$fetch_size '5'$$);

DO $$
BEGIN
	PERFORM scylla_execute('order_server', 'CREATE TABLE fdw_order.events (k int, c int, d text, '
		'v int, s text static, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC)');
	PERFORM scylla_execute('order_server', 'CREATE TABLE fdw_order.times (a text, b int, '
		't timestamp, f double, v int, PRIMARY KEY ((a, b), t, f)) '
		'WITH CLUSTERING ORDER BY (t DESC, f ASC)');
	PERFORM scylla_execute('order_server', 'CREATE TABLE fdw_order.holes (k int, c int, d int, '
		'v int, s int static, PRIMARY KEY (k, c, d))');
END
$$;
CREATE TABLE events_local (k int, c int, d text COLLATE "C", s text, v int);
INSERT INTO events_local
	SELECT k, c, chr(64 + d), 's' || k, k * 100 + c * 10 + d
	FROM generate_series(1, 4) k, generate_series(1, 6) c, generate_series(1, 4) d;
CREATE TABLE times_local (a text COLLATE "C", b int, t timestamptz, f float8, v int);
INSERT INTO times_local
	SELECT a, b, '2024-01-01 UTC'::timestamptz + h * interval '1 hour', f, h
	FROM unnest('{x,y}'::text[]) a, generate_series(1, 3) b, generate_series(1, 7) h,
		unnest('{-1.5,0,2,NaN}'::float8[]) f;
DO $$
BEGIN
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.events (k, c, d, v, s) '
		'VALUES (?, ?, ?, ?, ?)', k, c, d, v, s) FROM events_local;
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.events (k, s) VALUES (9, ''s9'')');
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.times (a, b, t, f, v) '
		'VALUES (?, ?, ?, ?, ?)', a, b, t, f, v) FROM times_local;
	-- empty values, which read as NULL, in both clustering columns, and a partition of statics alone
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.holes (k, c, d, v) VALUES (?, ?, ?, ?)',
		k, c, d, k * 100 + c * 10 + d)
		FROM generate_series(1, 3) k, generate_series(1, 3) c, generate_series(1, 3) d;
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.holes (k, c, d, v) '
		'VALUES (1, blobAsInt(0x), ?, ?)', d, d) FROM generate_series(1, 2) d;
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.holes (k, c, d, v) '
		'VALUES (?, ?, blobAsInt(0x), ?)', k, c, k + c) FROM generate_series(1, 2) k, generate_series(2, 3) c;
	PERFORM scylla_execute('order_server', 'INSERT INTO fdw_order.holes (k, s) VALUES (9, 9)');
END
$$;
INSERT INTO events_local (k, s) VALUES (9, 's9');
CREATE TABLE holes_local (k int, c int, d int, v int, s int);
INSERT INTO holes_local SELECT k, c, d, k * 100 + c * 10 + d
	FROM generate_series(1, 3) k, generate_series(1, 3) c, generate_series(1, 3) d;
INSERT INTO holes_local SELECT 1, NULL, d, d FROM generate_series(1, 2) d;
INSERT INTO holes_local SELECT k, c, NULL, k + c FROM generate_series(1, 2) k, generate_series(2, 3) c;
INSERT INTO holes_local (k, s) VALUES (9, 9);
IMPORT FOREIGN SCHEMA fdw_order FROM SERVER order_server INTO order_test;

---- ORDER BY: forward, reversed, mixed directions as the table declares them

SELECT explain('SELECT c, d, v FROM events WHERE k = 2 ORDER BY c, d DESC');
SELECT explain('SELECT c, d, v FROM events WHERE k = 2 ORDER BY c DESC NULLS LAST, d');
SELECT explain('SELECT c, d, v FROM events WHERE k = 2 ORDER BY c, d');
SELECT explain('SELECT v FROM events WHERE k = 2 AND c = 3 ORDER BY d');
SELECT explain('SELECT v FROM events WHERE k = 2 AND c = 3 ORDER BY k, c, d DESC');
SELECT explain('SELECT v FROM events WHERE k = 2 AND c > 3 ORDER BY c DESC, d');
SELECT explain('SELECT c, d FROM events WHERE k IN (1, 3) ORDER BY c, d DESC');
SELECT explain('SELECT t, f FROM times WHERE a = ''x'' AND b = 2 ORDER BY t DESC NULLS LAST, f NULLS FIRST');
-- not by another collation, nor over all partitions, nor by another column
SELECT explain('SELECT d FROM events WHERE k = 2 AND c = 3 ORDER BY d COLLATE "en-x-icu"') LIMIT 3;
SELECT explain('SELECT c FROM events ORDER BY c') LIMIT 3;
SELECT explain('SELECT v FROM events WHERE k = 2 ORDER BY v') LIMIT 3;
-- a merge join, a window, GROUP BY
SET enable_hashjoin = off;
SET enable_nestloop = off;
SELECT explain('SELECT x.v FROM events x JOIN events y ON x.d = y.d WHERE x.k = 1 AND x.c = 1 AND y.k = 2 AND y.c = 2');
RESET enable_hashjoin;
RESET enable_nestloop;
SELECT explain('SELECT c, sum(v) OVER (ORDER BY c, d DESC) FROM events WHERE k = 3');
-- min and max of the column that rows are sorted by
SELECT explain('SELECT min(c) FROM events WHERE k = 3 AND c > 1');
SELECT explain('SELECT max(d) FROM events WHERE k = 3 AND c = 2');

SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT * FROM events WHERE k = 2 ORDER BY c, d DESC',
	'SELECT * FROM events WHERE k = 2 ORDER BY c DESC, d',
	'SELECT * FROM events WHERE k = 2 ORDER BY c DESC NULLS LAST, d',
	'SELECT * FROM events WHERE k = 2 ORDER BY c, d',
	'SELECT * FROM events WHERE k = 9 ORDER BY c',
	'SELECT * FROM events WHERE k = 2 AND c = 3 ORDER BY d',
	'SELECT * FROM events WHERE k = 2 AND c > 3 ORDER BY c DESC, d',
	'SELECT c, d, k FROM events WHERE k IN (3, 1, 9) ORDER BY c, d DESC, k',
	'SELECT c, d FROM events WHERE k IN (3, 1, 9) ORDER BY c, d DESC',
	'SELECT c, d FROM events WHERE k IN (3, 1, 9) ORDER BY c DESC, d',
	'SELECT c, d FROM events WHERE k IN (3, 1) AND c IN (2, 5, 3) ORDER BY c DESC, d',
	'SELECT c, d FROM events WHERE k = 1 AND c = 2 OR k = 4 AND c > 4 ORDER BY c, d DESC',
	'SELECT * FROM times WHERE a = ''x'' AND b = 2 ORDER BY t DESC, f',
	'SELECT * FROM times WHERE a = ''x'' AND b = 2 ORDER BY t, f DESC',
	'SELECT t, f FROM times WHERE a = ''x'' AND b IN (1, 3) ORDER BY t, f DESC',
	'SELECT c, sum(v) OVER (ORDER BY c, d DESC) FROM events WHERE k = 3',
	'SELECT min(c), max(c) FROM events WHERE k = 3',
	'SELECT max(d), min(d) FROM events WHERE k = 3 AND c = 2']) q;

---- empty values, which read as NULL, are where PostgreSQL has NULLs

SELECT explain('SELECT c, d FROM holes WHERE k = 1 ORDER BY c DESC');
SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT c FROM holes WHERE k = 1 ORDER BY c',
	'SELECT c FROM holes WHERE k = 1 ORDER BY c DESC',
	'SELECT c FROM holes WHERE k = 1 ORDER BY c NULLS FIRST',
	'SELECT c FROM holes WHERE k = 1 ORDER BY c DESC NULLS LAST',
	'SELECT c, d FROM holes WHERE k = 1 ORDER BY c, d',
	'SELECT c, d FROM holes WHERE k = 1 ORDER BY c DESC, d DESC',
	'SELECT c, d FROM holes WHERE k = 1 ORDER BY c NULLS FIRST, d',
	'SELECT c, d FROM holes WHERE k = 1 AND c = 2 ORDER BY d DESC',
	'SELECT c, d FROM holes WHERE k = 1 AND c = 2 ORDER BY d',
	'SELECT c, d FROM holes WHERE k IN (1, 2, 9) ORDER BY c, d',
	'SELECT c, d FROM holes WHERE k IN (1, 2, 9) ORDER BY c DESC, d DESC',
	'SELECT c, d, s FROM holes WHERE k = 9 ORDER BY c DESC',
	'SELECT c, d FROM holes WHERE k = 1 AND c < 3 ORDER BY c, d',
	'SELECT c FROM holes WHERE k = 1 ORDER BY c LIMIT 3',
	'SELECT c FROM holes WHERE k = 1 ORDER BY c DESC LIMIT 3',
	'SELECT c FROM holes WHERE k IN (1, 2, 9) ORDER BY c DESC LIMIT 5 OFFSET 1',
	'SELECT c FROM holes WHERE k = 9 ORDER BY c DESC LIMIT 5',
	'SELECT c FROM holes WHERE k = 1 AND c < 9000000000 ORDER BY c NULLS FIRST LIMIT 9',
	'SELECT c FROM holes WHERE k = 1 AND c > -9000000000 ORDER BY c NULLS FIRST LIMIT 9',
	'SELECT c FROM holes WHERE k = 1 AND c >= -9000000000 ORDER BY c NULLS FIRST LIMIT 9']) q;
-- who promises that there are none gets along without asking
ALTER FOREIGN TABLE holes ALTER c SET NOT NULL;
SELECT explain('SELECT c, d FROM holes WHERE k = 3 ORDER BY c DESC');
ALTER FOREIGN TABLE holes ALTER c DROP NOT NULL;

---- LIMIT

SELECT explain('SELECT c FROM events WHERE k = 2 LIMIT 3');
SELECT explain('SELECT c FROM events WHERE k = 2 LIMIT 3 OFFSET 2');
SELECT explain('SELECT * FROM events LIMIT 3');
SELECT explain('SELECT c FROM events WHERE k = 2 AND c < 5 LIMIT 3');
-- only for the first page: a local filter, ties; and not at all where other rows than those count
SELECT explain('SELECT c FROM events WHERE k = 2 AND v % 2 = 0 LIMIT 3');
SELECT explain('SELECT c FROM events WHERE k = 2 ORDER BY v LIMIT 3');
SELECT explain('SELECT c FROM events WHERE k = 2 ORDER BY c FETCH FIRST 3 ROWS WITH TIES');
SELECT explain('SELECT c FROM events WHERE k = 2 FOR UPDATE LIMIT 3');
SELECT explain('SELECT x.c FROM events x, events_local y WHERE x.k = 2 LIMIT 3');
SELECT explain('SELECT c, generate_series(1, 2) FROM events WHERE k = 2 LIMIT 3');
SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT c, d FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT 3',
	'SELECT c, d FROM events WHERE k = 2 ORDER BY c DESC, d LIMIT 3 OFFSET 4',
	'SELECT c, d FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT 0',
	'SELECT c, d FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT NULL OFFSET 20',
	'SELECT c, d FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT 9223372036854775807 OFFSET 20',
	'SELECT c, d FROM events WHERE k IN (1, 3) ORDER BY c, d DESC LIMIT 7 OFFSET 3',
	'SELECT c, d FROM events WHERE k = 2 AND v % 3 = 0 ORDER BY c, d DESC LIMIT 5',
	'SELECT c FROM events WHERE k = 2 ORDER BY c FETCH FIRST 3 ROWS WITH TIES',
	'SELECT count(*) FROM (SELECT * FROM events LIMIT 11) x',
	'SELECT count(*) FROM (SELECT * FROM events WHERE k IN (1, 2) LIMIT 30) x',
	'SELECT g, (SELECT v FROM events WHERE k = g ORDER BY c DESC, d LIMIT 1) FROM generate_series(1, 4) g',
	'SELECT g, x.v FROM generate_series(1, 4) g, LATERAL (SELECT v FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT g) x',
	'SELECT c, generate_series(1, 2) FROM events WHERE k = 2 AND c = 1 ORDER BY c, d DESC LIMIT 3',
	'(SELECT c FROM events WHERE k = 2 ORDER BY c, d DESC LIMIT 2) UNION ALL (SELECT c FROM events WHERE k = 3 ORDER BY c DESC, d LIMIT 2)',
	'SELECT c FROM (SELECT c FROM events WHERE k = 2 UNION ALL SELECT c FROM events WHERE k = 3) x ORDER BY c LIMIT 5']) q;

-- generic plans send the same
PREPARE newest(int, bigint, bigint) AS
	SELECT v FROM events WHERE k = $1 ORDER BY c DESC NULLS LAST, d LIMIT $2 OFFSET $3;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE newest(2, 3, 1);
EXECUTE newest(2, 3, 1);
EXECUTE newest(2, NULL, 22);
EXECUTE newest(2, 9223372036854775807, 22);
EXECUTE newest(2, 1, NULL);
SET plan_cache_mode = force_custom_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE newest(2, 3, 1);
EXECUTE newest(2, 3, 1);
RESET plan_cache_mode;
EXECUTE newest(2, 2, 0);
EXECUTE newest(2, 2, 0);
EXECUTE newest(2, 2, 0);
EXECUTE newest(2, 2, 0);
EXECUTE newest(2, 2, 0);
EXECUTE newest(2, 2, 0);
EXECUTE newest(3, 2, 0);
EXECUTE newest(4, 2, 0);

---- DISTINCT

SELECT explain('SELECT DISTINCT k FROM events');
SELECT explain('SELECT DISTINCT k, s FROM events WHERE k IN (1, 9)');
SELECT explain('SELECT DISTINCT a, b FROM times');
SELECT explain('SELECT DISTINCT s FROM events WHERE k = 3');
SELECT explain('SELECT DISTINCT ON (k) k, c, d, v FROM events');
SELECT explain('SELECT DISTINCT ON (a, b) * FROM times ORDER BY b, a, t DESC NULLS LAST');
-- not: a part of the key, other columns, another first row
SELECT explain('SELECT DISTINCT a FROM times') LIMIT 2;
SELECT explain('SELECT DISTINCT k, c FROM events') LIMIT 2;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT explain('SELECT DISTINCT a COLLATE any_case, b FROM times') LIMIT 2;
SELECT explain('SELECT DISTINCT ON (b, a COLLATE any_case) * FROM times') LIMIT 2;
SELECT explain('SELECT DISTINCT ON (k) k, c FROM events ORDER BY k, c DESC') LIMIT 2;
SELECT explain('SELECT DISTINCT ON (k) k, c FROM events ORDER BY k, v') LIMIT 2;
SELECT explain('SELECT DISTINCT k FROM events WHERE v = 5') LIMIT 2;
SELECT bool_and(is_same(q)) FROM unnest(ARRAY[
	'SELECT DISTINCT k FROM events ORDER BY k',
	'SELECT DISTINCT k, s FROM events ORDER BY k',
	'SELECT DISTINCT s FROM events WHERE k = 9',
	'SELECT DISTINCT a, b FROM times ORDER BY 1, 2',
	'SELECT DISTINCT a FROM times ORDER BY 1',
	'SELECT count(*) FROM (SELECT DISTINCT k FROM events) x',
	'SELECT DISTINCT k FROM events ORDER BY k LIMIT 2',
	'SELECT DISTINCT ON (k) k, c, d, v FROM events ORDER BY k, c NULLS FIRST, d DESC',
	'SELECT DISTINCT ON (k) k, c FROM events ORDER BY k, c DESC',
	'SELECT DISTINCT ON (k) k, c FROM holes ORDER BY k, c NULLS FIRST',
	'SELECT DISTINCT ON (k) k, c FROM holes ORDER BY k, c',
	'SELECT DISTINCT ON (k) k, c, d FROM events WHERE k IN (1, 3) AND c = 2 ORDER BY k, d DESC',
	'SELECT DISTINCT ON (k) k, c, d FROM events WHERE k IN (1, 3) AND c > 2 ORDER BY k, c, d DESC',
	'SELECT DISTINCT ON (k) k, c, d FROM events WHERE k IN (1, 3) AND c IN (2, 3) ORDER BY k, c, d DESC',
	'SELECT DISTINCT ON (b, a) * FROM times ORDER BY b, a, t DESC NULLS LAST, f NULLS FIRST']) q;

-- nothing of it with pushdown off
SET scylla_fdw.enable_pushdown = off;
SELECT explain('SELECT c FROM events WHERE k = 2 ORDER BY c LIMIT 3');
RESET scylla_fdw.enable_pushdown;

---- a table that was made anew in another clustering order: statements ask for the order that they need

SELECT scylla_execute('order_server', 'CREATE TABLE fdw_order.turned (k int, c int, PRIMARY KEY (k, c)) '
	'WITH CLUSTERING ORDER BY (c DESC)');
CREATE FOREIGN TABLE turned (
	k int OPTIONS (key 'partition 1', type 'int'),
	c int OPTIONS (key 'clustering 1 asc', type 'int')) SERVER order_server;
INSERT INTO turned SELECT 1 + i % 2, i FROM generate_series(1, 9) i;
SET enable_sort = off;
SELECT explain('SELECT c FROM turned WHERE k = 1 ORDER BY c LIMIT 2');
SELECT c FROM turned WHERE k = 1 ORDER BY c LIMIT 2;
SELECT c FROM turned WHERE k = 1 ORDER BY c DESC NULLS LAST LIMIT 2;
SELECT array_agg(c) FROM (SELECT c FROM turned WHERE k IN (1, 2) ORDER BY c) q;
RESET enable_sort;

CALL end_topic('order');
