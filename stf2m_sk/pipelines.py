"""Personalise a fitted pipeline: its steps before the classifier, and the classifier."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

from numpy.typing import ArrayLike
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["adapt_pipeline", "partial_fit_pipeline"]


def adapt_pipeline(
    pipeline: Any,
    X: Any = None,
    y: ArrayLike | None = None,
    *,
    unlabelled: Any = None,
    classes: ArrayLike | None = None,
) -> Any:
    """Return a new pipeline for a person, from a fitted one and clips of the person.

    Parameters
    ----------
    pipeline : Pipeline, or an estimator with `adapt`
        Fitted; its last step has `adapt`, as `stf2m_sk.STF2MClassifier` has. It is not changed.
    X : as the pipeline takes it, default=None
        Labelled clips of the person, the support.
    y : array-like of shape (n_clips,), default=None
        Their labels.
    unlabelled : as the pipeline takes it, default=None
        Clips of the person without labels; those in `X` may be among them.
    classes : array-like, default=None
        Labels of the new pipeline's predictions; see `STF2MClassifier.adapt`.

    Returns
    -------
    Pipeline, or what `adapt` of the estimator returns
        Fitted, of the same settings. A step before the last that has `adapt`, such as
        `stf2m_sk.preprocessing.ViewScaler`, is replaced by ``step.adapt(unlabelled)`` where
        unlabelled clips are given, since they are more, else by ``step.adapt(X, y)``; all other
        steps are the very objects of the given pipeline. All clips go through these steps to
        ``adapt(X, y, unlabelled=unlabelled, classes=classes)`` of the last, what is None left
        out. Pipelines inside are treated alike.

    Raises
    ------
    TypeError
        If the last step, or the estimator, has no `adapt`, or its `adapt` no parameter for what
        is given; if one of X and y is given without the other.
    sklearn.exceptions.NotFittedError
        If the pipeline is not fitted.
    ValueError
        If no clip is given, or as a step raises it.

    Notes
    -----
    scikit-learn's pipelines have no verb for this. Steps inside a FeatureUnion or a
    ColumnTransformer are not looked into: they are kept as they are. Source: ours.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.pipelines import adapt_pipeline
    >>> from stf2m_sk.preprocessing import ViewSelector
    >>> data = make_emotion_views(n_people=6, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> skin = make_pipeline(
    ...     ViewSelector(keep=["skin"]), STF2MClassifier(n_networks=0, random_state=0)
    ... )
    >>> skin = skin.fit(data.views[~new], data.target[~new])
    >>> person = adapt_pipeline(
    ...     skin, data.views[new][:4], data.target[new][:4], unlabelled=data.views[new][:12]
    ... )
    >>> person.predict_proba(data.views[new][12:]).shape
    (12, 4)
    """
    _check_last_step(pipeline, "adapt")
    check_is_fitted(pipeline)
    if (X is None) != (y is None):
        raise TypeError("X and y belong together: give both, or neither and `unlabelled`.")
    if X is None and unlabelled is None:
        raise ValueError("adapt_pipeline got no clip: give X and y, or unlabelled, or all three.")
    return _adapted(pipeline, _Person(X, y, unlabelled), classes)


def partial_fit_pipeline(
    pipeline: Any, X: Any, y: ArrayLike, classes: ArrayLike | None = None
) -> Any:
    """Add labelled clips to the last step of a fitted pipeline, in place.

    Parameters
    ----------
    pipeline : Pipeline, or an estimator with `partial_fit`
        Fitted; its last step has `partial_fit`. The steps before are not changed.
    X : as the pipeline takes it
        Clips.
    y : array-like of shape (n_clips,)
        Their labels.
    classes : array-like, default=None
        Further labels of the predictions; see `STF2MClassifier.partial_fit`.

    Returns
    -------
    Pipeline, or the estimator
        What was given.

    Raises
    ------
    TypeError
        If the last step, or the estimator, has no `partial_fit`.
    sklearn.exceptions.NotFittedError
        If the pipeline is not fitted: its steps could not be fitted in parts.
    ValueError
        As a step raises it.

    Notes
    -----
    To personalise, call it on what `adapt_pipeline` returns: the given pipeline itself learns.
    Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from sklearn.pipeline import make_pipeline
    >>> from stf2m_sk.pipelines import partial_fit_pipeline
    >>> from stf2m_sk.preprocessing import ViewScaler
    >>> X, y = np.array([[60.0], [64.0], [90.0], [94.0]]), ["calm", "calm", "tense", "tense"]
    >>> pipeline = make_pipeline(ViewScaler(), GaussianNB()).fit(X, y)
    >>> partial_fit_pipeline(pipeline, [[62.0]], ["calm"])[-1].class_count_.tolist()
    [3.0, 2.0]
    """
    _check_last_step(pipeline, "partial_fit")
    check_is_fitted(pipeline)
    last = pipeline
    while isinstance(last, Pipeline):
        for _, step in last.steps[:-1]:
            X = X if _is_passthrough(step) else step.transform(X)
        last = last.steps[-1][1]
    last.partial_fit(X, y, classes=classes)
    return pipeline


class _Person(NamedTuple):
    """Clips of a person, as a step of the pipeline sees them; None where there are none."""

    X: Any
    y: ArrayLike | None
    unlabelled: Any

    def through(self, step: Any) -> _Person:
        """The same after a step."""
        if _is_passthrough(step):
            return self
        X, unlabelled = (
            None if clips is None else step.transform(clips) for clips in (self.X, self.unlabelled)
        )
        return self._replace(X=X, unlabelled=unlabelled)


def _adapted(estimator: Any, person: _Person, classes: ArrayLike | None) -> Any:
    if isinstance(estimator, Pipeline):
        steps, person = _adapted_steps(estimator.steps[:-1], person)
        name, last = estimator.steps[-1]
        return _with_steps(estimator, [*steps, (name, _adapted(last, person, classes))])
    given = {"unlabelled": person.unlabelled, "classes": classes}
    given = {name: value for name, value in given.items() if value is not None}
    support = () if person.X is None else (person.X, person.y)
    return estimator.adapt(*support, **given)


def _adapted_steps(
    steps: list[tuple[str, Any]], person: _Person
) -> tuple[list[tuple[str, Any]], _Person]:
    adapted = []
    for name, step in steps:
        step = _adapted_transformer(step, person)
        person = person.through(step)
        adapted.append((name, step))
    return adapted, person


def _adapted_transformer(step: Any, person: _Person) -> Any:
    """The step itself unless it, or a step inside it, has `adapt`."""
    if not isinstance(step, Pipeline):
        if not hasattr(step, "adapt"):
            return step
        unlabelled = person.unlabelled
        return step.adapt(person.X, person.y) if unlabelled is None else step.adapt(unlabelled)
    steps, _ = _adapted_steps(step.steps, person)
    if all(new is old for (_, new), (_, old) in zip(steps, step.steps, strict=True)):
        return step
    return _with_steps(step, steps)


def _with_steps(pipeline: Pipeline, steps: list[tuple[str, Any]]) -> Pipeline:
    """A pipeline of the same class and settings; a clone would lose what was fitted."""
    new = copy.copy(pipeline)
    new.steps = steps
    return new


def _check_last_step(pipeline: Any, verb: str) -> None:
    last, is_step = pipeline, False
    while isinstance(last, Pipeline):
        last, is_step = (last.steps[-1][1] if last.steps else None), True
    if not hasattr(last, verb):
        what = "the last step of the pipeline" if is_step else "the estimator"
        given = repr(last) if _is_passthrough(last) else type(last).__name__
        raise TypeError(f"{what} must have {verb}(X, y), as STF2MClassifier has, given {given}")


def _is_passthrough(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")
