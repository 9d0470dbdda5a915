"""peers.py FOLDER: snapshots of a heap, and what pympler, guppy3 and objgraph say of it, each in a child of its own, so that none
sees what another one makes.  Tables are TSV: count, bytes, type."""
import collections
import gc
import os
import sys
import traceback

import guppy
import objgraph
import snap
from pympler import muppy, summary, tracker

folder = sys.argv[1]


class Order:
    def __init__(self, n):
        self.number, self.lines, self.note = n, [Line(n), Line(n + 1)], "order %d " % n * 3


class Line:
    __slots__ = ("amount", "price")

    def __init__(self, n):
        self.amount, self.price = n * 1000003, n / 7


class Tagged(dict):
    pass


class Needle:
    pass


def name(kind):
    return kind.__qualname__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__qualname__


def path_of(file):
    return os.path.join(folder, file)


def write(table, path):
    with open(path_of(path), "w") as file:
        for kind, (count, size) in sorted(table.items()):
            file.write("%d\t%d\t%s\n" % (count, size, kind))


def by_pympler(path):
    table = collections.defaultdict(lambda: (0, 0))
    for value in muppy.get_objects(include_frames=True):
        was = table[name(type(value))]
        table[name(type(value))] = (was[0] + 1, was[1] + sys.getsizeof(value))
    write(table, path)


def by_guppy(path):
    heap = heapy.heap()
    write({name(part.kind.arg): (part.count, part.size) for part in heap.bytype.parts}, path)


def by_objgraph(path):
    chain = objgraph.find_backref_chain(HIDDEN["key"][0][2][0], objgraph.is_proper_module)
    with open(path_of(path), "w") as file:
        file.write(";".join(name(type(value)) for value in chain) + "\n")


def in_child(function, path):
    child = os.fork()
    if child == 0:
        try:
            function(path)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    if os.waitpid(child, 0)[1]:
        sys.exit("%s failed" % function.__name__)


def take(state):
    gc.collect()
    in_child(by_pympler, "pympler." + state)
    in_child(by_guppy, "guppy." + state)
    snap.dump(path_of("heap.%s.snap" % state))


heapy = guppy.hpy()
heapy.heap().bytype.parts[0].kind  # loads what it needs
gc.disable()
KEPT = []
take("old")
KEPT += [Order(n) for n in range(3000)]
KEPT += [Tagged(n=n, text=str(n)) for n in range(500)]
KEPT += [(n, str(n), float(n), {n, n + 1}, bytes(n)) for n in range(1000, 1300)]
take("new")

HIDDEN = {"key": [(1, 2, [Needle()])]}
in_child(by_objgraph, "objgraph")
grown = tracker.SummaryTracker()
grown.diff()
grown.diff()
snap.dump(path_of("old.snap"))
KEPT += [Order(n) for n in range(200)] + [bytearray(n) for n in range(300)] + [Tagged() for n in range(100)]
snap.dump(path_of("new.snap"))
write({row[0]: row[1:] for row in grown.diff()}, "tracker")
