"""The torch rule layer, against plain loops in float64, the NumPy rules and gradcheck."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import functional_call

from stf2m_sk.fuzzy import firing_strengths, place_rules
from stf2m_sk.nn.rules import FuzzyRules, normalised_entropy, uniform_regularisation

laws = settings(deadline=None, max_examples=50)  # first calls are slow on a busy machine


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_rules(n_features, n_rules, n_outputs, seed=0):
    """A float64 layer in which every parameter is drawn, none at its start value."""
    source = generator(seed)
    rules = FuzzyRules(n_features, n_rules, n_outputs, generator=source).double()
    with torch.no_grad():
        for parameter in rules.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))
    return rules


def loop_rules(rules, u, measured):
    """Evaluate the rule equations term by term in NumPy float64."""
    names = ("centers", "log_widths", "log_temperature", "consequent_weight", "consequent_bias")
    m, log_s, log_tau, A, b = (getattr(rules, name).detach().numpy() for name in names)
    n_rules, n_features = m.shape
    firing, output = np.zeros((len(u), n_rules)), np.zeros((len(u), b.shape[1]))
    for i in range(len(u)):
        present = [j for j in range(n_features) if measured[i, j]]
        z = np.zeros(n_rules)
        for r in range(n_rules):
            total = sum(((u[i, j] - m[r, j]) / np.exp(log_s[r, j])) ** 2 for j in present)
            if present:
                total *= n_features / len(present)
            z[r] = -np.exp(log_tau) / n_features**0.5 * 0.5 * total
        firing[i] = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        for r in range(n_rules):
            consequent = b[r] + sum((A[r, :, j] * u[i, j] for j in present), np.zeros(b.shape[1]))
            output[i] += firing[i, r] * consequent
    return firing, output


@st.composite
def layer_cases(draw):
    """A layer, inputs and a mask."""
    sizes = [draw(st.integers(1, top)) for top in (8, 5, 4)]
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
        firing, output = (t.detach().numpy() for t in rules(u, measured))
        expected_firing, expected_output = loop_rules(rules, u.numpy(), measured.numpy())
        np.testing.assert_allclose(firing, expected_firing, rtol=1e-10)
        np.testing.assert_allclose(output, expected_output, rtol=1e-9, atol=1e-12)
        numpy_firing = firing_strengths(
            np.where(measured.numpy(), u.numpy(), np.nan),
            rules.centers.detach().numpy(),
            rules.log_widths.detach().exp().numpy(),
            rules.log_temperature.exp().item(),
        )
        np.testing.assert_allclose(firing, numpy_firing, rtol=1e-10)

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
            "consequent_weight": rules.consequent_weight[rule][:, :, feature],
            "consequent_bias": rules.consequent_bias[rule],
        }
        inputs = (u[row][:, feature], measured[row][:, feature])
        firing, output = functional_call(rules, permuted, inputs)
        expected_firing, expected_output = rules(u, measured)
        torch.testing.assert_close(firing, expected_firing[row][:, rule])
        torch.testing.assert_close(output, expected_output[row])

    @laws
    @given(layer_cases())
    def test_missing_features_equal_a_layer_of_the_rest(self, case):
        rules, u, _ = case
        n_features, n_rules = u.shape[1], rules.centers.shape[0]
        wider = random_rules(n_features + 3, n_rules, rules.consequent_bias.shape[1], seed=1)
        with torch.no_grad():
            wider.centers[:, :n_features] = rules.centers
            wider.log_widths[:, :n_features] = rules.log_widths
            wider.consequent_weight[:, :, :n_features] = rules.consequent_weight
            wider.consequent_bias.copy_(rules.consequent_bias)
            # z holds sqrt(d) times the mean over what is measured.
            ratio = math.sqrt(n_features / (n_features + 3))
            wider.log_temperature.copy_(rules.log_temperature + math.log(ratio))
        measured = torch.arange(n_features + 3).expand(len(u), -1) < n_features
        padded = torch.nn.functional.pad(u, (0, 3), value=float("nan"))
        for got, expected in zip(wider(padded, measured), rules(u), strict=True):
            torch.testing.assert_close(got, expected)

    @pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
    def test_any_leading_shape(self, shape):
        rules = random_rules(5, 3, 2)
        u = torch.randn(*shape, 5, dtype=torch.float64, generator=generator())
        measured = torch.rand(u.shape, generator=generator(1)) > 0.3
        firing, output = rules(u, measured)
        assert (firing.shape, output.shape) == ((*shape, 3), (*shape, 2))
        flat_firing, flat_output = rules(u.reshape(-1, 5), measured.reshape(-1, 5))
        torch.testing.assert_close(firing.reshape(-1, 3), flat_firing)
        torch.testing.assert_close(output.reshape(-1, 2), flat_output)

    def test_float32_agrees_with_float64(self):
        rules = random_rules(16, 8, 4)
        u = torch.randn(20, 16, dtype=torch.float64, generator=generator())
        double = rules(u)
        single = rules.float()(u.float())
        for got, expected in zip(single, double, strict=True):
            assert got.dtype == torch.float32
            torch.testing.assert_close(got.double(), expected, rtol=1e-4, atol=1e-5)

    def test_one_rule_is_a_linear_map(self):
        rules = random_rules(4, 1, 3)
        u = torch.randn(6, 4, dtype=torch.float64, generator=generator())
        firing, output = rules(u)
        assert (firing == 1).all()
        expected = u @ rules.consequent_weight[0].T + rules.consequent_bias[0]
        torch.testing.assert_close(output, expected)

    @pytest.mark.parametrize("n_features", [8, 16, 32, 64, 128])
    def test_rules_stay_useful_as_the_dimension_grows(self, n_features):
        rules = FuzzyRules(n_features, 16, 1, generator=generator())
        firing, _ = rules(torch.randn(500, n_features, generator=generator(1)))
        assert 0.5 < normalised_entropy(firing).item() < 0.9


class TestGradients:
    @pytest.mark.parametrize("masked", [False, True])
    def test_gradcheck(self, masked):
        rules = random_rules(4, 3, 2)
        u = torch.randn(5, 4, dtype=torch.float64, generator=generator()).requires_grad_()
        measured = torch.rand(u.shape, generator=generator(1)) > 0.4 if masked else None
        names, parameters = zip(*rules.named_parameters(), strict=True)

        def evaluate(u, *parameters):
            return functional_call(rules, dict(zip(names, parameters, strict=True)), (u, measured))

        assert len(names) == 5
        assert torch.autograd.gradcheck(evaluate, (u, *parameters))

    def test_what_is_missing_gets_no_gradient_and_breaks_none(self):
        rules = random_rules(4, 3, 2)
        u = torch.randn(3, 4, dtype=torch.float64, generator=generator())
        measured = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4])
        u = u.masked_fill(~measured, float("nan")).requires_grad_()
        firing, output = rules(u, measured)
        (firing.square().sum() + output.square().sum()).backward()
        assert (u.grad[~measured] == 0).all()
        assert (u.grad[measured] != 0).all()
        assert all(parameter.grad.isfinite().all() for parameter in rules.parameters())
        torch.testing.assert_close(firing[1], torch.full((3,), 1 / 3, dtype=torch.float64))


class TestStart:
    def test_generator_decides_and_global_generator_is_left(self):
        before = torch.get_rng_state()
        one, same, other = (FuzzyRules(6, 4, 3, generator=generator(s)) for s in (0, 0, 1))
        assert torch.equal(before, torch.get_rng_state())
        for first, second in zip(one.parameters(), same.parameters(), strict=True):
            assert torch.equal(first, second)
        assert not torch.equal(one.centers, other.centers)
        assert not torch.equal(one.consequent_weight, other.consequent_weight)

    def test_start_values(self):
        rules = FuzzyRules(16, 50, 20, generator=generator())
        assert abs(rules.centers.std().item() - 1) < 0.05
        assert rules.consequent_weight.abs().max().item() == pytest.approx(0.25, abs=1e-3)
        assert rules.consequent_weight.std().item() == pytest.approx(0.25 / 3**0.5, rel=0.02)
        zeros = (rules.log_widths, rules.log_temperature, rules.consequent_bias)
        assert all((parameter == 0).all() for parameter in zeros)
        assert repr(rules) == "FuzzyRules(n_features=16, n_rules=50, n_outputs=20)"

    @pytest.mark.parametrize("name", ["n_features", "n_rules", "n_outputs"])
    def test_rejects_sizes(self, name):
        sizes = {"n_features": 2, "n_rules": 2, "n_outputs": 2, name: 0}
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            FuzzyRules(**sizes, generator=generator())


class TestInput:
    def test_rejects_input(self):
        rules = FuzzyRules(4, 3, 2, generator=generator())
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
        rules = FuzzyRules(16, 4, 2, generator=generator()).double()
        rules.set_antecedents(*antecedents)
        firing, _ = rules(torch.tensor(X))
        expected = firing_strengths(X, placement.centers, placement.widths)
        np.testing.assert_allclose(firing.detach().numpy(), expected, rtol=1e-9)

    def test_copies_and_keeps_the_parameters(self):
        rules = FuzzyRules(3, 2, 1, generator=generator())
        parameters = dict(rules.named_parameters())
        centers, widths = torch.ones(2, 3), torch.full((2, 3), 2.0)
        rules.set_antecedents(centers, widths)
        centers.zero_()
        assert (rules.centers == 1).all()
        torch.testing.assert_close(rules.log_widths.exp().detach(), widths)
        assert all(parameters[name] is p for name, p in rules.named_parameters())
        assert all(p.requires_grad for p in rules.parameters())

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
        rules = FuzzyRules(3, 2, 1, generator=generator())
        before = {name: value.clone() for name, value in rules.state_dict().items()}
        with pytest.raises(ValueError, match=message):
            rules.set_antecedents(centers, widths)
        for name, value in rules.state_dict().items():
            assert torch.equal(value, before[name])


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

    def test_uniform_regularisation_by_hand(self):
        firing = torch.tensor([[[0.9, 0.1], [0.8, 0.2]], [[0.7, 0.3], [0.6, 0.4]]])
        assert uniform_regularisation(firing).item() == pytest.approx(2 * 0.25**2)
        balanced = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
        assert uniform_regularisation(balanced).item() == 0
        assert uniform_regularisation(torch.ones(5, 1)).item() == 0

    def test_uniform_regularisation_revives_a_dead_rule(self):
        rules = FuzzyRules(2, 2, 1, generator=generator())
        rules.set_antecedents([[0.0, 0.0], [4.0, 4.0]], [[1.0, 1.0], [1.0, 1.0]])
        u = torch.randn(200, 2, generator=generator(1))
        assert rules(u)[0].mean(0)[1].item() < 0.01
        optimiser = torch.optim.Adam(rules.parameters(), lr=0.05)
        for _ in range(200):
            optimiser.zero_grad()
            uniform_regularisation(rules(u)[0]).backward()
            optimiser.step()
        assert rules(u)[0].mean(0)[1].item() == pytest.approx(0.5, abs=0.05)
