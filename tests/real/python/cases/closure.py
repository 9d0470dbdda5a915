"""Callbacks that are never called keep what they captured."""
CALLBACKS = []


def watch(i):
    document = bytearray(4000)

    def done():
        return document, i
    CALLBACKS.append(done)


def step(i):
    watch(i)
