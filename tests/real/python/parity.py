"""Answers of the interpreter's own tools, and of others' where they are installed, beside the snapshot's.  Prints TAP without a plan."""
import collections
import gc
import os
import sys
import tracemalloc

import snap
from graph import Graph
from tap import check, work


class Ring:
    def __init__(self):
        self.me, self.payload = self, [1, 2, 3]


def unreachable(graph):
    """Objects that no root reaches."""
    reached = set()
    queue = [root.target for root in graph.roots]
    while queue:
        address = queue.pop()
        if address in reached:
            continue
        reached.add(address)
        queue += [r.target for r in graph.by_address[address].references if r.kind not in (16, "weak")]
    return {address: node for address, node in graph.by_address.items() if address not in reached}


# ---- cycles: what the collector would find is what no root reaches ----

gc.collect()
gc.disable()
for i in range(100):
    Ring()
path = os.path.join(work, "cycles.snap")
snap.dump(path)
gc.set_debug(gc.DEBUG_SAVEALL)
gc.collect()
gc.set_debug(0)
found = {id(o): type(o).__name__ for o in gc.garbage}
names = collections.Counter(found.values())
snap.dump(path + ".garbage")
gc.garbage.clear()
gc.enable()

# ---- statistics: bytes of all traces by line are tracemalloc's ----

tracemalloc.start(1)
kept = [bytes(100 + i) for i in range(1000)]
line = sys._getframe().f_lineno - 1
snap.dump(path + ".traces", graph=False)
theirs = [s for s in tracemalloc.take_snapshot().statistics("lineno")
          if s.traceback[0].filename == __file__ and s.traceback[0].lineno == line][0]
tracemalloc.stop()

graph = Graph(path)
garbage = unreachable(graph)
tracked = {a: n for a, n in garbage.items() if n.type.split(".")[-1] in names}
check(names["Ring"] == 100, "gc.DEBUG_SAVEALL finds the cycles", names)
check(set(found) <= set(garbage), "what it finds, no root reaches", [found[a] for a in set(found) - set(garbage)][:5])
check(set(tracked) <= set(found), "and nothing else of these types", [n.type for a, n in tracked.items() if a not in found][:5])
graph = Graph(path + ".garbage")
check(set(found) == {n.address for n in graph.rows if n.flags & 1}, "gc.garbage is marked")

graph = Graph(path + ".traces")
frames, files, lines = (graph.of(*c) for c in (("stacks", "frame"), ("frames", "file"), ("frames", "line")))
ours = [0, 0]
for node in graph.rows:
    frame = frames[node.stack - 1] - 1
    if graph.text(files[frame]) == __file__ and lines[frame] == line:
        ours = [ours[0] + node.size * node.count, ours[1] + node.count]
check(ours == [theirs.size, theirs.count], "bytes and count of a line are tracemalloc's", ours, theirs)
