"""Laws of a fitted STF2MClassifier, in float64."""

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from stf2m_sk import Views, personalisation
from stf2m_sk.nn import kernels

LAW = settings(max_examples=8, deadline=None)
KNOWN = ["emotion_0", "emotion_1", "emotion_2"]
UNKNOWN = ["awe", "joy", "zest"]
N_NEW = 9  # clips of the new person


def assert_same(actual, expected):
    assert_allclose(actual, expected, rtol=0, atol=1e-8)


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
    )
    def test_parts_in_any_order_are_the_union(self, lasting, people, labels, order, cuts):
        labels = np.array(labels)
        at_once = copy.copy(lasting).partial_fit(people.new_views, labels)
        in_parts = copy.copy(lasting)
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
    def test_first_support_is_adapt_with_all_classes(self, lasting, people, labels):
        added = copy.copy(lasting).partial_fit(people.new_views, labels)
        adapted = lasting.adapt(people.new_views, labels, classes=added.classes_)
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
    def test_of_the_clips_to_recognise(self, lasting, people, order):
        answer = lasting.predict_proba(people.new_views)
        assert_same(lasting.predict_proba(people.new_views[order]), answer[order])

    @pytest.mark.parametrize("form", [Views.to_dict, lambda views: views], ids=["dict", "Views"])
    def test_of_the_modalities(self, lasting, people, form):
        turned = people.new_views.select(*reversed(people.new_views.names))
        straight = lasting.adapt(people.new_views, people.new_target)
        adapted = lasting.adapt(form(turned), people.new_target)
        assert_array_equal(
            adapted.predict_proba(form(turned)), straight.predict_proba(people.new_views)
        )

    @LAW
    @given(order=st.permutations(KNOWN + UNKNOWN))
    def test_of_the_classes(self, lasting, people, order):
        straight = lasting.adapt(people.new_views, people.new_target, classes=KNOWN + UNKNOWN)
        adapted = lasting.adapt(people.new_views, people.new_target, classes=order)
        assert_array_equal(
            adapted.predict_proba(people.views), straight.predict_proba(people.views)
        )


class TestNamesOfUnknownEmotionsMeanNothing:
    @LAW
    @given(labels=labels_from(["emotion_1", *UNKNOWN]), names=st.permutations(UNKNOWN))
    def test_permuting_them_permutes_the_columns(self, lasting, people, labels, names):
        new_name = {"emotion_1": "emotion_1", **dict(zip(UNKNOWN, names, strict=True))}
        one = lasting.adapt(people.new_views, labels)
        other = lasting.adapt(people.new_views, [new_name[label] for label in labels])
        columns = [other.classes_.tolist().index(new_name[label]) for label in one.classes_]
        assert_same(other.predict_proba(people.views)[:, columns], one.predict_proba(people.views))

    @LAW
    @given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
    def test_any_text_will_do(self, lasting, people, name):
        labels = np.where(people.new_target == "emotion_0", "emotion_0", "other")
        expected = lasting.adapt(people.new_views, labels)
        renamed = lasting.adapt(people.new_views, np.where(labels == "other", name, labels))
        if name in KNOWN:
            return
        columns = [0, 1] if name > "emotion_0" else [1, 0]
        assert_same(
            renamed.predict_proba(people.views)[:, columns], expected.predict_proba(people.views)
        )

    def test_without_clips_they_are_equal(self, lasting, people):
        adapted = lasting.adapt(
            people.new_views, people.new_target, classes=[*KNOWN, "awe", "zest"]
        )
        answer = adapted.predict_proba(people.views)
        assert adapted.classes_.tolist() == ["awe", *KNOWN, "zest"]
        assert_same(answer[:, 0], answer[:, -1])


class TestWhatIsNotMeasured:
    @LAW
    @given(n_more=st.fixed_dictionaries({"skin": st.integers(0, 70), "pulse": st.integers(0, 70)}))
    def test_trailing_nan_of_any_length_changes_nothing(self, lasting, people, n_more):
        lengths = {m.name: m.n_timesteps + n_more[m.name] for m in people.new_views.schema}
        longer = with_lengths(people.new_views, lengths)
        expected = lasting.adapt(people.new_views, people.new_target)
        adapted = lasting.adapt(longer, people.new_target)
        assert_same(adapted.support_.embeddings, expected.support_.embeddings)
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
        adapted = lasting.adapt(people.new_views, people.new_target)
        answer = adapted.predict_proba(people.new_views)
        assert_same(adapted.predict_proba(people.new_views[rows]), answer[rows])

    def test_one_by_one(self, lasting, people):
        answer = lasting.predict_proba(people.views)
        one_by_one = [lasting.predict_proba(clip) for clip in people.views]
        assert_same(np.concatenate(one_by_one), answer)

    @pytest.mark.parametrize("at_once", [1, 2, 4])
    def test_parts_in_which_clips_are_read(self, lasting, people, monkeypatch, at_once):
        expected = lasting.predict_proba(people.new_views)
        support = lasting.adapt(people.new_views, people.new_target).support_
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", at_once)
        monkeypatch.setattr(kernels, "_CLIPS_AT_ONCE", max(1, at_once // 2))
        assert_same(lasting.predict_proba(people.new_views), expected)
        in_parts = lasting.adapt(people.new_views, people.new_target).support_
        assert_same(in_parts.embeddings, support.embeddings)
        assert_array_equal(in_parts.labels, support.labels)


class TestLabelsWithoutClips:
    @LAW
    @given(rows=st.sets(st.integers(0, N_NEW - 1), min_size=1))
    def test_every_label_asked_for_is_answered(self, lasting, people, rows):
        rows = sorted(rows)
        adapted = lasting.adapt(people.new_views[rows], people.new_target[rows], classes=KNOWN)
        assert adapted.classes_.tolist() == KNOWN
        answer = adapted.predict_proba(people.views)
        assert answer.shape == (len(people.views), 3)
        assert (answer > 0).all()
        assert_allclose(answer.sum(axis=1), 1, rtol=0, atol=1e-12)
