"""Parent and child refer to each other; the collector is off, or has not come yet."""
COLLECTED = False


class Node:
    def __init__(self):
        self.payload = bytearray(4000)
        self.child = Child(self)


class Child:
    def __init__(self, parent):
        self.parent = parent


def step(i):
    Node()
