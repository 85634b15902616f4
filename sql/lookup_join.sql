-- Lookup joins: rows beside a local copy of the same tables, for each shape of a join, with windows of
-- several widths, in parallel plans and in generic ones; what EXPLAIN shows; what is asked for.
\set VERBOSITY terse
CALL begin_topic('lookup', $$fetch_size '7'$$);
DO $$
BEGIN
	PERFORM scylla_execute('lookup_server', 'CREATE TABLE fdw_lookup.wide (k int, c int, v text, n int, '
		's text static, PRIMARY KEY (k, c))');
	PERFORM scylla_execute('lookup_server', 'CREATE TABLE fdw_lookup.pairs (a text, b int, v int, '
		'PRIMARY KEY ((a, b)))');
	PERFORM scylla_execute('lookup_server', 'CREATE TABLE fdw_lookup.one (id bigint PRIMARY KEY, v text)');
END
$$;
CREATE FOREIGN TABLE wide_far (
	k int OPTIONS (key 'partition 1', type 'int'),
	c int OPTIONS (key 'clustering 1 asc', type 'int'),
	v text OPTIONS (key 'regular', type 'text'),
	n int OPTIONS (key 'regular', type 'int'),
	s text OPTIONS (key 'static', type 'text')) SERVER lookup_server OPTIONS (table 'wide');
CREATE FOREIGN TABLE pairs_far (
	a text OPTIONS (key 'partition 1', type 'text') COLLATE "C",
	b int OPTIONS (key 'partition 2', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER lookup_server OPTIONS (table 'pairs');
CREATE FOREIGN TABLE one_far (
	id bigint OPTIONS (key 'partition 1', type 'bigint'),
	v text OPTIONS (key 'regular', type 'text')) SERVER lookup_server OPTIONS (table 'one');

-- Partitions of twelve rows, more than a page; every third with some rows less, every fifth empty.
CREATE TABLE wide_near AS
	SELECT k, c, k || '-' || c AS v, nullif((k * c) % 9, 4) AS n, 's' || k AS s
	FROM generate_series(1, 40) k, generate_series(1, 12) c
	WHERE k % 5 <> 0 AND (k % 3 <> 0 OR c < 4);
CREATE TABLE pairs_near AS
	SELECT a COLLATE "C" AS a, b, ascii(a) * 10 + b AS v FROM unnest('{x,y,z}'::text[]) a, generate_series(1, 9) b;
CREATE TABLE one_near AS SELECT id::bigint, 'one ' || id AS v FROM generate_series(1, 60) id WHERE id % 7 <> 0;
INSERT INTO wide_far SELECT k, c, v, n, s FROM wide_near;
INSERT INTO pairs_far SELECT * FROM pairs_near;
INSERT INTO one_far SELECT * FROM one_near;

-- The outer side: keys that are NULL, missing, asked for twice nearby and far off.
CREATE TABLE l AS
	SELECT i AS id, nullif(i % 45, 7) AS k, i % 13 AS c, ('{x,y,z,w}'::text[])[1 + i % 4] COLLATE "C" AS a,
		nullif(i % 11, 3) AS b, i % 5 AS lo, i % 5 + i % 4 AS hi,
		CASE WHEN i % 10 = 9 THEN NULL ELSE ARRAY[i % 41, i % 17, i % 41, NULL] END AS ks
	FROM generate_series(1, 120) i;
CREATE TABLE m AS SELECT i AS id, i % 7 AS k, i % 11 AS b, ('{x,y,z}'::text[])[1 + i % 3] COLLATE "C" AS a
	FROM generate_series(1, 20) i;
CREATE TABLE nobody (LIKE l);
CREATE TABLE parted (LIKE l) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (40);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (40) TO (1000);
INSERT INTO parted SELECT * FROM l;
ANALYZE l, m, nobody, parted, wide_near, pairs_near, one_near;
CREATE VIEW wide_far_barrier WITH (security_barrier) AS SELECT * FROM wide_far WHERE n < 7;
CREATE VIEW wide_near_barrier WITH (security_barrier) AS SELECT * FROM wide_near WHERE n < 7;
CREATE VIEW wide_far_view AS SELECT k, c, coalesce(v, 'none') AS v FROM wide_far WHERE n < 7;
CREATE VIEW wide_near_view AS SELECT k, c, coalesce(v, 'none') AS v FROM wide_near WHERE n < 7;
-- Few keys are also worth remembering, and small tables worth reading: here lookups are wanted.
SET enable_memoize = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;

-- What EXPLAIN shows.
\set explain 'EXPLAIN (VERBOSE, COSTS OFF)'
:explain SELECT l.id, f.v FROM l JOIN wide_far f ON f.k = l.k AND f.c BETWEEN l.lo AND l.hi;
:explain SELECT l.id, f.v FROM l LEFT JOIN wide_far f ON f.k = l.k AND f.n > l.b WHERE l.c > 3;
:explain SELECT l.id FROM l WHERE EXISTS (SELECT FROM wide_far f WHERE f.k = l.k AND f.v LIKE '%3%');
:explain SELECT l.id FROM l WHERE NOT EXISTS (SELECT FROM wide_far f WHERE f.k = ANY (l.ks));
:explain SELECT f.* FROM one_far f WHERE f.id IN (SELECT k FROM l);
:explain SELECT l.id, p.v, o.v FROM l JOIN pairs_far p USING (a, b) JOIN one_far o ON o.id = p.v - l.k;
:explain SELECT l.id, m.id, p.v FROM l JOIN m ON m.id < l.c JOIN pairs_far p ON p.a = m.a AND p.b = l.b;
:explain SELECT p.id, f.v FROM parted p JOIN one_far f ON f.id = p.k;
-- Off, or not worth it.
SET scylla_fdw.enable_lookup_join = off;
:explain SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.k;
RESET scylla_fdw.enable_lookup_join;
:explain SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.k WHERE l.id = 5;
SET scylla_fdw.lookup_join_window = 1;
:explain SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.k;
RESET scylla_fdw.lookup_join_window;
SET scylla_fdw.lookup_join_window = 0; -- refused

-- What a statement asks for; how often it waits depends on the server.
CREATE FUNCTION run(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF, SUMMARY OFF) ' || query
	LOOP
		line := regexp_replace(line, '(Waits|Bytes Received): \d+', '\1: N');
		RETURN NEXT regexp_replace(line, 'actual rows=[\d.]+', 'actual rows=N');
	END LOOP;
END
$$;
SELECT run('SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.id % 3 WHERE l.id <= 12');
SELECT run('SELECT l.id, f.v FROM l LEFT JOIN one_far f ON f.id = l.k WHERE l.k IS NULL');
SELECT run('SELECT l.id, f.v FROM l JOIN wide_far f ON f.k = ANY (l.ks) WHERE l.id BETWEEN 41 AND 44');
-- A LIMIT wastes few: four are asked at first, and five and six more if those have come by the next rows. The window
-- and work_mem bound what is asked ahead.
CREATE FUNCTION window_of(query text, OUT lookups int, OUT used int, OUT duplicates int, OUT requests int) LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, BUFFERS OFF, SUMMARY OFF, FORMAT JSON) ' || query INTO plan;
	lookups := substring(plan::text, '"Lookups": (\d+)');
	used := substring(plan::text, '"Window Used": (\d+)');
	duplicates := substring(plan::text, '"Duplicates Saved": (\d+)');
	requests := substring(plan::text, '"Requests": (\d+)');
END
$$;
SELECT lookups BETWEEN 3 AND 15 AS is_frugal FROM window_of('SELECT f.v FROM l JOIN one_far f ON f.id = l.id LIMIT 3');
SELECT lookups, used BETWEEN 64 AND 256 AS is_wide
	FROM window_of('SELECT f.v FROM generate_series(1, 500) i JOIN one_far f ON f.id = i');
SET scylla_fdw.lookup_join_window = 7;
SELECT lookups, used FROM window_of('SELECT f.v FROM generate_series(1, 500) i JOIN one_far f ON f.id = i');
RESET scylla_fdw.lookup_join_window;
SET work_mem = '64kB';
SELECT lookups, used < 5 AS is_bounded FROM window_of('SELECT f.v FROM (SELECT i, repeat(''x'', 30000) AS filler '
	'FROM generate_series(1, 50) i OFFSET 0) l JOIN one_far f ON f.id = l.i AND f.v < l.filler');
RESET work_mem;

-- Rows of a cursor that rests for longer than a request may take are asked for again.
ALTER SERVER lookup_server OPTIONS (SET request_timeout '1s');
BEGIN;
DECLARE resting SCROLL CURSOR FOR SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.id ORDER BY l.id;
DECLARE ahead CURSOR FOR SELECT l.id, f.v FROM l JOIN one_far f ON f.id = l.id WHERE l.id BETWEEN 1 AND 9;
FETCH 2 FROM ahead;
FETCH 3 FROM resting;
SELECT pg_sleep(1.2);
FETCH ALL FROM ahead;
FETCH BACKWARD 2 FROM resting;
FETCH RELATIVE 4 FROM resting;
COMMIT;
ALTER SERVER lookup_server OPTIONS (SET request_timeout '1min');

-- Every shape in every way. The text names tables by what they are called behind the underscore.
CREATE TABLE shape (number int GENERATED ALWAYS AS IDENTITY, query text);
INSERT INTO shape (query) VALUES
	('SELECT l.id, f.c, f.v FROM l JOIN wide_ f ON f.k = l.k'),
	('SELECT l.id, f.c, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k'),
	('SELECT l.id, f.c, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k AND f.n > 3'),
	('SELECT l.id, f.c, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k AND f.n > l.b'),
	('SELECT l.id, f.c, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k AND l.id % 2 = 0'),
	('SELECT l.id FROM l LEFT JOIN wide_ f ON f.k = l.k WHERE f.k IS NULL'),
	('SELECT l.id, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k WHERE f.n IS NULL OR f.n < l.b'),
	('SELECT l.id FROM l WHERE EXISTS (SELECT FROM wide_ f WHERE f.k = l.k)'),
	('SELECT l.id FROM l WHERE NOT EXISTS (SELECT FROM wide_ f WHERE f.k = l.k)'),
	('SELECT l.id FROM l WHERE EXISTS (SELECT FROM wide_ f WHERE f.k = l.k AND f.n < l.b)'),
	('SELECT l.id FROM l WHERE NOT EXISTS (SELECT FROM wide_ f WHERE f.k = l.k AND f.n < l.b)'),
	('SELECT l.id FROM l WHERE l.k IN (SELECT k FROM wide_)'),
	('SELECT f.* FROM wide_ f WHERE f.k IN (SELECT k FROM l)'),
	('SELECT f.* FROM wide_ f WHERE f.k IN (SELECT k + 1 FROM l WHERE c > 3)'),
	('SELECT f.* FROM pairs_ f WHERE (f.a, f.b) IN (SELECT a, b FROM l)'),
	('SELECT l.id, f.v FROM l JOIN pairs_ f ON f.a = l.a AND f.b = l.b'),
	('SELECT l.id, f.v FROM l JOIN pairs_ f ON f.a = ''x'' AND f.b = l.b'),
	('SELECT l.id, f.v FROM l LEFT JOIN pairs_ f USING (a, b)'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k + 1'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k AND f.c = l.c'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k AND f.c BETWEEN l.lo AND l.hi'),
	('SELECT l.id, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k AND f.c > l.lo + 2'),
	('SELECT l.id, f.k, f.v FROM l JOIN wide_ f ON f.k = ANY (l.ks)'),
	('SELECT l.id, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k AND f.c = ANY (l.ks)'),
	('SELECT l.id FROM l WHERE NOT EXISTS (SELECT FROM wide_ f WHERE f.k = ANY (l.ks))'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k OR f.k = l.b'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k IN (l.k, l.b, 3)'),
	('SELECT l, f FROM l JOIN wide_ f ON f.k = l.k'),
	('SELECT l, f FROM l LEFT JOIN wide_ f ON f.k = l.k AND f.n = 1'),
	('SELECT l.id, s.v FROM l LEFT JOIN (SELECT k, coalesce(v, ''none'') || ''!'' AS v FROM wide_) s ON s.k = l.k'),
	('SELECT l.id, s.one FROM l LEFT JOIN (SELECT id, 1 AS one FROM one_) s ON s.id = l.k'),
	('SELECT l.id, f.v, o.v FROM l JOIN wide_ f ON f.k = l.k JOIN one_ o ON o.id = f.n'),
	('SELECT l.id, f.v, o.v FROM l LEFT JOIN wide_ f ON f.k = l.k LEFT JOIN one_ o ON o.id = f.n'),
	('SELECT l.id, m.id, f.v FROM l JOIN m ON m.id < l.c JOIN pairs_ f ON f.a = m.a AND f.b = l.b'),
	('SELECT l.id, m.id, f.v FROM l LEFT JOIN m ON m.id = l.c LEFT JOIN wide_ f ON f.k = m.k'),
	('SELECT l.id, m.id, f.v FROM l LEFT JOIN m ON m.id = l.c JOIN wide_ f ON f.k = coalesce(m.k, l.k)'),
	('SELECT l.id, m.id, f.v FROM l LEFT JOIN (m JOIN wide_ f ON f.k = m.k) ON m.b = l.b'),
	('SELECT m.id, (SELECT count(*) FROM l JOIN wide_ f ON f.k = l.k WHERE l.b = m.b) FROM m'),
	('SELECT m.id, (SELECT min(f.v) FROM l JOIN wide_ f ON f.k = l.k AND f.c = m.k WHERE l.b = m.b) FROM m'),
	('SELECT m.id, s.* FROM m, LATERAL (SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k AND f.c > m.k OFFSET 2) s WHERE m.id < 4'),
	('SELECT m.id FROM m WHERE EXISTS (SELECT FROM l JOIN wide_ f ON f.k = l.k AND f.c = m.k WHERE l.b = m.b)'),
	('SELECT * FROM (SELECT l.id, f.c, f.v FROM l JOIN wide_ f ON f.k = l.k ORDER BY l.id, f.c LIMIT 9) s'),
	('SELECT * FROM (SELECT l.id, f.c, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k ORDER BY l.id DESC, f.c LIMIT 9 OFFSET 4) s'),
	('SELECT f.k, count(*), sum(f.n) FROM l JOIN wide_ f ON f.k = l.k GROUP BY f.k HAVING count(*) > 2'),
	('SELECT DISTINCT f.n FROM l JOIN wide_ f ON f.k = l.k'),
	('SELECT l.id, f.v, row_number() OVER (PARTITION BY l.id ORDER BY f.c) FROM l JOIN wide_ f ON f.k = l.k'),
	('SELECT p.id, f.v FROM parted p JOIN wide_ f ON f.k = p.k'),
	('SELECT p.id, f.v FROM parted p LEFT JOIN wide_ f ON f.k = p.k WHERE p.id > 30'),
	('SELECT u.id, f.v FROM (SELECT id, k FROM l UNION ALL SELECT id, k FROM m) u JOIN wide_ f ON f.k = u.k'),
	('WITH w AS MATERIALIZED (SELECT id, k FROM l WHERE c < 9) SELECT w.id, f.v FROM w JOIN wide_ f ON f.k = w.k'),
	('SELECT v.i, f.v FROM (VALUES (1), (2), (NULL), (2), (99)) v (i) JOIN wide_ f ON f.k = v.i'),
	('SELECT i, f.v FROM generate_series(1, 70) i LEFT JOIN one_ f ON f.id = i'),
	('SELECT l.id, f.v FROM l JOIN one_ f ON f.id = l.k'),
	('SELECT l.id, f.v FROM l LEFT JOIN one_ f ON f.id = l.k AND f.v LIKE ''%1%'''),
	('SELECT l.id, f.s FROM l JOIN wide_ f ON f.k = l.k AND f.c = 1'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k WHERE f.v LIKE ''%'' || l.c'),
	('SELECT count(*) FROM l JOIN wide_ f ON f.k = l.k'),
	('SELECT l.id, f.v FROM l JOIN wide__barrier f ON f.k = l.k'),
	('SELECT l.id, f.v FROM l LEFT JOIN wide__view f ON f.k = l.k'),
	('SELECT l.id, f.v FROM l RIGHT JOIN one_ f ON f.id = l.k'),
	('SELECT l.id, f.v FROM l FULL JOIN one_ f ON f.id = l.k'),
	('SELECT f.v, g.v FROM wide_ f JOIN wide_ g ON g.k = f.n AND g.c = f.c WHERE f.k = 11'),
	('SELECT n.id, f.v FROM nobody n JOIN wide_ f ON f.k = n.k'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k WHERE l.id < $1'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k AND f.c < $1 % 12'),
	('SELECT l.id FROM l WHERE l.k NOT IN (SELECT k FROM wide_ WHERE n IS NOT NULL)'),
	('SELECT l.id, l.ctid IS NULL, f.tableoid IS NULL, f.v FROM l LEFT JOIN wide_ f ON f.k = l.k'),
	('SELECT s.* FROM (SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k FOR UPDATE OF l) s'),
	('SELECT l.id, f.v FROM l JOIN wide_ f ON f.k = l.k WHERE random() >= 0');

-- Executed as often as there are windows to execute it with, after it was planned with the first.
CREATE FUNCTION rows_of(query text, windows int[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	width int;
	result text;
BEGIN
	PERFORM set_config('scylla_fdw.lookup_join_window', windows[1]::text, false);
	EXECUTE 'PREPARE compared (int) AS SELECT coalesce(string_agg(r::text, '' '' ORDER BY r::text), '''') FROM ('
		|| query || ') r';
	FOREACH width IN ARRAY windows LOOP
		PERFORM set_config('scylla_fdw.lookup_join_window', width::text, false);
		EXECUTE 'EXECUTE compared (50)' INTO result;
	END LOOP;
	DEALLOCATE compared;
	RETURN result;
END
$$;
-- The query with the foreign tables or with their local copies.
CREATE FUNCTION near(query text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(query, '\m(wide|pairs|one)_', '\1_near', 'g') $$;
CREATE FUNCTION far(query text) RETURNS text LANGUAGE sql AS
	$$ SELECT regexp_replace(query, '\m(wide|pairs|one)_', '\1_far', 'g') $$;
CREATE FUNCTION is_looked_up(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan text;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON, COSTS OFF) ' || replace(far(query), '$1', '50') INTO plan;
	RETURN plan LIKE '%Scylla Lookup Window%';
END
$$;
-- A gate above the join: PostgreSQL asks extensions about such joins since 17.
SELECT is_looked_up(query) = (current_setting('server_version_num')::int >= 170000) AS is_asked,
	rows_of(far(query), '{256}') = rows_of(near(query), '{256}') AS is_same
	FROM (SELECT 'SELECT l.id, f.v FROM l JOIN one_ f ON f.id = l.k WHERE current_setting(''application_name'') <> ''-''') q (query);
CREATE TABLE answer AS SELECT number, query, rows_of(near(query), '{256}') AS rows, is_looked_up(query) FROM shape;
SELECT count(*) FILTER (WHERE rows <> '') AS with_rows, count(*) FILTER (WHERE is_looked_up) AS looked_up,
	count(*) FROM answer;
SELECT number, query FROM answer WHERE NOT is_looked_up ORDER BY number;
SELECT number, query, rows FROM answer WHERE rows = '' ORDER BY number;

-- Shapes whose rows are others, in this session's settings.
CREATE FUNCTION differences(windows int[]) RETURNS TABLE (number int, query text, here text, there text) LANGUAGE sql AS $$
	SELECT number, query, left(rows, 40), left(far, 40) FROM answer, rows_of(far(query), windows) AS far
	WHERE far <> rows ORDER BY number
$$;
SELECT * FROM differences('{256}');
SET plan_cache_mode = force_generic_plan;
SELECT * FROM differences('{7, 256, 1}');
-- With workers, where PostgreSQL gives them.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
RESET scylla_fdw.lookup_join_window;
EXPLAIN (COSTS OFF) SELECT count(*) FROM l JOIN one_far f ON f.id = l.k;
SELECT lookups + duplicates AS asked_for, requests = lookups AS is_all_told
	FROM window_of('SELECT count(*) FROM l JOIN one_far f ON f.id = l.k');
SELECT * FROM differences('{256, 1}');
RESET plan_cache_mode;
SET parallel_leader_participation = off;
SET work_mem = '64kB';
SELECT * FROM differences('{7}');

CALL end_topic('lookup');
