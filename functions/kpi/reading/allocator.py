"""Give freed memory back at once, so that the peak follows the size of a batch and not the number of batches.

Import it before polars, whose allocator reads its settings when it is loaded. Python's objects and buffers come
from the C library: with a threshold of its own it also stops raising the size from which blocks are given back whole.
"""

import ctypes
import os
from contextlib import suppress

OF_POLARS = "_RJEM_MALLOC_CONF"
M_TRIM_THRESHOLD = -1  # malloc.h of glibc
KEPT_BYTES = 1 << 16

# The last of several settings counts; polars leaves its own to child processes.
os.environ[OF_POLARS] = f"{os.environ.get(OF_POLARS, '')},dirty_decay_ms:0,muzzy_decay_ms:0".lstrip(",")
with suppress(AttributeError, OSError, TypeError):  # other C libraries have no such call
    ctypes.CDLL(None).mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
