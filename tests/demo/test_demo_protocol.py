"""The protocol against hand-worked cases, laws and a plain loop."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from stf2m_sk.demo.protocol import SHOTS, balanced_accuracy, class_sides, make_plan


def recording(n_people, clips_per_label, labels=("calm", "joy", "fear"), seed=0):
    """Labels and people in an order in which both are mixed."""
    generator = np.random.default_rng(seed)
    groups = np.repeat([f"P{i:02d}" for i in range(n_people)], clips_per_label * len(labels))
    target = np.tile(np.repeat(labels, clips_per_label), n_people)
    order = generator.permutation(len(groups))
    return target[order], groups[order]


class TestClassSides:
    @pytest.mark.parametrize(
        ("n_clips", "support", "query"),
        [
            (3, [0], [2]),
            (4, [0, 1], [3]),
            (5, [0, 1], [3, 4]),
            (8, [0, 1, 2, 3], [5, 6, 7]),
        ],
    )
    def test_first_half_one_dropped_rest(self, n_clips, support, query):
        sides = class_sides(np.array(["joy"] * n_clips), np.arange(n_clips))
        assert [side.tolist() for side in sides["joy"]] == [support, query]

    def test_each_class_is_cut_by_itself(self):
        target = np.array(["a", "b", "a", "b", "a", "b", "a", "c"])
        sides = class_sides(target, np.arange(8))
        assert {label: [side.tolist() for side in pair] for label, pair in sides.items()} == {
            "a": [[0, 2], [6]],
            "b": [[1], [5]],
        }

    def test_rows_are_those_of_the_person(self):
        target = np.array(["a"] * 10)
        support, query = class_sides(target, np.array([1, 4, 6, 9]))["a"]
        assert (support.tolist(), query.tolist()) == ([1, 4], [9])

    @given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
    def test_exactly_one_clip_lies_between_the_sides(self, labels):
        target = np.array(labels)
        sides = class_sides(target, np.arange(len(target)))
        for label in np.unique(target):
            of_class = np.flatnonzero(target == label)
            if len(of_class) < 3:
                assert label not in sides
                continue
            support, query = sides[label]
            assert support.max() < query.min()
            dropped = np.setdiff1d(of_class, np.concatenate([support, query]))
            assert len(dropped) == 1
            assert support.max() < dropped[0] < query.min()


class TestMakePlan:
    def test_a_quarter_is_new_and_nobody_is_on_both_sides(self):
        target, groups = recording(20, 6)
        plan = make_plan(target, groups, seed=0)
        assert len(plan.new_people) == 5
        assert len(plan.skipped) == 0
        np.testing.assert_array_equal(plan.train, np.flatnonzero(~np.isin(groups, plan.new_people)))

    @pytest.mark.parametrize(("n_people", "n_new"), [(4, 2), (8, 2), (12, 3), (24, 6)])
    def test_number_of_new_people(self, n_people, n_new):
        assert len(make_plan(*recording(n_people, 3), seed=0).new_people) == n_new

    def test_episodes_against_a_plain_loop(self):
        target, groups = recording(8, 9)
        plan = make_plan(target, groups, seed=3)
        for person in plan.new_people:
            support_side, query_side = {}, []
            for label in set(target.tolist()):
                rows = [i for i in range(len(target)) if (groups[i], target[i]) == (person, label)]
                support_side[label] = set(rows[:4])
                query_side += rows[5:]
            episodes = [e for e in plan.episodes if e.person == person]
            assert [e.shots for e in episodes] == [0] + 4 * [1, 2, 4]
            for episode in episodes:
                assert episode.query.tolist() == sorted(query_side)
                drawn = episode.support.tolist()
                assert len(drawn) == len(set(drawn)) == 3 * episode.shots
                for side in support_side.values():
                    assert len(side & set(drawn)) == episode.shots

    def test_more_shots_add_to_fewer(self):
        plan = make_plan(*recording(8, 9), seed=1)
        for one, two, four in zip(
            *([e for e in plan.episodes if e.shots == k] for k in SHOTS[1:]), strict=True
        ):
            assert set(one.support) < set(two.support) < set(four.support)

    def test_draws_differ(self):
        plan = make_plan(*recording(4, 20), seed=1)
        drawn = {tuple(e.support) for e in plan.episodes if e.shots == 4}
        assert len(drawn) == 8

    def test_a_class_with_fewer_clips_gives_all_it_has(self):
        plan = make_plan(*recording(4, 5), seed=0)
        assert {len(e.support) for e in plan.episodes if e.shots == 4} == {6}

    def test_seed_decides(self):
        target, groups = recording(20, 9)
        plan, again, other = (make_plan(target, groups, seed=seed) for seed in (0, 0, 1))
        assert plan.new_people.tolist() == again.new_people.tolist()
        assert plan.new_people.tolist() != other.new_people.tolist()
        for episode, same in zip(plan.episodes, again.episodes, strict=True):
            np.testing.assert_array_equal(episode.support, same.support)

    def test_who_cannot_be_used_is_skipped_on_both_sides(self):
        target, groups = recording(6, 4)
        target[(groups == "P02") & (target != "joy")] = "joy"
        plan = make_plan(target, groups, seed=0)
        assert plan.skipped.tolist() == ["P02"]
        assert "P02" not in plan.new_people
        assert "P02" not in groups[plan.train]

    def test_too_few_people(self):
        target, groups = recording(5, 4)
        target[np.isin(groups, ["P01", "P03"])] = "joy"
        message = (
            "too few people: 3 of 5 have at least 3 clips of each of 2 labels, but the demo "
            "needs 4: 2 to train on and 2 new"
        )
        with pytest.raises(ValueError, match=f"^{message}$"):
            make_plan(target, groups, seed=0)

    def test_global_generator_is_left_as_found(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        make_plan(*recording(6, 4), seed=0)
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class TestBalancedAccuracy:
    @pytest.mark.filterwarnings("ignore:A single label was found")
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
    def test_is_scikit_learns_where_answers_are_among_the_labels(self, pairs):
        true, answered = np.array(pairs).T
        answered = np.where(np.isin(answered, true), answered, true[0])
        expected = balanced_accuracy_score(true, answered)
        assert balanced_accuracy(true, answered) == pytest.approx(expected, abs=1e-12)

    def test_an_answer_that_no_clip_has_is_wrong(self):
        true = np.array(["a", "a", "b", "b"])
        assert balanced_accuracy(true, np.array(["a", "z", "b", "b"])) == 0.75
