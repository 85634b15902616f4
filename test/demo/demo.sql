-- Run by test/demo/demo, which gives :host and :port of a CQL server.
\pset pager off
\pset footer off
SET timezone = 'UTC';

\echo
\echo '== The server, seen from SQL: two commands'
\set ECHO queries
CREATE EXTENSION scylla_fdw;
CREATE SERVER demo FOREIGN DATA WRAPPER scylla_fdw OPTIONS (host :'host', port :'port');
CREATE USER MAPPING FOR CURRENT_USER SERVER demo;

\set ECHO none
\echo
\echo '== A schema and some data there, made by CQL through SQL'
\set ECHO queries
SELECT scylla_execute('demo', $$
	CREATE KEYSPACE IF NOT EXISTS scylla_fdw_demo
	WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 1}$$);
SELECT scylla_execute('demo', $$
	CREATE TABLE IF NOT EXISTS scylla_fdw_demo.sensor (
		id int PRIMARY KEY, name text, model text, installed date)$$);
SELECT scylla_execute('demo', $$
	CREATE TABLE IF NOT EXISTS scylla_fdw_demo.reading (
		sensor int, day date, at timestamp, celsius double,
		PRIMARY KEY ((sensor, day), at)) WITH CLUSTERING ORDER BY (at DESC)$$);
SELECT count(scylla_execute('demo',
		'INSERT INTO scylla_fdw_demo.sensor (id, name, model, installed) VALUES (?, ?, ?, ?)',
		id, 'sensor ' || id, (ARRAY['T100', 'T200', 'X1'])[1 + id % 3], date '2025-06-01' + id)) AS sensors
FROM generate_series(1, 20) AS id;
SELECT count(scylla_execute('demo',
		'INSERT INTO scylla_fdw_demo.reading (sensor, day, at, celsius) VALUES (?, ?, ?, ?)',
		id, at::date, at, 15 + id % 7 + 8 * sin(extract(epoch FROM at)::float8 / 13751))) AS readings
FROM generate_series(1, 20) AS id,
	generate_series(timestamptz '2026-01-01', '2026-01-03 23:30', '30 minutes') AS at;

\set ECHO none
\echo
\echo '== Its schema imported'
\set ECHO queries
CREATE SCHEMA weather;
IMPORT FOREIGN SCHEMA scylla_fdw_demo FROM SERVER demo INTO weather;
\d weather.*

\set ECHO none
\echo
\echo '== A point read: one request for one row'
\set ECHO queries
SELECT * FROM weather.sensor WHERE id = 7;
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF)
SELECT * FROM weather.sensor WHERE id = 7;

\set ECHO none
\echo
\echo '== A slice of a partition: the range of the clustering column is read there, not here'
\set ECHO queries
SELECT at, round(celsius::numeric, 2) AS celsius FROM weather.reading
WHERE sensor = 7 AND day = '2026-01-02' AND at >= '2026-01-02 06:00' AND at < '2026-01-02 08:00';
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF)
SELECT at, round(celsius::numeric, 2) AS celsius FROM weather.reading
WHERE sensor = 7 AND day = '2026-01-02' AND at >= '2026-01-02 06:00' AND at < '2026-01-02 08:00';

\set ECHO none
\echo
\echo '== A full scan: what CQL cannot say is filtered here'
\set ECHO queries
SELECT day, count(*) AS warm, round(max(celsius)::numeric, 2) AS warmest FROM weather.reading
WHERE round(celsius) = 25 GROUP BY day ORDER BY day;
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF)
SELECT day, count(*) AS warm, round(max(celsius)::numeric, 2) AS warmest FROM weather.reading
WHERE round(celsius) = 25 GROUP BY day ORDER BY day;

\set ECHO none
\echo
\echo '== A join with a local table: its rows bring the keys'
\set ECHO queries
CREATE TABLE site (sensor integer, name text, region text);
INSERT INTO site
SELECT id, 'site ' || id, (ARRAY['north', 'south', 'east', 'west'])[1 + id % 4] FROM generate_series(1, 20) AS id;
ANALYZE site;
SELECT site.name, round(avg(reading.celsius)::numeric, 2) AS average
FROM site JOIN weather.reading ON reading.sensor = site.sensor AND reading.day = '2026-01-02'
WHERE site.region = 'north' GROUP BY site.name ORDER BY site.name;
EXPLAIN (ANALYZE, VERBOSE, COSTS OFF)
SELECT site.name, round(avg(reading.celsius)::numeric, 2) AS average
FROM site JOIN weather.reading ON reading.sensor = site.sensor AND reading.day = '2026-01-02'
WHERE site.region = 'north' GROUP BY site.name ORDER BY site.name;

\set ECHO none
\echo
\echo '== What this session holds open, and the end'
\set ECHO queries
\x on
SELECT * FROM scylla_connections;
\x off
SELECT scylla_execute('demo', 'DROP KEYSPACE scylla_fdw_demo');
SELECT scylla_disconnect_all();
