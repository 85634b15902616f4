-- TTL and timestamp of rows, by write-only columns.
SET timezone = 'UTC';
CALL begin_topic('writes_using');
\pset format unaligned
\pset null ~
\pset footer off
SELECT cql('CREATE TABLE fdw_writes_using.t (k int, c int, s text static, v text, PRIMARY KEY (k, c))');
SELECT cql('CREATE TABLE fdw_writes_using.hits (k int PRIMARY KEY, n counter)');

CREATE FOREIGN TABLE t (k int, c int, s text, v text, expires int OPTIONS (using 'ttl'),
	at bigint OPTIONS (using 'timestamp')) SERVER writes_using_server;
CREATE FOREIGN TABLE seen (k int, c int, s text, v text, left_s int OPTIONS (function 'ttl(v)'),
	at timestamptz OPTIONS (function 'writetime(v)'), s_left int OPTIONS (function 'ttl(s)'))
	SERVER writes_using_server OPTIONS ("table" 't');
CREATE FUNCTION look(k int) RETURNS TABLE (c int, v text, ttl text, at text) LANGUAGE sql AS $$
	SELECT c, v, CASE WHEN left_s BETWEEN 900 AND 1000 THEN 'some 1000 s' WHEN left_s BETWEEN 86000 AND 86400 THEN 'a day'
		ELSE left_s::text END, CASE WHEN at < '2020-01-01' THEN at::text WHEN at IS NOT NULL THEN 'now' END
	FROM seen WHERE seen.k = look.k ORDER BY c $$;

INSERT INTO t (k, c, v, expires, at) VALUES (1, 1, 'both', 1000, 1500000000000000), (1, 2, 'none', NULL, NULL),
	(1, 3, 'ttl', 86400, NULL), (1, 4, 'time', NULL, 1);
INSERT INTO t (k, c, v) VALUES (1, 5, 'not named');
SELECT * FROM look(1);
-- it reads as NULL, and can be compared with nothing
SELECT * FROM t WHERE k = 1 AND expires IS NULL ORDER BY c;
SELECT count(*), count(expires), count(at) FROM t WHERE k = 1;
SELECT expires FROM t WHERE k = 1 AND c = 1;
SELECT * FROM t WHERE k = 1 AND expires > 0;
-- UPDATE, from a parameter, from another table's column
UPDATE t SET v = 'changed', expires = 1000 WHERE k = 1 AND c = 2 RETURNING *;
UPDATE t SET v = v, expires = l.seconds FROM (VALUES (5, 86400)) l (c, seconds) WHERE k = 1 AND t.c = l.c;
PREPARE put(int, int) AS INSERT INTO t (k, c, v, expires) VALUES (2, $1, 'prepared', $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE put(1, 1000);
EXECUTE put(2, NULL);
RESET plan_cache_mode;
SELECT * FROM look(1);
SELECT * FROM look(2);
-- an older timestamp does not win; a static column has a TTL, too
UPDATE t SET v = 'too late', at = 5 WHERE k = 2 AND c = 1;
INSERT INTO t (k, s, expires) VALUES (2, 'static', 1000);
SELECT k, c, s, v, s_left BETWEEN 900 AND 1000 AS s_expires FROM seen WHERE k = 2 ORDER BY c;
-- the table's option holds where a row gives none
ALTER FOREIGN TABLE t OPTIONS (ttl '86400');
INSERT INTO t (k, c, v, expires) VALUES (3, 1, 'own', 1000), (3, 2, 'option', NULL), (3, 3, 'never', 0);
INSERT INTO t (k, c, v) VALUES (3, 4, 'not named');
COPY t (k, c, v, expires) FROM STDIN;
3	5	copied	1000
3	6	copied	\N
\.
SELECT * FROM look(3);
ALTER FOREIGN TABLE t OPTIONS (DROP ttl);
-- interval, timestamptz, and a domain over one
CREATE DOMAIN short AS interval CHECK (VALUE <= '1 day');
CREATE FOREIGN TABLE typed (k int, c int, v text, expires short OPTIONS (using 'ttl'),
	at timestamptz OPTIONS (using 'timestamp')) SERVER writes_using_server OPTIONS ("table" 't');
INSERT INTO typed VALUES (4, 1, 'typed', '16 minutes 40 seconds', '2019-05-06 07:08:09.123456'), (4, 2, 'typed', '1 day', now());
SELECT * FROM look(4);
-- all of COPY's columns, NULLs for them
COPY t FROM STDIN;
5	1	\N	all	\N	\N
\.
SELECT * FROM look(5);
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO t (k, c, v, expires, at) VALUES (1, 1, 'x', 1, 1);
EXPLAIN (VERBOSE, COSTS OFF) UPDATE t SET v = 'x', expires = 1, at = 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT expires, at FROM t;

---- refused
\set VERBOSITY verbose
\set SHOW_CONTEXT never
CREATE FUNCTION fails(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
SELECT * FROM fails('UPDATE t SET expires = 5');
SELECT * FROM fails('INSERT INTO t (k, c, expires) VALUES (9, 9, -1)');
SELECT * FROM fails('INSERT INTO t (k, c, expires) VALUES (9, 9, 2000000000)');
SELECT * FROM fails('INSERT INTO typed (k, c, at) VALUES (9, 9, ''infinity'')');
SELECT * FROM fails('INSERT INTO t (k, c, at) VALUES (9, 9, 1) ON CONFLICT DO NOTHING');
ALTER FOREIGN TABLE typed ALTER expires TYPE text;
SELECT * FROM fails('INSERT INTO typed (k, c, expires) VALUES (9, 9, ''1 day'')');
ALTER FOREIGN TABLE typed ALTER expires TYPE interval;
SELECT * FROM fails('INSERT INTO typed (k, c, expires) VALUES (9, 9, ''1 month'')');
CREATE FOREIGN TABLE hits (k int, n bigint, expires int OPTIONS (using 'ttl')) SERVER writes_using_server;
SELECT * FROM fails('INSERT INTO hits VALUES (1, 1, 1)');
SELECT * FROM fails('ALTER FOREIGN TABLE hits ALTER expires OPTIONS (SET using ''time'')');
SELECT * FROM fails('ALTER FOREIGN TABLE hits ALTER expires OPTIONS (ADD type ''int'')');
SELECT * FROM t WHERE k = 9;

CALL end_topic('writes_using');
