-- What topics share; it runs before all of them. A topic that needs the cluster has its tests between
-- CALL begin_topic('TOPIC') and CALL end_topic('TOPIC'). What one topic alone uses stays in it.
\getenv host SCYLLA_TEST_HOST
\getenv port SCYLLA_TEST_PORT
CREATE EXTENSION scylla_fdw;
CREATE TABLE cluster AS SELECT :'host' AS host, :'port' AS port;

-- A server for the keyspace fdw_TOPIC of the cluster, with further options as CREATE SERVER has them.
CREATE PROCEDURE make_server(server text, topic text, options text DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE (SELECT format('CREATE SERVER %I FOREIGN DATA WRAPPER scylla_fdw OPTIONS (%s)', server, concat_ws(', ',
		format('host %L, port %L, keyspace %L', host, port, 'fdw_' || topic),
		$o$read_consistency 'one', write_consistency 'one', request_timeout '1min'$o$, options))
		FROM public.cluster);
END
$$;
-- An empty keyspace fdw_TOPIC (that it has one replica may be warned of), a server TOPIC_server for it, a schema
-- TOPIC_test, first in the search path, and in it cql(), which has the server execute a statement.
CREATE PROCEDURE begin_topic(topic text, options text DEFAULT NULL) LANGUAGE plpgsql
SET client_min_messages = error AS $$
BEGIN
	EXECUTE format('CREATE SCHEMA %I', topic || '_test');
	PERFORM set_config('search_path', topic || '_test, public', false);
	CALL public.make_server(topic || '_server', topic, options);
	EXECUTE format('CREATE FUNCTION cql(statement text) RETURNS void LANGUAGE sql AS %L',
		format('SELECT public.scylla_execute(%L, statement)', topic || '_server'));
	PERFORM cql('DROP KEYSPACE IF EXISTS fdw_' || topic);
	PERFORM cql(format($c$ CREATE KEYSPACE fdw_%s WITH replication =
		{'class': 'NetworkTopologyStrategy', 'replication_factor': 1} $c$, topic));
END
$$;
CREATE PROCEDURE end_topic(topic text) LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
	PERFORM public.scylla_execute(topic || '_server', 'DROP KEYSPACE fdw_' || topic);
	EXECUTE format('DROP SCHEMA %I CASCADE', topic || '_test');
	EXECUTE format('DROP SERVER %I CASCADE', topic || '_server');
END
$$;
-- Wait until views and so many indexes are built: one that is not gives too few rows, and is left out.
CREATE PROCEDURE await_built(server text, keyspace text, views text[], n_indexes int) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..300 LOOP
		EXIT WHEN (SELECT count(*) FROM scylla_query(server,
			'SELECT view_name FROM system.built_views WHERE keyspace_name = ?', keyspace) AS v (name text)
			WHERE name = ANY (views)) = cardinality(views)
			AND (SELECT count(*) FROM scylla_query(server,
			'SELECT index_name FROM system."IndexInfo" WHERE table_name = ?', keyspace) AS x (name text)) = n_indexes;
		PERFORM pg_sleep(0.1);
	END LOOP;
END
$$;

-- How many rows a statement's tag tells.
CREATE FUNCTION tag(statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	rows bigint;
BEGIN
	EXECUTE statement;
	GET DIAGNOSTICS rows = ROW_COUNT;
	RETURN rows;
END
$$;

-- A plan. What an InitPlan gives has another name from PostgreSQL 17 on, and windows have one from 18 on.
CREATE FUNCTION explain(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (VERBOSE, COSTS OFF) %s', query) LOOP
		CONTINUE WHEN line ~ '^ *Window: ';
		line := replace(replace(line, ' (returns $0)', ''), 'Output: $0', 'Output: (InitPlan 1).col1');
		RETURN NEXT replace(line, 'OVER w1', 'OVER (?)');
	END LOOP;
END
$$;
-- What the foreign scans of a plan say, with parameters of the plan's own as $n.
CREATE FUNCTION scans(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF) ' || query LOOP
		line := ltrim(line);
		IF line ~ '^(-> +)?(Async )?Foreign Scan|^(Remote CQL|Access|Bind|Local):|^One-Time Filter: false' THEN
			line := regexp_replace(line, '\$\d+|\(InitPlan \d+\)\.col1', '$n', 'g');
			-- which side of an equality stands first is no matter, and another one from PostgreSQL 17 on
			RETURN NEXT regexp_replace(line, '\((local\.\w+) = (\w+\.\w+)\)', '(\2 = \1)');
		END IF;
	END LOOP;
END
$$;

-- The query of local copies: t_local in the place of t, for each such table of the topic.
CREATE FUNCTION of_copies(query text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT regexp_replace(query, '\m(' || string_agg(regexp_replace(relname, '_local$', ''), '|') || ')\M',
		'\1_local', 'g')
	FROM pg_class WHERE relnamespace = current_schema::regnamespace AND relname ~ '_local$'
$$;
-- Whether a query gives the same of the local copies, in the same order; form makes its rows one text. (The
-- server's empty values are warned of.)
CREATE FUNCTION is_same(query text, form text DEFAULT 'SELECT string_agg(_row::text, '' '') FROM (%s) _row')
RETURNS bool LANGUAGE plpgsql SET client_min_messages = error AS $$
DECLARE
	copy text := of_copies(query);
	remote text;
	local text;
BEGIN
	EXECUTE format(form, query) INTO remote;
	EXECUTE format(form, copy) INTO local;
	IF remote IS DISTINCT FROM local THEN
		PERFORM set_config('client_min_messages', 'warning', true);
		RAISE WARNING E'% gives\n% not\n%', query, remote, local;
	END IF;
	RETURN remote IS NOT DISTINCT FROM local;
END
$$;
-- Rows that only one of two queries gives, as often as it gives them more.
CREATE FUNCTION differences_of(query text, copy text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('(SELECT ''scan '' || _row FROM (%1$s) _row'
		' EXCEPT ALL SELECT ''scan '' || _row FROM (%2$s) _row)'
		' UNION ALL (SELECT ''copy '' || _row FROM (%2$s) _row'
		' EXCEPT ALL SELECT ''copy '' || _row FROM (%1$s) _row)', query, copy);
END
$$;
