"""All episodes of a fold answered together, where people share the weights."""

from __future__ import annotations

import copy
import math
import time
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from stf2m_sk._validation import torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._fitting import Signals
from stf2m_sk.model_selection._scoring import Answer
from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.meta_rnn import Classes, MetaRecurrentLearner
from stf2m_sk.personalisation import join_labels, knowledge_of

__all__ = ["answer_batch", "can_batch"]

_EPISODES_AT_ONCE = 64  # bounds the memory, whatever the number of episodes


def can_batch(classifier: Any) -> bool:
    """Whether `answer_batch` knows the classifier; not a subclass, which may answer otherwise."""
    return type(classifier) is STF2MClassifier


def answer_batch(
    fitted: STF2MClassifier, signals: Signals, told: list[NDArray], episodes: list[Episode]
) -> list[Answer]:
    """Embed each clip once, and solve many episodes at once.

    Parameters
    ----------
    fitted : STF2MClassifier
        Fitted on the population; it is not changed.
    signals : Signals
        Clips as it takes them.
    told : list of array of shape (n_support,)
        Labels of each episode's support, in its order.
    episodes : list of Episode
        What to answer.

    Returns
    -------
    list of Answer
        In the order of the episodes; those of ``fitted.predict_proba(query)`` with 0 shots and
        of ``fitted.adapt(support).predict_proba(query)`` with more, to rounding.

    Raises
    ------
    TypeError, ValueError
        As `STF2MClassifier.adapt` and `STF2MClassifier.predict_proba`.

    Notes
    -----
    One factorisation of the population serves all episodes, since the episodes' classes are
    answered independently of each other: every episode is solved for the classes of all, and
    keeps its own. Shorter supports are filled up with clips of weight 0.
    """
    start = time.perf_counter()
    rows = np.unique(np.concatenate([np.r_[one.support, one.query] for one in episodes]))
    views = fitted._as_fitted(signals.take(rows))
    answers: dict[int, Answer] = {}
    with torch_threads(fitted.n_threads), torch.no_grad():
        embedded = _Embedded(fitted._embed(views), rows)
        reader = _Reader.of(fitted, told)
        shared = (time.perf_counter() - start) / len(episodes)
        for places in _parts(episodes):
            part = [episodes[i] for i in places], [told[i] for i in places]
            answered = _answer_part(reader, embedded, *part, shared)
            answers.update(zip(places, answered, strict=True))
    return [answers[i] for i in range(len(episodes))]


class _Embedded(NamedTuple):
    """Embeddings of the clips in `rows`, which are sorted rows of X."""

    embeddings: torch.Tensor
    rows: NDArray[np.intp]

    def padded(self, wanted: list[NDArray[np.intp]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Embeddings (n_episodes, n_most, size), and (n_episodes, n_most) 1 where there are any."""
        n_most = max(map(len, wanted))
        places = np.zeros((len(wanted), n_most), dtype=np.intp)
        is_there = np.arange(n_most) < np.array([len(own) for own in wanted])[:, None]
        places[is_there] = np.searchsorted(self.rows, np.concatenate(wanted))
        return self.embeddings[torch.from_numpy(places)], torch.from_numpy(is_there)


class _Reader(NamedTuple):
    """What reads a support, as `stf2m_sk.personalisation.read_support` does: float64, on the CPU.

    Attributes
    ----------
    fitted : STF2MClassifier
        Fitted on the population.
    learner : MetaRecurrentLearner
        Its own, copied.
    ridge : Tensor
        For `learner`.
    classes : array
        Of all supports, sorted.
    knowledge : MetaKnowledge
        What the population says of `classes`.
    """

    fitted: STF2MClassifier
    learner: MetaRecurrentLearner
    ridge: torch.Tensor
    classes: NDArray
    knowledge: MetaKnowledge

    @classmethod
    def of(cls, fitted: STF2MClassifier, told: list[NDArray]) -> _Reader:
        supported = np.concatenate(told)
        join_labels([fitted.population_classes_, supported])  # text and numbers: an error
        module = fitted.net_.module_
        learner = copy.deepcopy(module.learner).cpu().double()
        learner.log_support_weight.add_(math.log(fitted.support_weight))
        classes = np.unique(supported)
        knowledge = knowledge_of(fitted._population, fitted.population_classes_, classes)
        ridge = module.ridge(n_support=max(map(len, told))).cpu().double()
        return cls(fitted, learner, ridge, classes, knowledge)

    def read(
        self, embedded: _Embedded, supports: list[NDArray[np.intp]], told: list[NDArray]
    ) -> Classes:
        """The state of all classes in each episode."""
        support, is_there = embedded.padded(supports)
        codes = torch.full(is_there.shape, -1)
        own = np.searchsorted(self.classes, np.concatenate(told))
        codes[is_there] = torch.from_numpy(own)
        membership = (codes[..., None] == torch.arange(len(self.classes))).double()
        weights = is_there.double()
        return self.learner(self.knowledge, self.ridge, support.double(), membership, weights)


def _parts(episodes: list[Episode]) -> list[list[int]]:
    """Places of episodes that are answered at once: without support, or of like size."""
    order = sorted(range(len(episodes)), key=lambda i: len(episodes[i].support))
    bare = [i for i in order if not len(episodes[i].support)]
    return [
        kind[start : start + _EPISODES_AT_ONCE]
        for kind in (bare, order[len(bare) :])
        for start in range(0, len(kind), _EPISODES_AT_ONCE)
    ]


def _answer_part(
    reader: _Reader,
    embedded: _Embedded,
    episodes: list[Episode],
    told: list[NDArray],
    shared: float,
) -> list[Answer]:
    start = time.perf_counter()
    if len(episodes[0].support):
        state = reader.read(embedded, [one.support for one in episodes], told)
        classes, ways = reader.classes, [np.unique(own) for own in told]
    else:
        state, classes = reader.fitted._state, reader.fitted.classes_
        ways = [classes] * len(episodes)
    adapted = time.perf_counter()
    query, is_there = embedded.padded([one.query for one in episodes])
    state = Classes(*(part.to(query.dtype) for part in state))
    beliefs = torch.from_numpy(reader.fitted._priors.of(classes)).to(query.dtype)
    logits = state.logits(query) + beliefs
    probabilities = [
        torch.softmax(own[here][:, torch.from_numpy(np.isin(classes, among))], dim=-1).numpy()
        for own, here, among in zip(logits, is_there, ways, strict=True)
    ]
    n = len(episodes)
    seconds = (adapted - start) / n, (time.perf_counter() - adapted) / n + shared
    return [
        Answer(among[one.argmax(axis=1)], among, one, None, *seconds)
        for one, among in zip(probabilities, ways, strict=True)
    ]
