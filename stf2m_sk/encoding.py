"""The features of the classifier as a transformer."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted

from stf2m_sk._validation import check_measured, note_features, torch_threads
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.views import as_views

__all__ = ["SpatioTemporalEncoder"]


class SpatioTemporalEncoder(TransformerMixin, BaseEstimator):
    """Turn clips into the features of a classifier, by spatial and temporal convolutions.

    `fit` meta-trains a classifier on the labelled clips of many people; `transform` gives each
    clip's features, for any scikit-learn model behind it: firing strengths of fuzzy rules and
    log-probabilities of networks, centred, scaled and weighted.

    Parameters
    ----------
    classifier : STF2MClassifier or FrozenEstimator, default=None
        Whose features they are; a clone of it is fitted. None: ``STF2MClassifier()``. To take
        the features of a fitted classifier as they are, wrap it: ``FrozenEstimator(fitted)``;
        then `fit` trains nothing.
    random_state : int, RandomState instance or None, default=None
        Seeds the classifier that is fitted; None leaves it the `random_state` it has.

    Attributes
    ----------
    classifier_ : STF2MClassifier or FrozenEstimator
        The fitted classifier.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : array of str
        Column names, if X was a DataFrame with text column names.

    See Also
    --------
    stf2m_sk.STF2MClassifier : The whole method.
    stf2m_sk.fuzzy.FuzzyPatternTransformer : Pattern rules alone, without labels.

    Notes
    -----
    That spatial and temporal convolutions encode the clips is from the abstract of ST-F2M (arXiv
    2412.13541). The columns of a block (a kind of rule in a modality, or the networks) have a
    mean squared length of the block's learned weight. In this scale ``RidgeClassifier()`` behind
    this step is the model of the classifier without person effects; a StandardScaler between them
    would undo the weights.

    The networks have seen the clips that `fit` was given, so that features of these look better
    than those of any other: judge a model behind this step on other people.

    Examples
    --------
    >>> from sklearn.linear_model import RidgeClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.encoding import SpatioTemporalEncoder
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> small = STF2MClassifier(n_kernels=40, n_patterns=32, n_networks=0)
    >>> encoder = SpatioTemporalEncoder(small, random_state=0)
    >>> model = make_pipeline(encoder, RidgeClassifier()).fit(data.views, data.target)
    >>> model[0].transform(data.views[:5]).shape
    (5, 192)
    """

    _parameter_constraints: ClassVar[dict] = {
        "classifier": [HasMethods(["fit", "predict_proba"]), None],
        "random_state": ["random_state"],
    }

    def __init__(self, classifier=None, *, random_state=None):
        self.classifier = classifier
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y: ArrayLike, *, groups: ArrayLike | None = None) -> SpatioTemporalEncoder:
        """Meta-train the classifier.

        Parameters
        ----------
        X : as in `STF2MClassifier.fit`
            Clips.
        y : array-like of shape (n_clips,)
            Labels.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip.

        Returns
        -------
        SpatioTemporalEncoder
            This encoder.

        Raises
        ------
        TypeError
            If `classifier` is no STF2MClassifier, frozen or not.
        ValueError, NotFittedError
            As `STF2MClassifier.fit`; if a frozen classifier is not fitted, or its modalities are
            others than those of X.
        """
        classifier = self._new_classifier()
        classifier.fit(X, y, groups=groups)
        check_is_fitted(classifier)
        views = as_views(X, classifier.schema_)
        note_features(self, X, views, reset=True)
        self.classifier_ = classifier
        return self

    def transform(self, X) -> NDArray[np.floating]:
        """Features of clips.

        Parameters
        ----------
        X : as in `fit`
            Clips. Lengths may differ from those at `fit`, and modalities may be absent.

        Returns
        -------
        array of shape (n_clips, n_columns)
            As float32 if X is, else float64.

        Raises
        ------
        NotFittedError
            If this encoder is not fitted.
        ValueError
            As `STF2MClassifier.predict_proba`.
        """
        check_is_fitted(self)
        note_features(self, X, None, reset=False)
        views = as_views(X, self.classifier_.schema_)
        check_measured(views)
        with torch_threads(self.classifier_.n_threads):
            return self.classifier_.model_.embed(views).numpy()

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Must equal `feature_names_in_` where that exists; otherwise not used.

        Returns
        -------
        ndarray of str objects
            ``<modality>_course0``, ``<modality>_level0``, ``<modality>_pattern0`` and so on for
            rules, block by block; `network0` and so on for the networks, a class each.

        Raises
        ------
        NotFittedError
            If this encoder is not fitted.
        ValueError
            If `input_features` does not fit what was seen at fit.
        """
        check_is_fitted(self)
        _check_feature_names_in(self, input_features, generate_names=False)
        modalities = self.classifier_.schema_.names
        names = []
        for block in self.classifier_.model_.module.blocks:
            # The networks see all modalities.
            of = "" if block.modality < 0 else f"{modalities[block.modality]}_"
            names += [f"{of}{block.kind}{i}" for i in range(block.size)]
        return np.array(names, dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classifier_")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.target_tags.required = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _new_classifier(self):
        classifier = STF2MClassifier() if self.classifier is None else clone(self.classifier)
        kind = getattr(classifier, "estimator", classifier)
        if not isinstance(kind, STF2MClassifier):
            raise TypeError(
                f"classifier is a {type(self.classifier).__name__}; expected an STF2MClassifier, "
                "or FrozenEstimator around a fitted one."
            )
        if self.random_state is not None and kind is classifier:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            classifier.set_params(random_state=int(seed))
        return classifier
