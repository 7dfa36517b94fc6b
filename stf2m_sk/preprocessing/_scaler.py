"""Scaling: every channel by the statistics of a population, or of a person."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import StrOptions

from stf2m_sk._validation import check_groups
from stf2m_sk.preprocessing._base import ViewTransformerMixin
from stf2m_sk.preprocessing._forms import finite_cast, in_the_form_of, with_arrays
from stf2m_sk.preprocessing._statistics import channel_statistics, filled, mean_of_known
from stf2m_sk.views import Views, ViewSchema, as_views

_Statistics = dict[str, NDArray[np.float64]]


class ViewScaler(ViewTransformerMixin, TransformerMixin, BaseEstimator):
    """Scale each channel of each modality to centre 0 and spread 1.

    The statistics run over all measured values of clips and time. With ``scope="person"`` every
    person is scaled by their own: what is left is how a clip differs from what is usual for that
    person. `adapt` learns the statistics of a new person from a few clips.

    Parameters
    ----------
    scope : {"population", "person"}, default="population"
        Whose statistics: those of all clips together, or of each person. "person" needs
        ``groups`` at `fit`.
    method : {"standard", "robust"}, default="standard"
        Mean and population standard deviation, or median and interquartile range / 1.349.
    schema : ViewSchema or dict, default=None
        Says which modalities a plain array holds: see `stf2m_sk.views.as_views`.

    Attributes
    ----------
    centers_ : dict of str to ndarray of shape (n_channels,), float64
        By modality: what `transform` subtracts where no person is named. With
        ``scope="person"`` the mean over people of their centres; after `adapt`, the centres of
        the new person. 0 for a channel that was never measured.
    scales_ : dict of str to ndarray of shape (n_channels,), float64
        By modality: what `transform` then divides by, found in the same way. 1 for a channel
        that is constant up to rounding or was never measured; such people do not count in the
        mean over people.
    people_ : ndarray of shape (n_people,) or None
        The people seen at fit, sorted; None with ``scope="population"``.
    person_centers_ : dict of str to ndarray of shape (n_people, n_channels), or None
        Centres of every person; None with ``scope="population"``.
    person_scales_ : dict of str to ndarray of shape (n_people, n_channels), or None
        Scales of every person; None with ``scope="population"``.
    schema_ : ViewSchema
        Modalities, channels, rates and usual lengths.
    n_features_in_ : int
        Columns of the flat form, or channels of a 3-D array.
    feature_names_in_ : ndarray of str
        Column names, if X was a DataFrame with text column names.

    See Also
    --------
    stf2m_sk.pipelines.adapt_pipeline : Adapt this scaler and the classifier behind it.

    Notes
    -----
    Deliberate: a channel that a person never measured takes centre and scale from the
    population, and one that is constant for a person (as all are in a single row of features)
    keeps the person's centre and takes the population's scale. Scale 1 would leave it in its
    raw unit, next to channels of spread 1.

    Statistics come from `fit` and `adapt` only, never from the clips that are transformed. They
    are computed in float64; the answer has the dtype of the input. With
    ``scope="population"`` groups are accepted and not used, so that the two scopes can be
    compared in one search. Source: ours.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.preprocessing import ViewScaler
    >>> heart_rate = np.array([[[60.0, 62.0]], [[90.0, 94.0]]])
    >>> scaler = ViewScaler(scope="person").fit({"hr": heart_rate}, groups=["ann", "bob"])
    >>> scaler.transform({"hr": heart_rate}, groups=["ann", "bob"])["hr"].tolist()
    [[[-1.0, 1.0]], [[-1.0, 1.0]]]
    >>> new = scaler.adapt({"hr": np.array([[[70.0, 78.0]]])})
    >>> new.transform({"hr": np.array([[[74.0, 82.0]]])})["hr"].tolist()
    [[[0.0, 2.0]]]
    """

    _parameter_constraints: ClassVar[dict] = {
        "scope": [StrOptions({"population", "person"})],
        "method": [StrOptions({"standard", "robust"})],
        "schema": [ViewSchema, dict, None],
    }

    def __init__(
        self,
        *,
        scope: Literal["population", "person"] = "population",
        method: Literal["standard", "robust"] = "standard",
        schema: ViewSchema | dict | None = None,
    ) -> None:
        self.scope = scope
        self.method = method
        self.schema = schema

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: object = None, *, groups: ArrayLike | None = None) -> ViewScaler:
        """Learn the statistics.

        Parameters
        ----------
        X : Views, dict, list of arrays, array of 2 or 3 dimensions, or DataFrame
            Clips; see `stf2m_sk.views.as_views`. NaN where not measured.
        y : object, default=None
            Ignored.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip; needed with ``scope="person"``, else not used.

        Returns
        -------
        ViewScaler
            The fitted scaler itself.

        Raises
        ------
        ValueError
            If groups are needed and not given or do not fit, if X is not as `as_views` reads it
            or holds infinite values, or a parameter is out of its range.
        """
        views = as_views(X, self.schema)
        if self.scope == "population":
            centers, scales = _statistics(views, self.method)
            people = person_centers = person_scales = None
        else:
            people, codes = _people(groups, views.n_clips)
            parts = [views[codes == code] for code in range(len(people))]
            known = [_statistics(part, self.method) for part in parts]
            centers, scales = _typical([c for c, _ in known]), _typical([s for _, s in known])
        population = _completed(centers, 0.0), _completed(scales, 1.0)
        if people is not None:
            person_centers = _stacked([_completed(c, population[0]) for c, _ in known])
            person_scales = _stacked([_completed(s, population[1]) for _, s in known])
        self._set_fitted(
            X,
            views,
            centers_=population[0],
            scales_=population[1],
            people_=people,
            person_centers_=person_centers,
            person_scales_=person_scales,
            _population=population,
        )
        return self

    def fit_transform(self, X: Any, y: object = None, *, groups: ArrayLike | None = None) -> Any:
        """Learn the statistics, then scale the same clips, each person's by their own.

        Parameters
        ----------
        X : as in `fit`
            Clips.
        y : object, default=None
            Ignored.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip; needed with ``scope="person"``, else not used.

        Returns
        -------
        Views, dict, list or ndarray
            As from `transform`.

        Raises
        ------
        ValueError
            As `fit`.
        """
        self.fit(X, y, groups=groups)
        return self._over(X, groups, _scaled)

    def transform(self, X: Any, *, groups: ArrayLike | None = None) -> Any:
        """Scale clips.

        Parameters
        ----------
        X : as in `fit`
            Clips; lengths may differ from those at fit, and modalities may be absent.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip, all seen at fit. By default `centers_` and `scales_` are used:
            the population's, or after `adapt` those of the new person.

        Returns
        -------
        Views, dict, list or ndarray
            In the form and the floating dtype of `X`, with the modalities that `X` has.
            `set_output` decides on the container of 2-D output only.

        Raises
        ------
        ValueError
            If a person was not seen at fit, modalities, channels or rates are not as at fit, a
            value is infinite, or a result is too large for the dtype.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        return self._over(X, groups, _scaled)

    def inverse_transform(self, X: Any, *, groups: ArrayLike | None = None) -> Any:
        """Bring scaled clips back to their units.

        Parameters
        ----------
        X : as in `fit`
            Scaled clips.
        groups : array-like of shape (n_clips,), default=None
            Person of each clip, as given to `transform`.

        Returns
        -------
        Views, dict, list or ndarray
            In the form and the floating dtype of `X`.

        Raises
        ------
        ValueError, sklearn.exceptions.NotFittedError
            As `transform`.
        """
        return self._over(X, groups, _unscaled)

    def adapt(self, X: Any, y: object = None) -> ViewScaler:
        """Return a scaler for a new person, from some clips of theirs.

        Parameters
        ----------
        X : as in `fit`
            Clips of one person.
        y : object, default=None
            Ignored: labels are not needed.

        Returns
        -------
        ViewScaler
            Fitted. With ``scope="person"`` its `centers_` and `scales_` are those of these
            clips alone; what they cannot tell comes from the population, see Notes. With
            ``scope="population"`` it scales as this one. This one is not changed, and an
            adapted scaler adapts anew from the population.

        Raises
        ------
        ValueError
            If X is not as at fit, or holds infinite values.
        sklearn.exceptions.NotFittedError
            If `fit` was not called.
        """
        views = self._read(X)
        adapted = copy.deepcopy(self)
        if self.scope == "person":
            centers, scales = _statistics(views, self.method)
            population_centers, population_scales = adapted._population
            adapted.centers_ = population_centers | _completed(centers, population_centers)
            adapted.scales_ = population_scales | _completed(scales, population_scales)
        return adapted

    def _over(self, X: Any, groups: ArrayLike | None, compute: Any) -> Any:
        views = self._read(X)
        centers, scales = self._chosen(groups, views.n_clips)
        arrays = {}
        for name, values in views.to_dict().items():
            with np.errstate(over="ignore"):  # too large a result is an error in the next line
                result = compute(
                    values.astype(np.float64), centers[name][..., None], scales[name][..., None]
                )
            arrays[name] = finite_cast(result, values.dtype, name)
        return in_the_form_of(X, with_arrays(views, arrays))

    def _chosen(self, groups: ArrayLike | None, n_clips: int) -> tuple[_Statistics, _Statistics]:
        """Statistics by modality, (n_channels,) or with one row for each clip."""
        if groups is None or self.people_ is None:
            return self.centers_, self.scales_
        labels, codes = _people(groups, n_clips)
        row_of = {person: row for row, person in enumerate(self.people_.tolist())}
        unknown = [person for person in labels.tolist() if person not in row_of]
        if unknown:
            raise ValueError(
                f"groups has {len(unknown)} unknown person(s), the first is {unknown[0]!r}; "
                f"{len(row_of)} were seen at fit. Use adapt(X) with clips of a new person, then "
                "transform without groups. In cross-validation over people name a scorer, such as "
                "scoring='accuracy': the default one hands groups on to transform."
            )
        rows = np.asarray([row_of[person] for person in labels.tolist()])[codes]
        return (
            {name: values[rows] for name, values in self.person_centers_.items()},
            {name: values[rows] for name, values in self.person_scales_.items()},
        )


def _people(groups: ArrayLike | None, n_clips: int) -> tuple[NDArray, NDArray[np.intp]]:
    """Labels of the people, sorted, and which of them each clip is of."""
    if groups is None:
        raise ValueError(
            "ViewScaler(scope='person') needs groups, the person of each clip: "
            "fit(X, groups=groups). In a Pipeline switch metadata routing on and ask for them "
            "with set_fit_request(groups=True) and set_transform_request(groups=True)."
        )
    check_groups(groups, n_clips)
    return np.unique(np.asarray(groups), return_inverse=True)


def _statistics(views: Views, method: str) -> tuple[_Statistics, _Statistics]:
    """Centres and scales by modality; NaN where the clips cannot tell."""
    found = {name: channel_statistics(views[name], method, name) for name in views.names}
    return {n: centre for n, (centre, _) in found.items()}, {n: s for n, (_, s) in found.items()}


def _typical(people: list[_Statistics]) -> _Statistics:
    """Mean over people, of those who can tell."""
    return {name: mean_of_known(rows) for name, rows in _stacked(people).items()}


def _stacked(people: list[_Statistics]) -> _Statistics:
    return {name: np.stack([person[name] for person in people]) for name in people[0]}


def _completed(statistics: _Statistics, instead: Mapping[str, NDArray] | float) -> _Statistics:
    """Statistics with `instead` where the clips could not tell."""
    return {
        name: filled(values, instead[name] if isinstance(instead, Mapping) else instead)
        for name, values in statistics.items()
    }


def _scaled(values: NDArray, centre: NDArray, scale: NDArray) -> NDArray:
    return (values - centre) / scale


def _unscaled(values: NDArray, centre: NDArray, scale: NDArray) -> NDArray:
    return values * scale + centre
