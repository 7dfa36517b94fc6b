"""The model's numbers: leaving people out, and what is learned on planted populations."""

import numpy as np
import pytest
import torch

from stf2m_sk.nn.population import PersonSums, condition, summarise
from stf2m_sk.nn.readout import logits
from stf2m_sk.nn.recurrence import answer, start, update
from stf2m_sk.training import numbers as tested
from stf2m_sk.training.episodes import draw_episodes
from stf2m_sk.training.left_out import Layout, left_out
from stf2m_sk.training.numbers import START, learn_numbers

N_CLASSES = 3


def layout_of(people):
    return Layout.of(people)


def one_hot(codes):
    return torch.from_numpy(np.eye(codes.max() + 1)[codes])


def signs(codes):
    return 2.0 * np.eye(codes.max() + 1)[codes] - 1.0


def random_clips(sizes=(5, 2, 7, 1), n_features=6, seed=0):
    source = np.random.default_rng(seed)
    people = source.permutation(np.repeat(np.arange(len(sizes)), sizes))
    codes = source.permutation(np.arange(len(people)) % N_CLASSES)
    X = source.normal(size=(len(people), n_features)) + source.normal(size=(9, n_features))[people]
    return X, codes, people


def planted(*, level=0.0, shift=0.0, n_people=8, n_clips=3, noise=0.6, seed=0, uneven=False):
    """An informative block and one of noise; people differ by levels of emotions, or by shifts.

    A level of an emotion is a move along that emotion's own direction, clip by clip alike.
    """
    source = np.random.default_rng(seed)
    codes = np.tile(np.repeat(np.arange(N_CLASSES), n_clips), n_people)
    people = np.repeat(np.arange(n_people), N_CLASSES * n_clips)
    if uneven:  # half of the people show mostly one emotion
        kept = (codes == people % N_CLASSES) | (np.arange(len(codes)) % n_clips < 2)
        codes, people = codes[kept], people[kept]
    centres = np.eye(N_CLASSES) - 1 / N_CLASSES
    told = centres[codes] + noise * source.normal(size=(len(codes), N_CLASSES))
    told += level * source.normal(size=(n_people, N_CLASSES))[people]
    told += shift * source.normal(size=(n_people, N_CLASSES))[people]
    blank = source.normal(size=(len(codes), N_CLASSES)) / N_CLASSES**0.5
    scaled = told / np.sqrt(np.square(told).sum(1).mean())
    return [scaled, blank], codes, people


def learn(blocks, codes, people, *, shots=(0, 1, 2), n_draws=2, seed=0):
    grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
    generator = np.random.RandomState(seed)
    episodes = draw_episodes(codes, people, shots=shots, n_draws=n_draws, generator=generator)
    return learn_numbers(grams, one_hot(codes), people, episodes, episodes[:])


class TestLeftOut:
    @pytest.mark.parametrize("beta", [0.0, 0.8])
    @pytest.mark.parametrize("sizes", [(5, 2, 7, 1), (1, 1, 1), (4, 9)])
    def test_equals_fitting_again_without_the_person(self, beta, sizes):
        X, codes, people = random_clips(sizes)
        gram, targets = X @ X.T, signs(codes)
        layout = layout_of(people)
        scores = left_out(torch.from_numpy(gram), torch.from_numpy(targets), layout, beta)
        residual = targets - targets.mean(0)
        full = gram + beta * (people[:, None] == people)
        for person in range(len(sizes)):
            own, others = np.flatnonzero(people == person), np.flatnonzero(people != person)
            noisy = full[np.ix_(others, others)] + np.eye(len(others))
            gain = np.linalg.solve(noisy, full[np.ix_(others, own)]).T
            mean = gain @ residual[others]
            covariance = full[np.ix_(own, own)] - gain @ full[np.ix_(others, own)]
            n = len(own)
            np.testing.assert_array_equal(layout.rows[person, :n], own)
            np.testing.assert_allclose(scores.means[person, :n], mean, atol=1e-8)
            found = scores.covariances[person, :n, :n]
            np.testing.assert_allclose(found, covariance, atol=1e-8)

    def test_gradients(self):
        X, codes, people = random_clips((3, 2, 4))
        targets, layout = torch.from_numpy(signs(codes)), layout_of(people)

        def scores(features, beta):
            out = left_out(features @ features.T, targets, layout, beta)
            own = layout.is_clip[:, :, None] & layout.is_clip[:, None]
            return out.means[layout.is_clip], out.covariances[own]

        features = torch.from_numpy(X).requires_grad_()
        beta = torch.tensor(0.6, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(scores, (features, beta))

    def test_gradient_of_the_loss(self):
        blocks, codes, people = planted(level=0.5, n_people=3, n_clips=2)
        grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
        layout, targets = layout_of(people), torch.from_numpy(signs(codes))
        generator = np.random.RandomState(0)
        drawn = draw_episodes(codes, people, shots=(0, 1), n_draws=1, generator=generator)

        def loss(values):
            *weights, beta, omega, temperature, factor = values.exp()
            gram = torch.einsum("b,bij->ij", torch.stack(weights), grams)
            given_ = START._replace(
                person_variance=beta,
                support_precision=omega,
                temperature=temperature,
                variance_factor=factor,
            )
            scores = left_out(gram, targets, layout, beta)
            return sum(
                tested._Task.of(own, layout, one_hot(codes)).loss(scores, targets, layout, given_)
                for own in drawn
            )

        values = torch.linspace(-1, 1, 6).double().requires_grad_()
        assert torch.autograd.gradcheck(loss, (values,))

    def test_episodes_are_answered_as_the_recurrence_answers(self):
        """One model: the loss of an episode is that of `answer` after a fit without the person."""
        blocks, codes, people = planted(level=0.5, n_people=4, n_clips=6)
        # Everybody has fewer clips of the last class, in equal shares.
        kept = (codes < 2) | (np.arange(len(codes)) % 6 < 2)
        blocks, codes, people = [X[kept] for X in blocks], codes[kept], people[kept]
        X, given_ = blocks[0], START._replace(person_variance=0.9, support_precision=3.0)
        layout, targets = layout_of(people), torch.from_numpy(signs(codes))
        scores = left_out(torch.from_numpy(X @ X.T), targets, layout, given_.person_variance)
        for episodes in draw_episodes(
            codes, people, shots=(0, 2), n_draws=2, generator=np.random.RandomState(0)
        ):
            found = tested._Task.of(episodes, layout, one_hot(codes)).loss(
                scores, targets, layout, given_
            )
            losses = []
            for person, support, query in zip(
                episodes.person, episodes.support, episodes.query, strict=True
            ):
                support, query = support[support >= 0], query[query >= 0]
                features, known = torch.from_numpy(X), torch.arange(N_CLASSES)
                others = np.flatnonzero(people != person)
                sums = PersonSums.zeros(people.max() + 1, X.shape[1], N_CLASSES)
                sums.add(features[others], torch.from_numpy(people[others]), one_hot(codes)[others])
                identity = torch.eye(X.shape[1], dtype=torch.float64)
                population = summarise(sums, identity, given_.person_variance)
                state = start(condition(population), identity, given_, known)
                if len(support):
                    state = update(state, features[support], one_hot(codes)[support])
                means, variances = answer(state, features[query])
                scaled = logits(means, variances, given_.temperature, given_.variance_factor)
                own = scaled.log_softmax(1)[torch.arange(len(query)), codes[query]].numpy()
                # Classes count alike.
                each = [own[codes[query] == c].mean() for c in np.unique(codes[query])]
                losses.append(-np.mean(each))
            np.testing.assert_allclose(float(found), np.mean(losses), atol=1e-9)


class TestLearned:
    def test_an_informative_block_outweighs_noise(self):
        weights, _ = learn(*planted())
        assert weights[0] > 5 * weights[1]

    def test_levels_of_people_raise_their_variance(self):
        _, without = learn(*planted(level=0.0))
        _, levels = learn(*planted(level=1.0))
        assert levels.person_variance > 2 * without.person_variance

    def test_noisy_labels_make_answers_less_certain(self):
        blocks, codes, people = planted(noise=0.3)
        wrong = np.random.default_rng(0).random(len(codes)) < 0.4
        noisy = np.where(wrong, (codes + 1) % N_CLASSES, codes)

        def certainty(labels):
            weights, learned = learn(blocks, labels, people)
            gram = sum(w * torch.from_numpy(X @ X.T) for w, X in zip(weights, blocks, strict=True))
            targets = torch.from_numpy(signs(labels))
            scores = left_out(gram, targets, layout_of(people), learned.person_variance)
            variances = scores.covariances.diagonal(dim1=1, dim2=2)[..., None]
            scaled = logits(scores.means, variances, learned.temperature, learned.variance_factor)
            return float(scaled.softmax(2).amax(2).mean())

        assert certainty(noisy) < certainty(codes) - 0.1

    def test_shifts_of_people_are_taken_off_after_few_clips(self):
        _, alike = learn(*planted(uneven=True, n_clips=6, noise=0.3))
        _, shifted = learn(*planted(shift=2.0, noise=0.3))
        assert shifted.shift_clips == min(tested._SHIFT_CLIPS)
        assert alike.shift_clips > shifted.shift_clips

    def test_is_better_than_the_start_on_what_it_was_learned_on(self):
        blocks, codes, people = planted(level=0.5)
        grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
        generator = np.random.RandomState(0)
        episodes = draw_episodes(codes, people, shots=(0, 1), n_draws=2, generator=generator)
        layout, targets = layout_of(people), torch.from_numpy(signs(codes))

        def loss(weights, given_):
            gram = torch.einsum("b,bij->ij", weights, grams)
            scores = left_out(gram, targets, layout, given_.person_variance)
            tasks = [tested._Task.of(own, layout, one_hot(codes)) for own in episodes]
            return sum(float(task.loss(scores, targets, layout, given_)) for task in tasks)

        before = loss(torch.full((2,), 0.5, dtype=torch.float64), START)
        assert (
            loss(*learn_numbers(grams, one_hot(codes), people, episodes, episodes)) < 0.98 * before
        )

    def test_networks_count_as_far_as_they_know_better_than_the_rules(self):
        blocks, codes, people = planted(noise=1.5, n_people=8)
        grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
        generator = np.random.RandomState(0)
        episodes = draw_episodes(codes, people, shots=(0, 1), n_draws=2, generator=generator)
        source = np.random.default_rng(1)
        noise = source.normal(size=(len(codes), N_CLASSES))
        good = torch.from_numpy(2.0 * np.eye(N_CLASSES)[codes] + 0.3 * noise)

        def share(scores):
            """Of a score of variance 1 that a network's observation moves."""
            _, learned = learn_numbers(grams, one_hot(codes), people, episodes, episodes, scores)
            return learned.network_gain / (1.0 + learned.network_noise)

        assert share(good) > 5 * share(torch.from_numpy(noise))

    def test_networks_leave_weights_and_person_effects_as_they_are(self):
        blocks, codes, people = planted(level=0.5)
        grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
        generator = np.random.RandomState(0)
        episodes = draw_episodes(codes, people, shots=(0, 1), n_draws=1, generator=generator)
        scores = torch.from_numpy(np.random.default_rng(1).normal(size=(len(codes), N_CLASSES)))
        plain = learn_numbers(grams, one_hot(codes), people, episodes, episodes)
        read = learn_numbers(grams, one_hot(codes), people, episodes, episodes, scores)
        assert torch.equal(plain[0], read[0])
        for name in ("person_variance", "support_precision", "shift_clips"):
            assert getattr(plain[1], name) == getattr(read[1], name)

    def test_is_reproducible(self):
        one, other = (learn(*planted(level=0.3)) for _ in range(2))
        assert torch.equal(one[0], other[0])
        assert one[1] == other[1]

    def test_numbers_are_plain_floats(self):
        weights, learned = learn(*planted(n_people=3))
        assert weights.dtype == torch.float64 and not weights.requires_grad
        assert all(type(value) is float for value in learned)
        assert all(value > 0 for value in (*learned, *weights.tolist()))

    def test_the_order_of_people_and_clips_does_not_matter(self):
        blocks, codes, people = planted(n_people=4)
        grams = np.stack([X @ X.T for X in blocks])
        generator = np.random.RandomState(0)
        episodes = draw_episodes(codes, people, shots=(0, 1), n_draws=1, generator=generator)
        order = np.random.default_rng(0).permutation(len(codes))
        place = np.append(np.argsort(order), -1)  # -1 stays
        moved = [e._replace(support=place[e.support], query=place[e.query]) for e in episodes]
        shuffled = torch.from_numpy(grams[:, order][:, :, order])
        one = learn_numbers(torch.from_numpy(grams), one_hot(codes), people, episodes, episodes)
        other = learn_numbers(shuffled, one_hot(codes[order]), people[order], moved, moved)
        torch.testing.assert_close(one[0], other[0], rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(one[1], other[1], rtol=1e-4)


class TestNothingToLearnFrom:
    def is_start(self, weights, learned):
        torch.testing.assert_close(weights, torch.full_like(weights, 1 / len(weights)))
        np.testing.assert_allclose(learned, START, rtol=1e-12)

    def test_no_episode(self):
        blocks, codes, people = planted(n_people=2)
        grams = torch.from_numpy(np.stack([X @ X.T for X in blocks]))
        self.is_start(*learn_numbers(grams, one_hot(codes), people, [], []))

    def test_one_person(self):
        blocks, codes, people = planted(n_people=1)
        self.is_start(*learn(blocks, codes, people))

    def test_a_class_that_one_person_alone_has(self):
        blocks, codes, people = planted(n_people=4)
        kept = (codes < 2) | (people == 0)
        weights, learned = learn([X[kept] for X in blocks], codes[kept], people[kept])
        assert np.isfinite([*weights, *learned]).all()

    def test_a_last_class_that_nobody_shows_twice(self):
        blocks, codes, people = planted(n_people=4)
        kept = (codes < 2) | (np.arange(len(codes)) % 3 == 0)
        weights, learned = learn([X[kept] for X in blocks], codes[kept], people[kept])
        assert np.isfinite([*weights, *learned]).all()

    def test_constant_features(self):
        _, codes, people = planted(n_people=3)
        weights, learned = learn([np.zeros((len(codes), 1))], codes, people)
        assert np.isfinite([*weights, *learned]).all()
