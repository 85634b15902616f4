-- Rates: so many rows a second, of all statements of a backend together. A statement that would take
-- many times longer than it may is cancelled; without the rate it would be through by then.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS scylla_fdw;
CREATE SCHEMA throttle_test;
SET search_path = throttle_test, public;
CREATE SERVER throttle_server FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host :'host', port :'port',
	keyspace 'fdw_throttle', read_consistency 'one', write_consistency 'one', request_timeout '1min');
CREATE FUNCTION cql(statement text) RETURNS void LANGUAGE sql AS
	$$ SELECT scylla_execute('throttle_server', statement) $$;
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
SELECT cql('DROP KEYSPACE IF EXISTS fdw_throttle');
SELECT cql('CREATE KEYSPACE fdw_throttle WITH replication = '
	'{''class'': ''NetworkTopologyStrategy'', ''replication_factor'': 1}');
SELECT cql('CREATE TABLE fdw_throttle.t (p int, c int, PRIMARY KEY (p, c))');
RESET client_min_messages;
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

SET client_min_messages = warning;
SELECT cql('DROP KEYSPACE fdw_throttle');
DROP SCHEMA throttle_test CASCADE;
DROP SERVER throttle_server CASCADE;
