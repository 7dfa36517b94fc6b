"""The ridge that cross-validation chooses."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold

from stf2m_sk.training import ridge as ridge_file
from stf2m_sk.training.ridge import choose_ridges, choose_rules_share


def clips(n_people=10, n_clips=20, person_noise=0.0, clip_noise=0.1, dim=30, seed=0):
    """Two classes apart along one direction; each person, and each clip, is shifted."""
    generator = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_people), n_clips)
    codes = np.tile([0, 1], n_people * n_clips // 2)
    people = generator.normal(size=(n_people, 2, dim)) * person_noise
    embeddings = people[groups, codes] + clip_noise * generator.normal(size=(len(codes), dim))
    embeddings[:, 0] += np.where(codes == 1, 0.3, -0.3)
    return torch.from_numpy(embeddings).float(), torch.eye(2)[codes], groups


def both(embeddings, membership, groups, level=None):
    """Ridge of the course and of the level; by default the level says nothing."""
    level = torch.zeros(len(embeddings), 1) if level is None else level
    return choose_ridges(embeddings, level, membership, groups, np.random.RandomState(0))


def choose(embeddings, membership, groups):
    return both(embeddings, membership, groups)[0]


class TestChoice:
    def test_is_that_of_scikit_learn(self):
        embeddings, membership, groups = clips(person_noise=0.3)
        X, targets = embeddings.double().numpy(), 2.0 * membership.double().numpy() - 1.0
        X = np.hstack([X, np.ones((len(X), 1))])
        errors = []
        for ridge in ridge_file._RIDGES:
            folds = GroupKFold(5).split(X, groups=groups)
            errors.append(
                sum(
                    (
                        (
                            Ridge(ridge, fit_intercept=False).fit(X[a], targets[a]).predict(X[b])
                            - targets[b]
                        )
                        ** 2
                    ).sum()
                    for a, b in folds
                )
            )
        assert choose(embeddings, membership, groups) == ridge_file._RIDGES[np.argmin(errors)]

    def test_people_who_differ_ask_for_more(self):
        embeddings, membership, groups = clips(person_noise=0.5)
        of_people, of_clips = (choose(embeddings, membership, g) for g in (groups, None))
        assert of_people > 3 * of_clips

    def test_noise_asks_for_more(self):
        quiet = clips(clip_noise=0.02)
        loud = clips(clip_noise=1.0)
        assert choose(*loud) > choose(*quiet)

    def test_classes_count_alike(self):
        embeddings, membership, groups = clips(person_noise=0.3, n_clips=12)
        rare = membership[:, 1] == 1
        often = torch.cat([torch.arange(len(rare)), *[torch.nonzero(rare)[:, 0]] * 4])
        again = choose(embeddings[often], membership[often], groups[often.numpy()])
        index = ridge_file._RIDGES.index
        assert abs(index(again) - index(choose(embeddings, membership, groups))) <= 1

    def test_same_seed_same_choice_and_no_global_randomness(self):
        embeddings, membership, _ = clips()
        before = np.random.get_state()[1].tobytes()  # noqa: NPY002
        assert choose(embeddings, membership, None) == choose(embeddings, membership, None)
        assert np.random.get_state()[1].tobytes() == before  # noqa: NPY002


class TestLevel:
    def trust(self, level_shift):
        """How far a level that tells the class is trusted, over the course that tells it too."""
        embeddings, membership, groups = clips(clip_noise=0.3, seed=1)
        generator = np.random.default_rng(2)
        level = torch.from_numpy(0.3 * generator.normal(size=(len(groups), 10))).float()
        level[:, 0] += 0.3 * (2 * membership[:, 1] - 1)
        people = level_shift * generator.normal(size=(10, 2, 10))
        level += torch.from_numpy(people[groups, membership[:, 1].int().numpy()]).float()
        course, of_level = both(embeddings, membership, groups, level)
        return course / of_level

    def test_is_trusted_less_where_people_differ_in_it(self):
        assert self.trust(level_shift=0.0) == pytest.approx(max(ridge_file._TRUSTS))
        assert self.trust(level_shift=1.0) == pytest.approx(min(ridge_file._TRUSTS))


class TestRulesShare:
    @staticmethod
    def share(told_by_rules, groups="people"):
        """Share of rules that tell the classes, or do not, beside kernels that do not."""
        kernels, membership, people = clips(person_noise=0.5)
        kernels[:, 0] = 0.0
        rules = torch.randn(len(kernels), 20, generator=torch.Generator().manual_seed(0))
        if told_by_rules:
            rules = 0.1 * rules
            rules[:, 0] += 0.5 * (2.0 * membership[:, 0] - 1.0)
        groups = people if groups == "people" else None
        return choose_rules_share(kernels, rules, membership, groups, np.random.RandomState(0))

    @pytest.mark.parametrize("groups", ["people", None])
    def test_is_small_where_they_say_nothing_and_large_where_they_do(self, groups):
        assert self.share(False, groups) == min(ridge_file._RULES_SHARES)
        assert self.share(True, groups) >= 1.0

    def test_is_that_of_scikit_learn(self):
        kernels, membership, groups = clips(person_noise=0.3, dim=5)
        rules = kernels.square()
        targets = 2.0 * membership.double().numpy() - 1.0
        errors = []
        for share in ridge_file._RULES_SHARES:
            X = torch.cat([kernels, share**0.5 * rules, torch.ones(200, 1)], dim=1).double().numpy()
            model = Ridge(1.0, fit_intercept=False)
            folds = GroupKFold(5).split(X, groups=groups)
            wrong = [model.fit(X[a], targets[a]).predict(X[b]) - targets[b] for a, b in folds]
            errors.append(sum((one**2).sum() for one in wrong))
        chosen = choose_rules_share(kernels, rules, membership, groups, np.random.RandomState(0))
        assert chosen == ridge_file._RULES_SHARES[np.argmin(errors)]

    def test_too_few_say_nothing(self):
        embeddings, membership, groups = clips(n_people=2, n_clips=4)
        for given in (None, groups):
            given = choose_rules_share(
                embeddings, embeddings, membership, given, np.random.RandomState(0)
            )
            assert given is None


class TestTooFew:
    @pytest.mark.parametrize("groups", [None, np.repeat([0, 1], 4)], ids=["clips", "people"])
    def test_say_nothing(self, groups):
        embeddings, membership, _ = clips(n_people=2, n_clips=4)
        assert both(embeddings, membership, groups) is None

    def test_a_class_of_one_clip_is_no_error(self):
        embeddings, membership, _ = clips(n_people=3, n_clips=4)
        membership = torch.eye(3)[[2] + [0, 1] * 5 + [0]]
        assert choose(embeddings, membership, None) in ridge_file._RIDGES
