-- Functions that compute by themselves, and columns that CQL computes. The server's port is closed:
-- column options alone must do.

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA functions;
SET search_path = functions, public;
CREATE SERVER functions FOREIGN DATA WRAPPER scylla_fdw
	OPTIONS (host '127.0.0.1', port '1', keyspace 'ks');
CREATE USER MAPPING FOR CURRENT_USER SERVER functions;

-- Tokens: what CQL's token() gives for the same keys (see test/unit/test_ring.c).
CREATE FOREIGN TABLE one (
	k text OPTIONS (key 'partition 1', type 'text'),
	v int OPTIONS (key 'regular', type 'int')
) SERVER functions;
CREATE FOREIGN TABLE several (
	v int OPTIONS (key 'regular', type 'int'),
	c uuid OPTIONS (key 'partition 3', type 'uuid'),
	b text OPTIONS ("column" 'B', key 'partition 2', type 'text'),
	a int OPTIONS (key 'partition 1', type 'int')
) SERVER functions;
CREATE FOREIGN TABLE stamps (
	k timestamptz OPTIONS (key 'partition 1', type 'timestamp'),
	v int OPTIONS (key 'regular', type 'int')
) SERVER functions;
CREATE FOREIGN TABLE longs (
	k bigint OPTIONS (key 'partition 1', type 'bigint'),
	v int OPTIONS (key 'regular', type 'int')
) SERVER functions;
SELECT scylla_token('one', 'hello'), scylla_token('one', 'a'::varchar), scylla_token('one', '');
SELECT scylla_token('several', 1, '', '12345678-9abc-4def-8123-456789abcdef');
SELECT scylla_token('several', (-1)::bigint, 'hällo'::text, '12345678-9abc-4def-8123-456789abcdef'::uuid);
-- one call of a query serves the next, whatever the table
SELECT t, scylla_token(t::regclass, 'hello') = scylla_token('one', 'hello') AS same
	FROM unnest(ARRAY['one', 'functions.one', 'one']) t;
SELECT scylla_token('one', VARIADIC ARRAY['hello']) = scylla_token('one', 'hello') AS same;
-- a timestamp's bytes are those of a bigint of its milliseconds
SELECT scylla_token('stamps', '1970-01-01 00:00:01+00') = scylla_token('longs', 1000) AS same;

SELECT scylla_token('one', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('several', 1, NULL, NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token(NULL, 1);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('one', VARIADIC NULL::text[]);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('one', 'a', 'b');
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('several', 1);
SELECT scylla_token('pg_class', 1);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('several', 2147483648, '', '12345678-9abc-4def-8123-456789abcdef'::uuid);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('several', 1, 2, '12345678-9abc-4def-8123-456789abcdef'::uuid);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('several', 1, 'x', 'y');
SELECT scylla_token('stamps', '2024-01-01 00:00:00.0001+00'::timestamptz);
\echo :LAST_ERROR_SQLSTATE
SELECT scylla_token('one', repeat('x', 65536));
\echo :LAST_ERROR_SQLSTATE

-- Timeuuids: the millisecond's first and last one.
SELECT min_timeuuid('2024-01-01 00:00:00.001+00'), max_timeuuid('2024-01-01 00:00:00.001+00');
SELECT min_timeuuid('2024-01-01 00:00:00.001999+00') = min_timeuuid('2024-01-01 00:00:00.001+00') AS downward;
SELECT timeuuid_timestamp(min_timeuuid(t)), timeuuid_timestamp(max_timeuuid(t)) FROM
	unnest(ARRAY['1582-10-15 00:00:00+00', '1969-12-31 23:59:59.999+00', '2024-01-01 00:00:00.001999+00',
	'5236-03-31 21:21:00.683+00']::timestamptz[]) t;
SELECT timeuuid_timestamp('ffffffff-ffff-1fff-8000-000000000000');
SELECT timeuuid_timestamp(NULL), min_timeuuid(NULL), max_timeuuid(NULL);
SELECT timeuuid_timestamp('12345678-9abc-4def-8123-456789abcdef');
\echo :LAST_ERROR_SQLSTATE
SELECT min_timeuuid('1582-10-14 23:59:59.999999+00');
\echo :LAST_ERROR_SQLSTATE
SELECT max_timeuuid('5236-03-31 21:21:00.684+00');
\echo :LAST_ERROR_SQLSTATE
SELECT min_timeuuid('infinity');
\echo :LAST_ERROR_SQLSTATE
SELECT max_timeuuid('-infinity');
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
	WHERE proname IN ('timeuuid_timestamp', 'min_timeuuid', 'max_timeuuid') ORDER BY 1;

-- Computed columns.
CREATE FOREIGN TABLE computed (
	a int OPTIONS (key 'partition 1', type 'int'),
	b text OPTIONS ("column" 'B', key 'partition 2', type 'text'),
	c int OPTIONS (key 'clustering 1 asc', type 'int'),
	s int OPTIONS (key 'static', type 'int'),
	v text OPTIONS ("column" 'V v', key 'regular', type 'text'),
	v_ttl int OPTIONS (function 'ttl(V v)'),
	v_time timestamptz OPTIONS (function 'writetime(V v)'),
	s_time bigint OPTIONS (function 'writetime(s)'),
	token bigint OPTIONS (function 'token')
) SERVER functions;
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM computed;
EXPLAIN (VERBOSE, COSTS OFF) SELECT v_ttl FROM computed WHERE a = 1 AND b = 'x' AND token > 0 AND v_time < now();
EXPLAIN (VERBOSE, COSTS OFF) SELECT s_time, token FROM computed WHERE a = 1 AND b = 'x' AND c = 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM computed;

-- what cannot be
CREATE FOREIGN TABLE wrong (a int OPTIONS (function 'token', type 'bigint')) SERVER functions;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (a int OPTIONS (key 'partition 1', function 'token')) SERVER functions;
CREATE FOREIGN TABLE wrong (a int OPTIONS ("column" 'b', function 'ttl(b)')) SERVER functions;
CREATE FOREIGN TABLE wrong (a int OPTIONS (function 'ttl()')) SERVER functions;
\echo :LAST_ERROR_SQLSTATE
CREATE FOREIGN TABLE wrong (a int OPTIONS (function 'now()')) SERVER functions;
CREATE FOREIGN TABLE wrong (a int OPTIONS (function 'token(a)')) SERVER functions;
ALTER FOREIGN TABLE computed ALTER COLUMN s_time OPTIONS (ADD type 'bigint');
CREATE FOREIGN TABLE wrong (
	a int OPTIONS (key 'partition 1', type 'int'),
	l text OPTIONS (key 'regular', type 'list<text>'),
	f text OPTIONS (key 'regular', type 'frozen<list<text>>'),
	x int OPTIONS (function 'ttl(a)')
) SERVER functions;
SELECT * FROM wrong;
ALTER FOREIGN TABLE wrong ALTER COLUMN x OPTIONS (SET function 'ttl(l)');
SELECT x FROM wrong;
\echo :LAST_ERROR_SQLSTATE
ALTER FOREIGN TABLE wrong ALTER COLUMN x OPTIONS (SET function 'ttl(f)');
EXPLAIN (VERBOSE, COSTS OFF) SELECT x FROM wrong;

DROP SCHEMA functions CASCADE;
DROP SERVER functions CASCADE;
