"""The torch rule layer, against plain loops in float64, the NumPy rules and gradcheck."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from stf2m_sk.fuzzy import firing_strengths, place_rules
from stf2m_sk.nn.rules import FuzzyRules, normalised_entropy

laws = settings(deadline=None, max_examples=50)  # first calls are slow on a busy machine


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_rules(n_features, n_rules, seed=0):
    """A float64 layer in which everything is drawn, nothing at its start value."""
    source = generator(seed)
    rules = FuzzyRules(n_features, n_rules, generator=source).double()
    for buffer in rules.buffers():
        buffer.copy_(0.5 * torch.randn(buffer.shape, generator=source))
    return rules


def random_consequents(rules, n_outputs, seed=0):
    """What the columns of the design add to each output."""
    size = (rules.n_design, n_outputs)
    return torch.randn(size, dtype=torch.float64, generator=generator(seed + 2))


def loop_rules(base, u, measured):
    """Evaluate the rule equations term by term in NumPy float64."""
    m, s, tau, A, b = base
    n_rules, n_features = m.shape
    firing, output = np.zeros((len(u), n_rules)), np.zeros((len(u), b.shape[1]))
    for i in range(len(u)):
        present = [j for j in range(n_features) if measured[i, j]]
        z = np.zeros(n_rules)
        for r in range(n_rules):
            total = sum(((u[i, j] - m[r, j]) / s[r, j]) ** 2 for j in present)
            if present:
                total *= n_features / len(present)
            z[r] = -tau / n_features**0.5 * 0.5 * total
        firing[i] = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        for r in range(n_rules):
            consequent = b[r] + sum((A[r, :, j] * u[i, j] for j in present), np.zeros(b.shape[1]))
            output[i] += firing[i, r] * consequent
    return firing, output


@st.composite
def layer_cases(draw):
    """A layer, inputs and a mask."""
    sizes = [draw(st.integers(1, top)) for top in (8, 5)]
    seed = draw(st.integers(0, 2**32 - 1))
    rules = random_rules(*sizes, seed=seed)
    n_rows, missing = draw(st.integers(1, 5)), draw(st.sampled_from([0.0, 0.3, 1.0]))
    u = torch.randn(n_rows, sizes[0], dtype=torch.float64, generator=generator(seed))
    return rules, u, torch.rand(u.shape, generator=generator(seed + 1)) >= missing


class TestForward:
    @laws
    @given(layer_cases())
    def test_equals_loops_and_the_numpy_rules(self, case):
        rules, u, measured = case
        coefficients = random_consequents(rules, 3)
        firing, design = rules(u, measured)
        assert design.shape == (len(u), rules.n_design)
        base = rules.as_arrays(coefficients)
        expected_firing, expected_output = loop_rules(base, u.numpy(), measured.numpy())
        np.testing.assert_allclose(firing.numpy(), expected_firing, rtol=1e-10)
        np.testing.assert_allclose(
            (design @ coefficients).numpy(), expected_output, rtol=1e-9, atol=1e-12
        )
        numpy_firing = firing_strengths(
            np.where(measured.numpy(), u.numpy(), np.nan),
            rules.centers.numpy(),
            rules.log_widths.exp().numpy(),
            rules.log_temperature.exp().item(),
        )
        np.testing.assert_allclose(firing.numpy(), numpy_firing, rtol=1e-10)

    @laws
    @given(layer_cases())
    def test_design_is_the_outer_product_of_firing_and_input(self, case):
        rules, u, measured = case
        firing, design = rules(u, measured)
        with_one = np.column_stack([np.where(measured.numpy(), u.numpy(), 0.0), np.ones(len(u))])
        expected = [np.kron(w, x) for w, x in zip(firing.numpy(), with_one, strict=True)]
        np.testing.assert_allclose(design.numpy(), expected, rtol=1e-12)

    @laws
    @given(layer_cases())
    def test_firing_sums_to_one_and_full_mask_is_no_mask(self, case):
        rules, u, measured = case
        firing, _ = rules(u, measured)
        torch.testing.assert_close(firing.sum(-1), torch.ones(len(u), dtype=torch.float64))
        for masked, plain in zip(rules(u, torch.ones_like(measured)), rules(u), strict=True):
            torch.testing.assert_close(masked, plain)

    @laws
    @given(layer_cases(), st.integers(0, 2**32 - 1))
    def test_permutations_of_rows_rules_and_features(self, case, seed):
        rules, u, measured = case
        source = generator(seed)
        row, rule, feature = (
            torch.randperm(k, generator=source) for k in (len(u), *rules.centers.shape)
        )
        permuted = {
            "centers": rules.centers[rule][:, feature],
            "log_widths": rules.log_widths[rule][:, feature],
            "log_temperature": rules.log_temperature,
        }
        inputs = (u[row][:, feature], measured[row][:, feature])
        firing, design = functional_call(rules, permuted, inputs)
        expected_firing, expected_design = rules(u, measured)
        torch.testing.assert_close(firing, expected_firing[row][:, rule])
        # the place of a column of the design, and last the one of the firing strength
        column = torch.cat([feature, torch.tensor([len(feature)])])
        by_rule = expected_design.unflatten(1, (len(rule), -1))
        torch.testing.assert_close(design, by_rule[row][:, rule][:, :, column].flatten(1))

    @laws
    @given(layer_cases())
    def test_missing_features_equal_a_layer_of_the_rest(self, case):
        rules, u, _ = case
        n_features, n_rules = u.shape[1], rules.centers.shape[0]
        wider = random_rules(n_features + 3, n_rules, seed=1)
        wider.centers[:, :n_features] = rules.centers
        wider.log_widths[:, :n_features] = rules.log_widths
        # z holds sqrt(d) times the mean over what is measured.
        ratio = math.sqrt(n_features / (n_features + 3))
        wider.log_temperature.copy_(rules.log_temperature + math.log(ratio))
        measured = torch.arange(n_features + 3).expand(len(u), -1) < n_features
        padded = torch.nn.functional.pad(u, (0, 3), value=float("nan"))
        (firing, design), (expected_firing, expected_design) = wider(padded, measured), rules(u)
        torch.testing.assert_close(firing, expected_firing)
        by_rule = design.unflatten(1, (n_rules, -1))
        assert (by_rule[:, :, n_features:-1] == 0).all()
        kept = torch.cat([by_rule[:, :, :n_features], by_rule[:, :, -1:]], dim=2)
        torch.testing.assert_close(kept.flatten(1), expected_design)

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
    def test_any_leading_shape(self, shape):
        rules = random_rules(5, 3)
        u = torch.randn(*shape, 5, dtype=torch.float64, generator=generator())
        measured = torch.rand(u.shape, generator=generator(1)) > 0.3
        firing, design = rules(u, measured)
        assert (firing.shape, design.shape) == ((*shape, 3), (*shape, 18))
        flat_firing, flat_design = rules(u.reshape(-1, 5), measured.reshape(-1, 5))
        torch.testing.assert_close(firing.reshape(-1, 3), flat_firing)
        torch.testing.assert_close(design.reshape(-1, 18), flat_design)

    def test_float32_agrees_with_float64(self):
        rules = random_rules(16, 8)
        u = torch.randn(20, 16, dtype=torch.float64, generator=generator())
        double = rules(u)
        single = rules.float()(u.float())
        for got, expected in zip(single, double, strict=True):
            assert got.dtype == torch.float32
            torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-5)

    def test_the_answer_of_one_rule_is_a_linear_map(self):
        rules = random_rules(4, 1)
        coefficients = random_consequents(rules, 3)
        u = torch.randn(6, 4, dtype=torch.float64, generator=generator())
        firing, design = rules(u)
        assert (firing == 1).all()
        base = rules.as_arrays(coefficients)
        expected = u.numpy() @ base.consequent_weight[0].T + base.consequent_bias[0]
        np.testing.assert_allclose((design @ coefficients).numpy(), expected, rtol=1e-12)

    @pytest.mark.parametrize("n_features", [8, 16, 32, 64, 128])
    def test_rules_stay_useful_as_the_dimension_grows(self, n_features):
        rules = FuzzyRules(n_features, 16, generator=generator())
        firing, _ = rules(torch.randn(500, n_features, generator=generator(1)))
        assert 0.5 < normalised_entropy(firing).item() < 0.9

    def test_a_high_temperature_lets_one_rule_take_all(self):
        u = torch.randn(500, 16, generator=generator(1))
        entropies = [
            normalised_entropy(FuzzyRules(16, 8, temperature=tau, generator=generator())(u)[0])
            for tau in (1e-4, 0.3, 1.0, 3.0, 1e4)
        ]
        assert entropies == sorted(entropies, reverse=True)
        assert entropies[0] > 0.999 and entropies[-1] < 0.01


class TestGradients:
    @pytest.mark.parametrize("masked", [False, True])
    def test_gradcheck(self, masked):
        rules = random_rules(4, 3)
        u = torch.randn(5, 4, dtype=torch.float64, generator=generator()).requires_grad_()
        measured = torch.rand(u.shape, generator=generator(1)) > 0.4 if masked else None
        assert torch.autograd.gradcheck(lambda u: rules(u, measured), (u,))

    def test_moves_no_antecedent(self):
        rules = random_rules(4, 3)
        assert not list(rules.parameters())
        assert set(rules.state_dict()) == {"centers", "log_widths", "log_temperature"}
        assert not any(part.requires_grad for part in rules(torch.zeros(2, 4).double()))

    def test_what_is_missing_gets_no_gradient_and_breaks_none(self):
        rules = random_rules(4, 3)
        u = torch.randn(3, 4, dtype=torch.float64, generator=generator())
        measured = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4])
        u = u.masked_fill(~measured, float("nan")).requires_grad_()
        firing, design = rules(u, measured)
        (firing.square().sum() + design.square().sum()).backward()
        assert (u.grad[~measured] == 0).all()
        assert (u.grad[measured] != 0).all()
        torch.testing.assert_close(firing[1], torch.full((3,), 1 / 3, dtype=torch.float64))


class TestStart:
    def test_generator_decides_and_global_generator_is_left(self):
        before = torch.get_rng_state()
        one, same, other = (FuzzyRules(6, 4, generator=generator(s)) for s in (0, 0, 1))
        assert torch.equal(before, torch.get_rng_state())
        for first, second in zip(one.buffers(), same.buffers(), strict=True):
            assert torch.equal(first, second)
        assert not torch.equal(one.centers, other.centers)

    def test_start_values(self):
        rules = FuzzyRules(16, 50, generator=generator())
        assert rules.n_design == 50 * 17
        assert abs(rules.centers.std().item() - 1) < 0.05
        assert (rules.log_widths == 0).all() and rules.log_temperature == 0
        assert repr(rules) == "FuzzyRules(n_features=16, n_rules=50)"
        warm = FuzzyRules(16, 50, temperature=0.3, generator=generator())
        assert warm.log_temperature.exp().item() == pytest.approx(0.3)

    @pytest.mark.parametrize("name", ["n_features", "n_rules"])
    def test_rejects_sizes(self, name):
        sizes = {"n_features": 2, "n_rules": 2, name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            FuzzyRules(**sizes, generator=generator())

    @pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan])
    def test_rejects_temperatures(self, temperature):
        with pytest.raises(ValueError, match=f"temperature must be positive, got {temperature}"):
            FuzzyRules(2, 2, temperature=temperature, generator=generator())


class TestInput:
    def test_rejects_input(self):
        rules = FuzzyRules(4, 3, generator=generator())
        with pytest.raises(ValueError, match=r"u has shape \(2, 5\); expected \(\.\.\., 4\)\."):
            rules(torch.zeros(2, 5))
        with pytest.raises(ValueError, match=r"u has shape \(\); expected \(\.\.\., 4\)\."):
            rules(torch.zeros(()))
        with pytest.raises(TypeError, match=r"dtype torch\.float32; expected torch\.bool"):
            rules(torch.zeros(2, 4), torch.ones(2, 4))
        with pytest.raises(ValueError, match=r"shape \(4,\); expected that of u, \(2, 4\)"):
            rules(torch.zeros(2, 4), torch.ones(4, dtype=torch.bool))


class TestSetAntecedents:
    @pytest.mark.parametrize("as_tensor", [False, True])
    def test_placement_fires_as_in_numpy(self, as_tensor):
        X = np.random.default_rng(0).normal(size=(60, 16))
        placement = place_rules(X, 4, random_state=0)
        antecedents = [placement.centers, placement.widths]
        for array in antecedents:
            array.setflags(write=False)
        if as_tensor:
            antecedents = [torch.tensor(array) for array in antecedents]
        rules = FuzzyRules(16, 4, generator=generator()).double()
        rules.set_antecedents(*antecedents)
        firing, _ = rules(torch.tensor(X))
        expected = firing_strengths(X, placement.centers, placement.widths)
        np.testing.assert_allclose(firing.numpy(), expected, rtol=1e-9)

    def test_copies_and_keeps_the_buffers(self):
        rules = FuzzyRules(3, 2, generator=generator())
        buffers = dict(rules.named_buffers())
        centers, widths = torch.ones(2, 3), torch.full((2, 3), 2.0)
        rules.set_antecedents(centers, widths)
        centers.zero_()
        assert (rules.centers == 1).all()
        torch.testing.assert_close(rules.log_widths.exp(), widths)
        assert all(buffers[name] is buffer for name, buffer in rules.named_buffers())

    @pytest.mark.parametrize(
        ("centers", "widths", "message"),
        [
            (np.zeros((2, 2)), np.ones((2, 3)), r"centers has shape \(2, 2\); expected"),
            (np.zeros((2, 3)), np.ones(3), r"widths has shape \(3,\); .* = \(2, 3\)\."),
            (np.full((2, 3), np.nan), np.ones((2, 3)), "centers holds NaN or infinite values"),
            (np.zeros((2, 3)), np.full((2, 3), 1e300), r"widths .* infinite values in torch\.fl"),
            (np.zeros((2, 3)), np.zeros((2, 3)), r"positive in torch\.float32; the smallest is 0"),
            (np.zeros((2, 3)), np.full((2, 3), 1e-60), "widths must be positive in torch"),
            (np.zeros((2, 3)), -np.ones((2, 3)), r"the smallest is -1\.0"),
        ],
    )
    def test_rejects_and_changes_nothing(self, centers, widths, message):
        rules = FuzzyRules(3, 2, generator=generator())
        before = {name: value.clone() for name, value in rules.state_dict().items()}
        with pytest.raises(ValueError, match=message):
            rules.set_antecedents(centers, widths)
        for name, value in rules.state_dict().items():
            assert torch.equal(value, before[name])


class TestAsArrays:
    def test_is_a_copy_in_double_precision(self):
        rules = random_rules(3, 2).float()
        coefficients = random_consequents(rules, 4).float()
        base = rules.as_arrays(coefficients)
        shapes = [np.shape(part) for part in base]
        assert shapes == [(2, 3), (2, 3), (), (2, 4, 3), (2, 4)]
        assert {np.asarray(part).dtype for part in base} == {np.dtype(np.float64)}
        np.testing.assert_array_equal(base.centers, rules.centers.double().numpy())
        np.testing.assert_allclose(base.widths, rules.log_widths.double().exp().numpy())
        assert base.temperature == pytest.approx(rules.log_temperature.exp().item())
        before = [np.copy(part) for part in base]
        rules.centers.zero_()
        rules.log_widths.zero_()
        coefficients.zero_()
        assert all(np.array_equal(part, old) for part, old in zip(base, before, strict=True))

    def test_says_of_each_rule_what_its_columns_add(self):
        rules = random_rules(2, 3)
        coefficients = torch.arange(9.0)[:, None].double() * torch.tensor([1.0, -1.0]).double()
        base = rules.as_arrays(coefficients)
        np.testing.assert_array_equal(base.consequent_weight[:, 0], [[0, 1], [3, 4], [6, 7]])
        np.testing.assert_array_equal(base.consequent_bias[:, 0], [2, 5, 8])
        np.testing.assert_array_equal(base.consequent_bias[:, 1], [-2, -5, -8])


class TestMeasures:
    def test_entropy_by_hand(self):
        firing = torch.tensor([[0.5, 0.25, 0.125, 0.125], [0.25] * 4, [1.0, 0.0, 0.0, 0.0]])
        # 1.75, 2 and 0 bits of at most 2
        assert normalised_entropy(firing).item() == pytest.approx((1.75 + 2 + 0) / 6)
        stacked = firing.reshape(3, 1, 4)
        torch.testing.assert_close(normalised_entropy(stacked), normalised_entropy(firing))

    def test_entropy_of_one_rule_is_zero_and_gradient_is_finite(self):
        assert normalised_entropy(torch.ones(5, 1)).item() == 0
        logits = torch.tensor([[0.0, -1000.0]], requires_grad=True)
        normalised_entropy(torch.softmax(logits, -1)).backward()
        assert logits.grad.isfinite().all()
