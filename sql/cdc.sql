-- CDC logs as foreign tables. The log is an ordinary table here, shaped as ScyllaDB makes its own.
CALL begin_topic('cdc');
\pset format unaligned
\pset null ~
\pset footer off
SELECT cql('CREATE TABLE fdw_cdc.t (p int, c int, v text, tags set<text>, PRIMARY KEY (p, c))');
SELECT cql('CREATE TABLE fdw_cdc.t_scylla_cdc_log ("cdc$stream_id" blob, "cdc$time" timeuuid, "cdc$batch_seq_no" int, '
	'"cdc$deleted_v" boolean, "cdc$deleted_tags" boolean, "cdc$deleted_elements_tags" frozen<set<text>>, '
	'"cdc$end_of_batch" boolean, "cdc$operation" tinyint, "cdc$ttl" bigint, p int, c int, v text, '
	'tags frozen<set<text>>, PRIMARY KEY ("cdc$stream_id", "cdc$time", "cdc$batch_seq_no"))');
SELECT cql('INSERT INTO fdw_cdc.t_scylla_cdc_log ("cdc$stream_id", "cdc$time", "cdc$batch_seq_no", "cdc$end_of_batch", '
	'"cdc$operation", p, c, v, tags) VALUES (0x365fd1a9ae34373954529ac8169dfb93, 50554d6e-29bb-11e5-b345-feff819cdc9f, '
	'0, true, 2, 1, 1, ''new'', {''a'', ''b''})');
SELECT cql('INSERT INTO fdw_cdc.t_scylla_cdc_log ("cdc$stream_id", "cdc$time", "cdc$batch_seq_no", "cdc$deleted_v", '
	'"cdc$end_of_batch", "cdc$operation", "cdc$ttl", p, c) VALUES (0x365fd1a9ae34373954529ac8169dfb93, '
	'60554d6e-29bb-11e5-b345-feff819cdc9f, 0, true, true, 1, 3600, 1, 1)');
-- another table of that ending is a table like others, also where there is no log
SELECT cql('CREATE TABLE fdw_cdc.alone_scylla_cdc_log (k int PRIMARY KEY)');

IMPORT FOREIGN SCHEMA fdw_cdc FROM SERVER cdc_server INTO cdc_test;
SELECT relname FROM pg_class WHERE relkind = 'f' AND relnamespace = 'cdc_test'::regnamespace ORDER BY relname;
IMPORT FOREIGN SCHEMA fdw_cdc LIMIT TO (t_scylla_cdc_log) FROM SERVER cdc_server INTO cdc_test;
IMPORT FOREIGN SCHEMA fdw_cdc LIMIT TO (t_scylla_cdc_log) FROM SERVER cdc_server INTO cdc_test
	OPTIONS (import_cdc 'true');
SELECT attname, format_type(atttypid, atttypmod) AS type, array_to_string(attfdwoptions, ', ') AS options
	FROM pg_attribute WHERE attrelid = 't_scylla_cdc_log'::regclass AND attnum > 0 ORDER BY attnum;
\x on
SELECT * FROM t_scylla_cdc_log;
\x off
-- what came later, of a stream
EXPLAIN (VERBOSE, COSTS OFF) SELECT "cdc$operation", p, c, v FROM t_scylla_cdc_log
	WHERE "cdc$stream_id" = '\x365fd1a9ae34373954529ac8169dfb93'
	AND timeuuid_timestamp("cdc$time") > timeuuid_timestamp('50554d6e-29bb-11e5-b345-feff819cdc9f');
SELECT "cdc$operation", "cdc$ttl", "cdc$deleted_v", p, c, v FROM t_scylla_cdc_log
	WHERE "cdc$stream_id" = '\x365fd1a9ae34373954529ac8169dfb93' AND timeuuid_timestamp("cdc$time") >
	timeuuid_timestamp('50554d6e-29bb-11e5-b345-feff819cdc9f');

CALL end_topic('cdc');
