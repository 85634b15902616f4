"""CQL types as the tests of types see them: values, and how SQL, JSON and the driver spell them.

A value has one form here, exact and comparable with "same": str, int, bool, bytes, uuid.UUID;
Decimal (its scale counts); float (its bits count); an ipaddress for inet; milliseconds, days and
nanoseconds for timestamp, date and time; (months, days, nanoseconds) for duration; a list for list,
set and vector; a list of pairs for map; a tuple, with None in it, for tuple and UDT.

Text forms are written and read here by this file's own rules, not by the code under test.
"""

import ipaddress
import json
import math
import re
import struct
import sys
import uuid
from decimal import Context, Decimal

from cassandra.util import Date, Duration, Time

sys.set_int_max_str_digits(0)
EXACT = Context(prec=1000000, Emax=999999999, Emin=-999999999)
MS_PER_DAY = 86400000
NS_PER_DAY = 86400 * 10**9


# ---- the calendar ----

def days_from_civil(year, month, day):
    """Days from 1970 of a date of the proleptic Gregorian calendar; the year 0 is 1 BC."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def civil_from_days(days):
    era, of_era = divmod(days + 719468, 146097)
    year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153
    day = of_year - (153 * month + 2) // 5 + 1
    month += 3 if month < 10 else -9
    return year + era * 400 + (month <= 2), month, day


def print_date(days):
    year, month, day = civil_from_days(days)
    return "%04d-%02d-%02d" % (year if year > 0 else 1 - year, month, day), " BC" if year <= 0 else ""


def print_timestamp(ms):
    days, ms = divmod(ms, MS_PER_DAY)
    date, era = print_date(days)
    return "%s %02d:%02d:%02d.%03d+00%s" % (date, ms // 3600000, ms // 60000 % 60, ms // 1000 % 60, ms % 1000, era)


def parse_date(text):
    match = re.fullmatch(r"(\d+)-(\d\d)-(\d\d)( BC)?", text)
    return days_from_civil(1 - int(match[1]) if match[4] else int(match[1]), int(match[2]), int(match[3]))


def parse_time(text):
    match = re.fullmatch(r"(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?", text)
    return (int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])) * 10**9 + int((match[4] or "").ljust(9, "0"))


def print_time(ns):
    return "%02d:%02d:%02d.%09d" % (ns // (3600 * 10**9), ns // (60 * 10**9) % 60, ns // 10**9 % 60, ns % 10**9)


def parse_timestamp(text):
    match = re.fullmatch(r"(\d+-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)(?:\+00|Z)( BC)?", text)
    ns = parse_time(match[2])
    assert ns % 10**6 == 0, text
    return parse_date(match[1] + (match[3] or "")) * MS_PER_DAY + ns // 10**6


def print_interval(value):
    months, days, ns = value
    sign = "-" if ns < 0 else "+"
    us = abs(ns) // 1000
    return "%d mons %d days %s%d:%02d:%02d.%06d" % (
        months, days, sign, us // (3600 * 10**6), us // (60 * 10**6) % 60, us // 10**6 % 60, us % 10**6)


def parse_interval(text):
    """As IntervalStyle iso_8601 prints it."""
    match = re.fullmatch(r"P(?:(-?\d+)Y)?(?:(-?\d+)M)?(?:(-?\d+)D)?"
                         r"(?:T(?:(-?\d+)H)?(?:(-?\d+)M)?(?:(-?[\d.]+)S)?)?", text)
    years, months, days, hours, minutes = (int(part or 0) for part in match.groups()[:5])
    seconds = Decimal(match[6] or 0)
    return years * 12 + months, days, (hours * 3600 + minutes * 60) * 10**9 + int(seconds * 10**9)


DURATION_UNITS = {"y": (12, 0, 0), "mo": (1, 0, 0), "w": (0, 7, 0), "d": (0, 1, 0), "h": (0, 0, 3600 * 10**9),
                  "m": (0, 0, 60 * 10**9), "s": (0, 0, 10**9), "ms": (0, 0, 10**6), "us": (0, 0, 1000), "ns": (0, 0, 1)}


def print_duration(value):
    """CQL's own notation."""
    months, days, ns = (abs(part) for part in value)
    text = "%dmo%dd%dns" % (months, days, ns)
    return "-" + text if min(value) < 0 else text


def parse_duration(text):
    sign = -1 if text.startswith("-") else 1
    parts = re.findall(r"(\d+)(y|mo|w|d|h|ms|us|µs|ns|m|s)", text)
    assert "".join(number + unit for number, unit in parts) == text.lstrip("-"), text
    sums = [0, 0, 0]
    for number, unit in parts:
        for i, factor in enumerate(DURATION_UNITS[unit.replace("µ", "u")]):
            sums[i] += sign * int(number) * factor
    return tuple(sums)


# ---- scalars ----

class Scalar:
    """A scalar type: how SQL declares it, its limits and odd values, and its forms."""

    is_hashable_key = True  # may stand in a set or as a map's key

    def __init__(self, name, sql, edges, draw):
        self.name = name
        self.cql = name
        self.sql = sql
        self.edges = edges
        self.draw = draw  # draw(rng): some value that both sides have

    def __repr__(self):
        return self.cql

    def same(self, left, right):
        return left == right

    def sort_key(self, value):
        """Equal for what CQL takes for equal in a set."""
        return repr(value)

    def to_driver(self, value):
        return value

    def from_driver(self, value):
        return value

    def to_sql(self, value):
        """The value as SQL reads it as text."""
        return str(value)

    def from_sql(self, text):
        """The value from what SQL prints."""
        return int(text)

    def to_json(self, value):
        """The value as JSON text, by CQL's rules."""
        return json.dumps(self.to_sql(value))

    def from_json(self, parsed):
        return self.from_sql(parsed)


class Text(Scalar):
    def from_sql(self, text):
        return text


class Integer(Scalar):
    def to_json(self, value):
        return str(value)

    def from_json(self, parsed):
        assert type(parsed) is int
        return parsed


class DecimalNumber(Scalar):
    def same(self, left, right):
        """numeric has no negative scale: such numbers come back with the scale 0."""
        scale = max(0, -left.as_tuple().exponent)
        return left.compare(right, EXACT) == 0 and max(0, -right.as_tuple().exponent) == scale

    def sort_key(self, value):
        return str(value.normalize(EXACT)) if value else "0"

    def to_sql(self, value):
        return str(value)

    def from_sql(self, text):
        return Decimal(text)

    def to_json(self, value):
        return str(value)

    def from_json(self, parsed):
        return Decimal(parsed)


class Float(Scalar):
    def bits(self, value):
        return struct.pack(">f" if self.name == "float" else ">d", value)

    def same(self, left, right):
        return math.isnan(left) and math.isnan(right) or self.bits(left) == self.bits(right)

    def to_sql(self, value):
        return repr(value)

    def from_sql(self, text):
        return struct.unpack(">f", struct.pack(">f", float(text)))[0] if self.name == "float" else float(text)

    def to_json(self, value):
        if math.isfinite(value):
            return repr(value)
        return '"%s"' % ("NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity")

    def from_json(self, parsed):
        return self.from_sql(parsed if isinstance(parsed, str) else str(parsed))


class Boolean(Scalar):
    def to_sql(self, value):
        return "true" if value else "false"

    def from_sql(self, text):
        return {"true": True, "t": True, "false": False, "f": False}[text]

    def to_json(self, value):
        return self.to_sql(value)

    def from_json(self, parsed):
        assert type(parsed) is bool
        return parsed


class Blob(Scalar):
    def to_sql(self, value):
        return "\\x" + value.hex()

    def from_sql(self, text):
        assert text.startswith("\\x")
        return bytes.fromhex(text[2:])

    def to_json(self, value):
        return '"0x%s"' % value.hex()

    def from_json(self, parsed):
        assert parsed.startswith("0x")
        return bytes.fromhex(parsed[2:])


class Uuid(Scalar):
    def from_sql(self, text):
        return uuid.UUID(text)


class Inet(Scalar):
    def to_driver(self, value):
        return str(value)

    def from_driver(self, value):
        return ipaddress.ip_address(value)

    def from_sql(self, text):
        """A cast to text shows the mask of a single address too."""
        interface = ipaddress.ip_interface(text)
        assert interface.network.prefixlen == interface.max_prefixlen, text
        return interface.ip


class Timestamp(Scalar):
    def to_sql(self, value):
        return print_timestamp(value)

    def from_sql(self, text):
        return parse_timestamp(text)

    def to_json(self, value):
        return json.dumps(print_timestamp(value).replace("+00", "Z"))


class DateDays(Scalar):
    def to_driver(self, value):
        return Date(value)

    def from_driver(self, value):
        return value.days_from_epoch

    def to_sql(self, value):
        return "".join(print_date(value))

    def from_sql(self, text):
        return parse_date(text)


class TimeOfDay(Scalar):
    def to_driver(self, value):
        return Time(value)

    def from_driver(self, value):
        return value.nanosecond_time

    def to_sql(self, value):
        return print_time(value)

    def from_sql(self, text):
        return parse_time(text)


class DurationParts(Scalar):
    is_hashable_key = False

    def to_driver(self, value):
        return Duration(*value)

    def from_driver(self, value):
        return value.months, value.days, value.nanoseconds

    def to_sql(self, value):
        return print_interval(value)

    def from_sql(self, text):
        return parse_interval(text)

    def to_json(self, value):
        return json.dumps(print_duration(value))

    def from_json(self, parsed):
        return parse_duration(parsed)


def draw_integer(bits):
    """Of every magnitude, not just near the limits."""
    return lambda rng: rng.choice((1, -1)) * rng.getrandbits(rng.randint(0, bits - 1)) - rng.randint(0, 1)


def draw_text(limit):
    def draw(rng):
        parts = []
        for _ in range(rng.randint(0, 12)):
            code = rng.randint(1, min(limit, rng.choice((0x7f, 0xff, 0x7ff, 0xffff, 0x10ffff))))
            parts.append(chr(code) if not 0xd800 <= code <= 0xdfff else "?")
        return "".join(parts)
    return draw


def draw_decimal(rng):
    return Decimal(draw_integer(160)(rng)).scaleb(-rng.choice((0, 1, 2, 5, 20, 40)), EXACT)


def draw_float(form):
    def draw(rng):
        value = struct.unpack(form, rng.randbytes(struct.calcsize(form)))[0]
        return value if math.isfinite(value) else rng.choice((0.0, 1.5, -0.25, 1e6))
    return draw


def draw_uuid(version):
    return lambda rng: uuid.UUID(int=rng.getrandbits(128) & ~(0xf << 76) | version << 76)


def draw_inet(rng):
    return ipaddress.ip_address(rng.randbytes(rng.choice((4, 16))))


def draw_duration(rng):
    sign = rng.choice((1, -1))
    return tuple(sign * rng.getrandbits(rng.randint(0, bits)) * unit for bits, unit in ((31, 1), (31, 1), (52, 1000)))


def single(value):
    return struct.unpack(">f", struct.pack(">f", value))[0]


LONG_TEXT = "häß€😀" * 8000
FIRST_MS = days_from_civil(-4713, 11, 24) * MS_PER_DAY  # what PostgreSQL's timestamp and date begin with
LAST_MS = days_from_civil(294277, 1, 1) * MS_PER_DAY - 1
FIRST_DAY = days_from_civil(-4713, 11, 24)
LAST_DAY = days_from_civil(5874897, 12, 31)
POWERS = [sign * 2**n + more for n in (7, 8, 15, 16, 31, 63, 64, 127, 4096) for sign in (1, -1) for more in (-1, 0, 1)]
TENS = [sign * 10**n + more for n in (1, 3, 4, 5, 8, 100, 999) for sign in (1, -1) for more in (-1, 0, 1)]


def integer_edges(bits):
    return [-2**(bits - 1), -2**(bits - 1) + 1, -1, 0, 1, 2**(bits - 1) - 1]


def floats(tiny, least, greatest, more):
    return [sign * value for sign in (1.0, -1.0) for value in [0.0, 1.0, tiny, least, greatest, math.inf] + more] + [math.nan]


SCALARS = {scalar.name: scalar for scalar in [
    Text("ascii", "text", ["", "a", "".join(map(chr, range(1, 128))), "'\"\\{},()", "NULL", "x" * 65000],
         draw_text(0x7f)),
    Text("text", "text", ["", " ", "a", "\x01\x7f\x80\ud7ff\ue000\uffff\U0010ffff", "'\"\\{},()", "NULL", LONG_TEXT],
         draw_text(0x10ffff)),
    Integer("tinyint", "smallint", integer_edges(8), draw_integer(8)),
    Integer("smallint", "smallint", integer_edges(16), draw_integer(16)),
    Integer("int", "integer", integer_edges(32), draw_integer(32)),
    Integer("bigint", "bigint", integer_edges(64), draw_integer(64)),
    Integer("varint", "numeric", [0, 1, -1] + POWERS + TENS, draw_integer(400)),
    DecimalNumber("decimal", "numeric", [Decimal(text) for text in (
        "0", "0.00", "1", "1.0", "-1.50", "0.00010000", "9999.9999", "-0.0001", "1E-16383", "-12.345E-9000", "1E+3",
        "-12E+5", "1E+131071", "1E+400", "9" * 500 + "." + "9" * 500, "-" + "1234567890" * 100, "0." + "0" * 999 + "1",
        "0E-16383", "0E+30")], draw_decimal),
    Float("float", "real", floats(2.0**-149, 2.0**-126, (2 - 2.0**-23) * 2.0**127,
                                  [single(0.1), single(1 / 3), 16777217.0 - 1, single(1e-10)]), draw_float(">f")),
    Float("double", "double precision", floats(5e-324, sys.float_info.min, sys.float_info.max,
                                               [0.1, 1 / 3, 2.0**53 + 2, 1e23, 123456789012345680.0]),
          draw_float(">d")),
    Boolean("boolean", "boolean", [True, False], lambda rng: rng.random() < 0.5),
    Blob("blob", "bytea", [b"", b"\0", bytes(range(256)), b"\xff" * 100000], lambda rng: rng.randbytes(rng.randint(0, 20))),
    Uuid("uuid", "uuid", [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)] + [
        uuid.UUID("12345678-9abc-%sdef-8123-456789abcdef" % version) for version in "1457"], draw_uuid(4)),
    Uuid("timeuuid", "uuid", [uuid.UUID(text) for text in (
        "00000000-0000-1000-8080-808080808080", "ffffffff-ffff-1fff-7f7f-7f7f7f7f7f7f",
        "50554d6e-29bb-11e5-b345-feff819cdc9f")], draw_uuid(1)),
    Inet("inet", "inet", [ipaddress.ip_address(text) for text in (
        "0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "fe80::1",
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:1:0:0:0:1")], draw_inet),
    Timestamp("timestamp", "timestamp(3) with time zone",
              [FIRST_MS, FIRST_MS + 1, -62135596800001, -62135596800000, -12219292800001, -2208988800001, -1001, -1000,
               -999, -1, 0, 1, 999, 1000, 946684799999, 946684800000, 2**31 * 1000, 253402300799999, 253402300800000,
               LAST_MS],
              lambda rng: rng.randint(-62135596800000, 253402300799999)),
    DateDays("date", "date", [FIRST_DAY, FIRST_DAY + 1, -719529, -719528, -719162, -141427, -1, 0, 1, 10956, 10957,
                              19782, 2932896, 2932897, LAST_DAY], lambda rng: rng.randint(-719162, 2932896)),
    TimeOfDay("time", "time without time zone", [0, 1000, 999999000, 10**9, NS_PER_DAY // 2, NS_PER_DAY - 1000],
              lambda rng: rng.randrange(NS_PER_DAY // 1000) * 1000),
    DurationParts("duration", "interval", [(0, 0, 0)] + [
        tuple(sign * part for part in parts) for sign in (1, -1) for parts in (
            (1, 0, 0), (0, 1, 0), (0, 0, 1000), (14, 3, 5 * 10**9 + 7000), (2**31 - 1, 2**31 - 1, 0),
            (0, 0, (2**63 - 1) // 1000 * 1000), (0, 40, 100 * 3600 * 10**9))], draw_duration),
]}


# ---- what is made of other types ----

class Nested:
    """Base of collections, tuples, UDTs and vectors."""

    is_hashable_key = True

    def __init__(self, elements):
        self.elements = elements
        self.is_hashable_key = all(element.is_hashable_key for element in elements)

    def __repr__(self):
        return self.cql

    @property
    def frozen(self):
        """As it stands inside of another type."""
        return "frozen<%s>" % self.cql


def inner(element):
    return element.frozen if isinstance(element, Nested) else element.cql


class Sequence(Nested):
    """list, set, vector."""

    def __init__(self, kind, element, dimension=0):
        Nested.__init__(self, [element])
        self.kind = kind
        self.element = element
        self.dimension = dimension
        self.cql = "%s<%s%s>" % (kind, inner(element), ", %d" % dimension if kind == "vector" else "")

    @property
    def frozen(self):
        return self.cql if self.kind == "vector" else "frozen<%s>" % self.cql

    def draw(self, rng):
        count = self.dimension or rng.randint(0, 4)
        values = [self.element.draw(rng) for _ in range(count)]
        if self.kind == "set":
            values = list({self.element.sort_key(value): value for value in values}.values())
        return values

    def sort_key(self, value):
        keys = [self.element.sort_key(item) for item in value]
        return repr(sorted(keys) if self.kind == "set" else keys)

    def same(self, left, right):
        if self.kind == "set":
            left, right = (sorted(side, key=self.element.sort_key) for side in (left, right))
        return len(left) == len(right) and all(map(self.element.same, left, right))

    def to_driver(self, value):
        return [self.element.to_driver(item) for item in value]

    def from_driver(self, value):
        return [self.element.from_driver(item) for item in value]

    def to_json(self, value):
        return "[%s]" % ", ".join(self.element.to_json(item) for item in value)

    def from_json(self, parsed):
        assert type(parsed) is list
        return [self.element.from_json(item) for item in parsed]


class Pairs(list):
    """What the driver binds to a map, whatever the keys: it asks for no more than items()."""

    def items(self):
        return iter(self)


class Map(Nested):
    def __init__(self, key, element):
        Nested.__init__(self, [key, element])
        self.key = key
        self.element = element
        self.cql = "map<%s, %s>" % (inner(key), inner(element))

    def draw(self, rng):
        pairs = [(self.key.draw(rng), self.element.draw(rng)) for _ in range(rng.randint(0, 4))]
        return list({self.key.sort_key(pair[0]): pair for pair in pairs}.values())

    def sort_key(self, value):
        return repr(sorted((self.key.sort_key(key), self.element.sort_key(item)) for key, item in value))

    def same(self, left, right):
        left, right = (sorted(side, key=lambda pair: self.key.sort_key(pair[0])) for side in (left, right))
        return len(left) == len(right) and all(self.key.same(a[0], b[0]) and self.element.same(a[1], b[1])
                                               for a, b in zip(left, right))

    def to_driver(self, value):
        return Pairs((self.key.to_driver(key), self.element.to_driver(item)) for key, item in value)

    def from_driver(self, value):
        """items() of the driver's map looks each key up again, and does not find all kinds of them."""
        return [(self.key.from_driver(key), self.element.from_driver(item)) for key, item in value._items]

    def to_json(self, value):
        return "{%s}" % ", ".join("%s: %s" % (self.key_to_json(key), self.element.to_json(item)) for key, item in value)

    def key_to_json(self, key):
        """A key is a string: what is none becomes the string of its JSON."""
        text = self.key.to_json(key)
        return text if text.startswith('"') else json.dumps(text)

    def from_json(self, parsed):
        assert type(parsed) is dict
        return [(self.key_from_json(key), self.element.from_json(item)) for key, item in parsed.items()]

    def key_from_json(self, text):
        is_string = isinstance(self.key, Scalar) and (
            not isinstance(self.key, (Integer, DecimalNumber, Boolean, Float)) or text.lstrip("-") in ("NaN", "Infinity"))
        return self.key.from_json(text if is_string else parse_json(text))


class Fields(Nested):
    """tuple (without a name) and UDT."""

    def __init__(self, elements, name=None):
        Nested.__init__(self, elements)
        self.names = ["f%d" % i if i % 3 else "F %d" % i for i in range(len(elements))] if name else None
        self.cql = name or "tuple<%s>" % ", ".join(map(inner, elements))

    @property
    def definition(self):
        return ", ".join('"%s" %s' % (name, inner(element)) for name, element in zip(self.names, self.elements))

    def draw(self, rng):
        values = tuple(element.draw(rng) if rng.random() < 0.85 else None for element in self.elements)
        return values if any(value is not None for value in values) else (self.elements[0].draw(rng),) + values[1:]

    def sort_key(self, value):
        return repr([item if item is None else element.sort_key(item) for element, item in zip(self.elements, value)])

    def same(self, left, right):
        return len(left) == len(right) and all(
            a is b if a is None or b is None else element.same(a, b)
            for element, a, b in zip(self.elements, left, right))

    def each(self, method, value):
        return tuple(item if item is None else getattr(element, method)(item)
                     for element, item in zip(self.elements, value))

    def to_driver(self, value):
        return self.each("to_driver", value)

    def from_driver(self, value):
        return self.each("from_driver", value)

    def to_json(self, value):
        items = ["null" if item is None else item for item in self.each("to_json", value)]
        if self.names:
            return "{%s}" % ", ".join("%s: %s" % (json.dumps(name), item) for name, item in zip(self.names, items))
        return "[%s]" % ", ".join(items)

    def from_json(self, parsed):
        if self.names:
            parsed = {name.strip('"'): item for name, item in parsed.items()}  # CQL quotes them, we do not
            assert sorted(parsed) == sorted(self.names)
            parsed = [parsed[name] for name in self.names]
        assert len(parsed) == len(self.elements)
        return self.each("from_json", parsed)


def parse_json(text):
    return json.loads(text, parse_float=Decimal)


class Udts(list):
    """The UDTs of some types, in the order in which they can be made; names begin with the prefix."""

    def __init__(self, prefix):
        list.__init__(self)
        self.prefix = prefix


def draw_type(rng, depth, udts):
    """A random type nested at most so deep; the UDTs that it needs are added to udts."""
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(list(SCALARS.values()))
    kind = rng.choice(("list", "set", "map", "tuple", "udt", "vector"))
    element = draw_type(rng, depth - 1, udts)
    if kind == "map":
        return Map(draw_key_type(rng, depth - 1, udts), element)
    if kind == "set":
        return Sequence("set", draw_key_type(rng, depth - 1, udts))
    if kind == "vector":
        return Sequence("vector", element, rng.randint(1, 4))
    if kind == "list":
        return Sequence("list", element)
    elements = [element] + [draw_type(rng, depth - 1, udts) for _ in range(rng.randint(0, 3))]
    if kind == "tuple":
        return Fields(elements)
    udt = Fields(elements, "%s_udt_%d" % (udts.prefix, len(udts)))
    udts.append(udt)
    return udt


def draw_key_type(rng, depth, udts):
    while True:
        count = len(udts)
        drawn = draw_type(rng, depth, udts)
        if drawn.is_hashable_key:
            return drawn
        del udts[count:]


# ---- how a column of SQL shows a value ----

class Shape:
    """The SQL side of a CQL type as it was declared: 'scalar', 'json', or ('array', shape), or
    ('record', shapes). print() and parse() go between a value and PostgreSQL's text of it."""

    def __init__(self, kind, parts=()):
        self.kind = kind
        self.parts = parts

    def print(self, cql, value):
        if self.kind == "json":
            return cql.to_json(value)
        if self.kind == "array":
            return "{%s}" % ",".join(quote(self.parts[0].print(cql.element, item)) for item in value)
        if self.kind == "record":
            return "(%s)" % ",".join("" if item is None else quote(part.print(element, item))
                                     for part, element, item in zip(self.parts, cql.elements, value))
        return cql.to_sql(value)

    def parse(self, cql, text):
        if self.kind == "json":
            return cql.from_json(parse_json(text))
        if self.kind == "array":
            return [self.parts[0].parse(cql.element, item) for item in split(text, "{}", True)]
        if self.kind == "record":
            return tuple(None if item is None else part.parse(element, item)
                         for part, element, item in zip(self.parts, cql.elements, split(text, "()", False)))
        return cql.from_sql(text)


def quote(text):
    return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"')


def split(text, brackets, is_array):
    """Elements of an array's or a record's text; None for NULL."""
    assert text[0] == brackets[0] and text[-1] == brackets[1], text
    if is_array and text == "{}":
        return []
    items, item, is_quoted, at = [], [], False, 1
    while True:
        char = text[at]
        if char in "," + brackets[1]:
            word = "".join(item)
            is_null = not is_quoted and (word == "NULL" if is_array else word == "")
            items.append(None if is_null else word)
            item, is_quoted = [], False
            if char == brackets[1]:
                assert at == len(text) - 1, text
                return items
        elif char == '"':
            is_quoted = True
            at += 1
            while text[at] != '"' or (not is_array and text[at + 1] == '"'):
                if text[at] == "\\" or text[at] == '"':
                    at += 1
                item.append(text[at])
                at += 1
        else:
            item.append(char)
        at += 1
