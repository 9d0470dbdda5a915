"""A finaliser brings its object back, into a list that nobody empties."""
import gc

RESURRECTED = []


class Resource:
    def __init__(self):
        self.me = self
        self.payload = bytearray(4000)

    def __del__(self):
        RESURRECTED.append(self)


def step(i):
    Resource()
    gc.collect()
