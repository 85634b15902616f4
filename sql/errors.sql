-- Errors of the other side: SQLSTATE, message and hint, and that the session is usable afterwards.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
\getenv pgport PGPORT
\set VERBOSITY terse
CALL begin_topic('errors');

-- What a statement fails with, or that it does not.
CREATE FUNCTION fails(statement text, OUT state text, OUT message text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
END
$$;
-- Its detail, or its context, without the server's address.
CREATE FUNCTION detail_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN regexp_replace(detail, '(?:Node |^)\S+:\d+(, shard \d+)?(:| says:) ', 'Node N\2 ', 'g');
END
$$;
CREATE FUNCTION context_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN substring(context FROM '^(.*)\nSQL statement');
END
$$;
\pset format unaligned
\pset tuples_only on

SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v text, PRIMARY KEY (k, c))');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v) VALUES (1, ''a'', ''value'')');
CREATE FOREIGN TABLE t (k int, c text, v text) SERVER errors_server;
SELECT * FROM t;

---- nobody there

-- a table that plans without the cluster, on whatever server
CREATE FUNCTION at(host text, port int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('CREATE SERVER at_server FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host %L, port %L, '
		'keyspace ''fdw_errors'', read_consistency ''one'', connect_timeout ''2s'')', host, port);
	CREATE FOREIGN TABLE at_table (k int OPTIONS (key 'partition 1', type 'int'),
		c text OPTIONS (key 'clustering 1 asc', type 'text'),
		v text OPTIONS (key 'regular', type 'text')) SERVER at_server OPTIONS ("table" 't');
	SELECT coalesce(f.state || ': ' || f.message, 'works') INTO result FROM fails('SELECT * FROM at_table') f;
	SET LOCAL client_min_messages = warning;
	DROP SERVER at_server CASCADE;
	RETURN result;
END
$$;
SELECT at('127.0.0.1', 1);
SELECT at('no-such-host.invalid', 9042);
SELECT at('127.0.0.1:1, [::1]:1, no-such-host.invalid', 9042);
-- a server that is no CQL server
SELECT at('127.0.0.1', :pgport);
-- any contact point is enough
SELECT at('127.0.0.1:1, no-such-host.invalid, ' || :'host', :port);
SELECT * FROM t;

---- what the server refuses

SELECT * FROM fails($$ SELECT cql('SELEKT') $$);
SELECT * FROM fails($$ SELECT cql('INSERT INTO fdw_errors.t (k) VALUES (2)') $$);
SELECT * FROM fails($$ SELECT cql('CREATE TABLE fdw_errors.t (k int PRIMARY KEY)') $$);
SELECT * FROM fails($$ SELECT cql('CREATE KEYSPACE fdw_errors WITH replication = {''class'': ''NetworkTopologyStrategy'', ''replication_factor'': 1}') $$);
SELECT * FROM fails($$ SELECT cql('INSERT INTO fdw_errors.t (k, c) VALUES (''text'', ''a'')') $$);
SELECT * FROM fails($$ SELECT cql('INSERT INTO fdw_none.t (k) VALUES (2)') $$);
SELECT * FROM fails($$ SELECT cql('INSERT INTO fdw_errors.none (k) VALUES (2)') $$);
SELECT * FROM fails($$ SELECT cql('INSERT INTO fdw_errors.t (k, c, none) VALUES (2, ''a'', 1)') $$);
SELECT * FROM fails($$ SELECT * FROM scylla_query('errors_server', 'SELECT none FROM fdw_errors.t') AS q (v text) $$);
SELECT * FROM fails($$ SELECT * FROM scylla_query('errors_server', 'SELECT v FROM fdw_errors.t WHERE v = ?', 'x'::text) AS q (v text) $$);
SELECT context_of($$ SELECT * FROM scylla_query('errors_server', 'SELECT v FROM fdw_errors.t WHERE v = ?', 'secret'::text) AS q (v text) $$);

---- what is not there

CREATE FOREIGN TABLE no_keyspace (k int) SERVER errors_server OPTIONS (keyspace 'fdw_none');
CREATE FOREIGN TABLE no_table (k int) SERVER errors_server;
CREATE FOREIGN TABLE no_column (k int, none int) SERVER errors_server OPTIONS (table 't');
CREATE FOREIGN TABLE no_case (k int) SERVER errors_server OPTIONS (table 'T');
SELECT state, message FROM fails('SELECT * FROM no_keyspace');
SELECT state, message FROM fails('SELECT * FROM no_table');
SELECT state, message FROM fails('SELECT * FROM no_column');
SELECT state, message FROM fails('SELECT * FROM no_case');
-- the same, where the plan believes the options
CREATE FOREIGN TABLE told_keyspace (k int OPTIONS (key 'partition 1', type 'int'))
	SERVER errors_server OPTIONS (keyspace 'fdw_none', table 't');
CREATE FOREIGN TABLE told_table (k int OPTIONS (key 'partition 1', type 'int')) SERVER errors_server;
CREATE FOREIGN TABLE told_column (k int OPTIONS (key 'partition 1', type 'int'),
	none int OPTIONS (key 'regular', type 'int')) SERVER errors_server OPTIONS (table 't');
CREATE FOREIGN TABLE told_type (k int OPTIONS (key 'partition 1', type 'int'),
	v int OPTIONS (key 'regular', type 'int')) SERVER errors_server OPTIONS (table 't');
CREATE FOREIGN TABLE told_key (k text OPTIONS (key 'partition 1', type 'text')) SERVER errors_server OPTIONS (table 't');
SELECT * FROM fails('SELECT * FROM told_keyspace');
SELECT * FROM fails('SELECT * FROM told_table');
SELECT * FROM fails('SELECT * FROM told_column');
SELECT * FROM fails('SELECT * FROM told_type');
SELECT detail_of('SELECT * FROM told_type');
SELECT * FROM fails('SELECT * FROM told_key');
SELECT * FROM fails('SELECT count(*) FROM told_type WHERE k = 1');
SELECT * FROM fails($$ SELECT count(*) FROM told_key WHERE k = 'x' $$);
SELECT detail_of('SELECT * FROM told_table WHERE k = 1');
SELECT context_of('SELECT * FROM told_table WHERE k = 1');
SELECT * FROM t;

---- drift: the remote table changes under plans and statements that are held

SET plan_cache_mode = force_generic_plan;
CREATE FOREIGN TABLE by_hand (k int, c text, v text) SERVER errors_server OPTIONS (table 't');
CREATE FOREIGN TABLE imported (k int OPTIONS (key 'partition 1', type 'int'),
	c text OPTIONS (key 'clustering 1 asc', type 'text'),
	v text OPTIONS (key 'regular', type 'text')) SERVER errors_server OPTIONS (table 't');
PREPARE hand (int) AS SELECT k, c, v::text FROM by_hand WHERE k = $1;
PREPARE imported (int) AS SELECT k, c, v::text FROM imported WHERE k = $1;
EXECUTE hand (1);
EXECUTE imported (1);
-- a column more does not matter, nor do rows of another make
SELECT cql('ALTER TABLE fdw_errors.t ADD w int');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v, w) VALUES (1, ''b'', ''more'', 2)');
EXECUTE hand (1);
EXECUTE imported (1);
-- a column is dropped
SELECT cql('ALTER TABLE fdw_errors.t DROP v');
SELECT state, message FROM fails('EXECUTE hand (1)');
SELECT state, message FROM fails('EXECUTE imported (1)');
-- a table of the same name and other types
SELECT cql('DROP TABLE fdw_errors.t');
SELECT state, message FROM fails('EXECUTE hand (1)');
SELECT state, message FROM fails('EXECUTE imported (1)');
SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v int, PRIMARY KEY (k, c))');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v) VALUES (1, ''a'', 42)');
SELECT state, message FROM fails('EXECUTE imported (1)');
SELECT state, message FROM fails('EXECUTE hand (1)');
ALTER FOREIGN TABLE by_hand ALTER v TYPE int;
EXECUTE hand (1);
ALTER FOREIGN TABLE imported ALTER v TYPE int, ALTER v OPTIONS (SET type 'int');
EXECUTE imported (1);
-- a table of the same columns and another key
CREATE FOREIGN TABLE keyed (k int OPTIONS (key 'partition 1', type 'int'),
	c text OPTIONS (key 'clustering 1 asc', type 'text'),
	v int OPTIONS (key 'regular', type 'int')) SERVER errors_server OPTIONS (table 't');
CREATE FOREIGN TABLE keyed_by_hand (k int, c text, v int) SERVER errors_server OPTIONS (table 't');
PREPARE keyed (int) AS SELECT k, c, v FROM keyed WHERE k = $1;
PREPARE keyed_by_hand (int) AS SELECT k, c, v FROM keyed_by_hand WHERE k = $1;
EXECUTE keyed (1);
EXECUTE keyed_by_hand (1);
SELECT cql('DROP TABLE fdw_errors.t');
SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v int, PRIMARY KEY ((k, c), v))');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v) VALUES (1, ''a'', 42)');
SELECT * FROM fails('EXECUTE keyed (1)');
SELECT detail_of('EXECUTE keyed (1)');
EXECUTE keyed_by_hand (1);
SELECT * FROM fails('SELECT count(*) FROM keyed WHERE k = 1');
SELECT state, message FROM fails($$ INSERT INTO keyed (k, c) VALUES (1, 'b') $$);
-- what does not go by the key is read as before, and all is once the options are right
SELECT * FROM keyed;
ALTER FOREIGN TABLE keyed ALTER c OPTIONS (SET key 'partition 2'), ALTER v OPTIONS (SET key 'clustering 1 asc');
EXECUTE keyed (1);
-- a clustering column more: CQL would take the DELETE of a row for one of all rows with its other key columns
SELECT cql('DROP TABLE fdw_errors.t');
SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v int, w int, PRIMARY KEY ((k, c), v, w))');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v, w) VALUES (1, ''a'', 42, 1)');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v, w) VALUES (1, ''a'', 42, 2)');
SELECT * FROM fails($$ DELETE FROM keyed WHERE k + 0 = 1 $$);
SELECT * FROM keyed;
-- the key is longer by a column that is not shown
SELECT cql('DROP TABLE fdw_errors.t');
SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v int, w int, PRIMARY KEY ((k, c, w), v))');
SELECT * FROM fails($$ SELECT * FROM keyed WHERE k = 1 AND c = 'a' $$);
SELECT cql('DROP TABLE fdw_errors.t');
SELECT cql('CREATE TABLE fdw_errors.t (k int, c text, v int, PRIMARY KEY (k, c))');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v) VALUES (1, ''a'', 42)');
DEALLOCATE ALL;
RESET plan_cache_mode;

---- rows at fault are named

CREATE FOREIGN TABLE short (k int, c varchar(2), v int) SERVER errors_server OPTIONS (table 't');
SELECT cql('INSERT INTO fdw_errors.t (k, c, v) VALUES (7, ''long'', 1)');
SELECT state, message FROM fails('SELECT * FROM short');
SELECT context_of('SELECT * FROM short WHERE k = 7');

---- cancel and timeout: at once, and the session goes on

SET statement_timeout = '100ms';
\set VERBOSITY sqlstate
SELECT count(*) FROM generate_series(1, 1000000) g, LATERAL (SELECT * FROM t WHERE k = g) x;
\set VERBOSITY terse
RESET statement_timeout;
SELECT count(*) FROM generate_series(1, 10) g, LATERAL (SELECT * FROM t WHERE k = g) x;

---- who may connect

SET client_min_messages = warning;
DROP ROLE IF EXISTS errors_user;
RESET client_min_messages;
CREATE ROLE errors_user;
GRANT USAGE ON SCHEMA errors_test TO errors_user;
GRANT SELECT ON ALL TABLES IN SCHEMA errors_test TO errors_user;
CREATE VIEW t_view AS SELECT * FROM t;
GRANT SELECT ON t_view TO errors_user;
SET ROLE errors_user;
SELECT * FROM fails('SELECT * FROM t');
-- a view's table is read as its owner
SELECT count(*) FROM t_view;
RESET ROLE;
-- a mapping takes effect at once, and so does its change
CREATE USER MAPPING FOR errors_user SERVER errors_server;
SET ROLE errors_user;
SELECT * FROM fails('SELECT * FROM t');
RESET ROLE;
ALTER USER MAPPING FOR errors_user SERVER errors_server OPTIONS (user 'somebody', password 'secret');
SET ROLE errors_user;
SELECT * FROM fails('SELECT * FROM t');
SELECT detail_of('SELECT * FROM t');
RESET ROLE;
ALTER USER MAPPING FOR errors_user SERVER errors_server OPTIONS (password_required 'false');
SET ROLE errors_user;
SELECT count(*) FROM t;
RESET ROLE;
DROP USER MAPPING FOR errors_user SERVER errors_server;
SET ROLE errors_user;
SELECT state, message FROM fails('SELECT * FROM t');
RESET ROLE;
-- a public mapping serves both, but what a superuser may do without a password another may not
CREATE USER MAPPING FOR PUBLIC SERVER errors_server;
SELECT count(*) FROM t;
SET ROLE errors_user;
SELECT state, message FROM fails('SELECT * FROM t');
RESET ROLE;
DROP USER MAPPING FOR PUBLIC SERVER errors_server;

---- who may ask about a table: whoever may read a column of it

CREATE USER MAPPING FOR errors_user SERVER errors_server OPTIONS (password_required 'false');
REVOKE SELECT ON t FROM errors_user;
SET ROLE errors_user;
SELECT * FROM fails($$ SELECT * FROM scylla_describe('t') $$);
SELECT state, message FROM fails($$ SELECT * FROM scylla_partition_ranges('t', 2) $$);
SELECT state, message FROM fails($$ SELECT * FROM scylla_check('t') $$);
RESET ROLE;
GRANT SELECT (k) ON t TO errors_user;
SET ROLE errors_user;
SELECT name FROM scylla_describe('t') WHERE key LIKE 'partition%';
SELECT count(*) FROM scylla_partition_ranges('t', 2);
RESET ROLE;
DROP USER MAPPING FOR errors_user SERVER errors_server;

---- ALTER SERVER takes effect at the next statement, also in one transaction

BEGIN;
SELECT count(*) FROM t;
ALTER SERVER errors_server OPTIONS (SET port '1', SET host '127.0.0.1');
SELECT state, message FROM fails('SELECT * FROM t WHERE k = 1');
ROLLBACK;
SELECT count(*) FROM t;

\pset format aligned
\pset tuples_only off
DROP OWNED BY errors_user;
DROP ROLE errors_user;
CALL end_topic('errors');
