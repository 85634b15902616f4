-- DELETE of whole partitions and of ranges in them, as one CQL statement each.
CALL begin_topic('direct_delete');
-- The CQL text of a DELETE without reading; NULL where rows are read.
CREATE FUNCTION direct(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	is_direct bool = false;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || statement LOOP
		is_direct = is_direct OR line LIKE '%Foreign Delete on%';
		IF is_direct AND line LIKE '%Remote CQL: %' THEN
			RETURN split_part(line, 'Remote CQL: ', 2);
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
\pset format unaligned
\pset null ~
\pset footer off
SELECT cql('CREATE TABLE fdw_direct_delete.t (p int, c int, d int, s text static, v int, PRIMARY KEY (p, c, d))');
SELECT cql('CREATE TABLE fdw_direct_delete.words (a int, b text, w text, n decimal, v int, PRIMARY KEY ((a, b), w, n))');
SELECT cql('CREATE TABLE fdw_direct_delete.small (p int, c smallint, s int static, PRIMARY KEY (p, c))');
SELECT cql('CREATE TABLE fdw_direct_delete.hits (k int, day int, n counter, PRIMARY KEY (k, day))');
CREATE FOREIGN TABLE t (p int, c int, d int, s text, v int) SERVER direct_delete_server;
CREATE FOREIGN TABLE words (a int, b text, w text COLLATE "C", n numeric, v int) SERVER direct_delete_server;
CREATE FOREIGN TABLE small (p int, c smallint, s int) SERVER direct_delete_server;
CREATE FOREIGN TABLE hits (k int, day int, n bigint) SERVER direct_delete_server;
CREATE PROCEDURE fill() LANGUAGE sql AS $$
	DELETE FROM t;
	INSERT INTO t (p, c, d, v) SELECT p, c, d, p * 100 + c * 10 + d
		FROM generate_series(1, 4) p, generate_series(1, 4) c, generate_series(1, 2) d;
$$;
CREATE VIEW counts AS SELECT p, count(*) FILTER (WHERE c IS NOT NULL) AS rows, min(c), max(c), max(s) AS s FROM t
	GROUP BY p ORDER BY p;

---- the row count is told: rows are read and deleted one by one, unless the option says otherwise

CALL fill();
SELECT direct('DELETE FROM t WHERE p = 1');
SELECT tag('DELETE FROM t WHERE p = 1');
ALTER SERVER direct_delete_server OPTIONS (ADD direct_delete 'true');
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM t WHERE p = 1;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM t WHERE p IN (2, 3) AND c = 2 AND d > 1;
SELECT tag('DELETE FROM t WHERE p IN (2, 3) AND c = 2 AND d > 1'), tag('DELETE FROM t WHERE p = 4'),
	tag('DELETE FROM t WHERE p = 99');
SELECT * FROM counts;
SELECT c, d FROM t WHERE p = 3 AND c = 2;

---- what the texts say

SELECT direct('DELETE FROM t WHERE p = 1 AND c >= 2 AND c < 4');
SELECT direct('DELETE FROM t WHERE p = 1 AND c = 2 AND d = 1');
SELECT direct('DELETE FROM t WHERE p = 1 AND c IN (1, 2) AND d = ANY (ARRAY[1, 2])');
SELECT direct('DELETE FROM t WHERE c BETWEEN 1 AND 2 AND p = abs(-1)');
-- a value that is empty sorts first in CQL and is NULL here, so it has to be kept out
SELECT direct('DELETE FROM t WHERE p = 1 AND c < 4');
SELECT direct('DELETE FROM words WHERE a = 1 AND b = ''x'' AND w < ''m''');
SELECT direct('DELETE FROM words WHERE a = 1 AND b IN (''x'', ''y'')');

---- rows that only PostgreSQL can tell or has to see are read

CREATE FUNCTION keep_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
SELECT direct('DELETE FROM t'), direct('DELETE FROM t WHERE c = 1'), direct('DELETE FROM t WHERE p > 1');
SELECT direct('DELETE FROM t WHERE p = 1 AND v = 2'), direct('DELETE FROM t WHERE p = 1 AND d = 2'),
	direct('DELETE FROM t WHERE p = 1 AND c <> 2'), direct('DELETE FROM t WHERE p = 1 AND s IS NULL');
SELECT direct('DELETE FROM t WHERE p = 1 OR p = 2 AND c = 3'), direct('DELETE FROM t WHERE p = 1 AND (c, d) > (1, 2)');
SELECT direct('DELETE FROM words WHERE a = 1 AND b = ''x'' AND w = ''w'' AND n = 1'), direct('DELETE FROM words WHERE a = 1');
SELECT direct('DELETE FROM t WHERE p = 1 RETURNING c'), direct('DELETE FROM t USING (VALUES (1), (2)) l (p) WHERE t.p = l.p');
SELECT direct('DELETE FROM t WHERE p = 1 AND random() > 2'), direct('DELETE FROM t WHERE p = (random() * 2)::int');
SET scylla_fdw.enable_pushdown = off;
SELECT direct('DELETE FROM t WHERE p = 1');
RESET scylla_fdw.enable_pushdown;
ALTER FOREIGN TABLE t OPTIONS (ADD if_exists 'true');
SELECT direct('DELETE FROM t WHERE p = 1');
ALTER FOREIGN TABLE t OPTIONS (DROP if_exists);
CREATE TRIGGER see BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION keep_row();
SELECT direct('DELETE FROM t WHERE p = 1');
DROP TRIGGER see ON t;
ALTER FOREIGN TABLE t OPTIONS (ADD direct_delete 'false');
SELECT direct('DELETE FROM t WHERE p = 1');

---- nobody is told of the rows of a DELETE in a CTE

SELECT direct('WITH gone AS (DELETE FROM t WHERE p = 1) SELECT 1');
SELECT direct('WITH gone AS (DELETE FROM t WHERE p = 1 RETURNING c) SELECT * FROM gone');
CALL fill();
WITH gone AS (DELETE FROM t WHERE p = 1) SELECT 1 AS one;
SELECT * FROM counts;
ALTER FOREIGN TABLE t OPTIONS (DROP direct_delete);

---- parameters, in generic plans too

SET plan_cache_mode = force_generic_plan;
PREPARE gone(bigint[], bigint) AS DELETE FROM t WHERE p = ANY ($1) AND c < $2;
EXPLAIN (VERBOSE, COSTS OFF) EXECUTE gone('{1}', 2);
CALL fill();
EXECUTE gone('{1, 2, NULL, 1, 5000000000}', 3);
SELECT * FROM counts;
EXECUTE gone('{3}', NULL);
EXECUTE gone(NULL, 1);
EXECUTE gone('{}', 1);
EXECUTE gone('{3}', -5000000000);
SELECT * FROM counts;
EXECUTE gone('{3}', 5000000000);
SELECT * FROM counts;
RESET plan_cache_mode;
DELETE FROM t WHERE p = (SELECT max(p) FROM t) AND c = 1;
SELECT * FROM counts;

---- static columns belong to the partition, and NULL is in no range

CALL fill();
INSERT INTO t (p, s) VALUES (1, 'one'), (2, 'two'), (3, 'three'), (9, 'nine');
SELECT cql('INSERT INTO fdw_direct_delete.t (p, c, d, v) VALUES (2, blobAsInt(0x), 1, 0)');
DELETE FROM t WHERE p IN (1, 9);
DELETE FROM t WHERE p = 2 AND c < 3;
DELETE FROM t WHERE p = 3 AND c < 5000000000;
DELETE FROM t WHERE p = 9 AND c > 0;
SELECT * FROM counts;
SELECT * FROM t WHERE p = 2 AND (c IS NULL OR c = 3);
INSERT INTO small (p, s) VALUES (1, 1);
INSERT INTO small (p, c) VALUES (1, 1);
-- neither is it where a bound of its own would keep it out, but CQL has none
DELETE FROM small WHERE p = 1 AND c > -40000;
\echo :LAST_ERROR_SQLSTATE
DELETE FROM small WHERE p = 1 AND c < 40000;
SELECT * FROM small;

---- text, counters, partitions of a PostgreSQL table, many statements at once

INSERT INTO words VALUES (1, 'x', '', 1, 1), (1, 'x', 'k', 1, 1), (1, 'x', 'm', 1, 1), (1, 'y', 'k', 1, 1);
DELETE FROM words WHERE a = 1 AND b IN ('x', '') AND w < 'm';
SELECT * FROM words ORDER BY b;
INSERT INTO hits SELECT 1, day, 1 FROM generate_series(1, 4) day;
DELETE FROM hits WHERE k = 1 AND day BETWEEN 2 AND 3;
SELECT * FROM hits ORDER BY day;
INSERT INTO t (p, c, d) SELECT p, 1, 1 FROM generate_series(1, 3000) p;
SELECT tag('DELETE FROM t WHERE p = ANY (ARRAY(SELECT generate_series(1, 3000)))');
SELECT count(*) FROM t;
BEGIN;
DELETE FROM t WHERE p = 1;
ROLLBACK;

CALL end_topic('direct_delete');
