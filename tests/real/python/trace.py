"""snap.start(): where memory was allocated, beside what tracemalloc says of the same blocks."""
import ctypes
import gc
import math
import os
import sys
import threading
import tracemalloc

import snap
from graph import Graph
from tap import caught, check, work


class Stacks:
    """Bytes and counts by place, of a snapshot without a graph."""

    def __init__(self, path):
        self.graph = g = Graph(path)
        self.frames = [(g.text(f), g.text(p), n) for f, p, n in zip(*(g.of("frames", c) for c in ("function", "file", "line")))]
        self.of_stack, self.parents, self.flags = (g.of("stacks", c) for c in ("frame", "parent", "flags"))

    def stack(self, number):
        """(function, file, line) of each frame, the innermost first."""
        found = []
        while number:
            found.append(self.frames[self.of_stack[number - 1] - 1])
            self.truncated = bool(self.flags[number - 1] & 1)
            number = self.parents[number - 1]
        return found

    def blocks(self):
        """(size, count, file, line) of those with a stack."""
        for row in self.graph.rows:
            for function, file, line in self.stack(row.stack)[:1]:
                yield row.size, row.count, file, line


def by_line(blocks, is_wanted):
    """{line of this file: (bytes, count)} of blocks of the sizes that are wanted."""
    lines = {}
    for size, count, file, line in blocks:
        if file == __file__ and is_wanted(size):
            was = lines.get(line, (0, 0))
            lines[line] = (was[0] + size * count, was[1] + count)
    return lines


class Record:
    __slots__ = ("one", "two")

    def __init__(self, n):
        self.one, self.two = bytes(n), [n + 1000] * n


def deep(n, make):
    return deep(n - 1, make) if n else make()


def made(n):
    names = {}
    exec(compile("\n" * n + "def f%d(): return bytes(%d)\nvalue = f%d()" % (n, n + 600, n), "made%d.py" % n, "exec"), names)
    return names["value"]


def workload():
    return [[Record(i) for i in range(40, 400)],
            [str(i) * 20 for i in range(1000, 2000)],
            {i: bytes(i) for i in range(1000, 2000)}]


def in_threads():
    kept = [None] * 4

    def run(i):
        kept[i] = [bytes(700 + i) for n in range(500)]
    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return kept


path = os.path.join(work, "trace.snap")
check(isinstance(caught(snap.start, 0), ValueError), "no frames are no trace")
check(isinstance(caught(snap.start, interval=-1), (ValueError, OverflowError)), "an interval is not negative")
snap.stop()

# ---- the same blocks, by both: all lines of this file ----

gc.collect()
gc.disable()
tracemalloc.start(25)
snap.start()
check(isinstance(caught(snap.start), ValueError), "it is started once")
kept = workload() + in_threads()
for i in range(20):  # blocks that are freed and resized
    kept.append([bytes(n) for n in range(100)])
    kept.append(bytearray(10))
    kept[-1].extend(bytes(10000 * i))
    del kept[7]
snap.dump(path, graph=False)
snap.stop()
theirs = [(t.size, 1, t.traceback[-1].filename, t.traceback[-1].lineno) for t in tracemalloc.take_snapshot().traces]
tracemalloc.stop()
stacks = Stacks(path)
ours = list(stacks.blocks())
check(sum(count for size, count in by_line(theirs, bool).values()) > 5000, "there is much to compare")
large = [by_line(blocks, lambda size: size > 512) for blocks in (ours, theirs)]
check(large[0] == large[1], "bytes and counts of each line are tracemalloc's", *large)
# An object that the interpreter takes from a list of its own is moved to the new line by tracemalloc alone.
small = [sum(count for size, count in by_line(blocks, lambda size: size <= 512).values()) for blocks in (ours, theirs)]
check(abs(small[0] - small[1]) < small[1] / 100, "but for a few small ones", *small)
check(stacks.graph.properties.get("traceback_limit") == "25", "the limit is told", stacks.graph.properties)

# ---- names, limits, code that comes and goes ----

snap.start(3)
kept = [deep(10, lambda: bytes(5000)), [made(n) for n in range(500)]]
gc.collect()
more = [made(n) for n in range(500, 1000)]
shallow = bytes(6000)
line = sys._getframe().f_lineno - 1
snap.dump(path)
snap.stop()
stacks = Stacks(path)
stack = stacks.stack(stacks.graph.node(kept[0]).stack)
names = [function.split(".")[-1] for function, file, n in stack]
check(names == ["<lambda>", "deep", "deep"] and stacks.truncated, "so many frames, and no more", stack)
stack = stacks.stack(stacks.graph.node(shallow).stack)
check(stack == [("<module>", __file__, line)] and not stacks.truncated, "a whole stack", stack)
wrong = [(n, stacks.stack(stacks.graph.node(value).stack)[:1]) for n, value in enumerate(kept[1] + more)
         if stacks.stack(stacks.graph.node(value).stack)[:1] != [("f%d" % n, "made%d.py" % n, n + 1)]]
check(not wrong, "code that is gone is not mistaken for what came after", wrong[:3])

# ---- samples ----

snap.start(interval=4096)
kept = [bytes(200) for i in range(50000)]
total = sum(sys.getsizeof(value) for value in kept)
line = sys._getframe().f_lineno - 2
snap.dump(path, graph=False)
snap.stop()
check(Graph(path).member.flags & 2, "a sample is said to be one")
estimate = sum(size * count / (1 - math.exp(-size / 4096)) for size, count, file, n in Stacks(path).blocks()
               if (file, n, size) == (__file__, line, sys.getsizeof(kept[0])))
check(0.85 < estimate / total < 1.15, "its estimate is right", estimate, total)

# ---- others' hooks, and forks ----

snap.start()
tracemalloc.start()
snap.stop()
kept = [bytes(900) for i in range(100)]
snap.start()
kept += [bytes(800) for i in range(100)]
line = sys._getframe().f_lineno - 1
child = os.fork()
if child == 0:
    kept += [bytes(100) for i in range(100)]
    snap.dump(path, graph=False)
    os._exit(0)
check(os.waitpid(child, 0)[1] == 0, "a child of the program goes on")
tracemalloc.stop()
snap.stop()
lines = by_line(Stacks(path).blocks(), lambda size: size > 512)
check(lines.get(line) == (100 * sys.getsizeof(bytes(800)), 100), "below another's hooks", lines)
kept = None

# ---- a thread that frees without the interpreter's lock: the child must not wait for what it holds ----

library, going = ctypes.CDLL(os.environ["FREES"]), ctypes.c_int(1)
tracemalloc.start()
library.begin(ctypes.byref(going))
for i in range(40):
    pending = snap.dump(path, graph=False, wait=False)
    late = caught(pending.wait, 300)
    if late:
        pending.cancel()
        break
going.value = 0
library.end()
tracemalloc.stop()
check(late is None, "tracemalloc's lock is free in the child", i, late)
check(isinstance(caught(snap.dump, path, traces=True), ValueError), "what was stopped is forgotten")
