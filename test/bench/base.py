"""What every part stands on: settings, this folder's programs, and the report of the run."""
import contextlib
import os
import shlex
import shutil
import statistics
import subprocess

from report import Report

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "test", "bench")
ROWS = int(os.environ.get("BENCH_ROWS", 1000000))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", 3))
SOME_ROWS = 100000  # where a part needs a table of some size, but no particular one
RECORDED_KEYS = 256  # point reads in a recording
RECORDED_PAGES = 4
PAGE_ROWS = 5000  # the default of option fetch_size, and BENCH_PAGE_ROWS
KEY_STEP = 2654435761  # BENCH_KEY_STEP
PROGRAMS = ["load", "driver_rows", "driver_wire", "driver_route", "driver_points"]


def command(*words, **more):
    done = subprocess.run(words, cwd=TOP, text=True, capture_output=True, **more)
    if done.returncode != 0:
        raise RuntimeError("%s failed:\n%s" % (" ".join(words), done.stdout + done.stderr))
    return done.stdout


def script(name, *arguments):
    return command(os.path.join(TOP, "test", "scripts", name), *arguments)


def median(figures):
    return statistics.median(figures)


def build():
    """The driver as it is shipped (its own flags), and this folder's programs."""
    flags = shlex.split(os.environ.get("BENCH_CFLAGS", "-O2 -g")) + [
        "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Isrc", "-Itest/bench"]
    command("make", "-s", "-j%d" % os.cpu_count(), "BUILD=.scratch/bench/build", "libcql.a")
    for name in PROGRAMS:
        command("gcc", *flags, "test/bench/%s.c" % name, "test/bench/bench.c",
                ".scratch/bench/build/libcql.a", "-o", path_of(name), "-luv", "-lssl", "-lcrypto", "-llz4")
    command("gcc", *flags, "test/bench/stub.c", "test/bench/stub_cluster.c", "-o", path_of("stub"))


def path_of(name):
    return os.path.join(scratch, "bench", name)


def measure(name, *arguments):
    """Run one of the programs: its figures by name."""
    lines = command(path_of(name), *map(str, arguments)).splitlines()
    return {key: float(value) for key, value in (line.split() for line in lines)}


def measure_best(name, *arguments):
    """The fastest of some rounds: what others do on the machine can only slow a program down."""
    return max((measure(name, *arguments) for _ in range(ROUNDS)), key=lambda figures: figures["rate"])


@contextlib.contextmanager
def peer(*words):
    """A stub, a recorder or a front, as long as its standard input is open: the port that it serves."""
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        ports = process.stdout.readline().split()
        if not ports:
            raise RuntimeError("%s did not start" % words[0])
        yield int(ports[0])
    finally:
        process.stdin.close()
        process.wait()


def stub(recording, pages, *cluster):
    """cluster: nodes, and shards of each."""
    return peer(path_of("stub"), recording, str(pages), *map(str, cluster))


def build_peer():
    """The Rust program, or None where there is no cargo."""
    if shutil.which("cargo") is None:
        return None
    progress("building the peer with cargo")
    command("cargo", "build", "--release", "--quiet", "--manifest-path", path_of_peer("Cargo.toml"),
            env=dict(os.environ, CARGO_TARGET_DIR=path_of("peer")))
    return path_of("peer/release/peer")


def path_of_peer(name):
    """Of a copy of its sources, so that cargo writes its lock beside that."""
    copy = path_of("peer_source")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "peer"), copy)
    return os.path.join(copy, name)


def read(path):
    with open(path) as file:
        return file.read()


def progress(text):
    print("# " + text, flush=True)


scratch = script("scratch", "path").strip()
os.makedirs(path_of(""), exist_ok=True)
report = Report(path_of("results.json"))
note = report.note
