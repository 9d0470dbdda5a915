"""Makes and reads tracemalloc snapshots for the bench: see tracemalloc.sh."""
import importlib
import os
import random
import sys
import time
import tracemalloc

MODULES, CALLS, LEAVES, STACKS = 50, 20, 40, 12000


def write_modules(folder):
    for m in range(MODULES):
        with open(os.path.join(folder, "part%02d.py" % m), "w") as out:
            for n in range(CALLS):
                out.write("def call%d(path, i, size):\n    return path[i](path, i + 1, size)\n\n" % n)
            for n in range(LEAVES):
                out.write("def leaf%d(path, i, size):\n    return bytes(size)\n\n" % n)


def make_paths(rng):
    """12,000 ways down to 2,000 allocating lines, which share their first calls as a program's do."""
    modules = [importlib.import_module("part%02d" % m) for m in range(MODULES)]
    calls = [getattr(m, "call%d" % n) for m in modules for n in range(CALLS)]
    leaves = [getattr(m, "leaf%d" % n) for m in modules for n in range(LEAVES)]
    paths = []
    for n in range(STACKS):
        start = rng.choice(paths)[0][:-1] if paths else []
        start = start[:rng.randrange(len(start) + 1)]
        length = rng.randrange(20, 40)
        path = start + [rng.choice(calls) for _ in range(max(1, length - len(start)))]
        sizes = [rng.randrange(16, 400) for _ in range(rng.choice((1, 1, 2, 4, 8)))]
        paths.append((path + [leaves[n % len(leaves)]], sizes))
    return paths


def allocate(paths, count, rng):
    kept = []
    for _ in range(count):
        path, sizes = paths[int(rng.random() ** 2 * len(paths))]
        size = rng.choice(sizes) if rng.random() < 0.9 else rng.randrange(1, 600)
        kept.append(path[0](path, 1, size))
    return kept


def make(folder, count, frames):
    source = os.path.join(folder, "source")
    os.makedirs(source, exist_ok=True)
    write_modules(source)
    sys.path.insert(0, source)
    rng = random.Random(1)
    paths = make_paths(rng)
    tracemalloc.start(frames)
    kept = allocate(paths, count, rng)
    tracemalloc.take_snapshot().dump(os.path.join(folder, "old.pickle"))
    del kept[::20]
    kept += allocate(paths, count // 15, rng)
    tracemalloc.take_snapshot().dump(os.path.join(folder, "new.pickle"))
    print(len(kept))


def load(path):
    return tracemalloc.Snapshot.load(path)


def statistics(path, key):
    return load(path).statistics(key)


def cumulative(path, key):
    return load(path).statistics(key, True)


def filtered(path, key, pattern):
    return load(path).filter_traces([tracemalloc.Filter(True, pattern)]).statistics(key)


def compare(old, new, key):
    return load(new).compare_to(load(old), key)


def main():
    if sys.argv[1] == "make":
        make(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    elif sys.argv[1] == "modules":
        write_modules(sys.argv[2])
    else:
        start, cpu = time.perf_counter(), time.process_time()
        answer = globals()[sys.argv[1]](*sys.argv[2:])
        print("%.6f %.6f" % (time.perf_counter() - start, time.process_time() - cpu))


if __name__ == "__main__":
    main()
