"""Displays: what is drawn is what was computed, inside the given Axes, and nothing overlaps."""

import itertools
import sys

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot
from matplotlib.colors import to_rgb
from matplotlib.text import Text
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.metrics import recall_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline

from stf2m_sk.datasets import make_emotion_views
from stf2m_sk.inspection import (
    ConfusionDisplay,
    EmbeddingDisplay,
    ExplanationDisplay,
    ModalityDisplay,
    RuleDisplay,
    ShotsDisplay,
    TimelineDisplay,
    TrainingDisplay,
    explain,
    explain_timeline,
)
from stf2m_sk.model_selection import FewShotProtocol, compare_few_shot, few_shot_score
from stf2m_sk.preprocessing import ViewSelector
from stf2m_sk.recordings import Recording, Signal, Timeline

matplotlib.use("Agg")

HISTORY = [
    [
        {"epoch": i, "train_loss": 2.0 / i, "valid_loss": 2.5 / i, "valid_acc": 0.1 * i + 0.1 * j}
        for i in range(1, 5)
    ]
    for j in range(2)
]


@pytest.fixture(autouse=True)
def _closed():
    yield
    pyplot.close("all")


@pytest.fixture(scope="module")
def data():
    """Six people with all modalities: four to learn from, two that are new."""
    return make_emotion_views(
        n_people=6, n_clips_per_emotion=4, n_emotions=3, missing=0, random_state=1
    )


@pytest.fixture(scope="module")
def new(data):
    return np.isin(data.groups, np.unique(data.groups)[-2:])


@pytest.fixture(scope="module")
def clf(data, new, quick):
    classifier = quick(n_kernels=24, n_patterns=64)
    return classifier.fit(data.views[~new], data.target[~new], groups=data.groups[~new])


@pytest.fixture(scope="module")
def recording(data, new):
    """Five clips of a new person, one after the other; their labels as annotations."""
    rows = np.flatnonzero(new)[:5]
    seconds = data.views.schema["skin"].n_timesteps / data.views.schema["skin"].rate
    signals = {
        name: Signal(np.concatenate(data.views[name][rows], axis=1), rate=modality.rate)
        for name, modality in ((own.name, own) for own in data.views.schema)
    }
    start = seconds * np.arange(5)
    annotations = pd.DataFrame({"start": start, "end": start + seconds})
    return Recording(signals, annotations=annotations.assign(label=data.target[rows])), seconds


@pytest.fixture(scope="module")
def made(data, new, clf, recording):
    """One of each display."""
    views, target, groups = data.views[new], data.target[new], data.groups[new]
    scores = compare_few_shot(
        {"Bayes": GaussianNB(), "again": GaussianNB()},
        data.views,
        data.target,
        groups=data.groups,
        protocol=FewShotProtocol(shots=(1, 2), on_few="shrink", random_state=0),
        cv=2,
    )
    timeline = TimelineDisplay.from_estimator(clf, recording[0], window=recording[1])
    rule = RuleDisplay.from_estimator(
        clf, views, target, rule="motion_pattern3", groups=groups, n_windows=3
    )
    return {
        "confusion": ConfusionDisplay.from_estimator(clf, views, target, groups=groups),
        "embedding": EmbeddingDisplay.from_estimator(clf, views, target, groups=groups),
        "explanation": ExplanationDisplay.from_estimator(clf, views, clip=2),
        "modality": ModalityDisplay.from_estimator(clf, views, target, groups=groups),
        "rule": rule,
        "shots": ShotsDisplay.from_result(scores),
        "timeline": timeline,
        "timeline alone": TimelineDisplay.from_timeline(timeline.timeline),
        "training": TrainingDisplay(HISTORY),
    }


NAMES = [
    "confusion",
    "embedding",
    "explanation",
    "modality",
    "rule",
    "shots",
    "timeline",
    "timeline alone",
    "training",
]


def _texts(figure):
    """All texts that are seen, with their boxes in pixels."""
    figure.canvas.draw()
    hidden = {id(text) for axes in figure.axes for text in _hidden(axes)}
    shown = [text for text in figure.findobj(Text) if text.get_text().strip()]
    shown = [text for text in shown if text.get_visible() and id(text) not in hidden]
    return [(text.get_text(), text.get_window_extent()) for text in shown]


def _hidden(axes):
    """Texts of hidden Axes, and of ticks outside of the limits or kept for later."""
    if not axes.axison:
        yield from axes.findobj(Text)
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        n_ticks = len(axis.get_majorticklocs())
        for i, tick in enumerate(axis.majorTicks):
            if i >= n_ticks or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                yield from (tick.label1, tick.label2)


class _Hidden:
    """An importer that finds no matplotlib."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "matplotlib":
            raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")


class TestAll:
    @pytest.mark.parametrize("name", NAMES)
    def test_draws_and_returns_itself(self, made, name):
        display = made[name]
        assert display.plot() is display
        assert display.figure_ is pyplot.gcf()

    @pytest.mark.parametrize("name", NAMES)
    def test_given_axes_are_used(self, made, name):
        figure, (ours, other) = pyplot.subplots(1, 2, figsize=(24, 10), layout="constrained")
        display = made[name].plot(ax=ours)
        figure.canvas.draw()
        assert pyplot.get_fignums() == [figure.number]
        assert display.figure_ is figure
        assert not other.has_data()
        drawn = [own for own in figure.axes if own not in (ours, other)]
        assert drawn or ours.has_data()
        for own in drawn:
            assert own.get_position().x1 <= other.get_position().x0

    @pytest.mark.parametrize("name", NAMES)
    def test_no_text_overlaps_another(self, made, name):
        made[name].plot()
        boxes = _texts(made[name].figure_)
        assert len(boxes) > 5
        for (one, box), (other, second) in itertools.combinations(boxes, 2):
            shrunk = box.padded(-1.0), second.padded(-1.0)
            assert not shrunk[0].overlaps(shrunk[1]), (one, other)

    @pytest.mark.parametrize("name", NAMES)
    def test_without_matplotlib(self, made, name, monkeypatch):
        for module in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setattr(sys, "meta_path", [_Hidden(), *sys.meta_path])
        with pytest.raises(ImportError, match=r"stf2m_sk\[plot\]"):
            made[name].plot()

    @pytest.mark.parametrize("name", ["embedding", "explanation", "modality", "rule", "timeline"])
    def test_axes_that_cannot_be_divided(self, made, name):
        ax = pyplot.figure().add_axes([0.1, 0.1, 0.8, 0.8])
        with pytest.raises(ValueError, match="placed by hand"):
            made[name].plot(ax=ax)
        assert ax.axison

    @pytest.mark.parametrize("Display", [EmbeddingDisplay, ModalityDisplay, RuleDisplay])
    def test_not_fitted(self, Display, data, quick):
        more = {"rule": "skin_pattern0"} if Display is RuleDisplay else {}
        with pytest.raises(NotFittedError):
            Display.from_estimator(quick(), data.views, data.target, **more)


class TestExplanation:
    def test_bars_are_the_terms(self, clf, data, new):
        explanation = explain(clf.adapt(unlabelled=data.views[new]), data.views[new])
        display = explanation.plot(data.views[new], clip=2)
        place = explanation.total[2].argmax()
        assert abs(explanation.by_person[2, place]) > 1e-3
        widths = [bar.get_width() for bar in display.ax_.patches]
        expected = [*explanation.by_modality[2, place], explanation.by_person[2, place], 0.0, 0.0]
        np.testing.assert_allclose(widths, [*expected, explanation.total[2, place]], atol=1e-12)
        labels = [text.get_text() for text in display.ax_.get_yticklabels()]
        assert labels == [*explanation.modalities, "person", "networks", "priors", "sum"]
        for bar, value in zip(display.ax_.patches, widths, strict=True):
            assert bool(bar.get_hatch()) == (value < 0)

    def test_stretches_and_signals(self, clf, data, new):
        views = data.views[new]
        explanation = explain(clf, views)
        emotion = explanation.names[1]
        display = ExplanationDisplay.from_explanation(
            explanation, views, clip=4, emotion=emotion, n_stretches=7
        ).plot()
        for i, name in enumerate(views.names):
            line = display.axes_[i, 0].lines[0]
            np.testing.assert_array_equal(line.get_ydata(), views[name][4, 0])
            assert line.get_xdata()[1] == pytest.approx(1 / views.schema[name].rate)
            bars = display.axes_[i, 1].patches
            assert len(bars) == 7
            heights = [bar.get_height() for bar in bars]
            of_frames = np.array_split(explanation.by_frame[name][4, 1], 7)
            assert sum(heights) == pytest.approx(explanation.by_modality[4, 1, i], abs=1e-4)
            if len(views[name][4, 0]) % 7 == 0:
                np.testing.assert_allclose(heights, [own.sum() for own in of_frames])
            spans = display.axes_[i, 0].patches
            for span, height in zip(spans, heights, strict=True):
                red, _, blue = to_rgb(span.get_facecolor())
                assert (blue > red) == (height > 0) or blue == pytest.approx(red, abs=0.02)

    def test_a_pair(self, clf, data, new):
        one, other = clf.classes_[:2]
        display = ExplanationDisplay.from_estimator(
            clf, data.views[new], clip=-1, emotion=one, versus=other
        )
        logits = clf.decision_function(data.views[new])[-1]
        assert display.clip == new.sum() - 1
        assert sum(display.terms.values()) == pytest.approx(logits[0] - logits[1], abs=1e-4)
        assert display.output == f"{one} - {other}"

    def test_an_absent_modality(self, clf, data, new):
        views = data.views[new].drop("voice")
        display = ExplanationDisplay.from_estimator(clf, views).plot()
        place = list(display.signals).index("voice")
        assert [t.get_text() for t in display.axes_[place, 0].texts] == ["not measured"]
        assert display.terms["voice"] == 0.0

    def test_a_pipeline(self, data, quick):
        pipeline = make_pipeline(ViewSelector(keep=["skin"]), quick())
        pipeline.fit(data.views, data.target)
        display = ExplanationDisplay.from_estimator(pipeline, data.views, clip=1)
        assert list(display.signals) == ["skin"]

    def test_html(self, clf, data, new):
        html = explain(clf, data.views[new])._repr_html_()
        assert html.count("<tr>") == 11
        assert f"{new.sum()} clips, the first 10" in html
        total = clf.decision_function(data.views[new]).max(axis=1)[0]
        assert f"<td>{total:+.2f}</td>" in html
        pair = explain(clf, data.views[:1]).versus(*clf.classes_[:2])
        assert pair._repr_html_().count("<tr>") == 2

    def test_refusals(self, clf, data, new):
        views = data.views[new]
        explanation = explain(clf, views)
        with pytest.raises(ValueError, match="2 clips, but 24 were explained"):
            explanation.plot(views[:2])
        with pytest.raises(ValueError, match="clip must be below 24"):
            explanation.plot(views, clip=24)
        with pytest.raises(ValueError, match="'nobody' is none"):
            explanation.plot(views, emotion="nobody")
        with pytest.raises(ValueError, match="no modality 'skin'"):
            explanation.plot(views.drop("skin"))
        short = {name: views[name][:, :, :20] for name in views.names}
        with pytest.raises(ValueError, match="has 20 frames"):
            explanation.plot(short)
        with pytest.raises(ValueError, match="n_stretches"):
            ExplanationDisplay.from_explanation(explanation, views, n_stretches=0)


class TestRule:
    def test_windows_are_pieces_of_the_clips(self, clf, data, new):
        """A level rule over one channel: the windows are what stands in the signal."""
        display = RuleDisplay.from_estimator(
            clf, data.views[new], data.target[new], rule="skin_pattern0", n_windows=4
        )
        pattern = display.pattern
        assert not pattern.is_difference and not pattern.is_shape
        dilation = round((pattern.lags[1] - pattern.lags[0]) * data.views.schema["skin"].rate)
        for window, clip in zip(display.windows, display.clips, strict=True):
            signal = data.views[new]["skin"][clip, 0].astype(np.float64)
            reach = (len(pattern.lags) - 1) * dilation
            pieces = [signal[i : i + reach + 1 : dilation] for i in range(len(signal) - reach)]
            assert min(np.abs(window[0] - piece).max() for piece in pieces) < 1e-9

    def test_the_windows_that_fire_most_are_the_nearest(self, clf, data, new):
        """Of the windows shown none is further from its prototype than a usual one."""
        for rule in ("skin_pattern3", "pulse_pattern9", "motion_pattern3"):
            display = RuleDisplay.from_estimator(clf, data.views[new], data.target[new], rule=rule)
            offsets = (display.windows - display.pattern.prototype) / display.spread
            assert len(offsets) == 5
            assert np.sqrt(np.nanmean(np.square(offsets))) < 1.0

    def test_a_planted_pattern(self, quick):
        """Clips of one emotion jump up; the windows of the rule for it are at the jump."""
        rng = np.random.default_rng(0)
        X = rng.normal(scale=0.05, size=(40, 1, 60))
        y = np.repeat(["flat", "jump"], 20)
        X[20:, 0, 30:] += 1.0
        clf = quick(n_patterns=32).fit(X, y)
        names = [str(rule) for rule in explain(clf, X[:1]).rules if rule.kind == "pattern"]
        displays = [RuleDisplay.from_estimator(clf, X, y, rule=name) for name in names]
        ratios = [own.firing[0, 1] - own.firing[0, 0] for own in displays]
        best = displays[int(np.argmax(ratios))].plot()
        assert best.labels.tolist() == ["jump"] * 5
        widths = [bar.get_width() for bar in best.ax_.patches]
        np.testing.assert_allclose(widths, 100 * best.firing[0])

    def test_firing_is_the_strength_of_the_rule(self, clf, data, new):
        """In FuzzyPatternTransformer's terms: mean strengths by person and emotion."""
        views, target, groups = data.views[new], data.target[new], data.groups[new]
        display = RuleDisplay.from_estimator(
            clf, views, target, rule="pulse_pattern2", groups=groups
        )
        module, signals = next(clf.model_.standardised(views))
        names = [str(rule) for rule in explain(clf, views[:1]).rules]
        strengths = module.strengths(signals)[:, names.index("pulse_pattern2")].numpy()
        for i, person in enumerate(np.unique(groups)):
            for j, label in enumerate(display.classes):
                own = strengths[(groups == person) & (target == label)]
                assert display.firing[i, j] == pytest.approx(own.mean(), abs=1e-6)

    @pytest.mark.parametrize("rule", ["skin_course0", "skin_pattern999", "nothing"])
    def test_no_such_rule(self, clf, data, rule):
        with pytest.raises(ValueError, match="there are 'motion_pattern0' to 'voice_pattern"):
            RuleDisplay.from_estimator(clf, data.views, data.target, rule=rule)


class TestModality:
    def test_accuracies(self, made, clf, data, new):
        display = made["modality"]
        views, target, groups = data.views[new], data.target[new], data.groups[new]
        assert sorted(display.modalities) == sorted(views.names)

        def accuracy(clips):
            found = clf.predict(clips)
            people = [groups == person for person in np.unique(groups)]
            return [recall_score(target[own], found[own], average="macro") for own in people]

        np.testing.assert_allclose(display.curve[:, :, 0], [accuracy(views)] * 2)
        first, *_, last = display.modalities
        for i, name in ((0, first), (-1, last)):
            expected = np.subtract(accuracy(views), accuracy(views.drop(name)))
            np.testing.assert_allclose(display.drop[:, i], expected)
        np.testing.assert_allclose(display.curve[0, :, -1], accuracy(views.select(last)))
        np.testing.assert_allclose(display.curve[1, :, -1], accuracy(views.select(first)))
        means = display.drop.mean(axis=0)
        assert (np.diff(means) <= 0).all()

    def test_clips_without_a_modality_are_left_out(self, clf, data, new, made):
        arrays = {name: np.array(data.views[new][name]) for name in data.views.names}
        arrays["skin"][:3] = np.nan
        target, groups = data.target[new], data.groups[new]
        display = ModalityDisplay.from_estimator(clf, arrays, target, groups=groups)
        rest = {name: values[3:] for name, values in arrays.items()}
        expected = ModalityDisplay.from_estimator(clf, rest, target[3:], groups=groups[3:])
        np.testing.assert_array_equal(display.drop, expected.drop)

    def test_refusals(self, clf, data, quick):
        gone = {name: np.array(data.views[name]) for name in data.views.names}
        gone["skin"][:] = np.nan
        with pytest.raises(ValueError, match="no clip has all"):
            ModalityDisplay.from_estimator(clf, gone, data.target)
        views = data.views.select("skin")
        with pytest.raises(ValueError, match="one modality"):
            ModalityDisplay.from_estimator(quick().fit(views, data.target), views, data.target)


class TestTimeline:
    def test_contributions_are_drawn(self, clf, recording):
        explanation = explain_timeline(clf, recording[0], window=recording[1])
        emotion = clf.classes_[1]
        display = TimelineDisplay.from_explanation(explanation, emotion=emotion).plot()
        assert len(display.axes_) == len(explanation.modalities) + 2
        own = explanation.by_modality[:, 1, 0] - explanation.by_modality[:, :, 0].mean(axis=1)
        np.testing.assert_allclose(display.terms[explanation.modalities[0]], own)
        above = display.axes_[0].collections[0].get_paths()[0].vertices[:, 1]
        assert above.max() == pytest.approx(max(own.max(), 0.0))
        below = display.axes_[0].collections[1].get_paths()[0].vertices[:, 1]
        assert below.min() == pytest.approx(min(own.min(), 0.0))

    def test_the_most_probable_emotion_is_explained(self, clf, recording):
        explanation = explain_timeline(clf, recording[0], window=recording[1])
        display = TimelineDisplay.from_explanation(explanation)
        total = explanation.total - explanation.by_prior
        expected = (total - total.mean(axis=1, keepdims=True)).max(axis=1)
        np.testing.assert_allclose(sum(display.terms.values()), expected)

    def test_annotations(self, clf, recording, made):
        assert made["timeline"].annotations is recording[0].annotations
        alone = made["timeline alone"].plot()
        assert alone.axes_.size == 0 and alone.ax_.figure is alone.figure_

    def test_an_unknown_emotion(self, clf, recording):
        explanation = explain_timeline(clf, recording[0], window=recording[1])
        with pytest.raises(ValueError, match="'nobody'"):
            TimelineDisplay.from_explanation(explanation, emotion="nobody")

    def test_windows_that_are_not_measured(self):
        timeline = Timeline(
            start=np.arange(3.0),
            end=np.arange(3.0) + 1,
            probabilities=np.array([[0.9, 0.1], [np.nan, np.nan], [0.3, 0.7]]),
            classes=np.array(["calm", "joy"]),
        )
        terms = {"skin": np.array([1.0, np.nan, -2.0])}
        display = TimelineDisplay(timeline, None, terms).plot()
        assert display.axes_[0].get_ylim()[1] == pytest.approx(2.2)


class TestEmbedding:
    def test_the_shift_is_that_of_adapt(self, made, clf, data, new):
        display = made["embedding"]
        features = clf.model_.embed(data.views[new]).numpy().astype(np.float64)
        for person in np.unique(data.groups[new]):
            own = data.groups[new] == person
            adapted = clf.adapt(unlabelled=data.views[new][own])
            features[own] -= adapted.model_.prior.shift.numpy()
        centred = features - features.mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        expected = left[:, :2] * sizes[:2]
        np.testing.assert_allclose(np.abs(display.points[1]), np.abs(expected), atol=1e-6)
        np.testing.assert_allclose(display.explained[1], sizes[:2] ** 2 / (sizes**2).sum())

    def test_shares_of_the_variance(self, made):
        display = made["embedding"]
        assert display.between_people[1] < 0.2 * display.between_people[0]
        assert display.between_emotions[1] > display.between_emotions[0]

    def test_signs(self, made, data, new):
        display = made["embedding"].plot()
        n_people, n_emotions = 2, 3
        for axes in display.axes_[:1]:
            assert len(axes.collections) == 2 * n_people * n_emotions
        shown = np.concatenate([own.get_offsets() for own in display.axes_[0].collections[::2]])
        assert len(shown) == new.sum()

    def test_too_few_clips(self, clf, data):
        with pytest.raises(ValueError, match="at least 3 clips, got 2"):
            EmbeddingDisplay.from_estimator(clf, data.views[:2], data.target[:2])


class TestConfusion:
    def test_by_hand(self):
        display = ConfusionDisplay.from_predictions(
            ["a", "a", "a", "a", "b", "a"],
            ["a", "a", "a", "b", "b", "b"],
            groups=[1, 1, 1, 1, 1, 2],
        ).plot()
        # Person 1 has three of four right, person 2 none: means count people alike.
        np.testing.assert_allclose(display.mean, [[0.375, 0.625], [0.0, 1.0]])
        assert display.n_people.tolist() == [2, 1]
        texts = [text.get_text() for text in display.ax_.texts]
        assert texts == ["38", "0–100", "62", "0–100", "0", "100"]
        labels = [text.get_text() for text in display.ax_.get_yticklabels()]
        assert labels == ["a\n(2 people)", "b\n(1 person)"]
        np.testing.assert_allclose(display.ax_.images[0].get_array(), display.mean)

    def test_an_emotion_that_is_only_predicted(self):
        display = ConfusionDisplay.from_predictions([1, 1], [1, 2]).plot()
        assert display.n_people.tolist() == [1, 0]
        assert [t.get_text() for t in display.ax_.texts] == ["50", "50", "no clips", "no clips"]

    def test_any_classifier(self):
        class Constant(ClassifierMixin, BaseEstimator):
            def predict(self, X):
                return np.full(len(X), "calm")

        display = ConfusionDisplay.from_estimator(
            Constant(), np.zeros((3, 1)), ["calm", "joy"] * 1 + ["joy"]
        )
        np.testing.assert_allclose(display.mean, [[1, 0], [1, 0]])

    def test_lengths(self):
        with pytest.raises(ValueError, match="y_true has 1 labels and y_pred 2"):
            ConfusionDisplay.from_predictions(["a"], ["a", "b"])


class TestShots:
    def test_of_a_result(self, data):
        protocol = FewShotProtocol(shots=(1, 2), on_few="shrink", random_state=0)
        how = {"groups": data.groups, "protocol": protocol, "cv": 2}
        how |= {"scoring": ["balanced_accuracy", "f1_macro"]}
        result = few_shot_score(GaussianNB(), data.views, data.target, **how)
        display = ShotsDisplay.from_result(result, metric="f1_macro").plot()
        rows = result.summary().query("metric == 'f1_macro'")
        np.testing.assert_allclose(display.mean[0], rows["mean"])
        np.testing.assert_allclose(display.low[0], rows["low"])
        line = display.ax_.lines[0]
        np.testing.assert_allclose(line.get_ydata(), rows["mean"])
        np.testing.assert_allclose(line.get_xdata(), [1, 2])
        assert display.ax_.get_ylabel() == "f1 macro"
        assert display.n_units == 6 and display.ax_.get_legend() is None
        with pytest.raises(ValueError, match="'accuracy' was not scored over people"):
            ShotsDisplay.from_result(result, metric="accuracy")

    def test_of_a_comparison(self, made):
        display = made["shots"].plot()
        assert display.names == ("Bayes", "again")
        np.testing.assert_array_equal(display.mean[0], display.mean[1])
        looks = {
            (c[0].get_color(), c[0].get_marker(), c[0].get_linestyle())
            for c in display.ax_.containers
        }
        assert len(looks) == 2
        legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
        assert legend == ["Bayes", "again"]


class TestTraining:
    def test_lines_are_the_history(self):
        display = TrainingDisplay(HISTORY).plot()
        losses = display.axes_[0].lines
        np.testing.assert_allclose(losses[0].get_ydata(), [2.0 / i for i in range(1, 5)])
        np.testing.assert_allclose(losses[1].get_ydata(), [2.5 / i for i in range(1, 5)])
        accuracy = display.axes_[1].lines
        np.testing.assert_allclose(accuracy[1].get_ydata(), [0.1 * i + 0.1 for i in range(1, 5)])

    def test_without_validation(self, with_networks):
        display = TrainingDisplay.from_estimator(with_networks).plot()
        expected = [epoch["train_loss"] for epoch in with_networks.history_[0]]
        np.testing.assert_allclose(display.axes_[0].lines[0].get_ydata(), expected)
        assert repr(display) == "TrainingDisplay(2 networks, 3 epochs)"

    def test_without_networks(self, clf, quick):
        with pytest.raises(ValueError, match="n_networks=0"):
            TrainingDisplay.from_estimator(clf)
        with pytest.raises(NotFittedError):
            TrainingDisplay.from_estimator(quick())
