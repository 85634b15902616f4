-- Random conditions on key columns: each query gives the same rows with pushdown, without it, and
-- on a local copy; with constants, parameters of a generic plan, InitPlans and join clauses.
SET timezone = 'UTC';
CALL begin_topic('diff');
CREATE SCHEMA diff_remote;
CREATE SCHEMA diff_local;

DO $$
DECLARE
	statement text;
BEGIN
	FOREACH statement IN ARRAY ARRAY[
		'DROP KEYSPACE IF EXISTS fdw_diff',
		'CREATE KEYSPACE fdw_diff WITH replication = '
			'{''class'': ''NetworkTopologyStrategy'', ''replication_factor'': 1}',
		'CREATE TABLE fdw_diff.integers (k int, c bigint, d smallint, e tinyint, v int, '
			'PRIMARY KEY (k, c, d, e)) WITH CLUSTERING ORDER BY (c DESC, d ASC, e DESC)',
		'CREATE TABLE fdw_diff.texts (k text, l boolean, c timestamp, d text, v int, '
			'PRIMARY KEY ((k, l), c, d)) WITH CLUSTERING ORDER BY (c DESC, d DESC)',
		'CREATE TABLE fdw_diff.times (k date, c time, d decimal, e double, v int, '
			'PRIMARY KEY (k, c, d, e))',
		'CREATE TABLE fdw_diff.others (k uuid, c varint, d inet, e blob, v int, '
			'PRIMARY KEY (k, c, d, e))',
		'CREATE TABLE fdw_diff.stamps (k timestamp, c date, d float, e boolean, v int, '
			'PRIMARY KEY (k, c, d, e))']
	LOOP
		PERFORM scylla_execute('diff_server', statement);
	END LOOP;
END
$$;

-- Wider than remotely, a domain, varchar: all that a hand-written table may say.
CREATE DOMAIN c_text AS text COLLATE "C";
CREATE TABLE diff_local.integers (k bigint, c numeric, d int, e smallint, v int);
CREATE TABLE diff_local.texts (k varchar(20), l boolean, c timestamptz(3), d c_text, v int);
CREATE TABLE diff_local.times (k date, c time, d numeric, e float8, v int);
CREATE TABLE diff_local.others (k uuid, c bigint, d inet, e bytea, v int);
CREATE TABLE diff_local.stamps (k timestamp, c date, d float8, e boolean, v int);
CREATE FOREIGN TABLE diff_remote.integers (k bigint, c numeric, d int, e smallint, v int)
	SERVER diff_server;
CREATE FOREIGN TABLE diff_remote.texts (k varchar(20), l boolean, c timestamptz(3), d c_text, v int)
	SERVER diff_server;
CREATE FOREIGN TABLE diff_remote.times (k date, c time, d numeric, e float8, v int)
	SERVER diff_server;
CREATE FOREIGN TABLE diff_remote.others (k uuid, c bigint, d inet, e bytea, v int)
	SERVER diff_server;
CREATE FOREIGN TABLE diff_remote.stamps (k timestamp, c date, d float8, e boolean, v int)
	SERVER diff_server;

INSERT INTO diff_local.integers SELECT k, c, d, e, 1
	FROM unnest('{1,2,-3,2147483647}'::int[]) k,
		unnest('{1,2,3,-1,9223372036854775807,-9223372036854775808}'::bigint[]) c,
		unnest('{1,2,32767,-32768}'::int[]) d, unnest('{1,127,-128}'::int[]) e;
INSERT INTO diff_local.texts SELECT k, l, c, d, 1
	FROM unnest('{x,y,""}'::text[]) k, unnest('{t,f}'::boolean[]) l,
		unnest('{2024-01-01 00:00:00.001Z,2024-01-01Z,2024-01-01 00:00:00.002Z,
			1969-12-31 23:59:59.999Z,1970-01-01Z,4713-01-01 BC}'::timestamptz[]) c,
		unnest('{a,b,"",B,ä,€,😀,｡}'::text[]) d;
INSERT INTO diff_local.times SELECT k, c, d, e, 1
	FROM unnest('{2024-01-01,2024-01-02,4713-01-01 BC,5874897-12-31}'::date[]) k,
		unnest('{00:00,10:00,10:00:00.000001,23:59:59.999999}'::time[]) c,
		unnest('{1.0,1.5,-1.5,0,1e100}'::numeric[]) d,
		unnest('{0,-0,1.5,NaN,Infinity,-Infinity,0.1}'::float8[]) e;
INSERT INTO diff_local.others SELECT k, c, d, e, 1
	FROM unnest('{00000000-0000-0000-0000-000000000001,f0000000-0000-4000-8000-000000000001}'::uuid[]) k,
		unnest('{1,-1,128,9223372036854775807,-129,0,255}'::bigint[]) c,
		unnest('{10.0.0.1,::1,255.255.255.255,fe80::1}'::inet[]) d,
		unnest(ARRAY['\x', '\x00', '\xff', '\x0001']::bytea[]) e;
INSERT INTO diff_local.stamps SELECT k, c, d, e, 1
	FROM unnest('{2024-01-01 00:00:00.001,2024-01-01,1969-12-31 23:59:59.999}'::timestamp[]) k,
		unnest('{2024-01-01,0044-03-15 BC,4714-11-24 BC,5874897-12-31}'::date[]) c,
		unnest('{0,-0,1.5,NaN,Infinity,-Infinity,0.1}'::float4[]) d, unnest('{t,f}'::boolean[]) e;
DO $$
BEGIN
	PERFORM scylla_execute('diff_server', 'INSERT INTO fdw_diff.integers (k, c, d, e, v) '
		'VALUES (?, ?, ?, ?, ?)', k, c, d, e, v) FROM diff_local.integers;
	PERFORM scylla_execute('diff_server', 'INSERT INTO fdw_diff.texts (k, l, c, d, v) '
		'VALUES (?, ?, ?, ?, ?)', k, l, c, d, v) FROM diff_local.texts;
	PERFORM scylla_execute('diff_server', 'INSERT INTO fdw_diff.times (k, c, d, e, v) '
		'VALUES (?, ?, ?, ?, ?)', k, c, d, e, v) FROM diff_local.times;
	PERFORM scylla_execute('diff_server', 'INSERT INTO fdw_diff.others (k, c, d, e, v) '
		'VALUES (?, ?, ?, ?, ?)', k, c::numeric, d, e, v) FROM diff_local.others;
	PERFORM scylla_execute('diff_server', 'INSERT INTO fdw_diff.stamps (k, c, d, e, v) '
		'VALUES (?, ?, ?, ?, ?)', k, c, d::float4, e, v) FROM diff_local.stamps;
END
$$;

-- What columns are compared with. Those that are_keys stand in every partition key.
CREATE TABLE operands (tab text, col text, is_key boolean, operand text);
INSERT INTO operands SELECT tab, col, is_key, unnest(list) FROM (VALUES
	('integers', 'k', true, ARRAY['1', '2', '-3', '2147483647', '5000000000', '1::smallint', '2::bigint',
		'1::numeric', '1.5', 'NULL::int', '-2147483648', '''NaN''::numeric']),
	('integers', 'c', false, ARRAY['1', '2', '3', '-1', '9223372036854775807', '9223372036854775808',
		'-9223372036854775808', '2.5', '-2.5', '1e30', '''NaN''::numeric', '3::smallint', 'NULL::numeric',
		'''Infinity''::numeric', '-9223372036854775809']),
	('integers', 'd', false, ARRAY['1', '2', '32767', '40000', '-32768', '-40000', '3::smallint',
		'2::bigint', 'NULL::int', '5000000000']),
	('integers', 'e', false, ARRAY['1::smallint', '-128', '127', '128', '-129', '300::bigint', '0']),
	('texts', 'k', true, ARRAY['''x''', '''y''', '''''', '''zz''::text', '''x''::varchar', '''x''::char(3)',
		'''ä''', 'NULL::text', '''x''::name']),
	('texts', 'l', true, ARRAY['true', 'false', 'NULL::boolean']),
	('texts', 'c', false, ARRAY['''2024-01-01 00:00:00.001Z''::timestamptz',
		'''2024-01-01 00:00:00.0015Z''::timestamptz', '''2024-01-01 00:00:00.0009999Z''::timestamptz',
		'''1969-12-31 23:59:59.9995Z''::timestamptz', '''1969-12-31 23:59:59.999Z''::timestamptz',
		'''infinity''::timestamptz', '''-infinity''::timestamptz', '''2024-01-01''::date',
		'''2024-01-01 00:00:00.001''::timestamp', '''4713-01-01 BC''::timestamptz',
		'''294276-12-31Z''::timestamptz', 'now()', 'NULL::timestamptz']),
	('texts', 'd', false, ARRAY['''a''', '''b''', '''''', '''B''', '''ä''', '''€''', '''😀''', '''a''::varchar',
		'''a  ''::char(4)', '''b''::name', '''ab''::text COLLATE "POSIX"']),
	('times', 'k', true, ARRAY['''2024-01-01''::date', '''2024-01-02''::date', '''infinity''::date',
		'''-infinity''::date', '''4713-01-01 BC''::date', '''5874897-12-31''::date',
		'''2024-01-01''::timestamp', '''2024-01-02Z''::timestamptz', 'current_date', 'NULL::date']),
	('times', 'c', false, ARRAY['''00:00''::time', '''10:00''::time', '''10:00:00.000001''::time',
		'''24:00''::time', '''23:59:59.999999''::time', 'NULL::time']),
	('times', 'd', false, ARRAY['1.0', '1', '1.50', '-1.5', '0', '''NaN''::numeric',
		'''Infinity''::numeric', '''-Infinity''::numeric', '1e100', '3::bigint', '1e-20']),
	('times', 'e', false, ARRAY['0::float8', '''-0''::float8', '1.5', '''NaN''::float8',
		'''Infinity''::float8', '''-Infinity''::float8', '0.1', '0.1::float4', '1e308', '1::int']),
	('others', 'k', true, ARRAY['''00000000-0000-0000-0000-000000000001''::uuid',
		'''f0000000-0000-4000-8000-000000000001''::uuid', 'NULL::uuid']),
	('others', 'c', false, ARRAY['1', '-1', '128', '9223372036854775807', '-129', '2.5', '1e30', '0',
		'NULL::int', '255::smallint']),
	('others', 'd', false, ARRAY['''10.0.0.1''::inet', '''10.0.0.0/8''::inet', '''::1''::inet',
		'''10.0.0.1/32''::cidr', '''255.255.255.255''::inet', '''::ffff:10.0.0.1''::inet']),
	('others', 'e', false, ARRAY['''\x''::bytea', '''\x00''::bytea', '''\xff''::bytea', '''\x0001''::bytea']),
	('stamps', 'k', true, ARRAY['''2024-01-01 00:00:00.001''::timestamp', '''2024-01-01''::timestamp',
		'''infinity''::timestamp', '''2024-01-01''::date', '''2024-01-01Z''::timestamptz',
		'''2024-01-01 00:00:00.0001''::timestamp', 'NULL::timestamp', 'localtimestamp']),
	('stamps', 'c', false, ARRAY['''2024-01-01''::date', '''0044-03-15 BC''::date', '''infinity''::date',
		'''-infinity''::date', '''5874897-12-31''::date', '''4714-11-24 BC''::date']),
	('stamps', 'd', false, ARRAY['0::float8', '''-0''::float8', '0.1', '0.1::float4', '1e300', '-1e300',
		'1e-300', '-1e-300', '''NaN''::float4', '''Infinity''::float8', '16777217', '1.5']),
	('stamps', 'e', false, ARRAY['true', 'false', 'NULL::boolean'])) AS lists (tab, col, is_key, list);

CREATE TYPE condition AS (col text, op text, operand text);

-- Mostly the partition key by =, often a prefix of the clustering key, and up to two more.
CREATE FUNCTION random_conditions(wanted text) RETURNS condition[] LANGUAGE plpgsql AS $$
DECLARE
	conditions condition[] := '{}';
	name text;
BEGIN
	IF random() < 0.8 THEN
		FOR name IN SELECT DISTINCT col FROM operands WHERE tab = wanted AND is_key ORDER BY col LOOP
			conditions := conditions || (SELECT (name, '=', operand)::condition FROM operands
				WHERE tab = wanted AND col = name ORDER BY random() LIMIT 1);
		END LOOP;
		FOR name IN SELECT DISTINCT col FROM operands WHERE tab = wanted AND NOT is_key ORDER BY col LOOP
			EXIT WHEN random() < 0.5;
			conditions := conditions || (SELECT (name, '=', operand)::condition FROM operands
				WHERE tab = wanted AND col = name ORDER BY random() LIMIT 1);
		END LOOP;
	END IF;
	FOR i IN 1 .. 1 + floor(random() * 2) LOOP
		conditions := conditions || (SELECT (col, ('{=,<,<=,>,>=,<>}'::text[])[1 + floor(random() * 6)],
			operand)::condition FROM operands WHERE tab = wanted ORDER BY random() LIMIT 1);
	END LOOP;
	RETURN conditions;
END
$$;

-- The text of one condition, with its value written so.
CREATE FUNCTION condition_text(item condition, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	choice float := random();
BEGIN
	IF choice < 0.1 THEN
		RETURN format('(f.%1$s %2$s %3$s OR f.%1$s IS NULL)', item.col, item.op, value);
	ELSIF choice < 0.15 THEN
		RETURN format('NOT (f.%s %s %s)', item.col, item.op, value);
	ELSIF choice < 0.3 THEN
		RETURN format('%s %s f.%s', value, item.op, item.col);
	ELSIF choice < 0.35 THEN
		RETURN format('f.%s BETWEEN %s AND %s', item.col, value, value);
	ELSIF choice < 0.5 AND item.operand IN ('true', 'false') AND item.op = '=' THEN
		RETURN (ARRAY['f.%s', 'NOT f.%s', 'f.%s IS TRUE', 'f.%s IS NOT TRUE'])
			[1 + floor(random() * 4)];
	END IF;
	RETURN format('f.%s %s %s', item.col, item.op, value);
END
$$;

-- The rows of a query in one of the schemas, as a text; an error's text where it fails.
CREATE FUNCTION rows_of(schema text, query text, parameters text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
	statement text := 'SELECT count(*) || '' rows '' || coalesce(md5(string_agg(x::text, ''|'' '
		'ORDER BY x::text COLLATE "C")), '''') FROM (' || query || ') x';
BEGIN
	PERFORM set_config('search_path', schema || ', diff_test, public', true);
	IF parameters = '' THEN
		EXECUTE statement INTO answer;
		RETURN answer;
	END IF;
	EXECUTE format('PREPARE probe AS %s', statement);
	EXECUTE format('EXECUTE probe (%s)', parameters) INTO answer;
	DEALLOCATE probe;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	IF parameters <> '' AND EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'probe') THEN
		DEALLOCATE probe;
	END IF;
	RETURN sqlerrm;
END
$$;

CREATE FUNCTION random_query(wanted text, OUT query text, OUT parameters text) LANGUAGE plpgsql AS $$
DECLARE
	conditions condition[] := random_conditions(wanted);
	style text := ('{constant,constant,parameter,initplan,join,"left join"}'::text[])[1 + floor(random() * 6)];
	clauses text[] := '{}';
	outers text[] := '{}';
	target text := ('{f.*,f.*,f.v,f,1}'::text[])[1 + floor(random() * 5)];
	value text;
BEGIN
	parameters := '';
	FOR i IN 1 .. cardinality(conditions) LOOP
		value := conditions[i].operand;
		IF style = 'parameter' THEN
			parameters := parameters || CASE WHEN i > 1 THEN ', ' ELSE '' END || value;
			EXECUTE format('SELECT pg_typeof(%s)', value) INTO value;
			value := '$' || i || CASE value WHEN 'unknown' THEN '' ELSE '::' || value END;
		ELSIF style = 'initplan' THEN
			value := format('(SELECT %s)', value);
		ELSIF style LIKE '%join' THEN
			outers := outers || format('%s AS o%s', value, i);
			value := 'l.o' || i;
		END IF;
		clauses := clauses || format(condition_text(conditions[i], value), conditions[i].col);
	END LOOP;
	query := array_to_string(clauses, ' AND ');
	IF style LIKE '%join' THEN
		-- OFFSET 0 keeps the values from becoming constants
		query := format('SELECT l.n, %s FROM (SELECT n, %s FROM generate_series(1, 2) n OFFSET 0) l '
			'%s %s f ON %s AND n = 1', target, array_to_string(outers, ', '), style, wanted, query);
	ELSE
		query := format('SELECT %s FROM %s f WHERE %s', target, wanted, query);
	END IF;
END
$$;

-- Queries whose rows differ; the last line tells whether enough of them had rows at all.
CREATE FUNCTION differences(seed float, count int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	asked record;
	pushed text;
	filtered text;
	expected text;
	with_rows int := 0;
	failed int := 0;
BEGIN
	PERFORM setseed(seed);
	SET LOCAL plan_cache_mode = force_generic_plan;
	FOR i IN 1 .. count LOOP
		SELECT * INTO asked FROM random_query(('{integers,texts,times,others,stamps}'::text[])[1 + floor(random() * 5)]);
		pushed := rows_of('diff_remote', asked.query, asked.parameters);
		SET LOCAL scylla_fdw.enable_pushdown = off;
		filtered := rows_of('diff_remote', asked.query, asked.parameters);
		SET LOCAL scylla_fdw.enable_pushdown = on;
		expected := rows_of('diff_local', asked.query, asked.parameters);
		IF pushed <> expected OR filtered <> expected THEN
			RETURN NEXT format('%s (%s): %s, %s, not %s', asked.query, asked.parameters, pushed, filtered, expected);
		END IF;
		with_rows := with_rows + (expected ~ '^[1-9]\d* rows')::int;
		failed := failed + (expected !~ '^\d+ rows')::int;
	END LOOP;
	RETURN NEXT format('enough rows: %s, hardly an error: %s', with_rows > count / 5, failed < count / 20);
END
$$;

SELECT differences(0.42, 700);

-- Queries of other shapes, planned in four ways each.
CREATE TABLE keys (id int, k int, k8 bigint, c numeric, d int, t text, l boolean, at timestamptz, u uuid);
INSERT INTO keys VALUES (1, 1, 1, 1, 1, 'x', true, '2024-01-01 00:00:00.001Z',
		'00000000-0000-0000-0000-000000000001'),
	(2, 2, 2, 2, 2, 'y', false, '2024-01-01Z', NULL),
	(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(4, -3, 5000000000, 2.5, 40000, '', true, 'infinity', 'f0000000-0000-4000-8000-000000000001'),
	(5, 99, 99, 'NaN', -40000, 'nope', false, '-infinity', NULL);
ANALYZE keys;

CREATE FUNCTION shape_differences(queries text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	query text;
	join_off text;
	pushed text;
	expected text;
BEGIN
	FOREACH query IN ARRAY queries LOOP
		expected := rows_of('diff_local', query, '');
		FOREACH join_off IN ARRAY '{enable_material,enable_hashjoin,enable_nestloop,enable_mergejoin}'::text[] LOOP
			PERFORM set_config(join_off, 'off', true);
			pushed := rows_of('diff_remote', query, '');
			IF join_off = 'enable_nestloop' THEN
				PERFORM set_config('enable_hashjoin', 'on', true);
			END IF;
			IF join_off <> 'enable_hashjoin' THEN
				PERFORM set_config(join_off, 'on', true);
			END IF;
			IF pushed <> expected OR expected !~ '^\d+ rows' THEN
				RETURN NEXT format('%s off, %s: %s, not %s', join_off, query, pushed, expected);
			END IF;
		END LOOP;
	END LOOP;
END
$$;

SELECT shape_differences(ARRAY[
	'SELECT l.id, f.* FROM keys l JOIN integers f ON f.k = l.k',
	'SELECT l.id, f.* FROM keys l LEFT JOIN integers f ON f.k = l.k AND f.c = l.c',
	'SELECT l.id, f.* FROM keys l LEFT JOIN integers f ON f.k = l.k AND f.c = l.c WHERE f.d = l.d',
	'SELECT l.id, f.* FROM keys l LEFT JOIN integers f ON f.k = l.k8 WHERE f.c IS NULL OR f.c < 2',
	'SELECT l.id, f.* FROM keys l LEFT JOIN integers f ON f.k = l.k AND l.id = 1 AND now() > ''2000-01-01''',
	'SELECT l.id, f FROM keys l RIGHT JOIN integers f ON f.k = l.k AND f.c = l.c WHERE f.e = 1',
	'SELECT l.id, f.* FROM keys l FULL JOIN integers f ON f.k = l.k AND f.c = l.c',
	'SELECT l.id FROM keys l WHERE EXISTS (SELECT FROM integers f WHERE f.k = l.k AND f.c = l.c)',
	'SELECT l.id FROM keys l WHERE NOT EXISTS (SELECT FROM integers f WHERE f.k = l.k AND f.c = l.c)',
	'SELECT l.id FROM keys l WHERE l.k NOT IN (SELECT f.k FROM integers f WHERE f.k = l.k8)',
	'SELECT l.id, (SELECT count(*) FROM integers f WHERE f.k = l.k AND f.c <= l.c) FROM keys l',
	'SELECT l.id, x.* FROM keys l LEFT JOIN LATERAL (SELECT f.c, f.d, l.t FROM integers f '
		'WHERE f.k = l.k AND f.c = l.c ORDER BY d, e LIMIT 2) x ON true',
	'SELECT l.id, m.id, f.* FROM keys l, keys m, integers f WHERE f.k = l.k AND f.c = m.c AND f.d = m.d',
	'SELECT l.id, m.id, f.* FROM keys l JOIN keys m USING (k) JOIN integers f ON f.k = m.k AND f.c = l.c',
	'SELECT l.id, f.*, g.* FROM keys l JOIN texts f ON f.k = l.t AND f.l = l.l '
		'LEFT JOIN integers g ON g.k = f.v AND g.c = l.c',
	'SELECT l.id, f.* FROM keys l JOIN texts f ON f.k = l.t AND f.l AND f.c <= l.at',
	'SELECT l.id, f.* FROM keys l JOIN texts f ON f.k = l.t AND f.l = (l.k = 1)',
	'SELECT l.id, f.* FROM keys l JOIN others f ON f.k = l.u AND f.c > l.k8',
	'SELECT l.id, s.* FROM keys l LEFT JOIN (SELECT f.*, coalesce(f.k, -1) AS z FROM integers f) s '
		'ON s.k = l.k AND s.c = l.c LEFT JOIN integers g ON g.k = s.z AND g.c = l.c',
	'SELECT x.*, f.* FROM keys l CROSS JOIN LATERAL (SELECT l.k + 1 AS n OFFSET 0) x JOIN integers f ON f.k = x.n',
	'SELECT f.k, grouping(f.k, f.c), count(*) FROM integers f WHERE f.k = 1 GROUP BY GROUPING SETS ((f.k), (f.c), ())',
	'SELECT u.* FROM (SELECT k::int, c, 1 FROM integers UNION ALL SELECT k, c, 2 FROM keys) u WHERE u.k = 1 AND u.c = 1',
	'SELECT f.* FROM integers f WHERE f = (SELECT g FROM integers g WHERE g.k = 1 AND g.c = 1 AND g.d = 1 AND g.e = 1)',
	'SELECT f.* FROM integers f WHERE (f.k, f.c) > (1, 2) AND f.k = ANY (ARRAY[1, 2])',
	'SELECT f.* FROM integers f WHERE f.k = 1 AND f.k = 2',
	'SELECT f.* FROM integers f WHERE f.k = 1 AND random() >= 0',
	'SELECT f.* FROM integers f JOIN integers g USING (k, c, d, e) WHERE f.k = 1']);

SET client_min_messages = warning;
DROP SCHEMA diff_remote, diff_local CASCADE;
CALL end_topic('diff');
