"""FittedModel: from clips to features, from a population and a support to scores."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax

from stf2m_sk.fitted import measured_parts
from stf2m_sk.nn.recurrence import answer
from stf2m_sk.person import PersonMean, Support, join_labels

LAW = settings(max_examples=25, deadline=None)


class TestSupport:
    @LAW
    @given(
        order=st.permutations(range(8)),
        cut=st.integers(1, 7),
        labels=st.lists(st.sampled_from("abc"), min_size=8, max_size=8),
        values=st.lists(st.sampled_from([-1.5, 0.0, 2.0]), min_size=16, max_size=16),
    )
    def test_order_of_arrival_means_nothing(self, order, cut, labels, values):
        clips, labels = np.reshape(values, (8, 2)), np.array(labels)
        at_once = Support.labelled(clips, labels).joined(None)
        order, joined = np.array(order), None
        for rows in (order[:cut], order[cut:]):
            joined = Support.labelled(clips[rows], labels[rows]).joined(joined)
        assert_array_equal(joined.features, at_once.features)
        assert_array_equal(joined.labels, at_once.labels)
        assert_array_equal(joined.shares.toarray(), at_once.shares.toarray())
        pairs = zip(labels.tolist(), clips.tolist(), strict=True)
        own = joined.labels[joined.first_labels()]
        kept = zip(own.tolist(), joined.features.tolist(), strict=True)
        assert sorted(kept) == sorted(pairs)

    def test_does_not_write_to_its_parts(self):
        old = Support.labelled(np.array([[2.0]]), np.array(["b"]))
        new = Support.labelled(np.array([[1.0]]), np.array(["a"]))
        assert new.joined(old).labels.tolist() == ["a", "b"]
        assert (old.features.item(), new.features.item()) == (2.0, 1.0)
        assert (old.labels.item(), new.labels.item()) == ("b", "a")


class TestJoinLabels:
    @pytest.mark.parametrize(
        ("parts", "joined"),
        [
            ([["a"], ["longer"]], ["a", "longer"]),
            ([[1, 2], [3]], [1, 2, 3]),
            ([[1, 2], [3.0]], [1, 2, 3]),
            ([np.array(["a"], dtype=object), np.array(["b"])], ["a", "b"]),
            ([np.array([2**53 + 1]), np.array([1], dtype=np.uint64)], [2**53 + 1, 1]),
            ([np.array([2**53 + 1]), np.array([1.0])], [2**53 + 1, 1]),
        ],
    )
    def test_labels_stay_what_they_are(self, parts, joined):
        result = join_labels([np.asarray(part) for part in parts]).tolist()
        # As integers, since Python finds 2**53 + 1 and the float nearest to it different.
        assert [label if isinstance(label, str) else int(label) for label in result] == joined

    @pytest.mark.parametrize(
        "parts",
        [
            [np.array(["a"]), np.array([1])],
            [np.array([1.0]), np.array(["1"])],
            [np.array([True]), np.array(["a"])],
            [np.array(["a"], dtype=object), np.array([1])],
        ],
    )
    def test_text_and_numbers_are_refused(self, parts):
        with pytest.raises(TypeError, match="cannot be mixed; give all as text or all as numbers"):
            join_labels(parts)


class TestEmbed:
    def test_is_what_the_module_says(self, with_networks, people):
        model = with_networks.model_
        views = people.views.astype(np.float32)
        with torch.no_grad():
            expected = model.module([torch.from_numpy(views[name]) for name in views.names])
        features = model.embed(views)
        assert features.dtype == torch.float32
        assert_array_equal(features, expected)
        assert not features.requires_grad

    def test_double_precision(self, with_networks, people):
        model = with_networks.model_
        features = model.embed(people.views)
        assert features.dtype == torch.float64
        assert_allclose(features, model.embed(people.views.astype(np.float32)), rtol=0, atol=1e-3)
        assert {p.dtype for p in model.module.parameters()} == {torch.float32}

    def test_measured_parts_end_where_no_clip_goes_on(self, people):
        name = people.views.names[0]
        part = people.views[name].copy()
        part[:, :, -3:] = np.nan
        views = type(people.views)({name: part, "none": np.full((len(part), 1, 4), np.nan)})
        parts = measured_parts(views)
        assert [p.shape[2] for p in parts] == [part.shape[2] - 3, 1]
        assert all(p.dtype == np.float32 for p in parts)


def test_is_immutable(lasting):
    with pytest.raises(FrozenInstanceError):
        lasting.model_.classes = np.array(["a"])


def design(codes, n_classes):
    """Targets +1 and -1."""
    return 2.0 * np.eye(n_classes)[codes] - 1.0


class TestAgainstADenseGaussianProcess:
    """NumPy, from the features alone: covariances of all clips, one solve, nothing else.

    score = w'(x - s) + u_person, w ~ N(0, I), u ~ N(0, beta); targets +1 / -1 with noise 1 for a
    clip of the population, class shares removed; noise 1 / omega for a labelled clip of the person,
    whose level varies less by the share of the shift that is known, and as far as the labels are
    spread over the emotions. A new emotion: targets are 0
    for all clips of the population and every known emotion has a level with a flat prior.
    """

    FLAT = 1e7

    @pytest.fixture
    def model(self, lasting):
        return lasting.model_

    @pytest.fixture
    def trained(self, model, people):
        """Features of the population as they were summarised: all its directions are kept."""
        directions = model.population.directions.numpy()
        features = model.embed(people.views.astype(np.float32)).double().numpy()
        left = features - features @ directions @ directions.T
        assert np.abs(left).max() < 1e-4 * np.abs(features).max()
        return features

    @pytest.mark.parametrize("known", [False, True], ids=["", "unlabelled"])
    @pytest.mark.parametrize("n_support", [0, 5, 9])
    def test_means_variances_and_probabilities(self, model, trained, people, known, n_support):
        self.compare(model, trained, people, known, n_support)

    @pytest.mark.parametrize("known", [False, True], ids=["", "unlabelled"])
    def test_labels_of_one_emotion(self, model, trained, people, known):
        self.compare(model, trained, people, known, 5, only="zest")

    def compare(self, model, trained, people, known, n_support, only=None):
        names, codes = np.unique(people.target, return_inverse=True)
        _, persons = np.unique(people.groups, return_inverse=True)
        numbers = model.numbers
        beta, omega = numbers.person_variance, numbers.support_precision
        classes = np.array([*names, "zest"])
        labels = people.new_target.copy()
        labels[::4] = "zest"
        labels = labels if only is None else np.full(len(labels), only)
        own = model.embed(people.new_views).numpy()
        support, query = own[:n_support], own
        directions = model.population.directions.numpy()

        # What the person's clips show of their shift, and what is left of people's differences.
        share, shift = 0.0, np.zeros(own.shape[1])
        if known:
            share = len(own) / (len(own) + numbers.shift_clips)
            shift = share * own.mean(axis=0)
        same = persons[:, None] == persons
        within = np.eye(len(persons)) - same / same.sum(axis=1)[:, None]
        # The person's mean is kept by 1 - share in features; labels stay as they are.
        population = trained @ directions @ directions.T
        means = population - within @ population
        population = within @ population + (1.0 - share) * means
        support, query = support - shift, query - shift
        shares = np.bincount(codes) / len(codes)
        counts = np.array([np.sum(labels[:n_support] == name) for name in classes])
        given = counts[counts > 0] / max(n_support, 1)
        spread = (np.exp(-(given * np.log(given)).sum()) - 1.0) / 3.0 if n_support else 1.0

        def solve(targets, levels):
            everything = np.concatenate([population, support, query])
            gram = everything @ everything.T
            n, m = len(population), len(population) + len(support)
            covariance = gram.copy()
            covariance[:n, :n] += beta * same + levels
            covariance[n:, n:] += beta * (1.0 - share) * spread  # most of the level is the shift
            noise = np.r_[np.ones(n), np.full(len(support), 1.0 / omega)]
            seen = covariance[:m, :m] + np.diag(noise)
            gain = np.linalg.solve(seen, covariance[:m, m:]).T
            mean = gain @ targets
            variance = np.diag(covariance[m:, m:]) - (gain * covariance[:m, m:].T).sum(axis=1)
            return mean, variance

        own_codes = np.searchsorted(classes, labels[:n_support])
        of_support = design(own_codes, 4)
        centred = 2.0 * (np.eye(3)[codes] - shares)
        mean, variance = np.empty((9, 4)), np.empty((9, 4))
        for c in range(3):
            targets = np.r_[centred[:, c], of_support[:, c]]
            mean[:, c], variance[:, c] = solve(targets, 0.0)
        levels = self.FLAT * (codes[:, None] == codes)
        targets = np.r_[np.zeros(len(codes)), of_support[:, 3]]
        mean[:, 3], variance[:, 3] = solve(targets, levels)

        person = model_for(model, own, known)
        state = person.state_of(
            Support.labelled(own[:n_support], labels[:n_support]) if n_support else None, classes
        )
        found, spread = answer(state, torch.from_numpy(own))
        assert_allclose(found, mean, rtol=0, atol=2e-4)
        assert_allclose(spread, variance, rtol=2e-4, atol=2e-4)
        scaled = numbers.temperature * mean / np.sqrt(1.0 + numbers.variance_factor * variance)
        logits = person.derived(classes=classes).logits_of(state, torch.from_numpy(own))
        assert_allclose(softmax(logits, axis=1), softmax(scaled, axis=1), rtol=0, atol=1e-4)

    def test_the_classifier_says_the_same(self, lasting, people):
        """From clips to probabilities, by the parts that the test above compares."""
        labels = people.new_target.copy()
        labels[::4] = "zest"
        classes = [*np.unique(people.target), "zest"]
        adapted = lasting.adapt(
            people.new_views[:5], labels[:5], unlabelled=people.new_views, classes=classes
        )
        own = lasting.model_.embed(people.new_views)
        person = model_for(lasting.model_, own.numpy(), True).derived(classes=np.array(classes))
        state = person.state_of(Support.labelled(own.numpy()[:5], labels[:5]), np.array(classes))
        expected = softmax(person.logits_of(state, own).numpy(), axis=1)
        assert_allclose(adapted.predict_proba(people.new_views), expected, rtol=0, atol=1e-10)


def model_for(model, own, known):
    """The model of a person, with or without their unlabelled clips."""
    person = PersonMean(own.mean(axis=0), len(own)) if known else None
    return model.derived(person=person)
