"""The commands: the edge that reads the clock, prints, and exits; what they do is done elsewhere."""

import gc
import os

# Starting up makes a few million objects that stay; to look through them for cycles at every 700 new ones, as Python
# does unless told otherwise, took 0.4 of the 6 CPU seconds of a small night.
gc.set_threshold(50_000, 20, 50)

# Whatever multiplies matrices here asks for one thread; to start OpenBLAS's others takes 0.04 s of every process.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
