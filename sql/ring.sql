-- Scans of the whole ring in pieces: what is asked, and that every row comes exactly once.
\set VERBOSITY terse
CALL begin_topic('ring', $$fetch_size '50'$$);
DO $$
BEGIN
	PERFORM scylla_execute('ring_server', 'CREATE TABLE fdw_ring.item ("K" int, l text, c int, v text, '
		's int static, PRIMARY KEY (("K", l), c))');
	PERFORM scylla_execute('ring_server', 'CREATE TABLE fdw_ring.small (k int PRIMARY KEY, v int)');
END
$$;
IMPORT FOREIGN SCHEMA fdw_ring FROM SERVER ring_server INTO ring_test;
CREATE TABLE copy AS SELECT k AS "K", 'l' || k % 7 AS l, c, NULL::int AS s, 'v' || k * c AS v
	FROM generate_series(1, 400) k, generate_series(1, 1 + k % 4) c;
INSERT INTO item ("K", l, c, v) SELECT "K", l, c, v FROM copy;
-- a partition of a static column alone
INSERT INTO item ("K", l, s) VALUES (0, 'static', 1);
INSERT INTO copy ("K", l, s) VALUES (0, 'static', 1);
INSERT INTO small SELECT g, g FROM generate_series(1, 60) g;

-- Rows that only one of the two has, with their number: none if the query gives what the copy does.
CREATE FUNCTION differences(query text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT differences_of(query, regexp_replace(query, '\mitem\M', 'copy', 'g'))
$$;
-- What a query asks: requests, pages, rows.
CREATE FUNCTION asked(query text, OUT requests int, OUT pages int, OUT rows int) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) ' || query INTO plan;
	SELECT sum((n->>'Requests')::int), sum((n->>'Pages')::int), sum((n->>'Rows Received')::int)
		INTO requests, pages, rows
		FROM jsonb_path_query(plan, 'strict $.** ? (exists (@."Requests"))') n;
END
$$;

CREATE FUNCTION count_left(rows refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	count bigint;
BEGIN
	MOVE FORWARD ALL IN rows;
	GET DIAGNOSTICS count = ROW_COUNT;
	RETURN count;
END
$$;

---- nothing is known of the tables yet, so they are asked for as wholes
SELECT explain('SELECT * FROM item');
SELECT pages > 15 AS is_many, rows FROM asked('SELECT * FROM item');
ANALYZE item, small;
-- now one is large, and the other is a page or two
SELECT explain('SELECT * FROM item');
SELECT explain('SELECT * FROM small');
SELECT * FROM asked('SELECT * FROM small');
-- most of them a page
SELECT requests BETWEEN 23 AND 40 AS is_in_pieces, rows FROM asked('SELECT * FROM item');

---- every row once
SELECT differences('SELECT * FROM item');
SELECT differences('SELECT "K", s FROM item');
SELECT differences('SELECT c FROM item WHERE c > 2');
SELECT explain('SELECT c FROM item WHERE c > 2');
SELECT differences('SELECT * FROM item WHERE v < ''v3'' OR "K" % 7 = 3');
SELECT differences('SELECT count(*), sum(length(v)), max("K") FROM item');
SELECT differences('SELECT DISTINCT "K", l, s FROM item');
SELECT explain('SELECT DISTINCT "K", l, s FROM item');
SELECT differences('SELECT i.v, j.c FROM item i JOIN item j USING ("K", l, c)');
SET scylla_fdw.enable_pushdown = off;
SELECT differences('SELECT * FROM item WHERE c = 2');
RESET scylla_fdw.enable_pushdown;

---- the first rows alone
SELECT explain('SELECT * FROM item LIMIT 20');
SELECT requests <= 2 AS is_cheap FROM asked('SELECT * FROM item LIMIT 20');
SELECT count(*) FROM (SELECT * FROM item LIMIT 700) x;
SELECT count(*) FROM (SELECT * FROM item OFFSET 300 LIMIT 100000) x;
PREPARE part(bigint) AS SELECT count(*) FROM (SELECT "K", l, c FROM item LIMIT $1) x;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE part(3);
EXECUTE part(3);
EXECUTE part(400);
EXECUTE part(NULL);
EXECUTE part(0);
RESET plan_cache_mode;

---- again, and in part
SELECT g, (SELECT count(*) FROM item WHERE c > g AND length(v) > 0) FROM generate_series(0, 4) g;
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT g, count(*) FROM generate_series(1, 3) g LEFT JOIN item ON length(v) = g + 1 GROUP BY g ORDER BY g;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;
SELECT EXISTS (SELECT FROM item WHERE length(v) > 3), EXISTS (SELECT FROM item WHERE length(v) > 30);
BEGIN;
DECLARE forward NO SCROLL CURSOR FOR SELECT * FROM item;
DECLARE scroll SCROLL CURSOR FOR SELECT "K", l, c FROM item;
MOVE 333 IN forward;
MOVE 500 IN scroll;
MOVE BACKWARD 200 IN scroll;
SELECT count_left('forward'), count_left('scroll');
MOVE ABSOLUTE 0 IN scroll;
SELECT count_left('scroll');
COMMIT;
BEGIN;
DECLARE left_early CURSOR FOR SELECT * FROM item;
MOVE 10 IN left_early;
COMMIT;
SELECT sum(in_flight) FROM scylla_connections;

---- a table of one row in many pieces; option full_scan
SELECT scylla_execute('ring_server', 'TRUNCATE fdw_ring.item');
INSERT INTO item ("K", l, c, v) VALUES (1, 'a', 1, 'x');
SELECT "K", l, c, v FROM item;
ALTER FOREIGN TABLE item OPTIONS (full_scan 'warn');
SELECT count(v) FROM item WHERE length(v) > 0;
ALTER FOREIGN TABLE item OPTIONS (SET full_scan 'deny');
SELECT v FROM item;

CALL end_topic('ring');
