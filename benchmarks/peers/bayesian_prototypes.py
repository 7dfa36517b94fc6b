"""Bayesian prototypes: those of a person, shrunk towards those of the population."""

import copy

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.covariance import LedoitWolf


class BayesianPrototypes(ClassifierMixin, BaseEstimator):
    r"""Gaussian classes whose means are those of the person, with a prior from the population.

    In features in which the scatter within a person's class is white and the scatter of people's
    class means is diagonal, the prototype of class c has the prior N(mu_c, tau^2), a clip is
    N(prototype, 1), and after n clips of mean z

    .. math::

        m_c = \mu_c + \frac{n \tau^2}{1 + n \tau^2} (z - \mu_c), \qquad
        v_c = \frac{\tau^2}{1 + n \tau^2}.

    A clip belongs to the class with the largest N(m_c, 1 + v_c). A class that the population lacks
    has the mean of all classes for mu, and the variance between classes beside tau^2.

    Parameters
    ----------
    prior : bool, default=True
        False takes the means of the support as they are (tau^2 is infinite): the prototypes of
        Snell, Swersky and Zemel (arXiv 1703.05175) in features that are not learned for them.

    Notes
    -----
    The idea, prototypes shrunk to the population's by as much as people were seen to differ, is of
    "Bayesian prototypes with a population prior" (arXiv 2606.04798), whose text was not at hand.
    Ours: white features from a Ledoit-Wolf covariance, tau^2 of each direction by the method of
    moments, predictive variances, new classes. Without people tau^2 is 0.
    """

    def __init__(self, *, prior=True):
        self.prior = prior

    def fit(self, X, y, groups=None):
        """Estimate prototypes, and how much those of people differ."""
        X = np.asarray(X, dtype=np.float64)
        self.classes_, codes = np.unique(y, return_inverse=True)
        groups = np.zeros(len(X)) if groups is None else groups
        pairs = np.stack([np.unique(groups, return_inverse=True)[1], codes], axis=1)
        cells, cell, sizes = np.unique(pairs, axis=0, return_inverse=True, return_counts=True)
        means = _means(X, cell, len(cells))
        within = LedoitWolf(assume_centered=True).fit(X - means[cell]).covariance_
        within *= len(X) / max(1, len(X) - len(cells))
        root = np.linalg.inv(np.linalg.cholesky(within)).T
        own = means @ root
        prototypes = _means(own, cells[:, 1], len(self.classes_))
        apart = own - prototypes[cells[:, 1]]
        scatter = apart.T @ apart / max(1, len(cells) - len(self.classes_))
        scatter -= np.mean(1.0 / sizes) * np.eye(len(scatter))
        variances, directions = np.linalg.eigh(scatter)
        is_known = len(cells) > len(self.classes_)
        self.variance_ = variances.clip(min=0.0) * is_known
        self.directions_ = root @ directions
        self.known_ = self.classes_
        self.means_ = prototypes @ directions
        self.spread_ = np.broadcast_to(1.0 + self.variance_, self.means_.shape)
        return self

    def adapt(self, X, y, *, classes=None):
        """Prototypes of a person; without `classes` those of population and support."""
        person = copy.copy(self)
        both = np.concatenate([self.known_, y]) if classes is None else classes
        person.classes_ = np.unique(both)
        Z = np.asarray(X, dtype=np.float64) @ self.directions_
        of_class = [self._posterior(Z[np.asarray(y) == label], label) for label in person.classes_]
        person.means_, person.spread_ = map(np.stack, zip(*of_class, strict=True))
        return person

    def predict_proba(self, X):
        """Probabilities of the classes, which count alike."""
        Z = np.asarray(X, dtype=np.float64) @ self.directions_
        squares = np.square(Z[:, None] - self.means_) / self.spread_ + np.log(self.spread_)
        return softmax(-0.5 * squares.sum(axis=2), axis=1)

    def predict(self, X):
        """The most probable class."""
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _posterior(self, own, label):
        """Mean and predictive variance of a class."""
        is_known = self.known_ == label
        mean, variance = self.means_.mean(axis=0), self.variance_ + self.means_.var(axis=0)
        if is_known.any():
            mean, variance = self.means_[is_known][0], self.variance_
        n = len(own)
        if n and not self.prior:
            return own.mean(axis=0), np.full_like(mean, 1.0 + 1.0 / n)
        if n:
            mean = mean + n * variance / (1.0 + n * variance) * (own.mean(axis=0) - mean)
        return mean, 1.0 + variance / (1.0 + n * variance)


def _means(X, codes, n_codes):
    sums = np.zeros((n_codes, X.shape[1]))
    np.add.at(sums, codes, X)
    return sums / np.bincount(codes, minlength=n_codes)[:, None]
