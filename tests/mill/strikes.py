"""What test_alone.py has a worker process do; a module of its own, which that process can import."""

import ctypes
import os
import time

from versemill.errors import AssetError, ConfigError


def strike(kind):
    """Runs in the worker."""
    if kind == "hang":
        ctypes.PyDLL(None).sleep(1000)
    if kind == "program":
        os.system("sleep 1000")
    if kind == "memory":
        hoard = [bytearray(b"x" * 2**24) for _ in range(200)]
        time.sleep(60)
        return len(hoard)
    if kind == "abort":
        os.abort()
    if kind == "refuse":
        raise AssetError("bad", "no good")
    if kind == "mistake":
        raise ConfigError("wrong")
    return os.getpid()
