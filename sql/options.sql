-- Options and settings: all of this is checked without any cluster.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_scylla_plain;
RESET client_min_messages;
SELECT scylla_fdw_version();

-- every option of a server, and its lists
CREATE SERVER options_all FOREIGN DATA WRAPPER scylla_fdw OPTIONS (
	host 'node1, node2:9043 ,10.0.0.1,[::1],[fe80::1%eth0]:9142', port '19042', keyspace 'Ks',
	connect_timeout '500ms', request_timeout '2min', read_consistency 'LOCAL_ONE',
	write_consistency 'any', serial_consistency 'Serial', fetch_size '100',
	excess_precision 'truncate', fdw_startup_cost '12.5', fdw_tuple_cost '0', compression 'LZ4', bypass_cache 'false', server_timeout 'false');
CREATE SERVER options_s FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', port '1');

-- unknown names: the nearest one, or the list
ALTER SERVER options_s OPTIONS (hosts 'x');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER options_s OPTIONS (read_consistancy 'one');
ALTER SERVER options_s OPTIONS (contact_points 'x');
ALTER SERVER options_s OPTIONS ("HOST" 'x');
CREATE FOREIGN DATA WRAPPER options_w HANDLER scylla_fdw_handler VALIDATOR scylla_fdw_validator
	OPTIONS (host 'x');
CREATE FOREIGN DATA WRAPPER options_w HANDLER scylla_fdw_handler VALIDATOR scylla_fdw_validator
	OPTIONS (something 'x');

-- known names in the wrong place
ALTER SERVER options_s OPTIONS (password 'secret');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER options_s OPTIONS ("table" 't');
ALTER SERVER options_s OPTIONS (import_views 'true');
CREATE USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (keyspace 'ks');
CREATE FOREIGN TABLE options_t (id int) SERVER options_s OPTIONS ("column" 'id');
CREATE FOREIGN TABLE options_t (id int OPTIONS (host 'x')) SERVER options_s;

-- values: hosts
ALTER SERVER options_s OPTIONS (SET host '');
\echo :LAST_ERROR_SQLSTATE
ALTER SERVER options_s OPTIONS (SET host 'a,,b');
ALTER SERVER options_s OPTIONS (SET host 'a:0');
ALTER SERVER options_s OPTIONS (SET host 'a:65536');
ALTER SERVER options_s OPTIONS (SET host 'a:b');
ALTER SERVER options_s OPTIONS (SET host '::1');
ALTER SERVER options_s OPTIONS (SET host '[::1');
ALTER SERVER options_s OPTIONS (SET host 'scylla://a');
ALTER SERVER options_s OPTIONS (SET host 'a b');
-- numbers
ALTER SERVER options_s OPTIONS (SET port '0');
ALTER SERVER options_s OPTIONS (SET port '65536');
ALTER SERVER options_s OPTIONS (SET port 'cql');
ALTER SERVER options_s OPTIONS (fetch_size '0');
ALTER SERVER options_s OPTIONS (fdw_tuple_cost '-1');
ALTER SERVER options_s OPTIONS (fdw_startup_cost 'inf');
-- durations
ALTER SERVER options_s OPTIONS (connect_timeout '0');
ALTER SERVER options_s OPTIONS (connect_timeout '5 parsecs');
ALTER SERVER options_s OPTIONS (request_timeout '2h');
ALTER SERVER options_s OPTIONS (connect_timeout '250', request_timeout '1.5s');
-- TLS
ALTER SERVER options_s OPTIONS (sslmode 'prefer');
ALTER SERVER options_s OPTIONS (ssl_min_protocol_version 'TLSv1.1');
ALTER SERVER options_s OPTIONS (sslrootcert 'root.crt');
ALTER SERVER options_s OPTIONS (sslcert 'system');
ALTER SERVER options_s OPTIONS (sslkey 'secret');
ALTER SERVER options_s OPTIONS (sslkey '-----BEGIN PRIVATE KEY-----');
ALTER SERVER options_s OPTIONS (sslcert '-----BEGIN CERTIFICATE-----
QUJD
-----END CERTIFICATE-----');
ALTER SERVER options_s OPTIONS (sslrootcert '-----BEGIN CERTIFICATE-----
QUJD
-----END CERTIFICATE-----');
ALTER SERVER options_s OPTIONS (sslmode 'Verify-Full', ssl_min_protocol_version 'tlsv1.3',
	sslrootcert 'system', sslcert '/etc/client.crt', sslkey '/etc/client.key');
ALTER SERVER options_s OPTIONS (DROP sslmode, DROP ssl_min_protocol_version, DROP sslrootcert,
	DROP sslcert, DROP sslkey);
-- words
ALTER SERVER options_s OPTIONS (compression 'snappy');
ALTER SERVER options_s OPTIONS (bypass_cache 'sometimes');
ALTER SERVER options_s OPTIONS (compression 'none');
ALTER SERVER options_s OPTIONS (read_consistency 'any');
ALTER SERVER options_s OPTIONS (write_consistency 'serial');
ALTER SERVER options_s OPTIONS (serial_consistency 'quorum');
ALTER SERVER options_s OPTIONS (excess_precision 'round');
ALTER SERVER options_s OPTIONS (keyspace '');

-- of a table and its columns
CREATE FOREIGN TABLE options_t (id int OPTIONS ("column" '')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'primary')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'partition 0')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'partition 01')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'partition 1 asc')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'clustering 1')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (key 'clustering 1 up')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (type 'frozen<map<text, int>')) SERVER options_s;
CREATE FOREIGN TABLE options_t (id int OPTIONS (type '')) SERVER options_s;
CREATE FOREIGN TABLE options_t (
	a int OPTIONS ("column" 'A', key 'partition 1', type 'int'),
	b text OPTIONS (key 'partition 2', type 'text') COLLATE "C",
	c int OPTIONS (key 'clustering 1 desc', type 'int'),
	d int OPTIONS (key 'clustering 2 asc', type 'int'),
	e int OPTIONS (key 'static', type 'int'),
	f jsonb OPTIONS (key 'regular', type 'frozen<map<text, int>>'))
	SERVER options_s
	OPTIONS (keyspace 'Ks', "table" 'T', read_consistency 'one', fetch_size '10',
			 excess_precision 'error');
-- described by its options alone, it is planned without a cluster
EXPLAIN (COSTS OFF) SELECT a, b FROM options_t;
-- two columns in one place of the key
ALTER FOREIGN TABLE options_t ALTER d OPTIONS (SET key 'clustering 1 asc');
EXPLAIN (COSTS OFF) SELECT a FROM options_t;
\echo :LAST_ERROR_SQLSTATE
DROP FOREIGN TABLE options_t;

-- of a user mapping: only a superuser lets one go without a password
CREATE USER MAPPING FOR CURRENT_USER SERVER options_s
	OPTIONS ("user" 'u', password 'secret', password_required 'false');
ALTER USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (SET password_required 'maybe');
ALTER USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (SET "user" '');
ALTER USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (passwort 'secret');
CREATE ROLE regress_scylla_plain;
GRANT USAGE ON FOREIGN SERVER options_s TO regress_scylla_plain;
SET ROLE regress_scylla_plain;
CREATE USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (password_required 'false');
\echo :LAST_ERROR_SQLSTATE
CREATE USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS ("user" 'u', password_required 'true');
RESET ROLE;
ALTER USER MAPPING FOR regress_scylla_plain SERVER options_s OPTIONS (SET password_required 'false');
SET ROLE regress_scylla_plain;
ALTER USER MAPPING FOR CURRENT_USER SERVER options_s OPTIONS (SET "user" 'v');

-- of IMPORT FOREIGN SCHEMA: checked before anything is asked
RESET ROLE;
IMPORT FOREIGN SCHEMA ks FROM SERVER options_s INTO public OPTIONS (import_view 'false');
IMPORT FOREIGN SCHEMA ks FROM SERVER options_s INTO public OPTIONS (import_views 'some');
IMPORT FOREIGN SCHEMA ks FROM SERVER options_s INTO public OPTIONS ("case" 'upper');
IMPORT FOREIGN SCHEMA ks FROM SERVER options_s INTO public OPTIONS (host 'x');

-- settings
SHOW scylla_fdw.enable_pushdown;
SHOW scylla_fdw.trace;
SET scylla_fdw.read_consistency = 'LOCAL_one';
SHOW scylla_fdw.read_consistency;
SET scylla_fdw.read_consistency = 'most';
SET scylla_fdw.write_consistency = 'serial';
SET scylla_fdw.write_consistency = '';
RESET scylla_fdw.read_consistency;

-- functions that need no cluster
SELECT * FROM scylla_connections;
SELECT * FROM scylla_nodes;
SELECT * FROM scylla_shards;
SELECT * FROM scylla_statements;
SELECT scylla_disconnect('options_s'), scylla_disconnect_all();
SELECT scylla_disconnect('options_nowhere');
SELECT scylla_refresh(), scylla_refresh('options_s');
SELECT scylla_query('options_s', 'SELECT key FROM system.local');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM scylla_query('options_s', 'INSERT INTO ks.t (a) VALUES (1)') AS t (a int);
SELECT * FROM scylla_query(NULL, 'SELECT key FROM system.local') AS t (a text);
SELECT * FROM scylla_query('options_nowhere', 'SELECT key FROM system.local') AS t (a text);
SELECT scylla_execute('options_s', E'-- a comment\n/* another */ Select key FROM system.local');
BEGIN READ ONLY;
SELECT scylla_execute('options_s', 'DROP KEYSPACE ks');
ROLLBACK;
REVOKE USAGE ON FOREIGN SERVER options_s FROM regress_scylla_plain;
SET ROLE regress_scylla_plain;
SELECT scylla_execute('options_s', 'DROP KEYSPACE ks');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;

SET client_min_messages = warning;
DROP SERVER options_all CASCADE;
DROP SERVER options_s CASCADE;
DROP ROLE regress_scylla_plain;
