-- INSERT, UPDATE, DELETE, COPY and TRUNCATE, read back through the foreign tables. What the cluster
-- then holds is looked at by an independent driver in test/py/test_writes.py.
CALL begin_topic('writes');
-- EXPLAIN without what PostgreSQL says otherwise from 18 on.
CREATE FUNCTION explain(options text, statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (COSTS OFF, %s) %s', options, statement) LOOP
		line := regexp_replace(line, '\n *"Disabled": false,', '', 'g');
		RETURN NEXT regexp_replace(line, '(rows=\d+)\.00', '\1');
	END LOOP;
END
$$;
\pset format unaligned
\pset null ~
SELECT cql('CREATE TABLE fdw_writes.kv (k int PRIMARY KEY, v text, n bigint)');
SELECT cql('CREATE TABLE fdw_writes.wide (p int, c text, s text static, v text, n int, PRIMARY KEY (p, c))');
SELECT cql('CREATE TABLE fdw_writes."Odd" ("K k" int PRIMARY KEY, "from" text)');

CREATE FOREIGN TABLE kv (k int, v text, n bigint) SERVER writes_server;
CREATE FOREIGN TABLE wide (p int, c text COLLATE "C", s text, v text, n int) SERVER writes_server;

---- INSERT

INSERT INTO kv VALUES (1, 'one', 10);
INSERT INTO kv (k, v) VALUES (2, 'two'), (3, 'three'), (4, NULL);
INSERT INTO kv (n, k) SELECT g * 10, g FROM generate_series(5, 7) g;
SELECT tag('INSERT INTO kv SELECT 0, ''none'', 0 WHERE false');
SELECT * FROM kv ORDER BY k;
-- an upsert: columns that are not named keep what they have
INSERT INTO kv (k, n) VALUES (1, 11) RETURNING *, n + 1 AS more;
SELECT * FROM kv WHERE k = 1;
-- with a CTE and a sub-select; the tag is that of the outer statement
WITH new AS (INSERT INTO kv VALUES (8, 'eight', 80), (9, 'nine', 90) RETURNING k)
	INSERT INTO kv SELECT k + 100, 'copy' FROM new RETURNING k, v;
-- prepared, with a plan for every value
PREPARE put(int, text) AS INSERT INTO kv (k, v) VALUES ($1, $2);
SET plan_cache_mode = force_generic_plan;
EXECUTE put(20, 'twenty');
EXECUTE put(21, NULL);
RESET plan_cache_mode;
SELECT * FROM kv WHERE k IN (20, 21, 108, 109) ORDER BY k;

-- names that CQL has to have in quotes
CREATE FOREIGN TABLE odd ("K k" int, "from" text) SERVER writes_server OPTIONS ("table" 'Odd');
INSERT INTO odd VALUES (1, 'here');
UPDATE odd SET "from" = 'there';
SELECT * FROM odd;
DELETE FROM odd;
SELECT * FROM odd;

-- defaults, generated columns, DEFAULT VALUES
CREATE FOREIGN TABLE kv_default (k int DEFAULT 30, v text DEFAULT 'given', n bigint
	GENERATED ALWAYS AS (k * 2) STORED) SERVER writes_server OPTIONS ("table" 'kv');
INSERT INTO kv_default DEFAULT VALUES;
INSERT INTO kv_default (k) VALUES (31) RETURNING *;
INSERT INTO kv_default (k, v) VALUES (32, NULL), (33, DEFAULT);
UPDATE kv_default SET v = 'changed' WHERE k = 33 RETURNING *;
SELECT * FROM kv WHERE k BETWEEN 30 AND 39 ORDER BY k;
DROP FOREIGN TABLE kv_default;

-- NULLs that are given are written, unless insert_nulls says otherwise
INSERT INTO kv VALUES (40, 'v', 4);
INSERT INTO kv VALUES (40, NULL, 5);
SELECT * FROM kv WHERE k = 40;
ALTER FOREIGN TABLE kv OPTIONS (insert_nulls 'unset');
INSERT INTO kv VALUES (40, 'w', NULL);
SELECT * FROM kv WHERE k = 40;
UPDATE kv SET n = NULL WHERE k = 40;
SELECT * FROM kv WHERE k = 40;
ALTER FOREIGN TABLE kv OPTIONS (DROP insert_nulls);

-- ON CONFLICT DO NOTHING counts what was applied
SELECT tag('INSERT INTO kv VALUES (40, ''x'', 1), (41, ''new'', 1), (41, ''again'', 2) ON CONFLICT DO NOTHING');
INSERT INTO kv VALUES (41, 'x', 1), (42, 'new', 1) ON CONFLICT DO NOTHING RETURNING k, v;
SELECT * FROM kv WHERE k BETWEEN 40 AND 49 ORDER BY k;

---- UPDATE

UPDATE kv SET v = upper(v), n = coalesce(n, 0) + 1 WHERE k + 0 IN (1, 2) RETURNING *;
UPDATE kv SET v = l.v || kv.k FROM (VALUES (5, 'a'), (6, 'b'), (99, 'c')) l (k, v) WHERE kv.k = l.k
	RETURNING kv.k, kv.v, l.v;
UPDATE kv SET n = (SELECT max(n) FROM kv WHERE k < 10) WHERE k = 3;
SELECT tag('UPDATE kv SET n = n WHERE k < 6'), tag('UPDATE kv SET v = ''none'' WHERE k = 12345'),
	tag('UPDATE kv SET v = ''none'' WHERE false');
SELECT * FROM kv WHERE k < 10 ORDER BY k;

---- DELETE

DELETE FROM kv WHERE k = 9 RETURNING *, 'gone';
DELETE FROM kv USING (VALUES (20), (21), (22)) l (k) WHERE kv.k = l.k;
SELECT tag('DELETE FROM kv WHERE k > 29 OR v IS NULL');
SELECT * FROM kv ORDER BY k;
-- moving rows
WITH moved AS (DELETE FROM kv WHERE k < 3 RETURNING k, v, n)
	INSERT INTO kv SELECT k + 1000, v, n FROM moved;
SELECT * FROM kv WHERE k > 999 ORDER BY k;

---- clustering and static columns

INSERT INTO wide VALUES (1, 'a', 'static', 'va', 1), (1, 'b', 'static', 'vb', 2), (2, 'a', NULL, 'v2', 3);
-- static columns alone
INSERT INTO wide (p, s) VALUES (3, 'alone');
UPDATE wide SET s = 'changed' WHERE p = 1 AND c = 'a';
SELECT * FROM wide ORDER BY p, c;
-- a partition of static columns alone is a row without clustering columns: it can be copied, changed, deleted
INSERT INTO wide SELECT p + 10, c, s, v, n FROM wide WHERE p = 3;
UPDATE wide SET s = s || '!' WHERE p = 13;
SELECT * FROM wide WHERE p > 2 ORDER BY p;
DELETE FROM wide WHERE p = 13;
SELECT * FROM wide WHERE p > 2 ORDER BY p;
UPDATE wide SET v = 'no row', s = 's' WHERE p = 3;
-- one row, a slice, a partition
DELETE FROM wide WHERE p = 1 AND c = 'b';
DELETE FROM wide WHERE p = 2;
SELECT * FROM wide ORDER BY p, c;

---- COPY

COPY kv FROM STDIN;
200	two hundred	200
201	\N	\N
\.
COPY kv (n, k) FROM STDIN WITH (FORMAT csv);
1,202
,203
\.
COPY kv (k, v) FROM STDIN WHERE k <> 205;
204	in
205	out
\.
SELECT * FROM kv WHERE k BETWEEN 200 AND 209 ORDER BY k;

---- partitions

DELETE FROM kv;
CREATE TABLE parted (k int, v text DEFAULT 'from the root', n bigint) PARTITION BY RANGE (k);
CREATE TABLE parted_local PARTITION OF parted FOR VALUES FROM (0) TO (300);
ALTER TABLE parted ATTACH PARTITION kv FOR VALUES FROM (300) TO (10000);
INSERT INTO parted (k) VALUES (1), (301) RETURNING tableoid::regclass, *;
INSERT INTO parted VALUES (302, 'routed', 1), (2, 'local', 2);
COPY parted (k, v) FROM STDIN;
303	copied
3	copied
\.
UPDATE parted SET n = k WHERE k + 0 IN (3, 303) RETURNING tableoid::regclass, *;
-- from a local partition to the foreign one
UPDATE parted_local SET n = 5 WHERE k = 2;
UPDATE parted SET k = 304 WHERE k = 2 AND tableoid = 'parted_local'::regclass;
DELETE FROM parted WHERE k + 0 IN (1, 302) RETURNING tableoid::regclass, *;
-- rows of the foreign partition have no other system columns, neither where they are routed to it
INSERT INTO parted (k) VALUES (4) RETURNING ctid IS NOT NULL AS has_ctid;
INSERT INTO parted (k) VALUES (305) RETURNING ctid;
UPDATE parted SET k = 305 WHERE k = 4 RETURNING ctid;
INSERT INTO kv (k) VALUES (305) RETURNING k, xmin;
UPDATE kv SET n = 6 WHERE k = 304 RETURNING (SELECT max(p.k) FROM parted_local p WHERE p.cmin = kv.cmin);
DELETE FROM kv WHERE k = 304 RETURNING xmax;
SELECT * FROM kv WHERE k BETWEEN 300 AND 399 ORDER BY k;
ALTER TABLE parted DETACH PARTITION kv;
DROP TABLE parted;

---- row triggers

CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RETURN OLD;
	END IF;
	NEW.v = coalesce(NEW.v, '') || '+';
	RETURN CASE WHEN NEW.k = 402 THEN NULL ELSE NEW END;
END
$$;
-- sees what its statement has written so far
CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE '% % -> %, % rows', TG_OP, OLD, NEW, (SELECT count(*) FROM kv WHERE k IN (400, 401, 402));
	RETURN NULL;
END
$$;
CREATE TRIGGER before_row BEFORE INSERT OR UPDATE OR DELETE ON kv FOR EACH ROW EXECUTE FUNCTION before_row();
CREATE TRIGGER after_row AFTER INSERT OR UPDATE OR DELETE ON kv FOR EACH ROW EXECUTE FUNCTION after_row();
INSERT INTO kv (k, n) VALUES (400, 1), (401, 2), (402, 3);
UPDATE kv SET n = n + 1 WHERE k + 0 IN (400, 401);
SELECT * FROM kv WHERE k BETWEEN 400 AND 409 ORDER BY k;
DELETE FROM kv WHERE k + 0 IN (400, 401);
DROP TRIGGER before_row ON kv;
DROP TRIGGER after_row ON kv;

---- views

CREATE VIEW small AS SELECT k, v, n FROM kv WHERE n < 100 WITH CHECK OPTION;
INSERT INTO small VALUES (500, 'in', 1);
INSERT INTO small VALUES (501, 'out', 100);
UPDATE small SET n = 100 WHERE k = 500;
SELECT * FROM kv WHERE k BETWEEN 500 AND 509;

---- transactions

BEGIN;
INSERT INTO kv VALUES (600, 'stays', 0), (601, 'stays', 0);
SAVEPOINT inner_one;
INSERT INTO kv VALUES (602, 'stays', 0);
RELEASE inner_one;
SAVEPOINT inner_two;
DELETE FROM kv WHERE k = 601;
ROLLBACK TO inner_two;
ROLLBACK;
BEGIN;
INSERT INTO kv VALUES (603, 'committed', 0);
COMMIT;
BEGIN;
INSERT INTO kv VALUES (604, 'stays', 0);
-- the WARNING would come before or after the error
SET LOCAL client_min_messages = error;
PREPARE TRANSACTION 'writes';
DO $$
BEGIN
	INSERT INTO kv VALUES (605, 'stays', 0);
	RAISE EXCEPTION 'undo it';
EXCEPTION WHEN raise_exception THEN
	RAISE NOTICE 'caught';
END
$$;
SELECT * FROM kv WHERE k BETWEEN 600 AND 609 ORDER BY k;

---- what was written last is there, however fast one statement follows another

CREATE FUNCTION last_one() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..50 LOOP
		INSERT INTO kv (k, v) VALUES (700, 'v' || i);
	END LOOP;
	RETURN (SELECT v FROM kv WHERE k = 700);
END
$$;
SELECT last_one();
INSERT INTO kv SELECT 701, 'w' || g, g FROM generate_series(1, 2000) g;
SELECT * FROM kv WHERE k = 701;

---- reading what is written: all is read first

TRUNCATE kv;
INSERT INTO kv (k, n) SELECT g, g FROM generate_series(1, 200) g;
ALTER FOREIGN TABLE kv OPTIONS (fetch_size '10');
INSERT INTO kv (k, n) SELECT k * 7919, n FROM kv;
SELECT count(*) FROM kv;
-- each row gets the number of another as it was
UPDATE kv SET n = other.n + 1 FROM kv other WHERE other.k = kv.k + 1;
SELECT count(*), count(*) FILTER (WHERE n = k + 2) FROM kv WHERE k < 200;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO kv (k) SELECT n::int FROM kv WHERE k = 1;
ALTER FOREIGN TABLE kv OPTIONS (DROP fetch_size);

---- EXPLAIN

EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO kv (k, v) VALUES (1, 'x');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO kv VALUES (1, 'x') ON CONFLICT DO NOTHING;
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO wide (p, s) VALUES (1, 'x');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE wide SET v = 'x', s = 'y' WHERE p = 1 AND c = 'a';
EXPLAIN (VERBOSE, COSTS OFF) UPDATE wide SET s = 'y' WHERE p = 1 AND c = 'a';
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM wide WHERE p = 1 AND c = 'a';
SELECT explain('ANALYZE, TIMING OFF, BUFFERS OFF, SUMMARY OFF', 'INSERT INTO kv SELECT g, ''x'' FROM generate_series(800, 802) g');
SELECT explain('VERBOSE, FORMAT json', 'DELETE FROM kv WHERE k = 1');

---- options of a table

ALTER FOREIGN TABLE kv OPTIONS (ttl '1000', if_exists 'true', write_rate '100000', max_in_flight '2');
EXPLAIN (VERBOSE, COSTS OFF) INSERT INTO kv (k, v) VALUES (1, 'x');
EXPLAIN (VERBOSE, COSTS OFF) UPDATE kv SET v = 'x' WHERE k = 1;
EXPLAIN (VERBOSE, COSTS OFF) DELETE FROM kv WHERE k = 1;
INSERT INTO kv SELECT g, 'short-lived' FROM generate_series(900, 920) g;
CREATE FOREIGN TABLE kv_ttl (k int, left_s int OPTIONS (function 'ttl(v)')) SERVER writes_server OPTIONS ("table" 'kv');
SELECT count(*) FROM kv_ttl WHERE k BETWEEN 900 AND 920 AND left_s BETWEEN 1 AND 1000;
SELECT tag('UPDATE kv SET v = ''changed'' WHERE k IN (900, 999)'), tag('DELETE FROM kv WHERE k IN (900, 901)');
SELECT count(*) FROM kv WHERE k BETWEEN 900 AND 920;
ALTER FOREIGN TABLE kv OPTIONS (DROP ttl, DROP if_exists, DROP write_rate, DROP max_in_flight);

---- TRUNCATE

TRUNCATE kv, wide;
SELECT count(*) FROM kv;
SELECT count(*) FROM wide;

CALL end_topic('writes');
