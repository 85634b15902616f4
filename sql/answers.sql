-- Queries of all kinds around foreign tables give the rows that they give around local copies: joins,
-- subqueries, groups, windows, limits, views, partitions; under several settings of the planner.
SET client_min_messages = error; -- Cassandra warns of views
SET timezone = 'UTC';
CALL begin_topic('answers');
CREATE SCHEMA answers_far;
CREATE SCHEMA answers_near;
DO $$
DECLARE
	text_of text;
BEGIN
	FOREACH text_of IN ARRAY ARRAY[
		'CREATE TABLE fdw_answers.t (k int, c1 int, c2 text, s int STATIC, v int, w text, b boolean, f double, m decimal, '
			'ts timestamp, tags set<text>, PRIMARY KEY (k, c1, c2)) WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC)',
		'CREATE TABLE fdw_answers.u (k int PRIMARY KEY, x int, y text)',
		'CREATE INDEX t_v ON fdw_answers.t (v)', 'CREATE INDEX t_b ON fdw_answers.t (b)',
		'CREATE MATERIALIZED VIEW fdw_answers.t_by_w AS SELECT k, c1, c2, w, v FROM fdw_answers.t '
			'WHERE w IS NOT NULL AND k IS NOT NULL AND c1 IS NOT NULL AND c2 IS NOT NULL '
			'PRIMARY KEY (w, c1, k, c2) WITH CLUSTERING ORDER BY (c1 DESC, k ASC, c2 ASC)']
	LOOP
		PERFORM scylla_execute('answers_server', text_of);
	END LOOP;
END
$$;
CALL await_built('answers_server', 'fdw_answers', '{t_by_w}', 2);

CREATE COLLATION any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE DOMAIN small AS int CHECK (VALUE < 1000000);
CREATE FUNCTION leak(x int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS 'BEGIN RETURN x >= 0; END';
CREATE FUNCTION vol(x int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT x';
CREATE FUNCTION stab(x int) RETURNS int LANGUAGE sql STABLE AS 'SELECT x';
CREATE TABLE l AS SELECT i AS id, nullif(i % 5, 4) AS a, 'x' || i % 3 AS b, ARRAY[i % 4, NULL, i % 3] AS arr
	FROM generate_series(1, 20) i;
ANALYZE l;
CREATE FUNCTION make_world(world text, kind text, options text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(replace(replace($t$
		CREATE @kind TABLE @.t (k int, c1 small, c2 text COLLATE "C", s int, v int, w text, b boolean, f float8,
			m numeric, ts timestamptz, tags text[]) @options;
		CREATE @kind TABLE @.u (k int, x int, y text) @options;
		CREATE VIEW @.l AS SELECT * FROM l;
		CREATE VIEW @.both AS SELECT k, c1, c2, v FROM @.t UNION ALL SELECT k, x, y, 0 FROM @.u;
		CREATE VIEW @.sb WITH (security_barrier) AS SELECT * FROM @.t WHERE v < 3;
		CREATE TABLE @.p (LIKE @.t) PARTITION BY RANGE (k);
		CREATE TABLE @.p0 PARTITION OF @.p FOR VALUES FROM (100) TO (200);
		INSERT INTO @.p0 (k, c1, c2, v) SELECT 100 + i % 3, i, 'x', i FROM generate_series(1, 10) i;
		ALTER TABLE @.p ATTACH PARTITION @.t FOR VALUES FROM (0) TO (100);
	$t$, '@kind', kind), '@options', options), '@.', world || '.');
END
$$;
SELECT make_world('answers_near', '', '');
SELECT make_world('answers_far', 'FOREIGN', 'SERVER answers_server');
INSERT INTO answers_near.t SELECT k, c1, c2, CASE WHEN k % 2 = 0 THEN k END, nullif((k + c1 + length(c2) * n) % 5, 4),
	(ARRAY['x0', 'x1', 'X1', '', NULL])[1 + (k * c1 + n) % 5], (ARRAY[true, false, NULL])[1 + (k + n) % 3],
	(ARRAY[0, '-0', 1.5, 'NaN', NULL]::float8[])[1 + (c1 + n) % 5], (ARRAY[1.0, 1.00, 2.5, NULL])[1 + (k + c1 + n) % 4],
	(ARRAY['2024-01-01 00:00:00.001Z', '1969-12-31Z', NULL]::timestamptz[])[1 + (k + c1) % 3],
	(CASE n % 3 WHEN 0 THEN '{a}' WHEN 1 THEN '{a,b}' END)::text[]
	FROM generate_series(0, 5) k, generate_series(0, 3) c1, unnest(ARRAY['', 'a', 'b', 'B']) WITH ORDINALITY AS c (c2, n)
	WHERE (k * 7 + c1 * 3 + n) % 4 > 0;
INSERT INTO answers_near.u SELECT k, k % 3, substr('xab', k % 3 + 1, 1) FROM generate_series(0, 7) k;
INSERT INTO answers_far.t SELECT * FROM answers_near.t;
INSERT INTO answers_far.u SELECT * FROM answers_near.u;
-- a partition that has static columns alone
INSERT INTO answers_near.t (k, s) VALUES (6, 6);
INSERT INTO answers_far.t (k, s) VALUES (6, 6);

CREATE TABLE queries (sql text);
INSERT INTO queries SELECT unnest(string_to_array(trim(E'\n' FROM $$
SELECT * FROM @.t a LEFT JOIN @.u ON a.k = u.k AND a.v = 1 AND u.x > 0
SELECT a.k, u.k FROM @.u FULL JOIN @.t a ON a.k = u.k AND a.c1 = u.x WHERE a.k IS NULL OR u.k IS NULL OR a.c1 = 2
SELECT l.id, t.c1 FROM @.l LEFT JOIN @.t ON t.k = l.a AND t.c1 = l.id % 4 AND l.id > 5 WHERE t.k IS NULL OR t.v = 1
SELECT l.id, t.c1, u.x FROM @.l LEFT JOIN (@.t JOIN @.u ON u.k = t.k) ON t.k = l.a AND u.x = l.id % 3
SELECT l.id, (SELECT count(*) FROM @.t WHERE k = ANY (l.arr)) FROM @.l
SELECT l.id, (SELECT sum(v) FROM @.t WHERE k = ANY (l.arr) AND c1 = ANY (l.arr)) FROM @.l
SELECT count(*) FROM @.t WHERE k = ANY ('{1,NULL,2}'::int[])
SELECT count(*) FROM @.t WHERE k = ANY ('{}'::int[])
SELECT count(*) FROM @.t WHERE k <> ALL ('{1,NULL}'::int[])
SELECT count(*) FROM @.t WHERE k <> ALL ('{}'::int[])
SELECT count(*) FROM @.t WHERE k IN (SELECT NULL::int UNION ALL SELECT 1)
SELECT count(*) FROM @.t WHERE k NOT IN (SELECT x FROM @.u)
SELECT count(*) FROM @.t WHERE k = 1 AND c1 = ANY (ARRAY[1,2]::answers_test.small[])
SELECT count(*) FROM @.t WHERE k = 1 AND c1 = 1::answers_test.small
SELECT count(*) FROM @.t WHERE k = 1 AND c1 = 1.0
SELECT count(*) FROM @.t WHERE k = 1::bigint AND c1 > 0.5 AND c1 < 2.5::float8
SELECT k, c2 FROM @.t WHERE k = 1 AND c2 = 'a' COLLATE "und-x-icu"
SELECT k, c2 FROM @.t WHERE k = 1 AND c1 = 1 AND c2 > 'B' COLLATE "und-x-icu"
SELECT k, c2 FROM @.t WHERE k = 1 AND c1 = 1 AND c2 = 'b' COLLATE answers_test.any_case
SELECT c2 FROM @.t WHERE k = 1 AND c1 = 1 ORDER BY c2 COLLATE "und-x-icu" /* sorted */
SELECT c2 FROM @.t WHERE k = 1 AND c1 = 1 ORDER BY c2 /* sorted */
SELECT w, count(*) FROM @.t WHERE w = 'x1' COLLATE answers_test.any_case GROUP BY w
SELECT count(*) FROM @.t WHERE w = 'x1'
SELECT count(*), max(c1) FROM @.t WHERE w = ''
SELECT k, c1 FROM @.t WHERE w IN ('', 'x0', NULL) ORDER BY c1 DESC, k LIMIT 4 /* sorted */
SELECT c1, k, c2 FROM @.t WHERE w = 'x0' ORDER BY c1 DESC, k, c2 /* sorted */
SELECT c1, k, c2 FROM @.t WHERE w = 'x0' ORDER BY c1, k DESC, c2 DESC /* sorted */
SELECT c1, k, c2 FROM @.t WHERE w = 'x0' AND c1 = 2 ORDER BY k, c2 LIMIT 2 /* sorted */
SELECT c1, k, c2 FROM @.t WHERE w = 'x0' AND c1 >= 1 AND v = 1 ORDER BY c1 DESC, k, c2 /* sorted */
SELECT c1 FROM @.t WHERE w = 'x0' ORDER BY c1 DESC FETCH FIRST 2 ROWS WITH TIES /* sorted */
SELECT count(*) FROM @.t WHERE answers_test.vol(k) = 1
SELECT count(*) FROM @.t WHERE k = answers_test.vol(1)
SELECT count(*) FROM @.t WHERE k = answers_test.stab(1) AND c1 > answers_test.stab(0)
SELECT count(*) FROM @.t WHERE k = (SELECT min(x) FROM @.u) OR k = (SELECT max(x) FROM @.u)
SELECT count(*) FROM @.t WHERE k = (SELECT x FROM @.u WHERE k = 99)
SELECT k, c1 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT 0
SELECT k, c1, c2 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT NULL /* sorted */
SELECT k, c1, c2 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT 3 OFFSET NULL /* sorted */
SELECT k, c1, c2 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT (SELECT 2) /* sorted */
SELECT k, c1, c2 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 OFFSET 2 LIMIT 9223372036854775807 /* sorted */
SELECT k, c1, c2, generate_series(1,2) FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2, 4 LIMIT 3 /* sorted */
SELECT k, unnest(tags) FROM @.t WHERE k = 1
SELECT DISTINCT ON (k) k, c1, c2 FROM @.t WHERE c1 IS NOT NULL ORDER BY k, c1 DESC, c2 /* sorted */
SELECT DISTINCT ON (k) k, c1, c2 FROM @.t WHERE c1 IS NOT NULL ORDER BY k, c1, c2 DESC /* sorted */
SELECT DISTINCT ON (k) k, c1, c2 FROM @.t WHERE k IN (1,2,3) AND c1 < 3 ORDER BY k, c1 DESC, c2 LIMIT 2 /* sorted */
SELECT DISTINCT ON (k, c1) k, c1, c2 FROM @.t WHERE k IN (1,2) ORDER BY k, c1 DESC, c2 /* sorted */
SELECT DISTINCT k FROM @.t ORDER BY k LIMIT 3 /* sorted */
SELECT DISTINCT k, s FROM @.t
SELECT DISTINCT k + 0 FROM @.t WHERE v = 1
SELECT DISTINCT k FROM @.t WHERE c1 = 1
SELECT count(*) FROM (SELECT DISTINCT k FROM @.t) x
SELECT k, c1, count(*), min(c2), max(v) FROM @.t GROUP BY k, c1 HAVING count(*) > 2 AND max(v) IS NOT NULL
SELECT k, c1, c2, count(*) FROM @.t GROUP BY k, c1, c2
SELECT k, c2, count(*) FROM @.t GROUP BY k, c2
SELECT c1, count(*) FROM @.t WHERE k = 1 GROUP BY c1
SELECT c1, count(*) FROM @.t WHERE k = 1 GROUP BY c1 ORDER BY c1 DESC LIMIT 2 /* sorted */
SELECT c1, count(*) FROM @.t WHERE k IN (1,2) GROUP BY c1
SELECT k, count(*) FROM @.t WHERE k IN (1,2) AND c1 IN (1,2) GROUP BY k
SELECT k, count(*) FROM @.t WHERE k IN (1,2) AND c1 = 2 GROUP BY k, c1
SELECT k, count(v) FILTER (WHERE v > 1), sum(v) FROM @.t GROUP BY k
SELECT k, count(DISTINCT v), sum(v), avg(v) FROM @.t GROUP BY k
SELECT k, count(*) + sum(v) * 2 FROM @.t GROUP BY k HAVING sum(v) > 3
SELECT k, count(*) FROM @.t GROUP BY ROLLUP (k)
SELECT k, c1, count(*) FROM @.t GROUP BY GROUPING SETS ((k), (c1), ())
SELECT 1 FROM @.t HAVING count(*) > 3
SELECT k FROM @.t GROUP BY k HAVING k > 2
SELECT count(*), 5 FROM @.t WHERE k = 1 AND now() > '2000-01-01'
SELECT count(*), 5 FROM @.t WHERE k = 1 AND now() < '2000-01-01'
SELECT count(*) FROM @.t WHERE k = 1 AND c1 > 0 HAVING count(*) > 100
SELECT min(c1), max(c1), min(c2), max(c2), count(c1), count(c2) FROM @.t WHERE k = 1
SELECT min(c1), max(c1) FROM @.t WHERE k IN (1,2,3)
SELECT min(c2), max(c2) FROM @.t WHERE k = 1 AND c1 = 1
SELECT min(w), max(w), count(w), min(ts), max(ts), count(ts) FROM @.t
SELECT min(w COLLATE "C"), max(w COLLATE "C") FROM @.t
SELECT trim_scale(min(m)), trim_scale(max(m)), sum(m), avg(m), count(m) FROM @.t
SELECT min(f) + 0.0, max(f), count(f) FROM @.t
SELECT count(b), bool_or(b), count(tags), count(s), max(s), sum(s) FROM @.t
SELECT count(s), max(s) FROM @.t WHERE k = 2 AND c1 = 1
SELECT count(*) FROM @.t WHERE k = 6
SELECT count(s), count(c1), count(*) FROM @.t WHERE k = 6
SELECT k, c1, c2, rank() OVER (PARTITION BY k ORDER BY c1 DESC, c2) FROM @.t WHERE k IN (1, 2)
SELECT k, c1, c2, rank() OVER (ORDER BY c1 DESC, c2), lag(c2) OVER (ORDER BY c1 DESC, c2) FROM @.t WHERE k = 1
SELECT k, c1, sum(v) OVER (PARTITION BY k ORDER BY c1 ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) IS NULL FROM @.t WHERE k = 1 AND c2 = 'a'
SELECT k, c1, c2, row_number() OVER (ORDER BY c1 DESC, c2) FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT 3 /* sorted */
SELECT * FROM (SELECT k, c1, c2, row_number() OVER (PARTITION BY k ORDER BY c1 DESC, c2) AS n FROM @.t WHERE k IN (1,2,3)) x WHERE n <= 2
SELECT * FROM @.both WHERE k = 1
SELECT * FROM @.both WHERE k IN (1,2) ORDER BY k, c1, c2, v LIMIT 5 /* sorted */
SELECT count(*), sum(v) FROM @.both WHERE k = 1
SELECT k, count(*) FROM @.both GROUP BY k
SELECT k, c1 FROM @.both WHERE k = 1 AND c1 > 0 ORDER BY c1 DESC, k LIMIT 2 /* sorted */
SELECT k, c1, c2 FROM @.sb WHERE answers_test.leak(k) AND k = 1
SELECT k, c1, c2 FROM @.sb WHERE k = 1 AND c1 = 2
SELECT count(*) FROM @.sb WHERE w = 'x0'
SELECT * FROM @.p WHERE k = 1
SELECT k, c1, c2 FROM @.p WHERE k IN (1, 100) ORDER BY c1 DESC, c2, k LIMIT 4 /* sorted */
SELECT k, count(*), sum(v), min(c1), max(c2), avg(v) FROM @.p GROUP BY k
SELECT count(*), sum(v), avg(v), min(c1) FROM @.p
SELECT count(*) FROM @.p WHERE k > 50
SELECT p.k, q.k, p.c1 FROM @.p JOIN @.p q ON p.k = q.k AND p.c1 = q.c1 WHERE p.k IN (1, 101) AND p.c2 = q.c2
SELECT DISTINCT k FROM @.p
SELECT a.k, a.c1, b.c1 FROM @.t a JOIN @.t b ON a.k = b.k AND a.c1 = b.c1 AND a.c2 = b.c2 WHERE a.k = 1
SELECT a.k, a.c1 FROM @.t a JOIN @.t b ON a.k = b.k AND a.c1 = b.c1 WHERE a.k = 1 AND b.k = 1 ORDER BY a.c1 DESC LIMIT 3 /* sorted */
SELECT l.id, x.* FROM @.l, LATERAL (SELECT c1, c2 FROM @.t WHERE k = l.a ORDER BY c1 DESC, c2 LIMIT 1) x
SELECT l.id, x.* FROM @.l LEFT JOIN LATERAL (SELECT c1, c2 FROM @.t WHERE k = l.a AND c1 < l.id ORDER BY c1 DESC, c2 OFFSET 1 LIMIT l.id % 3) x ON true
SELECT l.id, x.* FROM @.l, LATERAL (SELECT count(*), sum(v) FROM @.t WHERE k = l.a AND c1 > l.id % 3) x
SELECT l.id, x.* FROM @.l LEFT JOIN LATERAL (SELECT k, max(c1) FROM @.t WHERE k = l.a GROUP BY k) x ON true
SELECT l.id FROM @.l WHERE EXISTS (SELECT FROM @.t WHERE k = l.a AND c1 = l.id % 4 AND v = 1)
SELECT l.id FROM @.l WHERE l.a > ALL (SELECT v FROM @.t WHERE k = l.id % 6 AND v IS NOT NULL)
SELECT l.id FROM @.l WHERE (l.a, 1) IN (SELECT k, c1 FROM @.t)
SELECT count(*) FROM @.t WHERE (k, c1) IN ((1,1),(2,2),(NULL,1),(3,NULL))
SELECT count(*) FROM @.t WHERE (k, c1, c2) = ANY (SELECT 1, 1, 'a'::text)
SELECT count(*) FROM @.t WHERE k = 1 AND (c1, c2) < (2, 'b') AND (c1, c2) >= (0, '')
SELECT count(*) FROM @.t WHERE k = 1 AND (c1, c2) > (1, NULL)
SELECT count(*) FROM @.t WHERE k = 1 AND NOT (c1 > 1)
SELECT count(*) FROM @.t WHERE k = 1 AND (c1 > 1) IS NOT TRUE
SELECT count(*) FROM @.t WHERE k = 1 AND c1 BETWEEN SYMMETRIC 3 AND 1
SELECT count(*) FROM @.t WHERE b
SELECT count(*) FROM @.t WHERE NOT b AND k = 1
SELECT count(*) FROM @.t WHERE b IS NOT TRUE AND k = 2
SELECT count(*) FROM @.t WHERE k = 2 AND (b OR v = 1)
SELECT count(*) FROM @.t WHERE k IN (2,4) AND CASE WHEN c1 = 1 THEN v = 1 ELSE b END
SELECT count(*) FROM @.t WHERE f = 0 OR f = 'NaN'
SELECT count(*) FROM @.t WHERE m IN (1, 2.50)
SELECT count(*) FROM @.t WHERE ts = '2024-01-01 00:00:00.001Z' OR ts < '1970-01-01'
SELECT count(*) FROM @.t WHERE ts >= '2024-01-01'::date
SELECT count(*) FROM @.t WHERE 'a' = ANY (tags) AND k = 1
SELECT count(*) FROM @.t WHERE tags @> ARRAY['a', NULL]
SELECT count(*) FROM @.t WHERE tags @> '{}' AND k = 1
SELECT count(*) FROM @.t WHERE tags && '{b}' OR v = 2
SELECT count(*) FROM @.t WHERE v = 1 AND w = 'x0'
SELECT count(*) FROM @.t WHERE v = 1 OR w = 'x0'
SELECT count(*) FROM @.t WHERE v = 1 OR w = 'x0' OR k = 3
SELECT k, c1, c2 FROM @.t WHERE v = 1 AND k = 2 ORDER BY c1, c2 DESC /* sorted */
SELECT k, c1, c2 FROM @.t WHERE v = 1 AND k IN (1, 2) ORDER BY c1 DESC LIMIT 1 OFFSET 100
SELECT t FROM @.t WHERE k = 1 AND c1 = 1
SELECT t.*::text FROM @.t WHERE k = 1 AND c1 = 1
WITH x AS MATERIALIZED (SELECT * FROM @.t WHERE k = 1) SELECT a.c1, b.c1 FROM x a, x b WHERE a.c2 = b.c2
WITH RECURSIVE r AS (SELECT 0 AS k UNION ALL SELECT r.k + 1 FROM r JOIN @.u ON u.k = r.k) SELECT * FROM r
SELECT u.k, x.n FROM @.u, LATERAL (SELECT count(*) AS n FROM @.t WHERE t.k = u.k AND t.c1 IN (u.x, u.x + 1)) x
SELECT k FROM @.u WHERE k = ANY (SELECT unnest(arr) FROM @.l) AND x = ANY (ARRAY(SELECT a FROM @.l))
SELECT k FROM @.u ORDER BY k DESC LIMIT 3 /* sorted */
SELECT count(*) FROM @.u WHERE k = 3 AND k = 4
SELECT count(*) FROM @.u WHERE k = 3 AND k IN (3, 4) AND k > 2
SELECT * FROM @.u WHERE k = 3 OR (k = 4 AND x = 1) OR (k = 3 AND x = 0)
SELECT a.k FROM @.u a LEFT JOIN @.u b ON a.k = b.k WHERE a.x = 1 LIMIT 100
SELECT a.k, b.k FROM @.u a LEFT JOIN @.u b ON b.k = a.k + 1 AND b.x = a.x WHERE b.k IS NULL
SELECT a.k, b.c1 FROM @.u a RIGHT JOIN @.t b ON a.k = b.k AND b.v = 1 AND a.x = 1 WHERE b.k = 1
SELECT s FROM @.t WHERE k = 2 GROUP BY s
SELECT k, s, count(*) FROM @.t GROUP BY k, s
SELECT string_agg(c2, ',' ORDER BY c1 DESC, c2) FROM @.t WHERE k = 1
SELECT array_agg(c1 ORDER BY c1) FROM @.t WHERE k = 1
SELECT max(k), min(k) FROM @.u
SELECT k FROM @.u WHERE y LIKE 'a%' OR y IS NULL
(SELECT k, c1 FROM @.t WHERE k = 1 ORDER BY c1 LIMIT 1) UNION ALL (SELECT k, c1 FROM @.t WHERE k = 2 ORDER BY c1 DESC LIMIT 1)
SELECT k FROM @.u EXCEPT SELECT k FROM @.t WHERE v = 1
SELECT k, c1 FROM @.t WHERE k = 1 INTERSECT SELECT k, c1 FROM @.t WHERE c2 = 'a'
SELECT x.k FROM (SELECT k, c1 FROM @.t WHERE k = 1 ORDER BY c1 DESC, c2 LIMIT 2) x JOIN @.u ON u.k = x.c1
$$), E'\n'));
-- The rows, in their order where the query sorts them; or the SQLSTATE of an error.
CREATE FUNCTION answer(sql text, world text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	rows text;
BEGIN
	EXECUTE format('SELECT string_agg(r::text, chr(10) %s) FROM (%s) AS r',
		CASE WHEN sql LIKE '%/* sorted */' THEN '' ELSE 'ORDER BY r::text' END, replace(sql, '@.', world || '.')) INTO rows;
	RETURN rows;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
CREATE TABLE expected AS SELECT sql, answer(sql, 'answers_near') AS rows FROM queries;
SELECT count(*) > 140 AS are_many, count(rows) > count(*) * 3 / 4 AS have_rows FROM expected;
SELECT sql, rows FROM expected WHERE rows ~ '^[0-9A-Z]{5} ';
-- what differs
SELECT e.*, f.rows FROM expected e, answer(sql, 'answers_far') AS f (rows) WHERE e.rows IS DISTINCT FROM f.rows;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
SET enable_material = off;
SET enable_memoize = off;
SET enable_hashagg = off;
SELECT e.*, f.rows FROM expected e, answer(sql, 'answers_far') AS f (rows) WHERE e.rows IS DISTINCT FROM f.rows;
RESET ALL;
SET timezone = 'UTC';
SET search_path = answers_test, public;
SET client_min_messages = error;
SET enable_nestloop = off;
SET enable_sort = off;
SET enable_partitionwise_aggregate = on;
SET enable_partitionwise_join = on;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT e.*, f.rows FROM expected e, answer(sql, 'answers_far') AS f (rows) WHERE e.rows IS DISTINCT FROM f.rows;
RESET ALL;
SET search_path = answers_test, public;

SET client_min_messages = error;
DROP SCHEMA answers_far, answers_near CASCADE;
CALL end_topic('answers');
