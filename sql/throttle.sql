-- Rates: so many rows a second, of all statements of a backend together. A statement that would take
-- many times longer than it may is cancelled; without the rate it would be through by then.
CALL begin_topic('throttle');
CREATE FUNCTION pages(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT json) ' || query INTO plan;
	RETURN plan #>> '{0,Plan,Pages}';
END
$$;
\pset format unaligned
\pset footer off
\set VERBOSITY terse
SELECT cql('CREATE TABLE fdw_throttle.t (p int, c int, PRIMARY KEY (p, c))');
CREATE FOREIGN TABLE t (p int, c int) SERVER throttle_server;
INSERT INTO t SELECT 1, c FROM generate_series(1, 1500) c;

-- a page is no more than a second's rows
ALTER FOREIGN TABLE t OPTIONS (ADD read_rate '1000');
SELECT pages('SELECT * FROM t WHERE p = 1');
ALTER FOREIGN TABLE t OPTIONS (SET read_rate '10');
SET statement_timeout = '1s';
SELECT count(*) FROM t WHERE p = 1 AND c + 0 > 0;
\echo :LAST_ERROR_SQLSTATE
DO $$ BEGIN FOR i IN 1..200 LOOP PERFORM * FROM t WHERE p = 1 AND c = i; END LOOP; END $$;
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;

-- a row that lookups share was read once
CREATE TABLE o AS SELECT 1 AS p, 7 AS c FROM generate_series(1, 2000);
ANALYZE o;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_memoize = off;
SET statement_timeout = '30s';
EXPLAIN (COSTS OFF) SELECT count(*) FROM o JOIN t USING (p, c);
SELECT count(*) FROM o JOIN t USING (p, c);
RESET statement_timeout;

-- either way has a rate of its own
ALTER FOREIGN TABLE t OPTIONS (DROP read_rate, ADD write_rate '10');
SELECT count(*) FROM t WHERE p = 1;

SET client_min_messages = error;
SET statement_timeout = '1s';
INSERT INTO t SELECT 2, c FROM generate_series(1, 1500) c;
\echo :LAST_ERROR_SQLSTATE
DO $$ BEGIN FOR i IN 1..200 LOOP INSERT INTO t VALUES (3, i); END LOOP; END $$;
\echo :LAST_ERROR_SQLSTATE
RESET statement_timeout;
SELECT count(*) > 0 AS some, count(*) < 200 AS few FROM t WHERE p = 3;

CALL end_topic('throttle');
