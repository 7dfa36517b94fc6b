"""How much modalities contribute, and clips without some of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stf2m_sk.inspection._displays._people import person_rows
from stf2m_sk.inspection._explain import explain
from stf2m_sk.views import Views, as_views

__all__ = ["contribution_sizes", "without_modalities"]


def without_modalities(views: Views, names: tuple[str, ...]) -> Views:
    """The same clips, some of their modalities not measured."""
    arrays = {
        name: np.full_like(array, np.nan) if name in names else array
        for name, array in views.to_dict().items()
    }
    return as_views(arrays, views.schema)


def contribution_sizes(classifier: Any, views: Views, people: NDArray) -> NDArray[np.float64]:
    """Mean absolute contribution of each person's clips, (n_people, n_modalities)."""
    sums = explain(classifier, views).by_modality
    # A logit means something beside the others only.
    sizes = np.abs(sums - sums.mean(axis=1, keepdims=True)).mean(axis=1)
    return np.stack([sizes[rows].mean(axis=0) for rows in person_rows(people)])
