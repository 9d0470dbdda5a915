"""A C extension forgets a Py_DECREF."""
import forgetful


class Row:
    def __init__(self, i):
        self.cells = [i] * 100


def step(i):
    forgetful.keep(Row(i))
