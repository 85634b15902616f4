-- What cannot be written: each refusal with its SQLSTATE and hint, and what stands afterwards.
CALL begin_topic('writes_errors');
CREATE FUNCTION fails(statement text, OUT state text, OUT message text, OUT detail text, OUT hint text,
	OUT context text) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
	detail = regexp_replace(detail, 'Node \S+(, shard \d+)?(:| says:) [^\n]*', 'Node N ...');
	context = substring(context FROM '^(.*)\nSQL statement');
END
$$;
\pset format unaligned
\pset expanded on
\pset null ~
\pset footer off
SELECT cql('CREATE TABLE fdw_writes_errors.t (p int, c text, s text static, v int, PRIMARY KEY (p, c))');
SELECT cql('CREATE TABLE fdw_writes_errors.hits (k int PRIMARY KEY, n counter)');
CREATE FOREIGN TABLE t (p int, c text, s text, v int, at bigint OPTIONS (function 'writetime(v)'))
	SERVER writes_errors_server;
CREATE FOREIGN TABLE hits (k int, n bigint) SERVER writes_errors_server;
CREATE FOREIGN TABLE half (p int, v int) SERVER writes_errors_server OPTIONS ("table" 't');
CREATE FOREIGN TABLE twice (k int, n bigint, k_too bigint OPTIONS ("column" 'k'), n_too bigint OPTIONS ("column" 'n'))
	SERVER writes_errors_server OPTIONS ("table" 'hits');
INSERT INTO t (p, c, v) VALUES (1, 'a', 1), (1, 'b', 2);

---- refused when it is planned

SELECT * FROM fails('UPDATE t SET p = p + 1');
SELECT * FROM fails('UPDATE t SET v = 1, c = ''x'' WHERE p = 1');
SELECT * FROM fails('INSERT INTO t VALUES (1, ''x'', ''s'', 1, 1)');
SELECT * FROM fails('UPDATE t SET at = 1');
SELECT * FROM fails('INSERT INTO half VALUES (1, 1)');
SELECT * FROM fails('UPDATE half SET v = 1');
SELECT * FROM fails('DELETE FROM half');
SELECT * FROM fails('INSERT INTO hits VALUES (1, 1) ON CONFLICT DO NOTHING');
SELECT * FROM fails('INSERT INTO hits (k) VALUES (1)');
SELECT * FROM fails('INSERT INTO twice (k, n, n_too) VALUES (1, 1, 1)');
SELECT * FROM fails('INSERT INTO twice (k_too, k, n) VALUES (1, 2, 1)');
CREATE FOREIGN TABLE t_twice (p int, c text, s text, s_too text OPTIONS ("column" 's')) SERVER writes_errors_server
	OPTIONS ("table" 't');
INSERT INTO t_twice (p, s_too) VALUES (8, 'shown twice');
DELETE FROM t_twice WHERE p = 8 RETURNING s, s_too;
SELECT * FROM t_twice WHERE p = 8;
SELECT * FROM fails('UPDATE hits SET n = 1');
SELECT * FROM fails('INSERT INTO t (p, c) VALUES (1, ''a'') ON CONFLICT (p, c) DO NOTHING');
SELECT * FROM fails('INSERT INTO t (p, c) VALUES (1, ''a'') ON CONFLICT (p, c) DO UPDATE SET v = 1');
ALTER FOREIGN TABLE hits OPTIONS (if_exists 'true');
SELECT * FROM fails('DELETE FROM hits');
ALTER FOREIGN TABLE hits OPTIONS (DROP if_exists);
ALTER FOREIGN TABLE t OPTIONS (updatable 'false', truncatable 'false');
SELECT * FROM fails('INSERT INTO t (p, c) VALUES (1, ''a'')');
SELECT * FROM fails('UPDATE t SET v = 1');
SELECT * FROM fails('DELETE FROM t');
SELECT * FROM fails('TRUNCATE t');
SELECT is_insertable_into FROM information_schema.tables WHERE table_schema = 'writes_errors_test' AND table_name = 't';
ALTER FOREIGN TABLE t OPTIONS (DROP updatable, DROP truncatable);
BEGIN READ ONLY;
SELECT * FROM fails('INSERT INTO t (p, c) VALUES (1, ''a'')');
ROLLBACK;

---- refused when a row is reached: those before it may be written

SELECT * FROM fails('INSERT INTO t (p, c, v) VALUES (2, ''a'', 1), (3, ''a'', 1), (2, NULL, 2)');
SELECT * FROM fails('INSERT INTO t (c, v) VALUES (''a'', 1)');
SELECT * FROM fails('INSERT INTO t (p, c, v) VALUES (NULL, ''a'', 1)');
ALTER FOREIGN TABLE t ALTER v TYPE bigint;
SELECT * FROM fails('INSERT INTO t (p, c, v) VALUES (3, ''too large'', 3000000000)');
SELECT * FROM fails('UPDATE t SET v = 3000000000 WHERE p = 1 AND c = ''b''');
ALTER FOREIGN TABLE t ALTER v TYPE int;
CREATE FUNCTION move_key() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.c = NEW.c || '!'; RETURN NEW; END $$;
CREATE TRIGGER move_key BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION move_key();
SELECT * FROM fails('UPDATE t SET v = 1 WHERE p = 1');
DROP TRIGGER move_key ON t;
SELECT p, c, s, v FROM t ORDER BY p, c;

---- refused by the server: the row is named, and how many stand

SELECT state, message, detail, hint, context FROM fails('INSERT INTO t (p, c, v) VALUES (4, repeat(''x'', 70000), 1)');
SELECT cql('DROP TABLE fdw_writes_errors.t');
SELECT state, message, hint, context FROM fails('INSERT INTO t (p, c, v) VALUES (5, ''a'', 1)');
SELECT cql('CREATE TABLE fdw_writes_errors.t (p int, c text, s text static, v text, PRIMARY KEY (p, c))');
-- key and type in the options: nobody asks the cluster before the statement is prepared
CREATE FOREIGN TABLE planned (p int OPTIONS (key 'partition 1', type 'int'), c text OPTIONS (key 'clustering 1 asc',
	type 'text'), v int OPTIONS (key 'regular', type 'int')) SERVER writes_errors_server OPTIONS ("table" 't');
SELECT * FROM fails('INSERT INTO planned VALUES (5, ''a'', 1)');
-- a longer partition key: CQL takes the DELETE of a row, and means a whole partition by it
SELECT cql('DROP TABLE fdw_writes_errors.t');
SELECT cql('CREATE TABLE fdw_writes_errors.t (p int, c text, d int, v int, PRIMARY KEY ((p, c), d))');
SELECT cql('INSERT INTO fdw_writes_errors.t (p, c, d, v) VALUES (1, ''a'', 1, 1)');
SELECT cql('INSERT INTO fdw_writes_errors.t (p, c, d, v) VALUES (1, ''a'', 2, 2)');
SELECT * FROM fails('DELETE FROM planned WHERE p = 1 AND c = ''a'' AND v = 1');
SELECT count(*) FROM planned WHERE p = 1 AND c = 'a';

---- rows whose key PostgreSQL does not hold as it is: no other row is written in their place

SELECT cql('CREATE TABLE fdw_writes_errors.amount (k decimal, c decimal, t time, v int, PRIMARY KEY (k, c, t))');
SELECT cql('CREATE TABLE fdw_writes_errors.document (k text PRIMARY KEY, v int)');
SELECT cql('INSERT INTO fdw_writes_errors.amount (k, c, t, v) VALUES (' || key || ', 1)')
	FROM unnest('{"1E3, 1E3, ''01:00:00''","1.50, 1E3, ''01:00:00''","2, 2.0, ''01:00:00.000000001''"}'::text[]) key;
SELECT cql(format('INSERT INTO fdw_writes_errors.document (k, v) VALUES (%L, 1)', key))
	FROM unnest(ARRAY['{"b":1, "a":2}', '{"a": 3}']) key;
CREATE FOREIGN TABLE amount (k numeric, c numeric, t time, v int) SERVER writes_errors_server
	OPTIONS (excess_precision 'truncate');
CREATE FOREIGN TABLE document (k jsonb, v int) SERVER writes_errors_server;
SELECT * FROM fails('UPDATE amount SET v = 2 WHERE k + 0 = 1000');
SELECT * FROM fails('DELETE FROM amount WHERE k + 0 = 2');
SELECT * FROM fails('DELETE FROM document WHERE k ->> ''b'' = ''1''');
-- those that a filter leaves out are none; numbers after the partition key are found by what they are
UPDATE amount SET v = v + 1 WHERE k + 0 = 1.5;
UPDATE document SET v = v + 1 WHERE k ->> 'a' = '3';
SELECT * FROM amount ORDER BY k;
SELECT * FROM document ORDER BY v;

---- options

ALTER FOREIGN TABLE t OPTIONS (ttl '-1');
ALTER FOREIGN TABLE t OPTIONS (insert_nulls 'maybe');
ALTER FOREIGN TABLE t OPTIONS (max_in_flight '0');
ALTER FOREIGN TABLE t OPTIONS (if_exist 'true');
ALTER SERVER writes_errors_server OPTIONS (ttl '1');

CALL end_topic('writes_errors');
