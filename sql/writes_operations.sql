-- Writes by CQL's own operations: counters, and elements of collections.
CALL begin_topic('writes_operations');
-- The CQL text of a write.
CREATE FUNCTION cql_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || statement LOOP
		IF line LIKE '%Remote CQL: %' THEN
			RETURN split_part(line, 'Remote CQL: ', 2);
		END IF;
	END LOOP;
END
$$;
\pset format unaligned
\pset null ~
\pset footer off
SELECT cql('CREATE TABLE fdw_writes_operations.hits (k int, day int, a counter, b counter, PRIMARY KEY (k, day))');
SELECT cql('CREATE TABLE fdw_writes_operations.c (k int PRIMARY KEY, l list<int>, s set<text>, m map<text, int>, '
	'd set<decimal>, fl frozen<list<int>>, im map<int, int>)');
CREATE FOREIGN TABLE hits (k int, day int, a bigint, b bigint) SERVER writes_operations_server;
CREATE FOREIGN TABLE c (k int, l int[], s text[], m jsonb, d numeric[], fl int[], im jsonb) SERVER writes_operations_server;

---- counters

INSERT INTO hits VALUES (1, 1, 5, NULL), (1, 2, 7, 1);
INSERT INTO hits (k, day, a) SELECT 1, 1, 1 FROM generate_series(1, 20);
SELECT * FROM hits ORDER BY day;
UPDATE hits SET a = a + 10, b = b - day WHERE k = 1 RETURNING *;
-- a counter that reads as NULL is 0
SELECT * FROM hits ORDER BY day;
UPDATE hits SET a = day * 100 + hits.a WHERE day = 2;
UPDATE hits SET a = a - l.n FROM (VALUES (1, 3)) l (day, n) WHERE hits.day = l.day;
PREPARE add(bigint) AS UPDATE hits SET a = a + $1 WHERE k = 1 AND day = 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE add(1000);
RESET plan_cache_mode;
SELECT * FROM hits ORDER BY day;
SELECT cql_of('UPDATE hits SET a = a + 10, b = b - day WHERE k = 1');
SELECT cql_of('INSERT INTO hits (k, day, a) VALUES (1, 1, 1)');
\set VERBOSITY terse
UPDATE hits SET a = a + b;
UPDATE hits SET a = 2 * a;
UPDATE hits SET a = 1 - a;
UPDATE hits SET a = a + (random() * 10)::int;
UPDATE hits SET a = NULL;
\set VERBOSITY default
DELETE FROM hits WHERE day = 1;
SELECT * FROM hits ORDER BY day;

---- collections: what is added or taken alone is sent

INSERT INTO c (k, l, s, m) VALUES (1, '{1,2,3,2}', '{a,b}', '{"x": 1, "y": 2}');
SELECT cql_of('UPDATE c SET l = l || 9'), cql_of('UPDATE c SET l = ARRAY[7, 8] || l'), cql_of('UPDATE c SET l = array_remove(l, 2)');
SELECT cql_of('UPDATE c SET s = s || ARRAY[''c'']'), cql_of('UPDATE c SET s = ''c''::text || s'), cql_of('UPDATE c SET s = array_remove(s, ''a'')');
SELECT cql_of('UPDATE c SET m = m || ''{"z": 3}'''), cql_of('UPDATE c SET m = m - ''x'''), cql_of('UPDATE c SET m[''q''] = ''4''');
UPDATE c SET l = l || ARRAY[9, 10], s = s || 'c'::text, m = m || '{"z": 3, "x": 10}' RETURNING l, s, m;
SELECT l, s, m FROM c;
UPDATE c SET l = 0 || l, s = array_remove(s, 'a'), m = m - 'y';
SELECT l, s, m FROM c;
UPDATE c SET l = array_remove(l, 2), s = array_append(s, k::text), m['q'] = to_jsonb(k);
SELECT l, s, m FROM c;
-- from a column of another table, and from parameters
UPDATE c SET l = c.l || t.more FROM (VALUES (1, ARRAY[11, 12])) t (k, more) WHERE t.k = c.k;
PREPARE more(int[]) AS UPDATE c SET l = $1 || l WHERE k = 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE more('{-2,-1}');
EXECUTE more(NULL);
RESET plan_cache_mode;
SELECT l FROM c;

-- other writers' elements stay: they are not overwritten by what was read
CREATE FUNCTION add_meanwhile() RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	PERFORM cql('UPDATE fdw_writes_operations.c SET l = l + [77], s = s + {''meanwhile''} WHERE k = 1');
	RETURN 88;
END
$$;
UPDATE c SET l = l || 88, s = s || 'own'::text WHERE k = 1 AND add_meanwhile() = 88;
SELECT l, s FROM c;

-- what reads as NULL: PostgreSQL's own result counts
INSERT INTO c (k) VALUES (2);
UPDATE c SET l = l || 1, s = s || ARRAY['x'], m = m || '{"a": 1}' WHERE k = 2 RETURNING l, s, m;
SELECT l, s, m FROM c WHERE k = 2;
UPDATE c SET m['a'] = '1' WHERE k = 2 RETURNING m;
SELECT m FROM c WHERE k = 2;
UPDATE c SET m = m || NULL WHERE k = 2;
UPDATE c SET l = array_remove(l, 1) WHERE k = 2;
-- nothing is added to what has none, nothing taken where NULL is removed
UPDATE c SET l = l || t.more, s = t.words || s FROM (VALUES (1, NULL::int[], NULL::text[]), (2, NULL, NULL)) t (k, more, words)
	WHERE t.k = c.k;
PREPARE fewer(int, text) AS UPDATE c SET l = array_remove(l, $1), s = array_remove(s, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE fewer(NULL, NULL);
RESET plan_cache_mode;
SELECT k, l, s FROM c ORDER BY k;
PREPARE more_map(jsonb) AS UPDATE c SET m = m || $1 WHERE k = 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE more_map(NULL);
RESET plan_cache_mode;
SELECT l, m FROM c WHERE k = 2;

-- anything else is assigned as a whole
SELECT cql_of('UPDATE c SET l = l || l'), cql_of('UPDATE c SET l = l[2:3]'), cql_of('UPDATE c SET l[1] = 5'),
	cql_of('UPDATE c SET fl = fl || 1'), cql_of('UPDATE c SET d = array_remove(d, 1.0)'),
	cql_of('UPDATE c SET im = im || ''{"1": 2}'''), cql_of('UPDATE c SET s = s || ARRAY[random()::text]');
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
SELECT cql_of('UPDATE c SET s = array_remove(s COLLATE any_case, ''A'')'), cql_of('UPDATE c SET s = array_remove(s, ''A'' COLLATE any_case)');
UPDATE c SET l = l[2:3], fl = fl || 1, im = '{"1": 2}' WHERE k = 1;
UPDATE c SET l[1] = 50 WHERE k = 1;
SELECT l, fl, im FROM c WHERE k = 1;
UPDATE c SET l = '{}', s = NULL WHERE k = 1;
SELECT l, s FROM c WHERE k = 1;

CALL end_topic('writes_operations');
