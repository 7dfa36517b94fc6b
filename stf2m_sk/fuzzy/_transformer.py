"""The fuzzy rules as a scikit-learn transformer."""

from __future__ import annotations

from numbers import Real
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import _check_feature_names_in, check_is_fitted, validate_data

from stf2m_sk.fuzzy._firing import firing_strengths
from stf2m_sk.fuzzy._placement import PLACEMENT_CONSTRAINTS, place_rules


class FuzzyRuleTransformer(TransformerMixin, BaseEstimator):
    """Turn feature vectors into fuzzy-rule features.

    `fit` places Gaussian rules by fuzzy c-means (see `place_rules`). `transform` gives the
    normalised firing strength w_r of every rule and/or the design matrix of first-order
    Takagi-Sugeno-Kang consequents, w_r * [1, u]: a linear model on it is a TSK fuzzy system.

    Parameters
    ----------
    n_rules : int or "auto", default="auto"
        Number of rules, at least 1 and at most the number of distinct clips. "auto" takes one
        rule per five distinct clips, at least 2 and at most 8 (and 1 for a single clip).
    output : {"both", "firing", "consequent"}, default="both"
        Columns of `transform`: the firing strengths (n_rules), the consequent features rule by
        rule (n_rules * (n_features + 1)), or both in this order.
    fuzzifier : float > 1 or "auto", default="auto"
        Exponent m of fuzzy c-means. "auto" is q / (q - 2) with q = min(n_clips - 1,
        n_features - 1) where q >= 3, else 2.
    temperature : float > 0, default=1.0
        Factor of the log-firing: larger makes the rules more exclusive.
    initialisation : {"c-means", "k-means", "random"}, default="c-means"
        How centres are found.
    max_iter : int, default=100
        Most iterations of the clustering.
    tol : float, default=1e-4
        Tolerance of the clustering, see `place_rules`.
    random_state : int, RandomState instance or None, default=None
        Decides the start centres. NumPy's global generator is left as found.

    Attributes
    ----------
    centers_ : ndarray of shape (n_rules, n_features), float64
        Centre of every rule, in the units of X.
    widths_ : ndarray of shape (n_rules, n_features), float64
        Width (standard deviation, > 0) of every rule, in the units of X.
    n_rules_ : int
        Number of rules.
    partition_coefficient_ : float
        Mean over clips of the summed squared c-means memberships at `centers_`: from
        ``1 / n_rules_`` (no structure) to 1 (every clip at one rule).
    initialisation_ : str
        What placed the centres in the end: "k-means" where c-means collapsed.
    n_iter_ : int
        Iterations of the clustering, from its best start; 0 for "random".
    n_features_in_ : int
        Number of features seen at fit.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, where X had string names.

    See Also
    --------
    place_rules : The placement alone.
    firing_strengths : The firing strengths for given centres and widths.

    Notes
    -----
    Missing values: NaN stands at the feature's mean while centres are placed. In `transform`
    the factor of a missing feature is left out and the rest rescaled (see `log_firing`), its
    consequent features are 0, and a clip with nothing measured fires all rules equally.

    The answer is computed in float64 and has the dtype of the input (float32 or float64).
    ST-F2M (arXiv 2412.13541) speaks of generalized fuzzy rules in its abstract; the form of
    antecedents and consequents, and the division by sqrt(n_features), are ours.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from stf2m_sk.fuzzy import FuzzyRuleTransformer
    >>> X, y = load_iris(return_X_y=True)
    >>> rules = FuzzyRuleTransformer(n_rules=3, output="firing", random_state=0).fit(X)
    >>> firing = rules.transform(X)
    >>> firing.shape
    (150, 3)
    >>> bool(firing.sum(axis=1).round(6).min() == 1.0)
    True
    >>> rules.get_feature_names_out().tolist()
    ['rule0_firing', 'rule1_firing', 'rule2_firing']
    """

    _parameter_constraints: ClassVar[dict] = {
        **PLACEMENT_CONSTRAINTS,
        "output": [StrOptions({"both", "firing", "consequent"})],
        "temperature": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        *,
        n_rules: int | Literal["auto"] = "auto",
        output: Literal["both", "firing", "consequent"] = "both",
        fuzzifier: float | Literal["auto"] = "auto",
        temperature: float = 1.0,
        initialisation: str = "c-means",
        max_iter: int = 100,
        tol: float = 1e-4,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_rules = n_rules
        self.output = output
        self.fuzzifier = fuzzifier
        self.temperature = temperature
        self.initialisation = initialisation
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: object = None) -> FuzzyRuleTransformer:
        """Place the rules.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Feature vectors; NaN means not measured.
        y : object, default=None
            Ignored.

        Returns
        -------
        FuzzyRuleTransformer
            The fitted transformer itself.

        Raises
        ------
        ValueError
            If `X` holds infinite values, a feature's variance overflows, `n_rules` exceeds the
            number of distinct clips, or a parameter is out of its range.
        """
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", reset=True
        )
        placement = place_rules(
            X,
            self.n_rules,
            fuzzifier=self.fuzzifier,
            initialisation=self.initialisation,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=self.random_state,
        )
        self.centers_ = placement.centers
        self.widths_ = placement.widths
        self.n_rules_ = len(placement.centers)
        self.partition_coefficient_ = placement.partition_coefficient
        self.initialisation_ = placement.initialisation
        self.n_iter_ = placement.n_iter
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.floating]:
        """Compute the rule features.

        Parameters
        ----------
        X : array-like of shape (n_clips, n_features)
            Feature vectors; NaN means not measured.

        Returns
        -------
        ndarray of shape (n_clips, n_columns)
            Rule features in the dtype of `X` (float32 or float64), see `output`.

        Raises
        ------
        ValueError
            If `X` holds infinite values or another number of features than at fit.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        X = validate_data(
            self, X, dtype=[np.float64, np.float32], ensure_all_finite="allow-nan", reset=False
        )
        firing = firing_strengths(X, self.centers_, self.widths_, self.temperature)
        if self.output == "firing":
            return firing.astype(X.dtype, copy=False)
        extended = np.hstack([np.ones((len(X), 1)), np.nan_to_num(X.astype(np.float64))])
        consequent = (firing[:, :, None] * extended[:, None, :]).reshape(len(X), -1)
        columns = consequent if self.output == "consequent" else np.hstack([firing, consequent])
        return columns.astype(X.dtype, copy=False)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[np.object_]:
        """Names of the columns of `transform`.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the features; must equal `feature_names_in_` where that exists. Default:
            `feature_names_in_`, else x0, x1 and so on.

        Returns
        -------
        ndarray of str objects
            `rule0_firing` and so on, then `rule0_bias`, `rule0_<feature>` and so on.

        Raises
        ------
        ValueError
            If `input_features` does not fit what was seen at fit.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        check_is_fitted(self)
        features = _check_feature_names_in(self, input_features)
        rules = range(self.n_rules_)
        firing = [f"rule{rule}_firing" for rule in rules]
        consequent = [f"rule{rule}_{name}" for rule in rules for name in ("bias", *features)]
        names = {"firing": firing, "consequent": consequent, "both": firing + consequent}
        return np.asarray(names[self.output], dtype=object)

    def __sklearn_tags__(self):
        """Tags: missing values are allowed and float32 stays float32."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
