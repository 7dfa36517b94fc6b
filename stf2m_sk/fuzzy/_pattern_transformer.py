"""The pattern rules as a scikit-learn transformer."""

from __future__ import annotations

import copy
from numbers import Integral
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from stf2m_sk._validation import check_measured, local_generator, note_features, torch_threads
from stf2m_sk.fuzzy._description import Pattern, describe_patterns
from stf2m_sk.fuzzy._patterns import place_patterns
from stf2m_sk.nn.module import ModuleSizes, STF2MModule
from stf2m_sk.views import Views, ViewSchema, as_views

__all__ = ["FuzzyPatternTransformer"]

_TAPS = 9
_CALIBRATION_CLIPS = 200  # for the prototypes
_CLIPS_AT_ONCE = 512  # bounds the memory, whatever the number of clips


class FuzzyPatternTransformer(TransformerMixin, BaseEstimator):
    """Turn clips into the firing strengths of fuzzy rules over short windows.

    A rule says "the window looks like this": a few mixtures of channels, a few taps around a
    frame, compared with a prototype. Its strength in a clip is the membership of fuzzy c-means,
    averaged over the measured frames: a share of the clip. `fit` scales every channel by its
    mean and deviation and places the prototypes by c-means on windows of the clips.

    Parameters
    ----------
    n_patterns : int, default=160
        Rules, shared out over the modalities in groups of eight; rounded up to whole groups, at
        least one a modality. The rules of a group share their windows; their strengths sum to 1.
    schema : ViewSchema or dict, default=None
        Says which modalities a plain array holds: see `stf2m_sk.views.as_views`.
    initialisation : {"c-means", "k-means", "random"}, default="c-means"
        How prototypes are found.
    random_state : int, RandomState instance or None, default=None
        Decides mixtures of channels and the start of c-means. NumPy's and torch's global
        generators are left as found.

    Attributes
    ----------
    patterns_ : list of Pattern
        Every rule in the units of the recording, in the order of the columns: what is needed to
        draw it.
    module_ : STF2MModule
        Computes the strengths.
    fill_ : float32 array of shape (n_rules,)
        Mean strengths over the clips of `fit`.
    schema_ : ViewSchema
        Modalities, channels, rates and usual lengths.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : array of str
        Column names, if X was a DataFrame with text column names.

    See Also
    --------
    FuzzyRuleTransformer : Rules over feature vectors.
    stf2m_sk.STF2MClassifier : The whole method, of which these rules are a part.

    Notes
    -----
    NaN means not measured. Frames that are not measured are left out; where a whole modality is
    absent from a clip, its rules fire as they did in the clips of `fit` on average (`fill_`), so
    that the output is finite. Where clips have a single frame, as feature vectors have, windows
    are mixtures of features.

    Generalized fuzzy rules are in the abstract of ST-F2M (arXiv 2412.13541); windows as
    antecedents are ours, the membership is that of Bezdek's fuzzy c-means with fuzzifier 1.5.

    Examples
    --------
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.fuzzy import FuzzyPatternTransformer
    >>> views = make_emotion_views(n_people=3, random_state=0).views.select("skin", "pulse")
    >>> rules = FuzzyPatternTransformer(n_patterns=32, random_state=0).fit(views)
    >>> rules.transform(views[:2]).shape
    (2, 32)
    >>> rules.get_feature_names_out()[[0, -1]].tolist()
    ['skin_pattern0', 'pulse_pattern15']
    >>> print(rules.patterns_[0])
    level of skin (0), -1 to 1 s
    """

    _parameter_constraints: ClassVar[dict] = {
        "n_patterns": [Interval(Integral, 1, None, closed="left")],
        "schema": [ViewSchema, dict, None],
        "initialisation": [StrOptions({"c-means", "k-means", "random"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        n_patterns: int = 160,
        *,
        schema: ViewSchema | dict | None = None,
        initialisation: Literal["c-means", "k-means", "random"] = "c-means",
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_patterns = n_patterns
        self.schema = schema
        self.initialisation = initialisation
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: object = None) -> FuzzyPatternTransformer:
        """Place the rules.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`. NaN where not measured.
        y : object, default=None
            Ignored.

        Returns
        -------
        FuzzyPatternTransformer
            The fitted transformer itself.

        Raises
        ------
        ValueError
            If X is not as `as_views` reads it, holds infinite values or a clip in which nothing
            is measured, or a parameter is out of its range.
        """
        views = as_views(X, self.schema)
        check_measured(views)
        with torch_threads(None):
            module = self._placed(views)
            strengths = np.concatenate(list(_strengths(module, views.astype(np.float32))))
        note_features(self, X, views, reset=True)
        self.module_, self.schema_ = module, views.schema
        n_measured = np.maximum((~np.isnan(strengths)).sum(axis=0), 1)
        means = np.nansum(strengths, axis=0, dtype=np.float64) / n_measured
        # Of a modality that was never there, all rules are alike.
        absent = np.isnan(strengths).all(axis=0)
        self.fill_ = np.where(absent, 1.0 / _group_size(module), means).astype(np.float32)
        return self

    def transform(self, X: Any) -> NDArray[np.floating]:
        """Firing strengths of clips.

        Parameters
        ----------
        X : as in `fit`
            Clips. Lengths may differ from those at `fit`, and modalities may be absent.

        Returns
        -------
        ndarray of shape (n_clips, n_rules)
            In [0, 1]; those of a group sum to 1, or are 0 where a long clip is measured between
            the frames that are read only. float32 if X is, else float64.

        Raises
        ------
        ValueError
            If a modality, a channel count or a rate is not as at `fit`, a value is infinite or
            nothing is measured in a clip.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        note_features(self, X, None, reset=False)
        views = as_views(X, self.schema_)
        check_measured(views)
        module = self.module_
        if views.dtype == np.float64:
            module = copy.deepcopy(module).double()
        filled = np.empty((views.n_clips, len(self.fill_)), dtype=views.dtype)
        first = 0
        with torch_threads(None):
            for own in _strengths(module, views):
                filled[first : first + len(own)] = np.where(np.isnan(own), self.fill_, own)
                first += len(own)
        return filled

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must equal `feature_names_in_` where that exists; otherwise not used.

        Returns
        -------
        ndarray of str objects
            ``<modality>_pattern0`` and so on.

        Raises
        ------
        ValueError
            If `input_features` does not fit what was seen at fit.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        names = [
            f"{name}_pattern{i}"
            for name, rules in zip(self.schema_.names, self.module_.patterns, strict=True)
            for i in range(rules.n_rules)
        ]
        return np.array(names, dtype=object)

    @property
    def patterns_(self) -> list[Pattern]:
        """Every rule in the units of the recording."""
        check_is_fitted(self)
        return describe_patterns(self.module_.patterns, self.module_.standardiser, self.schema_)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "module_")

    def __sklearn_tags__(self):
        """Tags: 3-D input and missing values are allowed, and float32 stays float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _placed(self, views: Views) -> STF2MModule:
        """The rules, placed on some of the clips."""
        random_state = local_generator(self.random_state)
        generator = torch.Generator().manual_seed(int(random_state.randint(2**31 - 1)))
        arrays = [_measured(views[name]) for name in views.names]
        lengths = [array.shape[2] for array in arrays]
        sizes = ModuleSizes(
            n_channels=[array.shape[1] for array in arrays],
            n_timesteps=lengths,
            n_kernels=0,
            n_patterns=self.n_patterns,
            n_taps=_TAPS if max(lengths) > 1 else 1,
        )
        module = STF2MModule(sizes, generator=generator).eval()
        recordings = [torch.tensor(array, dtype=torch.float32) for array in arrays]
        module.standardiser.calibrate(recordings)
        rows = np.sort(random_state.permutation(views.n_clips)[:_CALIBRATION_CLIPS])
        own = torch.from_numpy(rows)
        signals = module.standardiser([recording[own] for recording in recordings])
        for rules, values, frames in zip(
            module.patterns, signals.values, signals.frames, strict=True
        ):
            rules.calibrate(values, frames)
            place_patterns(rules, values, frames, random_state, initialisation=self.initialisation)
        return module


def _group_size(module: STF2MModule) -> int:
    return module.patterns[0].prototypes.shape[1]


def _measured(array: NDArray[np.floating]) -> NDArray[np.floating]:
    """One modality up to the last frame that any clip has, so that padding decides nothing."""
    measured = np.flatnonzero(~np.isnan(array).all(axis=(0, 1)))
    return array[:, :, : measured[-1] + 1 if len(measured) else 1]


def _strengths(module: STF2MModule, views: Views):
    """Strengths of some clips at a time, NaN where a modality is absent."""
    dtype = torch.float64 if views.dtype == np.float64 else torch.float32
    for first in range(0, views.n_clips, _CLIPS_AT_ONCE):
        part = views[first : first + _CLIPS_AT_ONCE]
        # Other strides, as of a DataFrame's columns, would give other last bits.
        arrays = [np.ascontiguousarray(part[name]) for name in part.names]
        signals = module.standardiser([torch.tensor(array, dtype=dtype) for array in arrays])
        yield module.strengths(signals).numpy()
