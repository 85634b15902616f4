-- Collections, tuples, user-defined types and vectors: what CQL literals read as, and what bound
-- values read back as. For jsonb the server's own SELECT JSON is the reference.
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CALL begin_topic('nested');
\pset format unaligned
\pset tuples_only on

-- zebra comes before address by its use, not by its name
SELECT cql('CREATE TYPE fdw_nested.zebra (no int, what text)');
SELECT cql('CREATE TYPE fdw_nested.address (street text, "Zip Code" int, '
	'lines frozen<list<frozen<zebra>>>, at timestamp)');
SELECT cql('CREATE TABLE fdw_nested.t (k int PRIMARY KEY, li list<int>, st set<text>, fl frozen<list<double>>, '
	'm map<text, text>, mi map<int, frozen<list<int>>>, tu tuple<int, text>, u address, fu frozen<address>, '
	'ul list<frozen<address>>, tl frozen<list<frozen<tuple<int, text>>>>, ll frozen<list<frozen<set<int>>>>, '
	'v vector<float, 3>, vt vector<text, 2>, vv vector<frozen<vector<float, 2>>, 2>, '
	'deep map<text, frozen<list<frozen<map<int, frozen<tuple<frozen<address>, frozen<set<uuid>>>>>>>>>)');

---- what IMPORT declares: without composite types, then with them
IMPORT FOREIGN SCHEMA fdw_nested FROM SERVER nested_server INTO nested_test;
\pset format aligned
\pset tuples_only off
SELECT attname AS column, format_type(atttypid, atttypmod) AS type
	FROM pg_attribute WHERE attrelid = 't'::regclass AND attnum > 0 ORDER BY attname;
DROP FOREIGN TABLE t;
SELECT scylla_create_types('nested_server', 'fdw_nested', 'nested_test');
-- those that are there stay
SELECT scylla_create_types('nested_server', 'fdw_nested', 'nested_test');
\d address
IMPORT FOREIGN SCHEMA fdw_nested FROM SERVER nested_server INTO nested_test;
SELECT attname AS column, format_type(atttypid, atttypmod) AS type
	FROM pg_attribute WHERE attrelid = 't'::regclass AND attname IN ('u', 'fu', 'ul', 'tl', 'deep') ORDER BY attname;

---- literals of CQL
SELECT cql('INSERT INTO fdw_nested.t (k, li, st, fl, m, mi, tu, u, fu, ul, tl, ll, v, vt, vv, deep) VALUES (1, '
	'[3, 1, 2], {''b'', ''a'', ''''}, [0.1, -0.0, 1e30], {''x'': ''1'', ''y'': ''''}, {7: [1, 2], -1: []}, (1, ''one''), '
	'{street: ''Höhe'', "Zip Code": 5, lines: [{no: 1, what: ''w''}, {no: 2}], at: ''2020-02-03 04:05:06.789Z''}, '
	'{street: null, lines: []}, [{street: ''a''}, {"Zip Code": 7}], [(1, ''a''), (null, ''b''), (3, null)], '
	'[{2, 1}, {}], [1.5, -2, 0.1], [''a'', ''''], [[1, 2], [3, 4]], '
	'{''d'': [{1: ({street: ''s''}, {123e4567-e89b-12d3-a456-426614174000}), 2: (null, {})}, {}]})');
SELECT cql('INSERT INTO fdw_nested.t (k) VALUES (2)');
\x on
SELECT * FROM t ORDER BY k;
SELECT (fu).street, (u)."Zip Code", (u).lines[1].what, (ul[2])."Zip Code", (u).at FROM t WHERE k = 1;
\x off
-- the same as jsonb, and the server's own JSON
CREATE FUNCTION as_jsonb(column_name text, key int) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT v FROM scylla_query('nested_server', 'SELECT ' || column_name || ' FROM fdw_nested.t WHERE k = ?', key)
		AS r (v jsonb) $$;
-- SELECT JSON writes names of fields that need it in CQL's quotes.
CREATE FUNCTION as_json(column_name text, key int) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT nullif(replace(v, '\"', '')::jsonb -> column_name, 'null')
		FROM scylla_query('nested_server', 'SELECT JSON ' || column_name || ' FROM fdw_nested.t WHERE k = ?', key)
		AS r (v text) $$;
SELECT c AS column, as_jsonb(c, 1) AS jsonb, as_jsonb(c, 1) IS NOT DISTINCT FROM as_json(c, 1) AS is_as_server
	FROM unnest('{li,st,fl,m,mi,tu,u,fu,ul,tl,ll,v,vt,vv,deep}'::text[]) c;

---- every scalar inside of jsonb
SELECT cql('CREATE TABLE fdw_nested.scalars (k int PRIMARY KEY, ' || string_agg(format('l_%s list<%s>', t, t), ', ') || ')')
	FROM unnest('{ascii,text,tinyint,smallint,int,bigint,varint,decimal,float,double,boolean,blob,uuid,timeuuid,inet,timestamp,date,time,duration}'::text[]) t;
CREATE TABLE literals (t text, literal text);
INSERT INTO literals VALUES ('ascii', '[''a"b\''''/'', '''']'), ('text', '[''ä€😀'', '''']'), ('tinyint', '[-128, 127]'),
	('smallint', '[-32768, 32767]'), ('int', '[-2147483648, 2147483647]'),
	('bigint', '[-9223372036854775808, 9223372036854775807]'), ('varint', '[0, -123456789012345678901234567890]'),
	('decimal', '[1.50, -0.000001, 1E+3, 0]'), ('float', '[0.1, 1e10, -0.0, 3.4028235e38]'),
	('double', '[0.1, 1e-300, 4.9e-324, 1.7976931348623157e308]'), ('boolean', '[true, false]'),
	('blob', '[0x, 0xCAFE00]'), ('uuid', '[123e4567-e89b-12d3-a456-426614174000]'),
	('timeuuid', '[50554d6e-29bb-11e5-b345-feff819cdc9f]'), ('inet', '[''1.2.3.4'']'),
	('timestamp', '[0, ''2020-02-29 23:59:59.999Z'', -1, 253402300799999, 9223372036854775807]'),
	('date', '[''2020-02-29'', ''1969-12-31'', 0, 4294967295]'), ('time', '[''00:00:00'', ''23:59:59.999999999'']'),
	('duration', '[1y2mo3w4d5h6m7s8ms9us10ns, -1d]');
SELECT cql(format('INSERT INTO fdw_nested.scalars (k, l_%s) VALUES (1, %s)', t, literal)) FROM literals;
SELECT t, CASE WHEN length(r.v::text) < 200 THEN r.v END AS jsonb, r.v = (j.v::jsonb -> ('l_' || t)) AS is_as_server FROM literals,
	LATERAL scylla_query('nested_server', format('SELECT l_%s FROM fdw_nested.scalars', t)) AS r (v jsonb),
	LATERAL scylla_query('nested_server', format('SELECT JSON l_%s FROM fdw_nested.scalars', t)) AS j (v text);
-- bound as jsonb they are the same values again, and what the server prints for them is the same
-- (but for the sign of zero, and for 1E+3, which numeric has as 1000)
SELECT count(scylla_execute('nested_server', format('INSERT INTO fdw_nested.scalars (k, l_%s) VALUES (2, ?)', t), r.v)) AS bound
	FROM literals, LATERAL scylla_query('nested_server', format('SELECT l_%s FROM fdw_nested.scalars WHERE k = 1', t)) AS r (v jsonb);
SELECT t AS differs FROM literals,
	LATERAL scylla_query('nested_server', format('SELECT JSON l_%s FROM fdw_nested.scalars WHERE k IN (1, 2)', t)) AS j (v text)
	GROUP BY t HAVING count(DISTINCT replace(replace(j.v, '-0.0', '0.0'), '1E+3', '1000')) > 1 OR count(*) <> 2;
-- NaN and the infinities are strings; so is an IPv6 address, and a timestamp before Christ
SELECT cql('INSERT INTO fdw_nested.scalars (k, l_float, l_double, l_inet, l_timestamp) VALUES '
	'(3, [NaN, Infinity], [-Infinity, NaN], [''2001:db8::1''], [-9223372036854775808, -62167219200001])');
\x on
SELECT * FROM scylla_query('nested_server', 'SELECT l_float, l_double, l_inet, l_timestamp FROM fdw_nested.scalars WHERE k = 3')
	AS r (l_float jsonb, l_double jsonb, l_inet jsonb, l_timestamp jsonb);
SELECT scylla_execute('nested_server', 'INSERT INTO fdw_nested.scalars (k, l_float, l_double, l_inet, l_timestamp) VALUES (4, ?, ?, ?, ?)',
		l_float, l_double, l_inet, l_timestamp)
	FROM scylla_query('nested_server', 'SELECT l_float, l_double, l_inet, l_timestamp FROM fdw_nested.scalars WHERE k = 3')
	AS r (l_float jsonb, l_double jsonb, l_inet jsonb, l_timestamp jsonb);
SELECT * FROM scylla_query('nested_server', 'SELECT l_float, l_double, l_inet, l_timestamp FROM fdw_nested.scalars WHERE k = 4')
	AS r (l_float float4[], l_double float8[], l_inet inet[], l_timestamp jsonb);
\x off

---- bound values: jsonb
CREATE FUNCTION bind(column_name text, value anyelement, OUT as_jsonb jsonb, OUT is_as_server boolean) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM scylla_execute('nested_server', format('INSERT INTO fdw_nested.t (k, %s) VALUES (3, ?)', column_name), value);
	as_jsonb := nested_test.as_jsonb(column_name, 3);
	is_as_server := as_jsonb IS NOT DISTINCT FROM as_json(column_name, 3);
END
$$;
SELECT c AS column, (bind(c, v::jsonb)).* FROM (VALUES ('li', '[5, "6", 7.0]'), ('st', '["z", "a"]'), ('fl', '[1, 0.1, "-0"]'),
	('m', '{"k": "v", "": "empty"}'), ('mi', '{"-5": [1], "6": []}'), ('tu', '[7, null]'),
	('u', '{"lines": [{"no": 1}, {}], "Zip Code": 12}'), ('u', '{}'),
	('fu', '{"at": "2020-02-03T04:05+01:00", "street": null}'), ('fu', '{"at": 1500}'), ('ul', '[{"street": "x"}, {}]'),
	('tl', '[[1, "a"], [null, null]]'), ('ll', '[[1, 2], []]'), ('v', '[1, "NaN", 0.1]'), ('vt', '["long", ""]'),
	('vv', '[[1, 2], [3, 4]]'), ('li', '[]'),
	('deep', '{"a": [{"1": [{"street": "s"}, ["123e4567-e89b-12d3-a456-426614174000"]]}, {"2": [null, null]}], "b": []}')) b (c, v);

---- bound values: arrays, composites, rows, hstore where it is
CREATE TYPE entry AS (key int, value jsonb);
CREATE TYPE text_entry AS (k varchar(3), v text);
CREATE TYPE pair AS (number bigint, name varchar);
SELECT (bind('li', ARRAY[1, 2])).*;
SELECT (bind('li', ARRAY[1, 2]::int8[])).*;
SELECT (bind('li', ARRAY[1, 2]::int2[])).*;
SELECT (bind('li', '{}'::int[])).*;
SELECT (bind('st', ARRAY['b', 'a', 'b'])).*;
SELECT (bind('fl', ARRAY['NaN', '-Infinity', 1e-10]::float8[])).*;
SELECT (bind('v', ARRAY[1.5, 'NaN', '-0']::float4[])).*;
SELECT (bind('v', ARRAY[1.5, 0.5, '-0']::float8[])).*;
SELECT (bind('vt', ARRAY['x', repeat('long', 40)])).*;
SELECT (bind('tu', ROW(1, 'one'::text))).*;
SELECT (bind('tu', ROW(1, NULL)::pair)).*;
SELECT (bind('tl', ARRAY[ROW(1, 'one'), ROW(NULL, NULL)]::pair[])).*;
SELECT (bind('u', ROW('s', 5, ARRAY[ROW(1, 'w')::zebra], '2020-01-01')::address)).*;
SELECT (bind('ul', ARRAY[ROW('s', 5, NULL, NULL), ROW(NULL, NULL, '{}', NULL)]::address[])).*;
SELECT scylla_execute('nested_server', 'INSERT INTO fdw_nested.t (k, tl) VALUES (3, ?)', ARRAY[ROW(1, 'one'::text), ROW(2, NULL::text)]);
SELECT as_jsonb('tl', 3);
SELECT (bind('ul', ARRAY['{"street": "t"}']::jsonb[])).*;
SELECT (bind('mi', ARRAY[ROW(1, '[1, 2]')::entry, ROW(2, '[]')::entry])).*;
SELECT (bind('m', ARRAY[ROW('a', 'A'::text)::text_entry, ROW('b', '')::text_entry])).*;
SELECT * FROM scylla_query('nested_server', 'SELECT m, mi, tu FROM fdw_nested.t WHERE k = 3') AS r (m text_entry[], mi entry[], tu pair);
-- an untyped literal is what IMPORT would declare
SELECT scylla_execute('nested_server', 'INSERT INTO fdw_nested.t (k, li, m, u) VALUES (3, ?, ?, ?)', '{8,9}', '{"p": "q"}', '{"street": "t"}');
SELECT li, m, u FROM t WHERE k = 3;
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') AS has_hstore \gset
\if :has_hstore
CREATE SCHEMA hstore_here;
CREATE EXTENSION IF NOT EXISTS hstore SCHEMA hstore_here;
SELECT extnamespace::regnamespace AS hstore_schema FROM pg_extension WHERE extname = 'hstore' \gset
SET search_path = nested_test, public, :hstore_schema;
SELECT (bind('m', 'a=>1, "b c"=>"é"'::hstore)).*;
SELECT r.m -> 'b c' AS value FROM scylla_query('nested_server', 'SELECT m FROM fdw_nested.t WHERE k = 3') AS r (m hstore);
SET search_path = nested_test, public;
\endif

---- domains and enums
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN few AS small[] CHECK (cardinality(VALUE) < 4);
CREATE DOMAIN full_pair AS pair CHECK ((VALUE).name IS NOT NULL);
SELECT cql('INSERT INTO fdw_nested.t (k, li, st, tu) VALUES (4, [1, 2], {''sad'', ''happy''}, (1, ''x''))');
SELECT * FROM scylla_query('nested_server', 'SELECT li, st, tu FROM fdw_nested.t WHERE k = 4') AS r (li few, st mood[], tu full_pair);
SELECT (bind('st', ARRAY['ok', 'sad']::mood[])).*;
SELECT (bind('li', ARRAY[1]::few)).*;
SELECT cql('CREATE TABLE fdw_nested.moods (m text PRIMARY KEY, n int)');
CREATE FOREIGN TABLE moods (m mood, n int) SERVER nested_server OPTIONS (keyspace 'fdw_nested', "table" 'moods');
SELECT cql('INSERT INTO fdw_nested.moods (m, n) VALUES (''ok'', 1)');
SELECT * FROM moods WHERE m = 'ok';
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM moods WHERE m = 'ok';
EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM moods WHERE m > 'sad';

---- nothing structured is pushed
SELECT cql('CREATE TABLE fdw_nested.keyed (l frozen<list<int>>, j frozen<map<text, int>>, u frozen<zebra>, v int, PRIMARY KEY (l, j, u))');
SELECT cql('INSERT INTO fdw_nested.keyed (l, j, u, v) VALUES ([1, 2], {''a'': 1}, {no: 1, what: ''w''}, 5)');
IMPORT FOREIGN SCHEMA fdw_nested LIMIT TO (keyed) FROM SERVER nested_server INTO nested_test;
SELECT * FROM keyed WHERE l = '{1,2}' AND j = '{"a": 1}' AND u = ROW(1, 'w')::zebra;
EXPLAIN (VERBOSE, COSTS OFF) SELECT v FROM keyed WHERE l = '{1,2}' AND j = '{"a": 1}' AND u = ROW(1, 'w')::zebra;

---- user-defined types change
SELECT cql('ALTER TYPE fdw_nested.zebra ADD more text');
SELECT cql('INSERT INTO fdw_nested.t (k, fu) VALUES (5, {lines: [{no: 1, more: ''m''}]})');
-- what was prepared before the DDL is prepared again; values from before have fewer fields
SELECT as_jsonb('u', 1) -> 'lines' AS lines;
-- a foreign table wants the composite type to have the field
SELECT fu FROM t WHERE k = 5;
SELECT scylla_create_types('nested_server', 'fdw_nested', 'nested_test');
CREATE SCHEMA nested_other;
SELECT scylla_create_types('nested_server', 'fdw_nested', 'nested_other');
\d nested_other.zebra
DROP FOREIGN TABLE t;
SET client_min_messages = warning;
IMPORT FOREIGN SCHEMA fdw_nested LIMIT TO (t) FROM SERVER nested_server INTO nested_test;
SELECT format_type(atttypid, atttypmod) AS type_of_u FROM pg_attribute WHERE attrelid = 't'::regclass AND attname = 'u';
ALTER TYPE zebra ADD ATTRIBUTE more text;
DROP FOREIGN TABLE t;
IMPORT FOREIGN SCHEMA fdw_nested LIMIT TO (t) FROM SERVER nested_server INTO nested_test;
SELECT fu, (fu).lines[1].more FROM t WHERE k = 5;

DROP SCHEMA nested_other CASCADE;
\if :has_hstore
DROP SCHEMA IF EXISTS hstore_here CASCADE;
\endif
CALL end_topic('nested');
