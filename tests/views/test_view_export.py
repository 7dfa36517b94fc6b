"""Panels and tables for classifiers of other packages, against loops over single values."""

import pickle
import sys
import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from stf2m_sk.datasets import load_stress
from stf2m_sk.views import Views, _arrays

LAW = settings(max_examples=50, deadline=None)
NAN = np.nan
RATES = [0.5, 1.0, 3.0, 8.0]


@st.composite
def some_views(draw, rates=RATES):
    """Views of one to three modalities with gaps; every rate is one of `rates`."""
    names = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True))
    n, dtype = draw(st.integers(1, 5)), draw(st.sampled_from([np.float32, np.float64]))
    value = st.floats(-999, 999, width=16) | st.just(NAN)
    sizes = st.tuples(st.just(n), st.integers(1, 3), st.integers(1, 6))
    arrays = {
        name: draw(sizes.flatmap(lambda s: hnp.arrays(dtype, s, elements=value))) for name in names
    }
    return Views(arrays, rates={name: draw(st.sampled_from(rates)) for name in names})


ANY_VIEWS = some_views() | some_views([None]) | some_views([None, *RATES])


def padded(views, n_frames):
    arrays = {
        name: np.pad(array, ((0, 0), (0, 0), (0, n_frames)), constant_values=NAN)
        for name, array in views.to_dict().items()
    }
    return Views(arrays, rates={m.name: m.rate for m in views.schema})


def expected_panel(views, length, rate):
    """Value by value, in exact arithmetic."""
    is_known = all(m.rate for m in views.schema)
    channels = []
    for m in views.schema:
        own = Fraction(m.rate) if is_known else Fraction(m.n_timesteps)
        frames = [int(step * own / rate) for step in range(length)]
        for channel in range(m.n_channels):
            rows = views[m.name][:, channel]
            held = [[row[f] if f < m.n_timesteps else NAN for f in frames] for row in rows]
            channels.append(held)
    return np.array(channels).swapaxes(0, 1)


def expected_rate(views):
    is_known = all(m.rate for m in views.schema)
    rates = [Fraction(m.rate if is_known else m.n_timesteps) for m in views.schema]
    duration = max(m.n_timesteps / r for m, r in zip(views.schema, rates, strict=True))
    return max(rates), duration


def expected_statistics(row, rate):
    seconds = np.arange(len(row))[~np.isnan(row)] / (rate or 1)
    row = row[~np.isnan(row)].astype(float)
    if len(row) == 0:
        return [NAN] * 5
    slope = np.polyfit(seconds, row, 1)[0] if len(row) > 1 else 0.0
    return [np.mean(row), np.std(row), min(row), max(row), slope]


class TestPanel:
    @LAW
    @given(ANY_VIEWS)
    def test_each_step_holds_the_last_frame(self, views):
        rate, duration = expected_rate(views)
        expected = expected_panel(views, round(duration * rate), rate)
        panel = views.to_panel(fill=None)
        assert panel.dtype == views.dtype
        assert_array_equal(panel, expected)

    @LAW
    @given(ANY_VIEWS, st.integers(1, 20))
    def test_n_timesteps_divide_the_duration(self, views, length):
        _, duration = expected_rate(views)
        expected = expected_panel(views, length, length / duration)
        assert_array_equal(views.to_panel(n_timesteps=length, fill=None), expected)

    @LAW
    @given(some_views(), st.sampled_from([0.25, 1, 2.5, 16]))
    def test_rate_is_that_of_the_panel(self, views, rate):
        _, duration = expected_rate(views)
        expected = expected_panel(views, max(1, round(duration * Fraction(rate))), Fraction(rate))
        assert_array_equal(views.to_panel(rate=rate, fill=None), expected)

    @LAW
    @given(some_views([None]))
    def test_without_rates_all_modalities_last_equally_long(self, views):
        longest = max(m.n_timesteps for m in views.schema)
        for m, panel in zip(views.schema, map(views.select, views.names), strict=True):
            steps = np.arange(longest) * m.n_timesteps // longest
            taken = panel.to_panel(n_timesteps=longest, fill=None)
            assert_array_equal(taken, views[m.name][:, :, steps])

    @LAW
    @given(ANY_VIEWS)
    def test_fill_is_the_mean_of_the_clip_and_channel(self, views):
        kept, filled = views.to_panel(fill=None), views.to_panel()
        means = [
            [np.mean(row[~np.isnan(row)], dtype=float) if not np.isnan(row).all() else 0.0]
            for clip in views
            for name in views.names
            for row in clip[name][0]
        ]
        means = np.reshape(means, (*kept.shape[:2], 1))
        assert_allclose(filled, np.where(np.isnan(kept), means, kept), rtol=1e-6, atol=1e-10)
        assert_array_equal(filled[~np.isnan(kept)], kept[~np.isnan(kept)])

    @LAW
    @given(some_views(), st.integers(1, 4))
    def test_trailing_nan_only_makes_the_panel_longer(self, views, n_frames):
        panel, longer = views.to_panel(), padded(views, n_frames).to_panel()
        assert_allclose(longer[:, :, : panel.shape[2]], panel, rtol=1e-6, atol=1e-10)

    @LAW
    @given(some_views(), st.data())
    def test_trailing_nan_of_one_modality_moves_no_other(self, views, data):
        name = data.draw(st.sampled_from(views.names))
        arrays = dict(views.to_dict(), **{name: padded(views, 3)[name]})
        longer = Views(arrays, rates={m.name: m.rate for m in views.schema}).to_panel(fill=None)
        panel = views.to_panel(fill=None)
        assert_array_equal(longer[:, :, : panel.shape[2]], panel)

    def test_a_lower_bound_of_steps_is_one(self):
        views = Views({"hr": [[[61, 60]]]}, rates={"hr": 1})
        assert_array_equal(views.to_panel(rate=0.01), [[[61]]])

    def test_one_length_for_clips_of_other_lengths(self):
        step = FunctionTransformer(Views.to_panel, kw_args={"n_timesteps": 6})
        step.fit(Views({"a": np.ones((2, 1, 9)), "b": np.ones((2, 2, 3))}))
        later = Views({"a": [[[1, 2, 3]]], "b": [[[4], [5]]]})
        expected = [[[1, 1, 2, 2, 3, 3], [4] * 6, [5] * 6]]
        assert_array_equal(step.transform(later), expected)

    def test_computed_rates_hold_the_frame_that_begins(self):
        fast = np.arange(1000.0).reshape(1, 1, -1)
        views = Views({"a": fast, "b": fast[..., ::10]}, rates={"a": 1000 / 3, "b": 100 / 3})
        panel = views.to_panel()
        assert_array_equal(panel[0, 1], np.repeat(fast[0, 0, ::10], 10))

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"rate": 0}, ValueError, r"^rate must be positive and finite \(Hz\), given 0$"),
            ({"rate": NAN}, ValueError, "^rate must be positive and finite"),
            ({"rate": np.inf}, ValueError, "^rate must be positive and finite"),
            ({"rate": "8"}, ValueError, "^rate must be positive and finite"),
            ({"rate": 8}, ValueError, r"^rate needs the rates of all .* unknown: \['hr'\]$"),
            ({"rate": 8, "n_timesteps": 2}, ValueError, "^give rate or n_timesteps, not both"),
            ({"n_timesteps": 0}, ValueError, "^n_timesteps must be at least 1, given 0$"),
            ({"n_timesteps": 2.0}, TypeError, r"^n_timesteps must be an int, given 2\.0$"),
            ({"n_timesteps": True}, TypeError, "^n_timesteps must be an int, given True$"),
            ({"fill": "median"}, ValueError, "^fill must be 'mean' or None, given 'median'$"),
        ],
    )
    def test_errors(self, arguments, error, message):
        with pytest.raises(error, match=message):
            Views({"hr": [[[61.0]]]}).to_panel(**arguments)


class TestTable:
    @LAW
    @given(ANY_VIEWS)
    def test_statistics_of_the_measured_frames(self, views):
        expected = [
            np.concatenate(
                [expected_statistics(row, m.rate) for m in views.schema for row in clip[m.name][0]]
            )
            for clip in views
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = views.to_table()
        assert_allclose(table, expected, rtol=1e-9, atol=1e-9)
        assert set(table.dtypes) == {np.dtype(float)}

    @LAW
    @given(ANY_VIEWS, st.integers(1, 4))
    def test_trailing_nan_changes_nothing(self, views, n_frames):
        longer = padded(views, n_frames)
        pd.testing.assert_frame_equal(longer.to_table(), views.to_table(), rtol=1e-9, atol=1e-9)

    def test_columns_are_named_by_channel(self):
        arrays = {"acc": np.ones((1, 2, 3)), "eda": np.ones((1, 1, 4))}
        table = Views(arrays, channel_names={"acc": ["x", "y"]}).to_table()
        statistics = ["mean", "std", "min", "max", "slope"]
        assert list(table) == [f"{c}_{s}" for c in ("acc_x", "acc_y", "eda_0") for s in statistics]

    def test_constants_do_not_vary(self):
        values = np.where(np.arange(257) % 3, 0.1, NAN).reshape(1, 1, -1)
        assert_array_equal(Views({"a": values}).to_table(), [[0.1, 0.0, 0.1, 0.1, 0.0]])

    def test_names_that_coincide_are_refused(self):
        views = Views(
            {"a": [[[1.0]]], "a_b": [[[1.0]]]}, channel_names={"a": ["b_c"], "a_b": ["c"]}
        )
        with pytest.raises(ValueError, match=r"^two columns would be named 'a_b_c_mean'"):
            views.to_table()

    def test_pandas_is_named_where_it_is_missing(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "pandas", None)
        with pytest.raises(
            ImportError, match=r"^Views\.to_table needs pandas: pip install pandas$"
        ):
            Views({"hr": [[[61.0]]]}).to_table()


@pytest.mark.parametrize("convert", [Views.to_panel, Views.to_table])
class TestBoth:
    @LAW
    @given(views=ANY_VIEWS, data=st.data())
    def test_a_clip_is_converted_by_itself(self, convert, views, data):
        rows = data.draw(st.lists(st.integers(0, len(views) - 1), max_size=8))
        expected = np.asarray(convert(views))[rows]
        assert_array_equal(convert(views[rows]), expected)

    def test_blocks_of_clips_change_nothing(self, convert, monkeypatch):
        values = np.random.default_rng(0).normal(size=(7, 2, 50))
        values[values > 1] = NAN
        expected = convert(Views({"a": values}))
        monkeypatch.setattr(_arrays, "_VALUES_AT_ONCE", 250)
        assert_array_equal(convert(Views({"a": np.asfortranarray(values)})), expected)

    @pytest.mark.parametrize("X", [np.ones((2, 3)), {"hr": np.ones((2, 1, 3))}, None])
    def test_other_input_is_refused(self, convert, X):
        name = type(X).__name__
        with pytest.raises(TypeError, match=f"^{convert.__name__} takes Views, given {name}; "):
            convert(X)

    def test_pickle(self, convert):
        views = Views({"hr": [[[61.0, NAN]]]})
        step = pickle.loads(pickle.dumps(FunctionTransformer(convert)))
        assert_array_equal(step.fit_transform(views), convert(views))


@pytest.fixture(scope="module")
def stress():
    """Every tenth clip of the bundled recording: views, labels and people."""
    data = load_stress()
    return data.views[::10], data.target[::10], data.groups[::10]


def test_bundled_recording_as_a_panel(stress):
    views = stress[0]
    panel = views.to_panel()
    assert panel.shape == (len(views), 7, 240)
    assert_array_equal(panel[:, 6], np.repeat(views["hr"][:, 0], 8, axis=1))


@pytest.mark.parametrize(
    "steps",
    [
        [HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5)],
        [SimpleImputer(), StandardScaler(), LogisticRegression()],
    ],
    ids=["boosting", "imputer"],
)
def test_cross_validation_on_the_table(stress, steps):
    views, y, _ = stress
    views = Views(dict(views.to_dict(), hr=np.where(views["hr"] > 90, NAN, views["hr"])))
    model = make_pipeline(FunctionTransformer(Views.to_table), *steps)
    scores = cross_val_score(model, views, y, cv=2, error_score="raise")
    expected = cross_val_score(make_pipeline(*steps), views.to_table(), y, cv=2)
    assert_array_equal(scores, expected)


def test_minirocket_of_aeon():
    convolution_based = pytest.importorskip("aeon.classification.convolution_based")
    y = np.tile(["calm", "tense"], 8)
    acc = (
        np.random.default_rng(0).normal(size=(16, 2, 40))
        * np.where(y == "calm", 1, 9)[:, None, None]
    )
    hr = np.full((16, 1, 5), 61.0)
    acc[0, 0, 30:], hr[1] = NAN, NAN
    views = Views({"acc": acc, "hr": hr}, rates={"acc": 8, "hr": 1})
    rocket = convolution_based.MiniRocketClassifier(n_kernels=84, random_state=0)
    model = make_pipeline(FunctionTransformer(Views.to_panel), rocket)
    assert_array_equal(cross_val_predict(model, views, y, cv=2), y)
    with pytest.raises(ValueError, match="missing values"):
        rocket.fit(views.to_panel(fill=None), y)
