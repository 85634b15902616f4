-- Option full_scan: judged when a scan runs, by what the plan reads.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
SET client_min_messages = warning;
CREATE SERVER full_s FOREIGN DATA WRAPPER scylla_fdw
	OPTIONS (host :'host', port :'port', full_scan 'deny', request_timeout '2min');
SELECT scylla_execute('full_s', 'DROP KEYSPACE IF EXISTS full_ks');
SELECT scylla_execute('full_s', $$CREATE KEYSPACE full_ks
	WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}$$);
SELECT scylla_execute('full_s', 'CREATE TABLE full_ks.t (a int, "B" text, c int, v int, PRIMARY KEY ((a, "B"), c))');
SELECT scylla_execute('full_s', 'INSERT INTO full_ks.t (a, "B", c, v) VALUES (1, ''x'', 1, 10)');
CREATE SCHEMA full_ks;
IMPORT FOREIGN SCHEMA full_ks FROM SERVER full_s INTO full_ks;

SELECT * FROM full_ks.t;
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM full_ks.t WHERE a = 1;
SELECT * FROM full_ks.t WHERE a < 5 AND 'x' = "B" AND c = 1;
SELECT * FROM full_ks.t WHERE a + 0 = 1 AND "B" = 'x';
SELECT * FROM full_ks.t WHERE a = 1 AND "B" = 'x';
-- compared, but not so that it can be sent
SET scylla_fdw.enable_pushdown = off;
SELECT * FROM full_ks.t WHERE a = 1 AND "B" = 'x';
RESET scylla_fdw.enable_pushdown;
-- the plan can be seen; what does not run is not judged; a prepared plan is
EXPLAIN (COSTS OFF) SELECT * FROM full_ks.t;
SELECT CASE WHEN false THEN (SELECT count(*) FROM full_ks.t) END;
SELECT i, CASE WHEN i > 1 THEN (SELECT count(*) FROM full_ks.t) ELSE 0 END FROM generate_series(1, 1) AS i;
PREPARE whole AS SELECT count(*) FROM full_ks.t;
EXECUTE whole;
ALTER FOREIGN TABLE full_ks.t OPTIONS (full_scan 'warn');
EXECUTE whole;
ALTER FOREIGN TABLE full_ks.t OPTIONS (SET full_scan 'allow');
EXECUTE whole;
ANALYZE full_ks.t;
ALTER FOREIGN TABLE full_ks.t OPTIONS (SET full_scan 'never');

SELECT scylla_execute('full_s', 'DROP KEYSPACE full_ks');
DROP SCHEMA full_ks CASCADE;
DROP SERVER full_s CASCADE;
