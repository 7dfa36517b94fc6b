"""Fit a classifier to the population, and take a fitted one apart."""

from __future__ import annotations

from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn import get_config
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.metadata_routing import get_routing_for_object
from sklearn.utils.validation import has_fit_parameter

from stf2m_sk.model_selection._clips import Clips
from stf2m_sk.preprocessing import ViewScaler

__all__ = ["Parts", "Signals", "fit_population", "handed_to", "take_apart"]

_METADATA = ("groups", "contexts", "times")


class Parts(NamedTuple):
    """A fitted classifier, taken apart.

    Attributes
    ----------
    head : Pipeline or None
        Fitted steps that only transform.
    last : classifier
        What predicts.
    is_frozen : bool
        Whether `last` must not be fitted again.
    adaptive : Pipeline or None
        The whole Pipeline where steps before the last adapt, too; then there is no `head`.
    """

    head: Pipeline | None
    last: Any
    is_frozen: bool
    adaptive: Pipeline | None = None


class Signals(NamedTuple):
    """Clips as the last step of a Pipeline sees them.

    Attributes
    ----------
    values : array, Views or whatever the steps return
        One row for each of `rows`.
    rows : int array or None
        Sorted rows of X; None where `values` holds all of them.
    """

    values: Any
    rows: NDArray[np.intp] | None

    def take(self, rows: NDArray[np.intp]) -> Any:
        """The clips of some rows of X."""
        places = rows if self.rows is None else np.searchsorted(self.rows, rows)
        return _safe_indexing(self.values, places)

    @classmethod
    def of(cls, head: Pipeline | None, X: Any, rows: NDArray[np.intp]) -> Signals:
        """Transform the clips that are needed, each once."""
        if head is None:
            return cls(X, None)
        rows = np.unique(rows)
        return cls(head.transform(_safe_indexing(X, rows)), rows)


def fit_population(estimator: Any, X: Any, clips: Clips, rows: NDArray[np.intp]) -> Any:
    """Fit, and hand over what is known of the clips where there is a parameter for it.

    Parameters
    ----------
    estimator : classifier, Pipeline or search
        Fitted in place.
    X : Views or array-like
        All clips.
    clips : Clips
        Their labels and origin. ``groups``, ``contexts`` and ``times`` reach ``fit`` of a bare
        classifier, or of the steps of a Pipeline, where it has the parameter; groups reach a
        search, which hands them to its splitter. With metadata routing enabled, the requests
        decide what a Pipeline or a search does with them.
    rows : int array
        The population.

    Returns
    -------
    The fitted estimator.
    """
    known = {
        name: column[rows]
        for name, column in zip(_METADATA, clips[1:], strict=True)
        if column is not None
    }
    taken = _taken_at_fit(estimator, known)
    return estimator.fit(_safe_indexing(X, rows), clips.labels[rows], **taken)


def handed_to(method: Any, clips: Clips, rows: NDArray[np.intp]) -> dict[str, NDArray]:
    """What a method has parameters for, of some clips."""
    parameters = signature(method).parameters
    return {
        name: column[rows]
        for name, column in zip(_METADATA, clips[1:], strict=True)
        if column is not None and name in parameters
    }


def take_apart(fitted: Any) -> Parts:
    """Find the classifier that predicts, inside a search, a frozen estimator or a Pipeline."""
    fitted, is_frozen = _unwrap(fitted, False)
    if not isinstance(fitted, Pipeline):
        return Parts(None, fitted, is_frozen)
    last, is_frozen = _unwrap(fitted[-1], is_frozen)
    if any(_adapts(step) for _, step in fitted.steps[:-1]):
        return Parts(None, last, is_frozen, fitted)
    return Parts(fitted[:-1] if len(fitted) > 1 else None, last, is_frozen)


def _unwrap(fitted: Any, is_frozen: bool) -> tuple[Any, bool]:
    while True:
        if isinstance(fitted, FrozenEstimator):
            fitted, is_frozen = fitted.estimator, True
        elif isinstance(fitted, BaseSearchCV):
            fitted = fitted.best_estimator_
        else:
            return fitted, is_frozen


def _adapts(step: Any) -> bool:
    if isinstance(step, Pipeline):
        return any(_adapts(inner) for _, inner in step.steps)
    if isinstance(step, ViewScaler) and step.scope == "population":
        return False  # it has the verb, but returns itself
    return hasattr(step, "adapt")


def _taken_at_fit(estimator: Any, known: dict[str, NDArray]) -> dict[str, NDArray]:
    if not isinstance(estimator, Pipeline | BaseSearchCV):
        return {name: known[name] for name in known if has_fit_parameter(estimator, name)}
    of_steps = _of_steps(estimator, known)
    if get_config()["enable_metadata_routing"]:
        consumed = set(get_routing_for_object(estimator).consumes("fit", list(known)))
        # Groups that a step takes but has not requested are an error of scikit-learn's.
        if any(name.endswith("__groups") for name in of_steps):
            consumed.add("groups")
        return {name: known[name] for name in known if name in consumed}
    if isinstance(estimator, BaseSearchCV):
        return {name: known[name] for name in known if name == "groups"}
    return of_steps


def _of_steps(estimator: Any, known: dict[str, NDArray]) -> dict[str, NDArray]:
    """What the steps of a Pipeline have parameters for, in the form in which it hands it on."""
    if not isinstance(estimator, Pipeline):
        return {}
    return {
        f"{step_name}__{name}": column
        for step_name, step in estimator.steps
        for name, column in known.items()
        if hasattr(step, "fit") and has_fit_parameter(step, name)
    }
