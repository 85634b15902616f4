-- Scans that workers share: who reads what, that every row comes once, and what may not be shared.
\set VERBOSITY terse
CALL begin_topic('parallel', $$fetch_size '50', fdw_startup_cost '0'$$);
DO $$
BEGIN
	PERFORM scylla_execute('parallel_server', 'CREATE TABLE fdw_parallel.item (k int, c int, v text, '
		'f double, PRIMARY KEY (k, c))');
END
$$;
IMPORT FOREIGN SCHEMA fdw_parallel FROM SERVER parallel_server INTO parallel_test;
CREATE TABLE copy AS SELECT k, c, k / 8.0::float8 AS f, 'v' || k * c AS v
	FROM generate_series(1, 500) k, generate_series(1, 1 + k % 4) c;
INSERT INTO item (k, c, f, v) SELECT * FROM copy;
-- of unknown size it is read here
EXPLAIN (COSTS OFF) SELECT sum(f) FROM item;
ANALYZE item, copy;
-- as if it were large
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;

CREATE FUNCTION differences(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT string_agg(line, '') NOT LIKE '%Gather%Foreign Scan%' FROM explain(query) line) THEN
		RETURN NEXT 'not parallel: ' || query;
	END IF;
	EXECUTE 'CREATE TEMPORARY TABLE remote AS ' || query;
	EXECUTE 'CREATE TEMPORARY TABLE local AS ' || regexp_replace(query, '\mitem\M', 'copy', 'g');
	RETURN QUERY (SELECT 'scan ' || x FROM remote x EXCEPT ALL SELECT 'scan ' || x FROM local x)
		UNION ALL (SELECT 'copy ' || x FROM local x EXCEPT ALL SELECT 'copy ' || x FROM remote x);
	DROP TABLE remote, local;
END
$$;

---- plans
SELECT explain('SELECT k, c, v FROM item WHERE length(v) > 3');
-- partial aggregates, and what the server computes
SELECT explain('SELECT k % 7, sum(f) FROM item GROUP BY 1');
SELECT explain('SELECT count(*) FROM item');
-- not of a partition, nor where the order is the clustering's
SELECT explain('SELECT v FROM item WHERE k IN (1, 2)');
-- lookups may run in workers
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT explain('SELECT l.c, i.v FROM copy l JOIN item i USING (k, c) WHERE l.k % 5 = 1');
SELECT count(*), sum(length(i.v)) FROM copy l JOIN item i USING (k, c) WHERE l.k % 5 = 1;
RESET enable_hashjoin;
RESET enable_mergejoin;
-- switched off
SET scylla_fdw.enable_parallel_scan = off;
SELECT explain('SELECT sum(f) FROM item');
RESET scylla_fdw.enable_parallel_scan;
ALTER FOREIGN TABLE item OPTIONS (parallel 'false');
SELECT explain('SELECT sum(f) FROM item');
ALTER FOREIGN TABLE item OPTIONS (DROP parallel);
-- a statement that writes, or locks rows
SELECT explain('WITH gone AS (DELETE FROM copy WHERE false RETURNING k) SELECT sum(f) FROM item');
SELECT explain('SELECT f FROM item FOR UPDATE');

---- every row once
SELECT differences('SELECT * FROM item');
SELECT differences('SELECT k FROM item WHERE c > 2');
SELECT differences('SELECT * FROM item WHERE v < ''v3'' OR k % 7 = 3');
SELECT differences('SELECT k % 7, sum(f), count(*), max(v) FROM item GROUP BY 1');
SELECT differences('SELECT count(length(v)), sum(c + 1) FROM item');
SELECT differences('SELECT DISTINCT length(v) FROM item');
SELECT differences('SELECT i.v, j.f FROM item i JOIN item j ON i.k = j.c AND i.c = j.c');
SELECT differences('SELECT v FROM item UNION ALL SELECT k::text FROM item');
SELECT differences('SELECT (SELECT sum(f + g) FROM item) FROM generate_series(1, 3) g');
-- more workers than launched; the leader alone; workers alone
SET max_parallel_workers = 0;
SELECT differences('SELECT v FROM item WHERE f > 3');
RESET max_parallel_workers;
SET parallel_leader_participation = off;
SELECT differences('SELECT v FROM item WHERE f > 3');
RESET parallel_leader_participation;
-- parameters and stable expressions
PREPARE above(float8) AS SELECT count(v), sum(f + 1) FROM item WHERE f > $1;
SET plan_cache_mode = force_generic_plan;
SELECT explain('EXECUTE above(20)');
EXECUTE above(20);
EXECUTE above(60);
EXECUTE above(NULL);
RESET plan_cache_mode;
SELECT count(v), sum(f + 1) FROM copy WHERE f > 20;
SELECT count(v) FROM item WHERE f > date_part('year', now()) - date_part('year', now()) + 60 AND length(v) > 0;

---- again and again: a Gather that is begun anew
SET enable_material = off;
SET enable_memoize = off;
SELECT explain('SELECT g, (SELECT sum(f) FROM item WHERE c = g) FROM generate_series(1, 5) g');
SELECT g, (SELECT count(f) FROM item WHERE c = g AND length(v) > 0) FROM generate_series(0, 5) g;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SELECT explain('SELECT g, n FROM generate_series(1, 3) g LEFT JOIN (SELECT count(f + 1) AS n FROM item OFFSET 0) i ON n > g');
SELECT g, n FROM generate_series(1, 3) g LEFT JOIN (SELECT count(f + 1) AS n FROM item OFFSET 0) i ON n > g;
SELECT g, count(v) FROM generate_series(1, 4) g LEFT JOIN (SELECT * FROM item WHERE f > 10 OFFSET 0) i ON c = g GROUP BY g ORDER BY g;
RESET enable_hashjoin;
RESET enable_mergejoin;
RESET enable_material;
RESET enable_memoize;
-- left early
SELECT count(*) FROM (SELECT v FROM item WHERE length(v) > 1 LIMIT 70) x;
SELECT EXISTS (SELECT FROM item WHERE length(v) > 4), EXISTS (SELECT FROM item WHERE length(v) > 40);
BEGIN;
DECLARE total CURSOR FOR SELECT sum(f) FROM item;
FETCH ALL FROM total;
COMMIT;
-- after a write of the same transaction
BEGIN;
INSERT INTO item (k, c, v, f) VALUES (0, 0, 'new', 1);
SELECT count(v), sum(f + 1) FROM item WHERE length(v) > 0;
DELETE FROM item WHERE k = 0;
SELECT count(v), sum(f + 1) FROM item WHERE length(v) > 0;
COMMIT;

---- costs are those of all
CREATE FUNCTION costs(query text, OUT rows int, OUT is_asked bool, OUT nodes int) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) ' || query INTO plan;
	SELECT n->>'Rows Received', (n->>'Requests')::int >= 25, n->>'Nodes' INTO rows, is_asked, nodes
		FROM jsonb_path_query(plan, 'strict $.** ? (exists (@."Requests"))') n;
END
$$;
SELECT * FROM costs('SELECT sum(f) FROM item');
SET parallel_leader_participation = off;
SELECT * FROM costs('SELECT sum(f) FROM item');
RESET parallel_leader_participation;
SET enable_material = off;
SELECT * FROM costs('SELECT n FROM generate_series(1, 3) g LEFT JOIN (SELECT count(f + 1) AS n FROM item OFFSET 0) i ON n > g');
RESET enable_material;

---- rights, and the option full_scan, are those of the session
CREATE ROLE parallel_user;
GRANT USAGE ON SCHEMA parallel_test TO parallel_user;
GRANT SELECT ON item TO parallel_user;
GRANT USAGE ON FOREIGN SERVER parallel_server TO parallel_user;
SET ROLE parallel_user;
SELECT count(f + 1) FROM item;
RESET ROLE;
CREATE USER MAPPING FOR parallel_user SERVER parallel_server OPTIONS (user 'u', password_required 'false');
SET ROLE parallel_user;
SELECT count(f + 1) FROM item;
RESET ROLE;
ALTER FOREIGN TABLE item OPTIONS (full_scan 'warn');
SELECT count(f + 1) FROM item;
ALTER FOREIGN TABLE item OPTIONS (SET full_scan 'deny');
SELECT count(f + 1) FROM item;
ALTER FOREIGN TABLE item OPTIONS (DROP full_scan);
-- an error of a worker
ALTER FOREIGN TABLE item ALTER v TYPE varchar(3);
SET parallel_leader_participation = off;
SELECT max(length(v)) FROM item;
\echo :LAST_ERROR_SQLSTATE
RESET parallel_leader_participation;

CALL end_topic('parallel');
DROP ROLE parallel_user;
