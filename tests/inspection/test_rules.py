"""Rules as a table: what was planted comes first, in words."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from stf2m_sk import STF2MClassifier
from stf2m_sk.inspection import explain, rule_table
from stf2m_sk.preprocessing import ViewSelector
from stf2m_sk.views import Views

SIZE, LENGTH = 0.3, 8.0


def _slow(rng, shape, size):
    noise = rng.normal(size=(*shape[:2], shape[2] + 12))
    window = np.hanning(13) / np.linalg.norm(np.hanning(13))
    return size * np.apply_along_axis(np.convolve, 2, noise, window, "valid")


def _clips(seed, sign):
    """Thirty-second clips of eight people: eda rises (or falls) by 0.3 within 8 s in stress."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.repeat(["joy", "relax", "stress"], 6), 8)
    groups = np.repeat(np.arange(8), 18)
    eda = 2.0 + _slow(rng, (len(y), 1, 120), 0.05) + rng.normal(size=(8, 1, 1))[groups] * 0.5
    start = rng.uniform(2.0, 20.0, size=len(y))
    seconds = np.arange(120) / 4.0
    for clip in np.flatnonzero(y == "stress"):
        ramp = np.interp(seconds, [start[clip], start[clip] + LENGTH], [0.0, SIZE])
        eda[clip, 0] += sign * ramp
    acc = _slow(rng, (len(y), 2, 120), 0.2)
    views = Views(
        {"acc": acc.astype(np.float32), "eda": eda.astype(np.float32)},
        rates={"acc": 4.0, "eda": 4.0},
        channel_names={"acc": ["x", "y"]},
    )
    return views, y, groups, start


def _fitted(views, y, groups, seed=0):
    classifier = STF2MClassifier(n_networks=0, n_kernels=300, n_patterns=160, random_state=seed)
    return classifier.fit(views, y, groups=groups)


@pytest.fixture(scope="module", params=[("rise", 1.0), ("fall", -1.0)], ids=["rise", "fall"])
def planted(request):
    kind, sign = request.param
    views, y, groups, start = _clips(1, sign)
    return kind, _fitted(views, y, groups), views, y, groups, start


class TestPlanted:
    def test_words_name_modality_direction_and_length(self, planted):
        kind, classifier, views, y, groups, _ = planted
        table = rule_table(classifier, views, y, groups=groups, units={"eda": "uS"}, n_rules=5)
        first = table.iloc[0]
        assert (first["modality"], first["kind"], first["prediction"]) == ("eda", kind, "stress")
        assert first["window"] == pytest.approx(LENGTH, rel=0.3)
        assert first["size"] == pytest.approx(SIZE, rel=0.4)
        assert first["rule"].startswith(f"eda {kind}s by {first['size']:.3g} uS within ")
        assert f"fires {first['fires_stress']:.0%}".replace("%", " %") in first["rule"]
        assert first["fires_stress"] > 1.5 * first["fires_relax"]
        assert first["people_share"] >= 0.9
        assert first["weight_stress"] > max(first["weight_relax"], first["weight_joy"])

    def test_the_explanation_finds_modality_and_stretch(self, planted):
        _, classifier, views, y, _, start = planted
        own = y == "stress"
        explanation = explain(classifier, views[own])
        emotion = explanation.names.index("stress")
        of_clip = np.abs(explanation.by_modality[:, emotion]).mean(axis=0)
        assert explanation.modalities[of_clip.argmax()] == "eda"
        times = explanation.times("eda")
        frames = explanation.by_frame["eda"][:, emotion]
        within = (times >= start[own, None]) & (times < start[own, None] + LENGTH)
        assert frames[within].mean() > frames[~within].mean()
        assert frames[within].mean() > 0


class TestPlantedPeak:
    def test_the_best_stretch_is_the_planted_one(self):
        """Wide windows see the peak from afar; it is not said to be at their centres."""
        views, y, groups, _ = _clips(2, 0.0)
        rng = np.random.default_rng(2)
        frames, starts = int(LENGTH * 4), rng.integers(20, 70, size=len(y))
        eda = np.array(views["eda"])
        for clip in np.flatnonzero(y == "stress"):
            end = starts[clip] + frames
            eda[clip, 0, starts[clip] : end] += SIZE * np.sin(np.linspace(0, np.pi, frames))
        clips = {"acc": np.array(views["acc"]), "eda": eda}
        known, own = groups < 6, (groups >= 6) & (y == "stress")
        seen = {name: values[known] for name, values in clips.items()}
        classifier = STF2MClassifier(n_networks=0, random_state=0)
        classifier.fit(seen, y[known], groups=groups[known])
        explanation = explain(classifier, {name: values[own] for name, values in clips.items()})
        emotion = explanation.names.index("stress")
        sums = explanation.by_frame["eda"]
        sums = sums[:, emotion] - sums.mean(axis=1)
        window = np.ones(frames)
        best = [np.convolve(row, window, "valid").argmax() for row in sums]
        assert np.mean(np.abs(best - starts[own]) <= frames / 4) >= 0.9
        at = np.arange(sums.shape[1]) - starts[own][:, None]
        inside = np.where((at >= 0) & (at < frames), sums, 0.0).sum(axis=1)
        assert inside.sum() > 0.9 * sums.sum()


class TestTable:
    @pytest.fixture
    def table(self, fitted, people):
        return rule_table(fitted, people.views, people.target, groups=people.groups, n_rules=None)

    def test_firing_and_people_by_hand(self, fitted, people, table):
        """A rule of one pattern, found again by how often it fires."""
        model = fitted.model_
        strengths = np.concatenate(
            [module.strengths(own).numpy() for module, own in model.standardised(people.views)]
        )
        emotions = np.unique(people.target)
        columns = [f"fires_{emotion}" for emotion in emotions]
        for _, row in table.iterrows():
            means = np.stack([np.nanmean(strengths[people.target == c], 0) for c in emotions])
            both = np.concatenate([means, 1.0 - means], axis=1)
            distance = np.abs(both - row[columns].to_numpy(float)[:, None]).max(axis=0)
            rule = int(distance.argmin())
            assert distance[rule] < 1e-6
            own = np.concatenate([strengths, 1.0 - strengths], axis=1)[:, rule]
            n_agreeing = 0
            for person in np.unique(people.groups):
                of_person = people.groups == person
                predicted = people.target == row["prediction"]
                n_agreeing += np.nanmean(own[of_person & predicted]) > np.nanmean(
                    own[of_person & ~predicted]
                )
            assert n_agreeing == row["people"]

    def test_columns(self, table):
        assert table.columns[:2].tolist() == ["rule", "prediction"]
        weights = table[[c for c in table.columns if c.startswith("weight_")]].to_numpy()
        emotions = np.array([c[7:] for c in table.columns if c.startswith("weight_")])
        assert (emotions[weights.argmax(axis=1)] == table["prediction"]).all()
        assert (table.filter(like="deviation_") > 0).all(axis=None)
        assert table["rate"].notna().eq(table["kind"] == "rhythm").all()
        assert table["importance"].is_monotonic_decreasing
        assert (table["n_merged"] >= 1).all()

    def test_most_rows(self, fitted, people, table):
        few = rule_table(fitted, people.views, people.target, groups=people.groups, n_rules=3)
        assert few["rule"].tolist() == table["rule"].tolist()[:3]

    def test_without_people(self, fitted, people):
        table = rule_table(fitted, people.views, people.target, n_rules=3)
        assert table["people"].isna().all()

    def test_a_pipeline(self, quick, people):
        seen = people.views.present[:, 0]
        views, y = people.views[seen], people.target[seen]
        pipeline = make_pipeline(ViewSelector(keep=["skin"]), quick()).fit(views, y)
        assert set(rule_table(pipeline, views, y)["modality"]) == {"skin"}


class TestInput:
    def test_what_is_no_classifier(self, quick, people):
        with pytest.raises(NotFittedError):
            rule_table(quick(), people.views, people.target)
        with pytest.raises(TypeError, match="got LogisticRegression"):
            rule_table(LogisticRegression(), people.views, people.target)

    def test_labels_and_people(self, fitted, people):
        with pytest.raises(ValueError, match=r"none of.*'boredom'"):
            rule_table(fitted, people.views, np.full(len(people.target), "boredom"))
        with pytest.raises(ValueError, match="groups has 1 entries"):
            rule_table(fitted, people.views, people.target, groups=[0])

    def test_units_and_rows(self, fitted, people):
        with pytest.raises(ValueError, match=r"not there: .'eeg'"):
            rule_table(fitted, people.views, people.target, units={"eeg": "uV"})
        with pytest.raises(ValueError, match="n_rules == 0"):
            rule_table(fitted, people.views, people.target, n_rules=0)
