#!/usr/bin/env python3
"""random_heap.py OBJECTS SEED: YAML of a heap with all that a snapshot can hold, for snap-make."""
import random
import sys

objects, seed = int(sys.argv[1]), int(sys.argv[2])
r = random.Random(seed)
out = ["snapshot: 1", 'properties: {program: "random", seed: "%d"}' % seed, "threads:"]
out += ['  %d: {id: %d, name: "thread %d"}' % (i, 1000 + 7 * i, i) for i in range(1, 9)]
out.append("types:")
out += ['  %d: {name: "Type%d", kind: %s}' % (i, i, r.choice(("object", "array", "string", "native", "15")))
        for i in range(1, 41)]
out.append("frames:")
out += ['  %d: {function: "function_%d", file: "file%d.c", line: %d}' % (i, i, i % 37, r.randrange(1, 5000))
        for i in range(1, 401)]
out.append("stacks:")
stacks = set()
while len(stacks) < 2000:
    stack = "{frame: %d, parent: %d}" % (r.randrange(1, 401), r.randrange(max(0, len(stacks) - 300), len(stacks) + 1))
    if stack not in stacks:
        stacks.add(stack)
        out.append("  %d: %s" % (len(stacks), stack))
out.append("contents:")
out += ["  %d: {length: %d, hash: 0x%x}" % (i, i * i, r.getrandbits(64)) for i in range(1, 301)]
ids = sorted(r.sample(range(1, objects * 12), objects))
ids = [0x7f0000000000 + 16 * i for i in ids]
shapes = [[r.choice(("field", "local", "weak", "17")) for _ in range(r.randrange(5))] for _ in range(60)]
sizes = [16 * r.randrange(1, 1 << 26) for _ in range(200)]
out.append("objects:")
for n, address in enumerate(ids):
    shape = min(r.randrange(60), r.randrange(60))
    line = ["id: 0x%x" % address, "type: %d" % (1 + shape % 40), "size: %d" % (r.choice(sizes) if shape % 2 else 16 * r.randrange(1, 1 + 2 ** (shape % 9)))]
    if shape % 3:
        line.append("stack: %d" % r.randrange(1, 2001))
    if shape % 5 == 0:
        line.append("thread: %d" % r.randrange(1, 9))
    if shape % 7 == 0:
        line.append('name: "object %d"' % (n // 3))
    if shape % 11 == 0:
        line.append("content: %d" % r.randrange(1, 301))
    if shape % 13 == 0:
        line.append("generation: %d" % r.randrange(3))
    if shape % 17 == 0:
        line.append("flags: [%s]" % r.choice(("older", "detached", "attached, uncollectable")))
    line.append("birth_serial: %d" % (n + 1 + r.randrange(3)))
    line.append("birth_time: %d" % (1767323045000000000 + 1000003 * n))
    near = lambda: ids[min(len(ids) - 1, max(0, n + int(r.gauss(0, 50))))]
    references = ['{%s: "slot%d", to: 0x%x}' % (kind, i, near()) for i, kind in enumerate(shapes[shape])]
    if shape % 6 == 1:
        references += ["{element: %d, to: 0x%x}" % (i, near()) for i in range(r.randrange(6))]
    if shape % 6 == 2:
        references += ["{value: {object: 0x%x}, to: 0x%x}" % (near(), near()) for i in range(r.randrange(4))]
    if n % 1000 == 0:
        references.append('{field: "lost", to: 0x1}')
    tail = ", references: [\n    " + ",\n    ".join(references) + "]" if references else ""
    out.append("- {" + ", ".join(line) + tail + "}")
for n in range(200):
    out.append("- {type: %d, size: %d, count: %d, stack: %d, domain: %d}"
               % (r.randrange(1, 41), 2 ** r.randrange(20), r.randrange(1, 10000), r.randrange(1, 2001), r.randrange(4)))
out.append("roots:")
for n in range(500):
    out.append('- {object: 0x%x, kind: %s, label: "root %d", thread: %d, stack: %d}'
               % (r.choice(ids), r.choice(("global", "stack", "handle", "99")), n % 20, r.randrange(9), r.randrange(2001)))
out.append("timeline:")
out += ["- {time: %d, bytes: %d, count: %d, resident: %d}"
        % (1767323045000000000 + n * 10**9, n * n * 1000, n * 30, 4096 * n) for n in range(3000)]
print("\n".join(out))
