"""Cutting one person's clips: nothing is shared, and the yardstick's cut is met."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stf2m_sk.model_selection._clips import Clips, read_clips, seed_from
from stf2m_sk.model_selection._forms import as_rows
from stf2m_sk.model_selection._sides import cut

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def deal_contexts(labels, contexts, generator):
    """Which clips are on the support side."""
    rows = np.arange(len(labels))
    sides = cut(clips_of(labels, contexts), rows, 1, generator)
    support = np.concatenate([pair[0] for pair in sides.values()])
    query = np.concatenate([pair[1] for pair in sides.values()])
    np.testing.assert_array_equal(np.sort(np.r_[support, query]), rows)
    return np.isin(rows, support)


def clips_of(labels, contexts=None, times=None):
    return Clips(np.asarray(labels), None, contexts, times)


class TestInTime:
    @given(LABELS)
    def test_first_half_one_clip_dropped_rest(self, labels):
        labels = np.array(labels)
        rows = np.arange(len(labels))
        sides = cut(clips_of(labels), rows, 1, None)
        assert set(sides) == set(labels.tolist())
        for label, (support, query) in sides.items():
            own = [row for row in rows.tolist() if labels[row] == label]
            half = len(own) // 2
            assert support.tolist() == own[:half]
            assert query.tolist() == own[half + 1 :]

    @given(LABELS, st.integers(0, 5))
    def test_a_gap_drops_that_many_clips_of_a_class(self, labels, gap):
        labels = np.array(labels)
        sides = cut(clips_of(labels), np.arange(len(labels)), gap, None)
        for label, (support, query) in sides.items():
            n = (labels == label).sum()
            assert len(support) == n // 2
            assert len(query) == max(0, n - n // 2 - gap)

    @given(st.lists(st.integers(0, 50), min_size=2, max_size=30), st.integers(0, 20), st.integers())
    def test_with_times_the_gap_is_time_and_rows_may_be_in_any_order(self, times, gap, seed):
        times = np.array(times, dtype=float)
        labels = np.zeros(len(times), dtype=int)
        rows = np.random.default_rng(abs(seed)).permutation(len(times))
        sides = cut(clips_of(labels, times=times), rows, gap, None)
        support, query = sides[0]
        ordered = np.sort(times)
        np.testing.assert_array_equal(np.sort(times[support]), ordered[: len(times) // 2])
        assert not set(support) & set(query)
        if len(support) and len(query):
            assert times[query].min() - times[support].max() >= gap

    def test_no_gap_shares_out_at_random(self):
        labels = np.zeros(20, dtype=int)
        draws = [
            cut(clips_of(labels), np.arange(20), None, generator)[0]
            for generator in map(np.random.default_rng, range(5))
        ]
        assert len({tuple(support) for support, _ in draws}) == 5
        for support, query in draws:
            np.testing.assert_array_equal(np.sort(np.r_[support, query]), np.arange(20))


class TestByContext:
    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1), st.integers(0, 99)
    )
    def test_no_context_is_on_both_sides(self, pairs, seed):
        labels, contexts = np.array(pairs).T
        on_support = deal_contexts(labels, contexts, generator=np.random.default_rng(seed))
        assert not set(contexts[on_support]) & set(contexts[~on_support])
        assert len(set(contexts[on_support])) == len(set(contexts)) // 2

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), min_size=1),
        st.integers(0, 99),
        st.randoms(use_true_random=False),
    )
    def test_order_of_rows_does_not_matter(self, pairs, seed, random):
        order = list(range(len(pairs)))
        random.shuffle(order)
        labels, contexts = np.array(pairs).T
        one, other = (
            deal_contexts(labels[rows], contexts[rows], generator=np.random.default_rng(seed))
            for rows in (np.arange(len(pairs)), np.array(order))
        )
        np.testing.assert_array_equal(one[order], other)

    @given(st.integers(0, 99), st.integers(2, 5), st.integers(2, 6))
    def test_contexts_of_one_class_each_come_to_both_sides(self, seed, n_classes, n_contexts):
        labels = np.repeat(np.arange(n_classes), n_contexts)
        contexts = np.arange(n_classes * n_contexts)
        on_support = deal_contexts(labels, contexts, generator=np.random.default_rng(seed))
        for label in range(n_classes):
            assert 0 < on_support[labels == label].sum() < n_contexts

    def test_two_statements_are_one_each_with_equal_chances(self):
        statements = np.array([1, 1, 2, 2])
        first = [
            deal_contexts(
                np.array([0, 1, 0, 1]), statements, generator=np.random.default_rng(seed)
            )[0]
            for seed in range(400)
        ]
        assert 160 < sum(first) < 240  # four standard deviations


class TestChecks:
    def test_lengths(self):
        with pytest.raises(
            ValueError,
            match=r"contexts has the shape \(2,\); expected one entry for each clip, \(3,\)",
        ):
            read_clips(np.zeros((3, 1)), [0, 1, 0], contexts=[1, 2])

    def test_missing(self):
        with pytest.raises(ValueError, match=r"groups holds NaN or None .* first at clip 1"):
            read_clips(None, [0, 1], groups=["ann", None])

    def test_infinite_time(self):
        with pytest.raises(ValueError, match="times holds an infinite value at clip 1"):
            read_clips(None, [0, 1], times=[0, np.inf])

    def test_number_of_clips_of_every_form(self, people):
        labels, signal = people.target, people.views["skin"]
        for X in (people.views, {"skin": signal}, [signal, signal], signal, signal.tolist()):
            assert len(read_clips(X, labels).labels) == len(labels)
            with pytest.raises(ValueError, match="inconsistent numbers of samples"):
                read_clips(X, labels[1:])

    def test_mappings_become_rows(self, people):
        assert as_rows({"skin": people.views["skin"]})[3:5].shape[0] == 2

    def test_seeds(self):
        assert seed_from(5) == 5
        state = np.random.RandomState(0)
        assert seed_from(state) != seed_from(state)
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        assert seed_from(None) != seed_from(None)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
