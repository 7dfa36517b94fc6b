"""Features of clips, as first steps of a Pipeline: Views in, an array out."""

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
from stf2m_sk.encoding import SpatioTemporalEncoder
from stf2m_sk.views import Views

_SHORTEST = 9  # frames of a rocket's kernel


def table_features() -> Pipeline:
    """Mean, deviation, extremes and slope of each channel; the population's mean in the gaps."""
    imputer = SimpleImputer(keep_empty_features=True)
    return make_pipeline(FunctionTransformer(Views.to_table), imputer, StandardScaler())


class RocketFeatures(TransformerMixin, BaseEstimator):
    """MiniRocket (Dempster, Schmidt, Webb, arXiv 2012.08791; aeon's), scaled by the population.

    All modalities are put on one clock, scaled by the population's means and deviations, with the
    mean in the gaps.

    Parameters
    ----------
    random_state : int, default=0
        Of the kernels.
    """

    def __init__(self, *, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        """Draw the kernels."""
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
            self.rocket_ = MiniRocket(random_state=self.random_state).fit(panel)
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


def rule_features() -> SpatioTemporalEncoder:
    """Those of our classifier, without networks, which say more of clips they were trained on."""
    return SpatioTemporalEncoder(STF2MClassifier(n_networks=0))


class Components(TransformerMixin, BaseEstimator):
    """The largest principal components: at most 100, and half as many as clips."""

    def __init__(self, *, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        """Find the components."""
        n = min(100, len(X) // 2, X.shape[1])
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
