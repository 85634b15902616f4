-- CQL's empty value of a type that is no text reads as NULL, and fulfils no condition, though the
-- server sorts it before all values and sends it for a range.
\set VERBOSITY terse
CALL begin_topic('empty');

DO $$
BEGIN
	PERFORM scylla_execute('empty_server', 'CREATE TABLE fdw_empty.t (p int, c int, s int static, '
		'v int, w text, PRIMARY KEY (p, c))');
	PERFORM scylla_execute('empty_server', 'INSERT INTO fdw_empty.t (p, c, v, w) '
		'VALUES (1, blobAsInt(0x), 5, '''')');
	PERFORM scylla_execute('empty_server', 'INSERT INTO fdw_empty.t (p, c, v) VALUES (1, 3, 6)');
	PERFORM scylla_execute('empty_server', 'INSERT INTO fdw_empty.t (p, s) VALUES (2, 7)');
END
$$;
IMPORT FOREIGN SCHEMA fdw_empty FROM SERVER empty_server INTO empty_test;

-- one WARNING a statement; an empty text is a text
SELECT p, c, s, v, w, w = '' AS is_empty_text FROM t ORDER BY p, v;
SELECT c, v FROM t WHERE p = 1 AND c < 5;
SELECT v FROM t WHERE p = 1 AND c <= 3;
-- the bound is beyond int, so the condition is always true, but not for NULL
SELECT v FROM t WHERE p = 1 AND c < 9000000000;
SELECT s FROM t WHERE p = 2 AND c < 9000000000;
-- a partition with a static value alone is one row
SELECT count(*) FROM t WHERE p = 2;
SELECT count(*), count(c), count(s) FROM t;

CALL end_topic('empty');
