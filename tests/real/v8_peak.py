"""Runs COMMAND... FILE and fails unless its peak memory stays below half the size of FILE."""
import os
import resource
import subprocess
import sys

status = subprocess.call(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
size = os.path.getsize(sys.argv[-1])
print(f"peak {peak >> 20} MiB, input {size >> 20} MiB")
sys.exit(status if status else peak > size / 2)
