"""Memory that C hands out through ctypes, and nobody gives back."""
import ctypes

malloc = ctypes.CDLL(None).malloc
malloc.restype, malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]


def step(i):
    malloc(5000)
