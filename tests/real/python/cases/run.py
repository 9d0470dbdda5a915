"""run.py CASE [BEFORE AFTER]: a snapshot after ten steps of a leak, and one after two hundred more.
Without files it is snap-record's tracker that takes them."""
import ctypes
import gc
import importlib
import os
import sys
import time

import snap

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
case = importlib.import_module(sys.argv[1])
if not getattr(case, "COLLECTED", True):
    gc.disable()


def take(number):
    if len(sys.argv) > 2:
        snap.dump(sys.argv[2 + number])
    else:
        while ctypes.CDLL(None).snap_tracker_take() != 0:  # the one before is still being written
            time.sleep(0.01)


for i in range(210):
    if i == 10:
        take(0)
    case.step(i)
take(1)
if hasattr(case, "end"):
    case.end()
