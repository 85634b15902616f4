-- Appends that ask several foreign tables at once, of one server and of two.
\set VERBOSITY terse
CALL begin_topic('append', $$fetch_size '10'$$);
CALL make_server('append_two', 'append', $$fetch_size '7'$$);
DO $$
BEGIN
	PERFORM scylla_execute('append_server', format('CREATE TABLE fdw_append.%s (k int, c int, v text, '
		'PRIMARY KEY (k, c))', name)) FROM unnest('{a,b,c}'::text[]) AS name;
END
$$;
CREATE TABLE item (k int NOT NULL, c int NOT NULL, v text) PARTITION BY LIST (k);
CREATE FOREIGN TABLE item_a PARTITION OF item FOR VALUES IN (1, 2, 3) SERVER append_server OPTIONS (table 'a');
CREATE FOREIGN TABLE item_b PARTITION OF item FOR VALUES IN (4, 5) SERVER append_server OPTIONS (table 'b');
CREATE FOREIGN TABLE item_c PARTITION OF item FOR VALUES IN (6, 7) SERVER append_two OPTIONS (table 'c');
CREATE TABLE item_local PARTITION OF item FOR VALUES IN (8, 9);
CREATE TABLE copy AS SELECT k, c, 'v' || k * c AS v FROM generate_series(1, 9) k, generate_series(1, 20 + k) c;
INSERT INTO item SELECT * FROM copy;
ANALYZE item_local, copy;

CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('EXPLAIN (COSTS OFF) %s', query);
END
$$;
CREATE FUNCTION differences(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT string_agg(line, '') NOT LIKE '%Async Foreign Scan%' FROM explain(query) line) THEN
		RETURN NEXT 'not asynchronous: ' || query;
	END IF;
	RETURN QUERY SELECT differences_of(query, regexp_replace(query, '\mitem\M', 'copy', 'g'));
END
$$;

---- plans
SELECT explain('SELECT * FROM item');
SELECT explain('SELECT * FROM item WHERE k IN (1, 4, 6) AND c < 5');
SELECT explain('SELECT v FROM item_a UNION ALL SELECT v FROM item_c UNION ALL SELECT v || v FROM item_b WHERE v > ''v2''');
-- what has to come in an order waits for all
SELECT explain('SELECT * FROM item WHERE k = 1 OR k = 4 ORDER BY c LIMIT 5');
-- lookups for the rows of another table
SELECT explain('SELECT l.k, i.v FROM (SELECT DISTINCT k FROM copy WHERE c = 21) l, LATERAL (SELECT * FROM item WHERE k = l.k AND c = 2 OFFSET 0) i');
ALTER FOREIGN TABLE item_a OPTIONS (async_capable 'false');
ALTER SERVER append_two OPTIONS (async_capable 'false');
SELECT explain('SELECT * FROM item');
ALTER FOREIGN TABLE item_a OPTIONS (DROP async_capable);
ALTER SERVER append_two OPTIONS (DROP async_capable);
SET enable_async_append = off;
SELECT explain('SELECT * FROM item');
RESET enable_async_append;

---- rows
SELECT differences('SELECT * FROM item');
SELECT differences('SELECT count(*), sum(c), max(v) FROM item');
SELECT differences('SELECT * FROM item WHERE k IN (1, 4, 6, 8) AND c < 5');
SELECT differences('SELECT k, c FROM item WHERE c % 19 = 0');
SELECT differences('SELECT * FROM item WHERE v LIKE ''nothing%''');
SELECT differences('SELECT v FROM item WHERE k IN (2, 5) UNION ALL SELECT c::text FROM item WHERE k = 7');
SELECT differences('SELECT i.k, j.c FROM item i JOIN item j USING (k, c) WHERE i.c < 3');
SELECT differences('SELECT k, (SELECT count(*) FROM item WHERE c <= o.k) FROM copy o WHERE c = 1');
SELECT differences('SELECT l.k, i.v FROM copy l, LATERAL (SELECT * FROM item WHERE k = l.k AND c = 2 OFFSET 0) i WHERE l.c = 3');
-- one of them waits while others are read to their ends; rows are left
SELECT count(*) FROM (SELECT * FROM item LIMIT 45) x;
SELECT count(*) FROM (SELECT * FROM item WHERE c > 1 OFFSET 30) x;
SELECT g, (SELECT count(*) FROM (SELECT v FROM item WHERE c > g LIMIT 30) x) FROM generate_series(20, 30, 3) g;
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT g, count(*) FROM generate_series(1, 3) g LEFT JOIN item ON length(v) = g + 1 GROUP BY g ORDER BY g;
SELECT g, count(*) FROM generate_series(1, 3) g LEFT JOIN copy ON length(v) = g + 1 GROUP BY g ORDER BY g;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;
BEGIN;
DECLARE part CURSOR FOR SELECT v FROM item_a UNION ALL SELECT v FROM item_c;
MOVE 30 IN part;
SELECT count(*) FROM item;
DO $$
DECLARE
	part refcursor := 'part';
	count bigint;
BEGIN
	MOVE FORWARD ALL IN part;
	GET DIAGNOSTICS count = ROW_COUNT;
	RAISE NOTICE '% left of %', count, (SELECT count(*) FROM copy WHERE k IN (1, 2, 3, 6, 7));
END
$$;
COMMIT;
-- a statement inside of another one
SELECT k, (SELECT max(v) FROM item x WHERE x.c = i.c AND x.k IN (1, 4, 6)) IS NOT NULL AS is_found, count(*)
	FROM item i WHERE c > 21 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT k, (SELECT max(v) FROM copy x WHERE x.c = i.c AND x.k IN (1, 4, 6)) IS NOT NULL AS is_found, count(*)
	FROM copy i WHERE c > 21 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT count(*) FROM item i WHERE EXISTS (SELECT FROM item x WHERE x.k IN (1, 6) AND x.c = i.c + 1 OFFSET 0);
SELECT count(*) FROM copy i WHERE EXISTS (SELECT FROM copy x WHERE x.k IN (1, 6) AND x.c = i.c + 1 OFFSET 0);

---- aggregates of each, at once
SET enable_partitionwise_aggregate = on;
SELECT explain('SELECT count(*), max(c) FROM item');
SELECT differences('SELECT count(*), max(c) FROM item');
SELECT explain('SELECT k, count(*), max(c) FROM item GROUP BY k');
SELECT differences('SELECT k, count(*), max(c) FROM item GROUP BY k');
SELECT differences('SELECT k, count(*) FROM item WHERE k IN (1, 4, 77) GROUP BY k');
RESET enable_partitionwise_aggregate;

---- errors of one of them
ALTER FOREIGN TABLE item_b OPTIONS (full_scan 'deny');
SELECT count(*) FROM item;
ALTER FOREIGN TABLE item_b OPTIONS (DROP full_scan);
SELECT scylla_execute('append_server', 'DROP TABLE fdw_append.b');
SELECT count(*) FROM item;
\echo :LAST_ERROR_SQLSTATE
SELECT count(*) FROM item WHERE k IN (1, 7);
SELECT sum(in_flight) FROM scylla_connections;

CALL end_topic('append');
DROP SERVER append_two;
