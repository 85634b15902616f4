-- Ways into a table at their edges: rows that are asked for twice, scans that are begun again
-- without having asked, bounds of text under what the server counts, views of another key order.
\set VERBOSITY terse
SET client_min_messages = error; -- Cassandra warns of views
CALL begin_topic('ways');
DO $$
DECLARE
	text_of text;
BEGIN
	FOREACH text_of IN ARRAY ARRAY[
		'CREATE TABLE fdw_ways.t (k int, c int, v int, PRIMARY KEY (k, c))',
		'CREATE TABLE fdw_ways.note (k int PRIMARY KEY, title text, body blob, kind text)',
		'CREATE TABLE fdw_ways.shelf (k int, c int, at decimal, v int, names frozen<list<text>>, counts map<text, int>, '
			'marks map<text, text>, flags frozen<map<text, boolean>>, PRIMARY KEY (k, c, at))',
		'CREATE INDEX shelf_c ON fdw_ways.shelf (c) USING ''sai''',
		'CREATE INDEX shelf_v ON fdw_ways.shelf (v)',
		'CREATE INDEX shelf_counts ON fdw_ways.shelf (entries(counts))',
		'CREATE MATERIALIZED VIEW fdw_ways.note_by_title AS SELECT * FROM fdw_ways.note WHERE title IS NOT NULL '
			'AND k IS NOT NULL PRIMARY KEY (title, k)',
		'CREATE MATERIALIZED VIEW fdw_ways.note_by_kind AS SELECT k, kind, body FROM fdw_ways.note '
			'WHERE kind IS NOT NULL AND k IS NOT NULL PRIMARY KEY ((k, kind))',
		'CREATE TABLE fdw_ways.price (amount decimal PRIMARY KEY, v int)',
		'CREATE MATERIALIZED VIEW fdw_ways.price_by_v AS SELECT * FROM fdw_ways.price WHERE v IS NOT NULL '
			'AND amount IS NOT NULL PRIMARY KEY (v, amount)',
		'CREATE TABLE fdw_ways.part (k int, c int, s text STATIC, PRIMARY KEY (k, c))',
		'CREATE TABLE fdw_ways.word (k int, w text, PRIMARY KEY (k, w))',
		'CREATE TABLE fdw_ways.m (k int, c1 int, c2 int, v int, a int, b int, PRIMARY KEY (k, c1, c2))',
		'CREATE INDEX m_a ON fdw_ways.m (a)', 'CREATE INDEX m_b ON fdw_ways.m (b)',
		'CREATE MATERIALIZED VIEW fdw_ways.m_by_v AS SELECT * FROM fdw_ways.m WHERE v IS NOT NULL '
			'AND k IS NOT NULL AND c1 IS NOT NULL AND c2 IS NOT NULL PRIMARY KEY (v, c1, k, c2)']
	LOOP
		PERFORM scylla_execute('ways_server', text_of);
	END LOOP;
	CALL await_built('ways_server', 'fdw_ways', '{m_by_v,note_by_title,note_by_kind,price_by_v}', 5);
	PERFORM scylla_execute('ways_server', 'INSERT INTO fdw_ways.t (k, c) VALUES (1, blobAsInt(0x))');
END
$$;
IMPORT FOREIGN SCHEMA fdw_ways FROM SERVER ways_server INTO ways_test;
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

-- A view has no partition of an empty key, nor of one that is too long, though the table has such
-- values: then the table is read.
INSERT INTO note (k, title, body, kind) VALUES (1, '', '\x'::bytea, 'a'), (2, 'x', '\x01', ''), (3, NULL, '\x02', 'b'),
	(4, repeat('x', 70000), '\x03', NULL);
PREPARE titled(text) AS SELECT k FROM note WHERE title = $1;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE titled('');
EXECUTE titled('');
EXECUTE titled('x');
EXECUTE titled(repeat('x', 70000));
EXECUTE titled(NULL);
RESET plan_cache_mode;
SELECT k, length(title) FROM note WHERE title IN ('', 'x', repeat('x', 70000)) ORDER BY k;
SELECT k FROM note WHERE title = '' AND body = '\x' LIMIT 1;
-- in a key of several columns an empty one is a value
SELECT k FROM note WHERE k = 2 AND kind = '';
ALTER FOREIGN TABLE note OPTIONS (ADD full_scan 'deny');
EXECUTE titled('x');
EXECUTE titled('');
ALTER FOREIGN TABLE note OPTIONS (DROP full_scan);

-- What is found by an index is not sorted against the table's order, and a filter on an indexed
-- column is such a way: the reversed order goes without filters.
INSERT INTO shelf (k, c, at, v, names, counts, marks, flags) VALUES
	(1, 1, 1.0, 7, '{a,b}'::text[], '{"a": 1, "b": 2}'::jsonb, '{"a": "1"}'::jsonb, '{"a": true}'::jsonb),
	(1, 1, 1.5, 7, '{b}', '{"a": 2}', '{"b": "1"}', '{"a": false}'),
	(1, 2, 2, 7, '{a}', '{"b": 2}', '{"a": "x"}', '{"b": true}'),
	(2, 1, 1.00, 8, NULL, NULL, NULL, NULL);
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, at FROM shelf WHERE k = 1 AND v = 7 ORDER BY c, at;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, at FROM shelf WHERE k = 1 AND v = 7 ORDER BY c DESC;
SET enable_sort = off;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, at FROM shelf WHERE k = 1 AND v = 7 ORDER BY c DESC;
SELECT c, at FROM shelf WHERE k = 1 AND v = 7 ORDER BY c DESC;
SELECT c, at FROM shelf WHERE k = 1 AND c = 1 AND at > 0 AND v = 7 ORDER BY at DESC;
RESET enable_sort;

-- a view gives its own order, forward or reversed, and LIMIT; where the table is read, it is sorted
INSERT INTO note (k, title) VALUES (5, 'x'), (6, 'x'), (7, '');
EXPLAIN (VERBOSE, COSTS OFF) SELECT k FROM note WHERE title = 'x' ORDER BY k DESC LIMIT 2;
SELECT k FROM note WHERE title = 'x' ORDER BY k DESC LIMIT 2;
SELECT k, title FROM note WHERE title IN ('x', 'y') ORDER BY k;
EXPLAIN (VERBOSE, COSTS OFF) SELECT k FROM note WHERE title = '' ORDER BY k LIMIT 1;
SELECT k FROM note WHERE title = '' ORDER BY k LIMIT 1;
SELECT k FROM note WHERE title IN ('', 'x') ORDER BY k DESC;

-- why the rest stays here
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM note WHERE title = 'x';
SELECT count(*) FROM note WHERE title = '';
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM t WHERE k = 1 AND c = 1 OR k = 2 AND c > 5;
SELECT count(*) FROM t WHERE k = 1 AND c = 1 OR k = 2 AND c > 5;
EXPLAIN (VERBOSE, COSTS OFF) SELECT v, count(*) FROM t WHERE k = 1 GROUP BY v;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c FROM shelf WHERE v = 7 ORDER BY c;

-- static columns are not selected alone where clustering ones are restricted
INSERT INTO part (k, c, s) VALUES (1, 1, 'a'), (1, 2, 'a'), (2, 1, NULL);
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(s) FROM part WHERE k = 1 AND c = 2;
SELECT count(s), max(s) FROM part WHERE k = 1 AND c = 2;
SELECT count(s) FROM part WHERE k = 1;
SELECT k, count(s) FROM part WHERE k IN (1, 2) AND c = 1 GROUP BY k ORDER BY k;

-- of a frozen collection SAI knows the whole alone
SELECT c, at FROM shelf WHERE c = 1 AND 'b' = ANY (names) ORDER BY at;

-- IN of what is found by order, in ranges of one value
EXPLAIN (VERBOSE, COSTS OFF) SELECT at FROM shelf WHERE k = 1 AND c = 1 AND at IN (1, 1.50, NULL, 7);
SELECT at FROM shelf WHERE k = 1 AND c = 1 AND at IN (1, 1.50, NULL, 7) ORDER BY at;
SELECT k, at FROM shelf WHERE k IN (1, 2) AND c = 1 AND at IN (1.000, 1) ORDER BY k;

-- values of a clustering column go together, but where a collection is selected; in any order
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, at FROM shelf WHERE k = 1 AND c IN (2, 1, NULL, 1) ORDER BY c;
SELECT c, at FROM shelf WHERE k = 1 AND c IN (2, 1, NULL, 1) ORDER BY c;
SELECT k, c FROM shelf WHERE k IN (2, 1) AND c IN (2, 1) AND at < 2 ORDER BY c DESC, k LIMIT 2;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, counts FROM shelf WHERE k = 1 AND c IN (2, 1);
SELECT c, counts FROM shelf WHERE k = 1 AND c IN (2, 1) ORDER BY c, counts;
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, names FROM shelf WHERE k = 1 AND c IN (2, 1);
SELECT c, names FROM shelf WHERE k = 1 AND c IN (2, 1) ORDER BY c, names;
SELECT c FROM t WHERE k = 1 AND c = ANY (ARRAY(SELECT generate_series(-500, 500))) ORDER BY c DESC;
DELETE FROM t WHERE k = 2 AND c IN (6, 9);
SELECT k, c FROM t WHERE k = 2;
INSERT INTO t VALUES (2, 6, 26);

-- entries of maps, by an index and as filters
EXPLAIN (VERBOSE, COSTS OFF) SELECT c, at FROM shelf WHERE counts -> 'a' = '1';
SELECT c, at FROM shelf WHERE counts -> 'a' = '1';
SELECT c, at FROM shelf WHERE counts ->> 'a' = '1';
SELECT c, at FROM shelf WHERE (counts ->> 'b')::int = 2 ORDER BY c;
SELECT c, at FROM shelf WHERE counts['b'] = '2.0' AND k = 1 ORDER BY c;
SELECT c, at FROM shelf WHERE counts @> '{"a": 1.0, "b": 2}';
SELECT c, at FROM shelf WHERE counts @> '{"a": 1.5}';
SELECT c, at FROM shelf WHERE counts @> '{"a": "1"}';
SELECT c, at FROM shelf WHERE counts -> 'a' = '5000000000';
SELECT c, at FROM shelf WHERE marks ->> 'a' = '1' OR marks ->> 'b' = '1' ORDER BY at;
SELECT c, at FROM shelf WHERE marks @> '{"a": "x"}';
SELECT c, at FROM shelf WHERE flags -> 'a' = 'true';
PREPARE marked(text, text) AS SELECT c, at FROM shelf WHERE marks ->> $1 = $2;
SET plan_cache_mode = force_generic_plan;
EXECUTE marked('a', 'x');
EXECUTE marked('a', NULL);
EXECUTE marked(NULL, 'x');
EXECUTE marked(repeat('a', 70000), 'x');
RESET plan_cache_mode;

-- a view sorted by the table's partition key has one row for numbers that differ in scale alone
INSERT INTO price VALUES (1.0, 1), (1.00, 1), (2, 1);
SELECT amount FROM price WHERE v = 1 ORDER BY amount, scale(amount);

-- local columns that show one remote column: one condition on it is sent, the others are checked here
CREATE FOREIGN TABLE m_twice (k int, k_too bigint OPTIONS ("column" 'k'), c1 int, c1_too int OPTIONS ("column" 'c1'),
	c2 int, v int, v_too bigint OPTIONS ("column" 'v')) SERVER ways_server OPTIONS ("table" 'm');
EXPLAIN (VERBOSE, COSTS OFF) SELECT k, k_too, c1, c2 FROM m_twice WHERE k = 1 AND k_too = 2;
SELECT k, k_too, c1, c2 FROM m_twice WHERE k = 1 AND k_too = 2;
SELECT k, k_too, c1, c2 FROM m_twice WHERE k_too = 1 AND k IN (1, 2) AND c1 = 1 AND c1_too > 0 ORDER BY c2;
SELECT k, c1, c2 FROM m_twice WHERE k = 1 AND c1 > 0 AND c1_too >= 2 ORDER BY c2;
SELECT k, c1, c2, v_too FROM m_twice WHERE v = 1 AND v_too = 1 AND k = 1 ORDER BY c1, c2;
SELECT count(*) FROM m_twice WHERE v = 1 AND v_too = 0;
SELECT i, t.k, t.k_too FROM generate_series(1, 3) i JOIN m_twice t ON t.k = i AND t.k_too = 3 AND c1_too = 1 AND c2 = 1;

CALL end_topic('ways');
