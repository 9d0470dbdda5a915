#!/usr/bin/env python3
"""Counts what an HPROF file with 8-byte ids has, without any of our code: hprof_count.py FILE types|references|roots."""
import struct
import sys
from collections import Counter

SIZES = {2: 8, 4: 1, 5: 2, 6: 4, 7: 8, 8: 1, 9: 2, 10: 4, 11: 8}
NAMES = {4: "boolean", 5: "char", 6: "float", 7: "double", 8: "byte", 9: "short", 10: "int", 11: "long"}
LETTERS = dict(Z="boolean", B="byte", C="char", S="short", I="int", J="long", F="float", D="double")
ROOTS = {0xFF: "unknown", 1: "JNI global", 2: "JNI local", 3: "Java frame", 4: "native stack", 5: "system class",
         6: "thread block", 7: "monitor", 8: "thread"}
ROOT_SIZES = {0xFF: 8, 1: 16, 2: 16, 3: 16, 4: 12, 5: 8, 6: 12, 7: 8, 8: 16}
WEAK = {"java.lang.ref.SoftReference": "soft", "java.lang.ref.WeakReference": "weak",
        "java.lang.ref.PhantomReference": "phantom", "java.lang.ref.FinalReference": "final"}


def pretty(name):
    depth = len(name) - len(name.lstrip("["))
    name = name[depth:]
    if depth:
        name = LETTERS.get(name) or name[1:-1]
    return name.replace("/", ".").replace("+0x", "/0x") + "[]" * depth


class Counted:
    def __init__(self, data):
        self.data = data
        self.strings, self.class_names, self.classes = {}, {}, {}
        self.instances, self.arrays, self.primitives = [], [], []
        self.ids, self.roots = set(), Counter()
        at = data.index(b"\0") + 13
        while at < len(data):
            tag, _, length = struct.unpack_from(">BII", data, at)
            at += 9
            if tag == 1:
                self.strings[self.u8(at)] = data[at + 8:at + length].decode("utf-8", "surrogateescape")
            elif tag == 2:
                self.class_names[self.u8(at + 4)] = self.u8(at + 16)
            elif tag in (0x0C, 0x1C):
                self.heap(at, at + length)
            at += length

    def u8(self, at):
        return struct.unpack_from(">Q", self.data, at)[0]

    def heap(self, at, end):
        unpack, data = struct.unpack_from, self.data
        while at < end:
            tag = data[at]
            at += 1
            if tag == 0x21:
                address, _, klass, length = unpack(">QIQI", data, at)
                self.ids.add(address)
                self.instances.append((klass, at + 24))
                at += 24 + length
            elif tag == 0x22:
                address, _, count, klass = unpack(">QIIQ", data, at)
                self.ids.add(address)
                self.arrays.append((klass, at + 24, count))
                at += 24 + 8 * count
            elif tag == 0x23:
                address, _, count, kind = unpack(">QIIB", data, at)
                self.ids.add(address)
                self.primitives.append(kind)
                at += 17 + SIZES[kind] * count
            elif tag == 0x20:
                at = self.klass(at)
            else:
                self.roots[ROOTS[tag]] += 1
                at += ROOT_SIZES[tag]

    def klass(self, at):
        address, _, superclass, *held = struct.unpack_from(">QIQQQQ", self.data, at)
        self.ids.add(address)
        at += 8 + 4 + 48 + 4
        statics, fields = [], []
        for part in range(3):
            count = struct.unpack_from(">H", self.data, at)[0]
            at += 2
            for _ in range(count):
                at += 2 if part == 0 else 8
                kind = self.data[at]
                at += 1
                if part == 2:
                    fields.append((self.strings[self.u8(at - 9)], kind))
                    continue
                if kind == 2:
                    statics.append(("internal" if part == 0 else "static", self.u8(at)))
                at += SIZES[kind]
        statics += [("internal", h) for h in [superclass, *held]]
        self.classes[address] = (superclass, statics, fields)
        return at

    def name(self, klass):
        return pretty(self.strings[self.class_names[klass]])

    def types(self):
        count = Counter(self.name(k) for k, _ in self.instances)
        count.update(self.name(k) for k, _, _ in self.arrays)
        count.update(NAMES[k] + "[]" for k in self.primitives)
        count["java.lang.Class"] += len(self.classes)
        return count

    def chain(self, klass):
        while klass:
            yield klass
            klass = self.classes[klass][0]

    def slots(self, klass):
        """Offset and kind of each reference of an instance."""
        weak = next((WEAK[self.name(k)] for k in self.chain(klass) if self.name(k) in WEAK), "weak")
        at, out = 0, []
        for k in self.chain(klass):
            for name, kind in self.classes[k][2]:
                if kind == 2:
                    referent = name == "referent" and self.name(k) == "java.lang.ref.Reference"
                    out.append((at, weak if referent else "field"))
                at += SIZES[kind]
        return out

    def references(self):
        count, ids, slots, data = Counter(), self.ids, {}, self.data
        known = {self.name(k) for k in self.classes}
        for klass, at in self.instances:
            if klass not in slots:
                slots[klass] = self.slots(klass)
            for offset, kind in slots[klass]:
                if self.u8(at + offset) in ids:
                    count[kind] += 1
        for klass, at, n in self.arrays:
            count["element"] += sum(v in ids for v in struct.unpack_from(">%dQ" % n, data, at))
        for _, statics, _ in self.classes.values():
            for kind, target in statics:
                if target in ids:
                    count[kind] += 1
        count["class"] = len(self.instances) + sum(k in ids for k, _, _ in self.arrays) + len(self.classes)
        count["class"] += sum(NAMES[k] + "[]" in known for k in self.primitives)
        return count


counted = Counted(open(sys.argv[1], "rb").read())
result = {"types": counted.types, "references": counted.references, "roots": lambda: counted.roots}[sys.argv[2]]()
for name in sorted(result):
    if result[name]:
        print(f"{result[name]}\t{name}")
