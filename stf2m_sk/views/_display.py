"""How Views show themselves, as text and as a table."""

from html import escape

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.views._schema import Modality, ViewSchema


def summary(schema: ViewSchema, arrays: dict[str, NDArray]) -> str:
    """Return one line: clips, modalities and the share of values that were not measured."""
    modalities = ", ".join(map(str, schema))
    return f"Views({_count_clips(arrays)}: {modalities}; {_share_missing(*arrays.values())})"


def html_table(schema: ViewSchema, arrays: dict[str, NDArray]) -> str:
    """Return a small table with a row for each modality."""
    heads = ("modality", "channels", "time steps", "rate", "values")
    rows = [_cells(modality, arrays[modality.name]) for modality in schema]
    body = "".join(f"<tr>{_tagged('td', row)}</tr>" for row in rows)
    return (
        f"<table><caption>Views: {_count_clips(arrays)}</caption>"
        f"<thead><tr>{_tagged('th', heads)}</tr></thead><tbody>{body}</tbody></table>"
    )


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


def _cells(modality: Modality, array: NDArray) -> tuple[str, ...]:
    channels = str(modality.n_channels)
    if modality.channel_names is not None:
        channels += f" ({', '.join(modality.channel_names)})"
    rate = "unknown" if modality.rate is None else f"{modality.rate:g} Hz"
    return modality.name, channels, str(modality.n_timesteps), rate, _share_missing(array)


def _tagged(tag: str, texts: tuple[str, ...]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)
