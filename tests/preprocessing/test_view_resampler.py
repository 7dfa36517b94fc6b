"""ViewResampler against SciPy, and signals that are known."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.signal import resample_poly

from stf2m_sk import Views
from stf2m_sk.preprocessing import ViewResampler
from stf2m_sk.preprocessing._filtering import rational_ratio, resample

RATIOS = st.sampled_from([Fraction(1, 4), Fraction(2, 3), Fraction(7, 2), Fraction(16, 175)])


def at(rate, **arrays):
    return Views(arrays, rates=dict.fromkeys(arrays, rate))


def resampled(values, rate, new_rate):
    """One row from `rate` to `new_rate`."""
    views = at(rate, x=np.asarray(values, dtype=np.float64)[None, None])
    return ViewResampler(rate=new_rate).fit_transform(views)["x"][0, 0]


def tone(frequency, rate, seconds=20.0):
    return np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


class TestWhichRate:
    @pytest.mark.parametrize(
        ("rate", "expected"),
        [
            ("lowest", {"acc": 1, "eda": 1, "hr": 1}),
            ("highest", {"acc": 8, "eda": 8, "hr": 8}),
            (2, {"acc": 2, "eda": 2, "hr": 2}),
            (0.5, {"acc": 0.5, "eda": 0.5, "hr": 0.5}),
            ({"acc": 4.0, "hr": 2}, {"acc": 4, "eda": 4, "hr": 2}),
        ],
        ids=str,
    )
    def test_rates_and_lengths(self, views, rate, expected):
        resampler = ViewResampler(rate=rate).fit(views)
        assert resampler.rates_ == expected
        found = resampler.transform(views).schema
        assert {m.name: m.rate for m in found} == expected
        # All clips are 4 s long.
        assert {m.name: m.n_timesteps for m in found} == {n: 4 * r for n, r in expected.items()}

    def test_what_has_the_rate_is_not_touched(self, views):
        found = ViewResampler(rate={"acc": 4}).fit_transform(views)
        assert found["eda"] is views["eda"]

    def test_unknown_rates_are_left_as_they_are(self):
        arrays = {"a": np.ones((2, 1, 8)), "b": np.ones((2, 1, 4)), "c": np.ones((2, 1, 5))}
        views = Views(arrays, rates={"a": 4, "b": 2})
        resampler = ViewResampler().fit(views)
        assert resampler.rates_ == {"a": 2, "b": 2, "c": None}
        assert str(resampler.transform(views).schema) == (
            "ViewSchema(a 1x4 @ 2 Hz, b 1x4 @ 2 Hz, c 1x5)"
        )
        # A rate that is known later does not change what is done.
        later = resampler.transform(Views(arrays, rates={"c": 100}))
        assert later.schema["c"].n_timesteps == 5
        assert later.schema["c"].rate == 100
        nothing_known = Views(arrays)
        assert ViewResampler().fit_transform(nothing_known).equals(nothing_known)

    def test_rates_come_from_a_schema(self, views):
        schema = {m.name: {"n_channels": m.n_channels, "rate": m.rate} for m in views.schema}
        found = ViewResampler(schema=schema).fit_transform(views.to_dict())
        expected = ViewResampler().fit_transform(views)
        for name in views.names:
            assert_array_equal(found[name], expected[name])

    def test_a_3d_array_with_a_slower_modality_ends_in_nan(self):
        signal = np.full((1, 2, 8), 5.0)
        signal[:, 1, 2:] = np.nan  # 2 Hz beside 8 Hz
        schema = {"a": {"n_channels": 1, "rate": 8}, "b": {"n_channels": 1, "rate": 2}}
        found = ViewResampler(schema=schema).fit_transform(signal)
        assert found.shape == (1, 2, 8)
        assert_array_equal(found[0, :, :2], 5.0)
        assert np.isnan(found[0, :, 2:]).all()

    def test_other_lengths_than_at_fit(self, views):
        resampler = ViewResampler().fit(views)
        short = at(8, acc=np.ones((1, 3, 9)))
        assert resampler.transform(short)["acc"].shape == (1, 3, 2)

    @pytest.mark.parametrize(
        ("rate", "message"),
        [
            (2.0, "'free' has no known rate, so it cannot be resampled to 2 Hz; give its rate in"),
            ({"free": 2}, "modality 'free' has no known rate"),
            ({"emg": 2}, r"rate has unknown modalities \['emg'\]; there are \['acc', 'free'\]"),
            ({"acc": -1}, "'acc': the new rate must be a positive and finite number .* given -1"),
            ({"acc": "fast"}, "given 'fast'"),
            ({"acc": float("inf")}, "given inf"),
            ({"acc": True}, "given True"),
            ({"acc": 1e-5}, "'acc': cannot resample from 8 Hz to 1e-05 Hz, a factor of more than"),
        ],
        ids=str,
    )
    def test_errors(self, rate, message, unchanged):
        views = Views({"acc": np.ones((1, 1, 8)), "free": np.ones((1, 1, 8))}, rates={"acc": 8})
        resampler = ViewResampler().fit(views).set_params(rate=rate)
        unchanged(resampler, message, lambda: resampler.fit(views))

    def test_an_overshoot_beyond_the_dtype(self):
        step = np.repeat(np.array([3.4e38, -3.4e38], dtype=np.float32), 20)[None, None]
        with pytest.raises(ValueError, match="modality 'x': a result is too large for float32"):
            ViewResampler(rate=3).fit_transform(at(2, x=step))

    @pytest.mark.parametrize(
        ("rate", "new_rate", "expected"),
        [
            (1000 / 3, 100, Fraction(3, 10)),
            (700, 64, Fraction(16, 175)),
            (1, 2000, Fraction(2000)),
            (2000, 1, Fraction(1, 2000)),
            (51.2, 7.3, Fraction(73, 512)),
        ],
    )
    def test_ratio(self, rate, new_rate, expected):
        assert rational_ratio(new_rate, rate, "x") == expected

    @given(factor=st.floats(1, 9999), rate=st.floats(0.01, 1000))
    def test_every_ratio_is_close_and_its_terms_are_small(self, factor, rate):
        for new_rate in (rate * factor, rate / factor):
            ratio = rational_ratio(new_rate, rate, "x")
            assert float(ratio) == pytest.approx(new_rate / rate, rel=1e-4)
            assert max(ratio.numerator, ratio.denominator) <= 10_001


class TestFilter:
    @settings(max_examples=40, deadline=None)
    @given(ratio=RATIOS, length=st.integers(1, 60), level=st.sampled_from([0.0, 1e3]))
    def test_without_gaps_it_is_scipys(self, ratio, length, level):
        x = level + np.random.default_rng(length).normal(size=(2, 3, length))
        middle = (x.min(axis=2, keepdims=True) + x.max(axis=2, keepdims=True)) / 2
        up, down = ratio.numerator, ratio.denominator
        expected = middle + resample_poly(x - middle, up, down, axis=2, padtype="edge")
        assert_allclose(resample(x, ratio), expected, rtol=1e-12, atol=1e-12)

    def test_decimation_is_scipys_as_it_stands(self):
        # With up=1 the filter has no ripple, so that the level makes no difference.
        x = 33.0 + np.random.default_rng(0).normal(size=(2, 3, 60))
        expected = resample_poly(x, 1, 5, axis=2, padtype="edge")
        assert_allclose(resample(x, Fraction(1, 5)), expected, rtol=1e-13)

    @pytest.mark.parametrize("new_rate", [1, 3, 5, 16, 23])
    def test_constants_stay_constant(self, new_rate):
        assert_array_equal(resampled(np.full(50, 33.3), 8, new_rate), 33.3)

    def test_a_tone_above_the_new_nyquist_disappears(self):
        slow, fast = tone(0.5, 32), tone(5.0, 32)
        inner = slice(10, -10)
        assert np.abs(resampled(fast, 32, 4)[inner]).max() < 2e-3
        assert np.abs(fast[::8]).max() > 0.9  # plain decimation would alias it
        found = resampled(10 + slow + fast, 32, 4)[inner]
        assert_allclose(found, 10 + tone(0.5, 4)[inner], atol=5e-3)

    @pytest.mark.parametrize("new_rate", [10, 48, 50])
    def test_a_tone_below_survives_in_its_place(self, new_rate):
        found = resampled(tone(0.7, 32), 32, new_rate)
        assert_allclose(found[20:-20], tone(0.7, new_rate)[20:-20], atol=5e-3)

    def test_single_precision_is_computed_in_double(self):
        x = (1e3 + np.random.default_rng(0).normal(size=(1, 1, 200))).astype(np.float32)
        found = ViewResampler(rate=3).fit_transform(at(2, x=x))["x"]
        assert_array_equal(found, resample(x.astype(np.float64), Fraction(3, 2)).astype("f4"))


class TestGaps:
    @settings(max_examples=60, deadline=None)
    @given(ratio=RATIOS, length=st.integers(1, 40), trailing=st.integers(1, 50), gap=st.booleans())
    def test_trailing_nan_changes_nothing(self, ratio, length, trailing, gap):
        x = 20 + np.random.default_rng(length).normal(size=(1, 2, length))
        if gap:
            x[:, :, length // 3 : length // 2] = np.nan
        padded = np.pad(x, [(0, 0), (0, 0), (0, trailing)], constant_values=np.nan)
        expected, found = resample(x, ratio), resample(padded, ratio)
        n_frames = expected.shape[2]
        assert_allclose(found[..., :n_frames], expected, rtol=1e-12)
        assert np.isnan(found[..., n_frames:]).all()

    @settings(max_examples=30, deadline=None)
    @given(ratio=RATIOS, length=st.integers(1, 40), times=st.integers(1, 3))
    def test_leading_nan_shifts(self, ratio, length, times):
        x = 20 + np.random.default_rng(length).normal(size=(1, 1, length))
        leading, shift = times * ratio.denominator, times * ratio.numerator
        padded = np.pad(x, [(0, 0), (0, 0), (leading, 0)], constant_values=np.nan)
        found = resample(padded, ratio)
        assert np.isnan(found[..., :shift]).all()
        assert_allclose(found[..., shift:], resample(x, ratio), rtol=1e-12)

    @pytest.mark.parametrize("leading", range(13))
    def test_a_frame_that_is_measured_in_part_is_there(self, leading):
        x = np.full(40, 33.3)
        x[:leading] = np.nan
        # New frames last four old ones.
        assert_array_equal(np.isnan(resampled(x, 8, 2)), np.arange(10) < leading // 4)

    def test_gaps_stay_gaps(self):
        x = 33 + tone(0.1, 8, seconds=40)
        gappy = x.copy()
        gappy[80:160] = np.nan  # from 10 s to 20 s
        for new_rate in (2, 12):
            found, whole = resampled(gappy, 8, new_rate), resampled(x, 8, new_rate)
            seconds = np.arange(len(found)) / new_rate
            missing = np.isnan(found)
            assert missing[(seconds > 10.5) & (seconds < 19.5)].all()
            assert not missing[(seconds < 9.5) | (seconds > 20.5)].any()
            far = (seconds < 5) | (seconds > 25)
            assert_allclose(found[far], whole[far], atol=0.05)

    @pytest.mark.parametrize("new_rate", [2, 12])
    def test_constants_stay_constant_around_gaps(self, new_rate):
        x = np.full(320, 33.3)
        x[80:160] = x[200] = x[::5] = np.nan
        found = resampled(x, 8, new_rate)
        assert_array_equal(found[~np.isnan(found)], 33.3)

    def test_a_short_gap_closes_when_there_is_enough_around_it(self):
        x = 33 + tone(0.1, 32)
        gappy = x.copy()
        gappy[100:103] = np.nan
        found = resampled(gappy, 32, 2)
        assert not np.isnan(found).any()
        assert_allclose(found, resampled(x, 32, 2), atol=0.02)

    @pytest.mark.parametrize("share", [0.1, 0.5])
    def test_normalised_convolution_by_hand(self, share):
        # Half the rate. 30 edge values on either side are more than the filter reaches; each
        # weighs as much as there is measured on average.
        generator = np.random.default_rng(4)
        x = generator.normal(size=60)
        x[generator.random(60) < share] = np.nan
        x[[0, 59]] = -1.0, 2.0
        known = ~np.isnan(x)
        middle = (np.nanmin(x) + np.nanmax(x)) / 2
        values = np.pad(np.where(known, x - middle, 0.0), 30, mode="edge")
        weights = np.pad(known.astype(float), 30, constant_values=known.mean())
        signal = resample_poly(values * weights, 1, 2)[15:-15]
        mask = resample_poly(weights, 1, 2)[15:-15]
        expected = np.where(mask >= 0.22, middle + signal / mask, np.nan)
        assert_allclose(resampled(x, 8, 4), expected, rtol=1e-10)

    @pytest.mark.parametrize("every", [2, 3, 4])
    def test_values_on_every_nth_frame(self, every):
        x = 5 + tone(0.1, 8, seconds=40)
        sparse = np.full_like(x, np.nan)
        sparse[::every] = x[::every]
        found, whole = resampled(sparse, 8, 2), resampled(x, 8, 2)
        assert_allclose(found, whole, atol=0.05)
        assert_allclose(found[8:-8], whole[8:-8], atol=3e-3)

    def test_every_channel_has_its_own_gaps(self):
        x = np.random.default_rng(0).normal(size=(2, 2, 40))
        whole = resample(x, Fraction(1, 2))
        x[0, 1] = np.nan
        found = resample(x, Fraction(1, 2))
        assert np.isnan(found[0, 1]).all()
        assert_array_equal(found[[0, 1, 1], [0, 0, 1]], whole[[0, 1, 1], [0, 0, 1]])

    def test_nothing_measured_at_all(self):
        x = np.full((2, 1, 8), np.nan)
        assert np.isnan(resample(x, Fraction(1, 2))).all()
        assert resample(x, Fraction(1, 2)).shape == (2, 1, 4)
