"""Resampling: modalities of different rates to a common one."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from numbers import Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from stf2m_sk.preprocessing._base import ViewTransformerMixin
from stf2m_sk.preprocessing._filtering import rational_ratio, resample, resampled_length
from stf2m_sk.preprocessing._forms import finite_cast, flat_names, with_arrays
from stf2m_sk.views import Views, ViewSchema, as_views


class ViewResampler(ViewTransformerMixin, TransformerMixin, BaseEstimator):
    """Resample modalities to a common or a chosen rate, without aliasing.

    Parameters
    ----------
    rate : {"lowest", "highest"}, float > 0 or dict of str to float, default="lowest"
        New sampling rate in Hz: the lowest or highest of the known rates of X at fit, with
        modalities of unknown rate left as they are; one number for all modalities; or a number
        for each modality that is named, with the others left as they are.
    schema : ViewSchema or dict, default=None
        Says which modalities, of which rates, a plain array holds: see
        `stf2m_sk.views.as_views`. A dict of arrays has its rates from here, too.

    Attributes
    ----------
    rates_ : dict of str to float or None
        By modality: the rate after `transform` in Hz, None where it is unknown.
    schema_ : ViewSchema
        Modalities of X, before resampling.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : ndarray of str
        Column names, if X was a DataFrame with text column names.

    Notes
    -----
    The filter is that of `scipy.signal.resample_poly` with edge values before the start and
    after the end, in float64, on the signal less its mid-range, so that constants stay
    constant. Missing values: normalised convolution, which filters the measured values and the
    mask alike and divides; gaps stay gaps, where less than 0.22 of the filter's weight falls on
    measured values. (So values on every fourth frame of a finer grid are still enough.) NaN at
    the end of a clip, of any length, changes nothing of what was measured.

    The ratio of two rates is taken as a fraction with terms of at most about 10,000. A clip of n
    frames has ``ceil(n * ratio)`` new ones. In a 3-D array whose modalities end up with
    different lengths, shorter ones end in NaN. Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.preprocessing import ViewResampler
    >>> from stf2m_sk.views import Views
    >>> acc, temperature = np.zeros((5, 3, 320)), np.full((5, 1, 40), 33.0)
    >>> views = Views({"acc": acc, "temp": temperature}, rates={"acc": 32, "temp": 4})
    >>> ViewResampler().fit_transform(views)
    Views(5 clips: acc 3x40 @ 4 Hz, temp 1x40 @ 4 Hz; all measured)
    """

    _parameter_constraints: ClassVar[dict] = {
        "rate": [
            StrOptions({"lowest", "highest"}),
            Interval(Real, 0, None, closed="neither"),
            dict,
        ],
        "schema": [ViewSchema, dict, None],
    }

    def __init__(
        self,
        *,
        rate: Literal["lowest", "highest"] | float | dict[str, float] = "lowest",
        schema: ViewSchema | dict | None = None,
    ) -> None:
        self.rate = rate
        self.schema = schema

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: object = None) -> ViewResampler:
        """Note the rates, before and after.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`.
        y : object, default=None
            Ignored.

        Returns
        -------
        ViewResampler
            The fitted resampler itself.

        Raises
        ------
        ValueError
            If a modality that is to be resampled has no known rate, `rate` names an unknown
            modality or has a value that is not positive and finite, two rates are more than a
            factor of 10,000 apart, or X is not as `as_views` reads it.
        """
        views = as_views(X, self.schema)
        rates = self._new_rates(views.schema)
        for modality in views.schema:
            _ratio(modality.rate, rates[modality.name], modality.name)
        self._set_fitted(X, views, rates_=rates)
        return self

    def _new_rates(self, schema: ViewSchema) -> dict[str, float | None]:
        rates = {modality.name: modality.rate for modality in schema}
        if isinstance(self.rate, str):
            known = [rate for rate in rates.values() if rate is not None]
            choose = min if self.rate == "lowest" else max
            return {n: rate if rate is None else choose(known) for n, rate in rates.items()}
        wanted = self.rate if isinstance(self.rate, dict) else dict.fromkeys(rates, self.rate)
        unknown = [name for name in wanted if name not in rates]
        if unknown:
            raise ValueError(f"rate has unknown modalities {unknown}; there are {list(rates)}")
        for name, rate in wanted.items():
            _check_rate(rate, name)
            if rates[name] is None:
                raise ValueError(
                    f"modality {name!r} has no known rate, so it cannot be resampled to {rate:g} "
                    "Hz; give its rate in Views(..., rates=...) or in schema"
                )
        return rates | {name: float(rate) for name, rate in wanted.items()}

    def _transformed(self, views: Views) -> Views:
        arrays, rates = views.to_dict(), {m.name: m.rate for m in views.schema}
        for name, values in arrays.items():
            ratio = self._ratio_of(name)
            if ratio != 1:
                arrays[name] = finite_cast(resample(values, ratio), values.dtype, name)
            # A rate that only these clips know is theirs: such a modality is left as it is.
            rates[name] = self.rates_[name] or rates[name]
        return with_arrays(views, arrays, rates)

    def _ratio_of(self, name: str) -> Fraction:
        return _ratio(self.schema_[name].rate, self.rates_[name], name)

    def _names_out(self, columns: NDArray[np.object_]) -> NDArray[np.object_]:
        ratios = {name: self._ratio_of(name) for name in self.schema_.names}
        if set(ratios.values()) == {1}:
            return columns
        return flat_names(
            ViewSchema(
                replace(m, n_timesteps=resampled_length(m.n_timesteps, ratios[m.name]))
                for m in self.schema_
            )
        )


def _ratio(rate: float | None, new_rate: float | None, name: str) -> Fraction:
    if rate is None or new_rate is None:
        return Fraction(1)
    return rational_ratio(new_rate, rate, name)


def _check_rate(rate: object, name: str) -> None:
    is_number = isinstance(rate, Real) and not isinstance(rate, bool)
    if not is_number or not (math.isfinite(rate) and rate > 0):
        raise ValueError(
            f"modality {name!r}: the new rate must be a positive and finite number of Hz, "
            f"given {rate!r}"
        )
