"""What `load_stress` and its like return: a Bunch that shows itself in a few lines."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from sklearn.utils import Bunch

from stf2m_sk.views import Views

__all__ = ["Dataset"]

_MOST_VALUES = 4  # different labels or people that are named
_MOST_CHARACTERS = 72  # of what an attribute holds


class Dataset(Bunch):
    """A Bunch: attributes are entries. Only what it prints is its own.

    Parameters
    ----------
    **entries
        Views, arrays and text by name.

    Examples
    --------
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> make_emotion_views(n_people=3, random_state=0)
    Dataset:
      views         72 clips: motion, skin, pulse, voice
      target        72 labels, 4 different: emotion_0, emotion_1, emotion_2, emotion_3
      target_names  4 labels, 4 different: emotion_0, emotion_1, emotion_2, emotion_3
      groups        72 labels, 3 different: person_0, person_1, person_2
      ambiguity     float64 array of shape (72, 4)
      DESCR         text of 230 characters
    """

    def __repr__(self) -> str:
        width = max(map(len, self), default=0)
        rows = (f"\n  {name:{width}}  {_described(value)}" for name, value in self.items())
        return f"Dataset:{''.join(rows)}"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(_described(value))}</td></tr>"
            for name, value in self.items()
        )
        return (
            "<table><caption>Dataset</caption><thead><tr><th>attribute</th><th>what it holds</th>"
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )


def _described(value: object) -> str:
    """What an attribute holds, on one line."""
    if isinstance(value, Views):
        text = f"{len(value)} clips: {', '.join(value.names)}"
    elif isinstance(value, np.ndarray):
        text = _labels(value) if value.dtype.kind in "OSU" else _numbers(value)
    elif isinstance(value, str):
        text = f"text of {len(value)} characters"
    elif isinstance(value, Mapping):
        text = f"dict of {', '.join(map(str, value)) or 'nothing'}"
    else:
        text = " ".join(repr(value).split())
    return text if len(text) <= _MOST_CHARACTERS else f"{text[: _MOST_CHARACTERS - 4]} ..."


def _labels(labels: np.ndarray) -> str:
    different = list(dict.fromkeys(map(str, labels.ravel().tolist())))
    named = ", ".join(sorted(different)[:_MOST_VALUES])
    more = ", ..." if len(different) > _MOST_VALUES else ""
    return f"{labels.size} labels, {len(different)} different: {named}{more}"


def _numbers(values: np.ndarray) -> str:
    return f"{values.dtype} array of shape {values.shape}"
