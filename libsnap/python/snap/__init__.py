"""Heap snapshots of this process, for snap-top, snap-diff and snap-refs.

    import snap
    snap.dump("app.snap")

The process stands still for no longer than a fork(): a child walks the objects and writes the file.
"""

import _thread
import os
import select
import signal
import sys
import time
import tracemalloc
import warnings

from . import _snap

__all__ = ["dump", "start", "stop", "Pending"]
__version__ = _snap.__version__


class Pending:
    """A snapshot that a child process writes."""

    def __init__(self, file, started):
        self._file = file
        self.pid, self._pipe, self.stopped_seconds = started
        self._said = b""
        self._finished = False

    def wait(self, timeout=None):
        """Waits until the file is there.  OSError, ValueError or MemoryError say why it is not; TimeoutError: not yet."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._finished:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            if not select.select([self._pipe], [], [], left)[0]:
                raise TimeoutError("the snapshot is still being written")
            self._read()

    def cancel(self):
        """Ends the child; if it was not done, no file appears."""
        if not self._finished:
            os.kill(self.pid, signal.SIGKILL)
            self._end()

    def _read(self):
        said = os.read(self._pipe, _snap.OUTCOME_SIZE - len(self._said))
        self._said += said
        if said and len(self._said) < _snap.OUTCOME_SIZE:
            return
        self._raise(self._end())

    def _end(self):
        self._finished = True
        os.close(self._pipe)
        try:
            return os.waitpid(self.pid, 0)[1]
        except ChildProcessError:  # someone else waits for all children
            return 0

    def _raise(self, wait_status):
        if len(self._said) < _snap.OUTCOME_SIZE:
            raise _ChildDied("the child process that writes the snapshot " + _how_it_ended(wait_status & 0x7F))
        status, number, message = _snap.outcome(self._said)
        if status == "ok":
            return
        if number:
            raise OSError(number, os.strerror(number), self._file)
        if status == "out of memory":
            raise MemoryError(message)
        raise ValueError(message)

    def __del__(self):
        if not getattr(self, "_finished", True):
            os.close(self._pipe)
            try:
                os.waitpid(self.pid, os.WNOHANG)
            except OSError:
                pass


class _ChildDied(OSError):
    pass


def _how_it_ended(number):
    return "was killed by signal %d (%s)" % (number, signal.strsignal(number)) if number else "ended early"


def _thread_names():
    threading = sys.modules.get("threading")
    active = list(getattr(threading, "_active", {}).items())
    return {ident: thread._name for ident, thread in active if isinstance(getattr(thread, "_name", None), str)}


def _trace_limit():
    return _snap.trace_limit() or (tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0)


def _start(file, graph, traces, hashes, keys, died=None):
    is_descriptor = isinstance(file, int)
    path = None if is_descriptor else os.fsencode(file)
    limit = _trace_limit() if traces else 0
    program = sys.argv[0] if getattr(sys, "argv", None) else sys.executable or ""
    program = program.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\0", "")
    return Pending(file, _snap.start_dump(path, file if is_descriptor else -1, program, _thread_names(),
                                          graph, traces, limit, hashes, keys, died))


def dump(file, *, graph=True, traces=None, hashes=False, keys=False, wait=True):
    """Writes a snapshot of all objects to file, a path or an open descriptor.

    graph   objects, references and roots: who holds
    traces  where objects were allocated, as start() or tracemalloc recorded it; default: if either did.
            Without graph: all blocks that were recorded.
    hashes  a keyed hash of each str and bytes, so that duplicates can be found
    keys    the text of all str keys of dicts; else only of those that are names in the program
    wait    False: do not wait for the child; returns a Pending.

    A file that is there is replaced when the new one is whole.  Raises OSError, ValueError or MemoryError with the reason.
    If the child dies, another one makes the snapshot without private structures: a RuntimeWarning says so.
    """
    done = _dump(file, graph, traces, hashes, keys, wait)
    if isinstance(done, str):
        warnings.warn(done, RuntimeWarning, stacklevel=2)
        return None
    return done


def _dump(file, graph=True, traces=None, hashes=False, keys=False, wait=True):
    """Returns a Pending if it does not wait; or what dump() is to warn of, if anything."""
    if traces is None:
        traces = _trace_limit() > 0
    if traces and not _trace_limit():
        raise ValueError("traces: neither snap.start() nor tracemalloc is tracing")
    if not graph and not traces:
        raise ValueError("nothing to write: neither graph nor traces")
    pending = _start(file, graph, traces, hashes, keys)
    if not wait:
        return pending
    try:
        pending.wait()
    except _ChildDied as e:
        if isinstance(file, int):
            raise
        _start(file, graph, traces, hashes, keys, str(e)).wait()
        return "%s; another one wrote it without the labels of what instances and running functions hold" % e
    except BaseException:
        pending.cancel()
        raise
    return None


def _reason(error):
    """What an error says beside the file's name."""
    return getattr(error, "strerror", None) or error


def _dump_and_say(path, **options):
    """Says on standard error what is not as it should be; False: there is no snapshot."""
    try:
        said, done = _dump(path, **options), True
    except (OSError, ValueError, MemoryError) as e:
        said, done = _reason(e), False
    if said:
        print("snap: %s: %s" % (path, said), file=sys.stderr)
    return done


def _numbered(path, number):
    root, extension = os.path.splitext(path)
    return "%s.%d%s" % (root, number, extension)


def _watch(file, options):
    number = 0
    while _snap.wait_signal():
        number += 1
        _dump_and_say(_numbered(file, number), **options)


def _arm(number, file, **options):
    try:
        _snap.arm(number)
    except OSError as e:
        raise OSError(e.errno, "signal %d: %s" % (number, e.strerror)) from None
    _thread.start_new_thread(_watch, (os.path.abspath(os.fsdecode(file)), options))


def start(frames=25, *, interval=0, signal=None, file="python.snap"):
    """Begins to record where memory is allocated, for snapshots to come.

    frames    so many functions of each stack are kept, the innermost ones; 0, with a signal: nothing is recorded
    interval  0: every block; else a sample: each byte is chosen once in so many on average, and its block recorded
    signal    writes a snapshot whenever the signal comes, even while the main thread is blocked:
    file      its name is this with a number, as python.1.snap, python.2.snap ...

    ValueError: it is recorded already.  NotImplementedError: this interpreter keeps its frames in an unknown way.
    OSError: the signal cannot be handled, or another one is.
    """
    if interval < 0:
        raise ValueError("interval: a number of bytes, or 0")
    if signal is not None:
        _arm(signal, file)
    if frames or signal is None:
        try:
            _snap.start_trace(frames, interval)
        except BaseException:
            if signal is not None:
                _snap.disarm()
            raise


def stop():
    """Forgets what start() recorded, and records no more; the signal has its old meaning."""
    _snap.disarm()
    _snap.stop_trace()
