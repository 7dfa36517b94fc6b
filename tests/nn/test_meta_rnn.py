"""The meta-recurrent learner, against closed forms and a plain NumPy evaluation in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge
from torch.func import functional_call

from stf2m_sk.nn import meta_rnn
from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge, with_offset
from stf2m_sk.nn.meta_rnn import MetaRecurrentLearner

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_learner(n_blocks=1, *, seed=0):
    """A float64 learner in which every parameter is drawn, none at its start value."""
    learner = MetaRecurrentLearner([1.0] * n_blocks, generator=generator()).double()
    source = generator(seed)
    with torch.no_grad():
        for parameter in learner.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))
    return learner


def exact_learner(n_blocks=1, *, steps=(1.0, 0.0, 0.0), seed=0):
    """A learner without a gate and without a shift: what it does has a closed form."""
    learner = make_learner(n_blocks, seed=seed)
    with torch.no_grad():
        learner.gate.weight.zero_()
        learner.gate.bias.zero_()
        learner.shift_share.zero_()
        learner.step_sizes.copy_(torch.tensor(steps))
    return learner


def one_hot(codes, n_classes):
    return torch.nn.functional.one_hot(torch.as_tensor(codes), n_classes).double()


def random_population(n_clips, dim, n_classes, *, seed=0):
    source = generator(seed)
    embeddings = torch.randn(n_clips, dim, generator=source).double()
    return embeddings, torch.randint(n_classes, (n_clips,), generator=source)


class Problem:
    """A population of 30 clips and a support, with the last class unknown on request."""

    def __init__(self, n_support=5, n_classes=3, dim=4, *, unknown=False, seed=0):
        self.population, self.codes = random_population(30, dim, n_classes, seed=seed)
        if unknown:
            self.codes = self.codes.clamp_max(n_classes - 2)
        self.people = torch.randint(4, (30,), generator=generator(seed + 3))
        self.population += torch.randn(4, dim, generator=generator(seed + 4))[self.people]
        self.knowledge = gather_knowledge(
            self.population,
            one_hot(self.codes, n_classes),
            torch.ones(30).double(),
            one_hot(self.people, 4),
        )
        self.support, self.labels = random_population(n_support, dim, n_classes, seed=seed + 1)
        self.support += 0.5
        self.membership = one_hot(self.labels, n_classes)
        self.weights = torch.ones(n_support).double()
        self.query = random_population(6, dim, n_classes, seed=seed + 2)[0]

    def read(self, learner, **changes):
        """Have a learner with one block, or two of sizes 1 and dim - 1, read the support."""
        inputs = {
            "knowledge": self.knowledge,
            "support": self.support,
            "membership": self.membership,
            "weights": self.weights,
            **changes,
        }
        dim = self.population.shape[1]
        sizes = [dim] if len(learner.log_ridge) == 1 else [1, dim - 1]
        with torch.no_grad():
            return learner(ridge=learner.ridge(sizes), **inputs)


@st.composite
def problems(draw):
    """Problems of all sizes, empty supports among them."""
    return Problem(
        draw(st.integers(0, 6)),
        draw(st.integers(2, 4)),
        draw(st.integers(2, 5)),
        unknown=draw(st.booleans()),
        seed=draw(st.integers(0, 10**6)),
    )


# ---- the references ----


def support_weight(learner, n_clips):
    """The learned weight up to a population of one unit, then in proportion to its size."""
    units = max(1.0, float(n_clips) / meta_rnn._CLIPS_OF_ONE_UNIT)
    return learner.log_support_weight.exp().item() * units


def plain_evidence(learner, knowledge):
    columns = []
    for c, known in enumerate(knowledge.known.numpy()):
        unknown = learner.unknown_evidence.item() * knowledge.precision[:, -1].numpy()
        columns.append(knowledge.evidence[:, c].numpy() if known else unknown)
    return np.stack(columns, axis=1)


def n_comparable(problem):
    return sum(problem.knowledge.known[code].item() for code in problem.labels)


def plain_prior(knowledge, ridge, c, n_clips):
    """P of a class: without what people differ by, as far as so many clips tell this one's shift.

    For an unknown class without what the population's classes differ by either.
    """
    certainty = n_clips / (n_clips + meta_rnn._SHIFT_CLIPS)
    shifts = knowledge.shifts.numpy()
    precision = knowledge.precision.numpy() - certainty * shifts @ shifts.T
    if not knowledge.known[c]:
        precision = precision - knowledge.contrasts.numpy() @ knowledge.contrasts.numpy().T
    n_novel = len(ridge) - len(precision)
    return np.pad(precision, (0, n_novel)) + np.diag(ridge)


def plain_start(learner, knowledge, ridge, n_clips):
    """What the population says by itself, class by class; nothing of what is novel."""
    evidence = plain_evidence(learner, knowledge)
    evidence = np.pad(evidence, ((0, len(ridge) - len(evidence)), (0, 0)))
    priors = [plain_prior(knowledge, ridge, c, n_clips) for c in range(evidence.shape[1])]
    solved = [np.linalg.solve(prior, e) for prior, e in zip(priors, evidence.T, strict=True)]
    return np.stack(solved, axis=1)


def closed_form(learner, problem, ridge, novel=None):
    """Ridge regression on population and weighted support together, class by class."""
    knowledge, n_support = problem.knowledge, len(problem.support)
    novel = np.zeros((n_support, 0)) if novel is None else novel
    design = np.column_stack([problem.support.numpy(), np.ones(n_support), novel])
    weight = support_weight(learner, knowledge.n_clips)
    targets = np.where(problem.membership.numpy() > 0, 1.0, -1.0)
    evidence = plain_evidence(learner, knowledge)
    evidence = np.pad(evidence, ((0, novel.shape[1]), (0, 0))) + weight * design.T @ targets
    n_clips = n_comparable(problem)
    columns = [
        np.linalg.solve(plain_prior(knowledge, ridge, c, n_clips) + weight * design.T @ design, e)
        for c, e in enumerate(evidence.T)
    ]
    return np.stack(columns, axis=1)


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def plain_gru(cell, x, h):
    """The equations of torch.nn.GRUCell."""
    w_in, w_hidden = (w.detach().numpy() for w in (cell.weight_ih, cell.weight_hh))
    b_in, b_hidden = (b.detach().numpy() for b in (cell.bias_ih, cell.bias_hh))
    reset_in, update_in, new_in = np.split(w_in @ x + b_in, 3)
    reset_h, update_h, new_h = np.split(w_hidden @ h + b_hidden, 3)
    reset, update = sigmoid(reset_in + reset_h), sigmoid(update_in + update_h)
    return (1 - update) * np.tanh(new_in + reset * new_h) + update * h


def plain_shift(learner, problem):
    known = problem.knowledge.known.numpy()
    total, n = np.zeros(problem.support.shape[1]), 0
    for z, code in zip(problem.support.numpy(), problem.labels.numpy(), strict=True):
        if known[code]:
            total += z - problem.knowledge.prototypes[code].numpy()
            n += 1
    return learner.shift_share.item() * total / (n + meta_rnn._SHIFT_CLIPS)


def plain_inputs(problem, residual, c):
    own = problem.labels.numpy() == c
    n = len(own)
    return [
        np.log1p(own.sum()),
        np.log1p(n),
        problem.knowledge.known[c].item(),
        residual[own].mean() if own.any() else 0.0,
        residual[~own].mean() if (~own).any() else 0.0,
        (residual**2).mean() if n else 0.0,
    ]


def plain_learner(learner, problem, ridge):
    """The whole forward pass, class by class: weights, shift and logarithm of the scale."""
    n_classes = problem.membership.shape[1]
    shift = plain_shift(learner, problem)
    design = np.column_stack([problem.support.numpy() - shift, np.ones(len(problem.support))])
    weight = support_weight(learner, problem.knowledge.n_clips)
    n_clips = n_comparable(problem)
    states = plain_start(learner, problem.knowledge, ridge, n_clips)
    gate_weight, gate_bias = learner.gate.weight[0].detach().numpy(), learner.gate.bias.item()
    for c in range(n_classes):
        prior = plain_prior(problem.knowledge, ridge, c, n_clips)
        inverse = np.linalg.inv(prior + weight * design.T @ design)
        memory = np.zeros(learner.cell.hidden_size)
        targets = np.where(problem.labels.numpy() == c, 1.0, -1.0)
        for step_size in learner.step_sizes.tolist():
            residual = targets - design @ states[:, c]
            memory = plain_gru(learner.cell, plain_inputs(problem, residual, c), memory)
            gate = step_size + 0.5 * np.tanh(gate_weight @ memory + gate_bias)
            states[:, c] += gate * inverse @ (weight * design.T @ residual)
    # Of the classes that have any: a way that an episode lacks, or a label without a clip, is
    # no reason to believe in fewer shots.
    n_supported = len(np.unique(problem.labels.numpy()))
    shots = np.log1p(min(4.0, len(problem.support) / max(1, n_supported)))
    log_scale = learner.log_scale.tolist()
    return states, shift, log_scale[0] + log_scale[1] * shots


def plain_logits(weights, shift, log_scale, query):
    design = np.column_stack([query.numpy() - shift, np.ones(len(query))])
    return np.exp(log_scale) * design @ weights


class TestClosedForm:
    @laws
    @given(problems())
    def test_exact_step_is_the_ridge_regression_on_population_and_support(self, problem):
        learner = exact_learner(seed=3)
        ridge = learner.ridge([problem.population.shape[1]]).detach().numpy()
        classes = problem.read(learner)
        expected = closed_form(learner, problem, ridge)
        np.testing.assert_allclose(classes.weights.numpy(), expected, rtol=1e-7, atol=1e-9)
        assert (classes.shift == 0).all()

    @pytest.mark.parametrize("seed", range(3))
    def test_equals_scikit_learn_with_sample_weights(self, seed):
        problem = Problem(5, 3, 4, seed=seed)
        learner = exact_learner(2, seed=seed)
        ridge = learner.ridge([1, 3]).detach().numpy()
        size = np.bincount(problem.codes, minlength=3)
        of_population = 30 / (3 * size[problem.codes])
        of_support = np.full(5, support_weight(learner, 30))
        # scikit-learn has one alpha for all features: scale them instead.
        design = with_offset(torch.cat([problem.population, problem.support])).numpy()
        labels = np.concatenate([problem.codes.numpy(), problem.labels.numpy()])
        model = Ridge(alpha=1.0, fit_intercept=False, solver="svd").fit(
            design / np.sqrt(ridge),
            np.where(labels[:, None] == np.arange(3), 1.0, -1.0),
            sample_weight=np.concatenate([of_population, of_support]),
        )
        expected = model.coef_.T / np.sqrt(ridge)[:, None]
        knowledge = problem.knowledge.without_differences()
        weights = problem.read(learner, knowledge=knowledge).weights.numpy()
        np.testing.assert_allclose(weights, expected, rtol=1e-7, atol=1e-9)

    @laws
    @given(problems())
    def test_zero_support_gives_the_population(self, problem):
        learner = make_learner(seed=1)  # whatever the gates say
        dim, n_classes = problem.population.shape[1], problem.membership.shape[1]
        ridge = learner.ridge([dim]).detach().numpy()
        expected = plain_start(learner, problem.knowledge, ridge, 0)
        empty = problem.read(
            learner,
            support=torch.zeros(0, dim).double(),
            membership=torch.zeros(0, n_classes).double(),
            weights=torch.zeros(0).double(),
        )
        all_padding = problem.read(learner, weights=torch.zeros_like(problem.weights))
        for classes in (empty, all_padding):
            np.testing.assert_allclose(classes.weights.numpy(), expected, rtol=1e-7, atol=1e-9)
            assert (classes.shift == 0).all()
            assert classes.log_scale.item() == learner.log_scale[0].item()

    def test_an_unknown_class_starts_as_one_that_no_clip_has(self):
        problem = Problem(0, unknown=True)
        learner = exact_learner()
        with torch.no_grad():
            learner.unknown_evidence.fill_(-1.0)
        weights = problem.read(learner).weights[:, -1].numpy()
        # Ridge regression on target -1 for every clip of the population, with all classes moved
        # to where they are on average: how they differ says nothing against a new one.
        size = np.bincount(problem.codes, minlength=2)
        prototypes = problem.knowledge.prototypes[:2]
        moved = problem.population - prototypes[problem.codes] + prototypes.mean(0)
        scale = np.sqrt(learner.ridge([4]).detach().numpy())
        model = Ridge(alpha=1.0, fit_intercept=False, solver="svd").fit(
            with_offset(moved).numpy() / scale,
            -np.ones(30),
            sample_weight=30 / (2 * size[problem.codes]),
        )
        np.testing.assert_allclose(weights, model.coef_ / scale, rtol=1e-8)

    def test_without_a_population_the_support_alone_speaks(self):
        problem = Problem(6)
        nothing = gather_knowledge(
            problem.population, one_hot(problem.codes, 3), torch.zeros(30).double()
        )
        problem.knowledge = nothing
        learner = exact_learner()
        ridge = learner.ridge([4]).detach().numpy()
        expected = closed_form(learner, problem, ridge)
        np.testing.assert_allclose(problem.read(learner).weights.numpy(), expected, atol=1e-9)

    @pytest.mark.parametrize("units", [0.01, 0.5, 1.0, 3.0, 20.0])
    def test_support_weight_grows_with_a_large_population(self, units):
        problem, learner = Problem(), exact_learner()
        n_clips = torch.tensor(units * meta_rnn._CLIPS_OF_ONE_UNIT).double()
        problem.knowledge = problem.knowledge._replace(n_clips=n_clips)
        weights = problem.read(learner).weights
        # The same as a larger learned weight at a population of one unit or less.
        problem.knowledge = problem.knowledge._replace(n_clips=torch.tensor(1.0).double())
        with torch.no_grad():
            learner.log_support_weight.add_(math.log(max(1.0, units)))
        torch.testing.assert_close(weights, problem.read(learner).weights, rtol=1e-8, atol=1e-9)

    @laws
    @given(problems(), st.floats(0.05, 1.0))
    def test_further_steps_move_towards_the_support(self, problem, step):
        lengths = []
        for steps in [(0, 0, 0), (1, 0, 0), (1, step, 0), (1, step, step)]:
            weights = problem.read(exact_learner(steps=steps)).weights
            residual = 2 * problem.membership - 1 - with_offset(problem.support) @ weights
            lengths.append(residual.norm(dim=0))
        for before, after in itertools.pairwise(lengths):
            moves = before > 1e-8
            assert (after[moves] < before[moves]).all()


class TestWholePass:
    @laws
    @given(problems(), st.integers(0, 10**6))
    def test_equals_the_plain_evaluation(self, problem, seed):
        learner = make_learner(2, seed=seed)
        dim = problem.population.shape[1]
        ridge = learner.ridge([1, dim - 1]).detach().numpy()
        classes = problem.read(learner)
        weights, shift, log_scale = plain_learner(learner, problem, ridge)
        np.testing.assert_allclose(classes.weights.numpy(), weights, rtol=1e-6, atol=1e-8)
        np.testing.assert_allclose(classes.shift.numpy(), shift, atol=1e-10)
        np.testing.assert_allclose(classes.log_scale.item(), log_scale, atol=1e-10)
        expected = plain_logits(weights, shift, log_scale, problem.query)
        np.testing.assert_allclose(
            classes.logits(problem.query).numpy(), expected, rtol=1e-6, atol=1e-7
        )

    def test_ridge_repeats_each_block_and_ends_with_a_small_one_for_the_offset(self):
        learner = make_learner(3)
        ridge = learner.ridge([2, 1, 3]).tolist()
        blocks = learner.log_ridge.exp().tolist()
        assert ridge[:-1] == [blocks[0]] * 2 + [blocks[1]] + [blocks[2]] * 3
        assert 0 < ridge[-1] < 0.1

    def test_starts_with_the_given_ridges(self):
        ridge = MetaRecurrentLearner([2.0, 50.0], generator=generator()).ridge([1, 2])
        np.testing.assert_allclose(ridge[:-1].detach(), [2.0, 50.0, 50.0], rtol=1e-5)

    def test_starts_as_the_exact_step_and_nothing_after_it(self):
        problem = Problem(unknown=True)
        learner = MetaRecurrentLearner([3.0], generator=generator(5)).double()
        exact = exact_learner()
        with torch.no_grad():
            for name in ("log_ridge", "log_support_weight", "unknown_evidence"):
                getattr(exact, name).copy_(getattr(learner, name))
            learner.shift_share.zero_()
        torch.testing.assert_close(problem.read(learner).weights, problem.read(exact).weights)

    def test_the_seed_decides_the_start(self):
        before = torch.get_rng_state()
        first, again, other = (
            MetaRecurrentLearner([1.0], generator=generator(seed)).state_dict()
            for seed in (1, 1, 2)
        )
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["cell.weight_ih"], other["cell.weight_ih"])


class TestNovel:
    """Columns behind those that the population knows."""

    def novel(self, problem, n_novel, seed=7):
        source = generator(seed)
        return tuple(
            torch.randn(len(clips), n_novel, generator=source).double()
            for clips in (problem.support, problem.query)
        )

    def ridge(self, learner, problem, n_novel):
        known = learner.ridge([problem.population.shape[1]]).detach()
        return torch.cat([known, torch.linspace(0.5, 3.0, n_novel).double()])

    def read(self, learner, problem, novel, ridge):
        support = torch.cat([problem.support, novel], dim=1)
        with torch.no_grad():
            return learner(problem.knowledge, ridge, support, problem.membership, problem.weights)

    @laws
    @given(problems(), st.integers(1, 9))
    def test_exact_step_is_the_ridge_regression_with_a_prior_in_blocks(self, problem, n_novel):
        learner = exact_learner(seed=3)
        ridge = self.ridge(learner, problem, n_novel)
        support, query = self.novel(problem, n_novel)
        classes = self.read(learner, problem, support, ridge)
        expected = closed_form(learner, problem, ridge.numpy(), support.numpy())
        np.testing.assert_allclose(classes.weights.numpy(), expected, rtol=1e-7, atol=1e-9)
        design = np.column_stack([problem.query, np.ones(len(query)), query])
        logits = np.exp(classes.log_scale.item()) * design @ expected
        given_query = torch.cat([problem.query, query], dim=1)
        np.testing.assert_allclose(
            classes.logits(given_query).numpy(), logits, rtol=1e-6, atol=1e-7
        )

    @pytest.mark.parametrize("seed", range(3))
    def test_a_fresh_learner_equals_scikit_learn(self, seed):
        """Population and support side by side, novel columns of the population 0."""
        problem, n_novel = Problem(5, 3, 4, seed=seed), 6
        problem.knowledge = problem.knowledge.without_differences()
        learner = MetaRecurrentLearner([2.0], generator=generator(seed)).double()
        with torch.no_grad():
            learner.shift_share.zero_()
        ridge = self.ridge(learner, problem, n_novel)
        novel, _ = self.novel(problem, n_novel)
        size = np.bincount(problem.codes, minlength=3)
        clip_weights = np.append(
            30 / (3 * size[problem.codes]), np.full(5, support_weight(learner, 30))
        )
        familiar = with_offset(torch.cat([problem.population, problem.support])).numpy()
        design = np.column_stack([familiar, np.vstack([np.zeros((30, n_novel)), novel])])
        labels = np.concatenate([problem.codes.numpy(), problem.labels.numpy()])
        model = Ridge(alpha=1.0, fit_intercept=False, solver="svd").fit(
            design / np.sqrt(ridge.numpy()),
            np.where(labels[:, None] == np.arange(3), 1.0, -1.0),
            sample_weight=clip_weights,
        )
        expected = model.coef_.T / np.sqrt(ridge.numpy())[:, None]
        weights = self.read(learner, problem, novel, ridge).weights.numpy()
        np.testing.assert_allclose(weights, expected, rtol=1e-7, atol=1e-9)

    @laws
    @given(problems(), st.integers(1, 5), st.integers(0, 10**6))
    def test_whole_pass_equals_one_in_which_the_population_has_zeros_there(
        self, problem, n_novel, seed
    ):
        """Whatever gates and shift: novel columns are columns of which no clip says anything."""
        learner = make_learner(seed=seed)
        with torch.no_grad():
            learner.shift_share.clamp_(-0.9, 0.9)
        ridge = self.ridge(learner, problem, n_novel)
        support, query = self.novel(problem, n_novel)
        classes = self.read(learner, problem, support, ridge)
        dim, n_classes = problem.knowledge.prototypes.shape[1], problem.membership.shape[1]
        # A shift of what is novel would be one from prototypes at 0: it is put back beforehand.
        nothing = torch.zeros(30, n_novel).double()
        wide = gather_knowledge(
            torch.cat([problem.population, nothing], dim=1),
            one_hot(problem.codes, n_classes),
            torch.ones(30).double(),
            one_hot(problem.people, 4),
        )
        known = problem.membership @ problem.knowledge.known
        total = (support * known[:, None]).sum(0)
        # what is subtracted is a share of the mean of what is there, which is solved for
        share = learner.shift_share.detach() / (known.sum() + meta_rnn._SHIFT_CLIPS)
        put_back = share * total / (1.0 - share * known.sum())
        both = torch.cat([problem.support, support + put_back], dim=1)
        order = [*range(dim), *range(dim + 1, dim + 1 + n_novel), dim]
        with torch.no_grad():
            expected = learner(wide, ridge[order], both, problem.membership, problem.weights)
        np.testing.assert_allclose(expected.shift[dim:], put_back, rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(classes.weights[order], expected.weights, rtol=1e-6, atol=1e-8)
        logits = expected.logits(torch.cat([problem.query, query + put_back], dim=1))
        given_query = torch.cat([problem.query, query], dim=1)
        torch.testing.assert_close(classes.logits(given_query), logits, rtol=1e-6, atol=1e-7)

    @laws
    @given(problems(), st.integers(1, 9))
    def test_without_shots_it_has_no_say(self, problem, n_novel):
        learner = make_learner(seed=1)
        ridge = self.ridge(learner, problem, n_novel)
        support, query = self.novel(problem, n_novel)
        problem.weights = torch.zeros_like(problem.weights)
        classes = self.read(learner, problem, support, ridge)
        assert (classes.weights[-n_novel:] == 0).all()
        expected = problem.read(learner).logits(problem.query)
        given_query = torch.cat([problem.query, query], dim=1)
        torch.testing.assert_close(classes.logits(given_query), expected, rtol=1e-9, atol=1e-9)

    @laws
    @given(problems())
    def test_none_of_it_is_the_learner_without(self, problem):
        learner = make_learner(seed=1)
        none, _ = self.novel(problem, 0)
        classes = self.read(learner, problem, none, self.ridge(learner, problem, 0))
        for part, expected in zip(classes, problem.read(learner), strict=True):
            assert torch.equal(part, expected)

    @laws
    @given(problems(), st.integers(1, 5))
    def test_all_0_changes_nothing(self, problem, n_novel):
        learner = make_learner(seed=1)
        zeros = torch.zeros(len(problem.support), n_novel).double()
        classes = self.read(learner, problem, zeros, self.ridge(learner, problem, n_novel))
        assert (classes.weights[-n_novel:] == 0).all()
        expected = problem.read(learner).weights
        torch.testing.assert_close(classes.weights[:-n_novel], expected, rtol=1e-9, atol=1e-9)

    def test_tells_an_emotion_apart_that_differs_nowhere_else(self):
        problem = Problem(0, 3, unknown=True)
        learner = MetaRecurrentLearner([1.0], generator=generator()).double()
        labels = torch.tensor([0, 0, 1, 1, 2, 2])
        problem.labels, problem.membership = labels, one_hot(labels, 3)
        problem.weights = torch.ones(6).double()
        problem.support = problem.knowledge.prototypes.mean(0).expand(6, -1)
        novel = torch.zeros(6, 5).double()
        novel[4:, 2] = 1.0
        ridge = self.ridge(learner, problem, 5)
        classes = self.read(learner, problem, novel, ridge)
        given_query = torch.cat([problem.support, novel], dim=1)
        logits = classes.logits(given_query)
        assert (logits[4:].argmax(1) == 2).all()
        assert (logits[:4].argmax(1) != 2).all()

    def test_shots_and_episodes_as_leading_dimensions_equal_a_loop(self):
        learner, source = make_learner(seed=1), generator(1)
        population, codes = random_population(30, 4, 3)
        counts = torch.rand(5, 30, generator=source) < 0.6
        counts[2] &= codes != 1  # an episode in which a class is unknown
        knowledge = gather_knowledge(population, one_hot(codes, 3), counts)
        support = torch.randn(5, 6, 4 + 3, generator=source).double()
        membership = one_hot([0, 0, 1, 1, 2, 2], 3)
        weights = (torch.rand(2, 5, 6, generator=source) < 0.6).double()
        query = torch.randn(5, 7, 4 + 3, generator=source).double()
        ridge = torch.cat([learner.ridge([4]), torch.ones(3).double()])
        together = learner(knowledge, ridge, support, membership, weights).logits(query)
        assert together.shape == (2, 5, 7, 3)
        for shot, episode in np.ndindex(2, 5):
            own = MetaKnowledge(*(part[episode] for part in knowledge))
            alone = learner(own, ridge, support[episode], membership, weights[shot, episode])
            torch.testing.assert_close(
                together[shot, episode], alone.logits(query[episode]), rtol=1e-7, atol=1e-8
            )


class TestLaws:
    @laws
    @given(problems(), st.randoms(use_true_random=False))
    def test_order_of_the_support_does_not_matter(self, problem, random):
        learner = make_learner(seed=1)
        order = random.sample(range(len(problem.support)), len(problem.support))
        permuted = problem.read(
            learner, support=problem.support[order], membership=problem.membership[order]
        )
        for part, expected in zip(permuted, problem.read(learner), strict=True):
            torch.testing.assert_close(part, expected, rtol=1e-7, atol=1e-9)

    @laws
    @given(problems(), st.randoms(use_true_random=False))
    def test_order_of_the_classes_is_that_of_the_answer(self, problem, random):
        learner = make_learner(seed=1)
        n_classes = problem.membership.shape[1]
        order = random.sample(range(n_classes), n_classes)
        knowledge = problem.knowledge._replace(
            evidence=problem.knowledge.evidence[:, order],
            prototypes=problem.knowledge.prototypes[order],
            known=problem.knowledge.known[order],
        )
        permuted = problem.read(
            learner, knowledge=knowledge, membership=problem.membership[:, order]
        )
        torch.testing.assert_close(
            permuted.logits(problem.query),
            problem.read(learner).logits(problem.query)[:, order],
            rtol=1e-7,
            atol=1e-8,
        )

    @laws
    @given(problems(), st.integers(1, 4))
    def test_padding_changes_nothing(self, problem, n_more):
        learner = make_learner(seed=1)
        pad = torch.nn.functional.pad
        support = torch.cat(
            [problem.support, torch.full((n_more, problem.support.shape[1]), 7.0).double()]
        )
        for slot in (0.0, 1.0):  # padding may say a class, or none
            membership = pad(problem.membership, (0, 0, 0, n_more))
            membership[len(problem.support) :, 0] = slot
            padded = problem.read(
                learner,
                support=support,
                membership=membership,
                weights=pad(problem.weights, (0, n_more)),
            )
            for part, expected in zip(padded, problem.read(learner), strict=True):
                torch.testing.assert_close(part, expected, rtol=1e-7, atol=1e-9)

    def test_shots_and_episodes_as_leading_dimensions_equal_a_loop(self):
        learner, source = make_learner(seed=1), generator(1)
        population, codes = random_population(30, 4, 3)
        counts = torch.rand(5, 30, generator=source) < 0.6
        knowledge = gather_knowledge(population, one_hot(codes, 3), counts)
        support = torch.randn(5, 6, 4, generator=source).double()
        membership = one_hot([0, 0, 1, 1, 2, 2], 3)
        weights = (torch.rand(2, 5, 6, generator=source) < 0.6).double()
        query = torch.randn(5, 7, 4, generator=source).double()
        ridge = learner.ridge([4])
        together = learner(knowledge, ridge, support, membership, weights).logits(query)
        assert together.shape == (2, 5, 7, 3)
        for shot, episode in np.ndindex(2, 5):
            own = MetaKnowledge(*(part[episode] for part in knowledge))
            alone = learner(own, ridge, support[episode], membership, weights[shot, episode])
            torch.testing.assert_close(
                together[shot, episode], alone.logits(query[episode]), rtol=1e-7, atol=1e-8
            )

    def test_the_same_shift_of_support_and_query_is_partly_undone(self):
        """A person whose clips all lie elsewhere is moved back, the further the more clips."""
        errors = []
        for n in (0, 3, 30):
            problem = Problem(0)
            learner = exact_learner()
            with torch.no_grad():
                learner.shift_share.fill_(1.0)
            labels = torch.arange(n) % 3
            offset = torch.tensor([3.0, -2.0, 0.0, 1.0]).double()
            support = problem.knowledge.prototypes[labels] + offset
            classes = problem.read(
                learner,
                support=support,
                membership=one_hot(labels, 3),
                weights=torch.ones(n).double(),
            )
            errors.append((classes.shift - offset).norm().item() / offset.norm().item())
        assert errors[0] == 1.0
        assert errors[0] > errors[1] > errors[2]
        assert errors[2] < 0.2

    def test_gradients(self):
        problem, learner = Problem(3, 2, 2, unknown=True), make_learner()
        # Most of the cell's numbers say the same: keep a few.
        names = [name for name, _ in learner.named_parameters() if not name.startswith("cell.")]
        names.append("cell.bias_ih")
        parameters = dict(learner.named_parameters())
        leaves = [parameters[name].detach().clone().requires_grad_(True) for name in names]
        support = problem.support.clone().requires_grad_(True)
        precision = problem.knowledge.precision
        knowledge = problem.knowledge

        def answer(support, *leaves):
            drawn = dict(zip(names, leaves, strict=True))
            ridge = torch.cat([drawn["log_ridge"].exp().expand(2), support.new_tensor([1e-3])])
            inputs = (knowledge, ridge, support, problem.membership, problem.weights)
            return functional_call(learner, drawn, inputs).logits(problem.query)

        assert precision.dtype == torch.float64
        assert torch.autograd.gradcheck(answer, (support, *leaves))

    def test_gradient_reaches_the_population(self):
        problem, learner = Problem(), make_learner()
        population = problem.population.clone().requires_grad_(True)
        ones = torch.ones(30).double()

        def answer(z):
            knowledge = gather_knowledge(z, one_hot(problem.codes, 3), ones)
            ridge = learner.ridge([4])
            inputs = (knowledge, ridge, problem.support, problem.membership, problem.weights)
            return learner(*inputs).logits(problem.query[:1])

        assert torch.autograd.gradcheck(answer, population)

    def test_every_parameter_gets_a_gradient(self):
        problem, learner = Problem(unknown=True), make_learner()
        classes = learner(
            problem.knowledge,
            learner.ridge([4]),
            problem.support,
            problem.membership,
            problem.weights,
        )
        classes.logits(problem.query).square().sum().backward()
        for name, parameter in learner.named_parameters():
            assert (parameter.grad != 0).any(), name

    def test_logits_are_scores_times_the_scale(self):
        problem = Problem()
        classes = problem.read(make_learner())
        hotter = classes._replace(log_scale=classes.log_scale + math.log(2.0))
        torch.testing.assert_close(
            hotter.logits(problem.query), 2.0 * classes.logits(problem.query)
        )
