"""From a population and a support to the state of every class."""

import copy
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from stf2m_sk import Views, personalisation
from stf2m_sk.nn.knowledge import MetaKnowledge, gather_knowledge
from stf2m_sk.nn.module import STF2MModule
from stf2m_sk.nn.sizes import ModuleSizes
from stf2m_sk.personalisation import (
    Support,
    embed_parts,
    embed_views,
    join_labels,
    merge,
    read_support,
)

LAW = settings(max_examples=25, deadline=None)
SIZES = ModuleSizes(
    n_channels=[2, 1],
    n_timesteps=[12, 5],
    hidden_dim=4,
    embedding_dim=4,
    n_blocks=1,
    n_kernels=4,
    kernel_dim=4,
    n_rules=2,
    rule_dim=3,
    consequent_dim=4,
    dropout=0.5,
)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def views():
    generator = np.random.default_rng(0)
    arrays = {"a": generator.normal(size=(15, 2, 12)), "b": generator.normal(size=(15, 1, 5))}
    arrays["a"][4] = np.nan
    arrays["b"][7:9, :, 3:] = np.nan
    return Views(arrays)


@pytest.fixture(scope="module")
def module(views):
    generator = torch.Generator().manual_seed(0)
    module = STF2MModule(SIZES, generator=generator)
    signals = [torch.from_numpy(views[name].astype(np.float32)) for name in views.names]
    module.calibrate(signals, generator=generator)
    points = module.aim_rules(module.prepare(signals))
    module.set_rules(points, points[:2], torch.ones(2, 3))
    return module.eval()


@pytest.fixture(scope="module")
def embeddings(module, views):
    return embed_views(module, views, CPU)


@pytest.fixture(scope="module")
def population(module, embeddings):
    membership = torch.eye(3, dtype=torch.float64).repeat(5, 1)
    familiar = embeddings[:, : module.embedding_size]
    return gather_knowledge(familiar, membership, torch.ones(15, dtype=torch.float64))


def support_of(rows, labels, embeddings):
    return merge(None, Support(embeddings.numpy()[rows], np.asarray(labels)))


@pytest.fixture(scope="module")
def support(embeddings):
    return support_of([0, 1, 3, 5, 8], ["b", "b", "d", "new", "other"], embeddings)


class TestMerge:
    @LAW
    @given(
        order=st.permutations(range(8)),
        cut=st.integers(0, 8),
        labels=st.lists(st.sampled_from("abc"), min_size=8, max_size=8),
        values=st.lists(st.sampled_from([-1.5, 0.0, 2.0]), min_size=16, max_size=16),
    )
    def test_order_of_arrival_means_nothing(self, order, cut, labels, values):
        clips, labels = np.reshape(values, (8, 2)), np.array(labels)
        at_once = merge(None, Support(clips, labels))
        order = np.array(order)
        merged = None
        for rows in (order[:cut], order[cut:]):
            merged = merge(merged, Support(clips[rows], labels[rows]))
        assert_array_equal(merged.embeddings, at_once.embeddings)
        assert_array_equal(merged.labels, at_once.labels)
        pairs = zip(labels.tolist(), clips.tolist(), strict=True)
        kept = list(zip(merged.labels.tolist(), merged.embeddings.tolist(), strict=True))
        assert sorted(kept) == sorted(pairs)
        assert merged.labels.tolist() == sorted(labels)

    def test_does_not_write_to_its_parts(self):
        old = Support(np.array([[2.0]]), np.array(["b"]))
        new = Support(np.array([[1.0]]), np.array(["a"]))
        merge(old, new)
        assert (old.embeddings.item(), new.embeddings.item()) == (2.0, 1.0)
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


class TestEmbedViews:
    def test_is_what_the_module_says(self, module, views):
        signals = [torch.from_numpy(views[name].astype(np.float32)) for name in views.names]
        with torch.no_grad():
            expected = module.read(signals)
        embedded = embed_views(module, views.astype(np.float32), CPU)
        assert embedded.dtype == torch.float32
        assert_array_equal(embedded, expected)
        assert not embedded.requires_grad

    def test_double_precision(self, module, views, embeddings):
        assert embeddings.dtype == torch.float64
        assert_allclose(
            embeddings, embed_views(module, views.astype(np.float32), CPU), rtol=0, atol=1e-4
        )
        assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}

    @pytest.mark.parametrize("at_once", [1, 4, 15, 16])
    def test_in_parts(self, module, views, embeddings, monkeypatch, at_once):
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", at_once)
        assert_allclose(embed_views(module, views, CPU), embeddings, rtol=0, atol=1e-12)


class TestEmbedParts:
    def test_are_made_one_at_a_time_and_let_go(self, module, views, embeddings, monkeypatch):
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", 4)
        parts = embed_parts(module, views, CPU)
        gone, rows = [], []
        for part in parts:
            assert all(reference() is None for reference in gone[:-1])
            gone.append(weakref.ref(part))
            rows.append(part.clone())
            assert not part.requires_grad
        assert [len(part) for part in rows] == [4, 4, 4, 3]
        assert_allclose(torch.cat(rows), embeddings, rtol=0, atol=1e-12)

    def test_leave_gradients_on_between_them(self, module, views, monkeypatch):
        monkeypatch.setattr(personalisation, "_CLIPS_AT_ONCE", 8)
        for _ in embed_parts(module, views, CPU):
            assert torch.is_grad_enabled()


class TestReadSupport:
    NAMES = np.array(["b", "d", "f"])

    def read(self, module, population, support, classes, names=NAMES):
        return read_support(module, population, names, support, np.array(classes))

    def test_without_support_is_the_populations_ridge_regression(
        self, module, population, embeddings
    ):
        classes = self.read(module, population, None, ["b", "d", "f"])
        ridge = module.learner.ridge(module.block_sizes).detach().double().numpy()
        familiar = embeddings.numpy()[:, : module.embedding_size]
        weights = np.linalg.solve(
            population.precision.numpy() + np.diag(ridge), population.evidence.numpy()
        )
        design = np.c_[familiar, np.ones(15)]
        scale = np.exp(classes.log_scale.item())
        assert_allclose(classes.logits(embeddings), design @ weights * scale, rtol=1e-8)

    def test_a_support_is_read_with_what_is_novel_in_it(
        self, module, population, embeddings, support
    ):
        """One exact step: a ridge regression in which the population has zeros there."""
        module = copy.deepcopy(module)
        with torch.no_grad():
            module.learner.shift_share.zero_()
        classes = self.read(module, population, support, ["b", "d", "f"])
        n_familiar = module.embedding_size
        n_novel = sum(module.novelty_sizes)
        clips = support.embeddings
        assert clips.shape[1] == n_familiar + n_novel
        design = np.c_[clips[:, :n_familiar], np.ones(5), clips[:, n_familiar:]]
        weight = np.exp(module.learner.log_support_weight.item())
        ridge = module.ridge(n_support=5).detach().double().numpy()
        precision = np.pad(population.precision.numpy(), (0, n_novel)) + np.diag(ridge)
        evidence = np.pad(population.evidence.numpy(), ((0, n_novel), (0, 0)))
        # Clips of other emotions than those asked about are clips of none of them.
        targets = np.where(support.labels[:, None] == np.array(["b", "d", "f"]), 1.0, -1.0)
        weights = np.linalg.solve(
            precision + weight * design.T @ design, evidence + weight * design.T @ targets
        )
        assert_allclose(classes.weights, weights, rtol=1e-6, atol=1e-8)
        assert np.abs(weights[-n_novel:]).max() > 1e-3

    def test_some_classes_of_the_population(self, module, population, embeddings):
        everything = self.read(module, population, None, ["b", "d", "f"]).logits(embeddings)
        some = self.read(module, population, None, ["b", "f"]).logits(embeddings)
        assert_allclose(some, everything[:, [0, 2]], rtol=0, atol=1e-10)

    @pytest.mark.parametrize("unknown", ["a", "c", "e", "g", ""])
    def test_unknown_classes_wherever_they_sort(self, module, population, embeddings, unknown):
        everything = self.read(module, population, None, ["b", "d", "f"]).logits(embeddings)
        classes = sorted(["b", "d", unknown])
        answer = self.read(module, population, None, classes).logits(embeddings)
        columns = [classes.index("b"), classes.index("d")]
        assert_allclose(answer[:, columns], everything[:, :2], rtol=0, atol=1e-10)
        expected = self.read(module, population, None, ["b", "d", "zzz"]).logits(embeddings)
        assert_allclose(answer[:, classes.index(unknown)], expected[:, 2], rtol=0, atol=1e-10)

    @LAW
    @given(order=st.permutations(range(3)))
    def test_renaming_everything_renames_the_answer(self, module, population, embeddings, order):
        """Also in another order: the population's columns are put where the new names sort."""
        rows, labels = [0, 1, 3, 5, 8], np.array(["b", "b", "d", "f", "new"])
        new_names = np.array(["p", "q", "r"])[list(order)]  # of b, d and f
        rename = dict(zip(["b", "d", "f", "new"], [*new_names, "o"], strict=True))
        columns = np.argsort(new_names)
        renamed = population._replace(
            evidence=population.evidence[:, columns],
            prototypes=population.prototypes[columns],
            known=population.known[columns],
        )
        expected = self.read(
            module, population, support_of(rows, labels, embeddings), ["b", "d", "f", "new"]
        )
        support = support_of(rows, [rename[label] for label in labels], embeddings)
        classes = sorted(rename.values())
        answer = self.read(module, renamed, support, classes, names=new_names[columns])
        places = [classes.index(rename[name]) for name in ("b", "d", "f", "new")]
        assert_allclose(
            answer.logits(embeddings)[:, places],
            expected.logits(embeddings),
            rtol=0,
            atol=1e-8,
        )

    @LAW
    @given(order=st.permutations(range(5)))
    def test_order_of_the_classes(self, module, population, embeddings, support, order):
        classes = np.array(["b", "d", "f", "new", "other"])
        expected = self.read(module, population, support, classes).logits(embeddings)
        answer = self.read(module, population, support, classes[order]).logits(embeddings)
        assert_allclose(answer, expected[:, list(order)], rtol=0, atol=1e-8)

    def test_changes_neither_module_nor_population(self, module, population, embeddings, support):
        weights = {name: value.clone() for name, value in module.state_dict().items()}
        before = MetaKnowledge(*(part.clone() for part in population))
        self.read(module, population, support, ["b", "new", "other", "d"])
        assert all((module.state_dict()[name] == weights[name]).all() for name in weights)
        assert all(map(torch.equal, population, before))

    def test_is_double_precision_without_gradients(self, module, population, support):
        for given_support in (None, support):
            state = self.read(module, population, given_support, ["b", "d", "new", "other"])
            assert {part.dtype for part in state} == {torch.float64}
            assert not any(part.requires_grad for part in state)
