"""From a population and a support to the state of every class."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.meta_rnn import Classes
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.views import Views

__all__ = [
    "Support",
    "embed_parts",
    "embed_views",
    "join_labels",
    "knowledge_of",
    "merge",
    "read_support",
]

_CLIPS_AT_ONCE = 512  # bounds the memory of a prediction, whatever the number of clips


class Support(NamedTuple):
    """Labelled clips of a person, as they are remembered.

    Attributes
    ----------
    embeddings : float64 array of shape (n_support, n_columns)
        Embeddings, and behind them what is novel.
    labels : array of shape (n_support,)
        Their labels.
    """

    embeddings: NDArray[np.float64]
    labels: NDArray


def merge(old: Support | None, new: Support) -> Support:
    """Put two supports together, in an order that does not depend on the order of arrival.

    Sums over a support are then the same, to rounding, in whatever parts it came.
    """
    if old is not None:
        embeddings = np.concatenate([old.embeddings, new.embeddings])
        new = Support(embeddings, join_labels([old.labels, new.labels]))
    _, codes = np.unique(new.labels, return_inverse=True)
    # Any order will do that the clips alone decide. Their first value is quickly compared, and
    # rounding hardly moves it; bytes decide where it is the same.
    first = new.embeddings[:, 0].tolist()
    rows = [row.tobytes() for row in new.embeddings]
    order = sorted(range(len(codes)), key=lambda i: (codes[i], first[i], rows[i]))
    return Support(new.embeddings[order], new.labels[order])


def join_labels(parts: list[NDArray]) -> NDArray:
    """Concatenate labels without changing what they are.

    Raises
    ------
    TypeError
        If text would be joined with numbers: NumPy would turn the numbers into text.
    """
    values = [value for part in parts for value in part.tolist()]
    if len({isinstance(value, str) for value in values}) > 1:
        kinds = " and ".join(sorted({str(part.dtype) for part in parts}))
        raise TypeError(f"Labels of {kinds} cannot be mixed; give all as text or all as numbers.")
    joined = np.concatenate(parts)
    # NumPy turns large integers into floats when it joins them with some other types.
    return joined if joined.tolist() == values else np.array(values, dtype=object)


def embed_views(module: STF2MModule, views: Views, device: torch.device) -> Tensor:
    """Embeddings of clips, on the CPU, in the dtype of the views.

    Parameters
    ----------
    module : STF2MModule
        Trained network, in float32; float64 views are computed in float64 by a copy.
    views : Views
        Clips with the modalities of the network.
    device : torch.device
        Where the module is.

    Returns
    -------
    Tensor of shape (n_clips, n_columns)
        Embeddings, and behind them what is novel: see `STF2MModule.read`.
    """
    return torch.cat(list(embed_parts(module, views, device)))


@torch.no_grad()
def embed_parts(module: STF2MModule, views: Views, device: torch.device) -> Iterator[Tensor]:
    """As `embed_views`, part by part: for those who need not hold all embeddings at once."""
    dtype = torch.float64 if views.dtype == np.float64 else torch.float32
    if dtype == torch.float64:
        module = copy.deepcopy(module).double()
    for start in range(0, views.n_clips, _CLIPS_AT_ONCE):
        part = views[start : start + _CLIPS_AT_ONCE]
        # Other strides, as of a DataFrame's columns, would give other last bits.
        arrays = [np.ascontiguousarray(part[name]) for name in part.names]
        signals = [torch.tensor(array, dtype=dtype, device=device) for array in arrays]
        yield module.read(signals).cpu()


def read_support(
    module: STF2MModule,
    population: MetaKnowledge,
    population_classes: NDArray,
    support: Support | None,
    classes: NDArray,
    *,
    support_weight: float = 1.0,
) -> Classes:
    """State of every class, in float64.

    Parameters
    ----------
    module : STF2MModule
        Trained network.
    population : MetaKnowledge
        Of all classes of the population, float64, on the CPU.
    population_classes : array
        Labels of its columns, sorted.
    support : Support or None
        Labelled clips; None for zero shots.
    classes : array of shape (n_classes,)
        Labels to answer with.
    support_weight : float, default=1.0
        Factor of the learned weight of a support clip.

    Returns
    -------
    Classes
        Ready for query embeddings.
    """
    learner = copy.deepcopy(module.learner).cpu().double()
    knowledge = knowledge_of(population, population_classes, classes)
    n_embedding = module.embedding_size + sum(module.novelty_sizes)
    if support is None:
        embeddings = torch.zeros(0, n_embedding, dtype=torch.float64)
        membership = torch.zeros(0, len(classes), dtype=torch.float64)
    else:
        embeddings = torch.from_numpy(support.embeddings)
        membership = torch.from_numpy(support.labels[:, None] == classes).double()
    weights = torch.ones(len(embeddings), dtype=torch.float64)
    with torch.no_grad():
        learner.log_support_weight.add_(math.log(support_weight))
        ridge = module.ridge(n_support=len(embeddings)).cpu().double()
        return learner(knowledge, ridge, embeddings, membership, weights)


def knowledge_of(
    population: MetaKnowledge, population_classes: NDArray, classes: NDArray
) -> MetaKnowledge:
    """What the population says of some classes; those that it has not are unknown.

    Parameters
    ----------
    population : MetaKnowledge
        Of all classes of the population.
    population_classes : array
        Labels of its columns, sorted.
    classes : array of shape (n_classes,)
        Labels that are asked about.

    Returns
    -------
    MetaKnowledge
        Its columns are `classes`.
    """
    place = np.searchsorted(population_classes, classes).clip(0, len(population_classes) - 1)
    known = torch.from_numpy(population_classes[place] == classes).double()
    columns = torch.from_numpy(place)
    return population._replace(
        evidence=population.evidence[:, columns] * known,
        prototypes=population.prototypes[columns] * known[:, None],
        known=known,
    )
