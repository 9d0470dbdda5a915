"""python -m snap run: runs a program and writes snapshots of it, without a change to the program.

    python -m snap run -o app.snap app.py ARGUMENTS...     at its end
    python -m snap run -o app.snap -m package ARGUMENTS... the same for a module
    python -m snap run -o app.snap --signal USR2 app.py    also when the signal comes
"""

import argparse
import builtins
import importlib.util
import io
import os
import signal
import sys
import tracemalloc
import types

from . import dump


def _numbered(path, number):
    root, extension = os.path.splitext(path)
    return "%s.%d%s" % (root, number, extension) if number else path


class _Writer:
    def __init__(self, options):
        self.path, self.hashes = options.output, options.hashes
        self.taken = 0
        self.owner = os.getpid()

    def write(self, path):
        if os.getpid() != self.owner:  # a child of the program
            return True
        try:
            dump(path, hashes=self.hashes)
        except (OSError, ValueError, MemoryError) as e:
            print("snap: %s: %s" % (path, e), file=sys.stderr)
            return False
        return True

    def on_signal(self, number, frame):
        self.taken += 1
        self.write(_numbered(self.path, self.taken))


def _signal(name):
    number = getattr(signal, "SIG" + name.upper().replace("SIG", "", 1), None)
    if not isinstance(number, signal.Signals):
        raise argparse.ArgumentTypeError("no such signal: %s" % name)
    return number


def _options():
    parser = argparse.ArgumentParser(prog="python -m snap")
    run = parser.add_subparsers(dest="command", metavar="COMMAND").add_parser(
        "run", help="run a program and write a snapshot at its end")
    run.add_argument("-o", "--output", default="python.snap", metavar="FILE", help="the snapshot (python.snap)")
    run.add_argument("-f", "--frames", type=int, default=0, metavar="COUNT",
                     help="trace allocations with so many frames (tracemalloc)")
    run.add_argument("--hashes", action="store_true", help="hash strings, so that duplicates can be found")
    run.add_argument("--signal", type=_signal, metavar="NAME", help="also write FILE.1, FILE.2 ... on this signal")
    run.add_argument("-m", dest="module", action="store_true", help="the program is a module")
    run.add_argument("program", help="a script, or with -m a module")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if not options.command:
        parser.error("what is to be done?  (run)")
    return options


def _load(options):
    """The program's code, and what its __main__ is to know of it."""
    if not options.module:
        with io.open_code(options.program) as file:
            return compile(file.read(), options.program, "exec"), {"__file__": options.program}
    spec = importlib.util.find_spec(options.program)
    if spec and spec.submodule_search_locations is not None:
        spec = importlib.util.find_spec(options.program + ".__main__")
    code = spec.loader.get_code(spec.name) if spec else None
    if not code:
        raise ImportError("no module to run: " + options.program)
    return code, {"__file__": spec.origin, "__spec__": spec, "__package__": spec.parent, "__loader__": spec.loader}


def _run(options):
    """Runs the program as __main__, which stays there for the snapshot; returns its exit status."""
    sys.path[0] = os.getcwd() if options.module else os.path.dirname(os.path.abspath(options.program))
    code, known = _load(options)
    sys.argv = [known["__file__"]] + options.arguments
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(known, __builtins__=builtins)
    sys.modules["__main__"] = main_module
    try:
        exec(code, main_module.__dict__)
    except SystemExit as e:
        return e.code
    return 0


def main():
    options = _options()
    writer = _Writer(options)
    if options.signal:
        signal.signal(options.signal, writer.on_signal)
    if options.frames:
        tracemalloc.start(options.frames)
    try:
        status = _run(options)
    finally:
        written = writer.write(options.output)
    return status if written else status or 2


if __name__ == "__main__":
    sys.exit(main())
