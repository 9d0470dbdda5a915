"""Usage: tracemalloc_small.py FOLDER FRAMES.  Dumps what a program allocates while it imports modules, cut down to few traces:
FRAMES-COUNT-HOW.pickle, of traces from all over the snapshot, from its start, or chosen at random."""
import os
import random
import sys
import tracemalloc

folder, frames = sys.argv[1], int(sys.argv[2])
tracemalloc.start(frames)
import argparse, asyncio, configparser, csv, decimal, email.message, http.client, logging.config, unittest, xml.dom.minidom
snapshot = tracemalloc.take_snapshot()
traces = list(snapshot.traces._traces)
for count in 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000:
    assert count <= len(traces)
    for how, chosen in (("spread", traces[::len(traces) // count][:count]), ("first", traces[:count]),
                        ("random", random.Random(count).sample(traces, count))):
        tracemalloc.Snapshot(chosen, frames).dump(os.path.join(folder, "%d-%d-%s.pickle" % (frames, count, how)))
