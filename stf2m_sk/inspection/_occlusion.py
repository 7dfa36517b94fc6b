"""What the networks look at, by occlusion: approximate, unlike all other contributions."""

from __future__ import annotations

import itertools
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import Tensor

from stf2m_sk._validation import check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.inspection._explain import factors_and_networks, unwrap
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.signals import Signals
from stf2m_sk.views import Views, as_views

__all__ = ["occlude_networks"]


def occlude_networks(
    classifier: STF2MClassifier | Pipeline, X: Any, n_stretches: int = 8
) -> pd.DataFrame:
    """Change of the networks' term when one stretch of one modality is taken for not measured.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted or adapted, with networks; a Pipeline ends in one.
    X : as in `STF2MClassifier.fit`
        Clips.
    n_stretches : int, default=8
        Into how many stretches each modality is divided; fewer where it has fewer frames.

    Returns
    -------
    DataFrame
        Columns clip, emotion, modality, start, end (seconds from the start of the clip; frames
        where the sampling rate is unknown) and change: the term of the whole clip less the term
        without the stretch. Above 0 the stretch is for the emotion.

    Raises
    ------
    NotFittedError, TypeError
        As `explain`.
    ValueError
        If X is not as at `fit`, the classifier has no networks, or `n_stretches` is no positive
        integer.

    See Also
    --------
    explain : Exact contributions; the networks are one term in them.

    Notes
    -----
    Approximate. Networks are not linear: the changes do not add up to the networks' term, and
    two stretches that say the same hide each other. The rules see the whole clip throughout.
    The cost is that of ``1 + n_modalities * n_stretches`` predictions of the networks.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import occlude_networks
    >>> data = make_emotion_views(n_people=4, n_clips_per_emotion=2, random_state=0)
    >>> views = data.views.select("skin", "pulse")
    >>> clf = STF2MClassifier(n_kernels=8, n_patterns=8, n_networks=2, hidden_dim=4, max_epochs=1)
    >>> clf = clf.fit(views, data.target, groups=data.groups)
    >>> table = occlude_networks(clf, views[:1], n_stretches=3)
    >>> table.columns.tolist(), len(table)  # 4 emotions, 2 modalities, 3 stretches
    (['clip', 'emotion', 'modality', 'start', 'end', 'change'], 24)
    """
    if isinstance(n_stretches, bool) or not isinstance(n_stretches, Integral) or n_stretches < 1:
        raise ValueError(f"n_stretches must be a positive integer, got {n_stretches!r}")
    classifier, X = unwrap(classifier, X)
    model = classifier.model_
    if model.module.ensemble is None:
        raise ValueError(
            "the classifier has no networks to look into: it was fitted with n_networks=0; see "
            "`explain` for its rules"
        )
    views = as_views(X, model.schema)
    check_measured(views)
    stretches = _stretches(views, int(n_stretches))
    with torch_threads(classifier.n_threads):
        parts = [_changes(model, *part, stretches) for part in model.standardised(views)]
    return _tidy(np.concatenate(parts), stretches, views, model.classes)


def _stretches(views: Views, n_stretches: int) -> list[tuple[int, int, int]]:
    """Modality, first frame and past-the-last frame of each stretch."""
    stretches = []
    for i, name in enumerate(views.names):
        n_frames = views[name].shape[2]
        edges = np.linspace(0, n_frames, min(n_stretches, n_frames) + 1).round().astype(int)
        stretches += [(i, *pair) for pair in itertools.pairwise(edges.tolist())]
    return stretches


def _changes(model: FittedModel, module: STF2MModule, signals: Signals, stretches) -> NDArray:
    """Changes of some clips, (n_clips, n_classes, n_stretches)."""
    strengths = module.strengths(signals)

    def term(seen: Signals) -> Tensor:
        """Of the networks, where they alone see other clips."""
        log_probabilities = module.ensemble(seen)
        scores = log_probabilities - log_probabilities.mean(1, keepdim=True)
        features = module.scaler(torch.cat([strengths, scores.to(strengths)], dim=1))
        return factors_and_networks(model, features.double().cpu())[1]

    with torch.no_grad():
        whole = term(signals)
        changes = [whole - term(_without(signals, *stretch)) for stretch in stretches]
    return torch.stack(changes, dim=2).numpy()


def _without(signals: Signals, modality: int, first: int, last: int) -> Signals:
    """Clips in which a stretch of a modality is not measured."""
    values, frames, present = list(signals.values), list(signals.frames), signals.present.clone()
    values[modality], frames[modality] = values[modality].clone(), frames[modality].clone()
    values[modality][:, :, first:last] = 0.0
    frames[modality][:, first:last] = 0.0
    present[:, modality] = frames[modality].amax(1)
    return Signals(tuple(values), tuple(frames), present)


def _tidy(changes: NDArray, stretches, views: Views, classes: NDArray) -> pd.DataFrame:
    n_clips, n_classes, n_stretches = changes.shape
    rates = [views.schema[name].rate or 1.0 for name in views.names]
    keys = pd.DataFrame(
        [(views.names[i], first / rates[i], last / rates[i]) for i, first, last in stretches],
        columns=["modality", "start", "end"],
    )
    table = keys.loc[np.tile(np.arange(n_stretches), n_clips * n_classes)].reset_index(drop=True)
    table.insert(0, "clip", np.repeat(np.arange(n_clips), n_classes * n_stretches))
    labels = np.array([*classes.tolist(), None], dtype=object)[:-1]
    table.insert(1, "emotion", np.tile(np.repeat(labels, n_stretches), n_clips))
    return table.assign(change=changes.ravel())
