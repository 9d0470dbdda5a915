"""Takes a snapshot of itself and compares it with what the interpreter says of its own objects.  Prints TAP without a plan."""
import collections
import ctypes
import functools
import gc
import os
import sys
import threading
import weakref

import snap
from graph import Graph
from tap import check, work


class Plain:
    def __init__(self, value):
        self.attribute = value
        self.other = [value]


class Slotted:
    __slots__ = ("slot", "__weakref__")


class Many(dict):
    pass


class Row(list):
    pass


Pair = collections.namedtuple("Pair", "left right")


def make_closure(captured):
    def inner():
        return captured
    return inner


def wait(value):
    variable = [value]
    yield variable


def fail(value):
    pinned = [value]
    raise ValueError(pinned[0])


def caught(function, *arguments):
    try:
        function(*arguments)
    except Exception as e:
        return e


def chain():
    try:
        fail("inner")
    except ValueError as e:
        raise KeyError("outer") from e


@functools.lru_cache(maxsize=None)
def cached(value):
    return [value]


things = [object() for _ in range(20)]
plain, materialised, slotted = Plain(things[0]), Plain(things[1]), Slotted()
materialised.__dict__["added"] = things[2]
slotted.slot = things[3]
interned_key, private_key = "configuration", "".join(["a ", "secret ", "key"])
table = {interned_key: things[4], private_key: things[5], 12345678: things[6]}
subclass = Many(entry=things[7])
counter = collections.Counter({"".join(["key ", str(i)]): 1000 + i for i in range(50)})
ordered = collections.OrderedDict((1000 + i, [i]) for i in range(50))
row = Row(float(i) for i in range(50))
closure, generator, error = make_closure(things[8]), wait(things[9]), caught(fail, things[10])
next(generator)
wrapped = caught(chain)
weak = weakref.ref(slotted)
cached("argument")
pair = Pair(things[11], things[12])
a_set = {things[13]}
cell, method = closure.__closure__[0], plain.__init__
tracker = threading.local()
tracker.value = things[14]
ready, stop = threading.Event(), threading.Event()


def in_thread():
    kept_by_thread = [1, 2, 3]
    ready.set()
    stop.wait()
    return kept_by_thread


thread = threading.Thread(target=in_thread, name="a worker")
thread.start()
ready.wait()


def take(path, **options):
    local_of_take = [path]
    snap.dump(path, **options)
    return id(local_of_take)


gc.collect()
gc.disable()
ctypes.pythonapi.Py_IncRef(ctypes.py_object(things[15]))
counted = [sys.getrefcount(things[i]) - 1 for i in range(len(things))]
before = gc.get_objects()
path = os.path.join(work, "walk.snap")
local_id = take(path)
referents = [[id(r) for r in gc.get_referents(o)] for o in before if o is not before]
stop.set()
thread.join()
graph = Graph(path)

# ---- parity with the collector ----

known = [o for o in before if o is not before]
check(len(known) > 5000, "there is something to compare", len(known))
missing = [o for o in known if id(o) not in graph.by_address]
check(not missing, "every object that the collector tracks is there", [type(o) for o in missing[:5]])


def type_name(t):
    module = t.__dict__.get("__module__")
    if not t.__flags__ & 1 << 9:  # a static type
        module = None if t.__module__ == "builtins" else t.__module__
    name = t.__qualname__ if t.__flags__ & 1 << 9 else t.__name__
    return name if module in (None, "builtins") or not isinstance(module, str) else module + "." + name


wrong = [(o, graph.node(o).type) for o in known if id(o) in graph.by_address
         and graph.node(o).type.split(".")[-1] != type(o).__qualname__.split(".")[-1]]
check(not wrong, "types are called what they are", [(type(o), name) for o, name in wrong[:5]])
changing = {id(o) for o in (before, globals(), known, referents, graph, sys.modules)}
# A type's own list of caches and a frame that runs change with every call.
lost = [(o, r) for o, rs in zip(known, referents) if id(o) not in changing and type(o).__name__ not in ("frame", "_SnapPending")
        for r in rs if r in graph.by_address and r not in {x.target for x in graph.node(o).references}]
check(len(lost) < 20, "what tp_traverse reports is referred to", len(lost), [(type(o), hex(r)) for o, r in lost[:5]])


exact = [o for o in known if type(o) in (list, tuple, dict, set, type(take), type(wait("x")), type(cell))]
wrong = [(type(o), sys.getsizeof(o), graph.node(o).size) for o in exact
         if id(o) not in changing and graph.node(o).size != sys.getsizeof(o)]
check(len(wrong) < 3, "sizes of %d containers are sys.getsizeof's" % len(exact), wrong[:5])


# ---- labels ----

refers = lambda holder, thing: graph.node(holder).to(thing)  # noqa: E731


def attribute(o, thing):
    """The label of an attribute, on the instance or in its dict."""
    found = [("field" if kind == "alias" else kind, label) for kind, label in refers(o, thing)]
    for r in graph.node(o).references:
        if r.label == "__dict__":
            found += graph.by_address[r.target].to(thing)
    return sorted(set(found))


check(attribute(plain, things[0]) == [("field", "attribute")], "an attribute", attribute(plain, things[0]))
check(attribute(materialised, things[1]) == [("field", "attribute")], "an attribute beside a dict", attribute(materialised, things[1]))
check(attribute(materialised, things[2]) == [("field", "added")], "an added attribute", attribute(materialised, things[2]))
check(refers(slotted, things[3]) == [("field", "slot")], "a slot", refers(slotted, things[3]))
check(refers(things, things[7]) == [("element", 7)], "an index", refers(things, things[7]))
check(refers(table, things[4]) == [("value", interned_key)], "a key that is a name", refers(table, things[4]))
for key, thing in ((private_key, things[5]), (12345678, things[6])):
    found = refers(table, thing)
    check([(k, label.address) for k, label in found] == [("value", id(key))], "another key", found)
    check(refers(table, key)[:1] == [("key", None)], "the key is held", refers(table, key))
check(private_key.encode() not in b"\n".join(graph.strings), "the text of another key is not stored")
check(refers(subclass, things[7]) == [("value", "entry")], "a subclass of dict", refers(subclass, things[7]))
check(all(refers(counter, key) == [("key", None)] and graph.node(counter).to(value)[0][0] == "value" for key, value in counter.items()),
      "keys that are strings, which such a dict does not report", graph.node(counter).references[:5])
check(all(("key", None) in refers(ordered, key) and [kind for kind, _ in refers(ordered, value)] == ["value"] for key, value in ordered.items()),
      "an ordered dict", graph.node(ordered).references[:5])
check(all(refers(row, value) == [("element", i)] for i, value in enumerate(row)), "a subclass of list", graph.node(row).references[:5])
check(refers(closure.__closure__, cell) == [("local", "captured")], "a closure's variable", refers(closure.__closure__, cell))
check(refers(cell, things[8]) == [("internal", "cell_contents")], "a cell", refers(cell, things[8]))
frame_or_generator = generator if sys.version_info >= (3, 11) else generator.gi_frame
check(("local", "variable") in refers(frame_or_generator, generator.gi_frame.f_locals["variable"]), "a generator's variable")
frame = error.__traceback__.tb_next.tb_frame
check(refers(error, error.__traceback__) == [("field", "__traceback__")], "__traceback__")
check(refers(error.__traceback__, error.__traceback__.tb_next) == [("field", "tb_next")], "tb_next")
check(refers(error.__traceback__.tb_next, frame) == [("field", "tb_frame")], "tb_frame")
check(("local", "pinned") in refers(frame, frame.f_locals["pinned"]), "a local that a traceback keeps")
check(graph.node(frame).name == "fail (walk.py:%d)" % error.__traceback__.tb_next.tb_lineno, "a frame's name", graph.node(frame).name)
check(("field", "__cause__") in refers(wrapped, wrapped.__cause__), "__cause__", refers(wrapped, wrapped.__cause__))
check(("field", "__context__") in refers(wrapped, wrapped.__context__), "__context__")
check(refers(weak, slotted) == [("weak", "referent")], "a weak reference", refers(weak, slotted))
check(refers(pair, things[12]) == [("element", 1)], "a named tuple", refers(pair, things[12]))
check(refers(a_set, things[13]) == [("element", None)], "a set", refers(a_set, things[13]))
check(refers(plain, Plain) == [("class", None)] or sys.version_info < (3, 9), "an instance's class", refers(plain, Plain))
check(refers(sys.modules["__main__"], globals()) == [("internal", "__dict__")], "a module's dict")
check(("field", "plain") in refers(globals(), plain), "a global", refers(globals(), plain))
check(("field", "fail") in [(r.kind, r.label) for r in graph.node(globals()).references], "a module's name")
check(graph.node(Plain).name == "__main__.Plain", "a class's name", graph.node(Plain).name)

# ---- reference counts ----

counts = [graph.node(thing).refcount for thing in things]
check(counts == counted, "reference counts are the interpreter's", counts, counted)
found = [graph.holding(thing) for thing in things]
counted[15] -= 1
check(found == counted, "all references that are counted were found, but for what C took", found, counted)
check((graph.node(None).refcount == 0) == (sys.version_info >= (3, 12)), "those of an immortal object are not counted")

# ---- roots ----

kinds = collections.Counter(root.kind for root in graph.roots)
check(("global", "__main__", id(sys.modules["__main__"])) in [r[:3] for r in graph.roots], "a module is a root")
order = [root.kind for root in graph.roots if root.kind in ("global", "stack")]
check(order == sorted(order), "paths begin at a module, if they can, and not at a function that runs")
local = [r for r in graph.roots if r.target == local_id]
if sys.version_info >= (3, 11):
    check([(r.kind, r.label.split()[0]) for r in local] == [("stack", "local_of_take")], "a local of a running function", local)
others = [r for r in graph.roots if r.kind == "stack" and r.thread not in (0, threading.get_ident())]
check(any(r.label.startswith("kept_by_thread in ") for r in others), "a local of another thread", others[:5])

# ---- large ones ----

large = [collections.Counter({"key %d" % i: i for i in range(200000)}),
         collections.OrderedDict((i, [i]) for i in range(200000)), Row([i] for i in range(200000))]
pending = snap.dump(os.path.join(work, "large.snap"), wait=False)
try:
    pending.wait(600)
    check(True, "time grows as they do")
except TimeoutError:
    pending.cancel()
    check(False, "time grows as they do")
os.remove(os.path.join(work, "large.snap"))
