"""python_trace.py MODE FOLDER COUNT [FILE]: allocates blocks by way of calls in many modules, untraced or traced; prints elapsed
and processor seconds of that, KiB of memory that it took, then elapsed seconds and KiB of the snapshot.  For python.sh."""
import gc
import os
import random
import sys
import time
import tracemalloc

import traces


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") // 1024


def take(mode, path):
    """Seconds that the program stands still."""
    start = time.perf_counter()
    if mode.startswith("tracemalloc"):
        kept.append(tracemalloc.take_snapshot())
        return time.perf_counter() - start
    pending = snap.dump(path, graph=False, wait=False)
    stopped = time.perf_counter() - start
    pending.wait()
    return stopped


mode, folder, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.path.insert(0, folder)
rng = random.Random(1)
paths = traces.make_paths(rng)
gc.disable()
traces.allocate(paths, 1000, rng)
if mode.startswith("tracemalloc"):
    tracemalloc.start(int(mode[11:]))
elif mode.startswith("snap"):
    import snap
    snap.start(int(mode[4:]))
before, start, cpu = resident(), time.perf_counter(), time.process_time()
kept = traces.allocate(paths, count, rng)
elapsed, cpu, after = time.perf_counter() - start, time.process_time() - cpu, resident()
stopped = take(mode, sys.argv[4]) if mode != "none" else 0
print("%.6f %.6f %d %.6f %d" % (elapsed, cpu, after - before, stopped, resident() - after))
