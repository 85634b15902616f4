-- Keys that no partition can have, row marks on the parents of foreign tables, names that are cut.
\set VERBOSITY terse
CALL begin_topic('edges');
DO $$
DECLARE
	statement text;
BEGIN
	FOREACH statement IN ARRAY ARRAY[
		'DROP KEYSPACE IF EXISTS fdw_edges',
		'CREATE KEYSPACE fdw_edges WITH replication = '
			'{''class'': ''NetworkTopologyStrategy'', ''replication_factor'': 1}',
		'CREATE TABLE fdw_edges.texts (k text PRIMARY KEY, v int)',
		'CREATE TABLE fdw_edges.blobs (k blob PRIMARY KEY, v int)',
		'CREATE TABLE fdw_edges.pairs (a text, b text, v int, PRIMARY KEY ((a, b)))',
		'CREATE TABLE fdw_edges.wide (k int, c text, v int, PRIMARY KEY (k, c))',
		format('CREATE TABLE fdw_edges.cut (k int PRIMARY KEY, %I int, %I int)', repeat('x', 70), repeat('x', 71)),
		'INSERT INTO fdw_edges.texts (k, v) VALUES (''a'', 1)',
		'INSERT INTO fdw_edges.pairs (a, b, v) VALUES ('''', '''', 1)',
		'INSERT INTO fdw_edges.wide (k, c, v) VALUES (1, '''', 1)',
		'INSERT INTO fdw_edges.wide (k, c, v) VALUES (1, ''x'', 2)']
	LOOP
		PERFORM scylla_execute('edges_server', statement);
	END LOOP;
END
$$;
IMPORT FOREIGN SCHEMA fdw_edges EXCEPT (cut) FROM SERVER edges_server INTO edges_test;

-- Servers call an empty or too long key an error; here it is one that is not there.
SELECT v FROM texts WHERE k = '';
SELECT v FROM blobs WHERE k = '\x';
SELECT n, v FROM (VALUES (1, ''), (2, 'a'), (3, repeat('x', 65536)), (4, NULL)) l (n, x) LEFT JOIN texts ON k = x
	ORDER BY n;
SELECT v FROM texts WHERE k = repeat('x', 65535);
SELECT v FROM texts WHERE k = repeat('x', 65536);
SELECT v FROM pairs WHERE a = '' AND b = '';
SELECT v FROM pairs WHERE a = '' AND b = 'x';
SELECT v FROM pairs WHERE a = repeat('x', 40000) AND b = repeat('x', 40000);
SELECT v FROM pairs WHERE a = repeat('x', 70000) AND b = '';
SELECT v FROM wide WHERE k = 1 AND c = '';
SELECT v FROM wide WHERE k = 1 AND c = repeat('x', 65536);
SELECT v FROM wide WHERE k = 1 AND c > '';

-- A parent's row marks ask for the ctid of all its children; of foreign ones nobody looks at it.
CREATE TABLE parent (k int, c text COLLATE "C", v int) PARTITION BY LIST (k);
CREATE TABLE child PARTITION OF parent FOR VALUES IN (2);
CREATE FOREIGN TABLE foreign_child PARTITION OF parent FOR VALUES IN (1)
	SERVER edges_server OPTIONS ("table" 'wide');
INSERT INTO child VALUES (2, 'x', 3);
CREATE TABLE target (k int, note int);
INSERT INTO target VALUES (1, 0), (2, 0), (3, 0);
SELECT * FROM parent WHERE c = 'x' ORDER BY k FOR UPDATE;
WITH updated AS (
	UPDATE target t SET note = p.v FROM parent p WHERE p.k = t.k AND p.c = 'x' RETURNING t.*, p.tableoid::regclass)
SELECT * FROM updated ORDER BY k;
DELETE FROM target t USING parent p WHERE p.k = t.k AND p.v = 3 RETURNING t.*;
SELECT ctid FROM parent;

-- Names that become equal because they are cut.
IMPORT FOREIGN SCHEMA fdw_edges LIMIT TO (cut) FROM SERVER edges_server INTO edges_test;
\set VERBOSITY default
SET client_min_messages = error;
IMPORT FOREIGN SCHEMA fdw_edges LIMIT TO (cut) FROM SERVER edges_server INTO edges_test;
RESET client_min_messages;

-- A connection's keyspace would be one for new statements and another for prepared ones.
SELECT scylla_execute('edges_server', '/* all of them */ USE fdw_edges');
-- Costs of which the sums have no end.
CREATE SERVER costly FOREIGN DATA WRAPPER scylla_fdw OPTIONS (fdw_startup_cost '1e308');

CALL end_topic('edges');
