"""The Gaussian model, against a dense Gaussian process in NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.population import Numbers, PersonSums, condition, shift_known, summarise
from stf2m_sk.nn.readout import logits
from stf2m_sk.nn.recurrence import answer, solve_support, start, update

laws = settings(deadline=None, max_examples=40)
NUMBERS = Numbers(
    person_variance=0.7,
    support_precision=4.0,
    shift_clips=10.0,
    temperature=2.0,
    variance_factor=1.0,
    network_gain=0.5,
    network_noise=0.8,
)


def shares_of(codes, n_classes, soft, source):
    """One-hot, or mixed with random shares."""
    return (1 - soft) * np.eye(n_classes)[codes] + soft * source.dirichlet(
        np.ones(n_classes), size=len(codes)
    )


class Case:
    """A random population, and clips of a new person.

    Features of the population lie in `n_directions` orthonormal directions; those of the new
    person need not.
    """

    def __init__(
        self,
        seed=0,
        *,
        n_features=5,
        n_directions=None,
        clips_of_people=(6, 3, 9, 1),
        n_known=3,
        place=(0, 1, 2),
        n_support=6,
        known=0.0,
        numbers=NUMBERS,
        soft=0.0,
    ):
        source = np.random.default_rng(seed)
        n_directions = n_features if n_directions is None else min(n_directions, n_features)
        self.numbers, self.known, self.n_known = numbers, known, n_known
        self.people = np.repeat(np.arange(len(clips_of_people)), clips_of_people)
        n = len(self.people)
        self.codes = source.permutation(np.arange(n) % n_known)
        orthogonal = np.linalg.qr(source.normal(size=(n_features, n_features)))[0]
        self.directions = orthogonal[:, :n_directions]
        self.X = source.normal(size=(n, n_directions)) @ self.directions.T
        self.X += source.normal(size=(len(clips_of_people), n_directions))[self.people] @ (
            self.directions.T
        )
        self.place = np.array(place)
        self.mean = source.normal(size=n_features)
        self.support = source.normal(size=(n_support, n_features))
        self.support_codes = source.integers(0, len(place), size=n_support)
        self.shares = shares_of(self.codes, n_known, soft, source)
        self.support_shares = shares_of(self.support_codes, len(place), soft, source)
        self.query = source.normal(size=(4, n_features))

    def population(self, *, parts=1):
        directions = torch.from_numpy(self.directions)
        sums = PersonSums.zeros(self.people.max() + 1, directions.shape[1], self.n_known)
        for rows in np.array_split(np.arange(len(self.X)), parts):
            projected = torch.from_numpy(self.X[rows]) @ directions
            given_ = (torch.from_numpy(each[rows]) for each in (self.people, self.shares))
            sums.add(projected, *given_)
        return summarise(sums, directions, self.numbers.person_variance)

    def start(self):
        mean = torch.from_numpy(self.mean) if self.known else None
        population = self.population()
        prior = condition(population, mean, self.known)
        place = torch.from_numpy(self.place)
        return start(prior, population.directions, self.numbers, place)

    def updated(self, parts=1, order=None):
        state = self.start()
        rows = np.arange(len(self.support)) if order is None else order
        for own in np.array_split(rows, parts):
            features = torch.from_numpy(self.support[own])
            state = update(state, features, torch.from_numpy(self.support_shares[own]))
        return state

    def answer(self, *, parts=1, order=None):
        means, variances = answer(self.updated(parts, order), torch.from_numpy(self.query))
        return means.numpy(), variances.numpy()

    def dense(self):
        """The same by the textbook: one kernel matrix of all clips, nothing summed up."""
        rho, beta = self.known, self.numbers.person_variance
        people = self.people
        X = self.X - rho * np.array([self.X[people == p].mean(0) for p in people])
        covariance = X @ X.T + beta * (people[:, None] == people) + np.eye(len(X))
        inverse = np.linalg.inv(covariance)
        shown = self.shares
        residual = 2.0 * (shown - shown.mean(0))
        # A flat prior on the level of every known emotion, eliminated (universal kriging).
        solved = inverse @ shown
        flat = inverse - solved @ np.linalg.solve(shown.T @ solved, solved.T)
        shift = rho * self.mean
        S, Q = self.support - shift, self.query - shift
        columns = []
        for c, place in enumerate(self.place):
            if place >= 0:
                weights = X.T @ inverse @ residual[:, place]
                spread = np.eye(X.shape[1]) - X.T @ inverse @ X
            else:
                weights = X.T @ flat @ -np.ones(len(X))
                spread = np.eye(X.shape[1]) - X.T @ flat @ X
            inner = S @ spread @ S.T + beta + np.eye(len(S)) / self.numbers.support_precision
            cross = Q @ spread @ S.T + beta
            target = 2.0 * self.support_shares[:, c] - 1.0
            mean = Q @ weights + cross @ np.linalg.solve(inner, target - S @ weights)
            gained = np.einsum("ij,ji->i", cross, np.linalg.solve(inner, cross.T))
            columns.append((mean, np.einsum("ij,jk,ik->i", Q, spread, Q) + beta - gained))
        return tuple(np.stack(each, axis=1) for each in zip(*columns, strict=True))


def assert_equal(found, expected, tolerance=1e-8):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance)


@st.composite
def cases(draw):
    n_known = draw(st.integers(2, 4))
    n_people = draw(st.integers(1, 4))
    sizes = [draw(st.integers(1, 9)) for _ in range(n_people)]
    sizes[0] += n_known  # every class has a clip
    columns = list(range(n_known))
    place = draw(st.permutations(columns))[: draw(st.integers(0, n_known))]
    place = [*place, *[-1] * draw(st.integers(0 if place else 1, 2))]
    return Case(
        draw(st.integers(0, 2**32 - 1)),
        n_features=draw(st.integers(1, 7)),
        n_directions=draw(st.integers(1, 7)),
        clips_of_people=sizes,
        n_known=n_known,
        place=draw(st.permutations(place)),
        n_support=draw(st.sampled_from([0, 1, 2, 5, 30])),
        known=draw(st.sampled_from([0.0, 0.4, 1.0])),
        soft=draw(st.sampled_from([0.0, 0.6])),
        numbers=NUMBERS._replace(
            person_variance=draw(st.sampled_from([0.0, 0.3, 20.0])),
            support_precision=draw(st.sampled_from([0.1, 1.0, 50.0])),
        ),
    )


class TestAgainstADenseGaussianProcess:
    @settings(deadline=None, max_examples=150)
    @given(cases())
    def test_means_and_variances(self, case):
        assert_equal(case.answer(), case.dense())

    @pytest.mark.parametrize(
        "changed",
        [
            pytest.param({"n_support": 0}, id="zero shots"),
            pytest.param({"n_support": 60}, id="more clips than features"),
            pytest.param({"n_support": 5, "n_features": 4}, id="as many rows as columns"),
            pytest.param({"place": (-1, -1)}, id="new emotions only"),
            pytest.param({"place": (2, -1, 0, 1)}, id="new and known"),
            pytest.param({"place": (1,)}, id="one emotion"),
            pytest.param({"clips_of_people": (12,)}, id="one person"),
            pytest.param({"clips_of_people": (1,) * 12}, id="one clip a person"),
            pytest.param({"numbers": NUMBERS._replace(person_variance=0.0)}, id="no levels"),
            pytest.param({"known": 0.6}, id="shift"),
            pytest.param({"known": 1.0, "place": (0, 1, 2, -1)}, id="shift known for certain"),
            pytest.param({"n_directions": 2}, id="clips outside of the directions"),
        ],
    )
    def test_in_particular(self, changed):
        case = Case(**changed)
        assert_equal(case.answer(), case.dense())

    def test_a_flat_prior_is_the_limit_of_a_wide_one(self):
        case = Case(place=(-1,), n_support=0)
        X, levels = case.X, np.eye(3)[case.codes]
        same = case.people[:, None] == case.people
        wide = X @ X.T + 0.7 * same + np.eye(len(X)) + 1e6 * levels @ levels.T
        spread = np.eye(5) - X.T @ np.linalg.solve(wide, X)
        expected = np.einsum("ij,jk,ik->i", case.query, spread, case.query) + 0.7
        np.testing.assert_allclose(case.answer()[1][:, 0], expected, rtol=1e-4)

    def test_a_new_emotion_is_known_less_well_than_a_known_one(self):
        _, variances = Case(place=(0, -1), n_support=0).answer()
        assert (variances[:, 1] > variances[:, 0]).all()

    def test_far_more_clips_than_features_in_little_memory(self):
        state = Case(n_support=5000).updated(parts=3)
        assert state.support.shape == (6, 6)


class TestNetworks:
    @laws
    @given(cases(), st.integers(0, 2**32 - 1))
    def test_are_one_more_noisy_observation_of_each_score(self, case, seed):
        means, variances = case.answer()
        source = np.random.default_rng(seed)
        scores = source.normal(size=(len(means), case.n_known))
        mean_scores = source.normal(size=case.n_known)  # of the person's unlabelled clips
        with_scores = np.column_stack([case.query, scores])
        if case.known:
            case.mean = np.append(case.mean, mean_scores)
            case.support = np.pad(case.support, ((0, 0), (0, case.n_known)))
            scores = scores - case.known * mean_scores
        state = case.updated()
        found = [part.numpy() for part in answer(state, torch.from_numpy(with_scores))]
        gain, noise = case.numbers.network_gain, case.numbers.network_noise
        for column, place in enumerate(case.place):
            mean, variance = means[:, column], variances[:, column]
            if place >= 0:  # the product of two Gaussian densities
                precision = 1 / variance + 1 / noise
                mean = (mean / variance + gain * scores[:, place] / noise) / precision
                variance = 1 / precision
            np.testing.assert_allclose(found[0][:, column], mean, rtol=0, atol=1e-8)
            np.testing.assert_allclose(found[1][:, column], variance, rtol=0, atol=1e-8)

    def test_scores_beside_a_labelled_clip_do_not_count(self):
        case = Case()
        plain = case.updated()
        features = torch.from_numpy(np.column_stack([case.support, np.ones((6, 3))]))
        state = update(case.start(), features, torch.from_numpy(case.support_shares))
        torch.testing.assert_close(state.inner, plain.inner)
        torch.testing.assert_close(state.dual, plain.dual)


class TestRecurrence:
    @laws
    @given(cases(), st.randoms(use_true_random=False))
    def test_one_by_one_in_chunks_or_at_once_in_any_order(self, case, random):
        n = len(case.support)
        once = case.answer()
        order = random.sample(range(n), n)
        assert_equal(case.answer(parts=max(1, n)), once, 1e-9)
        assert_equal(case.answer(parts=3, order=np.array(order, int)), once, 1e-9)

    def test_a_state_is_never_changed(self):
        case = Case()
        state = case.start()
        before = [part.clone() for part in (state.inner, state.support, state.dual)]
        update(state, torch.from_numpy(case.support), torch.from_numpy(case.support_shares))
        after = (state.inner, state.support, state.dual)
        assert all(map(torch.equal, before, after))

    @laws
    @given(cases(), st.integers(0, 2**32 - 1))
    def test_permuting_classes_permutes_the_answer(self, case, seed):
        source = np.random.default_rng(seed)
        means, variances = case.answer()
        of_known, of_answers = (source.permutation(n) for n in (case.n_known, len(case.place)))
        case.shares = case.shares[:, of_known]
        place = np.where(case.place >= 0, np.argsort(of_known)[case.place], -1)
        case.place = place[of_answers]
        case.support_shares = case.support_shares[:, of_answers]
        assert_equal(case.answer(), (means[:, of_answers], variances[:, of_answers]), 1e-9)

    @laws
    @given(cases())
    def test_more_clips_never_raise_a_variance(self, case):
        fewer = answer(case.start(), torch.from_numpy(case.query))[1].numpy()
        assert (case.answer()[1] <= fewer + 1e-9).all()

    def test_a_clip_of_an_emotion_raises_its_score_there(self):
        case = Case(n_support=1, place=(0, 1, -1))
        case.query = case.support
        before = answer(case.start(), torch.from_numpy(case.query))[0].numpy()[0]
        change = case.answer()[0][0] - before
        shown = case.support_codes[0]
        assert change[shown] > 0
        assert (np.delete(change, shown) < 0).all()


class TestSums:
    @pytest.mark.parametrize("parts", [2, 7, 19])
    def test_in_parts_equal_sums_at_once(self, parts):
        once, in_parts = Case().population(), Case().population(parts=parts)
        assert_equal(in_parts, once, 1e-11)

    @pytest.mark.parametrize("beta", [0.0, 0.7])
    def test_equal_explicit_matrices(self, beta):
        case = Case(numbers=NUMBERS._replace(person_variance=beta))
        population, Z = case.population(), case.X @ case.directions
        same = case.people[:, None] == case.people
        average = same / same.sum(1)
        within = np.eye(len(Z)) - average
        between = average @ np.linalg.inv(np.eye(len(Z)) + beta * same) @ average
        labels = np.eye(3)[case.codes]
        expected = {
            "within": Z.T @ within @ Z,
            "between": Z.T @ between @ Z,
            "within_labels": Z.T @ within @ labels,
            "between_labels": Z.T @ between @ labels,
            "counts": labels.T @ (within + between) @ labels,
            "shares": labels.mean(0),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(getattr(population, name), values, atol=1e-10)

    def test_float32_features_are_added_up_in_float64(self):
        sums = PersonSums.zeros(1, 2, 2)
        features = torch.tensor([[1.0, 2.0]]).repeat(3, 1)
        sums.add(features, torch.zeros(3).long(), torch.eye(2)[[0, 1, 1]])
        assert {part.dtype for part in sums} == {torch.float64}
        assert sums.products.tolist() == [[3.0, 6.0], [6.0, 12.0]]
        assert sums.by_label.tolist() == [[1.0, 2.0], [2.0, 4.0]]

    def test_people_without_a_clip_count_for_nothing(self):
        case = Case()
        expected = case.population()
        case.people = case.people + 2
        assert_equal(case.population(), expected, 1e-12)


class TestLittleThings:
    def test_half_of_a_shift_is_known_from_as_many_clips_as_the_number_says(self):
        assert shift_known(10, NUMBERS) == 0.5
        assert shift_known(0, NUMBERS) == 0.0
        assert shift_known(30, NUMBERS) == 0.75

    def test_the_shift_is_the_known_share_of_the_mean(self):
        prior = condition(Case().population(), torch.arange(5.0), 0.25)
        np.testing.assert_allclose(prior.shift, [0, 0.25, 0.5, 0.75, 1.0])
        assert (condition(Case().population()).shift == 0).all()

    def test_logits_by_hand(self):
        means, variances = torch.tensor([2.0, -1.0, 3.0]), torch.tensor([0.0, 3.0, -1e-9])
        scaled = logits(means, variances, 2.0, 1.0)
        np.testing.assert_allclose(scaled, [4.0, -1.0, 6.0], rtol=1e-6)

    def test_solve_support_solves_batches(self):
        source = np.random.default_rng(0)
        roots = source.normal(size=(3, 4, 4))
        covariance, residual = roots @ roots.transpose(0, 2, 1), source.normal(size=(3, 4, 2))
        dual, factor = solve_support(*map(torch.from_numpy, (covariance, residual)), 2.0)
        noisy = covariance + np.eye(4) / 2.0
        np.testing.assert_allclose(dual, np.linalg.solve(noisy, residual), rtol=1e-9)
        np.testing.assert_allclose(factor @ factor.mT, noisy, rtol=1e-12)
        np.testing.assert_array_equal(factor, np.tril(factor))

    def test_answers_in_float32_are_close(self):
        case = Case(n_support=20)
        means, variances = case.answer()
        state = case.updated()

        def single(part):
            if isinstance(part, torch.Tensor):
                return part.float() if part.is_floating_point() else part
            if isinstance(part, tuple) and not isinstance(part, Numbers):
                parts = [single(each) for each in part]
                return type(part)(*parts) if hasattr(part, "_fields") else tuple(parts)
            return part

        found = answer(single(state), torch.from_numpy(case.query).float())
        assert {part.dtype for part in found} == {torch.float32}
        assert_equal(found, (means, variances), 1e-4)
