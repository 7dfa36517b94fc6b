"""What `STF2MClassifier.fit` does: meta-train, or start from what was meta-trained before."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from stf2m_sk._validation import (
    check_groups,
    check_labels,
    check_measured,
    encode_labels,
    local_generator,
    resolve_device,
    torch_threads,
)
from stf2m_sk.nn.knowledge import MetaKnowledge
from stf2m_sk.nn.sizes import ModuleSizes
from stf2m_sk.personalisation import Support, embed_views, join_labels, knowledge_of, merge
from stf2m_sk.pretrained import resolve_pretrained
from stf2m_sk.priors import ClassPriors, class_priors
from stf2m_sk.training.fine_tune import fine_tune
from stf2m_sk.training.meta_train import TrainingPlan, meta_train
from stf2m_sk.training.net import EpisodicNet, fitted_net
from stf2m_sk.views import Views, ViewSchema, as_views

if TYPE_CHECKING:
    from stf2m_sk.classifier import STF2MClassifier

__all__ = ["Fitted", "conditioned", "meta_trained"]

_KERNEL_DIM = 320
_COMPONENTS_PER_VALUE = 8  # a clip of few values has no more than so much to say
_RULE_DIM = 32
_CONSEQUENT_DIM = 96
_N_BLOCKS = 2


class Fitted(NamedTuple):
    """All that a fitted classifier knows.

    Attributes
    ----------
    net : EpisodicNet
        Trained net.
    schema : ViewSchema
        Modalities it takes.
    population : MetaKnowledge
        Of the population, float64, on the CPU.
    population_classes : array
        Labels of the population, sorted.
    priors : ClassPriors
        What is believed of the classes.
    support : Support or None
        Labelled clips read since meta-training.
    classes : array
        Labels to answer with, sorted.
    """

    net: EpisodicNet
    schema: ViewSchema
    population: MetaKnowledge
    population_classes: NDArray
    priors: ClassPriors
    support: Support | None
    classes: NDArray


def meta_trained(
    classifier: STF2MClassifier, X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[Fitted, Views]:
    """Meta-train on a population; nothing of the classifier is changed.

    Parameters
    ----------
    classifier : STF2MClassifier
        Whose parameters are meant.
    X, y, groups
        As of `STF2MClassifier.fit`.

    Returns
    -------
    Fitted, Views
        What was learned, and the clips.

    Raises
    ------
    ValueError, TypeError
        As of `STF2MClassifier.fit`.
    """
    if classifier.hidden_dim % 4:
        raise ValueError(
            f"hidden_dim={classifier.hidden_dim}, but it must be a multiple of 4: the channels "
            "are split over four dilations."
        )
    if classifier.fine_tune_epochs:
        raise ValueError(
            f"fine_tune_epochs={classifier.fine_tune_epochs}, but pretrained=None leaves nothing "
            "to fine-tune: give `pretrained`, or set `max_epochs`."
        )
    views = as_views(X, classifier.schema)
    labels = check_labels(y, views.n_clips)
    people = check_groups(groups, views.n_clips)
    check_measured(views)
    classes, codes = encode_labels(labels)
    priors = class_priors(classifier.priors, classifier.class_weight, classes)
    signals = _signals(views)
    plan = _plan(classifier, resolve_device(classifier.device))
    random_state = local_generator(classifier.random_state)
    with torch_threads(classifier.n_threads):
        net, knowledge = meta_train(
            signals, codes, people, _sizes(classifier, signals), plan, random_state
        )
    population = MetaKnowledge(*(part.cpu().double() for part in knowledge))
    return Fitted(net, views.schema, population, classes, priors, None, classes), views


def conditioned(
    classifier: STF2MClassifier, X: Any, y: ArrayLike, groups: ArrayLike | None
) -> tuple[Fitted, Views]:
    """Start from the classifier behind `pretrained`, and read these clips as its support.

    Parameters
    ----------
    classifier : STF2MClassifier
        Whose parameters are meant.
    X, y, groups
        As of `STF2MClassifier.fit`.

    Returns
    -------
    Fitted, Views
        What was learned, and the clips.

    Raises
    ------
    ValueError, TypeError, NotFittedError, FileNotFoundError
        As of `STF2MClassifier.fit`.
    """
    start = resolve_pretrained(type(classifier), classifier.pretrained)
    _check_agrees(classifier, start)
    views = as_views(X, start.schema_ if classifier.schema is None else classifier.schema)
    views = views.conform(start.schema_)
    labels = check_labels(y, views.n_clips)
    people = check_groups(groups, views.n_clips)
    check_measured(views)
    join_labels([start.population_classes_, labels])  # text and numbers: an error
    classes, codes = np.unique(labels, return_inverse=True)
    priors = class_priors(classifier.priors, classifier.class_weight, classes)
    with torch_threads(classifier.n_threads):
        net = start.net_
        if classifier.fine_tune_epochs:
            net = _fine_tuned(classifier, start, views, classes, codes, people)
        embeddings = embed_views(net.module_, views, net.device).double().numpy()
    support = merge(None, Support(embeddings, labels))
    fitted = Fitted(
        net,
        start.schema_,
        start._population,
        start.population_classes_,
        priors,
        support,
        classes,
    )
    return fitted, views


def _check_agrees(classifier: STF2MClassifier, start: STF2MClassifier) -> None:
    device = resolve_device(classifier.device)
    if classifier.device != "auto" and torch.device(device) != torch.device(start.net_.device):
        raise ValueError(
            f"device={device!r}, but the pretrained classifier is on {start.net_.device!r}; use "
            "'auto', or load it where it is to run."
        )
    if classifier.schema is None:
        return
    given = ViewSchema.coerce(classifier.schema)
    if given.n_flat != start.schema_.n_flat:
        raise ValueError(
            f"schema is {given}, of {given.n_flat} values a clip, but the pretrained classifier "
            f"has {start.schema_} of {start.schema_.n_flat}. Leave schema out; other lengths can "
            "come as Views or dicts."
        )


def _fine_tuned(classifier, start, views, classes, codes, people) -> EpisodicNet:
    device = str(start.net_.device)
    plan = dataclasses.replace(_plan(classifier, device), max_epochs=classifier.fine_tune_epochs)
    module, history = fine_tune(
        start.net_.module_,
        knowledge_of(start._population, start.population_classes_, classes),
        _signals(views),
        codes,
        people,
        plan,
        local_generator(classifier.random_state),
    )
    return fitted_net(module, history, device)


def _signals(views: Views) -> list[NDArray[np.float32]]:
    return [_measured_part(views[name]) for name in views.names]


def _measured_part(signal: NDArray) -> NDArray[np.float32]:
    """A modality up to the last frame that any clip has, so that padding decides nothing."""
    measured = np.flatnonzero(~np.isnan(signal).all(axis=(0, 1)))
    length = measured[-1] + 1 if len(measured) else 1
    return np.ascontiguousarray(signal[:, :, :length], dtype=np.float32)


def _sizes(classifier: STF2MClassifier, signals: list[NDArray[np.float32]]) -> ModuleSizes:
    n_clips, n_values = len(signals[0]), sum(signal[0].size for signal in signals)
    kernel_dim = max(2, min(_KERNEL_DIM, n_clips, _COMPONENTS_PER_VALUE * n_values))
    rule_dim = min(_RULE_DIM, kernel_dim)
    n_design = classifier.n_rules * (rule_dim + 1)
    return ModuleSizes(
        n_channels=[signal.shape[1] for signal in signals],
        n_timesteps=[signal.shape[2] for signal in signals],
        hidden_dim=classifier.hidden_dim,
        embedding_dim=classifier.embedding_dim,
        n_blocks=_N_BLOCKS,
        n_kernels=classifier.n_kernels,
        kernel_dim=kernel_dim,
        n_rules=classifier.n_rules,
        rule_dim=rule_dim,
        consequent_dim=min(_CONSEQUENT_DIM, n_clips, n_design),
        dropout=classifier.dropout,
        spatial=bool(classifier.spatial),
        temporal=bool(classifier.temporal),
    )


def _plan(classifier: STF2MClassifier, device: str) -> TrainingPlan:
    return TrainingPlan(
        n_way=classifier.n_way,
        n_support=classifier.n_support,
        n_query=classifier.n_query,
        max_epochs=classifier.max_epochs,
        learning_rate=classifier.learning_rate,
        view_dropout=classifier.view_dropout,
        validation_fraction=classifier.validation_fraction,
        patience=classifier.patience,
        callbacks=classifier.callbacks,
        progress=bool(classifier.verbose),
        device=device,
        rule_placement=classifier.rule_placement,
        rules=classifier.rules,
        meta_rnn=classifier.meta_rnn,
        precision=classifier.precision,
    )
