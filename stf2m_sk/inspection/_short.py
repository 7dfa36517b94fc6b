"""A short list of rules that predicts."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import check_is_fitted

from stf2m_sk._validation import check_groups, check_labels, check_measured, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.inspection._explain import unwrap
from stf2m_sk.inspection._firing import firing_of, strengths_of
from stf2m_sk.inspection._linear_rules import LinearRules, path_of
from stf2m_sk.inspection._merging import Merged, merged
from stf2m_sk.inspection._rules import Clips, check_known, check_units, table_of
from stf2m_sk.views import Views, as_views

__all__ = ["ShortRules", "short_rules"]

_FOLDS = 5
_KEPT = 0.95  # of the full classifier's accuracy


def short_rules(
    classifier: STF2MClassifier | Pipeline,
    X: Any,
    y: ArrayLike,
    *,
    groups: ArrayLike,
    k: int = 20,
    units: dict | None = None,
) -> ShortRules:
    """Choose the fewest rules of a classifier that keep 95 % of its accuracy on new people.

    Parameters
    ----------
    classifier : STF2MClassifier or Pipeline
        Fitted; a Pipeline ends in an STF2MClassifier.
    X : as in `STF2MClassifier.fit`
        Clips, such as those of `fit`.
    y : array-like of shape (n_clips,)
        Their emotions.
    groups : array-like of shape (n_clips,)
        Their people, at least two.
    k : int, default=20
        Most rules.
    units : dict of str to str, default=None
        Unit of each modality, see `rule_table`.

    Returns
    -------
    ShortRules
        A classifier of its own, with the rules in words; print it.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    TypeError
        If it is no STF2MClassifier, nor a Pipeline that ends in one.
    ValueError
        If X is not as at `fit`, y or groups do not fit it, or there is one person only.

    Notes
    -----
    Fits a clone of the classifier five times, each time without a fifth of the people; what the
    steps before it in a Pipeline have learned is taken as it is.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import short_rules
    >>> data = make_emotion_views(n_people=3, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=8, n_patterns=8, random_state=0)
    >>> clf = clf.fit(data.views, data.target, groups=data.groups)
    >>> short = short_rules(clf, data.views, data.target, groups=data.groups, k=4)
    >>> len(short.rules_) <= 4
    True
    """
    return ShortRules(classifier, k=k, units=units).choose(classifier, X, y, groups=groups)


class ShortRules(ClassifierMixin, BaseEstimator):
    """The fewest rules that keep 95 % of a classifier's accuracy on new people.

    Parameters
    ----------
    estimator : STF2MClassifier or Pipeline
        Its rules are chosen from; a Pipeline ends in an STF2MClassifier.
    k : int, default=20
        Most rules.
    units : dict of str to str, default=None
        Unit of each modality, see `rule_table`.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        Emotions, sorted.
    estimator_ : STF2MClassifier or Pipeline
        Fitted; it says how the rules fire.
    rules_ : DataFrame
        The rules that were chosen, in this order: columns `rule` and `prediction` and others of
        `rule_table`. ``weight_<emotion>`` are those of this classifier, in logits per standard
        deviation of the firing.
    linear_ : LinearRules
        What `predict_proba` computes.
    coef_ : array of shape (n_classes, n_rules)
        The same weights.
    intercept_ : array of shape (n_classes,)
        Constants of the logits.
    scores_ : array of shape (most rules + 1,)
        Balanced accuracy on people left out, by the number of rules; the first is that of none.
    score_ : float
        That of the number of rules that was chosen.
    full_score_ : float
        Balanced accuracy of `estimator` on the same people.

    See Also
    --------
    short_rules : Of a classifier that is fitted.

    Notes
    -----
    In each of five folds over people the classifier is fitted, its rules are merged, ranked and
    weighed without the people left out. The fewest rules are taken from which on every longer
    list reaches 95 % of the full classifier's accuracy, since a single number may do so by
    chance; where `k` rules do not, the number that does best. With accuracies near chance no
    rule at all may be needed. The number itself is chosen on these people: `score_` is
    optimistic, an outer loop over people is not.

    Rules are ranked by forward selection and weighed by a multinomial logistic regression with
    an L2 penalty, all emotions alike. Source: ours.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.inspection import ShortRules
    >>> data = make_emotion_views(n_people=3, random_state=0)
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=8, n_patterns=8, random_state=0)
    >>> short = ShortRules(clf, k=4).fit(data.views, data.target, groups=data.groups)
    >>> short.predict_proba(data.views[:3]).shape
    (3, 4)
    >>> len(short.rules_) <= 4
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"])],
        "k": [Interval(Integral, 1, None, closed="left")],
        "units": [dict, None],
    }

    def __init__(
        self, estimator: STF2MClassifier | Pipeline, *, k: int = 20, units: dict | None = None
    ) -> None:
        self.estimator = estimator
        self.k = k
        self.units = units

    def fit(self, X: Any, y: ArrayLike, *, groups: ArrayLike) -> ShortRules:
        """Fit the classifier and choose rules.

        Parameters
        ----------
        X : as in `STF2MClassifier.fit`
            Clips.
        y : array-like of shape (n_clips,)
            Their emotions.
        groups : array-like of shape (n_clips,)
            Their people, at least two.

        Returns
        -------
        ShortRules
            This classifier.

        Raises
        ------
        TypeError
            If the last step of `estimator` is no STF2MClassifier.
        ValueError
            If X, y or groups do not fit together, or there is one person only.
        """
        self._validate_params()
        is_pipeline = isinstance(self.estimator, Pipeline)
        name = f"{self.estimator.steps[-1][0]}__groups" if is_pipeline else "groups"
        fitted = clone(self.estimator).fit(X, y, **{name: groups})
        return self.choose(fitted, X, y, groups=groups)

    def choose(
        self, classifier: STF2MClassifier | Pipeline, X: Any, y: ArrayLike, *, groups: ArrayLike
    ) -> ShortRules:
        """Choose rules of a classifier that is fitted; `estimator` is not looked at.

        Parameters
        ----------
        classifier : STF2MClassifier or Pipeline
            Fitted.
        X, y, groups : as for `fit`
            Clips, their labels and their people.

        Returns
        -------
        ShortRules
            This classifier.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `short_rules`.
        """
        self._validate_params()
        last, own = unwrap(classifier, X)
        views = as_views(own, last.schema_)
        check_measured(views)
        clips = Clips(check_labels(y, views.n_clips), check_groups(groups, views.n_clips))
        check_known(clips.y, last.classes_)
        if clips.groups is None or clips.groups.max() == 0:
            raise ValueError("groups must name at least two people: rules are judged by new ones.")
        units = check_units(self.units, views.names)
        full, scores = _on_new_people(last, views, clips, self.k)
        n_rules = _fewest(scores, full)
        with torch_threads(last.n_threads):
            firing = firing_of(last.model_, views)
            rules = merged(firing, clips.y, last.classes_)
            path = path_of(firing, rules, clips.y, clips.groups, self.k)
            own = path[min(n_rules, len(path) - 1)]
            chosen = _weighed(rules, own)
            table = table_of(last.model_, views, firing, chosen, clips, units)
        self.estimator_, self.linear_ = classifier, own
        self.classes_, self.coef_, self.intercept_ = own.classes, own.coef, own.intercept
        of_full = ["importance", "n_merged", *(f"deviation_{c}" for c in own.classes.tolist())]
        self.rules_ = table.drop(columns=of_full, errors="ignore")
        self.scores_, self.score_, self.full_score_ = scores, float(scores[n_rules]), full
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the emotions.

        Parameters
        ----------
        X : as at `fit`
            Clips.

        Returns
        -------
        float64 array of shape (n_clips, n_classes)
            Columns in the order of `classes_`.

        Raises
        ------
        NotFittedError, ValueError
            As `STF2MClassifier.predict_proba`.
        """
        check_is_fitted(self)
        classifier, X = unwrap(self.estimator_, X)
        views = as_views(X, classifier.schema_)
        check_measured(views)
        with torch_threads(classifier.n_threads):
            strengths = strengths_of(classifier.model_, views)
        return self.linear_.probabilities(strengths)

    def predict(self, X: Any) -> NDArray:
        """Most probable emotion of each clip.

        Parameters
        ----------
        X : as at `fit`
            Clips.

        Returns
        -------
        array of shape (n_clips,)
            Labels of `classes_`.

        Raises
        ------
        NotFittedError, ValueError
            As `STF2MClassifier.predict_proba`.
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __str__(self) -> str:
        """Return the rules in words, and how good they are."""
        if not hasattr(self, "rules_"):
            return repr(self)
        head = (
            f"{len(self.rules_)} rules: balanced accuracy {self.score_:.3f} on people left out "
            f"(full classifier {self.full_score_:.3f}, chance {1 / len(self.classes_):.3f})"
        )
        lines = [
            f"{i}. {row.prediction}: {row.rule}"
            for i, row in enumerate(self.rules_.itertuples(), start=1)
        ]
        return "\n".join([head, *lines])


def _on_new_people(
    classifier: STF2MClassifier, views: Views, clips: Clips, k: int
) -> tuple[float, NDArray[np.float64]]:
    """Balanced accuracy of the classifier, and of 0 to k rules, on people left out."""
    y, groups = clips
    full = np.empty(len(y), dtype=y.dtype)
    short = np.empty((k + 1, len(y)), dtype=y.dtype)
    n_folds = min(_FOLDS, int(groups.max()) + 1)
    splitter = GroupKFold(n_folds)
    for train, test in splitter.split(y, y, groups):
        model = clone(classifier).fit(views[train], y[train], groups=groups[train])
        full[test] = model.predict(views[test])
        with torch_threads(classifier.n_threads):
            firing = firing_of(model.model_, views[train])
            strengths = strengths_of(model.model_, views[test])
        path = path_of(firing, merged(firing, y[train], model.classes_), y[train], groups[train], k)
        for n in range(k + 1):
            own = path[min(n, len(path) - 1)]
            short[n, test] = own.classes[own.probabilities(strengths).argmax(axis=1)]
    scores = np.array([balanced_accuracy_score(y, own) for own in short])
    return float(balanced_accuracy_score(y, full)), scores


def _fewest(scores: NDArray[np.float64], full: float) -> int:
    """Rules from which on every longer list keeps the accuracy, or those that do best."""
    too_few = np.flatnonzero(scores < _KEPT * full)
    fewest = int(too_few[-1]) + 1 if len(too_few) else 0
    return fewest if fewest < len(scores) else int(scores.argmax())


def _weighed(rules: list[Merged], own: LinearRules) -> list[Merged]:
    """The rules that were chosen, with the weights that they have here."""
    found = {int(rule.members[0]): rule for rule in rules}
    return [
        found[int(number)]._replace(weights=weights)
        for number, weights in zip(own.rules, own.coef.T, strict=True)
    ]
