"""The loss of episodes, against NumPy, with padding and ways that are not there."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.training.loss import EpisodeAnswers, EpisodeLoss

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_answers(n_shots=2, n_episodes=3, n_queries=5, n_way=4, *, seed=0):
    """Answers in which episode i lacks some of the last ways, and a third of the queries."""
    source = generator(seed)
    logits = 3 * torch.randn(n_shots, n_episodes, n_queries, n_way, generator=source).double()
    n_there = torch.randint(2, n_way + 1, (n_episodes,), generator=source)
    absent = torch.arange(n_way) >= n_there[:, None]
    logits = logits.masked_fill(absent[:, None], -torch.inf)
    targets = torch.randint(1000, (n_episodes, n_queries), generator=source) % n_there[:, None]
    padding = torch.rand(targets.shape, generator=source) < 0.3
    padding[0, 0] = False
    return EpisodeAnswers(
        logits.requires_grad_(True),
        targets.masked_fill(padding, -1),
        learned=torch.randn(12, 6, generator=source).double(),
        codes=torch.arange(12) % 4,
    )


def loop_figures(answers):
    """Cross-entropy and accuracy, query by query."""
    losses, right = [], []
    for at in np.ndindex(answers.logits.shape[:-1]):
        target = answers.targets[at[1:]].item()
        if target < 0:
            continue
        logits = answers.logits[at].detach().numpy()
        losses.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target])
        right.append(logits.argmax() == target)
    return np.mean(losses), np.mean(right)


class TestEpisodeAnswers:
    @laws
    @given(
        st.integers(1, 3), st.integers(1, 4), st.integers(1, 6), st.integers(2, 5), st.integers(0)
    )
    def test_equals_a_loop(self, n_shots, n_episodes, n_queries, n_way, seed):
        answers = make_answers(n_shots, n_episodes, n_queries, n_way, seed=seed % 2**32)
        loss, accuracy = loop_figures(answers)
        np.testing.assert_allclose(answers.cross_entropy().item(), loss, rtol=1e-10)
        np.testing.assert_allclose(answers.accuracy().item(), accuracy, rtol=1e-6)

    def test_gradient_is_finite_and_0_for_padding_and_absent_ways(self):
        answers = make_answers()
        answers.cross_entropy().backward()
        gradient = answers.logits.grad
        assert gradient.isfinite().all()
        assert (gradient[:, answers.targets < 0] == 0).all()
        assert (gradient[answers.logits.isinf()] == 0).all()
        assert (gradient[:, answers.targets >= 0] != 0).any(-1).all()

    def test_by_hand(self):
        logits = torch.tensor([[[[0.0, 0.0], [5.0, -torch.inf], [1.0, 2.0]]]])
        answers = make_answers()._replace(logits=logits, targets=torch.tensor([[0, 0, -1]]))
        torch.testing.assert_close(answers.cross_entropy().item(), np.log(2.0) / 2)
        assert answers.accuracy() == 1.0


class TestEpisodeLoss:
    def make(self, seed=0):
        return EpisodeLoss(6, 4, generator=generator(seed)).double()

    def test_is_the_sum_of_two_parts(self):
        answers, loss = make_answers(), self.make()
        # The head's part is what is left when the other is known ...
        rest = loss(answers) - answers.cross_entropy()
        scores = (answers.learned @ loss.head.weight.T + loss.head.bias).detach().numpy()
        log_shares = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        own = -log_shares[np.arange(12), answers.codes].mean()
        uniform = -log_shares.mean()
        # ... a cross-entropy with targets smoothed towards the uniform distribution.
        smoothing = (rest.item() - own) / (uniform - own)
        assert 0 <= smoothing < 0.5
        doubled = answers._replace(learned=2 * answers.learned)
        more = loss(doubled) - answers.cross_entropy()
        scores = (doubled.learned @ loss.head.weight.T + loss.head.bias).detach().numpy()
        log_shares = scores - np.log(np.exp(scores).sum(1, keepdims=True))
        own, uniform = -log_shares[np.arange(12), answers.codes].mean(), -log_shares.mean()
        np.testing.assert_allclose(more.item(), (1 - smoothing) * own + smoothing * uniform)

    def test_of_validation_is_that_of_the_episodes_alone(self):
        answers = make_answers()
        assert EpisodeLoss.of_validation(answers) == answers.cross_entropy()
        assert self.make().of_validation(answers) == answers.cross_entropy()

    def test_every_part_has_a_gradient(self):
        answers, loss = make_answers(), self.make()
        leaves = [answers.logits, answers.learned.requires_grad_(True)]
        loss(answers).backward()
        for leaf in (*leaves, loss.head.weight, loss.head.bias):
            assert (leaf.grad != 0).any()

    @pytest.mark.parametrize("embedding_dim", [4, 100])
    def test_the_head_starts_with_scores_of_the_size_of_one(self, embedding_dim):
        loss = EpisodeLoss(embedding_dim, 200, generator=generator())
        assert (loss.head.weight.abs() <= 1).all()
        assert loss.head.weight.abs().max() > 0.95
        assert (loss.head.bias == 0).all()

    def test_only_the_generator_decides(self):
        before = torch.get_rng_state()
        first, again, other = (self.make(seed).head.weight for seed in (1, 1, 2))
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
