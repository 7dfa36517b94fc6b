"""For all tests and doctests: they run side by side, so each takes one thread."""

import os

import torch

# numba, which aeon brings, sets the number of OpenMP threads for all, torch included.
os.environ["NUMBA_NUM_THREADS"] = "1"
torch.set_num_threads(1)
