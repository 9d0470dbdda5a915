"""python_heap.py MODE OBJECTS FILE: makes syntax trees of the standard library until there are so many objects, then takes a
picture of the heap in the way that MODE says, and prints what that took: elapsed and processor seconds.  For python.sh."""
import ast
import gc
import os
import resource
import sys
import time


def used():
    """Processor seconds, with those of children."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def objects():
    """A guess: those that the collector tracks, and as many that it does not."""
    return 2 * len(gc.get_objects())


def make(count):
    kept, folder = [], os.path.dirname(os.__file__)
    while objects() < count:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py") and objects() < count:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    kept.append(ast.parse(file.read()))
    return kept


def stop(path):
    pending = snap.dump(path, wait=False)
    pending.wait()
    return pending.stopped_seconds


def dump(path):
    snap.dump(path)


def guppy(path):
    guppy_heap().heap()


def pympler(path):
    summary.summarize(muppy.get_objects())


def meliae(path):
    scanner.dump_all_objects(path)


mode, count, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if mode in ("stop", "dump"):
    import snap
elif mode == "guppy":
    from guppy import hpy as guppy_heap
elif mode == "pympler":
    from pympler import muppy, summary
elif mode == "meliae":
    from meliae import scanner
gc.disable()
kept = make(count)
gc.collect()
start, cpu = time.perf_counter(), used()
elapsed = globals()[mode](path)
print("%.6f %.6f" % (elapsed or time.perf_counter() - start, used() - cpu))
