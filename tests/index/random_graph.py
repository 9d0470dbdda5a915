#!/usr/bin/env python3
"""A heap at random, as YAML for snap-make: random_graph.py SEED."""
import random
import sys

r = random.Random(int(sys.argv[1]))
count = r.choice([1, 5, 60, 300])
print("snapshot: 1")
print("types:\n  1: {name: a}\n  2: {name: b}\n  3: {name: a, kind: class}\n  4: {name: s, kind: synthetic}\n  5: {name: array, kind: array}")
print("frames:\n  1: {function: f, file: x.c, line: 1}\n  2: {function: g, file: x.c, line: 2}\n  3: {function: h, file: x.c, line: 1}")
print("stacks:\n  1: {frame: 1}\n  2: {frame: 2, parent: 1}\n  3: {frame: 3}")
print("threads:\n  1: {id: 7}\n  2: {id: 8, name: t}")
holds = r.random() < .5  # with contents: also those that may hold others
print("contents:\n" + "\n".join("  %d: {length: %d, hash: %d}" % (i, i % 3, i // 2) for i in range(1, 6)))
print("objects:")
for i in range(1, count + 1):
    kind = r.choice([1, 1, 2, 3, 5]) if i > 2 else 4
    near = lambda: max(1, min(count, i + r.choice([1, 1, 2, -1, r.randint(-20, 20), r.randint(-count, count)])))
    references = ["{%s: %s, to: %d}" % (r.choice(["field", "field", "internal", "weak"]), r.choice(["x", "y", "z@1", "z@2", "p+0x8"]), near())
                  for _ in range(r.choice([0, 1, 1, 2, 3]))]
    if kind == 5:
        references = ["{element: %d, to: %d}" % (n, near()) for n in range(r.choice([0, 1, 5]))]
    extra = ", stack: %d" % r.randint(1, 3) if r.random() < .5 else ""
    extra += "".join(", %s: %d" % (name, r.randint(1, 2)) for name in ("thread", "domain", "generation", "refcount") if count > 5 and r.random() < .2)
    if r.random() < .5 and (holds or not references):
        extra += ", content: %d" % r.randint(1, 5)
    print("- {id: %d, type: %d, size: %d%s, references: [%s]}" % (i, kind, r.choice([0, 16, 24, 100]), extra, ", ".join(references)))
print("roots:")
for i in range(r.choice([1, 2, 5])):
    print("- {object: %d, kind: %s, label: r%s}" % (r.randint(1, min(count, 10)), r.choice(["global", "vm"]), r.choice(["0", "1", "1+0x8", "2"])))
