"""Option compression: lz4 with the real server, both ways, and nothing of it unasked."""

import pytest

from support import query

TEXTS = ["", "x", "ab" * 300, "repetition " * 20000, "".join(chr(0x20 + i * 7919 % 90) for i in range(50000))]


@pytest.fixture(scope="module")
def table(make_keyspace, driver):
    """A schema with a table of texts, and a server of that name."""
    connection = make_keyspace("py_compression")
    driver.execute("CREATE TABLE py_compression.texts (k int PRIMARY KEY, v text)")
    query(connection, "IMPORT FOREIGN SCHEMA py_compression FROM SERVER py_compression INTO py_compression")
    return connection


@pytest.mark.parametrize("compression", ["lz4", "none"])
def test_texts_come_back(compression, table, driver):
    query(table, "ALTER SERVER py_compression OPTIONS (ADD compression '%s')" % compression)
    for number, text in enumerate(TEXTS):
        query(table, "SELECT scylla_execute('py_compression', 'INSERT INTO py_compression.texts (k, v) VALUES (?, ?)', "
                     "%s, %s::text)", [number, text])
    assert sorted(driver.execute("SELECT k, v FROM py_compression.texts")) == list(enumerate(TEXTS))
    assert query(table, "SELECT k, v FROM py_compression.texts ORDER BY k") == list(enumerate(TEXTS))
    (is_compressed, sent, received), = query(
        table, "SELECT compression, bytes_sent, bytes_received FROM scylla_connections")
    assert is_compressed == (compression == "lz4")
    # what repeats shrinks to nothing, the rest stays
    total = sum(len(text) for text in TEXTS)
    assert (sent < total / 3) == (received < total / 3) == is_compressed
    query(table, "ALTER SERVER py_compression OPTIONS (DROP compression)")
