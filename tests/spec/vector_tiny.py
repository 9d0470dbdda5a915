"""The example that most vectors change: two nodes that refer to each other; and the vectors, by name."""
from vector_bytes import Column, snapshot

STRINGS = [b"program", b"tiny", b"Node", b"next", b"root"]


def label(string_id):
    return string_id * 4


def index(n):
    return n * 4 + 1


def key(object_id):
    return object_id * 4 + 2


NO_LABEL = 3


def tiny_columns(change=None, drop=()):
    columns = {
        "strings.text": STRINGS,
        "properties.key": [1], "properties.value": [2],
        "types.name": [3],
        "shapes.type": [1], "shapes.slot_count": [1],
        "slots.label": [label(4)],
        "runs.shape": [1], "runs.rows": [2],
        "objects.address": [0x10, 0x20], "objects.size": [24, 24],
        "references.target": [2, 1],
        "roots.object": [1], "roots.label": [5],
        "totals.dimension": [0, 1, 6, 7], "totals.key": [0, 1, 1, 5], "totals.bytes": [48] * 4, "totals.count": [2] * 4,
    }
    change = change or {}
    out = []
    for name, values in columns.items():
        new = change.get(name, values)
        if name not in drop:
            out.append(new if isinstance(new, Column) else Column(name, new))
    return out


def tiny(change=None, drop=(), more=(), **whole):
    return snapshot(tiny_columns(change, drop) + list(more), **whole)


def column(name, values, encoding=None, raw=None, **fields):
    return Column(name, values, encoding, raw, **fields)


def only(name, values, encoding, raw=None, **fields):
    """A snapshot of one column in timeline or strings, which need no other table."""
    return snapshot([Column(name, values, encoding, raw, **fields)])


VECTORS = {}


def vector(name, says, parts):
    assert name not in VECTORS, name
    VECTORS[name] = (says, parts)


def good(name, says, parts):
    vector("good-" + name, says, parts)


def bad(name, says, parts):
    vector("bad-" + name, says, parts)


def unsupported(name, says, parts):
    vector("unsupported-" + name, says, parts)


def time(values, encoding, raw=None, **fields):
    return only("timeline.time", values, encoding, raw, **fields)
