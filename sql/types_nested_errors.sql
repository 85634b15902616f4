-- What nested values cannot be: SQLSTATE, the path of the element, and the column's name.
SET client_min_messages = warning;
SET timezone = 'UTC';
CALL begin_topic('nested_errors');
\pset format unaligned
\pset tuples_only on

SELECT cql('CREATE TYPE fdw_nested_errors.address (street ascii, zip tinyint, at timestamp)');
SELECT cql('CREATE TABLE fdw_nested_errors.t (k int PRIMARY KEY, ints list<int>, texts set<text>, tiny list<tinyint>, '
	'person tuple<text, frozen<address>>, homes map<text, frozen<address>>, by_number map<int, double>, by_list map<frozen<list<int>>, int>, '
	'v vector<float, 3>, flags list<boolean>, blobs list<blob>, ids list<timeuuid>, hosts list<inet>, dates list<date>, times list<time>, '
	'spans list<duration>, decimals list<decimal>, floats list<float>, asciis list<ascii>)');

-- How binding a value to a column fails: state, column, message, detail, hint.
CREATE FUNCTION fails(column_name text, value anyelement, OUT state text, OUT "column" text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM scylla_execute('nested_errors_server', format('INSERT INTO fdw_nested_errors.t (k, %s) VALUES (1, ?)', column_name), value);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, "column" = COLUMN_NAME, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
-- Likewise reading a column as a type.
CREATE FUNCTION fails_to_read(column_name text, type text, OUT state text, OUT "column" text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT * FROM scylla_query(''nested_errors_server'', ''SELECT %1$s FROM fdw_nested_errors.t WHERE k = 2'') AS r (%1$s %2$s)', column_name, type);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, "column" = COLUMN_NAME, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;

---- jsonb: each value with the path of what is wrong
SELECT v AS value, f.* FROM (VALUES
	('ints', '{"a": 1}'), ('ints', '5'), ('ints', 'null'), ('ints', '[1, null]'), ('ints', '[1, "x"]'), ('ints', '[1, 2147483648]'),
	('ints', '[1.5]'), ('ints', '[[1]]'), ('ints', '[true]'), ('ints', '["1e"]'), ('ints', '[""]'), ('ints', '["9223372036854775808"]'),
	('tiny', '[128]'), ('tiny', '[-129]'), ('texts', '["a", 1]'), ('texts', '[null]'),
	('person', '[1, null]'), ('person', '["a"]'), ('person', '["a", null, 1]'), ('person', '["a", {"zip": "300"}]'),
	('person', '["a", {"zipp": 1}]'), ('person', '["a", {"street": "ä"}]'), ('person', '["a", {"at": "2020-13-01"}]'), ('person', '["a", []]'),
	('homes', '{"first": null}'), ('homes', '{"first": {"zip": 1}, "a b": {"zip": 1000}}'), ('homes', '[]'),
	('by_number', '{"x": 1}'), ('by_number', '{"1": "Inf"}'), ('by_number', '{"1": 1e400}'), ('by_number', '{"1": 1e-400}'), ('by_number', '{"": 1}'),
	('by_list', '{"[1, null]": 1}'), ('by_list', '{"1": 1}'), ('by_list', '{"[1": 1}'), ('by_list', '{"{}": 1}'),
	('v', '[1, 2]'), ('v', '[1, 2, 3, 4]'), ('v', '[1, 2, null]'), ('v', '[1, 2, 1e39]'),
	('flags', '["yes"]'), ('flags', '[1]'), ('blobs', '["0x1"]'), ('blobs', '["cafe"]'), ('blobs', '["0xzz"]'),
	('ids', '["123e4567-e89b-42d3-a456-426614174000"]'), ('ids', '["123e4567e89b12d3a456426614174000"]'), ('ids', '["123e4567-e89b-12d3-a456-42661417400g"]'),
	('hosts', '["1.2.3.0/24"]'), ('hosts', '["10.1"]'), ('hosts', '["::g"]'), ('hosts', '["1.2.3.4/32"]'),
	('dates', '["2020-02-30"]'), ('dates', '["2020-2-3"]'), ('dates', '["+6000000-01-01"]'), ('dates', '[0]'),
	('times', '["24:00:00"]'), ('times', '["23:59:60"]'), ('times', '["00:00:00.0000000001"]'),
	('spans', '["1x"]'), ('spans', '[1]'), ('decimals', '["NaN"]'), ('asciis', '["é"]')) b (c, v),
	LATERAL fails(c, v::jsonb) f;
SELECT f.state, f.message, f.hint FROM fails('person', '["a", {"at": "2020-01-01 00:00:00.0001Z"}]'::jsonb) f;

---- arrays, composites
CREATE TYPE address AS (street text, zip int, at timestamptz);
CREATE TYPE person AS (name text, home address);
CREATE TYPE entry AS (k text, v address);
CREATE TYPE number_entry AS (k int, v float8);
CREATE TYPE three AS (a int, b int, c int);
SELECT * FROM fails('ints', '{{1,2},{3,4}}'::int[]);
SELECT * FROM fails('ints', '[0:1]={1,2}'::int[]);
SELECT * FROM fails('ints', '{1,NULL}'::int[]);
SELECT * FROM fails('ints', '{1,5000000000}'::int8[]);
SELECT * FROM fails('texts', '{NULL}'::text[]);
SELECT * FROM fails('v', '{1,2}'::float4[]);
SELECT * FROM fails('v', '{1,2,NULL}'::float4[]);
SELECT * FROM fails('v', '{1,2,0.1}'::float8[]);
SELECT * FROM fails('hosts', '{10.0.0.0/8}'::inet[]);
SELECT * FROM fails('dates', '{2020-01-01,infinity}'::date[]);
SELECT * FROM fails('decimals', '{NaN}'::numeric[]);
SELECT * FROM fails('person', ROW('x', ROW('s', 1000, NULL)::address)::person);
SELECT * FROM fails('person', ROW('x', ROW('s', 10, '2020-01-01 00:00:00.0001+00')::address)::person);
SELECT * FROM fails('homes', ARRAY[ROW('a', ROW('s', 1, NULL)), ROW('b', ROW('ü', 1, NULL))]::entry[]);
SELECT * FROM fails('homes', ARRAY[ROW(NULL, ROW('s', 1, NULL))]::entry[]);
SELECT * FROM fails('homes', ARRAY[ROW('a', NULL)]::entry[]);
SELECT * FROM fails('homes', ARRAY[NULL]::entry[]);
-- pairs that are not in the table
SELECT * FROM fails('ints', 5);
SELECT * FROM fails('ints', ARRAY['5']);
SELECT * FROM fails('by_list', ARRAY[1]);
SELECT * FROM fails('person', ROW(1, 2, 3)::three);
SELECT * FROM fails('person', ROW(1, 2));
SELECT * FROM fails('homes', ARRAY[ROW(1, 2)]::number_entry[]);
SELECT * FROM fails('texts', '["a"]'::json);

---- reading
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN small AS int CHECK (VALUE < 10);
CREATE DOMAIN few AS int[] CHECK (cardinality(VALUE) < 2);
CREATE DOMAIN named AS text NOT NULL;
CREATE TYPE named_person AS (name named, home jsonb);
SELECT cql('INSERT INTO fdw_nested_errors.t (k, ints, texts, person, dates, times, spans, by_number) VALUES (2, [1, 11], {''long'', ''sad''}, '
	'(null, {zip: 5}), [''2020-01-01'', 4294967295], [''00:00:00.000000001''], [1ns], {1: 0.5})');
SELECT * FROM fails_to_read('ints', 'small[]');
SELECT * FROM fails_to_read('ints', 'few');
SELECT * FROM fails_to_read('ints', 'int2[]');
SELECT * FROM fails_to_read('ints', 'int');
SELECT * FROM fails_to_read('texts', 'mood[]');
SELECT * FROM fails_to_read('texts', 'varchar(3)[]');
SELECT * FROM fails_to_read('person', 'named_person');
SELECT * FROM fails_to_read('person', 'three');
SELECT * FROM fails_to_read('dates', 'date[]');
SELECT * FROM fails_to_read('times', 'time[]');
SELECT * FROM fails_to_read('spans', 'interval[]');
SELECT * FROM fails_to_read('by_number', 'int[]');
-- an empty value inside reads as NULL, with a warning
SET client_min_messages = notice;
SELECT cql('INSERT INTO fdw_nested_errors.t (k, ints, by_list) VALUES (3, [1, blobAsInt(0x), blobAsInt(0x)], {[blobAsInt(0x)]: 1})');
SELECT * FROM scylla_query('nested_errors_server', 'SELECT ints FROM fdw_nested_errors.t WHERE k = 3') AS r (ints jsonb);
SELECT * FROM scylla_query('nested_errors_server', 'SELECT ints FROM fdw_nested_errors.t WHERE k = 3') AS r (ints int[]);
SELECT * FROM scylla_query('nested_errors_server', 'SELECT by_list FROM fdw_nested_errors.t WHERE k = 3') AS r (by_list jsonb);
SET client_min_messages = warning;

---- a column of a foreign table
CREATE FOREIGN TABLE t (k int, ints small[], homes entry) SERVER nested_errors_server;
SELECT ints FROM t WHERE k = 2;
SELECT homes FROM t;

CALL end_topic('nested_errors');
