"""run.py CASE BEFORE AFTER: a snapshot after ten steps of a leak, and one after two hundred more."""
import gc
import importlib
import os
import sys

import snap

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
case = importlib.import_module(sys.argv[1])
if not getattr(case, "COLLECTED", True):
    gc.disable()
for i in range(210):
    if i == 10:
        snap.dump(sys.argv[2])
    case.step(i)
snap.dump(sys.argv[3])
if hasattr(case, "end"):
    case.end()
