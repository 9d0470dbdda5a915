"""lists.py FOLDER: what the collector's lists hold is in a snapshot, in each generation, whatever the order of the lists;
and what objects lead to is found, too, while a collection is under way.  Two threads find what one does."""
import gc
import os
import sys
from pathlib import Path

import snap
from graph import Graph, reader
from tap import check, work

GENERATIONS = sys.version_info < (3, 14)


class Link:
    def __init__(self, before):
        self.before, self.parts = before, [[], [before]]


def chain(count):
    """The last of so many that each hold the one before."""
    last = None
    for _ in range(count):
        last = Link(last)
    return last


def build():
    rows = [{"self": [n], "pair": ([n], {})} for n in range(1500)]
    return [chain(1500), rows, rows[::-1], {n: [row] for n, row in enumerate(rows)}]


def garbage():
    """Held by nothing but each other: only the lists lead there.  The address of one of them."""
    items = [[] for _ in range(1500)]
    for i, item in enumerate(items):
        item.append(items[i - 1])
    return id(items[0])


def take(name):
    path = os.path.join(work, name)
    snap.dump(path)
    data = Path(path).read_bytes()
    member = reader.read_member(data, len(data))  # what else a file must be is checked of others
    reader.check_counts(member)
    return dict(zip(reader.values_of(member, "objects", "address"), reader.values_of(member, "objects", "generation")))


def tracked():
    """Lists of objects by generation; what is in them lives, and stays where it is."""
    return [gc.get_objects(generation=g) for g in range(3)] if GENERATIONS else [gc.get_objects()]


def compare(name, what):
    objects = tracked()
    found = take(name)
    count = sum(map(len, objects))
    check(count > 10000, "%s: there is something to compare" % what, count)
    wrong = [(type(o), g, found.get(id(o))) for g, of in enumerate(objects) for o in of if found.get(id(o)) != g]
    check(not wrong, "%s: each tracked object is there, in its generation" % what, len(wrong), wrong[:5])
    return found


def picture(name, processors):
    """All that is said of each object; on one processor there is one thread."""
    path = os.path.join(work, name)
    os.sched_setaffinity(0, processors)
    snap.dump(path)
    os.sched_setaffinity(0, allowed)
    return {row.address: (row.type, row.size, row.refcount, row.generation, sorted((r.kind, label_of(r.label), r.target) for r in row.references))
            for row in Graph(path).rows}


def label_of(label):
    return "at %x" % label.address if hasattr(label, "address") else str(label)


gc.collect()
gc.disable()
allowed, before = os.sched_getaffinity(0), set(map(id, gc.get_objects()))
kept = [build()]
made = set(map(id, gc.get_objects())) - before
one, two = picture("one.snap", {min(allowed)}), picture("two.snap", allowed)
wrong = [(one.get(address), two.get(address)) for address in made if address not in one or one[address] != two.get(address)]
check(len(made) > 10000 and not wrong, "two threads find what one does", len(made), len(wrong), wrong[:3])
del one, two, made, before  # they are many objects themselves
lost = garbage()
check(lost in compare("young.snap", "made one after the other"), "what nothing reaches is there")
gc.collect()
compare("old.snap", "after a collection")
for generation in 0, 1:
    kept.append(build())
    gc.collect(generation)
kept.append(build())
lost = garbage()
check(lost in compare("mixed.snap", "in all generations"), "what nothing reaches is there beside others")
frozen = id(kept[0][1])
gc.freeze()
kept.append(build())
found = compare("frozen.snap", "beside frozen ones")
check(found.get(frozen) == (3 if GENERATIONS else 0), "what is frozen is of the last generation", found.get(frozen))

within = {}


def on_collection(phase, _):
    if phase == "start" and not within:
        within.update(take("callback.snap"))


class Finalized:
    def __del__(self):
        within.update(take("finalizer.snap"))


gc.callbacks.append(on_collection)
gc.collect()
check(id(kept[0][1]) in within, "a snapshot when a collection begins", len(within))
gc.callbacks.clear()
within.clear()
cycle = Finalized()
cycle.itself = [cycle]
del cycle
garbage()
gc.collect()
check(id(kept[-1][1]) in within and len(within) > 10000, "a snapshot in the midst of a collection", len(within))
