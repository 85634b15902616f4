-- Scans of many requests: IN, OR, row comparisons, token ranges, limits; rows are those of a local copy.
\set VERBOSITY terse
CALL begin_topic('fanout', $$fetch_size '7'$$);

DO $$
BEGIN
	PERFORM scylla_execute('fanout_server', 'CREATE TABLE fdw_fanout.wide (k int, c int, d int, '
		'v text, s text static, PRIMARY KEY (k, c, d)) WITH CLUSTERING ORDER BY (c ASC, d DESC)');
	PERFORM scylla_execute('fanout_server', 'CREATE TABLE fdw_fanout.pairs (a text, b int, v int, '
		'PRIMARY KEY ((a, b)))');
END
$$;

CREATE FOREIGN TABLE wide (
	k int OPTIONS (key 'partition 1', type 'int'),
	c int OPTIONS (key 'clustering 1 asc', type 'int'),
	d int OPTIONS (key 'clustering 2 desc', type 'int'),
	v text OPTIONS (key 'regular', type 'text'),
	s text OPTIONS (key 'static', type 'text'),
	tok bigint OPTIONS (function 'token')) SERVER fanout_server;
CREATE FOREIGN TABLE pairs (
	a text OPTIONS (key 'partition 1', type 'text') COLLATE "C",
	b int OPTIONS (key 'partition 2', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER fanout_server;

-- Twenty partitions of twelve rows, more than a page of each; partition 99 has a static value alone,
-- partition 21 rows whose d is empty, which reads as NULL and comes first.
CREATE TABLE wide_local (k int, c int, d int, v text, s text, tok bigint);
INSERT INTO wide_local
	SELECT k, c, d, k || '-' || c || '-' || d, 's' || k, scylla_token('wide', k)
	FROM generate_series(1, 20) k, generate_series(1, 4) c, generate_series(1, 3) d;
CREATE TABLE pairs_local (a text COLLATE "C", b int, v int);
INSERT INTO pairs_local SELECT a, b, ascii(a) * 10 + b FROM unnest('{x,y,z}'::text[]) a, generate_series(1, 5) b;
DO $$
BEGIN
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.wide (k, c, d, v, s) '
		'VALUES (?, ?, ?, ?, ?)', k, c, d, v, s) FROM wide_local;
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.wide (k, s) VALUES (99, ''s99'')');
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.wide (k, c, d, v, s) '
		'VALUES (21, 1, blobAsInt(0x), ''empty'', ''s21'')');
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.wide (k, c, d, v) VALUES (21, 1, 5, ''five'')');
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.wide (k, c, d, v) VALUES (21, 2, 6, ''six'')');
	PERFORM scylla_execute('fanout_server', 'INSERT INTO fdw_fanout.pairs (a, b, v) VALUES (?, ?, ?)',
		a, b, v) FROM pairs_local;
END
$$;
INSERT INTO wide_local VALUES (99, NULL, NULL, NULL, 's99', scylla_token('wide', 99)),
	(21, 1, NULL, 'empty', 's21', scylla_token('wide', 21)), (21, 1, 5, 'five', 's21', scylla_token('wide', 21)),
	(21, 2, 6, 'six', 's21', scylla_token('wide', 21));
SET client_min_messages = error; -- of empty values there is a WARNING

-- What was asked for, and what came of it.
CREATE FUNCTION asked(query text) RETURNS TABLE (line text) LANGUAGE plpgsql AS $$
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF, SUMMARY OFF, TIMING OFF, BUFFERS OFF) ' || query
	LOOP
		-- (parameters of sub-plans have other names in other versions)
		IF line ~ 'Remote CQL|Access|Bind: [^$]*$|Rows Removed|Requests|Rows Received' AND line !~ 'InitPlan' THEN
			line := trim(line);
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;

-- Rows of the foreign tables that the local ones do not give, and the other way round: should be 0.
CREATE FUNCTION differences(query text) RETURNS bigint LANGUAGE sql AS
	$$ SELECT count(*) FROM differences_of(query, of_copies(query)) $$;

---- IN: each different element is asked for once

SELECT asked('SELECT v FROM wide WHERE k IN (1, 2, 3)');
SELECT asked('SELECT v FROM wide WHERE k = ANY (ARRAY[1, NULL, 1, 2, 1, 5000])');
SELECT asked('SELECT v FROM wide WHERE k = ANY (ARRAY[1, 5000000000, 2]::bigint[])');
-- neither of these asks anything
SELECT asked('SELECT v FROM wide WHERE k = ANY (''{}''::int[])');
SELECT asked('SELECT v FROM wide WHERE k = ANY (ARRAY[NULL, NULL]::int[])');
SELECT asked('SELECT v FROM wide WHERE k = ANY (NULL::int[])');
SELECT asked('SELECT v FROM pairs WHERE a IN (''x'', ''z'') AND b IN (1, 2, 7)');
SELECT asked('SELECT v FROM wide WHERE k IN (1, 2) AND c IN (3, 4) AND d = 1');

SELECT differences(q) AS "0", q FROM unnest(ARRAY[
	'SELECT * FROM wide WHERE k IN (1, 2, 3)',
	'SELECT * FROM wide WHERE k = ANY (ARRAY[1, NULL, 1, 2, 1, 5000])',
	'SELECT * FROM wide WHERE k = ANY (ARRAY[1, 5000000000, 2]::bigint[])',
	'SELECT * FROM wide WHERE k = ANY (ARRAY[1, 2.5, 3]::numeric[])',
	'SELECT * FROM wide WHERE k = ANY (''{}''::int[])',
	'SELECT * FROM wide WHERE k = ANY (NULL::int[])',
	'SELECT * FROM wide WHERE k IN (99, 21, 1)',
	'SELECT * FROM wide WHERE k IN (1, 21) AND c IN (1, 2, 2)',
	'SELECT * FROM wide WHERE k IN (1, 21) AND c = 1 AND d IN (1, 3, 5)',
	'SELECT * FROM wide WHERE k IN (1, 21) AND c IN (1, 2) AND d > 1',
	'SELECT * FROM wide WHERE k IN (1, 99) AND c > 0',
	'SELECT * FROM wide WHERE k IN (1, 99) AND c < 5000000000',
	'SELECT * FROM wide WHERE k = ANY (ARRAY(SELECT i FROM generate_series(-50, 50) i))',
	'SELECT v FROM pairs WHERE a IN (''x'', ''z'', '''', NULL) AND b IN (1, 2, 7)',
	'SELECT v FROM pairs WHERE a = ANY (ARRAY[''x'', repeat(''y'', 70000)]) AND b = 2',
	'SELECT count(*) FROM wide WHERE k IN (1, 2, 3)']) q;

-- of the last column up to a hundred values go with a request
SELECT asked('SELECT v FROM wide WHERE k = 1 AND c = ANY (ARRAY(SELECT i FROM generate_series(1, 200) i))'
	' AND d = ANY (ARRAY(SELECT i FROM generate_series(2, 200) i))');
-- more combinations in a partition than are asked for: the last column is checked here
SELECT asked('SELECT v FROM wide WHERE k = 1 AND c = ANY (ARRAY(SELECT i FROM generate_series(1, 200) i))'
	' AND d = ANY (ARRAY(SELECT i FROM generate_series(2, 5200) i))');
SELECT differences('SELECT v FROM wide WHERE k IN (1, 2) AND c = ANY (ARRAY(SELECT i FROM generate_series(3, 200) i))'
	' AND d = ANY (ARRAY(SELECT i FROM generate_series(2, 5200) i))') AS "0";

---- OR: a row is given once

SELECT asked('SELECT v FROM wide WHERE k = 1 OR k = 2 AND c = 1');
SELECT differences(q) AS "0", q FROM unnest(ARRAY[
	'SELECT * FROM wide WHERE k = 1 OR k = 2',
	'SELECT * FROM wide WHERE k = 1 OR k = 1 AND c = 1',
	'SELECT * FROM wide WHERE k = 1 AND c = 1 OR k = 1 AND c < 3 OR k IN (1, 2) AND c = 2',
	'SELECT * FROM wide WHERE k = 1 AND c > 1 OR k = 1 AND c < 3',
	'SELECT * FROM wide WHERE k = NULL OR k = 2',
	'SELECT * FROM wide WHERE k = 5000000000 OR k = 2',
	'SELECT * FROM wide WHERE (k = 1 OR k = 21) AND v <> ''five''',
	'SELECT * FROM wide WHERE k = 21 AND c = 1 OR k = 21 AND d = 6 AND c = 2']) q;

---- rows of values, the token

PREPARE later(int, int, int) AS SELECT c, d FROM wide WHERE k = $1 AND (c, d) > ($2, $3) ORDER BY c, d;
EXECUTE later(1, 3, 2);
EXECUTE later(1, 3, NULL);
EXECUTE later(1, NULL, 2);
EXECUTE later(21, 1, 0);
DEALLOCATE later;
SELECT asked('SELECT v FROM wide WHERE k = 1 AND (c, d) > (3, NULL::int)');
SELECT differences(q) AS "0", q FROM unnest(ARRAY[
	'SELECT * FROM wide WHERE k = 1 AND (c, d) > (2, 2)',
	'SELECT * FROM wide WHERE k = 1 AND (c, d) <= (2, 2)',
	'SELECT * FROM wide WHERE k = 1 AND (c, d) > (2, 5000000000)',
	'SELECT * FROM wide WHERE k = 1 AND (c, d) < (5000000000, 1)',
	'SELECT * FROM wide WHERE k = 1 AND (c, d) > (2.5, 1)',
	'SELECT * FROM wide WHERE k = 21 AND (c, d) >= (1, 5)',
	'SELECT * FROM wide WHERE k = 21 AND (c, d) < (2, 1)',
	'SELECT v FROM wide WHERE k = 21 AND (c, d) < (2, 2.5)',
	'SELECT v FROM wide WHERE k = 1 AND (c, d) < (2, 2.5)',
	'SELECT * FROM wide WHERE k IN (1, 99) AND (c, d) < (5000000000, 1)',
	'SELECT * FROM wide WHERE tok > -9223372036854775808',
	'SELECT * FROM wide WHERE tok >= -9223372036854775808',
	'SELECT * FROM wide WHERE tok < -9223372036854775808',
	'SELECT * FROM wide WHERE tok <= -9223372036854775808',
	'SELECT * FROM wide WHERE tok <= 9223372036854775807',
	'SELECT * FROM wide WHERE tok > 9223372036854775807',
	'SELECT * FROM wide WHERE tok > 9223372036854775807::numeric + 1',
	'SELECT * FROM wide WHERE tok > 0 AND tok <= 4000000000000000000',
	'SELECT * FROM wide WHERE tok > 100 AND tok <= 50',
	'SELECT * FROM wide WHERE tok > 100 AND tok <= 100',
	'SELECT * FROM wide WHERE tok <= 0',
	'SELECT * FROM wide WHERE tok = (SELECT tok FROM wide_local WHERE k = 7 LIMIT 1)']) q;

---- parameters: a cached plan runs again with other values, other users of it, changes between

PREPARE several(int[]) AS SELECT count(*), sum(c) FROM wide WHERE k = ANY ($1);
SET plan_cache_mode = force_generic_plan;
EXECUTE several('{1,2,3}');
EXECUTE several('{1}');
EXECUTE several('{}');
EXECUTE several(NULL);
EXECUTE several('{1,1,NULL,77}');
SELECT array_agg(i) AS keys FROM generate_series(-1000, 1000) i \gset
EXECUTE several(:'keys');
EXECUTE several('{2,3}');
PREPARE one(int, int) AS SELECT d FROM wide WHERE k = $1 AND c = $2 ORDER BY d;
EXECUTE one(1, 1);
EXECUTE one(2, 2);
EXECUTE one(2, NULL);
EXECUTE one(2, 2);
-- a plan inside of itself
CREATE FUNCTION depth(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	item record;
	total int := 0;
BEGIN
	FOR item IN SELECT c, d FROM wide WHERE k = n AND c = 1 LOOP
		total := total + item.d + CASE WHEN n > 1 THEN depth(n - 1) ELSE 0 END;
	END LOOP;
	RETURN total;
END
$$;
SELECT depth(1), depth(2), depth(3), depth(3);
-- an error in the middle, then again
CREATE FUNCTION divide(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	total int := 0;
	item record;
BEGIN
	FOR item IN SELECT c, d FROM wide WHERE k = n LOOP
		total := total + 10 / (item.d - CASE WHEN n = 3 THEN 2 ELSE 0 END);
	END LOOP;
	RETURN total;
EXCEPTION WHEN division_by_zero THEN
	RETURN -1;
END
$$;
SELECT divide(1), divide(2), divide(3), divide(3), divide(4), divide(1);
-- another table of that name and another setting between two executions
SET scylla_fdw.read_consistency = 'local_one';
EXECUTE one(1, 2);
RESET scylla_fdw.read_consistency;
ALTER FOREIGN TABLE wide OPTIONS (ADD fetch_size '2');
EXECUTE one(1, 3);
SELECT scylla_disconnect('fanout_server');
EXECUTE one(1, 4);
CREATE TYPE unrelated AS (x int);
EXECUTE one(1, 1);
DEALLOCATE ALL;
RESET plan_cache_mode;

---- rescans, cursors, locked rows

CREATE TABLE pick (i int, keys int[]);
INSERT INTO pick VALUES (1, '{1,2}'), (2, '{2,2}'), (3, NULL), (4, '{99}');
SELECT i, (SELECT count(*) FROM wide w WHERE w.k = ANY (keys)) FROM pick ORDER BY i;
SELECT p.i, x.n FROM pick p, LATERAL (SELECT count(*) AS n FROM wide w WHERE w.k = ANY (p.keys) AND w.c = 1) x ORDER BY i;
SELECT p.i, w.k, w.c, w.d FROM pick p JOIN wide w ON w.k = p.i AND w.c = 2 WHERE p.i < 3 ORDER BY 1, 2, 3, 4;
SELECT count(*) FROM pick p WHERE EXISTS (SELECT FROM wide w WHERE w.k IN (p.i, p.i + 1));
BEGIN;
DECLARE back SCROLL CURSOR FOR SELECT k, c, d FROM wide WHERE k IN (1, 2) AND c = 1 ORDER BY k, d;
FETCH 2 FROM back;
FETCH LAST FROM back;
FETCH BACKWARD 3 FROM back;
FETCH FIRST FROM back;
DECLARE held CURSOR WITH HOLD FOR SELECT k, c FROM wide WHERE k IN (1, 2) ORDER BY k, c, d;
FETCH 1 FROM held;
COMMIT;
FETCH 2 FROM held;
CLOSE held;
BEGIN;
SELECT p.i, w.d FROM pick p JOIN wide w ON w.k = p.i AND w.c = 1 WHERE p.i IN (1, 2) ORDER BY 1, 2 FOR UPDATE OF p;
UPDATE pick SET i = i + 10 FROM wide w WHERE w.k = pick.i AND w.c = 1 AND w.d = 3;
SELECT i FROM pick ORDER BY i;
ROLLBACK;

CALL end_topic('fanout');
