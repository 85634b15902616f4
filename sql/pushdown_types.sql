-- What CQL's comparisons are worth for every pair of types: each operator on a column of the
-- partition key and on a clustering column, planned without a connection (the port is closed).
--   exact     CQL decides
--   superset  CQL gives the rows that match and maybe more, checked again here
--   local     nothing is sent
SET client_min_messages = warning;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA pushdown_types;
SET search_path = pushdown_types, public;
CREATE SERVER pushdown_types FOREIGN DATA WRAPPER scylla_fdw
	OPTIONS (host '127.0.0.1', port '1', keyspace 'ks');
CREATE USER MAPPING FOR CURRENT_USER SERVER pushdown_types;
CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE mood AS ENUM ('sad', 'ok', 'glad');
CREATE TYPE place AS (x int, y int);
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE DOMAIN word AS text COLLATE "C";

-- A table whose partition key, or clustering key, is a column x.
CREATE FUNCTION declare_table(key text, cql text, pg text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	base text := split_part(pg, ' COLLATE ', 1);
	suffix text := substr(pg, length(base) + 1);
BEGIN
	EXECUTE format('DROP FOREIGN TABLE IF EXISTS t_%s', key);
	EXECUTE format(CASE key
		WHEN 'partition' THEN 'CREATE FOREIGN TABLE t_partition (x %s OPTIONS (key ''partition 1'', type %L) %s) '
			'SERVER pushdown_types'
		ELSE 'CREATE FOREIGN TABLE t_clustering (k int OPTIONS (key ''partition 1'', type ''int''), '
			'x %s OPTIONS (key ''clustering 1 asc'', type %L) %s) SERVER pushdown_types' END, base, cql, suffix);
END $$;

-- What becomes of a condition on x.
CREATE FUNCTION judge(key text, condition text, OUT verdict text, OUT reason text) LANGUAGE plpgsql AS $$
DECLARE
	plan jsonb;
BEGIN
	EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF, FORMAT json) SELECT 1 FROM t_%s WHERE %s%s', key,
		CASE key WHEN 'clustering' THEN 'k = 1 AND ' END, condition) INTO plan;
	plan := plan -> 0 -> 'Plan';
	SELECT string_agg(DISTINCT l ->> 'Reason', '; ') INTO reason
		FROM jsonb_array_elements(plan -> 'Local') l;
	verdict := CASE
		WHEN NOT plan ? 'Remote CQL' THEN 'no row'
		WHEN split_part(plan ->> 'Remote CQL', ' WHERE ', 2) !~ '\mx\M' THEN 'local'
		WHEN reason IS NULL THEN 'exact'
		ELSE 'superset' END;
EXCEPTION WHEN undefined_function THEN
	verdict := 'no such operator';
END $$;

-- Two values of every type that a column may be declared as, and of neighbours that it may not.
CREATE TABLE samples (pg text, a text, b text);
INSERT INTO samples SELECT pg, '3', '7' FROM unnest('{smallint,integer,bigint,numeric,"numeric(5,2)",real,'
	'double precision,oid,money,positive}'::text[]) pg;
INSERT INTO samples SELECT pg, 'ok', 'sad' FROM unnest(ARRAY['text', 'varchar', 'varchar(9)', 'char(9)', 'name', 'word',
	'mood', 'text COLLATE "C"', 'text COLLATE "POSIX"', 'text COLLATE "en-x-icu"', 'text COLLATE any_case',
	'varchar COLLATE "C"', 'varchar COLLATE any_case', 'char(9) COLLATE "C"']) pg;
INSERT INTO samples VALUES
	('json', '{}', '[]'), ('jsonb', '{}', '[]'), ('xml', '<a/>', '<b/>'), ('"char"', 'a', 'b'),
	('boolean', 'false', 'true'), ('bytea', '\x00', '\x01'), ('bit(1)', '0', '1'),
	('uuid', '00000000-0000-1000-8000-000000000000', '00000000-0000-1000-8000-000000000001'),
	('inet', '10.0.0.1', '::1'), ('cidr', '10.0.0.0/8', '::/0'),
	('timestamptz', '2025-01-01', '2025-01-02'), ('timestamptz(3)', '2025-01-01', '2025-01-02'),
	('timestamp', '2025-01-01', '2025-01-02'), ('timestamp(3)', '2025-01-01', '2025-01-02'),
	('date', '2025-01-01', '2025-01-02'), ('time', '01:00', '02:00'), ('timetz', '01:00', '02:00'),
	('interval', '1 day', '2 days'), ('integer[]', '{1}', '{2}'), ('text[]', '{a}', '{b}'), ('place', '(1,2)', '(1,3)'),
	('place[]', '{}', '{"(1,2)"}');

CREATE TABLE operators (number int GENERATED ALWAYS AS IDENTITY, sign text, condition text, is_btree boolean);
INSERT INTO operators (sign, condition, is_btree) VALUES
	('=', 'x = %1$s', true), ('IN', 'x IN (%1$s, %2$s)', true), ('<', 'x < %1$s', true), ('<=', 'x <= %1$s', true),
	('>', 'x > %1$s', true), ('>=', 'x >= %1$s', true), ('BETWEEN', 'x BETWEEN %1$s AND %2$s', true),
	('<>', 'x <> %1$s', false), ('IS DISTINCT FROM', 'x IS DISTINCT FROM %1$s', false),
	('NOT IN', 'x NOT IN (%1$s, %2$s)', false), ('LIKE', 'x LIKE %1$s', false), ('~~', 'x ~~ %1$s', false),
	('IS NULL', 'x IS NULL', false), ('IS NOT NULL', 'x IS NOT NULL', false);

-- Every CQL type with every type; one operator tells what is no pair, or has no comparison.
CREATE TABLE verdicts (cql text, pg text, key text, number int, verdict text, reason text);
CREATE FUNCTION judge_pair(cql text, s samples) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	cast_to text := split_part(s.pg, ' COLLATE ', 1);
	a text := format('%L::%s', s.a, cast_to);
	b text := format('%L::%s', s.b, cast_to);
	first record;
BEGIN
	PERFORM declare_table('partition', cql, s.pg);
	first := judge('partition', format('x <= %s', a));
	IF first.verdict = 'no such operator' THEN
		RETURN 'not comparable';
	ELSIF first.reason = 'column''s type has no CQL counterpart' THEN
		RETURN 'no pair';
	END IF;
	PERFORM declare_table('clustering', cql, s.pg);
	INSERT INTO verdicts SELECT cql, s.pg, key, number, (judge(key, format(condition, a, b))).*
		FROM operators, unnest('{partition,clustering}'::text[]) key;
	RETURN 'pair';
END $$;
CREATE TABLE judged AS SELECT cql, place, pg, judge_pair(cql, samples) AS result FROM samples,
	unnest('{ascii,text,tinyint,smallint,int,bigint,counter,varint,decimal,float,double,boolean,blob,uuid,'
		'timeuuid,inet,timestamp,date,time,duration,frozen<list<int>>,frozen<set<text>>,"frozen<map<int, int>>",'
		'"frozen<tuple<int, int>>","vector<int, 1>",frozen<place>,''org.apache.cassandra.db.marshal.LexicalUUIDType''}'
		::text[]) WITH ORDINALITY c (cql, place);

\pset format unaligned
\pset fieldsep ' · '
-- PostgreSQL types without any comparison, and those that no CQL type may be declared as
SELECT string_agg(DISTINCT pg, ', ') AS not_comparable FROM judged WHERE result = 'not comparable';
SELECT string_agg(pg, ', ' ORDER BY pg COLLATE "C") AS of_no_pair
	FROM (SELECT pg FROM judged GROUP BY pg HAVING bool_and(result = 'no pair')) j;

-- = and order
CREATE VIEW signs AS SELECT cql, pg, key, verdict, reason, is_btree,
		string_agg(sign, ' ' ORDER BY number) AS operators, min(number) AS number
	FROM verdicts JOIN operators USING (number) GROUP BY cql, pg, key, verdict, reason, is_btree;
CREATE VIEW keys AS SELECT cql, pg, operators, verdict, reason, is_btree, number,
		CASE count(*) WHEN 2 THEN 'any' ELSE max(key) END AS key
	FROM signs GROUP BY cql, pg, operators, verdict, reason, is_btree, number;
CREATE VIEW pairs AS SELECT cql, string_agg(pg, ', ' ORDER BY pg COLLATE "C") AS declared, key, operators, number,
		verdict, reason
	FROM keys WHERE is_btree GROUP BY cql, key, operators, number, verdict, reason;
SELECT cql, declared, key, operators, verdict, reason FROM pairs JOIN (SELECT DISTINCT cql, place FROM judged) p USING (cql)
	ORDER BY place, declared COLLATE "C", key, number;

-- everything else
SELECT operator, verdict, reason, string_agg(DISTINCT pg COLLATE "C", ', ') AS declared
	FROM (SELECT sign AS operator, verdict, reason, pg FROM verdicts JOIN operators USING (number)
		WHERE NOT is_btree AND verdict <> 'no such operator') v
	GROUP BY 1, 2, 3 ORDER BY operator COLLATE "C", verdict, reason COLLATE "C";

-- columns beside values of another type, and casts
CREATE TABLE crosses (number int GENERATED ALWAYS AS IDENTITY, cql text, pg text, side text, value text);
INSERT INTO crosses (cql, pg, side, value) SELECT cql, pg, 'x', v FROM (VALUES
	('int', 'int'), ('int', 'numeric'), ('bigint', 'bigint'), ('varint', 'numeric'), ('varint', 'int'), ('decimal', 'numeric'),
	('float', 'real'), ('float', 'float8'), ('double', 'float8')) p (cql, pg),
	unnest('{7::int2,7::int4,7::int8,7.5,0.1::float4,0.1::float8}'::text[]) v;
INSERT INTO crosses (cql, pg, side, value) SELECT cql, pg, 'x', '''2025-01-01''::' || v FROM (VALUES
	('timestamp', 'timestamptz'), ('timestamp', 'timestamp'), ('date', 'date')) p (cql, pg),
	unnest('{timestamptz,timestamp,date}'::text[]) v;
INSERT INTO crosses (cql, pg, side, value) SELECT 'text', pg, 'x', '''ok''' || v FROM (VALUES
	('text COLLATE "C"'), ('varchar COLLATE "C"'), ('text'), ('mood')) p (pg),
	unnest(ARRAY['', '::text', '::varchar', '::char(9)', '::name', ' COLLATE "C"', ' COLLATE any_case']) v
	WHERE pg <> 'mood' OR v !~ 'COLLATE';
INSERT INTO crosses (cql, pg, side, value) VALUES
	('text', 'text COLLATE "C"', 'x COLLATE "en-x-icu"', '''ok'''),
	('text', 'text COLLATE any_case', 'x COLLATE "C"', '''ok'''),
	('text', 'text', 'x::char(9)', '''ok'''), ('text', 'text', 'x::varchar(1)', '''ok'''),
	('text', 'varchar', 'x::text', '''ok'''), ('text', 'text COLLATE "C"', 'x::name', '''ok'''),
	('text', 'mood', 'x::text', '''ok'''), ('text', 'word', 'x', '''ok''::text'),
	('uuid', 'uuid', 'x', '''00000000-0000-1000-8000-000000000000'''), ('uuid', 'uuid', 'x', '''ok''::text'),
	('uuid', 'uuid', 'x::text', '''ok'''),
	('inet', 'inet', 'x', '''10.0.0.1/32''::cidr'), ('inet', 'inet', 'x', '''10.0.0.0/8'''),
	('time', 'time', 'x', '''01:00''::timetz'), ('time', 'time', 'x', '''1 hour''::interval'),
	('int', 'positive', 'x', '7::int8'), ('int', 'int', 'x::int8', '7'), ('int', 'int', 'x::numeric', '7.5'),
	('int', 'int', 'x::float8', '7');
CREATE FUNCTION judge_cross(c crosses) RETURNS TABLE (sign text, verdict text, reason text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM declare_table('clustering', c.cql, c.pg);
	RETURN QUERY SELECT s, (judge('clustering', format('%s %s %s', c.side, s, c.value))).*
		FROM unnest('{=,<}'::text[]) s;
END $$;
CREATE TABLE crossed AS SELECT c.*, j.* FROM crosses c, judge_cross(c) j;
SELECT cql, pg AS declared, side, string_agg(value, ', ' ORDER BY number) AS value, operators, verdict, reason FROM (
	SELECT number, cql, pg, side, value, string_agg(sign, ' ' ORDER BY sign COLLATE "C" DESC) AS operators, verdict, reason
		FROM crossed GROUP BY number, cql, pg, side, value, verdict, reason) c
	GROUP BY cql, pg, side, operators, verdict, reason ORDER BY min(number), operators COLLATE "C" DESC;

-- citext, where it is
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext') AS has_citext \gset
\if :has_citext
CREATE EXTENSION citext SCHEMA pushdown_types;
\pset tuples_only on
SELECT declare_table('clustering', 'text', 'citext');
SELECT condition, j.* FROM unnest('{x = ''ok'',x < ''ok'',x::text = ''ok''}'::text[]) condition, judge('clustering', condition) j;
SELECT declare_table('clustering', 'text', 'text COLLATE "C"');
SELECT condition, j.* FROM unnest('{x = ''ok''::citext,x::citext < ''ok''}'::text[]) condition, judge('clustering', condition) j;
\endif

DROP SCHEMA pushdown_types CASCADE;
DROP SERVER pushdown_types CASCADE;
