"""Pattern rules as a transformer, and what they look like in the units of the recording."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.fuzzy import FuzzyPatternTransformer, describe_patterns
from stf2m_sk.views import Views

NAN = float("nan")


def make(**changed):
    return FuzzyPatternTransformer(**{"n_patterns": 48, "random_state": 0, **changed})


@pytest.fixture(scope="module")
def views():
    """Two modalities with holes, one of which is absent from two clips; float64."""
    source = np.random.default_rng(0)
    motion = 3.0 + np.cumsum(source.normal(size=(20, 3, 60)), axis=2) * [[[1.0], [5.0], [0.1]]]
    pulse = 70 + 9 * source.normal(size=(20, 1, 12))
    motion[source.random((20, 3, 60)) < 0.05] = NAN
    motion[3, :, 50:] = NAN
    pulse[1:3] = NAN
    return Views(
        {"motion": motion, "pulse": pulse},
        rates={"motion": 10.0},
        channel_names={"motion": ["x", "y", "z"]},
    )


@pytest.fixture(scope="module")
def rules(views):
    return make().fit(views)


class TestScikitLearn:
    @pytest.mark.filterwarnings("ignore::UserWarning")  # some of its data is noise
    def test_checks(self):
        rows = check_estimator(make(n_patterns=8), on_fail=None, on_skip=None)
        assert [row["check_name"] for row in rows if row["status"] in ("failed", "xfail")] == []
        assert sum(row["status"] == "passed" for row in rows) == 45
        skipped = {row["check_name"] for row in rows if row["status"] == "skipped"}
        assert skipped <= {"check_array_api_input"}

    def test_tags(self):
        tags = make().__sklearn_tags__()
        assert tags.input_tags.two_d_array
        assert tags.input_tags.three_d_array
        assert tags.input_tags.allow_nan
        assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]

    def test_before_a_linear_model_it_tells_emotions_of_new_people_apart(self):
        data = make_emotion_views(
            n_people=8, n_emotions=3, spatial=3, temporal=3, person_shift=0.3, random_state=0
        )
        rules = make(n_patterns=64, initialisation="k-means")
        model = make_pipeline(rules, StandardScaler(), LogisticRegression(C=0.1))
        cv = GroupShuffleSplit(1, test_size=0.4, random_state=0)
        (score,) = cross_val_score(model, data.views, data.target, groups=data.groups, cv=cv)
        assert score > 0.7  # chance: 0.33

    @pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
    def test_copies_transform_alike(self, rules, views, duplicate):
        assert_array_equal(duplicate(rules).transform(views), rules.transform(views))

    def test_names(self, rules, views):
        names = rules.get_feature_names_out()
        assert names.tolist() == [f"{m}_pattern{i}" for m in ("motion", "pulse") for i in range(24)]
        assert rules.transform(views).shape[1] == len(names)

    def test_pandas_output(self, views):
        frame = make().set_output(transform="pandas").fit_transform(views)
        assert isinstance(frame, pd.DataFrame)
        assert frame.columns[0] == "motion_pattern0"

    def test_a_data_frame(self):
        X = pd.DataFrame(np.random.default_rng(0).normal(size=(40, 2)), columns=["eda", "pulse"])
        rules = make(n_patterns=16).fit(X)
        assert rules.feature_names_in_.tolist() == ["eda", "pulse"]
        assert rules.get_feature_names_out()[0] == "features_pattern0"
        with pytest.raises(ValueError, match="The feature names should match"):
            rules.transform(X[["pulse", "eda"]])


class TestStrengths:
    def test_are_the_modules(self, rules, views):
        module = copy.deepcopy(rules.module_).double()
        signals = module.standardiser([torch.tensor(views[name]) for name in views.names])
        expected = module.strengths(signals).numpy()
        found = rules.transform(views)
        absent = np.isnan(expected)
        assert absent.sum() == 2 * 24
        assert_allclose(found[~absent], expected[~absent], rtol=1e-10)

    def test_those_of_a_group_sum_to_one(self, rules, views):
        sums = rules.transform(views).reshape(20, 6, 8).sum(2)
        assert_allclose(sums, 1, rtol=1e-6)

    def test_an_absent_modality_fires_as_the_clips_of_fit_did(self, rules, views):
        strengths = rules.transform(views)
        measured = np.delete(strengths[:, 24:], [1, 2], axis=0)
        assert_allclose(strengths[[1, 2], 24:], np.tile(measured.mean(axis=0), (2, 1)), atol=1e-6)
        alone = rules.transform(views.select("motion"))
        assert_array_equal(alone[:, :24], strengths[:, :24])
        assert_allclose(alone[:, 24:], np.tile(measured.mean(axis=0), (20, 1)), atol=1e-6)

    def test_a_modality_that_was_never_there_fires_evenly(self, views):
        nothing = Views({"motion": views["motion"], "voice": np.full((20, 2, 9), NAN)})
        strengths = make().fit_transform(nothing)
        assert_allclose(strengths[:, 24:], 1 / 8)

    def test_trailing_nan_changes_nothing(self, rules, views):
        padding = ((0, 0), (0, 0), (0, 7))
        arrays = {
            name: np.pad(array, padding, constant_values=NAN)
            for name, array in views.to_dict().items()
        }
        longer = Views(arrays, rates={"motion": 10.0})
        assert_allclose(make().fit(longer).transform(longer), rules.transform(views), atol=1e-7)
        assert_allclose(rules.transform(longer), rules.transform(views), atol=1e-9)

    def test_a_clip_stands_alone(self, rules, views):
        alone = [rules.transform(clip) for clip in views]
        assert_allclose(np.concatenate(alone), rules.transform(views), atol=1e-10)

    def test_dtype_is_kept(self, rules, views):
        single, double = rules.transform(views.astype(np.float32)), rules.transform(views)
        assert (single.dtype, double.dtype) == (np.float32, np.float64)
        assert_allclose(single, double, atol=2e-3)

    def test_units_and_order_of_clips_matter_little(self, views, rules):
        # Powers of two: the same to the last bit.
        arrays = {name: array * 4 for name, array in views.to_dict().items()}
        scaled = Views(arrays, rates={"motion": 10.0}, channel_names={"motion": ["x", "y", "z"]})
        assert_allclose(make().fit(scaled).transform(scaled), rules.transform(views), atol=1e-6)

    def test_forms_of_input(self, views, rules):
        by_dict = make().fit(views.to_dict())
        assert_array_equal(by_dict.transform(views.to_dict()), rules.transform(views))
        schema = {"a": {"n_channels": 1, "n_timesteps": 20}, "b": {"n_channels": 2}}
        X = np.random.default_rng(0).normal(size=(15, 22))
        flat = make(schema=schema, n_patterns=16).fit(X)
        assert flat.schema_.names == ("a", "b")
        assert flat.transform(X).shape == (15, 16)

    def test_more_clips_than_are_taken_at_once(self, rules, views):
        many = Views.concatenate([views] * 30)
        assert_allclose(rules.transform(many)[-20:], rules.transform(views), atol=1e-10)


class TestRandomness:
    @pytest.mark.parametrize("initialisation", ["c-means", "k-means", "random"])
    def test_the_seed_decides(self, views, initialisation):
        how = {"initialisation": initialisation, "n_patterns": 16}
        one, again, other = (
            make(random_state=seed, **how).fit_transform(views) for seed in (1, 1, 2)
        )
        assert_array_equal(one, again)
        assert (one != other).any()

    def test_global_generators_are_left_as_found(self, views):
        before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
        make(random_state=None, n_patterns=16).fit_transform(views)
        assert_array_equal(np.random.get_state()[1], before[0])  # noqa: NPY002
        assert torch.equal(torch.get_rng_state(), before[1])


def described_windows(patterns, clip):
    """Windows of one clip and prototypes, from the description of a group's rules alone.

    With the frames that the windows lie around; all of a window is within the clip.
    """
    first = patterns[0]
    rate = 10.0 if first.lag_unit == "s" else 1.0
    lags = (first.lags * rate).round().astype(int)
    signal = np.diff(clip, axis=1, prepend=NAN) if first.is_difference else clip
    rows = first.weights @ signal
    frames = np.arange(-lags[0] + first.is_difference, clip.shape[1] - lags[-1])
    windows = np.stack([rows[:, frames + lag] for lag in lags], axis=2)  # row, frame, tap
    windows = windows.transpose(1, 0, 2) / first.deviations[:, None]
    prototypes = np.stack([p.prototype for p in patterns]) / first.deviations[:, None]
    return frames, windows.reshape(len(frames), -1), prototypes.reshape(len(patterns), -1)


class TestDescription:
    def test_there_is_one_a_rule(self, rules):
        assert len(rules.patterns_) == 48
        assert [p.modality for p in rules.patterns_] == ["motion"] * 24 + ["pulse"] * 24
        assert [p.group for p in rules.patterns_] == [*np.repeat([0, 1, 2], 8)] * 2

    def test_lags_are_in_seconds_where_the_rate_is_known(self, rules):
        motion, pulse = rules.patterns_[0], rules.patterns_[24]
        dilation = rules.module_.patterns[0].groups[0].dilation
        assert_allclose(motion.lags, np.arange(-4, 5) * dilation / 10)
        assert (motion.lag_unit, pulse.lag_unit) == ("s", "frames")
        assert pulse.lags[0] == -4 * rules.module_.patterns[1].groups[0].dilation

    def test_weights_are_shares_of_channels(self, rules):
        for pattern in rules.patterns_:
            assert_allclose(np.abs(pattern.weights).sum(axis=1), 1)
            largest = np.abs(pattern.weights).argmax(axis=1)
            assert (pattern.weights[np.arange(len(largest)), largest] > 0).all()
            assert pattern.weights.shape[1] == len(pattern.channel_names)
            n_taps = len(pattern.lags)
            assert pattern.prototype.shape == (len(pattern.weights), n_taps)

    def test_names_of_channels(self, rules):
        assert rules.patterns_[0].channel_names == ("x", "y", "z")
        assert rules.patterns_[-1].channel_names == ("0",)

    def test_prototypes_of_levels_lie_among_the_signal(self, rules, views):
        for pattern in rules.patterns_[24:32]:
            assert not (pattern.is_shape or pattern.is_difference)
            assert pattern.weights.tolist() == [[1.0]]
            # In beats a minute: between the least and the largest; 0 beyond the clip's ends is
            # the mean after standardising.
            assert np.nanmin(views["pulse"]) <= pattern.prototype.min()
            assert pattern.prototype.max() <= np.nanmax(views["pulse"])
            assert pattern.deviations[0] == pytest.approx(np.nanstd(views["pulse"]), rel=1e-5)

    def test_windows_in_units_are_as_far_from_prototypes_as_those_of_the_rules(self, views):
        """The description alone, with the signal in its units, tells how a rule fires."""
        clean = Views({"motion": np.nan_to_num(views["motion"], nan=3.0)}, rates={"motion": 10.0})
        rules = make(n_patterns=96).fit(clean)
        module = copy.deepcopy(rules.module_).double()
        own, clip = module.patterns[0], clean["motion"][5]
        signals = module.standardiser([torch.from_numpy(clean["motion"])])
        values, frames_of = signals.values[0][[5]], signals.frames[0][[5]]
        for group, every in enumerate(own.windows(values, frames_of)):
            patterns = rules.patterns_[8 * group : 8 * group + 8]
            kind = own.groups[group]
            assert (patterns[0].is_difference, patterns[0].is_shape) == tuple(kind[1:])
            frames, windows, prototypes = described_windows(patterns, clip)
            if kind.is_shape:
                n_taps = len(patterns[0].lags)
                usual = float(own.window_scale[group]) * every.shape[1] ** 0.5
                rows = windows.reshape(len(windows), -1, n_taps)
                rows = (rows - rows.mean(2, keepdims=True)).reshape(windows.shape)
                size = np.sqrt((rows**2).sum(1) + (0.1 * usual) ** 2)
                windows, prototypes = rows / size[:, None], prototypes / usual
            found = cdist(windows, prototypes)
            kept = own.prototypes[group].flatten(1).numpy()
            expected = cdist(every.numpy()[frames], kept)
            assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_of_any_module(self, rules):
        found = describe_patterns(rules.module_.patterns, rules.module_.standardiser, rules.schema_)
        assert_array_equal(found[7].prototype, rules.patterns_[7].prototype)

    def test_in_words(self, rules):
        assert str(rules.patterns_[24]).startswith("level of pulse (0), -")
        assert " s" in str(rules.patterns_[0])
        shape = next(p for p in rules.patterns_ if p.is_shape)
        assert str(shape).startswith("shape of the level of motion")


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "value"),
        [("n_patterns", 0), ("n_patterns", 8.0), ("initialisation", "fuzzy"), ("schema", 3)],
    )
    def test_parameters(self, views, name, value):
        rules = make(**{name: value})
        assert clone(rules).get_params()[name] == value
        with pytest.raises(ValueError, match=f"The '{name}' parameter of FuzzyPatternTransformer"):
            rules.fit(views)
        assert not rules.__sklearn_is_fitted__()

    def test_before_fit(self, views):
        for call in (make().transform, make().get_feature_names_out):
            with pytest.raises(NotFittedError, match="FuzzyPatternTransformer instance is not fit"):
                call(views)

    def test_data(self, rules, views):
        with pytest.raises(ValueError, match="hold no measured value in any modality"):
            rules.transform({"motion": np.full((2, 3, 9), NAN)})
        with pytest.raises(ValueError, match="hold no measured value in any modality"):
            make().fit({"motion": np.full((2, 3, 9), NAN)})
        with pytest.raises(ValueError, match="given 2 channels, expected 3"):
            rules.transform({"motion": np.ones((2, 2, 9))})
        with pytest.raises(ValueError, match="infinit"):
            rules.transform({"motion": np.full((2, 3, 9), np.inf)})
