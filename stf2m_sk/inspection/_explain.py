"""From a classifier and clips to their explanation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from torch import Tensor

from stf2m_sk._validation import check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.fitted import FittedModel
from stf2m_sk.inspection._explanation import Explanation, RuleName
from stf2m_sk.nn.attribution import frame_sums, strengths_and_courses
from stf2m_sk.nn.readout import logits, network_weight
from stf2m_sk.nn.recurrence import linear_form, rule_scores, with_networks
from stf2m_sk.views import Views, as_views

__all__ = ["explain", "factors_and_networks", "rule_names", "unwrap"]


def explain(
    classifier: STF2MClassifier | Pipeline,
    X: Any,
    *,
    relative_to: Literal["population", "person"] = "population",
) -> Explanation:
    """Take the logits of clips apart: modality by modality, rule by rule, frame by frame.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted or adapted; a Pipeline ends in one.
    X : as in `STF2MClassifier.fit`
        Clips.
    relative_to : {"population", "person"}, default="population"
        What the firing of a rule is compared with: its mean over the training clips, or over the
        clips of the person that the classifier was adapted to (the unlabelled ones; where there
        are none, the labelled ones). The rest is in the term of the person.

    Returns
    -------
    Explanation
        Contributions that add up to the logits.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If it is no STF2MClassifier, nor a Pipeline that ends in one.
    ValueError
        If X is not as at `fit`, or ``relative_to="person"`` and the classifier has read no clip
        of a person.

    Notes
    -----
    Exact, not approximated: the mean score of an emotion by the rules is linear in their firing
    strengths. The predictive variance, which scales the scores of a clip, and the share of the
    networks are taken as they are. How the sum of a modality is shared out among the frames is a
    choice, see `Explanation.by_frame`. Source: ours.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import explain
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> explanation = explain(clf, data.views[:3])
    >>> bool(abs(explanation.total - clf.decision_function(data.views[:3])).max() < 1e-4)
    True
    >>> explanation.by_modality.shape, explanation.modalities
    ((3, 4, 4), ('motion', 'skin', 'pulse', 'voice'))
    """
    classifier, X = unwrap(classifier, X)
    views = as_views(X, classifier.schema_)
    check_measured(views)
    model = classifier.model_
    base = _baseline(model, relative_to)
    with torch_threads(classifier.n_threads):
        return _explained(model, views, base, relative_to)


def unwrap(classifier: Any, X: Any) -> tuple[STF2MClassifier, Any]:
    """The STF2MClassifier of a Pipeline, and X as its steps leave it.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted.
    X : Any
        Clips.

    Returns
    -------
    classifier : STF2MClassifier
        The last step.
    X : Any
        What the steps before it make of X.

    Raises
    ------
    NotFittedError, TypeError
        As `explain`.
    """
    if isinstance(classifier, Pipeline):
        X = classifier[:-1].transform(X) if len(classifier) > 1 else X
        classifier = classifier[-1]
    if not isinstance(classifier, STF2MClassifier):
        raise TypeError(
            "only an STF2MClassifier, or a Pipeline that ends in one, can be taken apart, got "
            f"{type(classifier).__name__}"
        )
    _ = classifier.classes_  # raises NotFittedError
    return classifier, X


def rule_names(model: FittedModel) -> tuple[RuleName, ...]:
    """Names of all rules, in the order of the features.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.

    Returns
    -------
    tuple of RuleName
    """
    names = [modality.name for modality in model.schema]
    return tuple(
        RuleName(names[block.modality], block.kind, i)
        for block in model.module.blocks
        if block.kind != "network"
        for i in range(block.size)
    )


def _baseline(model: FittedModel, relative_to: str) -> NDArray[np.float64]:
    """Features that clips are compared with, (n_rules,)."""
    n_rules = model.module.n_rules
    if relative_to == "population":
        return np.zeros(n_rules)
    if relative_to != "person":
        raise ValueError(f'relative_to must be "population" or "person", got {relative_to!r}')
    if model.person is not None:
        return model.person.features[:n_rules]
    if model.support is not None and len(model.support.features):
        return model.support.features[:, :n_rules].mean(axis=0, dtype=np.float64)
    raise ValueError(
        'relative_to="person" needs a classifier that has read clips of a person: call '
        "`adapt(unlabelled=...)` first"
    )


class _Linear(NamedTuple):
    """The mean scores by the rules as a linear function of the features."""

    weights: Tensor  # (n_rules, n_classes)
    offsets: Tensor  # (n_classes,)
    base: Tensor  # (n_rules,): features that clips are compared with
    modality: Tensor  # (n_rules,): whose rule it is


def _explained(
    model: FittedModel, views: Views, base: NDArray[np.float64], relative_to: str
) -> Explanation:
    blocks = [block for block in model.module.blocks if block.kind != "network"]
    modality = np.repeat([own.modality for own in blocks], [own.size for own in blocks])
    linear = _Linear(*linear_form(model.state), torch.from_numpy(base), torch.from_numpy(modality))
    parts = []
    for module, signals in model.standardised(views):
        scale = module.scaler.factors[: module.n_rules]
        coefficients = scale[:, None] * linear.weights.to(scale)
        strengths, courses = strengths_and_courses(module, signals, coefficients)
        features = module.scaler(module.with_scores(strengths, signals)).double().cpu()
        terms = _terms(model, linear, features, signals)
        sums = _by_frame(linear, courses, signals, terms[1])
        parts.append((*(own.numpy() for own in terms), *sums))
    factors, deviations, person, networks, *frames = map(np.concatenate, zip(*parts, strict=True))
    return Explanation(
        classes=model.classes,
        modalities=tuple(views.names),
        rules=rule_names(model),
        relative_to=relative_to,
        factors=factors,
        weights=linear.weights.numpy(),
        deviations=deviations,
        person=person,
        networks=networks,
        prior=model.priors.of(model.classes),
        frames=dict(zip(views.names, frames, strict=True)),
        rates={own.name: own.rate for own in model.schema},
    )


def _terms(model, linear, features, signals) -> tuple[Tensor, ...]:
    """Factors of the scores, deviations of the features, terms of the person and the networks."""
    factors, networks = factors_and_networks(model, features)
    rules = features[:, : len(linear.base)]
    present = signals.present.double().cpu()[:, linear.modality]
    person = (present * linear.base) @ linear.weights + linear.offsets
    deviations = (rules - linear.base) * present
    return factors, deviations, factors * person, networks


def factors_and_networks(model: FittedModel, features: Tensor) -> tuple[Tensor, Tensor]:
    """What turns the mean scores by the rules into logits, and what the networks add.

    Parameters
    ----------
    model : FittedModel
        Of a classifier.
    features : Tensor of shape (n_clips, n_features)
        Of clips, float64.

    Returns
    -------
    factors, networks : Tensor of shape (n_clips, n_classes)
        A logit, but for the prior, is ``factors * means + networks``.
    """
    state, numbers, n_rules = model.state, model.numbers, model.module.n_rules
    means, variances = rule_scores(state, features)
    read, left = with_networks(state, features, means, variances)
    scale = logits(torch.ones_like(means), left, numbers.temperature, numbers.variance_factor)
    share = torch.zeros_like(means)
    if features.shape[1] > n_rules:
        share[:, state.place >= 0] = network_weight(variances[:, state.place >= 0], numbers)
    factors = scale * (1.0 - share)
    return factors, scale * read - factors * means


def _by_frame(linear, courses, signals, deviations) -> Iterator[NDArray[np.float64]]:
    """Sums over the rules of each modality, before the factors."""
    for i, (course, frames) in enumerate(zip(courses, signals.frames, strict=True)):
        total = (deviations * (linear.modality == i)) @ linear.weights
        yield frame_sums(course.cpu(), total, frames.cpu()).numpy()
