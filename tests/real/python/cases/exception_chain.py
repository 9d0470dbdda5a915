"""The last error is kept, and each was raised from the one before."""
LAST = None


class Retry(Exception):
    pass


def attempt():
    blob = bytearray(8000)
    raise Retry(len(blob)) from LAST


def step(i):
    global LAST
    try:
        attempt()
    except Retry as e:
        LAST = e
