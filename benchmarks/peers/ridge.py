"""Ridge regression on many random features, in its dual: the Gram matrix is kept."""

import copy

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

_ALONE, _POOLED = 0.1, 1.0  # ridges


class GramRidge(ClassifierMixin, BaseEstimator):
    """Ridge to -1 / +1 of each class, fitted anew to population and support in `adapt`.

    Parameters
    ----------
    weight : float, default=50.0
        Of a support clip, for a population clip's 1.
    centred : bool, default=False
        Whether each person's mean feature is subtracted: of all their clips in the population, of
        the unlabelled clips in `adapt` (the support where there are none).
    """

    def __init__(self, *, weight=50.0, centred=False):
        self.weight = weight
        self.centred = centred

    def fit(self, X, y, groups=None):
        """Keep the population's features and their Gram matrix."""
        X, self.labels_ = np.asarray(X), np.asarray(y)
        if self.centred:
            X = X.copy()
            for person in np.unique(groups):
                X[groups == person] -= X[groups == person].mean(axis=0)
        # Without the constant mean the features' usual length is no longer their number.
        self.scale_ = (
            np.sqrt(np.square(X).sum(axis=1).mean()) if self.centred else X.shape[1] ** 0.5
        )
        self.population_ = X / self.scale_
        self.gram_ = self.population_ @ self.population_.T
        self.classes_ = np.unique(y)
        self.centre_ = 0.0
        weights = np.ones(len(X))
        self.dual_, self.offset_ = self._solve(self.gram_, self.labels_, weights, _ALONE)
        self.support_ = self.population_[:0]
        return self

    def adapt(self, X=None, y=None, *, unlabelled=None, classes=None):
        """The same for a person; without `classes` among those of the support."""
        person = copy.copy(self)
        own = X if unlabelled is None else unlabelled
        if self.centred:
            person.centre_ = np.asarray(own).mean(axis=0)
        if X is None:
            return person
        person.classes_ = np.unique(y if classes is None else classes)
        person.support_ = (np.asarray(X) - person.centre_) / self.scale_
        across = self.population_ @ person.support_.T
        gram = np.block([[self.gram_, across], [across.T, person.support_ @ person.support_.T]])
        labels = np.concatenate([self.labels_, y])
        weights = np.repeat([1.0, self.weight], [len(self.labels_), len(y)])
        person.dual_, person.offset_ = person._solve(gram, labels, weights, _POOLED)
        return person

    def decision_function(self, X):
        """Scores of the classes; of the second less the first with two."""
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if scores.shape[1] == 2 else scores

    def predict(self, X):
        """The class with the largest score."""
        return self.classes_[self._scores(X).argmax(axis=1)]

    def _solve(self, gram, labels, weights, ridge):
        signs = 2.0 * (labels[:, None] == self.classes_) - 1.0
        offset = np.average(signs, axis=0, weights=weights)
        dual = np.linalg.solve(gram + ridge * np.diag(1.0 / weights), signs - offset)
        return dual, offset

    def _scores(self, X):
        own = (np.asarray(X) - self.centre_) / self.scale_
        n = len(self.population_)
        scores = (own @ self.population_.T) @ self.dual_[:n]
        return scores + (own @ self.support_.T) @ self.dual_[n:] + self.offset_
