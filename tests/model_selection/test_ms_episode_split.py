"""EpisodeSplit: its protocol, its laws, its messages."""

import pickle

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from stf2m_sk.model_selection import EpisodeSplit, FewShotProtocol


def split_of(n_episodes=100, shots=1, **drawn):
    return EpisodeSplit(FewShotProtocol(shots=shots, **drawn), n_episodes=n_episodes)


def recording(n_people=3, n_classes=4, n_clips=8, n_contexts=4):
    """Every person has n_clips of every class, evenly over the contexts."""
    people = np.repeat([f"P{i}" for i in range(n_people)], n_classes * n_clips)
    labels = np.tile(np.repeat([f"e{i}" for i in range(n_classes)], n_clips), n_people)
    contexts = np.tile(np.arange(n_clips) % n_contexts, n_people * n_classes)
    return labels, people, contexts


@st.composite
def requests(draw):
    return {
        "ways": draw(st.sampled_from([None, 2, 3])),
        "shots": draw(st.integers(1, 2)),
        "queries": draw(st.sampled_from([None, 1, 2])),
        "n_episodes": draw(st.integers(1, 8)),
        "random_state": draw(st.integers(0, 1000)),
    }


class TestLaws:
    @given(requests(), st.booleans())
    @settings(max_examples=50, deadline=None)
    def test_an_episode_is_as_requested(self, request, with_contexts):
        labels, people, contexts = recording()
        splitter = split_of(**request)
        contexts = contexts if with_contexts else None
        episodes = splitter.episodes(None, labels, people, contexts=contexts)
        assert len(episodes) == request["n_episodes"] == splitter.get_n_splits()
        for one in episodes:
            assert not set(one.support) & set(one.query)
            assert set(people[one.support]) == set(people[one.query]) == {one.person}
            found, counts = np.unique(labels[one.support], return_counts=True)
            np.testing.assert_array_equal(found, one.ways)
            np.testing.assert_array_equal(np.unique(labels[one.query]), one.ways)
            assert len(one.ways) == (request["ways"] or 4)
            assert set(counts) == {request["shots"]}
            if request["queries"]:
                assert len(one.query) == request["queries"] * len(one.ways)
            if with_contexts:
                assert not set(contexts[one.support]) & set(contexts[one.query])
            else:
                for way in one.ways:
                    own = labels == way
                    last = one.support[own[one.support]].max()
                    assert one.query[own[one.query]].min() - last >= 2

    @given(st.integers(0, 1000))
    @settings(max_examples=10, deadline=None)
    def test_seed_decides(self, seed):
        labels, people, _ = recording()
        pairs = [
            list(split_of(n_episodes=4, random_state=seed).split(None, labels, people))
            for _ in range(2)
        ]
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_array_equal(one[0], other[0])
            np.testing.assert_array_equal(one[1], other[1])

    def test_other_seeds_draw_others(self):
        labels, people, _ = recording()
        drawn = {
            tuple(split_of(random_state=seed).episodes(None, labels, people)[0].support)
            for seed in range(5)
        }
        assert len(drawn) > 1

    def test_people_take_turns(self):
        labels, people, _ = recording()
        episodes = split_of(n_episodes=6, random_state=0).episodes(None, labels, people)
        assert sorted(one.person for one in episodes[:3]) == ["P0", "P1", "P2"]
        assert [one.person for one in episodes[:3]] == [one.person for one in episodes[3:]]
        assert [one.draw for one in episodes] == list(range(6))

    def test_without_groups_all_clips_are_one_persons(self):
        labels, people, contexts = recording()
        (one,) = split_of(n_episodes=1, random_state=0).episodes(None, labels, contexts=contexts)
        assert one.person is None
        assert len(set(people[one.query])) == 3

    def test_global_generator_is_left_as_found(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        labels, people, _ = recording()
        split_of(n_episodes=2).episodes(None, labels, people)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class TestProtocol:
    def test_repr_and_pickle(self):
        splitter = split_of(ways=3, n_episodes=2, random_state=0)
        assert "ways=3" in repr(splitter)
        again = pickle.loads(pickle.dumps(splitter))
        labels, people, _ = recording()
        for one, other in zip(
            splitter.split(None, labels, people), again.split(None, labels, people), strict=True
        ):
            np.testing.assert_array_equal(one[0], other[0])

    def test_inside_cross_val_score(self):
        labels, people, _ = recording()
        X = (labels == np.array(["e0", "e1", "e2", "e3"])[:, None]).T.astype(float)
        splitter = split_of(n_episodes=5, random_state=0)
        scores = cross_val_score(LogisticRegression(), X, labels, groups=people, cv=splitter)
        np.testing.assert_array_equal(scores, np.ones(5))

    def test_contexts_arrive_by_routing(self):
        labels, people, contexts = recording()
        X = np.zeros((len(labels), 1))
        seen = []

        class Seeing(EpisodeSplit):
            def split(self, X, y, groups=None, *, contexts=None, times=None):
                seen.append((groups, contexts, times))
                yield from super().split(X, y, groups, contexts=contexts, times=times)

        with sklearn.config_context(enable_metadata_routing=True):
            cross_val_score(
                LogisticRegression(),
                X,
                labels,
                cv=Seeing(FewShotProtocol(shots=1, random_state=0), n_episodes=2),
                params={"groups": people, "contexts": contexts},
            )
        assert seen[0][0] is not None
        assert seen[0][1] is not None
        assert seen[0][2] is None


class TestTooFew:
    def test_message_names_person_class_and_counts(self):
        labels, people, contexts = recording()
        drop = (people == "P1") & (labels == "e2") & (contexts > 0)
        labels, people, contexts = labels[~drop], people[~drop], contexts[~drop]
        message = (
            r"too few clips of person 'P1': 3 of 4 classes have enough for an episode of 4 classes "
            r"with 2 support and 1 query clip\(s\) each, cut by context: class 'e2' has \d clip"
            r".*on_few='shrink'"
        )
        with pytest.raises(ValueError, match=message):
            list(split_of(shots=2, random_state=0).split(None, labels, people, contexts=contexts))

    def test_message_in_time(self):
        with pytest.raises(ValueError, match=r"all clips .no groups given.*in time with gap=1"):
            split_of(shots=3).episodes(None, [0, 0, 0, 1, 1, 1])

    def test_a_short_class_does_not_matter_where_others_suffice(self):
        labels, people, _ = recording()
        labels = np.where((labels == "e2") & (np.arange(len(labels)) % 8 > 0), "e1", labels)
        for one in split_of(ways=3, random_state=0).episodes(None, labels, people):
            assert "e2" not in one.ways

    def test_shrink_gives_what_there_is(self):
        labels = np.array(["a"] * 9 + ["b"] * 5 + ["c"] * 2)
        (one,) = split_of(
            shots=3, queries=3, n_episodes=1, on_few="shrink", random_state=0
        ).episodes(None, labels)
        assert one.ways.tolist() == ["a", "b"]  # c has no clip on its query side
        assert np.unique(labels[one.support], return_counts=True)[1].tolist() == [3, 2]
        assert np.unique(labels[one.query], return_counts=True)[1].tolist() == [3, 2]

    def test_shrink_passes_people_over(self):
        labels, people, _ = recording()
        labels = np.where(people == "P0", "e0", labels)
        episodes = split_of(n_episodes=5, on_few="shrink", random_state=0).episodes(
            None, labels, people
        )
        assert len(episodes) == 5
        assert {one.person for one in episodes} == {"P1", "P2"}

    def test_shrink_with_nobody(self):
        with pytest.raises(ValueError, match="no episode can be drawn: nobody has two classes"):
            split_of(on_few="shrink").episodes(None, [0, 1, 1])

    def test_contexts_are_dealt_again_while_a_class_is_short(self):
        # Of three contexts one is support: only the first has both classes.
        labels, contexts = np.array(["a", "b", "a", "b"]), np.array([0, 0, 1, 2])
        for seed in range(20):
            (one,) = split_of(n_episodes=1, random_state=seed).episodes(
                None, labels, contexts=contexts
            )
            assert one.support.tolist() == [0, 1]

    @pytest.mark.parametrize("shots", [0, (1, 2)])
    def test_one_number_of_shots(self, shots):
        with pytest.raises(ValueError, match="EpisodeSplit takes one number of at least 1"):
            split_of(shots=shots)

    def test_number_of_episodes(self):
        with pytest.raises(ValueError, match="n_episodes=0; it must be a whole number"):
            split_of(n_episodes=0)
