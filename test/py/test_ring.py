"""Tokens, shards, replica sets and tablets, beside those of the independent driver: 10,000 random keys
each, the same ones in every run."""

import os
import random
import subprocess

import pytest
from cassandra.metadata import Murmur3Token, NetworkTopologyStrategy, SimpleStrategy, TokenMap
from cassandra.tablets import Tablet, Tablets

try:
    from cassandra.c_shard_info import ShardingInfo
except ImportError:
    from cassandra.shard_info import ShardingInfo

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROBE = os.path.join(TOP, os.environ.get("BUILD", "build"), "unit", "ring_probe")
COUNT = 10000
RINGS = [  # nodes, tokens of each, racks of each data center, strategy
    (1, 16, [1], SimpleStrategy({"replication_factor": 3})),
    (3, 16, [1], SimpleStrategy({"replication_factor": 2})),
    (7, 32, [2], SimpleStrategy({"replication_factor": 3})),
    (3, 16, [1], NetworkTopologyStrategy({"dc0": "3"})),
    (9, 16, [3], NetworkTopologyStrategy({"dc0": "3"})),
    (8, 16, [2], NetworkTopologyStrategy({"dc0": "3"})),
    (8, 16, [2], NetworkTopologyStrategy({"dc0": "4"})),
    (12, 16, [3, 2], NetworkTopologyStrategy({"dc0": "3", "dc1": "2"})),
    (12, 64, [4, 3], NetworkTopologyStrategy({"dc0": "2", "dc1": "5"})),
    (12, 16, [3, 3], NetworkTopologyStrategy({"dc1": "3"})),
    (5, 1, [5], NetworkTopologyStrategy({"dc0": "9"})),
]


class Host:
    def __init__(self, number, dc, rack):
        self.number = number
        self.datacenter = "dc%d" % dc
        self.rack = "rack%d.%d" % (dc, rack)


def probe(lines):
    run = subprocess.run([PROBE], input="\n".join(lines) + "\n", stdout=subprocess.PIPE, text=True, check=True)
    return run.stdout.splitlines()


def random_token(source):
    return source.randrange(-2 ** 63, 2 ** 63)


def random_key(source):
    return source.randbytes(source.randrange(1, 100))


def test_tokens():
    source = random.Random(1)
    keys = [random_key(source) for _ in range(COUNT)]
    assert probe("key " + key.hex() for key in keys) == [str(Murmur3Token.hash_fn(key)) for key in keys]


@pytest.mark.parametrize("shards, ignore_msb", [(1, 12), (2, 12), (3, 0), (7, 12), (64, 12), (130, 5)])
def test_shards(shards, ignore_msb):
    source = random.Random(shards)
    judge = ShardingInfo(0, shards, "", "", ignore_msb, None, None)
    tokens = [Murmur3Token.hash_fn(random_key(source)) for _ in range(COUNT)] + [-2 ** 63 + 1, -1, 0, 1, 2 ** 63 - 1]
    assert (probe("shard %d %d %d" % (token, shards, ignore_msb) for token in tokens)
            == [str(judge.shard_id_from_token(token)) for token in tokens])


def replica_count(strategy, hosts):
    if isinstance(strategy, SimpleStrategy):
        return min(strategy.replication_factor, len(hosts))
    return sum(min(factor, sum(host.datacenter == dc for host in hosts))
               for dc, factor in strategy.dc_replication_factors.items())


@pytest.mark.parametrize("ring", range(len(RINGS)))
def test_replicas(ring):
    nodes, tokens_of_node, racks, strategy = RINGS[ring]
    source = random.Random(ring)
    hosts, owners, lines = [], {}, []
    for number in range(nodes):
        dc = number % len(racks)
        rack = source.randrange(racks[dc])
        hosts.append(Host(number, dc, rack))
        lines.append("place %d %d %d" % (number, dc, 100 * dc + rack))
        for _ in range(tokens_of_node):
            token = random_token(source)
            owners[Murmur3Token(token)] = hosts[-1]
            lines.append("token %d %d" % (token, number))
    lines.append("ring")
    if isinstance(strategy, SimpleStrategy):
        lines.append("simple %d" % strategy.replication_factor)
    else:
        lines.append("network " + " ".join(str(strategy.dc_replication_factors.get("dc%d" % dc, 0))
                                           for dc in range(len(racks))))
    judge = TokenMap(Murmur3Token, owners, sorted(owners), None)
    judge.tokens_to_hosts_by_ks["ks"] = strategy.make_token_replica_map(owners, judge.ring)
    tokens = [Murmur3Token.hash_fn(random_key(source)) for _ in range(COUNT)] + [token.value for token in owners]
    lines += ["replicas %d" % token for token in tokens]
    found = probe(lines)
    assert found[0] == str(len(owners))
    for token, answer in zip(tokens, found[1:]):
        expected = [host.number for host in judge.get_replicas("ks", Murmur3Token(token))]
        replicas = [int(number) for number in answer.split()]
        # With more replicas than racks that driver may name a node twice, and then misses another.
        assert set(expected) <= set(replicas), token
        assert len(replicas) == len(set(replicas)) == replica_count(strategy, hosts), token
        assert replicas[0] == expected[0] or len(racks) > 1


def test_tablets():
    """A table whose tablets are learnt in any order, are split, merged and moved; nodes that go."""
    source = random.Random(2)
    judge = Tablets({})
    lines, expected = [], []
    for step in range(COUNT):
        pieces = 2 ** source.randrange(1, 12)
        width = 2 ** 64 // pieces
        first = -2 ** 63 + width * source.randrange(pieces)
        last = min(first + width, 2 ** 63 - 1)
        replicas = source.sample(range(12), 3)
        judge.add_tablet("ks", "t", Tablet(first, last, [(node, 0) for node in replicas]))
        lines.append("tablet %d %d %d %d %d" % (first, last, *replicas))
        if step % 1000 == 999:
            gone = source.randrange(12)
            judge.drop_tablets_by_host_id(gone)
            lines.append("drop %d" % gone)
        for token in (random_token(source), first + 1, last):
            tablet = judge.get_tablet_for_key("ks", "t", Murmur3Token(token))
            lines.append("find %d" % token)
            expected.append([node for node, _ in tablet.replicas] if tablet else [])
    assert [[int(node) for node in answer.split()] for answer in probe(lines)] == expected
