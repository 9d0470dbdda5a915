"""A program that knows nothing of snapshots, and is kept at one kind of work; SIGTERM asks whether all of it still goes on."""
import ctypes
import gc
import os
import select
import signal
import socket
import sys
import threading
import time


class Marker:
    pass


MARKERS = [Marker() for i in range(10)]
beats = {}


def busy(name):
    kept = {}
    while True:
        for i in range(1000):
            kept[i] = [str(i), {"n": i}]
        beats[name] = beats.get(name, 0) + 1


def pure(name):
    while True:
        beats[name] = beats.get(name, 0) + 1


def spin(name):
    churn = ctypes.PyDLL(os.environ["CHURN"]).churn  # keeps the lock
    while True:
        churn(20000)
        beats[name] = beats.get(name, 0) + 1


def spin_free(name):
    churn = ctypes.CDLL(os.environ["CHURN"]).churn
    while True:
        churn(20000)
        beats[name] = beats.get(name, 0) + 1


def collect(name):
    heap = []
    for i in range(20000):
        pair = [i]
        pair.append(pair)
        heap.append(pair)
    while True:
        gc.collect()
        beats[name] = beats.get(name, 0) + 1


def sleep(name):
    while True:
        time.sleep(1000)


def dies(name):
    ctypes.CDLL(os.environ["CHURN"]).die()
    sleep(name)


def accept(name):
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    while True:
        server.accept()


def epoll(name):
    waiter = select.epoll()
    while True:
        waiter.poll(1000)


KINDS = {
    "idle": [sleep],
    "busy": [busy],
    "dies": [dies],
    "malloc": [spin, spin_free],
    "gc": [collect],
    "threads": [busy, busy, busy, busy],
    "pure": [pure],
    "blocked": [accept],
    "blocked-busy": [accept, busy],
    "epoll": [epoll],
}


def asked(number, frame):
    seen = dict(beats)
    deadline = time.monotonic() + 300
    while any(beats[name] == seen[name] for name in seen if name != "0") and time.monotonic() < deadline:
        time.sleep(0.01)
    moving = all(beats[name] > seen[name] for name in seen if name != "0")
    left = [name for name in sys.modules if name.split(".")[0] == "snap"]
    print("%s, %d threads, left %s" % ("alive" if moving else "stuck", threading.active_count(), left), flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, asked)
work = KINDS[sys.argv[1]]
for number, function in enumerate(work[1:], 1):
    threading.Thread(target=function, args=(str(number),), name="worker-%d" % number, daemon=True).start()
open(sys.argv[2], "w").close()
work[0]("0")
