"""The learned convolutions and their fusion, against a plain NumPy evaluation in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stf2m_sk.nn.encoder import GatedTemporalBlock, ModalityEncoder, fuse

laws = settings(deadline=None, max_examples=30)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(module, seed=0):
    """The module in float64, every parameter drawn, none at its start value."""
    source = generator(seed)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=source))
    return module


def make_block(hidden_dim=8, *, dropout_share=0.2, seed=0):
    block = GatedTemporalBlock(hidden_dim, dropout_share=dropout_share, generator=generator())
    return drawn(block, seed)


def make_encoder(n_channels=2, n_timesteps=20, *, n_blocks=2, dropout_share=0.2, seed=0, **parts):
    encoder = ModalityEncoder(
        n_channels,
        n_timesteps,
        hidden_dim=8,
        embedding_dim=5,
        n_blocks=n_blocks,
        dropout_share=dropout_share,
        generator=generator(),
        **parts,
    )
    return drawn(encoder, seed)


def random_clips(n_clips, n_channels, n_frames, *, missing=0.3, seed=0):
    """A signal with holes, 0 in the holes, and its frames; every clip has a measured frame."""
    source = generator(seed)
    frames = (torch.rand(n_clips, n_frames, generator=source) >= missing).double()
    frames[torch.arange(n_clips), torch.randint(n_frames, (n_clips,), generator=source)] = 1.0
    signal = torch.randn(n_clips, n_channels, n_frames, generator=source).double()
    return signal * frames[:, None], frames


# ---- the reference: one clip, one frame, one channel at a time ----


def normed(x, layer):
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    return (x - x.mean()) / np.sqrt(x.var() + layer.eps) * weight + bias


def affine(x, layer):
    bias = 0.0 if layer.bias is None else layer.bias.detach().numpy()
    return layer.weight.detach().numpy() @ x + bias


def plain_block(block, hidden, frames):
    """One clip: hidden (n_frames, hidden_dim), frames (n_frames,)."""
    n_frames, hidden_dim = hidden.shape
    inputs = np.array([normed(h, block.norm) * f for h, f in zip(hidden, frames, strict=True)])
    all_taps, out = block.taps.detach().numpy(), np.zeros_like(hidden)
    for t in range(n_frames):
        if not frames[t]:
            continue
        scaled = np.zeros(hidden_dim)
        for channel in range(hidden_dim):
            dilation = (1, 2, 4, 8)[channel * 4 // hidden_dim]
            taps = all_taps[channel]
            for tap in range(len(taps)):
                s = t + dilation * (tap - len(taps) // 2)
                if 0 <= s < n_frames:
                    scaled[channel] += taps[tap] * inputs[s, channel]
        mixed = affine(scaled, block.mix)
        out[t] = hidden[t] + mixed[:hidden_dim] / (1 + np.exp(-mixed[hidden_dim:]))
    return out


def plain_places(n_places, usual, n_inputs):
    octaves = 2.0 ** np.arange(n_inputs // 2)
    return [
        np.concatenate(
            [np.sin(np.pi / 2 * t / usual * octaves), np.cos(np.pi / 2 * t / usual * octaves)]
        )
        for t in range(n_places)
    ]


def plain_pool(encoder, hidden, frames):
    """Heads of attention, mean and standard deviation over the measured patches."""
    hidden = np.array([normed(h, encoder.norm) for h, f in zip(hidden, frames, strict=True) if f])
    scores = np.array([affine(h, encoder.attention) for h in hidden])
    heads = np.split(hidden, scores.shape[1], axis=1)
    attended = []
    for head, score in zip(heads, scores.T, strict=True):
        weights = np.exp(score - score.max()) / np.exp(score - score.max()).sum()
        attended.append((weights[:, None] * head).sum(0))
    deviation = np.sqrt(hidden.var(axis=0) + 1e-5)
    return np.concatenate([*attended, hidden.mean(0), deviation])


def plain_encoder(encoder, signal, frames):
    """One clip: signal (n_channels, n_frames), frames (n_frames,)."""
    n_frames, size = signal.shape[1], encoder.patch
    hidden, measured = [], []
    places = plain_places(-(-n_frames // size), encoder.n_patches, encoder.position.in_features)
    for place, start in zip(places, range(0, n_frames, size), strict=True):
        patch = np.zeros((size, signal.shape[0]))
        part = signal[:, start : start + size].T
        patch[: len(part)] = part
        measured.append(float(frames[start : start + size].any()))
        value = affine(patch.ravel(), encoder.spatial)
        value = value + affine(place, encoder.position)
        hidden.append(value * measured[-1])
    hidden = np.array(hidden)
    for block in encoder.blocks:
        hidden = plain_block(block, hidden, measured)
    return affine(plain_pool(encoder, hidden, measured), encoder.out)


class TestGatedTemporalBlock:
    @settings(deadline=None, max_examples=10)
    @given(st.integers(1, 20), st.sampled_from([0.0, 0.4, 1.0]), st.integers(0, 99))
    def test_equals_the_plain_evaluation(self, n_frames, missing, seed):
        block = make_block(seed=seed)
        hidden, frames = random_clips(2, 8, n_frames, missing=missing, seed=seed)
        out = block(hidden.transpose(1, 2), frames[..., None]).detach().numpy()
        for i in range(2):
            expected = plain_block(block, hidden[i].T.numpy(), frames[i].numpy())
            np.testing.assert_allclose(out[i], expected, rtol=1e-9, atol=1e-11)

    def test_not_measured_frames_stay_0(self):
        hidden, frames = random_clips(3, 8, 12)
        out = make_block()(hidden.transpose(1, 2), frames[..., None])
        assert (out[frames == 0] == 0).all()
        assert (out[frames == 1] != 0).all()

    def test_taps_fill_the_interval_that_keeps_the_size_of_a_signal(self):
        taps = GatedTemporalBlock(64, dropout_share=0.0, generator=generator()).taps.detach()
        bound = taps.shape[1] ** -0.5
        assert taps.abs().max() <= bound
        assert taps.max() > 0.9 * bound and taps.min() < -0.9 * bound

    def test_dropout_touches_what_is_added_only(self):
        block = make_block(dropout_share=0.5)
        hidden, frames = random_clips(50, 8, 12, missing=0.0)
        hidden = hidden.transpose(1, 2)
        added = block(hidden, frames[..., None]) - hidden
        noisy = block(hidden, frames[..., None], generator(1)) - hidden
        kept = noisy.abs() > 1e-12
        torch.testing.assert_close(noisy[kept], 2.0 * added[kept])
        np.testing.assert_allclose(kept.double().mean().item(), 0.5, atol=0.03)


class TestModalityEncoder:
    @pytest.mark.parametrize(
        ("n_timesteps", "n_frames"), [(20, 20), (20, 7), (20, 26), (1, 1), (1, 5), (1000, 131)]
    )
    def test_equals_the_plain_evaluation(self, n_timesteps, n_frames):
        encoder = make_encoder(3, n_timesteps)
        signal, frames = random_clips(3, 3, n_frames, missing=0.6)
        out = encoder(signal, frames).detach().numpy()
        for i in range(3):
            expected = plain_encoder(encoder, signal[i].numpy(), frames[i].numpy())
            np.testing.assert_allclose(out[i], expected, rtol=1e-8, atol=1e-10)

    @pytest.mark.parametrize("temporal", [False, True])
    @pytest.mark.parametrize(("n_timesteps", "n_frames"), [(20, 26), (1000, 31)])
    def test_equals_the_plain_evaluation_without_a_part(self, n_timesteps, n_frames, temporal):
        encoder = make_encoder(3, n_timesteps, temporal=temporal)
        assert (encoder.patch > 1) == (temporal and n_timesteps > 100)
        assert len(encoder.blocks) == (2 if temporal else 0)
        signal, frames = random_clips(2, 3, n_frames, missing=0.4)
        out = encoder(signal, frames).detach().numpy()
        for i in range(2):
            clip = signal[i].numpy(), frames[i].numpy()
            expected = plain_encoder(encoder, *clip)
            np.testing.assert_allclose(out[i], expected, rtol=1e-8, atol=1e-10)

    @pytest.mark.parametrize("n_timesteps", [20, 1000])
    def test_without_temporal_convolutions_the_order_of_frames_is_lost(self, n_timesteps):
        parts = {"hidden_dim": 8, "embedding_dim": 5, "n_blocks": 2, "dropout_share": 0.0}
        signal, frames = random_clips(3, 2, 40)
        order = torch.rand(3, 40, generator=generator(1)).argsort(1)
        shuffled = signal.gather(2, order[:, None].expand_as(signal)), frames.gather(1, order)
        for temporal in (False, True):
            source = generator()
            encoder = ModalityEncoder(
                2, n_timesteps, **parts, temporal=temporal, generator=source
            ).double()
            # No training gives places in time a weight.
            assert encoder.position.weight.requires_grad == temporal
            assert (encoder.position.weight == 0).all()
            difference = (encoder(*shuffled) - encoder(signal, frames)).abs().max()
            assert difference > 1e-3 if temporal else difference < 1e-12

    def test_a_long_clip_is_cut_into_patches(self):
        # Otherwise the evaluation above would never be asked about a patch.
        assert make_encoder(3, 1000).patch > 1
        assert make_encoder(3, 20).patch == 1

    @laws
    @given(
        st.sampled_from([1, 20, 1000]), st.integers(1, 30), st.integers(1, 90), st.integers(0, 99)
    )
    def test_trailing_padding_changes_nothing(self, n_timesteps, n_frames, n_more, seed):
        encoder = make_encoder(2, n_timesteps, seed=seed)
        signal, frames = random_clips(3, 2, n_frames, seed=seed)
        pad = torch.nn.functional.pad
        longer = encoder(pad(signal, (0, n_more)), pad(frames, (0, n_more)))
        torch.testing.assert_close(longer, encoder(signal, frames), rtol=0, atol=1e-10)

    @laws
    @given(st.integers(1, 9), st.integers(1, 30), st.integers(0, 99))
    def test_clips_do_not_influence_each_other(self, n_clips, n_frames, seed):
        encoder = make_encoder(seed=seed)
        signal, frames = random_clips(n_clips, 2, n_frames, seed=seed)
        together = encoder(signal, frames)
        alone = [encoder(signal[[i]], frames[[i]]) for i in range(n_clips)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=0, atol=1e-10)

    def test_starts_without_a_preference_for_a_place_in_time(self):
        encoder = ModalityEncoder(
            2,
            60,
            hidden_dim=8,
            embedding_dim=5,
            n_blocks=1,
            dropout_share=0.0,
            generator=generator(),
        ).double()
        signal, frames = torch.zeros(2, 2, 60).double(), torch.zeros(2, 60).double()
        signal[0, :, :5] = signal[1, :, 40:45] = torch.randn(2, 5, generator=generator()).double()
        frames[0, :5] = frames[1, 40:45] = 1.0
        early, late = encoder(signal, frames)
        torch.testing.assert_close(early, late, rtol=0, atol=1e-10)
        drawn(encoder)  # the place is there to be learned
        early, late = encoder(signal, frames)
        assert (early - late).abs().max() > 1e-3

    def test_a_clip_without_a_measured_frame_is_defined(self):
        signal, frames = random_clips(3, 2, 20)
        frames[1] = signal[1] = 0.0
        frames.requires_grad_(False)
        encoder = make_encoder()
        out = encoder(signal, frames)
        assert out.isfinite().all()
        out.sum().backward()
        assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())

    def test_dropout_only_with_a_generator(self):
        encoder = make_encoder()
        signal, frames = random_clips(3, 2, 20)
        before = torch.get_rng_state()
        plain = encoder(signal, frames)
        assert torch.equal(encoder.train()(signal, frames), plain)
        assert torch.equal(encoder.eval()(signal, frames), plain)
        noisy = encoder(signal, frames, generator(1))
        assert torch.equal(encoder(signal, frames, generator(1)), noisy)
        assert not torch.equal(encoder(signal, frames, generator(2)), noisy)
        assert not torch.equal(noisy, plain)
        assert torch.equal(torch.get_rng_state(), before)

    def test_dropout_reaches_the_last_layer_too(self):
        encoder = make_encoder(n_blocks=0, dropout_share=0.5)
        signal, frames = random_clips(3, 2, 20)
        assert not torch.equal(encoder(signal, frames, generator()), encoder(signal, frames))

    def test_the_seed_decides_the_start(self):
        sizes = {"hidden_dim": 8, "embedding_dim": 5, "n_blocks": 1, "dropout_share": 0.0}
        before = torch.get_rng_state()
        first, again, other = (
            ModalityEncoder(2, 20, **sizes, generator=generator(seed)).state_dict()
            for seed in (1, 1, 2)
        )
        assert torch.equal(torch.get_rng_state(), before)
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert not torch.equal(first["spatial.weight"], other["spatial.weight"])

    def test_every_parameter_gets_a_gradient(self):
        encoder = make_encoder()
        encoder(*random_clips(3, 2, 20)).square().sum().backward()
        assert all((parameter.grad != 0).any() for parameter in encoder.parameters())


@st.composite
def modality_embeddings(draw):
    """Embeddings (n_clips, n_modalities, dim) and which are present, at least one a clip."""
    n_clips, n_modalities, dim = (draw(st.integers(*r)) for r in [(1, 4), (1, 5), (2, 8)])
    source = generator(draw(st.integers(0, 2**32 - 1)))
    embeddings = 3.0 + torch.randn(n_clips, n_modalities, dim, generator=source).double()
    present = (torch.rand(n_clips, n_modalities, generator=source) < 0.5).double()
    present[torch.arange(n_clips), torch.randint(n_modalities, (n_clips,), generator=source)] = 1.0
    return embeddings, present


class TestFuse:
    @laws
    @given(modality_embeddings())
    def test_equals_the_standardised_mean(self, case):
        embeddings, present = case
        fused = fuse(embeddings, present).numpy()
        for i in range(len(fused)):
            mean = embeddings[i][present[i] > 0].numpy().mean(axis=0)
            # 1e-5 is the floor that layer normalisation adds to a variance
            expected = (mean - mean.mean()) / np.sqrt((mean.var() + 1e-5) * len(mean))
            np.testing.assert_allclose(fused[i], expected, atol=1e-12)

    @laws
    @given(modality_embeddings(), st.randoms(use_true_random=False))
    def test_order_of_the_modalities_does_not_matter(self, case, random):
        embeddings, present = case
        order = random.sample(range(present.shape[1]), present.shape[1])
        permuted = fuse(embeddings[:, order], present[:, order])
        torch.testing.assert_close(permuted, fuse(embeddings, present), rtol=0, atol=1e-12)

    @laws
    @given(modality_embeddings(), st.floats(-1e6, 1e6))
    def test_numbers_of_an_absent_modality_are_ignored(self, case, number):
        embeddings, present = case
        changed = torch.where(present[..., None] > 0, embeddings, number)
        assert torch.equal(fuse(changed, present), fuse(embeddings, present))

    @laws
    @given(modality_embeddings())
    def test_mean_0_and_length_1(self, case):
        fused = fuse(*case)
        torch.testing.assert_close(
            fused.mean(1), torch.zeros(len(fused)).double(), atol=1e-12, rtol=0
        )
        assert (fused.norm(dim=1) <= 1 + 1e-12).all()

    def test_length_is_1_whatever_the_scale(self):
        embeddings = torch.randn(20, 3, 6, generator=generator()).double()
        for scale in (1.0, 1e4):
            length = fuse(scale * embeddings, torch.ones(20, 3).double()).norm(dim=1)
            torch.testing.assert_close(length, torch.ones(20).double(), atol=1e-3, rtol=0)

    def test_a_clip_without_modalities_is_0(self):
        assert (fuse(torch.randn(2, 3, 4, generator=generator()), torch.zeros(2, 3)) == 0).all()
