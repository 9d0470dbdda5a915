"""Allocates under tracemalloc and writes, into a folder, two snapshots and tracemalloc's own answers about them.

usage: tracemalloc_answers.py FOLDER FRAMES          (CPython 3.6 to 3.14)

Question N is four files: N.args (options of snap-top and snap-diff, one a line), N.top and N.diff (the strings
that tracemalloc prints), N.top.tsv and N.diff.tsv (its numbers, as the tools' TSV has them).
"""
import ctypes
import os
import sys
import tracemalloc
from tracemalloc import DomainFilter, Filter

# File names are what compile() is told: order of code points, patterns and escapes are tried with them.
FILES = ["pkg/alpha.py", "pkg/beta.py", "pkg/alpha/inner.py", "Zeta.py", "\u00e9t\u00e9.py", "\uffee.py", "\U0001f600.py",
         "cache/module.cpython-311.pyc", "a[1].py", "<string>", "with space.py", "back\\slash.py", "x.pyc", "x.py"]

SOURCE = """
def many(n, size):
    return [bytearray(size) for _ in range(n)]

def recurse(n, size):
    if n == 0:
        return [bytearray(size)]
    return [recurse(n - 1, size)]

make = lambda size: bytearray(size)

def mixed(n):
    return [bytearray(16 * i) for i in range(n)]

def through(f, *args):
    return [f(*args)]

def table(n):
    return {i: str(i) * 3 for i in range(n)}
"""


def load_parts():
    parts = []
    for i, name in enumerate(FILES):
        part = {}
        # Lines 2 to 120: as numbers their order is not that of their text.
        exec(compile("\n" * (i % 3 * 45) + SOURCE, name, "exec"), part)
        parts.append(part)
    return parts


def track(domain, pointer, size):
    name = "PyTraceMalloc_Track" if sys.version_info >= (3, 7) else "_PyTraceMalloc_Track"
    function = getattr(ctypes.pythonapi, name)
    function.argtypes = (ctypes.c_uint, ctypes.c_size_t, ctypes.c_size_t)
    if function(domain, pointer, size) != 0:
        raise MemoryError


def first_phase(parts, kept):
    for i, part in enumerate(parts):
        kept["tie", i] = part["many"](3, 1000)  # equal sums in every file
        kept["recurse", i] = part["recurse"](i * 4, 100 + i)
        kept["lambda", i] = [part["make"](50 * j) for j in range(5)]
        kept["mixed", i] = part["mixed"](20)
        kept["table", i] = part["table"](30)
    kept["gone"] = parts[1]["many"](7, 4096)
    kept["edge"] = [bytearray(n) for n in (10183, 10184, 102343, 102344, 1 << 20, 10 << 20)]
    for n, outer in enumerate(parts):
        inner = parts[(n + 1) % len(parts)]
        kept["through", n] = outer["through"](inner["through"], inner["through"], outer["many"], 2, 64)
    for n in range(6):
        track(1, 0x1000 + n * 64, 64)
        track(7, 0x1000 + n * 64, 32 * n)
    track(4294967295, 0x1000, 3 << 30)
    track(7, 0x9000, 5 << 40)
    track(1, 0xa000, 0)


def second_phase(parts, kept):
    del kept["gone"], kept["mixed", 3]
    for i, part in enumerate(parts):
        if i % 3 == 0:
            kept["grown", i] = part["many"](2, 1000)
        elif i % 3 == 1:
            del kept["tie", i][:2]  # as much less as others are more
    kept["new"] = parts[2]["through"](parts[4]["recurse"], 9, 777)
    kept["table", 5] = parts[5]["table"](300)
    for n in range(3):
        track(9, 0x2000 + n * 64, 128)
    track(7, 0x9000, 1 << 40)


def filters():
    """Lists of filters, with the options that say the same."""
    yield []
    yield [Filter(True, "pkg/*")]
    yield [Filter(False, "*alpha*")]
    yield [Filter(True, "pkg/*"), Filter(True, "Zeta.py"), Filter(False, "*/inner.py")]
    yield [Filter(True, "pkg/alpha.py", lineno=3)]
    yield [Filter(False, "*", lineno=3)]
    yield [Filter(True, "pkg/beta.py", all_frames=True)]
    yield [Filter(False, "pkg/beta.py", all_frames=True)]
    yield [Filter(True, "*alpha*", lineno=8, all_frames=True)]
    yield [Filter(False, "*a*", lineno=8, all_frames=True), Filter(True, "*.py", all_frames=True)]
    yield [Filter(True, "*", domain=7)]
    yield [Filter(False, "*", domain=0)]
    yield [Filter(False, "*alpha*", domain=0), Filter(False, "*", domain=7)]
    yield [DomainFilter(True, 1)]
    yield [DomainFilter(False, 0)]
    yield [DomainFilter(True, 7), Filter(True, "pkg/*"), DomainFilter(False, 4294967295)]
    yield [Filter(True, "?eta.p[!a-x]")]
    yield [Filter(True, "a[[]1].py"), Filter(True, "a[1].py")]
    yield [Filter(True, "x.pyc")]
    yield [Filter(True, "x.py"), Filter(True, "cache/*.py")]
    yield [Filter(True, "\u00e9t?.py"), Filter(True, "?.py")]
    yield [Filter(True, "back\\slash.p*"), Filter(True, "[abc")]
    yield [Filter(True, "no such file")]


def option(f):
    """One filter as an option of snap-top and snap-diff; --all-frames is one for all of them."""
    name = "--include=" if f.inclusive else "--exclude="
    if isinstance(f, DomainFilter):
        return name + "domain:%d" % f.domain
    domain = "" if f.domain is None else "domain:%d:" % f.domain
    line = "" if f.lineno is None else ":%d" % f.lineno
    return name + domain + "file:" + f.filename_pattern + line


def options(key, cumulative, chosen):
    yield "--key=" + key
    if cumulative:
        yield "--cumulative"
    if any(getattr(f, "all_frames", False) for f in chosen):
        yield "--all-frames"
    for f in chosen:
        yield option(f)


KEYS = [("lineno", False), ("filename", False), ("traceback", False), ("lineno", True), ("filename", True)]


def questions():
    for i, chosen in enumerate(filters()):
        keys = KEYS if i == 0 else [KEYS[i % 5], KEYS[(i + 2) % 5]]
        for key, cumulative in keys:
            yield key, cumulative, chosen


class Traceback36(tracemalloc.Traceback):
    """3.6 keeps the most recent frame first; since 3.7 the oldest is, and decides ties and what is printed."""

    __slots__ = ()

    def __init__(self, frames):
        super().__init__(tuple(reversed(frames)))


def write(path, lines):
    with open(path, "wb") as out:
        for line in lines:
            out.write(line.encode("utf-8", "surrogatepass") + b"\n")


def key_columns(key, stat):
    frames = [(f.filename.replace("\\", "\\\\"), f.lineno) for f in stat.traceback]
    if key == "lineno":
        return "%s\t%d" % frames[0]
    if key == "filename":
        return frames[0][0]
    return ";".join("%s:%d" % f for f in frames)


KEY_NAMES = {"lineno": "file\tline", "filename": "file", "traceback": "traceback"}


def top_lines(key, stats):
    yield "bytes\tcount\taverage\t" + KEY_NAMES[key]
    for s in stats:
        average = (2 * s.size + s.count) // (2 * s.count)
        yield "%d\t%d\t%d\t%s" % (s.size, s.count, average, key_columns(key, s))


def diff_lines(key, stats):
    yield "bytes_diff\tcount_diff\tbytes\tcount\tstatus\t" + KEY_NAMES[key]
    for s in stats:
        status = "changed" if s.size_diff or s.count_diff else "same"
        if s.count == 0:
            status = "gone"
        elif s.count == s.count_diff:
            status = "new"
        yield "%d\t%d\t%d\t%d\t%s\t%s" % (s.size_diff, s.count_diff, s.size, s.count, status, key_columns(key, s))


def main(folder, frames):
    if sys.version_info < (3, 7):
        tracemalloc.Traceback = Traceback36
    kept = {}
    parts = load_parts()
    tracemalloc.start(frames)
    first_phase(parts, kept)
    old = tracemalloc.take_snapshot()
    second_phase(parts, kept)
    new = tracemalloc.take_snapshot()
    tracemalloc.stop()
    old.dump(os.path.join(folder, "old.pickle"))
    new.dump(os.path.join(folder, "new.pickle"))
    for n, (key, cumulative, chosen) in enumerate(questions()):
        path = os.path.join(folder, "%03d" % n)
        write(path + ".args", options(key, cumulative, chosen))
        selected = new.filter_traces(chosen)
        top = selected.statistics(key, cumulative)
        diff = selected.compare_to(old.filter_traces(chosen), key, cumulative)
        write(path + ".top", map(str, top))
        write(path + ".diff", map(str, diff))
        write(path + ".top.tsv", top_lines(key, top))
        write(path + ".diff.tsv", diff_lines(key, diff))


main(sys.argv[1], int(sys.argv[2]))
