"""A clip with the contributions of its stretches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._explanation import Explanation
from stf2m_sk.views import Views

__all__ = ["ClipSignal", "check_same", "clip_signal", "likeliest", "row_of", "terms_of"]


@dataclass(frozen=True, eq=False)
class ClipSignal:
    """One modality of a clip, and the contributions of its stretches.

    Parameters
    ----------
    values : array of shape (n_channels, n_frames)
        The signal; NaN where not measured.
    times : array of shape (n_frames,)
        Of the frames.
    edges : array of shape (n_stretches + 1,)
        Where stretches begin and end.
    contributions : array of shape (n_stretches,)
        Of the stretches; they sum to the contribution of the modality.
    channel_names : tuple of str
        Empty where unknown.
    unit : {"s", "frames"}
        Of `times` and `edges`.
    """

    values: NDArray[np.floating]
    times: NDArray[np.float64]
    edges: NDArray[np.float64]
    contributions: NDArray[np.float64]
    channel_names: tuple[str, ...]
    unit: str


def clip_signal(
    explanation: Explanation, views: Views, name: str, clip: int, place: int, n_stretches: int
) -> ClipSignal:
    """One modality of a clip, and its contributions to the output at a place."""
    sums = explanation.by_frame[name][clip, place]
    n_frames = len(sums)
    places = np.linspace(0, n_frames, min(n_stretches, n_frames) + 1).round().astype(int)
    rate = explanation.rates[name]
    is_there = name in views
    names = views.schema[name].channel_names if is_there else None
    return ClipSignal(
        values=np.array(views[name][clip]) if is_there else np.full((1, n_frames), np.nan),
        times=explanation.times(name),
        edges=places / (rate or 1.0),
        contributions=np.add.reduceat(sums, places[:-1]),
        channel_names=tuple(names or ()),
        unit="s" if rate else "frames",
    )


def terms_of(explanation: Explanation, clip: int, place: int) -> dict[str, float]:
    """All that the output at a place is the sum of, by name."""
    sums = zip(explanation.modalities, explanation.by_modality[clip, place], strict=True)
    return {name: float(value) for name, value in sums} | {
        "person": float(explanation.by_person[clip, place]),
        "networks": float(explanation.by_networks[clip, place]),
        "priors": float(explanation.by_prior[clip, place]),
    }


def row_of(clip: int, n_clips: int) -> int:
    """Place of a clip; a negative one counts from the end."""
    if not -n_clips <= clip < n_clips:
        raise ValueError(f"clip must be below {n_clips}, the number of clips, got {clip}")
    return int(clip) % n_clips


def likeliest(explanation: Explanation, clip: int) -> object:
    """Name of the output with the largest sum."""
    return explanation.names[int(explanation.total[clip].argmax())]


def check_same(views: Views, explanation: Explanation) -> None:
    """Refuse other clips than those that were explained."""
    if len(views) != len(explanation):
        raise ValueError(
            f"X has {len(views)} clips, but {len(explanation)} were explained: give the same"
        )
    for name in explanation.modalities:
        n_frames = explanation.frames[name].shape[2]
        found = views[name].shape[2] if name in views else None
        if found is not None and found != n_frames:
            raise ValueError(
                f"modality {name!r} of X has {found} frames, but {n_frames} were explained: give "
                "the clips as the steps before the classifier leave them"
            )
        if found is None and explanation.frames[name].any():
            raise ValueError(
                f"X has no modality {name!r}, which was explained; it has {list(views.names)}"
            )
