"""Who is new against hand-worked cases, and the episodes against a plain loop."""

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

from stf2m_sk.demo.peers import UNLABELLED, Peer
from stf2m_sk.demo.protocol import SHOTS, split_people
from stf2m_sk.demo.recording import Recording
from stf2m_sk.demo.run import compare
from stf2m_sk.model_selection import MajorityControl
from stf2m_sk.views import Views


def recording(n_people, clips_per_label, labels=("calm", "joy", "fear"), seed=0):
    """Labels and people in an order in which both are mixed."""
    generator = np.random.default_rng(seed)
    groups = np.repeat([f"P{i:02d}" for i in range(n_people)], clips_per_label * len(labels))
    target = np.tile(np.repeat(labels, clips_per_label), n_people)
    order = generator.permutation(len(groups))
    return target[order], groups[order]


def episodes_of(target, groups, split, *, seed=0):
    """The rows of the majority, which has the episodes of all others."""
    views = Views({"hr": np.ones((len(target), 1, 1))})
    own = Recording("planted", views, target, groups, "clip", "")
    names = ("majority", UNLABELLED)
    peers = [Peer(name, "", MajorityControl()) for name in names]
    return compare(peers, own, split, seed=seed).rows.query(
        "estimator == 'majority' and metric == 'balanced_accuracy'"
    )


class TestSplitPeople:
    def test_a_quarter_is_new_and_nobody_is_on_both_sides(self):
        target, groups = recording(20, 6)
        split = split_people(target, groups, seed=0)
        assert len(split.new_people) == 5
        assert len(split.skipped) == 0
        is_new = np.isin(groups, split.new_people)
        np.testing.assert_array_equal(split.train, np.flatnonzero(~is_new))
        np.testing.assert_array_equal(split.test, np.flatnonzero(is_new))

    @pytest.mark.parametrize(("n_people", "n_new"), [(4, 2), (5, 2), (8, 2), (12, 3), (24, 6)])
    def test_number_of_new_people(self, n_people, n_new):
        assert len(split_people(*recording(n_people, 3), seed=0).new_people) == n_new

    def test_seed_decides(self):
        target, groups = recording(20, 9)
        new, again, other = (
            split_people(target, groups, seed=seed).new_people.tolist() for seed in (0, 0, 1)
        )
        assert new == again != other

    def test_who_cannot_be_used_is_skipped_on_both_sides(self):
        target, groups = recording(6, 4)
        target[(groups == "P02") & (target != "joy")] = "joy"
        split = split_people(target, groups, seed=0)
        assert split.skipped.tolist() == ["P02"]
        assert "P02" not in groups[np.r_[split.train, split.test]]

    def test_too_few_people(self):
        target, groups = recording(5, 4)
        target[np.isin(groups, ["P01", "P03"])] = "joy"
        message = (
            "too few people: 3 of 5 have at least 3 clips of each of 2 labels, but the demo "
            "needs 4: 2 to train on and 2 new"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            split_people(target, groups, seed=0)

    def test_global_generator_is_left_as_found(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        split_people(*recording(6, 4), seed=0)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class TestEpisodes:
    def test_against_a_plain_loop(self):
        target, groups = recording(8, 9)
        split = split_people(target, groups, seed=3)
        rows = episodes_of(target, groups, split, seed=3)
        for person in split.new_people:
            support_side, query_side = {}, []
            for label in set(target.tolist()):
                own = [i for i in range(len(target)) if (groups[i], target[i]) == (person, label)]
                support_side[label] = set(own[:4])
                query_side += own[5:]  # one clip is dropped between the sides
            episodes = rows[rows["person"] == person]
            assert episodes["shots"].tolist() == 4 * list(SHOTS)
            for episode in episodes.to_dict("records"):
                assert sorted(episode["query"].tolist()) == sorted(query_side)
                drawn = episode["support"].tolist()
                assert len(drawn) == len(set(drawn)) == 3 * episode["shots"]
                for side in support_side.values():
                    assert len(side & set(drawn)) == episode["shots"]

    def test_a_class_with_fewer_clips_gives_all_it_has(self):
        target, groups = recording(4, 5)
        rows = episodes_of(target, groups, split_people(target, groups, seed=0))
        assert set(rows[rows["shots"] == 4]["support"].map(len)) == {6}

    def test_only_one_row_is_given_unlabelled_clips(self):
        class Takes(GaussianNB):
            def adapt(self, X=None, y=None, *, unlabelled=None, classes=None):
                return self if X is None else GaussianNB().fit(X, y)

        target, groups = recording(4, 6)
        own = Recording("planted", np.arange(72.0)[:, None], target, groups, "clip", "")
        peers = [Peer(name, "", Takes()) for name in ("plain", UNLABELLED)]
        rows = compare(peers, own, split_people(target, groups, seed=0), seed=0).rows
        given = rows.groupby("estimator")["n_unlabelled"].unique()
        assert (given["plain"], given[UNLABELLED]) == ([0], [9])
