-- A cached plan follows the options and settings that are changed after it was made.
\set VERBOSITY sqlstate
CALL begin_topic('replan');

DO $$
BEGIN
	PERFORM scylla_execute('replan_server', 'CREATE TABLE fdw_replan.t (p int, c int, PRIMARY KEY (p, c))');
	FOR c IN 1..7 LOOP
		PERFORM scylla_execute('replan_server', 'INSERT INTO fdw_replan.t (p, c) VALUES (1, ?)', c);
	END LOOP;
END
$$;
IMPORT FOREIGN SCHEMA fdw_replan FROM SERVER replan_server INTO replan_test;
CREATE FUNCTION pages(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, VERBOSE, COSTS OFF) ' || statement LOOP
		IF line LIKE '%Pages:%' THEN
			RETURN trim(line);
		END IF;
	END LOOP;
END
$$;

SET plan_cache_mode = force_generic_plan;
PREPARE q(int) AS SELECT c FROM t WHERE p = $1;
SELECT pages('EXECUTE q(1)');
-- pages of two rows: seven rows are four pages
ALTER SERVER replan_server OPTIONS (ADD fetch_size '2');
SELECT pages('EXECUTE q(1)');
ALTER FOREIGN TABLE t OPTIONS (ADD fetch_size '5');
SELECT pages('EXECUTE q(1)');
-- one replica cannot answer as two
SET scylla_fdw.read_consistency = 'two';
EXECUTE q(1);
RESET scylla_fdw.read_consistency;
SELECT count(*) FROM t WHERE p = 1;
ALTER FOREIGN TABLE t OPTIONS (ADD read_consistency 'two');
EXECUTE q(1);
SET scylla_fdw.read_consistency = 'one';
EXECUTE q(1);
RESET scylla_fdw.read_consistency;
EXECUTE q(1);

CALL end_topic('replan');
