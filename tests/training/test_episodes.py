"""Episodes: what each must hold, whatever the labels and the people."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stf2m_sk.training.episodes import EpisodeSampler

laws = settings(deadline=None, max_examples=60)

SETTINGS = {
    "n_modalities": 2,
    "n_way": 3,
    "n_support": 2,
    "n_query": 2,
    "n_episodes": 4,
    "view_dropout": 0.3,
    "unknown_share": 0.25,
}


def make_sampler(codes, groups=None, *, seed=0, among=None, **changes):
    return EpisodeSampler(
        np.asarray(codes),
        None if groups is None else np.asarray(groups),
        among=among,
        generator=np.random.default_rng(seed),
        **{**SETTINGS, **changes},
    )


def usable_classes(codes, people, rows):
    """For each person, the classes with two clips; people with fewer than two such are left out."""
    found = {}
    for person in sorted(set(people[rows].tolist())):
        own = codes[rows][people[rows] == person].tolist()
        classes = {c for c in own if own.count(c) >= 2}
        if len(classes) >= 2:
            found[person] = classes
    return found


class Layout:
    """Labels and people with at least one possible episode, and a sampler for them."""

    def __init__(self, codes, groups, among, seed, changes):
        self.codes, self.groups = codes, groups
        self.people = np.zeros(len(codes), int) if groups is None else groups
        self.rows = np.arange(len(codes)) if among is None else among
        self.usable = usable_classes(self.codes, self.people, self.rows)
        assume(self.usable)
        self.settings = {**SETTINGS, **changes}
        self.seed, self.among = seed, among

    def sampler(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # asked about below
            return make_sampler(
                self.codes, self.groups, seed=self.seed, among=self.among, **self.settings
            )

    def n_clips(self, person, code):
        at = (self.codes[self.rows] == code) & (self.people[self.rows] == person)
        return int(at.sum())


@st.composite
def layouts(draw):
    """Random labels of random people, some rows left out now and then."""
    seed = draw(st.integers(0, 2**32 - 1))
    source = np.random.default_rng(seed)
    n_clips = draw(st.integers(4, 60))
    codes = source.integers(draw(st.integers(2, 6)), size=n_clips)
    groups = draw(st.sampled_from([None, 1, 2, 5]))
    if groups is not None:
        groups = source.integers(groups, size=n_clips) + draw(st.sampled_from([0, 7]))
    among = None
    if draw(st.booleans()):
        among = np.flatnonzero(source.random(n_clips) < 0.8)
    changes = {
        "n_way": draw(st.integers(2, 7)),
        "n_support": draw(st.integers(1, 4)),
        "n_query": draw(st.integers(1, 4)),
        "n_episodes": draw(st.integers(1, 6)),
        "n_modalities": draw(st.integers(1, 4)),
        "view_dropout": draw(st.sampled_from([0.0, 0.5, 0.95])),
        "unknown_share": draw(st.sampled_from([0.0, 0.5, 1.0])),
    }
    return Layout(codes, groups, among, seed, changes)


class TestEveryEpisode:
    @laws
    @given(layouts())
    def test_holds_clips_of_the_right_class_and_one_person(self, layout):
        batch = layout.sampler().draw()
        n_episodes = layout.settings["n_episodes"]
        assert len(batch.ways) == len(batch.people) == n_episodes
        for i in range(n_episodes):
            rows = np.concatenate([batch.support[i].ravel(), batch.query[i].ravel()])
            rows = rows[rows >= 0]
            assert len(set(rows)) == len(rows)  # support and query are disjoint
            assert set(rows) <= set(layout.rows)
            assert len(set(layout.people[rows])) == 1
            expected = -1 if layout.groups is None else layout.people[rows[0]]
            assert batch.people[i] == expected
            for slot, way in enumerate(batch.ways[i]):
                for cell in (batch.support[i, slot], batch.query[i, slot]):
                    assert (layout.codes[cell[cell >= 0]] == way).all()

    @laws
    @given(layouts())
    def test_has_as_many_ways_and_clips_as_there_are(self, layout):
        batch = layout.sampler().draw()
        most_support, most_query = layout.settings["n_support"], layout.settings["n_query"]
        n_classes = len(set.union(*layout.usable.values()))
        assert batch.ways.shape[1] == min(layout.settings["n_way"], n_classes)
        for i in range(len(batch.ways)):
            person = layout.people[batch.support[i, 0, 0]]
            ways = batch.ways[i][batch.ways[i] >= 0]
            assert len(set(ways)) == len(ways)
            assert set(ways) <= layout.usable[person]
            assert len(ways) == min(batch.ways.shape[1], len(layout.usable[person]))
            shuffled, ordered = [], []
            for slot in range(len(ways)):
                n_clips = layout.n_clips(person, ways[slot])
                n_support = min(n_clips // 2, most_support)
                assert (batch.support[i, slot] >= 0).sum() == n_support >= 1
                shuffled.append(min(n_clips - n_support, most_query))
                ordered.append(min(n_clips - n_clips // 2, most_query))  # the far side only
            asked = (batch.query[i, : len(ways)] >= 0).sum(1).tolist()
            assert asked in (shuffled, ordered) and min(asked) >= 1

    @laws
    @given(layouts())
    def test_padding_comes_last(self, layout):
        batch = layout.sampler().draw()
        n_episodes, n_way = batch.ways.shape
        assert batch.support.shape == (n_episodes, n_way, layout.settings["n_support"])
        assert batch.query.shape == (n_episodes, n_way, layout.settings["n_query"])
        for table in (batch.ways, batch.support, batch.query):
            assert table.min() >= -1
            there = (table >= 0).astype(int)
            assert (np.diff(there, axis=-1) <= 0).all()
        absent = batch.ways < 0
        np.testing.assert_array_equal((batch.support < 0).all(-1), absent)
        np.testing.assert_array_equal((batch.query < 0).all(-1), absent)

    @laws
    @given(layouts())
    def test_views_are_never_empty(self, layout):
        batch = layout.sampler().draw()
        n_modalities = layout.settings["n_modalities"]
        assert batch.support_views.shape == (*batch.ways.shape, n_modalities)
        assert batch.query_views.shape == (*batch.query.shape, n_modalities)
        for views in (batch.support_views, batch.query_views):
            assert views.dtype == bool
            assert views.any(-1).all()
            if layout.settings["view_dropout"] == 0:
                assert views.all()

    @laws
    @given(layouts())
    def test_the_generator_alone_decides(self, layout):
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        first, again = layout.sampler(), layout.sampler()
        for one, same in zip(first.batches(3), again.batches(3), strict=True):
            for part, same_part in zip(one, same, strict=True):
                np.testing.assert_array_equal(part, same_part)
        assert (np.random.get_state()[1] == state).all()  # noqa: NPY002

    @laws
    @given(layouts())
    def test_people_are_different_while_they_last(self, layout):
        assume(layout.groups is not None)
        batch = layout.sampler().draw()
        counts = [(batch.people == person).sum() for person in layout.usable]
        assert sum(counts) == len(batch.people)
        assert max(counts) - min(counts) <= 1

    @laws
    @given(layouts())
    def test_clips_lists_every_clip(self, layout):
        batch = layout.sampler().draw()
        support, query = batch.support[batch.support >= 0], batch.query[batch.query >= 0]
        np.testing.assert_array_equal(batch.clips, np.concatenate([support, query]))


class TestChance:
    """Shares over many draws from one seed; the bounds are many standard errors wide."""

    def test_batches_differ_and_are_as_many_as_asked(self):
        batches = list(make_sampler(np.repeat([0, 1, 2], 9)).batches(3))
        assert len(batches) == 3
        assert not np.array_equal(batches[0].support, batches[1].support)

    def test_every_class_slot_and_clip_gets_its_turn(self):
        codes = np.repeat([0, 1, 2, 3], 6)
        batch = make_sampler(codes, n_episodes=2000, n_way=3).draw()
        for slot in range(3):
            share = np.bincount(batch.ways[:, slot], minlength=4) / 2000
            np.testing.assert_allclose(share, 1 / 4, atol=0.05)
        for table in (batch.support[:, :, 0], batch.query[:, :, 0]):
            share = np.bincount(table.ravel(), minlength=24) / table.size
            np.testing.assert_allclose(share, 1 / 24, atol=0.02)

    def test_half_of_the_episodes_are_in_recording_order(self):
        codes = np.tile([0, 1, 2], 8)
        groups = np.repeat([0, 1], 12)
        # People's clips are interleaved: order is that of a person's own clips.
        order = np.random.default_rng(1).permutation(24)
        codes, groups = codes[order], groups[order]
        counts = [np.bincount(codes[groups == person], minlength=3) for person in (0, 1)]
        assert (np.array(counts) == 4).all()
        batch = make_sampler(codes, groups, n_episodes=3000).draw()
        first, last = batch.support.max(-1), batch.support.min(-1)
        forwards = (first < batch.query.min(-1)).all(1)
        backwards = (last > batch.query.max(-1)).all(1)
        # Each is drawn in a quarter of the episodes, and by luck in 1 / 6^3 of the rest.
        np.testing.assert_allclose(forwards.mean(), 0.25, atol=0.04)
        np.testing.assert_allclose(backwards.mean(), 0.25, atol=0.04)

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_all_or_none_of_the_episodes_are_in_recording_order(self, share):
        sampler = make_sampler(np.tile([0, 1, 2], 8), n_episodes=500, ordered_share=share)
        batch = sampler.draw()
        forwards = (batch.support.max(-1) < batch.query.min(-1)).all(1)
        backwards = (batch.support.min(-1) > batch.query.max(-1)).all(1)
        in_order = (forwards | backwards).mean()
        assert in_order == 1.0 if share else in_order < 0.05

    @pytest.mark.parametrize("n_query", [1, 3, 6])
    def test_ordered_episodes_ask_nothing_of_the_side_of_the_support(self, n_query):
        sampler = make_sampler(
            np.repeat([0, 1], 6), n_way=2, n_support=1, n_query=n_query, n_episodes=2000
        )
        batch = sampler.draw()
        place = batch.query % 6
        first = np.where(batch.query >= 0, place, 6).min((1, 2)) >= 3
        last = np.where(batch.query >= 0, place, -1).max((1, 2)) < 3
        support = batch.support[..., 0] % 6
        forwards = first & (support < 3).all(1)
        backwards = last & (support >= 3).all(1)
        if n_query == 6:  # with so many queries no shuffled episode looks ordered
            for share in (forwards.mean(), backwards.mean()):
                assert abs(share - 0.25) < 0.05
        assert forwards.mean() > 0.2 and backwards.mean() > 0.2

    def test_ordered_support_is_random_within_its_end(self):
        batch = make_sampler(
            np.tile([0, 1], 12), n_episodes=2000, n_way=2, n_support=1, n_query=6
        ).draw()
        before = (batch.support[:, :, 0] < batch.query.min(-1)).all(1)
        chosen = batch.support[before, :, 0] // 2
        # The first half has six clips of each class; all are shots now and then.
        assert set(chosen.ravel()) >= set(range(6))

    def test_view_dropout(self):
        batch = make_sampler(
            np.repeat([0, 1], 6), n_modalities=4, view_dropout=0.4, n_episodes=1000, n_way=2
        ).draw()
        for views in (batch.support_views, batch.query_views):
            # One of the four is always kept, the others with probability 0.6.
            kept = views.reshape(-1, 4).mean(0)
            np.testing.assert_allclose(kept, 0.25 + 0.75 * 0.6, atol=0.05)

    def test_views_of_a_query_clip_tell_nothing_of_its_class(self):
        batch = make_sampler(np.repeat([0, 1, 2], 8), view_dropout=0.5, n_episodes=2000).draw()
        slots = np.broadcast_to(np.arange(3)[:, None], batch.query.shape)
        for labels in (slots, batch.ways[:, :, None].repeat(2, axis=2)):
            for modality in range(2):
                used = batch.query_views[..., modality]
                shares = [used[labels == label].mean() for label in range(3)]
                assert np.ptp(shares) < 0.05
        # Nor do the views of the support, or of another query clip of the class.
        support = batch.support_views[:, :, None, 0].repeat(2, axis=2)
        for other in (support, batch.query_views[:, :, ::-1, 0]):
            correlation = np.corrcoef(other.ravel(), batch.query_views[..., 0].ravel())[0, 1]
            assert abs(correlation) < 0.05

    def test_views_differ_between_the_emotions_of_an_episode(self):
        views = make_sampler(np.repeat([0, 1], 8), view_dropout=0.5, n_way=2, n_episodes=500)
        views = views.draw().support_views
        assert (views[:, 0] != views[:, 1]).any(-1).mean() > 0.3

    @pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
    def test_share_of_episodes_with_unknown_emotions(self, share):
        batch = make_sampler(np.repeat([0, 1, 2], 6), unknown_share=share, n_episodes=4000).draw()
        any_unknown = batch.unknown.any(1)
        np.testing.assert_allclose(any_unknown.mean(), share * (1 - 0.5**3), atol=0.03)
        np.testing.assert_allclose(batch.unknown.mean(), share / 2, atol=0.03)


class TestMessages:
    @pytest.mark.parametrize(
        ("codes", "groups", "message"),
        [
            (
                [0, 1, 2, 2],
                None,
                "An episode needs 2 clips (1 support, 1 query) of each of 2 classes, but there are "
                "not that many: the largest count is 2 clip(s) of one class. Give more clips, or "
                "leave out `groups` if they split the clips too finely.",
            ),
            (
                [0, 0, 1, 1, 0, 1],
                [0, 0, 1, 1, 2, 2],
                "An episode needs 2 clips (1 support, 1 query) of each of 2 classes, but no person "
                "has that many: the largest count is 2 clip(s) of one class. Give more clips, or "
                "leave out `groups` if they split the clips too finely.",
            ),
            ([0, 1], [0, 1], "the largest count is 1 clip(s) of one class."),
        ],
    )
    def test_no_episode_is_possible(self, codes, groups, message):
        with pytest.raises(ValueError, match=re.escape(message)):
            make_sampler(codes, groups)

    def test_people_and_classes_without_an_episode(self):
        # Person 5 has one class only; class 2 has one clip of each person.
        codes = np.array([0, 0, 1, 1, 2, 0, 0, 2])
        groups = np.array([3, 3, 3, 3, 3, 5, 5, 5])
        with pytest.warns(UserWarning) as caught:
            sampler = make_sampler(codes, groups)
        assert [str(warning.message) for warning in caught] == [
            "1 of 2 people have no 2 clips of 2 classes: they are part of the population, but no "
            "episodes are drawn from them.",
            "1 of 3 classes have no 2 clips of one person: the population knows them, but no "
            "episodes are drawn from them.",
        ]
        batch = sampler.draw()
        assert set(batch.people) == {3}
        assert set(batch.ways.ravel()) <= {0, 1, -1}

    @laws
    @given(layouts())
    def test_warns_exactly_where_something_is_left_out(self, layout):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            make_sampler(layout.codes, layout.groups, among=layout.among, **layout.settings)
        messages = " ".join(str(warning.message) for warning in caught)
        people = len(set(layout.people[layout.rows])) - len(layout.usable)
        classes = set(layout.codes[layout.rows]) - set.union(*layout.usable.values())
        assert (f"{people} of " in messages and "people have" in messages) == (people > 0)
        assert ("classes have" in messages) == bool(classes)
        assert len(caught) == (people > 0) + bool(classes)
