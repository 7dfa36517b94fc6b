"""A warning where clips are unlike anything that a classifier was trained on."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from stf2m_sk.fitted import Answers

__all__ = ["UNLIKE", "UnlikeClipsWarning", "warn_of_unlike"]

# Times the usual variance. No clean clip of 79 new people of three recordings has as much.
UNLIKE = 2.0


class UnlikeClipsWarning(UserWarning):
    """Clips are unlike anything that the classifier was trained on."""


def warn_of_unlike(answers: Answers, modalities: Sequence[str]) -> None:
    """Warn once if there are clips that a classifier should not be asked about.

    Parameters
    ----------
    answers : Answers
        Of a model.
    modalities : sequence of str
        Their names.

    Warns
    -----
    UnlikeClipsWarning
        With the number of such clips, the first of them, and the modalities that are off.
    """
    odd = answers.off.any(1) | (answers.unlikeness > UNLIKE)
    if not odd.any():
        return
    counts = answers.off.sum(0).tolist()
    off = [f"{name!r} in {n}" for name, n in zip(modalities, counts, strict=True) if n]
    where = (
        f"Off: {', '.join(off)} of them (hardly moves, or lies far from all training clips)."
        if off
        else "No modality is off by itself."
    )
    warnings.warn(
        f"{int(odd.sum())} of {len(odd)} clip(s) are unlike anything that this classifier was "
        f"trained on, the first is clip {int(odd.int().argmax())}. {where} Look at the sensors, "
        "units and filters; see stf2m_sk.inspection.unlikeness.",
        UnlikeClipsWarning,
        stacklevel=4,  # the caller of predict_proba
    )
