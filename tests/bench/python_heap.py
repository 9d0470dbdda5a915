"""python_heap.py HEAP MODE OBJECTS FILE: makes a heap of about so many objects, then takes a picture of it in the way that MODE
says, and prints what that took: elapsed and processor seconds.  HEAP: trees, syntax trees of the standard library; records,
instances of a class with numbers, texts, a list, a tuple and a dict; or libraries, what large packages are once they are
imported, with models of services that one of them has parsed (150 for a million objects).  For python.sh."""
import ast
import gc
import mmap
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


def trees(count):
    kept, folder = [], os.path.dirname(os.__file__)
    while objects() < count:
        for name in sorted(os.listdir(folder)):
            if name.endswith(".py") and objects() < count:
                with open(os.path.join(folder, name), encoding="utf-8") as file:
                    kept.append(ast.parse(file.read()))
    return kept


class Record:
    def __init__(self, n):
        self.number = 100000 + n
        self.name = "record %d" % n
        self.price = n * 0.25
        self.tags = ["tag %d" % (n % 1000 + i) for i in range(3)]
        self.place = (n * 1.5, n * 2.5)
        self.extra = {"note": "n%d" % n, "count": 500000 + n}


def records(count):
    return [Record(n) for n in range(count // 14)]


def libraries(count):
    import IPython
    import botocore.session
    import cfnlint.api
    loader = botocore.session.get_session().get_component("data_loader")
    names = sorted(loader.list_available_services("service-2"))[: count * 150 // 1000000]
    return [IPython, cfnlint, loader] + [loader.load_service_model(name, "service-2") for name in names]


def fetch(size):
    """Lets the system have that much free memory at hand.  A virtual machine may have given its own back to the host, from
    which each page then takes many times as long, whoever asks for it first."""
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    pages.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, size, mmap.PAGESIZE):
        pages[at] = 1
    pages.close()


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


def pyheap(path):
    """What its injector runs in a process, without texts of objects."""
    exec(inferior, {"__name__": "inferior", "heap_file": path, "str_repr_len": -1, "progress_file": ""})


heap, mode, count, path = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
if mode in ("stop", "dump"):
    import snap
elif mode == "guppy":
    from guppy import hpy as guppy_heap
elif mode == "pympler":
    from pympler import muppy, summary
elif mode == "meliae":
    from meliae import scanner
elif mode == "pyheap":
    with open(os.path.join(os.environ["PYHEAP"], "pyheap/src/dumper_inferior.py"), encoding="utf-8") as file:
        inferior = compile(file.read(), "dumper_inferior.py", "exec")
gc.disable()
kept = globals()[heap](count)
gc.collect()
fetch(1 << 30)
start, cpu = time.perf_counter(), used()
elapsed = globals()[mode](path)
print("%.6f %.6f" % (elapsed or time.perf_counter() - start, used() - cpu))
