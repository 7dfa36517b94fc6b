"""make_emotion_views: every knob does what it says, and nothing else.

Each knob is tested twice: on clips without noise, where the answer is known to the last digit, and
with a plain linear model from scikit-learn on people it has not seen.
"""

import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_score

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.views import Views

CHANCE = 1 / 4
SMALL = {"n_people": 4, "n_clips_per_emotion": 3}
PLAIN = {"noise": 0, "person_shift": 0, "ambiguity": 0}


def means(views):
    return np.concatenate([views[name].mean(axis=2) for name in views.names], axis=1)


def covariances(views):
    """Covariances of the channels of each modality, the variances among them."""
    found = []
    for name in views.names:
        centred = views[name] - views[name].mean(axis=2, keepdims=True)
        covariance = centred @ centred.transpose(0, 2, 1) / centred.shape[2]
        found.append(covariance[(slice(None), *np.triu_indices(centred.shape[1]))])
    return np.concatenate(found, axis=1)


def order(views):
    """First half minus second half."""
    halves = (np.split(views[name], 2, axis=2) for name in views.names)
    return np.concatenate([(a - b).mean(axis=2) for a, b in halves], axis=1)


def accuracy(features, data):
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    folds = GroupKFold(4)
    return cross_val_score(model, features, data.target, groups=data.groups, cv=folds).mean()


@functools.cache
def generate(**knobs):
    return make_emotion_views(
        n_people=30, random_state=0, **({"ambiguity": 0, "person_shift": 0} | knobs)
    )


def assert_chance(features, data):
    margin = 4 * np.sqrt(CHANCE * (1 - CHANCE) / len(data.target))  # four standard deviations
    assert abs(accuracy(features, data) - CHANCE) < margin


class TestLayout:
    def test_default(self):
        data = make_emotion_views(random_state=0)
        assert isinstance(data.views, Views)
        assert data.views.dtype == np.float32
        assert data.views.schema.to_dict() == {
            "motion": {"n_channels": 3, "n_timesteps": 128, "rate": 16.0},
            "skin": {"n_channels": 1, "n_timesteps": 32, "rate": 4.0},
            "pulse": {"n_channels": 1, "n_timesteps": 8, "rate": 1.0},
            "voice": {"n_channels": 6, "n_timesteps": 160, "rate": 20.0},
        }
        assert len(data.views) == len(data.target) == len(data.groups) == 20 * 6 * 4
        assert not np.isnan(np.asarray(data.views)).any()
        people, counts = np.unique(data.groups, return_counts=True)
        assert len(people) == 20
        assert set(counts) == {24}
        assert "n_people=20, n_clips_per_emotion=6, n_emotions=4, spatial=1.0" in data.DESCR

    def test_names_sort_in_order_and_labels_balance(self):
        data = make_emotion_views(**SMALL, n_emotions=12, ambiguity=0, random_state=0)
        names, counts = np.unique(data.target, return_counts=True)
        np.testing.assert_array_equal(data.target_names, names)
        np.testing.assert_array_equal(counts, 4 * 3)
        np.testing.assert_array_equal(data.target_names[data.ambiguity.argmax(axis=1)], data.target)


class TestRandomState:
    def test_same_seed_same_bytes(self):
        knobs = {**SMALL, "missing": 0.2, "shortest": 0.5, "random_state": 7}
        one, two = make_emotion_views(**knobs), make_emotion_views(**knobs)
        for name in one.views.names:
            assert one.views[name].tobytes() == two.views[name].tobytes()
        assert one.ambiguity.tobytes() == two.ambiguity.tobytes()
        np.testing.assert_array_equal(one.target, two.target)

    def test_a_random_state_object_goes_on(self):
        generator = np.random.RandomState(7)
        first, second = (make_emotion_views(**SMALL, random_state=generator) for _ in range(2))
        assert first.views.equals(make_emotion_views(**SMALL, random_state=7).views)
        assert not first.views.equals(second.views)

    @pytest.mark.parametrize("random_state", [None, 7])
    def test_the_global_generator_is_left_as_found(self, random_state):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        make_emotion_views(**SMALL, random_state=random_state)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_a_knob_leaves_the_draws_of_the_others(self):
        """The signal is a sum: what a knob adds is the same whatever the others are."""
        common = {**SMALL, "person_shift": 0, "random_state": 3}

        def signal(**knobs):
            return make_emotion_views(**common, **knobs).views["voice"].astype(np.float64)

        silent = signal(spatial=0, temporal=0)
        both = signal(spatial=1, temporal=2, coupling=3, context=1)
        added = signal(spatial=1, temporal=0) + signal(spatial=0, temporal=2) - 2 * silent
        added += signal(spatial=0, temporal=0, coupling=3) - silent
        added += signal(spatial=0, temporal=0, context=1) - silent
        np.testing.assert_allclose(both - silent, added, atol=1e-5)


class TestNoInformation:
    @pytest.mark.parametrize("features", [means, covariances, order])
    def test_chance_without_spatial_and_temporal(self, features):
        data = generate(spatial=0, temporal=0)
        assert_chance(features(data.views), data)


class TestTemporal:
    def test_mean_and_covariance_are_the_same_for_all_clips(self):
        """Also for mixtures and for clips of different durations (down to 5 frames)."""
        data = make_emotion_views(
            spatial=0, noise=0, person_shift=0, ambiguity=0.5, shortest=0.6, random_state=0
        )
        views = data.views
        for name in views.names:
            clips = [clip[:, ~np.isnan(clip[0])].astype(np.float64) for clip in views[name]]
            for clip in clips:
                np.testing.assert_allclose(clip.mean(axis=1), 0, atol=1e-6)
                np.testing.assert_allclose(
                    np.cov(clip, bias=True), np.cov(clips[0], bias=True), atol=1e-6
                )

    def test_emotions_are_turns_of_one_pattern(self):
        data = make_emotion_views(**SMALL, **PLAIN, spatial=0, random_state=0)
        for name in data.views.names:
            first = data.views[name][0]
            quarter = first.shape[1] // 4
            turns = [np.roll(first, k * quarter, axis=1) for k in range(4)]
            emotion_of_turn = {}
            for clip, emotion in zip(data.views[name], data.target, strict=True):
                match = [np.allclose(clip, turn, atol=1e-6) for turn in turns]
                assert sum(match) == 1
                assert emotion_of_turn.setdefault(match.index(True), emotion) == emotion
            assert len(emotion_of_turn) == 4

    def test_only_the_order_tells(self):
        data = generate(spatial=0)
        assert_chance(means(data.views), data)
        assert_chance(covariances(data.views), data)
        assert accuracy(order(data.views), data) > CHANCE + 0.2


class TestSpatial:
    def test_bias_and_common_source_belong_to_the_emotion(self):
        data = make_emotion_views(**SMALL, **PLAIN, temporal=0, random_state=0)
        for name in data.views.names:
            clips = data.views[name].astype(np.float64)
            bias = clips.mean(axis=2)
            for emotion in data.target_names:
                mine = clips[data.target == emotion]
                np.testing.assert_allclose(bias[data.target == emotion].std(axis=0), 0, atol=1e-6)
                # One source: the centred frames of all these clips lie on one line.
                centred = (mine - mine.mean(axis=2, keepdims=True)).transpose(1, 0, 2)
                values = np.linalg.svd(centred.reshape(len(centred), -1), compute_uv=False)
                np.testing.assert_allclose(values[1:] / values[0], 0, atol=1e-5)
            assert len(np.unique(bias.round(4), axis=0)) == 4

    def test_means_and_covariances_tell_and_the_order_does_not(self):
        data = generate(temporal=0)
        assert accuracy(means(data.views), data) > CHANCE + 0.2
        assert accuracy(covariances(data.views), data) > CHANCE + 0.2
        assert_chance(order(data.views), data)

    def test_shuffled_frames_tell_as_much(self):
        data = generate(temporal=0)
        rng = np.random.default_rng(0)
        shuffled = Views(
            {
                name: values[:, :, rng.permutation(values.shape[2])]
                for name, values in data.views.to_dict().items()
            }
        )
        features = [np.hstack([means(v), covariances(v)]) for v in (data.views, shuffled)]
        np.testing.assert_allclose(*features, atol=1e-5)


def alone(views):
    """What each channel shows by itself: spread, extremes, quantiles, and how fast it moves."""
    found = []
    for name in views.names:
        values = views[name]
        quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], axis=2)
        speed = np.abs(np.diff(values, axis=2)).mean(axis=2)
        found += [values.std(axis=2), speed, *quantiles]
    return np.concatenate(found, axis=1)


class TestCoupling:
    def test_channels_follow_one_source_with_the_signs_of_the_emotion(self):
        silent = {"spatial": 0, "temporal": 0, "coupling": 1}
        data = make_emotion_views(**SMALL, **PLAIN, **silent, random_state=0)
        for name in ("motion", "voice"):
            clips = data.views[name].astype(np.float64)
            against_first = clips / clips[:, :1]
            sign = np.sign(against_first[:, :, 0])
            np.testing.assert_allclose(against_first, sign[:, :, None] + 0 * clips, atol=1e-3)
            for emotion in data.target_names:
                assert len(np.unique(sign[data.target == emotion], axis=0)) == 1
            assert len(np.unique(sign, axis=0)) > 1

    def test_only_channels_together_tell(self):
        data = generate(spatial=0, temporal=0, coupling=2)
        assert accuracy(covariances(data.views), data) > CHANCE + 0.4
        for features in (means, order, alone):
            assert_chance(features(data.views), data)

    def test_a_channel_has_the_same_power_in_mixtures(self):
        common = {"spatial": 0, "temporal": 0, "noise": 0, "person_shift": 0, "coupling": 1}
        data = make_emotion_views(
            **common, n_people=400, n_clips_per_emotion=4, ambiguity=1, random_state=0
        )
        share = data.ambiguity.max(axis=1)
        power = data.views["voice"].var(axis=2)
        even, uneven = power[share < 0.6], power[share > 0.9]
        error = np.sqrt(even.var(axis=0) / len(even) + uneven.var(axis=0) / len(uneven))
        assert (np.abs(even.mean(axis=0) - uneven.mean(axis=0)) < 4 * error).all()


class TestContext:
    def test_an_emotion_looks_as_the_next_one_where_clips_are_lively(self):
        silent = {"spatial": 0, "temporal": 0, "context": 1}
        data = make_emotion_views(**SMALL, **PLAIN, **silent, random_state=0)
        lively = data.views["motion"].std(axis=(1, 2)) > 0
        assert 0.2 < lively.mean() < 0.8
        for name in ("skin", "pulse", "voice"):
            # The common source is of whole periods: its mean over time is 0.
            looks = data.views[name].mean(axis=2).astype(np.float64)
            order = data.target_names.tolist()
            for i, emotion in enumerate(order):
                following = order[(i + 1) % len(order)]
                here = looks[lively & (data.target == emotion)]
                there = looks[~lively & (data.target == following)]
                np.testing.assert_allclose(here, here[:1] + 0 * here, atol=1e-4)
                np.testing.assert_allclose(there, here[:1] + 0 * there, atol=1e-4)

    def test_only_cue_and_context_together_tell(self):
        data = generate(spatial=0, temporal=0, context=1, ambiguity=0)
        lively = data.views["motion"].std(axis=2).mean(axis=1, keepdims=True)
        lively = np.where(lively > np.median(lively), 1.0, -1.0)
        cues = means(data.views)
        summed, multiplied = np.hstack([cues, lively]), np.hstack([cues, lively * cues])
        assert_chance(lively, data)
        assert accuracy(summed, data) < 0.6  # every cue stands for two emotions
        assert accuracy(multiplied, data) > accuracy(summed, data) + 0.15


class TestPersonShift:
    def test_offset_of_each_person_and_channel(self):
        data = make_emotion_views(
            **SMALL, spatial=0, temporal=0, noise=0, person_shift=1, random_state=0
        )
        for name in data.views.names:
            constant = data.views[name]
            np.testing.assert_array_equal(
                constant, np.broadcast_to(constant[..., :1], constant.shape)
            )
            offsets = np.unique(constant[..., 0], axis=0)
            assert len(offsets) == 4
            assert len(np.unique(np.column_stack([data.groups, constant[..., 0]]), axis=0)) == 4

    def test_gain_of_each_person_and_channel(self):
        shifted, plain = (
            make_emotion_views(**SMALL, person_shift=p, random_state=0) for p in (1, 0)
        )
        for name in plain.views.names:
            ratio = shifted.views[name].std(axis=2) / plain.views[name].std(axis=2)
            for person in np.unique(plain.groups):
                mine = ratio[plain.groups == person]
                np.testing.assert_allclose(mine, np.broadcast_to(mine[0], mine.shape), rtol=1e-4)
                assert len(np.unique(ratio.round(2), axis=0)) >= 4

    def test_lowers_the_score_on_new_people_and_knowing_them_restores_it(self):
        plain, shifted = generate(person_shift=0), generate(person_shift=1)
        features = means(shifted.views)
        own_mean = np.stack([features[shifted.groups == p].mean(axis=0) for p in shifted.groups])
        unadapted = accuracy(features, shifted)
        assert unadapted + 0.15 < accuracy(means(plain.views), plain)
        assert unadapted + 0.1 < accuracy(features - own_mean, shifted)


class TestAmbiguity:
    def test_probabilities(self):
        truth = make_emotion_views(ambiguity=0.6, random_state=0).ambiguity
        np.testing.assert_allclose(truth.sum(axis=1), 1)
        assert (truth >= 0).all()
        assert set((truth > 0).sum(axis=1)) == {1, 2}
        assert (truth.max(axis=1) >= 0.5).all()

    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_share_of_mixtures(self, share):
        truth = make_emotion_views(n_people=40, ambiguity=share, random_state=0).ambiguity
        mixtures = (truth.max(axis=1) < 1).mean()
        assert abs(mixtures - share) <= 4 * np.sqrt(share * (1 - share) / len(truth))

    def test_labels_agree_with_the_probabilities(self):
        data = make_emotion_views(n_people=80, ambiguity=1, random_state=0)
        truth = data.ambiguity
        drawn = (data.target[:, np.newaxis] == data.target_names).astype(float)
        # In every range of probability, as often as stated.
        for low in np.arange(0, 1, 0.1):
            cell = (truth > low) & (truth <= low + 0.1)
            spread = np.sqrt((truth[cell] * (1 - truth[cell])).sum())
            assert abs((drawn[cell] - truth[cell]).sum()) < 4 * spread
        assert not drawn[truth == 0].any()

    def test_mixtures_lie_between_their_emotions(self):
        data = make_emotion_views(
            spatial=1, temporal=0, noise=0, person_shift=0, ambiguity=0.5, random_state=0
        )
        for name in data.views.names:
            bias = data.views[name].mean(axis=2)
            pure = np.stack([bias[row].mean(axis=0) for row in (data.ambiguity == 1).T])
            np.testing.assert_allclose(bias, data.ambiguity @ pure, atol=1e-5)

    def test_lowers_the_best_score(self):
        easy = {"spatial": 3, "temporal": 3}
        certain, ambiguous = generate(**easy), generate(**easy, ambiguity=1)
        best = ambiguous.ambiguity.max(axis=1).mean()
        assert best == pytest.approx(0.75, abs=0.02)
        assert accuracy(means(certain.views), certain) > 0.95
        margin = 4 * np.sqrt(best * (1 - best) / len(ambiguous.target))
        assert accuracy(means(ambiguous.views), ambiguous) < best + margin


class TestStrength:
    @pytest.mark.parametrize(
        ("harder", "easier", "features"),
        [
            ({"noise": 3}, {"noise": 0.5}, means),
            ({"spatial": 0.5}, {"spatial": 2}, means),
            ({"temporal": 0.5}, {"temporal": 2}, order),
        ],
    )
    def test_more_signal_or_less_noise_is_easier(self, harder, easier, features):
        low, high = (
            accuracy(features(d.views), d) for d in (generate(**harder), generate(**easier))
        )
        assert low + 0.1 < high


class TestMissing:
    @pytest.mark.parametrize("missing", [0.1, 0.3, 0.6, 0.75])
    def test_share_of_absent_modalities(self, missing):
        views = make_emotion_views(missing=missing, random_state=0).views
        absent = ~views.present
        assert absent.sum() == round(missing * absent.size)
        assert not absent.all(axis=1).any()
        # No modality is absent more often than another, in binomial tolerance.
        margin = 4 * np.sqrt(missing * (1 - missing) / len(views))
        np.testing.assert_allclose(absent.mean(axis=0), missing, atol=margin)

    def test_the_rest_is_as_without(self):
        knobs = {**SMALL, "random_state": 0}
        whole = make_emotion_views(**knobs)
        holed = make_emotion_views(**knobs, missing=0.5)
        for name in whole.views.names:
            measured = holed.views.measured(name)
            np.testing.assert_array_equal(holed.views[name][measured], whole.views[name][measured])
        np.testing.assert_array_equal(holed.target, whole.target)

    def test_gaps(self):
        missing = 0.4
        views = make_emotion_views(n_people=30, missing=missing, random_state=0).views
        for name in ("motion", "voice"):
            measured = views.measured(name)[views.present[:, views.names.index(name)]]
            np.testing.assert_array_equal(measured.all(axis=1), measured.any(axis=1))
            gap = ~measured[:, 0]
            length = gap.sum(axis=1)
            has_gap = length > 0
            n_timesteps = gap.shape[1]
            assert np.abs(length[has_gap] - n_timesteps / 10).max() <= 1
            # One piece: it begins once.
            begins = np.diff(gap, axis=1, prepend=False) & gap
            np.testing.assert_array_equal(begins.sum(axis=1), has_gap)
            margin = 4 * np.sqrt(missing * (1 - missing) / len(gap))
            assert abs(has_gap.mean() - missing) < margin


class TestShortest:
    def test_trailing_frames_are_not_measured(self):
        data = make_emotion_views(n_people=30, shortest=0.4, random_state=0)
        shares = []
        for name in data.views.names:
            measured = data.views.measured(name)
            np.testing.assert_array_equal(measured.all(axis=1), measured.any(axis=1))
            frames = measured[:, 0]
            assert (np.diff(frames.astype(int), axis=1) <= 0).all()  # once it ends, it has ended
            shares.append(frames.mean(axis=1))
        finest = shares[data.views.names.index("voice")]
        for name, share in zip(data.views.names, shares, strict=True):
            frame = 1 / data.views[name].shape[2]
            assert (share >= 0.4).all()
            assert np.abs(share - finest).max() <= frame  # the same duration in all modalities
        assert finest.min() < 0.41
        assert finest.max() > 0.99
        assert finest.mean() == pytest.approx(0.7, abs=4 * 0.6 / np.sqrt(12 * len(finest)))


class TestLaws:
    @settings(deadline=None, max_examples=20)
    @given(
        n_people=st.integers(1, 4),
        n_clips_per_emotion=st.integers(1, 3),
        n_emotions=st.integers(2, 7),
        spatial=st.floats(0, 5),
        temporal=st.floats(0, 5),
        coupling=st.floats(0, 5),
        context=st.floats(0, 5),
        ambiguity=st.floats(0, 1),
        person_shift=st.floats(0, 5),
        noise=st.floats(0, 5),
        missing=st.floats(0, 0.75),
        shortest=st.floats(0, 1, exclude_min=True),
        random_state=st.integers(0, 2**32 - 1),
    )
    def test_what_always_holds(self, **knobs):
        data = make_emotion_views(**knobs)
        n_clips = knobs["n_people"] * knobs["n_clips_per_emotion"] * knobs["n_emotions"]
        assert len(data.views) == len(data.target) == len(data.groups) == n_clips
        assert data.views.present.any(axis=1).all()
        assert (~data.views.present).sum() == round(knobs["missing"] * n_clips * 4)
        assert set(data.target) <= set(data.target_names)
        np.testing.assert_allclose(data.ambiguity.sum(axis=1), 1)
        label = (data.target[:, np.newaxis] == data.target_names).argmax(axis=1)
        assert (data.ambiguity[np.arange(n_clips), label] > 0).all()


class TestErrors:
    @pytest.mark.parametrize(
        ("knob", "message"),
        [
            ({"n_people": 0}, "n_people == 0, must be >= 1."),
            ({"n_people": 2.0}, "n_people must be an instance of int, not float."),
            ({"n_clips_per_emotion": 0}, "n_clips_per_emotion == 0, must be >= 1."),
            ({"n_emotions": 1}, "n_emotions == 1, must be >= 2."),
            ({"spatial": -1}, "spatial == -1, must be >= 0."),
            ({"temporal": "much"}, "temporal must be an instance of float, not str."),
            ({"temporal": float("nan")}, "temporal == nan, must be finite."),
            ({"noise": float("inf")}, "noise == inf, must be finite."),
            ({"person_shift": -0.5}, "person_shift == -0.5, must be >= 0."),
            ({"ambiguity": 1.5}, "ambiguity == 1.5, must be <= 1."),
            ({"missing": 0.8}, "missing == 0.8, must be <= 0.75."),
            ({"shortest": 0}, "shortest == 0, must be > 0."),
            ({"shortest": 1.1}, "shortest == 1.1, must be <= 1."),
        ],
    )
    def test_message(self, knob, message):
        with pytest.raises((TypeError, ValueError)) as caught:
            make_emotion_views(**knob)
        assert str(caught.value) == message
