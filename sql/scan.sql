-- Scans: what is asked of the server, and that the rows are those of a local copy.
\set VERBOSITY terse

-- Pages of five rows, so that most results have several.
CALL begin_topic('scan', $$fetch_size '5'$$);

DO $$
BEGIN
	PERFORM scylla_execute('scan_server', 'CREATE TABLE fdw_scan.events (k int, c int, d int, '
		'v text, n bigint, s text static, PRIMARY KEY (k, c, d)) '
		'WITH CLUSTERING ORDER BY (c ASC, d DESC)');
	PERFORM scylla_execute('scan_server', 'CREATE TABLE fdw_scan.pairs (a text, b int, v int, '
		'PRIMARY KEY ((a, b)))');
	PERFORM scylla_execute('scan_server', 'CREATE TABLE fdw_scan.empty (k int PRIMARY KEY, v int)');
END
$$;

-- Partitions 1 to 3 have rows and a static value, partition 9 a static value alone, which
-- PostgreSQL sees as a row with NULL in all but k and s.
CREATE TABLE events_local (k int, c int, d int, v text, n bigint, s text);
INSERT INTO events_local
	SELECT k, c, d, k || '-' || c || '-' || d, k * 100 + c * 10 + d, 's' || k
	FROM generate_series(1, 3) k, generate_series(1, 4) c, generate_series(1, 3) d;
UPDATE events_local SET v = NULL WHERE d = 3;
CREATE TABLE pairs_local (a text, b int, v int);
INSERT INTO pairs_local SELECT x, b, ascii(x) + b FROM unnest('{x,y,''z''}'::text[]) x, generate_series(1, 4) b;
DO $$
BEGIN
	PERFORM scylla_execute('scan_server', 'INSERT INTO fdw_scan.events (k, c, d, v, n, s) '
		'VALUES (?, ?, ?, ?, ?, ?)', k, c, d, v, n, s) FROM events_local;
	PERFORM scylla_execute('scan_server', 'INSERT INTO fdw_scan.events (k, s) VALUES (9, ''s9'')');
	PERFORM scylla_execute('scan_server', 'INSERT INTO fdw_scan.pairs (a, b, v) VALUES (?, ?, ?)',
		a, b, v) FROM pairs_local;
END
$$;
INSERT INTO events_local (k, s) VALUES (9, 's9');

-- One written by hand without options of columns, one as IMPORT writes them.
CREATE FOREIGN TABLE events (k int, c int, d int, v text, n bigint, s text) SERVER scan_server;
CREATE FOREIGN TABLE pairs (
	a text OPTIONS (key 'partition 1', type 'text') COLLATE "C",
	b int OPTIONS (key 'partition 2', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER scan_server;
CREATE FOREIGN TABLE empty (k int OPTIONS (key 'partition 1', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER scan_server;

-- EXPLAIN ANALYZE without what differs from run to run and from version to version.
CREATE FUNCTION explain(query text, options text DEFAULT 'ANALYZE, TIMING OFF, BUFFERS OFF')
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	row_count text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, SUMMARY OFF, %s) %s', options, query)
	LOOP
		line := regexp_replace(line, '((Bytes Received|Waits)"?: )\d+', '\1N');
		line := replace(replace(line, ' (returns $0)', ''), 'Bind: $0', 'Bind: (InitPlan 1).col1');
		row_count := substring(line, '(?:actual rows=|Actual Rows"?: )(\d+\.\d+)');
		line := regexp_replace(line, '\n *"?Disabled"?: false,?', '', 'g');
		RETURN NEXT CASE WHEN row_count IS NULL THEN line ELSE replace(line, row_count, round(row_count::numeric)::text) END;
	END LOOP;
END
$$;

-- The rows of a query on the foreign tables that the same query on the local ones does not give,
-- and the other way round: should be 0. "events" and "pairs" in the text are replaced.
CREATE FUNCTION differences(query text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT count(*) FROM differences_of(query, of_copies(query)) $$;

---- access: the partition, a slice, everything

SELECT explain('SELECT * FROM events WHERE k = 2');
SELECT explain('SELECT v, n FROM events WHERE k = 2 AND c = 3 AND d = 1');
SELECT * FROM events WHERE k = 2 AND c = 3 AND d = 1;
SELECT explain('SELECT d, v FROM events WHERE k = 1 AND c > 1 AND c <= 3');
SELECT c, d, v FROM events WHERE k = 1 AND c > 1 AND c <= 3;
SELECT explain('SELECT k, c FROM events WHERE lower(v) = ''1-2-1''');
SELECT k, c FROM events WHERE v = '1-2-1';
SELECT explain('SELECT v FROM pairs WHERE a = ''y'' AND b = 3');
SELECT v FROM pairs WHERE a = 'y' AND b = 3;
SELECT * FROM pairs WHERE a = '''z''' AND b = 4;
-- a part of the partition key is no access
SELECT explain('SELECT v FROM pairs WHERE a = ''y''');
SELECT v FROM pairs WHERE a = 'y' ORDER BY v;
-- nothing there
SELECT * FROM events WHERE k = 77;
SELECT * FROM empty;
SELECT explain('SELECT * FROM empty');

-- all pages, all columns
SELECT explain('SELECT * FROM events');
SELECT differences('SELECT * FROM events');
SELECT differences('SELECT * FROM pairs');
SELECT differences(q) AS "0", q FROM unnest(ARRAY[
	'SELECT * FROM events WHERE k = 1',
	'SELECT * FROM events WHERE k = 9',
	'SELECT * FROM events WHERE k = 9 AND c IS NULL',
	'SELECT * FROM events WHERE k = 9 AND c < 5',
	'SELECT * FROM events WHERE k = 9 AND c < 5000000000',
	'SELECT s FROM events WHERE k = 9 AND c < 5000000000',
	'SELECT * FROM events WHERE k = 3 AND c = 4',
	'SELECT * FROM events WHERE k = 3 AND c >= 2 AND c < 4',
	'SELECT * FROM events WHERE k = 3 AND c = 2 AND d > 1',
	'SELECT * FROM events WHERE k = 3 AND c = 2 AND d > 1 AND d < 3',
	'SELECT * FROM events WHERE k = 3 AND c > 1 AND d = 2',
	'SELECT * FROM events WHERE k = 3 AND d = 2',
	'SELECT * FROM events WHERE k IN (1, 3) AND c = 2',
	'SELECT * FROM events WHERE k = 1 OR k = 2 AND c = 1',
	'SELECT * FROM events WHERE k > 1',
	'SELECT * FROM events WHERE k = 2 AND v IS NULL',
	'SELECT * FROM events WHERE k = 2 AND v LIKE ''%-1''',
	'SELECT k, count(*), sum(n) FROM events GROUP BY k',
	'SELECT s FROM events',
	'SELECT DISTINCT s FROM events WHERE k < 3',
	'SELECT k FROM events',
	'SELECT count(*) FROM events',
	'SELECT count(*) FROM events WHERE k = 9',
	'SELECT c FROM events WHERE k = 9',
	'SELECT k FROM events WHERE v IS NULL',
	'SELECT s, n FROM events WHERE k = 9',
	'SELECT 1 FROM events WHERE k = 2',
	'SELECT b FROM pairs WHERE a = ''x'' AND b BETWEEN 2 AND 3',
	'SELECT v FROM pairs WHERE a = ''x'' AND b = 2']) q;

-- every column of the row is fetched only where it is needed
SELECT explain('SELECT 1 FROM pairs');
SELECT count(*) FROM pairs;

---- bounds that the column's type cannot hold

SELECT explain('SELECT c FROM events WHERE k = 5000000000');
SELECT explain('SELECT d FROM events WHERE k = 1 AND c = 1 AND d < 5000000000');
SELECT d FROM events WHERE k = 1 AND c = 1 AND d < 5000000000;
SELECT d FROM events WHERE k = 1 AND c = 1 AND d > 5000000000;
SELECT d FROM events WHERE k = 1 AND c = 1 AND d >= -5000000000 AND d < 3;
SELECT d FROM events WHERE k = 1 AND c = 1 AND d <= -5000000000;
SELECT differences(format('SELECT d FROM events WHERE k = 1 AND c = 1 AND d %s %s::%s', op, v, t)) AS "0", op, v, t
	FROM unnest('{=,<,<=,>,>=}'::text[]) op,
		(VALUES ('5000000000', 'bigint'), ('-5000000000', 'bigint'), ('2', 'bigint'), ('2', 'smallint')) b (v, t);

-- NULL equals nothing, and asks nothing
PREPARE by_key (int) AS SELECT count(*) FROM events WHERE k = $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE by_key (NULL);
SELECT explain('EXECUTE by_key (NULL)');
SELECT explain('SELECT * FROM events WHERE k = 1 AND k = NULL');
DEALLOCATE by_key;
RESET plan_cache_mode;

---- parameters, with custom plans, with a generic plan, and when PostgreSQL chooses

PREPARE slice (int, int) AS SELECT c, d, v FROM events WHERE k = $1 AND c > $2 AND c < $2 + 2;
SET plan_cache_mode = force_generic_plan;
SELECT explain('EXECUTE slice (2, 1)');
CREATE FUNCTION run_slices() RETURNS TABLE (run int, n_rows bigint, clustering text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..8 LOOP
		run := i;
		SELECT count(*), string_agg(c || '.' || d, ' ') INTO n_rows, clustering
			FROM events WHERE k = i % 4 AND c > i / 2 AND c < i / 2 + 2;
		RETURN NEXT;
	END LOOP;
END
$$;
SELECT * FROM run_slices();
SET plan_cache_mode = force_custom_plan;
SELECT explain('EXECUTE slice (2, 1)');
SELECT * FROM run_slices();
RESET plan_cache_mode;
EXECUTE slice (1, 1);
EXECUTE slice (1, 1);
EXECUTE slice (2, 1);
EXECUTE slice (2, 1);
EXECUTE slice (3, 1);
EXECUTE slice (3, 2);
EXECUTE slice (3, 3);
EXECUTE slice (9, 0);
DEALLOCATE slice;

-- a bound that fits and one that does not, with the same plan
PREPARE bound (bigint) AS SELECT c FROM events WHERE k = 1 AND d = 1 AND c < $1;
SET plan_cache_mode = force_generic_plan;
EXECUTE bound (3);
EXECUTE bound (3000000000);
EXECUTE bound (-3000000000);
EXECUTE bound (2);
DEALLOCATE bound;
RESET plan_cache_mode;

-- stable expressions are bind values; volatile ones stay here
SELECT explain('SELECT v FROM events WHERE k = date_part(''year'', now())::int - date_part(''year'', now())::int + 1 AND c = 1 AND d = 1', 'ANALYZE OFF');
SELECT explain('SELECT v FROM events WHERE k = (random() * 0)::int + 1 AND c = 1 AND d = 1', 'ANALYZE OFF');

---- parameters of the executor

-- a nested loop over a local table: one request for each outer row
CREATE TABLE wanted (k int, note text);
INSERT INTO wanted VALUES (1, 'one'), (3, 'three'), (NULL, 'null'), (77, 'none'), (1, 'again');
ANALYZE wanted;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SELECT explain('SELECT w.note, e.v FROM wanted w JOIN events e ON e.k = w.k WHERE e.c = 2 AND e.d = 1');
SELECT w.note, e.v FROM wanted w JOIN events e ON e.k = w.k WHERE e.c = 2 AND e.d = 1;
SELECT w.note, count(e.c) FROM wanted w LEFT JOIN events e ON e.k = w.k GROUP BY w.note ORDER BY 1;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;

-- LATERAL
SELECT w.note, x.v FROM wanted w,
	LATERAL (SELECT v FROM events e WHERE e.k = w.k AND e.d = 2 ORDER BY c DESC LIMIT 2) x
	ORDER BY w.note, x.v;

-- a correlated subquery, rescanned with other values, with the same, and with a value that is not bound
SELECT w.note, (SELECT sum(n) FROM events e WHERE e.k = w.k) FROM wanted w ORDER BY 1;
SELECT w.note, (SELECT count(*) FROM events e WHERE e.k = 1 AND e.v < w.note) FROM wanted w ORDER BY 1;
SELECT w.note, (SELECT count(*) FROM events e WHERE e.v < w.note) FROM wanted w ORDER BY 1;
SELECT explain('SELECT (SELECT count(*) FROM pairs p WHERE p.a = ''x'' AND p.b = 1 AND p.v > length(w.note)) FROM wanted w');
SELECT explain('SELECT (SELECT count(*) FROM events e WHERE e.k = 1 AND e.c > length(w.note)) FROM wanted w');

-- an InitPlan's value
SELECT explain('SELECT v FROM events WHERE k = (SELECT min(k) FROM wanted) AND c = 1', 'ANALYZE OFF');
SELECT v FROM events WHERE k = (SELECT min(k) FROM wanted) AND c = 1;
SELECT v FROM events WHERE k = (SELECT min(k) FROM wanted WHERE note = 'null') AND c = 1;

-- one table several times at once
SELECT count(*), sum(x.n + y.n + z.n) FROM events x, events y, events z
	WHERE x.k = 1 AND y.k = 2 AND z.k = 3 AND x.c = y.c AND y.c = z.c AND x.d = 1 AND z.d = y.d;
SELECT count(*), sum(x.n + y.n + z.n) FROM events_local x, events_local y, events_local z
	WHERE x.k = 1 AND y.k = 2 AND z.k = 3 AND x.c = y.c AND y.c = z.c AND x.d = 1 AND z.d = y.d;
SELECT differences('SELECT x.v, y.v FROM events x JOIN events y USING (c, d) WHERE x.k = 1');
SELECT count(*) FROM (SELECT * FROM events UNION ALL SELECT * FROM events) x;

---- rows as a whole, and the system columns

SELECT e FROM events e WHERE k = 2 AND c = 1;
SELECT tableoid::regclass, k, (e).v, e IS NULL AS is_null FROM events e WHERE k = 9;
SELECT row_to_json(p) FROM pairs p WHERE a = 'x' AND b = 1;
SELECT ctid FROM pairs;

-- columns that were dropped here or are declared in another order
CREATE FOREIGN TABLE mixed (gone int, n bigint, label text OPTIONS (column 'v'), k int, gone2 text, d int, c int)
	SERVER scan_server OPTIONS (table 'events');
ALTER FOREIGN TABLE mixed DROP COLUMN gone;
ALTER FOREIGN TABLE mixed DROP COLUMN gone2;
SELECT * FROM mixed WHERE k = 2 AND c = 4;
SELECT m FROM mixed m WHERE k = 2 AND c = 4 AND d = 1;

---- cursors

BEGIN;
DECLARE forth NO SCROLL CURSOR FOR SELECT c, d FROM events WHERE k = 1;
FETCH 2 FROM forth;
DECLARE back SCROLL CURSOR FOR SELECT c, d FROM events WHERE k = 2;
FETCH 7 FROM back;
FETCH BACKWARD 3 FROM back;
FETCH FIRST FROM back;
FETCH LAST FROM back;
FETCH RELATIVE -1 FROM back;
-- the open cursors keep their session, whoever comes later gets a new one
SELECT scylla_disconnect('scan_server');
FETCH 5 FROM forth;
MOVE ALL FROM forth;
FETCH 1 FROM forth;
DECLARE held CURSOR WITH HOLD FOR SELECT c, d FROM events WHERE k = 3;
FETCH 1 FROM held;
COMMIT;
FETCH 2 FROM held;
SELECT scylla_disconnect('scan_server');
FETCH 1 FROM held;
CLOSE held;

-- more than one scan is read in turn, and one is left unread
DO $$
DECLARE
	x record;
	y record;
	seen int := 0;
BEGIN
	FOR x IN SELECT * FROM events LOOP
		FOR y IN SELECT * FROM events WHERE k = x.k AND c = x.c AND d = x.d LOOP
			seen := seen + 1;
		END LOOP;
		EXIT WHEN seen = 20;
	END LOOP;
	RAISE NOTICE '%', seen;
END
$$;
SELECT k FROM events WHERE k = 1 LIMIT 1;

---- sub-transactions

BEGIN;
DECLARE outer_cursor CURSOR FOR SELECT c, d FROM events WHERE k = 1;
FETCH 1 FROM outer_cursor;
SAVEPOINT a;
DECLARE inner_cursor CURSOR FOR SELECT c, d FROM events WHERE k = 2;
FETCH 6 FROM inner_cursor;
SELECT 1 / 0;
ROLLBACK TO a;
FETCH 5 FROM outer_cursor;
SELECT count(*) FROM events;
COMMIT;

DO $$
DECLARE
	caught int := 0;
BEGIN
	FOR i IN 1..20 LOOP
		BEGIN
			PERFORM 10 / (c - 4) FROM events WHERE k = i % 3 + 1;
		EXCEPTION WHEN division_by_zero THEN
			caught := caught + 1;
		END;
	END LOOP;
	RAISE NOTICE '% caught, % rows', caught, (SELECT count(*) FROM events);
END
$$;

---- row locks: nothing to lock, and the recheck of READ COMMITTED has the row at hand

BEGIN;
SELECT w.note, e.v FROM wanted w JOIN events e ON e.k = w.k AND e.c = 1 AND e.d = 1
	WHERE w.note = 'three' FOR UPDATE OF w;
COMMIT;

---- pushdown off: the same rows

SET scylla_fdw.enable_pushdown = off;
SELECT explain('SELECT v FROM events WHERE k = 2 AND c = 3', 'ANALYZE OFF');
SELECT v FROM events WHERE k = 2 AND c = 3;
RESET scylla_fdw.enable_pushdown;

---- EXPLAIN in other ways

EXPLAIN (COSTS OFF) SELECT v FROM events WHERE k = 2 AND n > 5;
SELECT explain('SELECT v FROM events WHERE k = 2 AND c > 1 AND n > 5 AND v <> ''x''', 'ANALYZE OFF, FORMAT JSON');
SELECT explain('SELECT v FROM pairs WHERE a = ''x'' AND b = 1 AND v > 5', 'ANALYZE, TIMING OFF, BUFFERS OFF, FORMAT YAML');
SELECT count(*) FROM explain('SELECT v FROM pairs', 'ANALYZE, TIMING ON') line WHERE line LIKE '%Wait Time: %.% ms';
SET scylla_fdw.trace = on;
SELECT line ~ 'Tracing Id: [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AS is_traced
	FROM explain('SELECT v FROM pairs WHERE a = ''x'' AND b = 1') line WHERE line LIKE '%Tracing%';
RESET scylla_fdw.trace;
-- without a server, where the options tell the key
CREATE SERVER nowhere FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', port '1');
CREATE FOREIGN TABLE elsewhere (k int OPTIONS (key 'partition 1', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER nowhere OPTIONS (keyspace 'ks', "table" 'Mixed"Case');
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM elsewhere WHERE k = 1;

CALL end_topic('scan');
DROP SERVER nowhere;
