"""Episodes: who may be in them, and how supports and queries are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.training.episodes import draw_episodes, people_of

laws = settings(deadline=None, max_examples=60)


@st.composite
def populations(draw):
    """Codes and people of clips in any order; some people lack classes, some have one clip."""
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_clips = draw(st.integers(2, 60))
    codes = source.integers(0, draw(st.integers(2, 5)), size=n_clips)
    people = source.integers(0, draw(st.integers(1, 6)), size=n_clips)
    return codes, people


def draw_from(codes, people, *, shots=(0, 1, 2, 5), n_draws=3, seed=0):
    generator = np.random.RandomState(seed)
    return draw_episodes(codes, people, shots=shots, n_draws=n_draws, generator=generator)


def rows_of(row):
    return row[row >= 0]


class TestDrawing:
    @laws
    @given(populations(), st.integers(0, 2**16))
    def test_laws(self, population, seed):
        codes, people = population
        for episodes in draw_from(codes, people, seed=seed):
            for person, support, query in zip(
                episodes.person, episodes.support, episodes.query, strict=True
            ):
                support, query = rows_of(support), rows_of(query)
                assert (people[support] == person).all() and (people[query] == person).all()
                assert len(np.unique(support)) == len(support)
                assert len(np.unique(query)) == len(query)
                assert not np.intersect1d(support, query).size
                asked, n_asked = np.unique(codes[query], return_counts=True)
                assert len(asked) >= 2
                for c, n_query in zip(asked, n_asked, strict=True):
                    n_own = ((codes == c) & (people == person)).sum()
                    assert n_query == n_own - n_own // 2
                    n_support = (codes[support] == c).sum()
                    assert n_support == min(episodes.shots, n_own // 2)
                assert np.isin(codes[support], asked).all()

    @laws
    @given(populations(), st.integers(0, 2**16))
    def test_supports_are_nested_and_queries_are_the_same(self, population, seed):
        drawn = draw_from(*population, seed=seed)
        for fewer, more in pairwise(drawn):
            np.testing.assert_array_equal(fewer.query, more.query)
            np.testing.assert_array_equal(fewer.person, more.person)
            for one, other in zip(fewer.support, more.support, strict=True):
                assert np.isin(rows_of(one), rows_of(other)).all()

    @laws
    @given(populations())
    def test_everybody_with_two_clips_of_two_classes_is_drawn(self, population):
        codes, people = population
        able = [
            p
            for p in np.unique(people)
            if (np.unique(codes[people == p], return_counts=True)[1] > 1).sum() >= 2
        ]
        drawn = draw_from(codes, people, n_draws=4)
        if not able:
            assert drawn == []
            return
        assert [episodes.shots for episodes in drawn] == [0, 1, 2, 5]
        for episodes in drawn:
            np.testing.assert_array_equal(episodes.person, np.repeat(able, 4))

    def test_sides_take_turns(self):
        codes, people = np.tile([0, 1], 8), np.zeros(16, int)
        (episodes,) = draw_from(codes, people, shots=(4,), n_draws=3)
        early, mixed, late = (set(rows_of(row).tolist()) for row in episodes.support)
        assert early == set(range(8))
        assert late == set(range(8, 16))
        assert mixed not in (early, late)

    def test_support_is_in_random_order_and_the_query_in_that_of_the_recording(self):
        codes, people = np.repeat([0, 1], 40), np.zeros(80, int)
        (episodes,) = draw_from(codes, people, shots=(20,), n_draws=1)
        support, query = episodes.support[0], episodes.query[0]
        assert (np.diff(support[:20]) < 0).any()
        assert (np.diff(query) > 0).all()

    def test_zero_shots(self):
        episodes = draw_from(np.tile([0, 1], 4), np.zeros(8, int), shots=(0,))[0]
        assert episodes.support.shape == (3, 0)

    def test_the_seed_decides(self):
        codes, people = np.tile([0, 1], 30), np.repeat([0, 1, 2], 20)
        one, again, other = (draw_from(codes, people, seed=seed) for seed in (1, 1, 2))
        np.testing.assert_array_equal(one[2].support, again[2].support)
        assert (one[2].support != other[2].support).any()

    @pytest.mark.parametrize(
        ("codes", "people"), [([0, 1], [0, 0]), ([0, 0, 0, 1], [0] * 4), ([0, 1] * 2, range(4))]
    )
    def test_nobody_to_draw(self, codes, people):
        assert draw_from(np.array(codes), np.array(people)) == []


class TestPeople:
    def test_are_left_as_they_are(self):
        people = np.array([2, 0, 1])
        assert people_of(np.array([0, 1, 0]), people, np.random.RandomState(0)) is people

    @laws
    @given(populations(), st.integers(0, 2**16))
    def test_stand_ins_have_a_few_clips_of_every_class(self, population, seed):
        codes = population[0]
        parts = people_of(codes, None, np.random.RandomState(seed))
        assert parts.shape == codes.shape
        np.testing.assert_array_equal(np.unique(parts), np.arange(parts.max() + 1))
        for c in np.unique(codes):
            counts = np.bincount(parts[codes == c], minlength=parts.max() + 1)
            assert counts.max() - counts.min() <= 1  # dealt out evenly
        assert np.bincount(codes).max() / (parts.max() + 1) <= 8

    def test_few_clips_are_one_part(self):
        assert (people_of(np.array([0, 1, 0]), None, np.random.RandomState(0)) == 0).all()

    def test_the_seed_decides(self):
        codes = np.tile([0, 1, 2], 20)
        one, again, other = (people_of(codes, None, np.random.RandomState(s)) for s in (1, 1, 2))
        np.testing.assert_array_equal(one, again)
        assert (one != other).any()
