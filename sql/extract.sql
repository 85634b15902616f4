-- scylla_partition_ranges: pieces of the ring that together are the table, each row in one of them.
CALL begin_topic('extract');
\pset format unaligned
\pset null ~
SELECT cql('CREATE TABLE fdw_extract.t (k int PRIMARY KEY, v text)');
CREATE FOREIGN TABLE t (k int, v text, token bigint OPTIONS (function 'token')) SERVER extract_server;
INSERT INTO t (k, v) SELECT g, 'v' || g FROM generate_series(1, 1000) g;

SELECT start_token, end_token FROM scylla_partition_ranges('t', 1);
SELECT start_token, end_token FROM scylla_partition_ranges('t', 4);
-- without a hole, whatever the number; as wide as each other by one token at most
SELECT n, count(*), bool_and(start_token = before) AS is_whole,
	max(end_token::numeric - start_token) - min(end_token::numeric - start_token) AS difference
FROM (VALUES (3), (7), (1000)) c (n), LATERAL (SELECT *, lag(end_token, 1, '-9223372036854775808'::bigint)
	OVER (ORDER BY start_token) AS before FROM scylla_partition_ranges('t', n)) r
GROUP BY n ORDER BY n;
-- each row in one piece
SELECT count(*), count(DISTINCT k), count(DISTINCT start_token)
FROM scylla_partition_ranges('t', 5) r JOIN t ON t.token > r.start_token AND t.token <= r.end_token;

-- a job that takes up where it was interrupted
CREATE TABLE copy (k int, v text);
CREATE TABLE job AS SELECT start_token, end_token, false AS is_done FROM scylla_partition_ranges('t', 8);
CREATE PROCEDURE work(pieces int) LANGUAGE plpgsql AS $$
DECLARE
	piece job;
BEGIN
	FOR i IN 1..pieces LOOP
		SELECT * INTO piece FROM job WHERE NOT is_done LIMIT 1 FOR UPDATE SKIP LOCKED;
		EXIT WHEN NOT FOUND;
		INSERT INTO copy SELECT k, v FROM t WHERE token > piece.start_token AND token <= piece.end_token;
		UPDATE job SET is_done = true WHERE start_token = piece.start_token;
		COMMIT;
	END LOOP;
END
$$;
CALL work(3);
SELECT count(*) FROM job WHERE is_done;
CALL work(100);
SELECT count(*), count(DISTINCT k) FROM copy;

SELECT scylla_partition_ranges('t', 0);
SELECT scylla_partition_ranges('copy', 2);
SELECT * FROM scylla_partition_ranges(NULL, 2);

CALL end_topic('extract');
