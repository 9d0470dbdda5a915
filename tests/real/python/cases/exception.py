"""Errors are collected for a report; each keeps its traceback, its frames, and their local variables."""
ERRORS = []


def parse(i):
    big = bytearray(60000)
    raise ValueError("line %d of %d bytes" % (i, len(big)))


def step(i):
    try:
        parse(i)
    except ValueError as e:
        ERRORS.append(e)
