"""Generators that were never finished keep their variables."""
PENDING = []


def stream():
    buffer = bytearray(4000)
    while True:
        yield len(buffer)


def step(i):
    g = stream()
    next(g)
    PENDING.append(g)
