"""Emotion networks: laws of masks, clips and modalities, and pooling against NumPy."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from stf2m_sk.nn.encoder import EmotionNetwork, ModalityEncoder, NetworkEnsemble
from stf2m_sk.nn.masking import MaskedBatchNorm, masked_moments
from stf2m_sk.nn.signals import Signals

laws = settings(deadline=None, max_examples=20)
CHANNELS, LENGTHS = [3, 1], [150, 8]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def make_signals(n_clips, lengths=LENGTHS, *, channels=CHANNELS, missing=0.2, seed=0):
    """Standardised clips in float64, 0 where not measured; some lack a modality."""
    source = generator(seed)
    values, frames = [], []
    for n_channels, n_frames in zip(channels, lengths, strict=True):
        frame = (torch.rand(n_clips, n_frames, generator=source) >= missing).double()
        frame *= torch.rand(n_clips, 1, generator=source) >= missing
        value = torch.randn(n_clips, n_channels, n_frames, generator=source).double()
        values.append(value * frame[:, None])
        frames.append(frame)
    return Signals(tuple(values), tuple(frames), torch.stack([f.amax(1) for f in frames], 1))


def make_network(channels=CHANNELS, lengths=LENGTHS, *, seed=0, dropout=0.1, n_classes=4):
    """Ready to answer, with running moments and offsets as training leaves them."""
    network = EmotionNetwork(
        channels, lengths, n_classes, hidden_dim=6, generator=generator(seed), dropout=dropout
    ).double()
    with torch.no_grad():
        for name, tensor in network.state_dict().items():
            noise = 0.3 * torch.randn(tensor.shape, generator=generator(seed + 1)).double()
            tensor += noise.abs() if name.endswith("variance") else noise
    return network.eval()


def padded(signals, n_more):
    return Signals(
        tuple(F.pad(values, (0, n_more)) for values in signals.values),
        tuple(F.pad(frames, (0, n_more)) for frames in signals.frames),
        signals.present,
    )


NETWORK = make_network()


class TestLaws:
    @laws
    @given(
        st.integers(1, 5),
        st.integers(1, 300),
        st.integers(1, 20),
        st.integers(0, 70),
        st.integers(0, 10**6),
    )
    def test_trailing_frames_that_are_not_measured_change_nothing(self, n, t, s, more, seed):
        signals = make_signals(n, [t, s], seed=seed)
        torch.testing.assert_close(NETWORK(padded(signals, more)), NETWORK(signals))

    @laws
    @given(st.integers(1, 6), st.integers(1, 200), st.integers(0, 10**6))
    def test_a_clip_does_not_depend_on_the_others(self, n, t, seed):
        signals = make_signals(n, [t, 5], seed=seed)
        each = [NETWORK(signals.take(torch.tensor([i]))) for i in range(n)]
        torch.testing.assert_close(NETWORK(signals), torch.cat(each))

    @laws
    @given(st.integers(1, 100), st.sampled_from([0.0, 7.0]), st.integers(0, 10**6))
    def test_an_absent_modality_contributes_nothing(self, t, noise, seed):
        signals = make_signals(3, [40, t], missing=0.0, seed=seed)
        absent = signals._replace(
            values=(signals.values[0], noise * torch.ones(3, 1, t).double()),
            frames=(signals.frames[0], torch.zeros(3, t).double()),
            present=torch.tensor([[1.0, 0.0]]).double().expand(3, 2),
        )
        own = NETWORK.encoders[0](signals.values[0], signals.frames[0])
        torch.testing.assert_close(NETWORK(absent), NETWORK.head(F.relu(own)))

    @laws
    @given(st.floats(-5, 5), st.floats(0.5, 2), st.integers(0, 10**6))
    def test_offset_and_gain_of_a_channel_only_move_its_level(self, offset, gain, seed):
        signals = make_signals(2, [40, 5], missing=0.0, seed=seed)
        encoder, seen = NETWORK.encoders[0], []
        hook = encoder.stem[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
        for values in (signals.values[0], gain * signals.values[0] + offset):
            encoder(values, signals.frames[0])
        hook.remove()
        torch.testing.assert_close(*seen, atol=0.02, rtol=0)


@pytest.mark.parametrize("lengths", [[1, 1], [2, 9], [3000, 1]])
@pytest.mark.parametrize("n_clips", [1, 3])
@pytest.mark.parametrize("training", [False, True])
def test_any_length_and_number_of_clips(lengths, n_clips, training):
    network = make_network().train(training)
    logits = network(make_signals(n_clips, lengths), generator() if training else None)
    assert logits.shape == (n_clips, 4) and torch.isfinite(logits).all()


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("level", [0.0, 10.0])
@pytest.mark.parametrize("measured", [0.0, 1.0])
def test_constant_and_missing_modalities_give_finite_logits_and_gradients(
    training, level, measured
):
    network = EmotionNetwork([2], [40], 3, hidden_dim=4, generator=generator()).train(training)
    frames = torch.full((2, 40), measured)
    signals = Signals((level * measured * torch.ones(2, 2, 40),), (frames,), frames[:, :1])
    logits = network(signals)
    logits.square().sum().backward()
    assert torch.isfinite(logits).all()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in network.parameters())


def test_the_order_of_modalities_does_not_matter():
    signals = make_signals(5)
    turned = make_network(CHANNELS[::-1], LENGTHS[::-1])
    turned.head.load_state_dict(NETWORK.head.state_dict())
    for i in range(2):
        turned.encoders[i].load_state_dict(NETWORK.encoders[1 - i].state_dict())
    reverse = Signals(signals.values[::-1], signals.frames[::-1], signals.present.flip(1))
    torch.testing.assert_close(turned(reverse), NETWORK(signals))


class TestRandomness:
    def test_weights_come_from_the_generator_alone(self):
        before = torch.get_rng_state()
        first, again, other = (make_network(seed=seed).state_dict() for seed in (0, 0, 1))
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["head.weight"], other["head.weight"])

    def test_no_generator_is_no_noise(self):
        network, signals = make_network(dropout=0.5), make_signals(4)
        before = torch.get_rng_state()
        torch.testing.assert_close(network(signals), network(signals), rtol=0, atol=0)
        noisy = network(signals, generator(1))
        assert torch.equal(noisy, network(signals, generator(1)))
        assert not torch.equal(noisy, network(signals))
        assert torch.equal(torch.get_rng_state(), before)


class TestMaskedMoments:
    @laws
    @given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 30), st.integers(0, 10**6))
    def test_as_numpy_computes_them(self, n_clips, n_channels, n_frames, seed):
        signals = make_signals(n_clips, [n_frames], channels=[n_channels], seed=seed)
        mean, variance = masked_moments(signals.values[0], signals.frames[0])
        for i in range(n_clips):
            own = signals.values[0][i].numpy()[:, signals.frames[0][i].numpy() > 0]
            expected = own if own.shape[1] else np.zeros((n_channels, 1))
            np.testing.assert_allclose(mean[i, :, 0], expected.mean(1), atol=1e-12)
            np.testing.assert_allclose(variance[i, :, 0], expected.var(1), atol=1e-12)


class TestModalityEncoder:
    def test_pooling_as_numpy_computes_it(self):
        encoder, signals = NETWORK.encoders[0], make_signals(4, missing=0.3)
        seen = []
        hook = encoder.pooled_norm.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
        encoder(signals.values[0], signals.frames[0])
        hook.remove()
        pooled, measured = seen[0]
        mean, variance = masked_moments(signals.values[0], signals.frames[0])
        course = (signals.values[0] - mean) / (variance.sqrt() + 1e-3) * signals.frames[0][:, None]
        hidden, frames = encoder._convolve(course, signals.frames[0], None)
        for i in range(4):
            own = hidden[i].detach().numpy()[:, frames[i].numpy() > 0]
            if not own.shape[1]:
                assert measured[i] == 0
                continue
            level = [mean[i, :, 0].numpy(), np.log(variance[i, :, 0].sqrt().numpy() + 1e-3)]
            deviation = np.sqrt(own.var(1) + 1e-5)
            expected = np.concatenate([own.mean(1), deviation, own.max(1), *level])
            np.testing.assert_allclose(pooled[i].detach(), expected, atol=1e-10)

    @pytest.mark.parametrize(
        ("n_timesteps", "strides"),
        [(1, [1]), (30, [1]), (120, [2]), (240, [4]), (960, [4, 4]), (1920, [4, 4, 2])],
    )
    def test_long_clips_are_brought_to_about_64_positions(self, n_timesteps, strides):
        encoder = ModalityEncoder(2, n_timesteps, hidden_dim=4, dropout=0.0, generator=generator())
        assert encoder.strides == strides
        hidden, frames = encoder._convolve(
            torch.ones(1, 2, n_timesteps), torch.ones(1, n_timesteps), None
        )
        assert hidden.shape[2] == frames.shape[1] == -(-n_timesteps // np.prod(strides))

    @pytest.mark.parametrize(("n_channels", "width"), [(1, 32), (3, 32), (5, 48), (40, 64)])
    def test_few_channels_get_narrower_convolutions(self, n_channels, width):
        encoder = ModalityEncoder(n_channels, 30, hidden_dim=64, dropout=0.0, generator=generator())
        assert encoder.blocks[0].out_channels == width and encoder.out.out_features == 64


class TestMaskedBatchNorm:
    def test_training_uses_the_moments_of_measured_clips(self):
        norm = MaskedBatchNorm(3).double()
        vectors = torch.randn(6, 3, generator=generator()).double()
        measured = torch.tensor([1.0, 1, 0, 1, 0, 1])[:, None].double()
        normed = norm(vectors, measured).detach().numpy()
        own = vectors.numpy()[[0, 1, 3, 5]]
        expected = (own - own.mean(0)) / np.sqrt(own.var(0) + 1e-5)
        np.testing.assert_allclose(normed[[0, 1, 3, 5]], expected)
        assert (normed[[2, 4]] == 0).all()
        np.testing.assert_allclose(norm.mean, 0.1 * own.mean(0))
        np.testing.assert_allclose(norm.variance, 0.9 + 0.1 * own.var(0))

    @pytest.mark.parametrize("n_measured", [0, 1])
    def test_a_batch_of_one_clip_leaves_the_moments_alone(self, n_measured):
        norm = MaskedBatchNorm(2)
        measured = torch.tensor([[float(n_measured)], [0.0]])
        norm(torch.full((2, 2), 5.0), measured)
        assert (norm.mean == 0).all() and (norm.variance == 1).all()


def test_the_ensemble_answers_with_the_mean_of_the_log_probabilities():
    networks = [make_network(seed=seed) for seed in range(3)]
    signals = make_signals(5)
    expected = np.mean([F.log_softmax(n(signals), 1).detach().numpy() for n in networks], axis=0)
    np.testing.assert_allclose(NetworkEnsemble(networks)(signals).detach(), expected)
