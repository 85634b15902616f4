-- IMPORT FOREIGN SCHEMA, tables by hand, and the pass-through functions, against a real cluster.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
CREATE SERVER import_s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host :'host', port :'port');
CREATE SCHEMA import_a;
CREATE SCHEMA import_b;

-- what the import made of a schema
CREATE VIEW import_columns AS
SELECT c.relnamespace::regnamespace::text AS schema, c.relname AS table, a.attname AS column,
	   format_type(a.atttypid, a.atttypmod) AS type, o.collname AS coll,
	   a.attfdwoptions AS options
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_foreign_table f ON f.ftrelid = c.oid
LEFT JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
WHERE a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, c.relname COLLATE "C", a.attnum;
CREATE VIEW import_tables AS
SELECT c.relnamespace::regnamespace::text AS schema, c.relname AS table,
	   ARRAY(SELECT o FROM unnest(f.ftoptions) AS o WHERE o !~ '^(indexes|views)=') AS options -- see read_paths
FROM pg_class c JOIN pg_foreign_table f ON f.ftrelid = c.oid
WHERE c.relnamespace::regnamespace::text LIKE 'import_%'
ORDER BY 1, c.relname COLLATE "C";

-- a keyspace of all sorts
SELECT scylla_execute('import_s', 'DROP KEYSPACE IF EXISTS import_ks');
SELECT scylla_execute('import_s', $$CREATE KEYSPACE import_ks
	WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}$$);
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.readings (
	sensor text, day date, at timestamp, seq int, place text static, value double,
	tags map<text, text>, note text,
	PRIMARY KEY ((sensor, day), at, seq)) WITH CLUSTERING ORDER BY (at DESC, seq ASC)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.scalars (id uuid PRIMARY KEY,
	c_ascii ascii, c_bigint bigint, c_blob blob, c_boolean boolean, c_date date, c_decimal decimal,
	c_double double, c_duration duration, c_float float, c_inet inet, c_int int,
	c_smallint smallint, c_text text, c_time time, c_timestamp timestamp, c_timeuuid timeuuid,
	c_tinyint tinyint, c_varint varint)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.hits (page ascii PRIMARY KEY, n counter)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks."MixedCase" ("Id" int PRIMARY KEY,
	"user name" text, "it''s" text, "select" int, "Größe" int)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.odd (id int PRIMARY KEY, ctid int,
	a_name_of_more_than_sixty_three_characters_which_postgresql_cuts_short int)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.keyed_by_list (
	id frozen<list<int>> PRIMARY KEY, a int)');
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks.users (id int PRIMARY KEY, name text, age int)');
SELECT scylla_execute('import_s', 'CREATE INDEX users_age ON import_ks.users (age)');
SET client_min_messages = error; -- Cassandra warns of views
SELECT scylla_execute('import_s', 'CREATE MATERIALIZED VIEW import_ks.users_by_name AS
	SELECT * FROM import_ks.users WHERE name IS NOT NULL AND id IS NOT NULL PRIMARY KEY (name, id)');
RESET client_min_messages;

IMPORT FOREIGN SCHEMA import_ks FROM SERVER import_s INTO import_a;
SELECT * FROM import_tables;
SELECT "table", "column", type, coll, options FROM import_columns
WHERE schema = 'import_a';
SET client_min_messages = warning;
DROP SCHEMA import_a CASCADE;
RESET client_min_messages;
CREATE SCHEMA import_a;

-- its options and lists
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (users, readings) FROM SERVER import_s INTO import_a
	OPTIONS (import_collate 'false');
SELECT * FROM import_tables;
SELECT "table", "column", type, coll FROM import_columns
WHERE schema = 'import_a' AND type = 'text';
IMPORT FOREIGN SCHEMA import_ks EXCEPT (readings, odd, keyed_by_list, scalars)
	FROM SERVER import_s INTO import_b OPTIONS (import_views 'false', "case" 'lower');
SELECT * FROM import_tables;
SELECT "column", options FROM import_columns WHERE schema = 'import_b' AND "table" = 'mixedcase';
SET client_min_messages = warning;
DROP SCHEMA import_b CASCADE;
RESET client_min_messages;
CREATE SCHEMA import_b;
-- the names in the list are those that result
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (mixedcase) FROM SERVER import_s INTO import_b
	OPTIONS ("case" 'lower');
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (mixedcase) FROM SERVER import_s INTO import_b;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (uzers) FROM SERVER import_s INTO import_b;
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (users_by_name) FROM SERVER import_s INTO import_b
	OPTIONS (import_views 'false');
IMPORT FOREIGN SCHEMA "Import_ks" FROM SERVER import_s INTO import_b;
\echo :LAST_ERROR_SQLSTATE
IMPORT FOREIGN SCHEMA surely_not_there FROM SERVER import_s INTO import_b;
-- two that become one
SELECT scylla_execute('import_s', 'CREATE TABLE import_ks."Users" (id int PRIMARY KEY)');
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (users) FROM SERVER import_s INTO import_b OPTIONS ("case" 'lower');
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_execute('import_s', 'DROP TABLE import_ks."Users"');
SELECT scylla_execute('import_s', 'ALTER TABLE import_ks."MixedCase" ADD "ID" int');
IMPORT FOREIGN SCHEMA import_ks LIMIT TO (mixedcase) FROM SERVER import_s INTO import_b OPTIONS ("case" 'lower');
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_execute('import_s', 'ALTER TABLE import_ks."MixedCase" DROP "ID"');
-- an empty keyspace is no error
SELECT scylla_execute('import_s', $$CREATE KEYSPACE IF NOT EXISTS import_empty
	WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}$$);
IMPORT FOREIGN SCHEMA import_empty FROM SERVER import_s INTO import_b;
SELECT scylla_execute('import_s', 'DROP KEYSPACE import_empty');
-- system keyspaces can be imported too; which of their columns cannot be depends on the server
SET client_min_messages = error;
IMPORT FOREIGN SCHEMA system LIMIT TO (local) FROM SERVER import_s INTO import_b;
IMPORT FOREIGN SCHEMA system_schema LIMIT TO (views) FROM SERVER import_s INTO import_b;
RESET client_min_messages;
SELECT key FROM import_b.local;
SELECT view_name, base_table_name FROM import_b.views
WHERE keyspace_name = 'import_ks' AND view_name = 'users_by_name';

-- statements with bind values
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name, age) VALUES (?, ?, ?)', 1, 'Ada', 36);
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name, age) VALUES (?, ?, ?)', '2', 'Grace'::varchar, NULL);
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name, age) VALUES (?, ?, ?) IF NOT EXISTS', 2::bigint, 'Joan', 40::smallint);
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name, age) VALUES (?, ?, ?) IF NOT EXISTS', 3, 'Edsger'::name, 72);
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name) VALUES (4, ?)', VARIADIC ARRAY['Alan']);
SELECT * FROM import_a.users ORDER BY id;
SELECT * FROM scylla_query('import_s', 'SELECT id, name FROM import_ks.users WHERE id = ?', 1) AS t (id int, name text);
SELECT * FROM scylla_query('import_s', 'SELECT id, age FROM import_ks.users WHERE token(id) > ? LIMIT ?', '-9223372036854775808', 2::smallint)
	AS t (id bigint, age numeric) ORDER BY id;
SELECT u.id, q.name FROM generate_series(1, 3) AS u (id),
	LATERAL scylla_query('import_s', 'SELECT name FROM import_ks.users WHERE id = ?', u.id) AS q (name text);
SELECT count(*) FROM scylla_query('import_s', 'SELECT JSON id FROM import_ks.users') AS t (row text);
-- and what is wrong with them
SELECT * FROM scylla_query('import_s', 'SELECT id, name FROM import_ks.users') AS t (id int);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('import_s', 'SELECT id, name FROM import_ks.users') AS t (id uuid, name text);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('import_s', 'SELECT id FROM import_ks.users WHERE id = ?', 1, 2) AS t (id int);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('import_s', 'SELECT id FROM import_ks.users WHERE id = ?', 'one') AS t (id int);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('import_s', 'SELECT id FROM import_ks.users WHERE id = ?', 3000000000) AS t (id int);
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('import_s', 'SELECT id FROM import_ks.users WHERE id = ?', true) AS t (id int);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_execute('import_s', 'INSERT INTO import_ks.users (id, name) VALUES (4, ?)', VARIADIC NULL::text[]);

-- tables by hand, described by the cluster
CREATE FOREIGN TABLE import_b.u (id int, "Label" text OPTIONS ("column" 'name'))
	SERVER import_s OPTIONS (keyspace 'import_ks', "table" 'users');
SELECT * FROM import_b.u WHERE id = 1;
CREATE SCHEMA import_ks;
CREATE FOREIGN TABLE import_ks.users (id int, name text) SERVER import_s;
SELECT name FROM import_ks.users WHERE id = 2;
-- a column of an unfit type costs itself
CREATE FOREIGN TABLE import_b.unfit (id int, name uuid) SERVER import_s
	OPTIONS (keyspace 'import_ks', "table" 'users');
SELECT id FROM import_b.unfit WHERE id = 1;
SELECT name FROM import_b.unfit WHERE id = 1;
\echo :LAST_ERROR_SQLSTATE
-- names that are not there
CREATE FOREIGN TABLE import_b.wrong (id int, "Name" text) SERVER import_s
	OPTIONS (keyspace 'import_ks', "table" 'users');
SELECT * FROM import_b.wrong;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE import_b.wrong ALTER "Name" OPTIONS ("column" 'nane');
SELECT * FROM import_b.wrong;
ALTER FOREIGN TABLE import_b.wrong ALTER "Name" OPTIONS (SET "column" 'something_else');
SELECT * FROM import_b.wrong;
ALTER FOREIGN TABLE import_b.wrong OPTIONS (SET "table" 'Users');
SELECT * FROM import_b.wrong;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE import_b.wrong OPTIONS (SET keyspace 'import_kz');
SELECT * FROM import_b.wrong;
\echo :LAST_ERROR_SQLSTATE
-- the schema is read anew after this backend's own DDL
SELECT scylla_execute('import_s', 'ALTER TABLE import_ks.users ADD email text');
ALTER FOREIGN TABLE import_ks.users ADD email text;
SELECT * FROM import_ks.users WHERE id = 1;

-- this backend's connections
SELECT server, "user" = current_user AS is_mine, node ~ ':[0-9]+$' AS has_node, tls, compression,
	   in_flight, orphans, requests > 0 AS has_requests, bytes_sent > 0 AS has_sent,
	   bytes_received > 0 AS has_received, age >= interval '0' AS has_age
FROM scylla_connections;
SELECT scylla_disconnect('import_s');
SELECT scylla_disconnect('import_s');
SELECT count(*) FROM scylla_connections;

SELECT scylla_execute('import_s', 'DROP KEYSPACE import_ks');
SET client_min_messages = warning;
DROP SCHEMA import_a, import_b, import_ks CASCADE;
DROP VIEW import_tables, import_columns;
DROP SERVER import_s CASCADE;
