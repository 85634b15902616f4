/* sql/scylla_fdw--1.0.sql */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION scylla_fdw" to load this file. \quit

CREATE FUNCTION scylla_fdw_handler()
RETURNS fdw_handler
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FUNCTION scylla_fdw_validator(text[], oid)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT;

CREATE FOREIGN DATA WRAPPER scylla_fdw
	HANDLER scylla_fdw_handler
	VALIDATOR scylla_fdw_validator;

-- CQL that the user writes. VARIADIC "any" takes at least one value, so each name comes twice.

CREATE FUNCTION scylla_query(server text, cql text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION scylla_query(server text, cql text, VARIADIC bind_values "any")
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION scylla_query(text, text, "any") IS 'rows of a CQL SELECT, with bind values';

CREATE FUNCTION scylla_execute(server text, cql text)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION scylla_execute(server text, cql text, VARIADIC bind_values "any")
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION scylla_execute(text, text, "any")
	IS 'runs a CQL statement that returns no rows; false: its condition did not hold';

-- Composite types for a keyspace's user-defined types: IMPORT FOREIGN SCHEMA into that schema
-- declares columns with them.

CREATE FUNCTION scylla_create_types(server text, keyspace text, schema text)
RETURNS integer
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL UNSAFE;

COMMENT ON FUNCTION scylla_create_types(text, text, text)
	IS 'makes composite types for a keyspace''s user-defined types; their number';

-- Sessions of this backend.

CREATE FUNCTION scylla_connections(
	OUT server text,
	OUT "user" text,
	OUT node text,
	OUT shard integer,
	OUT tls boolean,
	OUT compression boolean,
	OUT in_flight integer,
	OUT orphans integer,
	OUT requests bigint,
	OUT bytes_sent bigint,
	OUT bytes_received bigint,
	OUT age interval)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE VIEW scylla_connections AS SELECT * FROM scylla_connections();

COMMENT ON VIEW scylla_connections IS 'open connections of this backend';

GRANT SELECT ON scylla_connections TO PUBLIC;

CREATE FUNCTION scylla_nodes(
	OUT server text,
	OUT node text,
	OUT host_id uuid,
	OUT dc text,
	OUT rack text,
	OUT release text,
	OUT state text,
	OUT shards integer,
	OUT ring_share double precision,
	OUT connections integer,
	OUT in_flight integer,
	OUT requests bigint,
	OUT errors bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE VIEW scylla_nodes AS SELECT * FROM scylla_nodes();

COMMENT ON VIEW scylla_nodes IS 'nodes that this backend knows: connected, connecting, down, known';

GRANT SELECT ON scylla_nodes TO PUBLIC;

CREATE FUNCTION scylla_shards(
	OUT server text,
	OUT node text,
	OUT shard integer,
	OUT connections integer,
	OUT in_flight integer,
	OUT requests bigint,
	OUT errors bigint,
	OUT p50_ms double precision,
	OUT p99_ms double precision,
	OUT max_ms double precision)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE VIEW scylla_shards AS SELECT * FROM scylla_shards();

COMMENT ON VIEW scylla_shards IS 'requests of this backend and their latencies, by node and shard';

GRANT SELECT ON scylla_shards TO PUBLIC;

CREATE FUNCTION scylla_statements(
	OUT server text,
	OUT cql text,
	OUT calls bigint,
	OUT rows bigint,
	OUT bytes bigint,
	OUT retries bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE VIEW scylla_statements AS SELECT * FROM scylla_statements();

COMMENT ON VIEW scylla_statements IS 'prepared statements of this backend';

GRANT SELECT ON scylla_statements TO PUBLIC;

-- Writes of all backends.

CREATE FUNCTION scylla_write_progress(
	OUT pid integer,
	OUT relation regclass,
	OUT started timestamp with time zone,
	OUT rows_sent bigint,
	OUT rows_acknowledged bigint,
	OUT rows_failed bigint,
	OUT bytes_sent bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE VIEW scylla_write_progress AS SELECT * FROM scylla_write_progress();

COMMENT ON VIEW scylla_write_progress IS 'how far the writes are that run now in this database';

GRANT SELECT ON scylla_write_progress TO PUBLIC;

CREATE FUNCTION scylla_disconnect(server text)
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE FUNCTION scylla_disconnect_all()
RETURNS boolean
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE FUNCTION scylla_refresh()
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

CREATE FUNCTION scylla_refresh(server text)
RETURNS void
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION scylla_disconnect(text) IS 'closes this backend''s connections to a server';
COMMENT ON FUNCTION scylla_disconnect_all() IS 'closes this backend''s connections to all servers';
COMMENT ON FUNCTION scylla_refresh() IS 'forgets what is cached of remote schemas';
COMMENT ON FUNCTION scylla_refresh(text) IS 'forgets what is cached of a server''s schema';

CREATE FUNCTION scylla_describe(
	relation regclass,
	OUT kind text,
	OUT name text,
	OUT cql_type text,
	OUT key text,
	OUT detail text,
	OUT mismatch text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION scylla_describe(regclass)
	IS 'what a foreign table stands for, item by item, and where its definition does not fit';

CREATE FUNCTION scylla_check(
	relation regclass DEFAULT NULL,
	OUT server text,
	OUT relation regclass,
	OUT finding text,
	OUT detail text,
	OUT remedy text)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C VOLATILE PARALLEL RESTRICTED;

COMMENT ON FUNCTION scylla_check(regclass)
	IS 'what is not well with a foreign table and its cluster, or with all that you may read';

CREATE FUNCTION scylla_fdw_version()
RETURNS text
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;

-- Values of CQL's own kinds.

CREATE FUNCTION scylla_token(relation regclass, VARIADIC key "any")
RETURNS bigint
AS 'MODULE_PATHNAME'
LANGUAGE C STABLE PARALLEL RESTRICTED;

COMMENT ON FUNCTION scylla_token(regclass, "any")
	IS 'token of a partition key, as CQL''s token() gives it';

CREATE FUNCTION scylla_partition_ranges(
	relation regclass,
	n integer,
	OUT start_token bigint,
	OUT end_token bigint,
	OUT rows bigint,
	OUT bytes bigint)
RETURNS SETOF record
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT STABLE PARALLEL RESTRICTED;

COMMENT ON FUNCTION scylla_partition_ranges(regclass, integer)
	IS 'a table in n pieces: token > start_token AND token <= end_token';

CREATE FUNCTION timeuuid_timestamp(uuid)
RETURNS timestamp with time zone
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION min_timeuuid(timestamp with time zone)
RETURNS uuid
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;

CREATE FUNCTION max_timeuuid(timestamp with time zone)
RETURNS uuid
AS 'MODULE_PATHNAME'
LANGUAGE C STRICT IMMUTABLE PARALLEL SAFE;

COMMENT ON FUNCTION timeuuid_timestamp(uuid) IS 'time of a timeuuid; tenths of a microsecond are dropped';
COMMENT ON FUNCTION min_timeuuid(timestamp with time zone)
	IS 'the least timeuuid of the timestamp''s millisecond, as CQL''s minTimeuuid gives it';
COMMENT ON FUNCTION max_timeuuid(timestamp with time zone)
	IS 'the greatest timeuuid of the timestamp''s millisecond, as CQL''s maxTimeuuid gives it';
