"""Episodes as tensors, the population that each may know, and the answers: against loops."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.clips import Clips
from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge
from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner
from stf2m_sk.training.answers import SHOTS, EpisodeTensors, answer_episodes, population_of
from stf2m_sk.training.clips import TrainingClips
from stf2m_sk.training.episodes import EpisodeSampler

laws = settings(deadline=None, max_examples=25)

DIM = 4


def make_dataset(codes, groups):
    nothing = Clips((), (), torch.ones(len(codes), 2), torch.zeros(len(codes), 2, 1))
    return TrainingClips(nothing, codes, groups, int(codes.max()) + 1)


class Case:
    """A batch of episodes; people lack some classes, so that there is padding."""

    def __init__(self, *, with_people, seed, unknown_share=0.5):
        source = np.random.default_rng(seed)
        self.groups = np.repeat(np.arange(3), 14) if with_people else None
        # Person 1 has three of the five classes only; those of person 2 have one to six clips.
        of_people = [np.arange(14) % 5, np.arange(14) % 3, np.repeat([4, 0, 1, 2], [6, 1, 2, 5])]
        self.codes = np.concatenate(of_people)
        self.dataset = make_dataset(self.codes, self.groups)
        self.batch = EpisodeSampler(
            self.codes,
            self.groups,
            n_modalities=2,
            n_way=4,
            n_support=3,
            n_query=2,
            n_episodes=5,
            view_dropout=0.5,
            unknown_share=unknown_share,
            generator=source,
        ).draw()
        self.tensors = EpisodeTensors.of(self.batch, "cpu")
        self.embeddings = torch.from_numpy(source.normal(size=(42, DIM)).astype(np.float32))

    def population(self, rows=None):
        rows = torch.arange(42) if rows is None else rows
        return population_of(self.tensors, self.dataset, rows, self.embeddings[rows])

    def rows_of(self, i):
        """Rows of an episode."""
        rows = np.concatenate([self.batch.support[i].ravel(), self.batch.query[i].ravel()])
        return rows[rows >= 0]

    def may_know(self, i):
        """Whether an episode may know each clip."""
        if self.groups is None:
            allowed = ~np.isin(np.arange(42), self.rows_of(i))
        else:
            allowed = self.groups != self.batch.people[i]
        hidden = self.batch.ways[i][self.batch.unknown[i]]
        return allowed & ~np.isin(self.codes, hidden)


cases = st.builds(
    Case,
    with_people=st.booleans(),
    seed=st.integers(0, 10**6),
    unknown_share=st.sampled_from([0.0, 0.5, 1.0]),
)


class TestEpisodeTensors:
    @laws
    @given(cases)
    def test_rows_and_views_belong_together(self, case):
        batch, rows, views = case.batch, [], []
        for i, slot, k in np.ndindex(batch.support.shape):
            if batch.support[i, slot, k] >= 0:
                rows.append(batch.support[i, slot, k])
                views.append(batch.support_views[i, slot])
        for at in np.ndindex(batch.query.shape):
            if batch.query[at] >= 0:
                rows.append(batch.query[at])
                views.append(batch.query_views[at])
        assert case.tensors.rows.tolist() == rows
        np.testing.assert_array_equal(case.tensors.views.numpy(), views)

    @laws
    @given(cases)
    def test_targets_and_support_name_the_way(self, case):
        batch, tensors = case.batch, case.tensors
        targets = tensors.targets().numpy()
        for i in range(len(targets)):
            for place, row in enumerate(batch.query[i].ravel()):
                target = targets[i, place]
                assert (target == -1) == (row == -1)
                assert row == -1 or batch.ways[i, target] == case.codes[row]
        membership = tensors.support_membership(torch.float64)
        assert membership.dtype == torch.float64
        for i in range(len(targets)):
            for place, row in enumerate(batch.support[i].ravel()):
                slot = membership[place].argmax()
                assert membership[place].sum() == 1
                assert row == -1 or batch.ways[i, slot] == case.codes[row]

    @laws
    @given(cases)
    def test_k_shots_are_the_first_k_clips_of_each_way(self, case):
        weights = case.tensors.support_weights((0, 1, 3), torch.float32)
        assert weights.shape == (3, 5, 4 * 3)
        for shot, k in enumerate((0, 1, 3)):
            for i, slot, rank in np.ndindex(case.batch.support.shape):
                used = rank < k and case.batch.support[i, slot, rank] >= 0
                assert weights[shot, i, slot * 3 + rank] == used

    @laws
    @given(cases)
    def test_unknown_classes(self, case):
        flags = case.tensors.unknown_classes(5)
        for i, c in np.ndindex(5, 5):
            hidden = case.batch.ways[i][case.batch.unknown[i]]
            assert flags[i, c] == (c in hidden)


class TestPopulation:
    @laws
    @given(cases)
    def test_is_everybody_else_of_the_classes_that_it_may_know(self, case):
        population = case.population()
        for i in range(5):
            allowed = case.may_know(i)
            own = gather_knowledge(
                case.embeddings[allowed],
                case.dataset.membership[allowed],
                torch.ones(allowed.sum()),
            )
            there = case.batch.ways[i] >= 0
            ways = torch.from_numpy(case.batch.ways[i][there])
            close = {"rtol": 1e-4, "atol": 1e-4}
            torch.testing.assert_close(population.precision[i], own.precision, **close)
            torch.testing.assert_close(
                population.evidence[i][:, there], own.evidence[:, ways], **close
            )
            torch.testing.assert_close(
                population.prototypes[i][there], own.prototypes[ways], **close
            )
            assert population.known[i][there].tolist() == own.known[ways].tolist()
            assert population.n_clips[i] == allowed.sum()

    @laws
    @given(cases, st.integers(0, 4))
    def test_nothing_leaks_from_the_person_or_from_unknown_emotions(self, case, i):
        before = case.population()
        hidden = torch.from_numpy(~case.may_know(i))
        case.embeddings[hidden] += 100.0
        for part, expected in zip(case.population(), before, strict=True):
            assert torch.equal(part[i], expected[i])
        case.embeddings[~hidden] += 100.0
        assert not torch.equal(case.population().precision[i], before.precision[i])

    @laws
    @given(cases)
    def test_unknown_emotions_are_not_known(self, case):
        known = case.population().known.numpy()
        assert (known[case.batch.unknown & (case.batch.ways >= 0)] == 0).all()

    @laws
    @given(cases, st.randoms(use_true_random=False))
    def test_some_rows_can_stand_for_all(self, case, random):
        rows = torch.tensor(random.sample(range(42), 20))
        population = case.population(rows)
        for i in range(5):
            assert population.n_clips[i] == case.may_know(i)[rows].sum()

    def test_is_differentiable(self):
        case = Case(with_people=True, seed=0, unknown_share=0.0)
        case.embeddings.requires_grad_(True)
        case.population().prototypes.sum().backward()
        used = np.any([case.may_know(i) for i in range(5)], axis=0)
        assert (case.embeddings.grad[used] != 0).any()


def drawn_learner(seed):
    source = torch.Generator().manual_seed(seed)
    learner = MetaRecurrentLearner([1.0], generator=source)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))
        learner.log_scale[1] = 0.0  # it counts shots per way, and padding among the ways too
    return learner


@pytest.mark.parametrize("with_people", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_answers_equal_a_loop_over_shots_and_episodes(with_people, seed):
    case, learner = Case(with_people=with_people, seed=seed), drawn_learner(seed)
    population, embeddings = case.population(), case.embeddings[case.tensors.rows]
    with torch.no_grad():
        logits = answer_episodes(learner, [DIM], case.tensors, embeddings, population)
        assert logits.shape == (len(SHOTS), 5, 4 * 2, 4)
        assert (case.batch.ways < 0).any() or not with_people  # padding is asked about
        for shot, i in np.ndindex(logits.shape[:2]):
            there = case.batch.ways[i] >= 0
            support = [
                (row, slot)
                for slot in np.flatnonzero(there)
                for row in case.batch.support[i, slot, : SHOTS[shot]]
                if row >= 0
            ]
            rows = torch.tensor([row for row, _ in support], dtype=torch.long)
            slots = torch.tensor([slot for _, slot in support], dtype=torch.long)
            own = MetaKnowledge(*(part[i] for part in population))
            own = own._replace(
                evidence=own.evidence[:, there],
                prototypes=own.prototypes[there],
                known=own.known[there],
            )
            classes = learner(
                own,
                learner.ridge([DIM]),
                case.embeddings[rows],
                torch.eye(int(there.sum()))[slots],
                torch.ones(len(rows)),
            )
            for place, row in enumerate(case.batch.query[i].ravel()):
                if row < 0:
                    continue
                answer = logits[shot, i, place]
                expected = classes.logits(case.embeddings[[row]])[0]
                torch.testing.assert_close(answer[there], expected, rtol=2e-3, atol=2e-3)
                assert (answer[~there] == -torch.inf).all()
