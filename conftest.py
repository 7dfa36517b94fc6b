"""For all tests and doctests: they run side by side, so each takes one thread."""

import torch

torch.set_num_threads(1)
