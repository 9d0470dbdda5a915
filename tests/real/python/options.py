"""What snap.dump() does beside labels: sizes, errors, traces, and what is stored of keys.  Prints TAP without a plan."""
import ctypes
import os
import sys
import tracemalloc
import warnings

import snap
from graph import Graph
from tap import caught, check, work


class Plain:
    def __init__(self, value):
        self.attribute = value


def allocated(make):
    """Bytes per object, as tracemalloc sees them."""
    keep = [None] * 1000
    tracemalloc.start()
    first = tracemalloc.get_traced_memory()[0]
    for i in range(1000):
        keep[i] = make()
    size = (tracemalloc.get_traced_memory()[0] - first) / 1000
    tracemalloc.stop()
    return size, keep


class Three:
    def __init__(self):
        self.a = self.b = self.c = shared


# ---- all snapshots first: a loaded one is itself many objects ----

path = os.path.join(work, "options.snap")
shared, private_key = [], "".join(["a ", "secret ", "key"])
table = {private_key: shared}
before = os.listdir(work)
check(isinstance(caught(snap.dump, os.path.join(work, "no/such/file")), FileNotFoundError), "no such folder")
check(sorted(os.listdir(work)) == sorted(before), "a failure leaves nothing", os.listdir(work))
check(isinstance(caught(lambda: snap.dump(path, traces=True)), ValueError), "traces, but tracemalloc is off")
check(isinstance(caught(lambda: snap.dump(path, graph=False)), ValueError), "nothing to write")
size, keep = allocated(Three)
pending = snap.dump(path, wait=False)
pending.wait()
check(0 < pending.stopped_seconds < 1, "the stop is measured", pending.stopped_seconds)
with open(path + ".fd", "wb") as file:
    snap.dump(file.fileno(), hashes=True, keys=True)
snap._start(path + ".plain", True, False, False, False, "a reason").wait()
die = ctypes.PyDLL(os.environ["FREES"]).die
with warnings.catch_warnings(record=True) as warned:
    warnings.simplefilter("always")
    snap.dump(path)
    check(not warned, "no warning without a reason", *warned)
    die()
    snap.dump(path + ".died")
die()
pending = snap.dump(path + ".not", wait=False)
check("was killed by signal 9 (Killed)" in str(caught(pending.wait)), "who waits is told that the child died")
tracemalloc.start(5)
traced = [Plain(bytes(1000)) for i in range(200)]
line = sys._getframe().f_lineno - 1
snap.dump(path + ".traced")
current = tracemalloc.get_traced_memory()[0]
snap.dump(path + ".traces", graph=False)
tracemalloc.stop()

graph = Graph(path)
node = graph.node(keep[500])
ours = node.size + sum(graph.by_address[r.target].size for r in node.references if r.label == "__dict__")
check(abs(ours - size) < 8, "an instance's size is what was allocated for it", ours, size)
check(private_key.encode() not in graph.strings, "keys are not stored")
check("hash_key" not in graph.properties and "layouts" not in graph.properties and "made_again" not in graph.properties, "properties", graph.properties)
graph = Graph(path + ".fd")
check(private_key.encode() in graph.strings, "all keys, if asked for")
check(graph.properties.get("hash_key") == "derived", "hashes", graph.properties)
check(graph.node(private_key).content, "a string has a content")
graph = Graph(path + ".plain")
check(graph.properties.get("layouts") == "unknown" and graph.properties.get("made_again") == "a reason" and id(keep[500]) in graph.by_address and id(private_key) in graph.by_address,
      "private structures can be done without", graph.properties)
killed = "the child process that writes the snapshot was killed by signal 9 (Killed)"
check([w.category for w in warned] == [RuntimeWarning] and str(warned[0].message).startswith(killed + "; another one")
      and warned[0].filename == __file__, "a warning says that the child died", *warned)
graph = Graph(path + ".died")
check(graph.properties.get("layouts") == "unknown" and graph.properties.get("made_again") == killed and id(keep[500]) in graph.by_address,
      "so does the snapshot, which another child made", graph.properties)
graph = Graph(path + ".traced")
stack = graph.node(traced[3]).stack
lines = []
while stack:
    lines.append(graph.of("frames", "line")[graph.of("stacks", "frame")[stack - 1] - 1])
    stack = graph.of("stacks", "parent")[stack - 1]
check(line in lines, "an object's place of allocation", line, lines)
check(graph.properties.get("traceback_limit") == "5", "the limit of stacks")
total = sum(node.size * node.count for node in Graph(path + ".traces").rows)
check(abs(total / current - 1) < 0.1, "all traces", total, current)
