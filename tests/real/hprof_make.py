#!/usr/bin/env python3
"""Makes small HPROF dumps: hprof_make.py KIND > FILE.  KIND: jvm4 (1.0.1, 4-byte ids, one HEAP_DUMP), jvm8 (1.0.2, segments),
late (jvm8, instances before classes), many (120,000 objects), apart (texts far from their strings, each of another trace),
jdk25 (a thread and its like), android (1.0.3), wrap OUT (a HEAP_DUMP of more than 2^32 bytes, sparse)."""
import struct
import sys

OBJECT, BOOLEAN, CHAR, BYTE, INT, LONG = 2, 4, 5, 8, 10, 11


class Dump:
    def __init__(self, version, id_size):
        self.id_size = id_size
        self.out = bytearray(b"JAVA PROFILE " + version + b"\0" + struct.pack(">IQ", id_size, 1700000000123))
        self.strings = {}
        self.serial = 0

    def id(self, value):
        return value.to_bytes(self.id_size, "big")

    def record(self, tag, body, length=None):
        self.out += struct.pack(">BII", tag, 0, len(body) if length is None else length) + body

    def string(self, text):
        if text not in self.strings:
            self.strings[text] = 0x5000 + len(self.strings)
            self.record(0x01, self.id(self.strings[text]) + text.encode())
        return self.id(self.strings[text])

    def load(self, address, name):
        self.serial += 1
        name = self.string(name)
        self.record(0x02, struct.pack(">I", self.serial) + self.id(address) + struct.pack(">I", 0) + name)

    def klass(self, address, superclass=0, statics=(), fields=(), size=0, loader=0, constants=()):
        body = b"\x20" + self.id(address) + struct.pack(">I", 0)
        body += self.id(superclass) + self.id(loader) + self.id(0) * 4 + struct.pack(">I", size)
        body += struct.pack(">H", len(constants)) + b"".join(struct.pack(">HB", i, OBJECT) + self.id(v) for i, v in constants)
        body += struct.pack(">H", len(statics)) + b"".join(self.string(n) + bytes([t]) + v for n, t, v in statics)
        body += struct.pack(">H", len(fields)) + b"".join(self.string(n) + bytes([t]) for n, t in fields)
        return body

    def instance(self, address, klass, data, trace=0):
        return b"\x21" + self.id(address) + struct.pack(">I", trace) + self.id(klass) + struct.pack(">I", len(data)) + data

    def objects(self, address, klass, items, trace=0):
        return b"\x22" + self.id(address) + struct.pack(">II", trace, len(items)) + self.id(klass) + b"".join(map(self.id, items))

    def array(self, address, kind, count, data, trace=0, tag=0x23):
        return bytes([tag]) + self.id(address) + struct.pack(">IIB", trace, count, kind) + data


def i32(value):
    return struct.pack(">i", value)


# Addresses of classes, as in a real dump those of the class objects.
C_OBJECT, C_CLASS, C_STRING, C_THREAD, C_REFERENCE, C_WEAK, C_NODE, C_NODES, C_BYTES = range(0x100, 0x190, 0x10)


def names(d, array="[Lapp/Node;", string="java/lang/String"):
    for address, name in ((C_OBJECT, "java/lang/Object"), (C_CLASS, "java/lang/Class"), (C_STRING, string),
                          (C_THREAD, "java/lang/Thread"), (C_REFERENCE, "java/lang/ref/Reference"),
                          (C_WEAK, "java/lang/ref/WeakReference"), (C_NODE, "app/Node"), (C_NODES, array)):
        d.load(address, name)


def classes(d, coder=True):
    text = [("value", OBJECT)] + ([("coder", BYTE)] if coder else []) + [("hash", INT)]
    return [
        d.klass(C_OBJECT),
        d.klass(C_CLASS, C_OBJECT),
        d.klass(C_STRING, C_OBJECT, fields=text, size=16),
        d.klass(C_THREAD, C_OBJECT, fields=[("tid", LONG), ("name", OBJECT)], size=24),
        d.klass(C_REFERENCE, C_OBJECT, fields=[("referent", OBJECT)], size=12),
        d.klass(C_WEAK, C_REFERENCE, fields=[("next", OBJECT)], size=16),
        d.klass(C_NODE, C_OBJECT, statics=[("head", OBJECT, d.id(0x1000)), ("count", INT, i32(7)), ("none", OBJECT, d.id(0))],
                fields=[("next", OBJECT), ("value", INT), ("text", OBJECT)], size=20, loader=0x1000),
        d.klass(C_NODES, C_OBJECT),
    ]


def text(d, address, chars, string, utf16=False, chars2=False):
    data = string.encode("utf-16-be" if chars2 else "utf-16-le" if utf16 else "latin-1")
    count = len(data) // 2 if chars2 else len(data)
    value = d.id(chars) + (b"" if chars2 else bytes([1 if utf16 else 0])) + i32(0)
    return [d.instance(address, C_STRING, value, 1), d.array(chars, CHAR if chars2 else BYTE, count, data)]


def heap(d, chars2=False):
    out = [
        d.instance(0x1000, C_NODE, d.id(0x1020) + i32(1) + d.id(0x1100), 1),
        d.instance(0x1020, C_NODE, d.id(0) + i32(2) + d.id(0), 2),
        d.objects(0x1040, C_NODES, [0x1000, 0, 0x1020, 0], 2),
        d.instance(0x1060, C_WEAK, d.id(0x1040) + d.id(0x1020)),
        d.instance(0x1080, C_THREAD, struct.pack(">q", 5) + d.id(0x1200)),
    ]
    out += text(d, 0x1100, 0x1120, "secret", chars2=chars2)
    out += text(d, 0x1140, 0x1160, "grüße", chars2=chars2)
    out += text(d, 0x1180, 0x11a0, "€ 😀 \ud800".encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"), True, chars2)
    out += text(d, 0x1200, 0x1220, "worker", chars2=chars2)
    out.append(d.array(0x1300, LONG, 3, bytes(24)))
    return out


def traces(d):
    d.record(0x04, d.id(0x9001) + d.string("make") + d.string("()V") + d.string("Node.java") + struct.pack(">Ii", 7, 42))
    d.record(0x04, d.id(0x9002) + d.string("main") + d.string("()V") + d.string("Node.java") + struct.pack(">Ii", 7, -3))
    d.record(0x05, struct.pack(">III", 1, 0, 0))
    d.record(0x05, struct.pack(">III", 2, 1, 2) + d.id(0x9001) + d.id(0x9002))


def roots(d):
    return [
        b"\x08" + d.id(0x1080) + struct.pack(">II", 1, 2),
        b"\x03" + d.id(0x1060) + struct.pack(">II", 1, 1),
        b"\x03" + d.id(0x1060) + struct.pack(">Ii", 1, -1),
        b"\x02" + d.id(0x1300) + struct.pack(">Ii", 1, 0),
        b"\x01" + d.id(0x1140) + d.id(0x77),
        b"\x05" + d.id(C_NODE),
        b"\x07" + d.id(0x1180),
        b"\x04" + d.id(0x1300) + struct.pack(">I", 1),
        b"\x06" + d.id(0x1300) + struct.pack(">I", 1),
        b"\xff" + d.id(0x1300),
    ]


def jvm4():
    d = Dump(b"1.0.1", 4)
    names(d)
    traces(d)
    body = classes(d, coder=False) + heap(d, chars2=True) + roots(d)
    d.record(0x0C, b"".join(body))
    return d.out


def jvm8(late=False):
    d = Dump(b"1.0.2", 8)
    names(d)
    traces(d)
    first, second = classes(d), heap(d)
    if late:
        first, second = list(reversed(second)), list(reversed(first))
    d.record(0x1C, b"".join(first))
    d.record(0x1C, b"".join(second))
    d.record(0x1C, b"".join(roots(d)))
    d.record(0x2C, b"")
    return d.out


def jdk25():
    """The fields that classes of JDK 25 have; GC.class_histogram says 112 bytes for a thread, 24 for a ResolvedMethodName, 312
    for a WorkQueue and 472 for a BufferedSubscription, and an object follows 2176 bytes after a StackChunk of 257 words."""
    d = Dump(b"1.0.2", 8)
    c_record, c_method, c_chunk, c_queue, c_subscription = range(0x200, 0x250, 0x10)
    names(d)
    d.load(c_chunk, "jdk/internal/vm/StackChunk")
    d.load(c_queue, "java/util/concurrent/ForkJoinPool$WorkQueue")
    d.load(c_subscription, "java/util/concurrent/SubmissionPublisher$BufferedSubscription")
    d.load(c_record, "java/lang/Record")
    d.load(c_method, "java/lang/invoke/ResolvedMethodName")
    objects = ("name contextClassLoader holder threadLocals inheritableThreadLocals scopedValueBindings interruptLock parkBlocker "
               "nioBlocker cont uncaughtExceptionHandler container headStackableScopes").split()
    thread = [(name, LONG) for name in ("eetop", "tid", "threadLocalRandomSeed")] + [("interrupted", BOOLEAN)]
    thread += [(name, INT) for name in ("threadLocalRandomProbe", "threadLocalRandomSecondarySeed")] + [(name, OBJECT) for name in objects]
    size = 3 * 8 + 1 + 2 * 4 + 8 * len(objects)
    body = [d.klass(C_OBJECT), d.klass(C_CLASS, C_OBJECT), d.klass(C_STRING, C_OBJECT), d.klass(c_record, C_OBJECT),
            d.klass(C_THREAD, C_OBJECT, fields=thread), d.klass(c_method, C_OBJECT, fields=[("vmholder", OBJECT)]),
            d.instance(0x1000, C_THREAD, bytes(size)), d.instance(0x2000, c_method, d.id(C_THREAD))]
    fields = {
        c_chunk: ["parent", "size sp bottom", ""],
        c_queue: ["owner array", "base config top phase stackPred source nsteals parking", ""],
        c_subscription: ["array subscriber onNextHandler executor waiter pendingError next nextRetry",
                         "head tail maxCapacity ctl waiting", "timeout demand"],
    }
    for place, (c, by_type) in enumerate(fields.items()):
        objects, ints, longs = map(str.split, by_type)
        described = [(n, t) for t, of in ((OBJECT, objects), (INT, ints), (LONG, longs)) for n in of]
        body.append(d.klass(c, C_OBJECT, fields=described))
        data = bytes(8 * len(objects)) + i32(257) + bytes(4 * len(ints) - 4 + 8 * len(longs))
        body.append(d.instance(0x10000 + 0x1000 * place, c, data))
    d.record(0x1C, b"".join(body))
    d.record(0x2C, b"")
    return d.out


def android():
    d = Dump(b"1.0.3", 4)
    names(d, "app.Node[]", "java.lang.String")
    traces(d)
    heap_name = {k: d.string(k) for k in ("app", "zygote")}
    c = classes(d, coder=False)
    body = [b"\xfe" + struct.pack(">I", ord("A")) + heap_name["app"]] + c + heap(d, chars2=True)
    body += [b"\xfe" + struct.pack(">I", ord("Z")) + heap_name["zygote"], d.array(0x2000, INT, 5, b"", tag=0xC3)]
    body += [bytes([tag]) + d.id(0x1300) for tag in (0x89, 0x8A, 0x8B, 0x8C, 0x8D)]
    body += [b"\x8e" + d.id(0x1300) + struct.pack(">II", 1, 0), b"\x90" + d.id(0x1160), b"\x05" + d.id(C_NODE)]
    d.record(0x1C, b"".join(body))
    d.record(0x2C, b"")
    return d.out


def many():
    d = Dump(b"1.0.2", 8)
    names(d)
    traces(d)
    d.record(0x1C, b"".join(classes(d) + heap(d)))
    first, step, size = 0x100000, 0x100, 30000 * 0x100
    for start in range(first, first + size, 0x100000):
        body = []
        for at in range(start, min(start + 0x100000, first + size), step):
            body.append(d.instance(at, C_NODE, d.id(at - step if at > first else 0) + i32(at) + d.id(at + 0x40), at % 3))
            body += text(d, at + 0x40, at + 0x80, "text %d" % (at * 7919 % 10007), utf16=at % 5 == 0)
            body.append(d.objects(at + 0xc0, C_NODES, [at, 0, first + (at * 17 % size & -step)]))
        d.record(0x1C, b"".join(body))
    d.record(0x1C, b"".join(roots(d)))
    d.record(0x2C, b"")
    return d.out


def apart():
    d = Dump(b"1.0.2", 8)
    names(d)
    traces(d)
    count, first = 40000, 0x100000
    for i in range(count):
        d.record(0x05, struct.pack(">III", 3 + i, 1, 1) + d.id(0x9001 + i % 2))
    d.record(0x1C, b"".join(classes(d) + heap(d)))
    strings, arrays = [], []
    for i in range(count):
        both = text(d, first + i * 0x100, first + (i * 7919 % count) * 0x100 + 0x80, "text %d %s" % (i, "x" * 200))
        strings.append(both[0][:9] + struct.pack(">I", 3 + i * 31 % count) + both[0][13:])
        arrays.append((i * 7919 % count, both[1]))
    d.record(0x1C, b"".join(strings))
    d.record(0x1C, b"".join(array for _, array in sorted(arrays)))
    d.record(0x1C, b"".join(roots(d)))
    d.record(0x2C, b"")
    return d.out


def empty():
    d = Dump(b"1.0.2", 8)
    names(d)
    d.record(0x1C, b"".join(classes(d) + text(d, 0x5000, 0x5080, "") + text(d, 0x5100, 0x5180, "")))
    d.record(0x2C, b"")
    return d.out


def wrap(path):
    d = Dump(b"1.0.1", 8)
    names(d)
    start = b"".join(classes(d) + heap(d))
    big = struct.pack(">IIB", 0, 1 << 29, LONG)
    holes = 8 << 29
    rest = b"".join(roots(d))
    body = len(start) + 1 + 8 + len(big) + holes + len(rest)
    d.record(0x0C, b"", length=body % (1 << 32))
    with open(path, "wb") as f:
        f.write(d.out + start + b"\x23" + d.id(0x100000) + big)
        f.seek(holes, 1)
        f.write(rest)
        f.write(struct.pack(">BII", 0x2C, 0, 0))


if __name__ == "__main__":
    kind = sys.argv[1]
    if kind == "wrap":
        wrap(sys.argv[2])
    else:
        sys.stdout.buffer.write(jvm8(late=True) if kind == "late" else globals()[kind]())
