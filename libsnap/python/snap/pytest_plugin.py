"""pytest plugin: --snap-dir archives a snapshot after each test, --snap-leaks fails a test whose objects grow in number.

A test is run a few times more to learn what grows with every run: caches that fill once do not.
"""

import collections
import gc
import os
import re

import pytest

from . import dump

RUNS = 4


def pytest_addoption(parser):
    group = parser.getgroup("snap", "heap snapshots")
    group.addoption("--snap-dir", metavar="DIR", help="write a snapshot after each test to DIR")
    group.addoption("--snap-leaks", action="store_true",
                    help="run each test %d times, and fail it if objects of a type that the collector tracks are more after each run" % RUNS)


def _file_name(item):
    return re.sub(r"[^\w.-]+", "_", item.nodeid)[-180:] + ".snap"


def _count_types():
    gc.collect()
    return collections.Counter(type(o) for o in gc.get_objects())


def _growing(counts):
    """Types of which there are more after each of the last runs, but for what a run of anything leaves."""
    grown = {}
    for kind in counts[-1]:
        steps = [after[kind] - before[kind] for before, after in zip(counts[1:], counts[2:])]
        if min(steps) > 0 and kind is not collections.Counter:
            grown[kind] = min(steps)
    return grown


def _name(kind):
    return kind.__qualname__ if kind.__module__ == "builtins" else kind.__module__ + "." + kind.__qualname__


def _leaks_of(pyfuncitem):
    counts = [_count_types()]
    for _ in range(RUNS - 1):
        arguments = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}
        pyfuncitem.obj(**arguments)
        counts.append(_count_types())
    grown = sorted(_growing(counts).items(), key=lambda item: (-item[1], _name(item[0])))
    return "; ".join("%s: +%d for each run" % (_name(kind), count) for kind, count in grown)


@pytest.hookimpl(hookwrapper=True)
def pytest_pyfunc_call(pyfuncitem):
    outcome = yield
    config = pyfuncitem.config
    leaks = _leaks_of(pyfuncitem) if config.getoption("--snap-leaks") and not outcome.excinfo else ""
    if config.getoption("--snap-dir"):
        os.makedirs(config.getoption("--snap-dir"), exist_ok=True)
        dump(os.path.join(config.getoption("--snap-dir"), _file_name(pyfuncitem)))
    if leaks:
        failure = pytest.fail.Exception("leaks: " + leaks, pytrace=False)
        if not hasattr(outcome, "force_exception"):  # pluggy before 1.1
            raise failure
        outcome.force_exception(failure)
