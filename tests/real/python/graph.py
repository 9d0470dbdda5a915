"""A snapshot's objects and references as Python objects, by way of spec/reader.py."""
import collections
import os
import sys
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../spec"))
import reader  # noqa: E402

KINDS = {0: "field", 1: "element", 2: "internal", 3: "hidden", 4: "local", 5: "key", 6: "value", 7: "class", 9: "alias", 16: "weak"}
ROOTS = {1: "vm", 2: "global", 3: "stack", 7: "tls", 8: "class", 11: "interned", 12: "foreign"}

Reference = collections.namedtuple("Reference", "kind label target")
Root = collections.namedtuple("Root", "kind label target thread")


class Node:
    def __init__(self, **members):
        self.references = []
        self.__dict__.update(members)

    def to(self, target):
        """(kind, label) of each reference to an object."""
        return [(r.kind, r.label) for r in self.references if r.target == id(target)]


class Graph:
    def __init__(self, path):
        self.member = m = reader.read_members(Path(path).read_bytes())[-1]
        self.strings = [b""] + list(m.columns.get((1, 0), []))
        self.properties = {self.text(k): self.text(v) for k, v in zip(self.of("properties", "key"),
                                                                      self.of("properties", "value"))}
        types, _ = reader.check_objects(m)
        names = [""] + [self.text(i) for i in self.of("types", "name")]
        columns = [self.of("objects", c) for c in ("address", "size", "name", "flags", "generation", "stack", "content", "count",
                                                     "refcount")]
        self.rows = [Node(type=names[t], address=a, size=s, name=self.text(n), flags=f, generation=g, stack=k, content=c,
                          count=n_, refcount=r)
                     for t, a, s, n, f, g, k, c, n_, r in zip(types, *columns)]
        self.by_address = {row.address: row for row in self.rows if row.address}
        self.read_references()
        numbers = [0] + list(self.of("threads", "id"))
        self.roots = [Root(ROOTS.get(k, k), self.text(label), self.rows[o - 1].address, numbers[t])
                      for o, k, label, t in zip(*(self.of("roots", c) for c in ("object", "kind", "label", "thread")))]

    def of(self, table, column):
        return reader.values_of(self.member, table, column)

    def text(self, number):
        return self.strings[number].decode("utf-8", "replace")

    def label(self, label):
        n, tag = label >> 2, label & 3
        if tag == 0:
            return self.text(n)
        return n if tag == 1 else self.rows[n - 1] if tag == 2 else None

    def read_references(self):
        slots, tails, tail_kinds = (self.of("shapes", c) for c in ("slot_count", "tail", "tail_kind"))
        kinds, labels = self.of("slots", "kind"), self.of("slots", "label")
        targets, lengths = self.of("references", "target"), iter(self.of("tails", "length"))
        tail_labels = zip(self.of("tail_labels", "kind"), self.of("tail_labels", "label"))
        first_slot, row, at = [0], 0, 0
        for count in slots:
            first_slot.append(first_slot[-1] + count)
        for shape, count in zip(self.of("runs", "shape"), self.of("runs", "rows")):
            for slot in range(first_slot[shape - 1], first_slot[shape]):
                for i in range(count):
                    self.add(row + i, kinds[slot], self.label(labels[slot]), targets[at])
                    at += 1
            for i in range(count if tails[shape - 1] else 0):
                for element in range(next(lengths, 0)):
                    kind, label = (tail_kinds[shape - 1], element)
                    if tails[shape - 1] == 2:
                        kind, label = next(tail_labels)
                        label = self.label(label)
                    self.add(row + i, kind, label, targets[at])
                    at += 1
            row += count

    def add(self, row, kind, label, target):
        if target:
            self.rows[row].references.append(Reference(KINDS.get(kind, kind), label, self.rows[target - 1].address))

    def holding(self, python_object):
        """References to it that the interpreter counts."""
        return sum(r.target == id(python_object) and r.kind not in ("alias", "weak") for row in self.rows for r in row.references)

    def node(self, python_object):
        return self.by_address[id(python_object)]
