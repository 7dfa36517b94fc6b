"""How Views show themselves, as text and as a table."""

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.views._html import HEADS, cells, table
from stf2m_sk.views._schema import ViewSchema


def summary(schema: ViewSchema, arrays: dict[str, NDArray]) -> str:
    """Return one line: clips, modalities and the share of values that were not measured."""
    modalities = ", ".join(map(str, schema))
    return f"Views({_count_clips(arrays)}: {modalities}; {_share_missing(*arrays.values())})"


def html_table(schema: ViewSchema, arrays: dict[str, NDArray]) -> str:
    """Return a small table with a row for each modality."""
    rows = [(*cells(modality), _share_missing(arrays[modality.name])) for modality in schema]
    return table(f"Views: {_count_clips(arrays)}", (*HEADS, "values"), rows)


def _count_clips(arrays: dict[str, NDArray]) -> str:
    n_clips = len(next(iter(arrays.values())))
    return "1 clip" if n_clips == 1 else f"{n_clips} clips"


def _share_missing(*arrays: NDArray) -> str:
    n_missing = sum(np.count_nonzero(np.isnan(array)) for array in arrays)
    if n_missing == 0:
        return "all measured"
    percent = 100 * n_missing / sum(array.size for array in arrays)
    # A share that is not zero never reads as zero.
    return "< 0.1 % not measured" if percent < 0.1 else f"{percent:.1f} % not measured"
