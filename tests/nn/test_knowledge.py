"""What is kept of a population, against sums clip by clip."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn import knowledge as knowledge_file
from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge

laws = settings(deadline=None, max_examples=25)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def one_hot(codes, n_classes):
    return torch.nn.functional.one_hot(torch.as_tensor(codes), n_classes).double()


def random_population(n_clips, dim, n_classes, *, seed=0):
    source = generator(seed)
    embeddings = torch.randn(n_clips, dim, generator=source).double()
    return embeddings, torch.randint(n_classes, (n_clips,), generator=source)


def loop_knowledge(embeddings, codes, counts, n_classes, people, n_people):
    """Sum a population up clip by clip; `counts` says which clips count."""
    dim = embeddings.shape[1]
    present = [c for c in range(n_classes) if any((codes == c) & counts)]
    n_clips = counts.sum()
    precision, evidence = np.zeros((dim + 1, dim + 1)), np.zeros((dim + 1, n_classes))
    prototypes = np.zeros((n_classes, dim))
    for z, code in zip(embeddings[counts], codes[counts], strict=True):
        size = ((codes == code) & counts).sum()
        weight = n_clips / (len(present) * size)
        z1 = np.append(z, 1.0)
        precision += weight * np.outer(z1, z1)
        for c in range(n_classes):
            evidence[:, c] += weight * z1 * (1.0 if c == code else -1.0)
        prototypes[code] += z / size
    known = np.isin(np.arange(n_classes), present).astype(float)
    contrasts = np.zeros((dim + 1, n_classes))
    for c in present:
        apart = prototypes[c] - np.mean([prototypes[k] for k in present], axis=0)
        contrasts[:dim, c] = np.sqrt(n_clips / len(present)) * apart
    shifts = np.zeros((dim + 1, n_people))
    for person in range(n_people):
        own = np.flatnonzero(counts & (people == person))
        sizes = np.array([((codes == codes[i]) & counts).sum() for i in own])
        weights = n_clips / (len(present) * sizes) if len(own) else np.zeros(0)
        for i, weight in zip(own, weights, strict=True):
            moved = embeddings[i] - prototypes[codes[i]]
            shifts[:dim, person] += weight * moved / np.sqrt(weights.sum())
    return MetaKnowledge(precision, evidence, prototypes, known, n_clips, contrasts, shifts)


class TestGatherKnowledge:
    @laws
    @given(st.integers(0, 20), st.integers(1, 4), st.integers(0, 10**6), st.floats(0, 1))
    def test_equals_a_loop(self, n_clips, n_classes, seed, share):
        embeddings, codes = random_population(n_clips, 3, n_classes, seed=seed)
        counts = torch.rand(n_clips, generator=generator(seed)) < share
        people = torch.randint(5, (n_clips,), generator=generator(seed + 1))
        given = one_hot(codes, n_classes), counts, one_hot(people, 5)
        knowledge = gather_knowledge(embeddings, *given)
        expected = loop_knowledge(
            embeddings.numpy(), codes.numpy(), counts.numpy(), n_classes, people.numpy(), 5
        )
        for part, expected_part in zip(knowledge, expected, strict=True):
            np.testing.assert_allclose(part.numpy(), expected_part, rtol=1e-9, atol=1e-9)

    def test_leading_dimensions_of_the_weights_are_episodes(self):
        embeddings, codes = random_population(12, 3, 3)
        weights = (torch.rand(2, 5, 12, generator=generator()) < 0.6).double()
        together = gather_knowledge(embeddings, one_hot(codes, 3), weights)
        for at in np.ndindex(2, 5):
            alone = gather_knowledge(embeddings, one_hot(codes, 3), weights[at])
            for part, expected in zip(together, alone, strict=True):
                torch.testing.assert_close(part[at], expected, rtol=1e-9, atol=1e-9)

    def test_classes_count_alike_and_weights_sum_to_the_number_of_clips(self):
        # Class 1 has ten clips at one point, class 0 a single clip at another.
        embeddings = torch.cat([torch.full((1, 2), -3.0), torch.full((10, 2), 5.0)]).double()
        membership = one_hot([0] + [1] * 10, 2)
        knowledge = gather_knowledge(embeddings, membership, torch.ones(11))
        torch.testing.assert_close(knowledge.precision[-1, -1].item(), 11.0)
        torch.testing.assert_close(knowledge.precision[0, -1].item(), 11 * (-3.0 + 5.0) / 2)
        torch.testing.assert_close(knowledge.evidence[-1].tolist(), [0.0, 0.0])

    @laws
    @given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 10**6), st.floats(0.3, 1))
    def test_without_contrasts_classes_are_moved_together(self, n_clips, n_classes, seed, share):
        embeddings, codes = random_population(n_clips, 3, n_classes, seed=seed)
        counts = torch.rand(n_clips, generator=generator(seed)) < share
        knowledge = gather_knowledge(embeddings, one_hot(codes, n_classes), counts)
        prototypes = knowledge.prototypes
        mean = prototypes[knowledge.known > 0].mean(0) if counts.any() else 0.0
        moved = embeddings - prototypes[codes] + mean
        expected = gather_knowledge(moved, one_hot(codes, n_classes), counts)
        within = knowledge.precision - knowledge.contrasts @ knowledge.contrasts.mT
        torch.testing.assert_close(within, expected.precision, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(expected.contrasts, 0 * knowledge.contrasts)

    @laws
    @given(st.integers(1, 20), st.integers(1, 4), st.integers(0, 10**6), st.floats(0.3, 1))
    def test_what_is_left_without_all_differences_is_a_precision(
        self, n_clips, n_classes, seed, share
    ):
        embeddings, codes = random_population(n_clips, 3, n_classes, seed=seed)
        counts = torch.rand(n_clips, generator=generator(seed)) < share
        people = one_hot(torch.randint(3, (n_clips,), generator=generator(seed + 1)), 3)
        knowledge = gather_knowledge(embeddings, one_hot(codes, n_classes), counts, people)
        differences = torch.cat([knowledge.contrasts, knowledge.shifts], dim=1)
        left = knowledge.precision - differences @ differences.mT
        smallest = torch.linalg.eigvalsh(left).min()
        assert smallest >= -1e-10 * knowledge.precision.norm()

    def test_people_who_are_shifted_are_moved_together(self):
        # Each person has each class twice: shifts are then means, and moving clips back by them
        # takes out of the precision just what the shifts put in.
        embeddings, _ = random_population(24, 3, 2)
        codes, person = torch.arange(24) % 2, torch.arange(24) // 2 % 3
        given = one_hot(codes, 2), torch.ones(24).double(), one_hot(person, 3)
        knowledge = gather_knowledge(embeddings, *given)
        shifts = knowledge.shifts[:-1] / 8**0.5
        moved = gather_knowledge(embeddings - shifts.mT[person], *given)
        torch.testing.assert_close(
            knowledge.precision - knowledge.shifts @ knowledge.shifts.mT, moved.precision
        )
        torch.testing.assert_close(moved.shifts, 0 * moved.shifts, rtol=0, atol=1e-9)

    def test_of_many_people_the_strongest_differences_are_kept(self):
        embeddings, codes = random_population(200, 50, 2)
        embeddings[:100, 0] += 9.0
        given = one_hot(codes, 2), torch.ones(200).double(), torch.eye(200).double()
        shifts = gather_knowledge(embeddings, *given).shifts
        assert shifts.shape == (51, knowledge_file._MOST_SHIFTS)
        moved = (
            embeddings - (one_hot(codes, 2) / one_hot(codes, 2).sum(0)).mT.matmul(embeddings)[codes]
        )
        weight = (200 / 2 / one_hot(codes, 2).sum(0))[codes]
        left, size, _ = np.linalg.svd((moved * weight.sqrt()[:, None]).mT.numpy())
        left, size = left[:, :32], size[:32]
        expected = left * size**2 @ left.T
        np.testing.assert_allclose((shifts @ shifts.mT)[:-1, :-1], expected, atol=1e-8)

    def test_gradient(self):
        embeddings, codes = random_population(5, 2, 2)

        def summed(z):
            knowledge = gather_knowledge(z, one_hot(codes, 2), torch.ones(5).double())
            return *knowledge[:3], knowledge.contrasts

        assert torch.autograd.gradcheck(summed, embeddings.requires_grad_(True))
