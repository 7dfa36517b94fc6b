"""Scalers that were fitted on more than the training side."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils import Bunch

from stf2m_sk.model_selection import leakage_report
from stf2m_sk.views import Views, as_views

SCALER = "scaler fitted on all data"


class _Means(KNeighborsClassifier):
    """Neighbours by the means of all channels, whatever the form of X."""

    def _table(self, X):
        return np.concatenate([a.mean(axis=2) for a in as_views(X).to_dict().values()], axis=1)

    def fit(self, X, y):
        return super().fit(self._table(X), y)

    def predict(self, X):
        return super().predict(self._table(X))

    def predict_proba(self, X):
        return super().predict_proba(self._table(X))


class TestScaler:
    @pytest.fixture
    def shifted(self):
        """The one new person is far from the others: a scaler that saw them helps or harms."""
        generator = np.random.default_rng(0)
        y = np.tile(["calm", "joy"], 60)
        X = generator.normal(size=(120, 3))
        X[:, 0] += 1.5 * (y == "joy")
        X[90:, 1] += 40.0
        return Bunch(X=X, y=y, split=(np.arange(90), np.arange(90, 120)))

    @pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler()])
    def test_seen_in_X(self, shifted, scaler):
        X = scaler.fit_transform(shifted.X)
        for values in (X, X.astype(np.float32)):
            report = leakage_report(values, splits=[shifted.split])
            assert report.found == (SCALER,)
            assert "(each column) over all clips, and not over the training" in report.leaks[0].what

    def test_each_person_by_their_own_clips(self, generated):
        # The training side is then standardised too: nothing of the test people is in it.
        X = generated.views.drop("voice").astype(float).to_dict()
        for signal in X.values():
            for person in np.unique(generated.groups):
                own = np.ma.masked_invalid(signal[generated.groups == person])
                centre, width = (f(axis=(0, 2), keepdims=True) for f in (own.mean, own.std))
                signal[generated.groups == person] = np.ma.filled((own - centre) / width, np.nan)
        by_person = np.arange(192), np.arange(192, 240)
        assert leakage_report(X, splits=[by_person], groups=generated.groups).clean
        in_time = np.arange(0, 240, 2), np.arange(1, 240, 2)
        assert leakage_report(X, splits=[in_time], protocol="same-person").found == (SCALER,)

    def test_flags_are_not_scaled(self):
        flags = np.zeros((40, 20))
        flags[np.arange(40), np.arange(40) % 20] = 1
        rare = np.array([3, 23])  # the only clips with the fourth flag
        assert leakage_report(flags, splits=[(np.setdiff1d(np.arange(40), rare), rare)]).clean

    def test_seen_in_X_of_the_two_sides(self, shifted):
        X = np.concatenate([StandardScaler().fit_transform(shifted.X), shifted.X])
        report = leakage_report(X, splits=[shifted.split])
        assert "over both sides, and not" in report.leaks[0].what

    def test_deviation_with_one_less(self, shifted):
        X = (shifted.X - shifted.X.mean(0)) / shifted.X.std(0, ddof=1)
        assert leakage_report(X, splits=[shifted.split]).found == (SCALER,)

    def test_quantified_by_what_it_should_have_been(self, shifted):
        for scaler in (StandardScaler(), MinMaxScaler()):
            X = scaler.fit_transform(shifted.X)
            report = leakage_report(
                X, shifted.y, splits=[shifted.split], estimator=KNeighborsClassifier(5)
            )
            train, test = shifted.split
            clean = scaler.fit(shifted.X[train]).transform(shifted.X)
            expected = KNeighborsClassifier(5).fit(clean[train], shifted.y[train])
            leak = report.leaks[0]
            assert leak.score_without == pytest.approx(
                expected.score(clean[test], shifted.y[test]), abs=1e-12
            )
            assert leak.score == leak.score_random
            assert f"{leak.score:.3f} as given, {leak.score_without:.3f} without" in str(report)

    @pytest.mark.parametrize("scaler", [StandardScaler(), MinMaxScaler(), RobustScaler()])
    def test_given(self, shifted, scaler):
        train, test = shifted.split
        scaler.fit(shifted.X)
        report = leakage_report(
            shifted.X,
            shifted.y,
            splits=[shifted.split],
            scaler=scaler,
            estimator=KNeighborsClassifier(5),
        )
        assert report.leaks[0].what == (
            "the scaler has the statistics of all clips, not of the training side"
        )
        model = KNeighborsClassifier(5).fit(scaler.transform(shifted.X[train]), shifted.y[train])
        score = model.score(scaler.transform(shifted.X[test]), shifted.y[test])
        assert report.leaks[0].score == pytest.approx(score)
        scaler.fit(shifted.X[train])
        assert leakage_report(shifted.X, splits=[shifted.split], scaler=scaler).clean

    def test_real_in_every_form(self, stress):
        arrays = stress.views.to_dict()
        scaled = {
            name: (signal - signal.mean((0, 2), keepdims=True)) / signal.std((0, 2), keepdims=True)
            for name, signal in arrays.items()
        }
        for X in (scaled, Views(scaled), list(scaled.values()), scaled["acc"]):
            report = leakage_report(
                X,
                stress.target,
                splits=[stress.by_person],
                estimator=_Means(),
                groups=stress.groups,
            )
            assert report.found == (SCALER,)
            assert "(each channel)" in report.leaks[0].what
            assert np.isfinite(report.fall(SCALER))

    def test_real_flat_form(self, stress):
        scaler = StandardScaler().fit(np.asarray(stress.views))
        for X in (stress.views, stress.views.to_dict()):
            report = leakage_report(X, splits=[stress.by_person], scaler=scaler)
            assert report.found == (SCALER,)

    def test_of_another_X(self, shifted):
        with pytest.raises(
            ValueError, match="X has 2 features, but StandardScaler is expecting 3 features"
        ):
            leakage_report(
                shifted.X[:, :2], splits=[shifted.split], scaler=StandardScaler().fit(shifted.X)
            )

    def test_nothing_to_compare(self, shifted):
        with pytest.raises(ValueError, match="StandardScaler instance is not fitted yet"):
            leakage_report(shifted.X, splits=[shifted.split], scaler=StandardScaler())
