"""Who is held out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.training.holdout import halve, hold_out

laws = settings(deadline=None, max_examples=60)


@laws
@given(
    st.integers(5, 12), st.integers(2, 4), st.integers(2, 4), st.floats(0.05, 0.6), st.integers(0)
)
def test_whole_people(n_people, n_classes, n_clips, fraction, seed):
    groups = np.repeat(np.arange(n_people), n_classes * n_clips)
    codes = np.tile(np.arange(n_classes), n_people * n_clips)
    order = np.random.default_rng(seed % 2**32).permutation(len(codes))
    groups, codes = groups[order], codes[order]
    held_out = hold_out(codes, groups, fraction, np.random.RandomState(seed % 2**32))
    assert held_out.shape == codes.shape and held_out.dtype == bool
    people = set(groups[held_out])
    assert not people & set(groups[~held_out])
    assert len(people) >= 1
    assert abs(len(people) - fraction * n_people) <= 1


@laws
@given(st.lists(st.integers(4, 40), min_size=2, max_size=5), st.floats(0.05, 0.7), st.integers(0))
def test_without_people_a_share_of_each_class(counts, fraction, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    source = np.random.default_rng(seed % 2**32)
    codes = source.permutation(codes)
    held_out = hold_out(codes, None, fraction, np.random.RandomState(seed % 2**32))
    expected = np.floor(fraction * np.array(counts))
    # Both sides need two clips of two classes each.
    possible = (expected >= 2).sum() >= 2 and (np.array(counts) - expected >= 2).sum() >= 2
    per_class = np.bincount(codes[held_out], minlength=len(counts))
    np.testing.assert_array_equal(per_class, expected if possible else 0)
    assert (per_class < counts).all()


def test_every_clip_gets_its_turn():
    codes = np.repeat([0, 1], 10)
    random_state = np.random.RandomState(0)
    chosen = np.mean([hold_out(codes, None, 0.4, random_state) for _ in range(500)], axis=0)
    np.testing.assert_allclose(chosen, 0.4, atol=0.1)
    groups = np.repeat(np.arange(6), 4)
    codes = np.tile([0, 0, 1, 1], 6)
    chosen = np.mean([hold_out(codes, groups, 0.4, random_state) for _ in range(500)], axis=0)
    np.testing.assert_allclose(chosen, 1 / 3, atol=0.1)


def test_nobody_of_fewer_than_five_people():
    for n_people in range(1, 7):
        groups, codes = np.repeat(np.arange(n_people), 4), np.tile([0, 0, 1, 1], n_people)
        held_out = hold_out(codes, groups, 0.5, np.random.RandomState(0))
        assert held_out.any() == (n_people >= 5)


@pytest.mark.parametrize("groups", [None, np.repeat(np.arange(6), 4)])
def test_nobody_at_fraction_0(groups):
    assert not hold_out(np.tile([0, 0, 1, 1], 6), groups, 0, np.random.RandomState(0)).any()


def test_nobody_if_those_held_out_could_not_form_an_episode():
    # Only person 0 has two clips of two classes: one side would go without.
    groups, codes = np.repeat(np.arange(6), 4), np.tile([0, 0, 0, 1], 6)
    codes[:4] = [0, 0, 1, 1]
    for seed in range(20):
        assert not hold_out(codes, groups, 0.3, np.random.RandomState(seed)).any()


def test_only_the_random_state_decides():
    codes = np.repeat([0, 1], 20)
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (
        hold_out(codes, None, 0.5, np.random.RandomState(seed)) for seed in (1, 1, 2)
    )
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert (first == again).all() and (first != other).any()


class TestHalve:
    @pytest.mark.parametrize("n_people", [4, 5, 9])
    def test_people_are_shared_out(self, n_people):
        groups, codes = np.repeat(np.arange(n_people), 4), np.tile([0, 0, 1, 1], n_people)
        first, second = halve(codes, groups, np.random.RandomState(0))
        assert sorted([*first, *second]) == list(range(len(codes)))
        people = set(groups[first]), set(groups[second])
        assert not people[0] & people[1]
        assert len(people[0]) - len(people[1]) in (0, 1)

    def test_without_people_clips_of_each_class_are(self):
        codes = np.repeat([0, 1, 2], [4, 5, 8])
        first, second = halve(codes, None, np.random.RandomState(0))
        assert sorted([*first, *second]) == list(range(17))
        counts = [np.bincount(codes[rows], minlength=3) for rows in (first, second)]
        assert (abs(counts[0] - counts[1]) <= 1).all()

    @pytest.mark.parametrize(
        ("codes", "groups"),
        [
            ([0, 0, 1, 1], [0, 0, 0, 0]),  # one person
            ([0, 0, 1, 1, 0, 1, 2, 2], [0] * 4 + [1] * 4),  # the other has one class twice
            ([0, 0, 0, 1, 1, 1], None),  # a half has one clip of a class
        ],
    )
    def test_none_where_a_half_could_not_form_an_episode(self, codes, groups):
        groups = None if groups is None else np.array(groups)
        for seed in range(10):
            assert halve(np.array(codes), groups, np.random.RandomState(seed)) is None

    def test_only_the_random_state_decides(self):
        codes = np.repeat([0, 1], 20)
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        first, again, other = (
            halve(codes, None, np.random.RandomState(seed))[0] for seed in (1, 1, 2)
        )
        assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
        assert first.tolist() == again.tolist() != other.tolist()
