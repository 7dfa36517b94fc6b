"""Laws of a fitted STF2MClassifier, in float64."""

import copy
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from stf2m_sk import Views, fitted

LAW = settings(max_examples=8, deadline=None)
KNOWN = ["emotion_0", "emotion_1", "emotion_2"]
UNKNOWN = ["awe", "joy", "zest"]
N_NEW = 9  # clips of the new person

pytestmark = pytest.mark.filterwarnings("ignore:y holds labels that are new")


def assert_same(actual, expected):
    assert_allclose(actual, expected, rtol=0, atol=1e-10)


def labels_from(names):
    """One label for each clip of the new person."""
    return st.lists(st.sampled_from(names), min_size=N_NEW, max_size=N_NEW)


def with_lengths(views, lengths):
    """The same clips, each modality cut or continued with NaN to a length."""
    arrays = {}
    for name, array in views.to_dict().items():
        n_more = max(0, lengths[name] - array.shape[2])
        longer = np.pad(array, ((0, 0), (0, 0), (0, n_more)), constant_values=np.nan)
        arrays[name] = longer[..., : lengths[name]]
    return Views(arrays)


def measured_length(views, name):
    """Frames up to the last measured one, at least 1."""
    frames = np.flatnonzero(views.measured(name).any(axis=(0, 1)))
    return frames[-1] + 1 if len(frames) else 1


def test_there_are_nine_clips(people):
    assert len(people.new_views) == len(people.new_target) == N_NEW
    assert np.isnan(np.asarray(people.new_views)).any()


class TestPartialFitIsAdditive:
    @LAW
    @given(
        labels=labels_from(KNOWN + UNKNOWN),
        order=st.permutations(range(N_NEW)),
        cuts=st.sets(st.integers(1, N_NEW - 1)),
        shifted=st.booleans(),
    )
    def test_parts_in_any_order_are_the_union(self, lasting, people, labels, order, cuts, shifted):
        labels = np.array(labels)
        start = lasting.adapt(unlabelled=people.new_views) if shifted else lasting
        at_once = copy.copy(start).partial_fit(people.new_views, labels)
        in_parts = copy.copy(start)
        for rows in np.split(np.array(order), sorted(cuts)):
            in_parts.partial_fit(people.new_views[rows], labels[rows])
        assert_array_equal(in_parts.classes_, at_once.classes_)
        assert_same(in_parts.predict_proba(people.views), at_once.predict_proba(people.views))

    @LAW
    @given(labels=labels_from(KNOWN + UNKNOWN), cut=st.integers(1, N_NEW - 1))
    def test_adapt_and_then_the_rest_is_adapt_to_all(self, lasting, people, labels, cut):
        labels = np.array(labels)
        at_once = lasting.adapt(people.new_views, labels)
        in_parts = lasting.adapt(people.new_views[:cut], labels[:cut])
        in_parts.partial_fit(people.new_views[cut:], labels[cut:])
        assert_array_equal(in_parts.classes_, at_once.classes_)
        assert_same(in_parts.predict_proba(people.views), at_once.predict_proba(people.views))

    @LAW
    @given(labels=labels_from(KNOWN + UNKNOWN))
    def test_first_support_is_adapt(self, lasting, people, labels):
        added = copy.copy(lasting).partial_fit(people.new_views, labels)
        adapted = lasting.adapt(people.new_views, labels)
        assert_array_equal(added.classes_, adapted.classes_)
        assert_array_equal(added.predict_proba(people.views), adapted.predict_proba(people.views))


class TestOrderMeansNothing:
    @LAW
    @given(labels=labels_from(KNOWN + UNKNOWN), order=st.permutations(range(N_NEW)))
    def test_of_the_clips_of_a_support(self, lasting, people, labels, order):
        labels = np.array(labels)
        straight = lasting.adapt(people.new_views, labels)
        permuted = lasting.adapt(people.new_views[order], labels[order])
        assert_array_equal(permuted.classes_, straight.classes_)
        assert_same(permuted.predict_proba(people.views), straight.predict_proba(people.views))

    @LAW
    @given(order=st.permutations(range(N_NEW)))
    def test_of_the_unlabelled_clips(self, lasting, people, order):
        straight = lasting.adapt(unlabelled=people.new_views)
        permuted = lasting.adapt(unlabelled=people.new_views[order])
        assert_same(permuted.predict_proba(people.views), straight.predict_proba(people.views))

    @LAW
    @given(order=st.permutations(range(N_NEW)))
    def test_of_the_clips_to_recognise(self, lasting, people, order):
        answer = lasting.predict_proba(people.new_views)
        assert_same(lasting.predict_proba(people.new_views[order]), answer[order])

    @pytest.mark.parametrize("form", [Views.to_dict, lambda views: views], ids=["dict", "Views"])
    def test_of_the_modalities(self, lasting, people, form):
        views, target = people.new_views, people.new_target
        turned = form(views.select(*reversed(views.names)))
        straight = lasting.adapt(views, target, unlabelled=views)
        adapted = lasting.adapt(turned, target, unlabelled=turned)
        assert_array_equal(adapted.predict_proba(turned), straight.predict_proba(views))

    @LAW
    @given(order=st.permutations(KNOWN + UNKNOWN))
    def test_of_the_classes(self, lasting, people, order):
        straight = lasting.adapt(people.new_views, people.new_target, classes=KNOWN + UNKNOWN)
        adapted = lasting.adapt(people.new_views, people.new_target, classes=order)
        assert_array_equal(
            adapted.predict_proba(people.views), straight.predict_proba(people.views)
        )


class TestNamesMeanNothing:
    @LAW
    @given(
        labels=labels_from(["emotion_1", *UNKNOWN]),
        names=st.permutations(["awe", "zest", "emotion_11"]),
    )
    def test_of_new_emotions(self, lasting, people, labels, names):
        new_name = {"emotion_1": "emotion_1", **dict(zip(UNKNOWN, names, strict=True))}
        one = lasting.adapt(people.new_views, labels)
        other = lasting.adapt(people.new_views, [new_name[label] for label in labels])
        new_names = [new_name.get(label, label) for label in one.classes_]
        columns = [other.classes_.tolist().index(name) for name in new_names]
        assert_same(other.predict_proba(people.views)[:, columns], one.predict_proba(people.views))

    @LAW
    @given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
    def test_any_text_will_do(self, lasting, people, name):
        if name in KNOWN:
            return
        labels = np.where(people.new_target == "emotion_0", "emotion_0", "other")
        expected = lasting.adapt(people.new_views, labels, classes=["emotion_0", "other"])
        labels = np.where(labels == "other", name, labels)
        renamed = lasting.adapt(people.new_views, labels, classes=["emotion_0", name])
        columns = [0, 1] if name > "emotion_0" else [1, 0]
        assert_same(
            renamed.predict_proba(people.views)[:, columns], expected.predict_proba(people.views)
        )

    def test_without_clips_new_ones_are_equal(self, lasting, people):
        adapted = lasting.adapt(
            people.new_views, people.new_target, classes=[*KNOWN, "awe", "zest"]
        )
        answer = adapted.predict_proba(people.views)
        assert adapted.classes_.tolist() == ["awe", *KNOWN, "zest"]
        assert_same(answer[:, 0], answer[:, -1])

    @LAW
    @given(order=st.permutations(range(3)), labels=labels_from([*KNOWN, "zest"]))
    def test_of_the_populations_emotions(self, lasting, people, order, labels):
        """Also in another order, where the columns of its sums are in another order."""
        names = dict(zip(KNOWN, np.array(["p", "q", "r"])[list(order)], strict=True))
        columns, model = np.argsort(order), lasting.model_
        sums = model.population
        renamed = copy.copy(lasting)
        renamed.model_ = replace(
            model,
            population=sums._replace(
                within_labels=sums.within_labels[:, columns],
                between_labels=sums.between_labels[:, columns],
                counts=sums.counts[columns][:, columns],
                shares=sums.shares[columns],
            ),
            population_classes=np.array(["p", "q", "r"]),
            classes=np.array(["p", "q", "r"]),
            population_prior=None,
        )
        expected = lasting.adapt(people.new_views, labels, unlabelled=people.views)
        own = [names.get(label, label) for label in labels]
        found = renamed.adapt(people.new_views, own, unlabelled=people.views)
        own = [names.get(label, label) for label in expected.classes_]
        columns = np.searchsorted(found.classes_, own)
        assert_same(
            found.predict_proba(people.views)[:, columns], expected.predict_proba(people.views)
        )


class TestWhatIsNotMeasured:
    @LAW
    @given(n_more=st.fixed_dictionaries({"skin": st.integers(0, 70), "pulse": st.integers(0, 70)}))
    def test_trailing_nan_of_any_length_changes_nothing(self, lasting, people, n_more):
        lengths = {m.name: m.n_timesteps + n_more[m.name] for m in people.new_views.schema}
        longer = with_lengths(people.new_views, lengths)
        expected = lasting.adapt(people.new_views, people.new_target, unlabelled=people.new_views)
        adapted = lasting.adapt(longer, people.new_target, unlabelled=longer)
        assert_same(adapted.model_.support.features, expected.model_.support.features)
        assert_same(adapted.model_.person.features, expected.model_.person.features)
        assert_same(adapted.predict_proba(longer), expected.predict_proba(people.new_views))
        assert_same(lasting.predict_proba(longer), lasting.predict_proba(people.new_views))

    @pytest.mark.parametrize("clip", range(N_NEW))
    def test_a_clip_may_be_cut_to_what_is_measured(self, lasting, people, clip):
        alone = people.new_views[clip]
        lengths = {name: measured_length(alone, name) for name in alone.names}
        assert_same(
            lasting.predict_proba(with_lengths(alone, lengths)), lasting.predict_proba(alone)
        )

    @pytest.mark.parametrize("name", ["skin", "pulse"])
    def test_an_absent_modality_is_one_of_nan(self, lasting, people, name):
        both = people.new_views[people.new_views.present.all(axis=1)]
        labels = np.array(UNKNOWN)[np.arange(len(both)) % 3]
        arrays = {**both.to_dict(), name: np.full_like(both[name], np.nan)}
        absent, missing = lasting.adapt(both.drop(name), labels), lasting.adapt(arrays, labels)
        assert_same(absent.predict_proba(both.drop(name)), missing.predict_proba(arrays))
        assert_same(absent.predict_proba(both), missing.predict_proba(both))


class TestNeighboursMeanNothing:
    @LAW
    @given(rows=st.lists(st.integers(0, N_NEW - 1), min_size=1, max_size=2 * N_NEW))
    def test_any_choice_of_clips(self, lasting, people, rows):
        adapted = lasting.adapt(people.new_views, people.new_target, unlabelled=people.new_views)
        answer = adapted.predict_proba(people.new_views)
        assert_same(adapted.predict_proba(people.new_views[rows]), answer[rows])

    def test_one_by_one(self, lasting, with_networks, people):
        for classifier in (lasting, with_networks):
            answer = classifier.predict_proba(people.views)
            one_by_one = [classifier.predict_proba(clip) for clip in people.views]
            assert_same(np.concatenate(one_by_one), answer)

    @pytest.mark.parametrize("at_once", [1, 2, 4])
    def test_parts_in_which_clips_are_read(self, lasting, people, monkeypatch, at_once):
        expected = lasting.predict_proba(people.new_views)
        support = lasting.adapt(people.new_views, people.new_target).model_.support
        monkeypatch.setattr(fitted, "_CLIPS_AT_ONCE", at_once)
        assert_same(lasting.predict_proba(people.new_views), expected)
        in_parts = lasting.adapt(people.new_views, people.new_target).model_.support
        assert_same(in_parts.features, support.features)
        assert_array_equal(in_parts.labels, support.labels)


class TestLabelsWithoutClips:
    @LAW
    @given(rows=st.sets(st.integers(0, N_NEW - 1), min_size=1))
    def test_every_label_of_the_population_is_answered(self, lasting, people, rows):
        rows = sorted(rows)
        adapted = lasting.adapt(people.new_views[rows], people.new_target[rows])
        assert adapted.classes_.tolist() == KNOWN
        answer = adapted.predict_proba(people.views)
        assert answer.shape == (len(people.views), 3)
        assert (answer > 0).all()
        assert_allclose(answer.sum(axis=1), 1, rtol=0, atol=1e-12)

    @LAW
    @given(wanted=st.sets(st.sampled_from(KNOWN + UNKNOWN), min_size=1))
    def test_a_label_left_out_leaves_the_odds_of_the_others(self, lasting, people, wanted):
        # Of labelled clips this does not hold: how far they are spread depends on the classes.
        everything = lasting.adapt(unlabelled=people.new_views, classes=KNOWN + UNKNOWN)
        some = lasting.adapt(unlabelled=people.new_views, classes=sorted(wanted))
        columns = np.isin(everything.classes_, sorted(wanted))
        expected = everything.predict_proba(people.views)[:, columns]
        expected /= expected.sum(axis=1, keepdims=True)
        assert_same(some.predict_proba(people.views), expected)
