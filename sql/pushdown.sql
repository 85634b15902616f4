-- What goes to the server: every shape of access, planned without a connection (the port is closed).

SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA pushdown;
SET search_path = pushdown, public;
CREATE SERVER pushdown FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host '127.0.0.1', port '1', keyspace 'ks');
CREATE USER MAPPING FOR CURRENT_USER SERVER pushdown;

CREATE FOREIGN TABLE kv (
	k int OPTIONS (key 'partition 1', type 'int'),
	v text OPTIONS (key 'regular', type 'text'),
	n int OPTIONS (key 'regular', type 'int'),
	tok bigint OPTIONS (function 'token')
) SERVER pushdown;

CREATE FOREIGN TABLE wide (
	a int OPTIONS (key 'partition 1', type 'int'),
	b text OPTIONS (key 'partition 2', type 'text'),
	c timestamptz(3) OPTIONS (key 'clustering 1 desc', type 'timestamp'),
	d bigint OPTIONS (key 'clustering 2 desc', type 'bigint'),
	e int OPTIONS (key 'clustering 3 asc', type 'int'),
	s int OPTIONS (key 'static', type 'int'),
	v text OPTIONS (key 'regular', type 'text'),
	tags text[] OPTIONS (key 'regular', type 'set<text>'),
	steps int[] OPTIONS (key 'regular', type 'list<int>'),
	prices numeric[] OPTIONS (key 'regular', type 'list<decimal>'),
	marks jsonb OPTIONS (key 'regular', type 'map<text, int>'),
	names jsonb OPTIONS (key 'regular', type 'map<text, text>'),
	numbers jsonb OPTIONS (key 'regular', type 'map<int, int>'),
	flags jsonb OPTIONS (key 'regular', type 'map<ascii, boolean>'),
	amounts jsonb OPTIONS (key 'regular', type 'map<text, decimal>'),
	fixed jsonb OPTIONS (key 'regular', type 'frozen<map<text, int>>')
) SERVER pushdown;

CREATE FOREIGN TABLE event (
	k int OPTIONS (key 'partition 1', type 'int'),
	t uuid OPTIONS (key 'clustering 1 asc', type 'timeuuid'),
	p numeric OPTIONS (key 'clustering 2 asc', type 'decimal'),
	u uuid OPTIONS (key 'regular', type 'uuid')
) SERVER pushdown;

CREATE TABLE local (x int, y text, z bigint);
INSERT INTO local SELECT i, 'y' || i, i FROM generate_series(1, 100) i;
ANALYZE local;

\t on
\pset format unaligned

-- IN: on the partition key, the clustering key and both; parameters, arrays of unknown length
SELECT scans('SELECT v FROM kv WHERE k IN (1, 2, NULL, 2)');
SELECT scans('SELECT v FROM kv WHERE k = ANY (ARRAY(SELECT x FROM local))');
SELECT scans('SELECT v FROM kv WHERE k IN (3, (SELECT max(x) FROM local))');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b IN (''x'', ''y'') AND c = now() AND d IN (3, 4) AND e > 1');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c IN (now(), ''2025-01-01'')');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND b IN (''x'', ''y'')');
SELECT scans('SELECT v FROM wide WHERE a IN (1, 2)');
SELECT scans('SELECT v FROM kv WHERE k NOT IN (1, 2)');
SELECT scans('SELECT v FROM kv WHERE k <> ANY (ARRAY[1, 2])');
SELECT scans('SELECT v FROM kv WHERE k < ANY (ARRAY[1, 2])');
SELECT scans('SELECT u FROM event WHERE k = 1 AND t = ''00000000-0000-1000-8000-000000000000'' AND p IN (1, 2)');

-- constants of another type; values that no row can have
SELECT scans('SELECT v FROM kv WHERE k IN (1, 2.5)');
SELECT scans('SELECT v FROM kv WHERE k = 7.0');
SELECT scans('SELECT v FROM kv WHERE k = 7.0::float8');
SELECT scans('SELECT v FROM kv WHERE k = 7.5::float4');
SELECT scans('SELECT v FROM kv WHERE k IN (1, 2.5::float8, ''NaN'')');
SELECT scans('SELECT v FROM kv WHERE k = 1 AND n < 7.5::float8');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = now() AND d = 7::float8');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = now() AND d < 1.5');
SELECT scans('SELECT v FROM kv WHERE k = 7.5');
SELECT scans('SELECT v FROM kv WHERE k = 5000000000');
SELECT scans('SELECT v FROM kv WHERE k IN (5000000000, NULL)');
SELECT scans('SELECT v FROM kv WHERE k = ANY (''{}'')');
SELECT scans('SELECT v FROM kv WHERE k = ANY (NULL::int[])');
SELECT scans('SELECT v FROM kv WHERE k > 1 AND n = 5000000000');
SELECT scans('SELECT v FROM kv WHERE tok < -9223372036854775809');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c < ''-infinity''');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = ''2025-01-01 00:00:00.0001+00''');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, d) > (NULL, 1)');

-- OR: of one column as IN; arms that each bind a partition; a row IN list
SELECT scans('SELECT v FROM kv WHERE k = 1 OR k = 2');
SELECT scans('SELECT v FROM kv WHERE k = 1 OR k = 2::bigint');
SELECT scans('SELECT v FROM kv WHERE k = 1 OR k = 5000000000');
SELECT scans('SELECT v FROM kv WHERE k = 1 OR k > 2');
SELECT scans('SELECT v FROM kv WHERE k = 1 OR v = ''x''');
SELECT scans('SELECT v FROM kv WHERE (k = 1 AND n > 3) OR (k IN (2, 3) AND length(v) = 2)');
SELECT scans('SELECT v FROM wide WHERE (a, b) IN ((1, ''x''), (2, ''y''))');
SELECT scans('SELECT v FROM wide WHERE (a, b) IN ((1, ''x''), (2, ''y'')) AND c > now() AND v = ''z''');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c < ''2024-01-01'' OR c > ''2025-01-01'')');
SELECT scans('SELECT v FROM kv WHERE tok < -100 OR tok > 100');
SELECT scans('SELECT v FROM kv WHERE k IN (1, 2) OR k IN (2, 3)');

-- rows
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, d) > (now(), 5)');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, d) > (now(), 5) AND (c, d) <= (now(), 9)');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (now(), 5) > (c, d)');
-- … of two directions, beside other conditions, not from the first column on, of other columns
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, d, e) >= (now(), 5, 7)');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, d) > (now(), 5) AND c < ''2030-01-01''');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = now() AND (c, d) > (now(), 5)');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND c = now() AND (d, e) > (5, 7)');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (c, v) > (now(), ''x'')');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND (length(v), d) > (1, 5)');

-- the ring
SELECT scans('SELECT v FROM kv WHERE tok > 5 AND tok <= 700');
SELECT scans('SELECT v FROM kv WHERE tok = 5');
SELECT scans('SELECT v FROM kv WHERE scylla_token(''kv'', k) > -9223372036854775808 AND 0 >= scylla_token(''kv'', k)');
SELECT scans('SELECT v FROM wide WHERE scylla_token(''wide'', a, b) BETWEEN 1 AND 5 AND a = 3');
SELECT scans('SELECT v FROM wide WHERE scylla_token(''wide'', b, a) > 1');
SELECT scans('SELECT v FROM kv WHERE scylla_token(''kv'', n) > 1');
SELECT scans('SELECT v FROM kv WHERE scylla_token(''wide'', k) > 1');
SELECT scans('SELECT v FROM kv WHERE tok > 5 AND k = 7');

-- timeuuids by their time, and what is equal by order alone
SELECT scans('SELECT k FROM event WHERE k = 1 AND timeuuid_timestamp(t) >= now() - interval ''1 day''
	AND timeuuid_timestamp(t) < now()');
SELECT scans('SELECT k FROM event WHERE k = 1 AND timeuuid_timestamp(t) = ''2025-01-01''');
SELECT scans('SELECT k FROM event WHERE k = 1 AND timeuuid_timestamp(t) > ''infinity''');
SELECT scans('SELECT k FROM event WHERE k = 1 AND timeuuid_timestamp(u) > now()');
SELECT scans('SELECT k FROM event WHERE k = 1 AND t = ''00000000-0000-1000-8000-000000000000'' AND p = 1.50');

-- filters: of what is read anyway
SELECT scans('SELECT n FROM kv WHERE v = ''x'' AND n > 3 AND n <= 7 AND n <= 9');
SELECT scans('SELECT n FROM kv WHERE k > 3');
SELECT scans('SELECT n FROM kv WHERE n IN (3, 4)');
SELECT scans('SELECT n FROM kv WHERE k = 1 AND n = 3');
SELECT scans('SELECT n FROM kv WHERE k IN (1, 2) AND tok > 5');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND d = 7');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND d = 7 AND s = 3');
SELECT scans('SELECT v FROM wide WHERE scylla_token(''wide'', a, b) > 1 AND a = 3 AND v = ''z''');
SELECT scans('SELECT v FROM wide WHERE ''x'' = ANY (tags) AND tags @> ''{y,z,NULL}'' AND steps @> ARRAY[1, NULL]');
SELECT scans('SELECT v FROM wide WHERE marks ? ''x'' AND 1.5 = ANY (prices)');
SELECT scans('SELECT v FROM wide WHERE ''x'' <> ANY (tags) AND tags <@ ''{y}''');
-- what a map has under a key: of integers, texts and booleans, and where it is not frozen
SELECT scans('SELECT v FROM wide WHERE marks -> ''x'' = ''1'' AND marks[''y''] = ''2'' AND (marks ->> ''z'')::bigint = 3
	AND (marks -> ''w'')::int = 4');
SELECT scans('SELECT v FROM wide WHERE names ->> ''x'' = ''1'' AND names -> ''y'' = ''"2"'' AND flags -> ''z'' = ''true''');
SELECT scans('SELECT v FROM wide WHERE marks @> ''{"x": 1, "y": 2.5, "z": "3", "w": null, "u": [1]}''');
SELECT scans('SELECT v FROM wide WHERE names @> ''{"x": "1"}'' AND flags @> ''{"y": false}'' AND names ? ''z''');
SELECT scans('SELECT v FROM wide WHERE numbers -> ''1'' = ''1'' AND amounts -> ''x'' = ''1'' AND fixed -> ''x'' = ''1''');
SELECT scans('SELECT v FROM wide WHERE marks ->> ''x'' = ''1'' AND marks -> ''x'' > ''1'' AND marks @> ''[1]''');
SELECT scans('SELECT v FROM wide WHERE marks -> v = ''1'' AND names ->> ''x'' = v AND fixed ? ''x''');
ALTER FOREIGN TABLE wide OPTIONS (ADD allow_filtering 'off');
SELECT scans('SELECT v FROM wide WHERE a = 1 AND b = ''x'' AND d = 7 AND s = 3 AND ''x'' = ANY (tags)');
ALTER FOREIGN TABLE wide OPTIONS (DROP allow_filtering);

-- indexes: what they answer alone, then what they are good for with a filter
ALTER FOREIGN TABLE kv OPTIONS (ADD indexes 'by_n (n), by_v (v) sai');
ALTER FOREIGN TABLE wide OPTIONS (ADD indexes 'by_s (s) local, by_tag (values(tags)), by_mark (keys(marks)), by_entry (entries(marks)), by_c (c) sai');
SELECT scans('SELECT v FROM kv WHERE n = 3');
SELECT scans('SELECT v FROM kv WHERE n > 3');
SELECT scans('SELECT n FROM kv WHERE v = ''x'' AND n > 3');
SELECT scans('SELECT n FROM kv WHERE v > ''x'' COLLATE "C"');
SELECT scans('SELECT v FROM kv WHERE n = 3 AND k = 1');
SELECT scans('SELECT v FROM kv WHERE n = 3 AND tok > 1');
SELECT scans('SELECT v FROM wide WHERE tags @> ''{x}''');
SELECT scans('SELECT v FROM wide WHERE marks ? ''x'' AND a = 3');
SELECT scans('SELECT v FROM wide WHERE marks -> ''x'' = ''1''');
SELECT scans('SELECT v FROM wide WHERE names -> ''x'' = ''"1"''');
SELECT scans('SELECT v FROM wide WHERE s = 3');
SELECT scans('SELECT v FROM wide WHERE c > now()');
ALTER FOREIGN TABLE kv OPTIONS (ADD allow_filtering 'off');
SELECT scans('SELECT v FROM kv WHERE n = 3 AND v = ''x''');
ALTER FOREIGN TABLE kv OPTIONS (DROP allow_filtering);

-- views: where their key serves, and they have all columns and rows
ALTER FOREIGN TABLE kv OPTIONS (SET indexes '', ADD views 'by_v ((v), k) (n), by_n ((n), k)');
ALTER FOREIGN TABLE wide OPTIONS (SET indexes '', ADD views 'by_b ((b), a, c desc, d, e) (v), by_c ((c), b, a, d, e) (v)');
SELECT scans('SELECT n FROM kv WHERE v = ''x''');
SELECT scans('SELECT n, k FROM kv WHERE v IN (''x'', ''y'') AND k > 3');
SELECT scans('SELECT n, tok FROM kv WHERE v = ''x''');
SELECT scans('SELECT v FROM kv WHERE n = 3');
SELECT scans('SELECT n FROM kv WHERE v = ''x'' AND k = 1');
SELECT scans('SELECT k FROM kv WHERE n = 3');
SELECT scans('SELECT v FROM wide WHERE b = ''x''');
SELECT scans('SELECT v FROM wide WHERE b = ''x'' AND a > 1 AND e = 3');
SELECT scans('SELECT v FROM wide WHERE c = now() AND b = ''x''');
SELECT scans('SELECT s FROM wide WHERE c = now()');
SELECT scans('SELECT n FROM local JOIN kv ON v = y');
ALTER FOREIGN TABLE kv OPTIONS (ADD use_views 'false');
SELECT scans('SELECT n FROM kv WHERE v = ''x''');
ALTER FOREIGN TABLE kv OPTIONS (DROP use_views, DROP views);
ALTER FOREIGN TABLE wide OPTIONS (DROP views);

-- joins: the values come from the other side
SELECT scans('SELECT v FROM local JOIN kv ON k = x OR k = z WHERE y = ''y1''');
SELECT scans('SELECT v FROM local JOIN kv ON k = ANY (ARRAY[x, x + 1]) WHERE y = ''y1''');
SELECT scans('SELECT v FROM local JOIN wide ON a = x AND b = y AND (c, d) > (now(), z) WHERE z < 3');
SELECT scans('SELECT v FROM local JOIN kv ON n = x WHERE y = ''y1''');

-- hstore, where it is
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'hstore') AS has_hstore \gset
\if :has_hstore
CREATE EXTENSION hstore SCHEMA pushdown;
CREATE FOREIGN TABLE tagged (
	k int OPTIONS (key 'partition 1', type 'int'),
	h hstore OPTIONS (key 'regular', type 'map<text, text>')
) SERVER pushdown OPTIONS (indexes 'by_key (keys(h))');
SELECT scans('SELECT k FROM tagged WHERE h ? ''x''');
SELECT scans('SELECT k FROM tagged WHERE h -> ''x'' = ''1''');
SELECT scans('SELECT k FROM tagged WHERE h ?& ARRAY[''x'']');
\endif

-- the same under each plan_cache_mode, from the first execution to the eighth
PREPARE by_in(int[]) AS SELECT v FROM kv WHERE k = ANY ($1);
PREPARE by_or(int, int) AS SELECT v FROM kv WHERE k = $1 OR k = $2;
PREPARE by_row(int, text, timestamptz, bigint) AS
	SELECT v FROM wide WHERE a = $1 AND b = $2 AND (c, d) > ($3, $4);
PREPARE by_arms(int, text, int, text) AS SELECT v FROM wide WHERE (a, b) IN (($1, $2), ($3, $4));
PREPARE by_ring(bigint, bigint) AS SELECT v FROM kv WHERE tok > $1 AND tok <= $2;
PREPARE by_time(timestamptz) AS SELECT k FROM event WHERE k = 1 AND timeuuid_timestamp(t) > $1;
PREPARE by_filter(text) AS SELECT n FROM kv WHERE v = $1;
CREATE FOREIGN TABLE paths (
	k int OPTIONS (key 'partition 1', type 'int') NOT NULL,
	c int OPTIONS (key 'clustering 1 asc', type 'int') NOT NULL,
	v text OPTIONS (key 'regular', type 'text'),
	n int OPTIONS (key 'regular', type 'int'),
	m jsonb OPTIONS (key 'regular', type 'map<text, int>'),
	tags text[] OPTIONS (key 'regular', type 'set<text>')
) SERVER pushdown OPTIONS (indexes 'by_n (n), by_m (entries(m)), by_tag (values(tags)) sai', views 'by_v ((v), k, c) *');
PREPARE by_point(int, bigint) AS SELECT v FROM paths WHERE k = $1 AND c = $2;
PREPARE by_index(int) AS SELECT v FROM paths WHERE n = $1;
PREPARE by_entry(text, int) AS SELECT v FROM paths WHERE (m ->> $1)::int = $2;
PREPARE by_contains(text) AS SELECT v FROM paths WHERE $1 = ANY (tags);
PREPARE by_view(text, bigint) AS SELECT c FROM paths WHERE v = $1 ORDER BY k DESC, c DESC LIMIT $2;
PREPARE by_order(int, bigint) AS SELECT v FROM paths WHERE k = $1 AND c > $2 ORDER BY c DESC OFFSET $2 LIMIT 10;
PREPARE by_merge(int[]) AS SELECT v FROM paths WHERE k = ANY ($1) ORDER BY c LIMIT 3;
PREPARE by_elements(int, numeric, numeric) AS
	SELECT u FROM event WHERE k = $1 AND t = '00000000-0000-1000-8000-000000000000' AND p IN ($2, $3);
PREPARE by_float(float8) AS SELECT v FROM paths WHERE k = $1;
PREPARE by_count(int, int) AS SELECT count(*), max(c), avg(c) FROM paths WHERE k = $1 AND c <= $2;
PREPARE by_group(int[]) AS SELECT k, c, count(*) FROM paths WHERE k = ANY ($1) GROUP BY k, c HAVING count(*) > 1;
PREPARE by_distinct(int[]) AS SELECT DISTINCT k FROM paths WHERE k = ANY ($1);
PREPARE by_first(int) AS SELECT DISTINCT ON (k) k, c FROM paths WHERE c > $1 AND k IN (1, 2) ORDER BY k, c;
PREPARE by_scan(int) AS SELECT v FROM paths WHERE length(v) > $1;
CREATE FUNCTION of_mode(mode text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	texts text[] := '{}';
BEGIN
	PERFORM set_config('plan_cache_mode', mode, true);
	FOR i IN 1..8 LOOP
		texts := texts || array(SELECT s FROM scans(query) AS s WHERE s ~ '^(Remote CQL|Access|Local)');
	END LOOP;
	RETURN QUERY SELECT count(*) || ' x ' || line FROM unnest(texts) AS line GROUP BY line ORDER BY line;
END $$;
SELECT query, of_mode(mode, query) FROM unnest(ARRAY['auto', 'force_custom_plan', 'force_generic_plan']) AS mode,
	unnest(ARRAY['EXECUTE by_in(''{1,2}'')', 'EXECUTE by_or(1, 2)', 'EXECUTE by_row(1, ''x'', now(), 5)',
		'EXECUTE by_arms(1, ''x'', 2, ''y'')', 'EXECUTE by_ring(1, 5)', 'EXECUTE by_time(now())',
		'EXECUTE by_filter(''x'')', 'EXECUTE by_point(1, 2)', 'EXECUTE by_index(3)', 'EXECUTE by_entry(''x'', 1)',
		'EXECUTE by_contains(''x'')', 'EXECUTE by_view(''x'', 5)', 'EXECUTE by_order(1, 2)', 'EXECUTE by_merge(''{1,2}'')',
		'EXECUTE by_elements(1, 2, 3.0)', 'EXECUTE by_float(1)', 'EXECUTE by_count(1, 2)', 'EXECUTE by_group(''{1,2}'')',
		'EXECUTE by_distinct(''{1,2}'')', 'EXECUTE by_first(1)', 'EXECUTE by_scan(1)']) AS query;
-- what custom plans know better: a NULL, a value that no row can have
SET plan_cache_mode = force_custom_plan;
SELECT scans('EXECUTE by_in(NULL)');
SELECT scans('EXECUTE by_or(NULL, 2)');
SELECT scans('EXECUTE by_row(1, ''x'', NULL, 2)');
SET plan_cache_mode = force_generic_plan;
SELECT scans('EXECUTE by_in(NULL)');
RESET plan_cache_mode;

-- nothing is pushed
SET scylla_fdw.enable_pushdown = off;
SELECT scans('SELECT v FROM wide WHERE (a, b) IN ((1, ''x''), (2, ''y'')) AND (c, d) > (now(), 5) AND v = ''x''');
RESET scylla_fdw.enable_pushdown;

\t off
DROP SCHEMA pushdown CASCADE;
DROP SERVER pushdown CASCADE;
