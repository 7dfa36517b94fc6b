"""Features of clips, as first steps of a Pipeline: Views in, an array out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from aeon.transformations.collection.convolution_based import MiniRocket
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stf2m_sk import STF2MClassifier
from stf2m_sk.views import Views

_SHORTEST = 9  # frames of a rocket's kernel


def table_features() -> Pipeline:
    """Mean, deviation, extremes and slope of each channel; the population's mean in the gaps."""
    return make_pipeline(
        FunctionTransformer(Views.to_table),
        SimpleImputer(keep_empty_features=True),
        StandardScaler(),
    )


class RocketFeatures(TransformerMixin, BaseEstimator):
    """MiniRocket (Dempster, Schmidt, Webb, arXiv 2012.08791; aeon's), scaled by the population.

    Parameters
    ----------
    n_jobs : int, default=1
        Of aeon.
    random_state : int, default=0
        Of the kernels.

    Notes
    -----
    All modalities are put on one clock, scaled by the population's means and deviations, with the
    mean in the gaps.
    """

    def __init__(self, *, n_jobs=1, random_state=0):
        self.n_jobs = n_jobs
        self.random_state = random_state

    def fit(self, X, y=None):
        """Draw the kernels; the features of these clips are kept for `fit_transform`."""
        self.fit_transform(X)
        return self

    def fit_transform(self, X, y=None):
        """Draw the kernels, and return the features of the population."""
        panel = X.to_panel(fill=None)
        self.n_timesteps_ = max(_SHORTEST, panel.shape[2])
        self.centre_ = np.nan_to_num(np.nanmean(panel, axis=(0, 2), keepdims=True))
        self.spread_ = np.nan_to_num(np.nanstd(panel, axis=(0, 2), keepdims=True)) + 1e-6
        panel = self._panel(X)
        with _aeon(self.random_state):
            rocket = MiniRocket(random_state=self.random_state, n_jobs=self.n_jobs)
            self.rocket_ = rocket.fit(panel)
        features = self._kernels(panel)
        self.mean_, self.scale_ = features.mean(axis=0), features.std(axis=0) + 1e-3
        return (features - self.mean_) / self.scale_

    def transform(self, X):
        """Features of clips, float32."""
        return (self._kernels(self._panel(X)) - self.mean_) / self.scale_

    def _panel(self, views: Views) -> np.ndarray:
        panel = views.to_panel(n_timesteps=self.n_timesteps_, fill=None)
        return np.nan_to_num((panel - self.centre_) / self.spread_).astype(np.float32)

    def _kernels(self, panel: np.ndarray) -> np.ndarray:
        with _aeon(self.random_state):
            return np.asarray(self.rocket_.transform(panel), dtype=np.float32)


class RuleFeatures(TransformerMixin, BaseEstimator):
    """Features of a fitted `STF2MClassifier` without networks: weighted firing strengths.

    Without networks, because what these say of clips that they were trained on would be held for
    what they say of new people.

    Parameters
    ----------
    n_kernels, n_patterns : int
        Of the classifier.
    random_state : int, default=0
        Of the classifier.
    """

    def __init__(self, *, n_kernels=400, n_patterns=320, random_state=0):
        self.n_kernels = n_kernels
        self.n_patterns = n_patterns
        self.random_state = random_state

    def fit(self, X, y, groups=None):
        """Meta-train."""
        classifier = STF2MClassifier(n_networks=0, **self.get_params())
        self.classifier_ = classifier.fit(X, y, groups=groups)
        return self

    def transform(self, X):
        """Features of clips."""
        return self.classifier_.model_.embed(X).numpy()


class Components(TransformerMixin, BaseEstimator):
    """The largest principal components, at most half as many as clips.

    Parameters
    ----------
    most : int, default=100
        Components.
    random_state : int, default=0
        Of the randomised decomposition.
    """

    def __init__(self, *, most=100, random_state=0):
        self.most = most
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the components."""
        n = min(self.most, len(X) // 2, X.shape[1])
        self.pca_ = PCA(n, svd_solver="randomized", random_state=self.random_state).fit(X)
        return self

    def transform(self, X):
        """Components of clips."""
        return self.pca_.transform(X)


@contextmanager
def _aeon(seed: int) -> Iterator[None]:
    """Aeon draws from NumPy's global generator, and numba changes torch's number of threads."""
    state, n_threads = np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002
        torch.set_num_threads(n_threads)
