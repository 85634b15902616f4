"""ScyllaDB's CQL made into Cassandra's: tables that Cassandra lacks are found in the front's own
keyspace, BYPASS CACHE and USING TIMEOUT are taken out."""

import re

KEYSPACE = "scylla_front"
TABLES = {"system.tablets": "tablets", "system.large_partitions": "large_partitions", "system_schema.scylla_keyspaces": "scylla_keyspaces",
          "system_schema.scylla_tables": "scylla_tables"}

QUOTED = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$)""", re.DOTALL)
VALUE = r"(?:\?|:\w+|[0-9][0-9a-zµ]*)"
BYPASS = re.compile(r"\s+BYPASS\s+CACHE\b", re.IGNORECASE)
TIMEOUTS = [re.compile(pattern % VALUE, re.IGNORECASE) for pattern in (
    r"\s+USING\s+TIMEOUT\s+(%s)(?!\s+AND\s+(?:TTL|TIMESTAMP)\b)", r"\s+AND\s+TIMEOUT\s+(%s)",
    r"\bTIMEOUT\s+(%s)\s+AND\s+(?=(?:TTL|TIMESTAMP)\b)")]
CONDITION = re.compile(r"\bIF\b(?!\s+(?:NOT\s+)?EXISTS\s+\w+\s*[.(;])", re.IGNORECASE)


class Text:
    """A statement: as Cassandra takes it, and what was taken out."""

    def __init__(self, text):
        self.original = text
        self.is_bypassing = False
        self.timeout = None        # as written
        self.timeout_marker = None  # which of the bind markers it was
        parts = QUOTED.split(text)  # odd ones are quoted
        markers = 0
        for at in range(0, len(parts), 2):
            parts[at] = self.strip(parts[at], markers)
            markers += parts[at].count("?")
        self.text = "".join(parts)
        self.taken_out = b"B" * self.is_bypassing + (self.timeout or "").encode()
        bare = "".join(parts[::2])
        self.is_conditional = (re.match(r"\s*(INSERT|UPDATE|DELETE)\b", bare, re.IGNORECASE) is not None
                               and CONDITION.search(bare) is not None)

    def strip(self, part, markers):
        part, count = BYPASS.subn("", part)
        self.is_bypassing |= count > 0
        for pattern in TIMEOUTS:
            match = pattern.search(part)
            if match:
                self.timeout = match[1]
                if match[1] == "?":
                    self.timeout_marker = markers + part[:match.start(1)].count("?")
                part = part[:match.start()] + part[match.end():]
        for name, table in TABLES.items():
            part = re.sub(r"\b%s\b" % re.escape(name), "%s.%s" % (KEYSPACE, table), part, flags=re.IGNORECASE)
        return part
