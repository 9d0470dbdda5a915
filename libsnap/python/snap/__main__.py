"""Runs a program and writes snapshots of it, without a change to the program.

    python -m snap -o app.snap app.py ARGUMENTS...        at its end
    python -m snap -o app.snap -m package ARGUMENTS...    the same for a module
    python -m snap --trace app.py                         with the stack of each allocation
    python -m snap --signal USR2 app.py                   also when the signal comes: app.1.snap, app.2.snap ...
"""

import argparse
import builtins
import importlib.util
import io
import os
import signal
import sys
import types

import snap

TAKE_VALUES = {"-o", "--output", "--signal", "--interval"}


def _signal(name):
    number = getattr(signal, "SIG" + name.upper().replace("SIG", "", 1), None)
    if not isinstance(number, signal.Signals):
        raise argparse.ArgumentTypeError("no such signal: %s" % name)
    return number


def _own_arguments(arguments):
    """Gives --trace its value, or its default where none follows, and leaves the program's arguments alone."""
    own, rest = [], list(arguments)
    while rest and (rest[0].startswith("-") or (own and own[-1] in TAKE_VALUES)):
        argument = rest.pop(0)
        if argument == "--trace":
            argument += "=" + (rest.pop(0) if rest and rest[0].isdigit() else "25")
        own.append(argument)
    return own + rest


def _options(arguments):
    parser = argparse.ArgumentParser(prog="python -m snap", allow_abbrev=False,
                                     description="Run a program and write a snapshot of its objects at its end.")
    parser.add_argument("-o", "--output", default="python.snap", metavar="FILE", help="the snapshot (python.snap)")
    parser.add_argument("--trace", type=int, nargs="?", default=0, metavar="COUNT",
                        help="record the stack of each allocation, at most COUNT frames of it (25)")
    parser.add_argument("--interval", type=int, default=0, metavar="BYTES",
                        help="record a sample of the allocations, one in so many bytes")
    parser.add_argument("--hashes", action="store_true", help="hash strings, so that duplicates can be found")
    parser.add_argument("--signal", type=_signal, metavar="NAME", help="also write FILE.1, FILE.2 ... on this signal")
    parser.add_argument("-m", dest="module", action="store_true", help="the program is a module")
    parser.add_argument("program", help="a script, or with -m a module")
    parser.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args(_own_arguments(arguments))
    if options.interval and not options.trace:
        options.trace = 25
    return parser, options


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


def _run(options, code, known):
    """Runs the program as __main__, which stays there for the snapshot; returns its exit status."""
    sys.argv = [known["__file__"]] + options.arguments
    main_module = types.ModuleType("__main__")
    main_module.__dict__.update(known, __builtins__=builtins)
    sys.modules["__main__"] = main_module
    try:
        exec(code, main_module.__dict__)
    except SystemExit as e:
        return e.code
    return 0


def _write(options, owner):
    # Not in a child of the program.
    return os.getpid() != owner or snap._dump_and_say(options.output, hashes=options.hashes)


def main():
    parser, options = _options(sys.argv[1:])
    owner = os.getpid()
    try:
        if options.signal:
            snap._arm(options.signal, options.output, hashes=options.hashes)
        if options.trace:
            snap.start(options.trace, interval=options.interval)
    except (OSError, ValueError, NotImplementedError) as e:
        parser.error(str(e))
    sys.path[0] = os.getcwd() if options.module else os.path.dirname(os.path.abspath(options.program))
    try:
        code, known = _load(options)
    except (OSError, ImportError) as e:
        parser.error(str(e))
    try:
        status = _run(options, code, known)
    finally:
        written = _write(options, owner)
    return status if written else status or 2


if __name__ == "__main__":
    sys.exit(main())
