-- Random conditions of every shape that goes to the server: the same rows with pushdown and without.
SET client_min_messages = error; -- Cassandra warns of views
SET timezone = 'UTC';
CALL begin_topic('rows');
CREATE USER MAPPING FOR CURRENT_USER SERVER rows_server;
SELECT count(scylla_execute('rows_server', statement)) FROM unnest(ARRAY[
	'CREATE TABLE fdw_rows.item (k int, l text, c int, d decimal, e int, s int static, v int, w text, '
		'f double, tags set<text>, marks map<text, int>, PRIMARY KEY ((k, l), c, d, e)) '
		'WITH CLUSTERING ORDER BY (c DESC, d DESC, e ASC)',
	'CREATE TABLE fdw_rows.event (k int, t timeuuid, v int, PRIMARY KEY (k, t))',
	'CREATE INDEX item_v ON fdw_rows.item (v)',
	'CREATE INDEX item_tags ON fdw_rows.item (tags)',
	'CREATE INDEX item_marks ON fdw_rows.item (keys(marks))',
	'CREATE MATERIALIZED VIEW fdw_rows.by_w AS SELECT k, l, c, d, e, w, v FROM fdw_rows.item WHERE w IS NOT NULL '
		'AND k IS NOT NULL AND l IS NOT NULL AND c IS NOT NULL AND d IS NOT NULL AND e IS NOT NULL '
		'PRIMARY KEY (w, k, l, c, d, e)']) AS statement;
CREATE FOREIGN TABLE item (
	k int OPTIONS (key 'partition 1', type 'int'),
	l text OPTIONS (key 'partition 2', type 'text'),
	c int OPTIONS (key 'clustering 1 desc', type 'int'),
	d numeric OPTIONS (key 'clustering 2 desc', type 'decimal'),
	e int OPTIONS (key 'clustering 3 asc', type 'int'),
	s int OPTIONS (key 'static', type 'int'),
	v int OPTIONS (key 'regular', type 'int'),
	w text OPTIONS (key 'regular', type 'text') COLLATE "C",
	f float8 OPTIONS (key 'regular', type 'double'),
	tags text[] OPTIONS (key 'regular', type 'set<text>'),
	marks jsonb OPTIONS (key 'regular', type 'map<text, int>'),
	tok bigint OPTIONS (function 'token')
) SERVER rows_server
	OPTIONS (indexes 'item_v (v), item_tags (values(tags)), item_marks (keys(marks))', views 'by_w ((w), k, l, c, d, e) (v)');
CREATE FOREIGN TABLE event (
	k int OPTIONS (key 'partition 1', type 'int'),
	t uuid OPTIONS (key 'clustering 1 asc', type 'timeuuid'),
	v int OPTIONS (key 'regular', type 'int')
) SERVER rows_server;
INSERT INTO item (k, l, c, d, e, v, w, f, tags, marks)
	SELECT k, l, c, d, e, nullif((k + c + e) % 4, 0), nullif('w' || (c + e) % 3, 'w0'), (c - 1)::float8 * 0.0,
		CASE c WHEN 2 THEN '{x}' WHEN 3 THEN '{x,y}' END::text[],
		CASE e WHEN 2 THEN '{"a": 1}' WHEN 3 THEN '{"a": 2, "b": 3}' END::jsonb
	FROM generate_series(1, 4) k, unnest('{a,b}'::text[]) l, generate_series(1, 4) c,
		unnest('{1.0,1.5}'::numeric[]) d, generate_series(1, 3) e;
-- partitions with a static column, one of them with that alone
SELECT count(scylla_execute('rows_server', statement)) FROM unnest(ARRAY[
	'INSERT INTO fdw_rows.item (k, l, s) VALUES (1, ''a'', 1)',
	'INSERT INTO fdw_rows.item (k, l, s) VALUES (9, ''a'', 1)']) AS statement;
-- timeuuids at both ends of a microsecond, and beside it
INSERT INTO event SELECT k, (lpad(to_hex(ticks & x'ffffffff'::bigint), 8, '0') || lpad(to_hex((ticks >> 32) & 65535), 4, '0')
		|| '1' || lpad(to_hex(ticks >> 48), 3, '0') || tail)::uuid, ticks - 138079296000000000
	FROM generate_series(1, 2) k, generate_series(138079296000000000, 138079296000000030) ticks,
		unnest('{8080808080808080,7f7f7f7f7f7f7f7f,0000000000000000}'::text[]) tail;

-- A condition: of the key mostly, so that there is something to send.
CREATE FUNCTION random_of(texts text[]) RETURNS text LANGUAGE sql AS
	'SELECT texts[1 + floor(random() * cardinality(texts))]';
CREATE FUNCTION random_condition() RETURNS text LANGUAGE sql AS $$
	SELECT random_of(ARRAY[
		'k = ' || random_of('{1,2,9,7.0,5000000000}'),
		'k IN (1, ' || random_of('{2,"NULL",3.5,1}') || ')',
		'(k = 1 OR k = 2)', 'k > 2', 'k = ANY (array(SELECT generate_series(1, 3)))',
		'l = ''a''', 'l IN (''a'', ''b'', '''')', 'l >= ''a'' COLLATE "C"',
		'c = ' || random_of('{1,2,3.0}'), 'c IN (1, 3, 3)', 'c > 1', 'c BETWEEN 2 AND 3', '(c < 2 OR c > 3)',
		'd = 1.00', 'd IN (1, 1.5)', 'd > 1.2', 'e = 2', 'e <= 2', 'e IN (2, 3)',
		'(c, d) > (' || random_of('{2,2.5}') || ', 1.0)', '(c, d) <= (3, ' || random_of('{1.0,"NULL"}') || ')',
		'(c, d, e) >= (2, 1.5, 2)', '(c, d) < (3, 1.5) AND c > 1',
		'(k, l) IN ((1, ''a''), (2, ''b''), (9, ''a''))', '(k, l, c) IN ((1, ''a'', 2), (3, ''b'', 1))',
		'((k = 1 AND l = ''a'' AND c > 2) OR (k IN (1, 2) AND l = ''a'' AND c < 3))',
		'tok > ' || random_of('{0,-9223372036854775808,4000000000000000000}'),
		'tok <= 3000000000000000000', 'scylla_token(''item'', k, l) < 0',
		's = 1', 's IS NULL', 'v = 2', 'v > 1', 'v IN (1, 2)', 'v IS NULL', 'w = ''w1''', 'w >= ''w1''',
		'w IN (''w1'', ''w2'')', 'f = 0', '''x'' = ANY (tags)', 'tags @> ''{x,y}''', 'marks ? ''b''', 'k <> ALL (''{1,2}'')']);
$$;
CREATE FUNCTION rows_of(query text, is_pushed boolean) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('scylla_fdw.enable_pushdown', is_pushed::text, true);
	EXECUTE 'SELECT string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C") FROM (' || query || ') AS x' INTO result;
	RETURN coalesce(result, '');
END $$;
CREATE FUNCTION differences(queries int) RETURNS TABLE (query text, pushed text, local text) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..queries LOOP
		query := 'SELECT ' || random_of('{*,"k, l, c, d, e, v","w, k","count(*)","s"}') || ' FROM item WHERE ' ||
			(SELECT string_agg(random_condition(), ' AND ') FROM generate_series(1, 1 + floor(random() * 4)::int + 0 * i));
		pushed := rows_of(query, true);
		local := rows_of(query, false);
		IF pushed <> local THEN
			RETURN NEXT;
		END IF;
	END LOOP;
END $$;
SELECT setseed(0.5);
SELECT * FROM differences(150);
-- times of timeuuids: every operator at every microsecond, which says how many ticks there are
SELECT op, string_agg(pushed::text, ' ' ORDER BY us) AS rows, bool_and(pushed = local) AS is_equal
	FROM unnest('{<,<=,=,>=,>}'::text[]) WITH ORDINALITY AS o (op, n), generate_series(-1, 4) us,
		LATERAL (SELECT format('SELECT v FROM event WHERE k = 1 AND timeuuid_timestamp(t) %s %L::timestamptz',
			op, timestamptz '2020-05-05 00:00:00Z' + interval '1 us' * us) AS query) AS q,
		LATERAL (SELECT cardinality(string_to_array(rows_of(query, true), E'\n')) AS pushed,
			cardinality(string_to_array(rows_of(query, false), E'\n')) AS local) AS r
	GROUP BY op, n ORDER BY n;
CALL end_topic('rows');
