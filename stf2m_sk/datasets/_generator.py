"""Artificial recordings of which the truth is known."""

from __future__ import annotations

from math import pi
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from sklearn.utils import check_random_state, check_scalar

from stf2m_sk.datasets._dataset import Dataset
from stf2m_sk.views import Views


class _Modality(NamedTuple):
    n_channels: int
    rate: float
    shows_context: bool = False  # rather than the emotion's cues in it


class _Clips(NamedTuple):
    person: np.ndarray
    weights: np.ndarray
    lively: np.ndarray
    duration: np.ndarray
    absent: np.ndarray


class _Knobs(NamedTuple):
    spatial: float
    temporal: float
    coupling: float
    context: float
    person_shift: float
    noise: float
    missing: float


_SECONDS = 8
_MODALITIES = {
    "motion": _Modality(3, 16.0, shows_context=True),
    "skin": _Modality(1, 4.0),
    "pulse": _Modality(1, 1.0),
    "voice": _Modality(6, 20.0),
}

# How strong each part is at a knob of 1, in arbitrary units of the signal. Set by trial so that a
# linear model on the right statistics is far from chance and far from perfect.
_BIAS, _COMMON, _TEMPORAL, _COUPLED = 0.4, 0.6, 0.4, 0.6
_CUE, _LIVELY = 2.5, 6.0
_CLIP_OFFSET, _WHITE, _STRAY = 0.5, 0.7, 0.08
_OFFSET, _LOUDER = 1.0, 0.4
_PATTERN = np.array([1.0, 0.5])  # amplitudes of the pattern's harmonics
_HARMONICS = np.arange(1, 7)  # of the slow noise; the power is 1 in all
_SLOW = 1 / _HARMONICS / np.sqrt((1.0 / _HARMONICS**2).sum())
_GAP = 0.1  # share of the clip

_RANGES = {
    "n_people": (Integral, 1, None, "left"),
    "n_clips_per_emotion": (Integral, 1, None, "left"),
    "n_emotions": (Integral, 2, None, "left"),
    "spatial": (Real, 0, None, "left"),
    "temporal": (Real, 0, None, "left"),
    "coupling": (Real, 0, None, "left"),
    "context": (Real, 0, None, "left"),
    "ambiguity": (Real, 0, 1, "both"),
    "person_shift": (Real, 0, None, "left"),
    "noise": (Real, 0, None, "left"),
    "missing": (Real, 0, 1 - 1 / len(_MODALITIES), "both"),
    "shortest": (Real, 0, 1, "right"),
}


def make_emotion_views(
    *,
    n_people: int = 20,
    n_clips_per_emotion: int = 6,
    n_emotions: int = 4,
    spatial: float = 1.0,
    temporal: float = 1.0,
    coupling: float = 0.0,
    context: float = 0.0,
    ambiguity: float = 0.3,
    person_shift: float = 1.0,
    noise: float = 1.0,
    missing: float = 0.0,
    shortest: float = 1.0,
    random_state: int | np.random.RandomState | None = None,
) -> Dataset:
    r"""Generate clips of emotions in four modalities, with one knob for each difficulty.

    A clip of 8 s has ``motion`` (3 channels, 16 Hz), ``skin`` (1 channel, 4 Hz), ``pulse``
    (1 channel, 1 Hz) and ``voice`` (6 channels, 20 Hz). What the emotion writes into a clip is
    *spatial* (which channels are raised, and which move together), *temporal* (when within the
    clip a burst comes), *coupling* (with which signs channels move together) or a matter of
    *context* (what means one emotion here means another one there); each has its own knob and
    none leaks into another.

    Parameters
    ----------
    n_people : int, default=20
        Number of people, at least 1.
    n_clips_per_emotion : int, default=6
        Clips of each person in which an emotion is the stronger one, at least 1.
    n_emotions : int, default=4
        Number of emotions, at least 2.
    spatial : float, default=1.0
        How much the emotion shows in the means and the covariance of the channels of a
        modality. With 0 these say nothing about it.
    temporal : float, default=1.0
        How much the emotion shows in the order of events within a clip. All emotions have the
        same pattern of bursts, each turned to another point in time, so that the mean, the
        standard deviation and the covariance over time say nothing about it. With 0 the order
        of the frames means nothing.
    coupling : float, default=0.0
        How much the emotion shows in which channels of a modality move together and which move
        apart. A channel alone looks the same in all emotions, whatever statistic it is: only
        channels read together tell.
    context : float, default=0.0
        How much the emotion shows in cues whose meaning depends on the context. Half of the
        clips are lively, which shows in ``motion``; in the other modalities an emotion then looks
        as the next one does in a quiet clip. No modality alone tells which of two it is, nor does
        any sum of what each of them says.
    ambiguity : float, default=0.3
        Share of clips that are mixtures of two emotions, 0 to 1. The weight of the stronger
        one is uniform in 0.5 to 1 and the label is drawn from the weights, so that a quarter
        of these labels name the weaker one.
    person_shift : float, default=1.0
        How much people differ: each person has an own offset and an own gain in each channel.
    noise : float, default=1.0
        Level of the noise: slow and white, an offset of each clip, and how far a clip's
        pattern strays in time.
    missing : float, default=0.0
        Share of (clip, modality) pairs that are absent: all NaN. 0 to 0.75; every clip keeps
        at least one modality. The same share of the remaining pairs (as probability) has a gap
        of a tenth of the clip.
    shortest : float, default=1.0
        Shares of the 8 s for which the clips last are uniform between this and 1; NaN follows.
        Above 0, at most 1.
    random_state : int, RandomState or None, default=None
        An int gives the same bytes at every call; None gives new data at each. The knobs use
        separate streams: changing one leaves what the others draw as it was.

    Returns
    -------
    sklearn.utils.Bunch
        With the attributes

        views : Views of n_people * n_clips_per_emotion * n_emotions clips
            float32, in arbitrary units, with rates; person by person, in random order within.
        target : ndarray of str of shape (n_clips,)
            The emotion by which the clip is labelled.
        target_names : ndarray of str of shape (n_emotions,)
            The emotions, sorted.
        groups : ndarray of str of shape (n_clips,)
            The person.
        ambiguity : ndarray of shape (n_clips, n_emotions)
            The probability with which the label of a clip was drawn; columns as in
            `target_names`. No classifier can expect more than ``ambiguity.max(axis=1).mean()``
            accuracy.
        DESCR : str
            A short description.

    Raises
    ------
    TypeError
        If a parameter is of the wrong type.
    ValueError
        If a parameter is out of its range.

    Notes
    -----
    Source: ours. For clip :math:`i` of person :math:`p`, channel :math:`c` of a modality and time
    :math:`t` in shares of the clip,

    .. math:: x_{ic}(t) = o_{pc} + g_{pc} \big(
        s\,[b_c(w_i) + u_c(w_i)\,z_i(t)] + \tau\, v_c\, \pi(t; w_i)
        + \kappa \sum_e \sqrt{w_{ie}}\, \sigma_{ec}\, z_{ie}(t) + \chi\, q_{ic}(t)
        + \nu\, n_{ic}(t) \big)

    with :math:`w_i` the clip's emotion weights (``ambiguity``), :math:`b` and :math:`u` the bias
    and the loading on a random common source :math:`z`, both weighted means over the emotions;
    :math:`v` one loading for all emotions, :math:`\pi` the weighted mean of the emotions'
    patterns brought to unit power, :math:`\sigma` a sign for each emotion and channel with a
    source of its own for each emotion (``coupling``), :math:`q` in ``motion`` a source that lively
    clips alone have and elsewhere a bias and a loading as above, in lively clips for the weights
    of the emotion before (``context``), and :math:`n` the noise. :math:`z` and the
    slow noise are made of whole periods over the clip with random phases, which look the same
    from every point in time: this is why turning the pattern cannot show in any statistic that
    ignores the order.
    A gap (``missing``) breaks that symmetry a little.

    Examples
    --------
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> data = make_emotion_views(n_people=3, n_clips_per_emotion=2, random_state=0)
    >>> len(data.views), data.views.names
    (24, ('motion', 'skin', 'pulse', 'voice'))
    >>> data.ambiguity.shape
    (24, 4)
    """
    parameters = {
        "n_people": n_people,
        "n_clips_per_emotion": n_clips_per_emotion,
        "n_emotions": n_emotions,
        "spatial": spatial,
        "temporal": temporal,
        "coupling": coupling,
        "context": context,
        "ambiguity": ambiguity,
        "person_shift": person_shift,
        "noise": noise,
        "missing": missing,
        "shortest": shortest,
    }
    _check_parameters(parameters)
    streams = _streams(random_state, 3 + len(_MODALITIES) + 1)
    person = np.repeat(np.arange(n_people), n_clips_per_emotion * n_emotions)
    stronger = _random_order(streams[0], n_people, n_clips_per_emotion, n_emotions)
    weights, label = _draw_label(streams[0], stronger, n_emotions, ambiguity)
    duration = streams[1].uniform(size=len(person)) * (1 - shortest) + shortest
    absent = _draw_absent(streams[2], len(person), missing)
    lively = streams[-1].integers(2, size=len(person))
    knobs = _Knobs(spatial, temporal, coupling, context, person_shift, noise, missing)
    arrays = {
        name: _record(stream, modality, _Clips(person, weights, lively, duration, gone), knobs)
        for (name, modality), stream, gone in zip(
            _MODALITIES.items(), streams[3:-1], absent.T, strict=True
        )
    }
    emotions = _numbered("emotion", n_emotions)
    return Dataset(
        views=Views(arrays, rates={name: m.rate for name, m in _MODALITIES.items()}),
        target=emotions[label],
        target_names=emotions,
        groups=_numbered("person", n_people)[person],
        ambiguity=weights,
        DESCR=_describe(parameters),
    )


def _check_parameters(parameters: dict[str, float]) -> None:
    for name, value in parameters.items():
        kind, low, high, boundaries = _RANGES[name]
        check_scalar(value, name, kind, min_val=low, max_val=high, include_boundaries=boundaries)
        if not np.isfinite(value):
            raise ValueError(f"{name} == {value}, must be finite.")


def _describe(parameters: dict[str, float]) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in parameters.items())
    return f"Artificial clips with a known truth: make_emotion_views({settings})."


def _streams(random_state: int | np.random.RandomState | None, n: int) -> list[Generator]:
    # Fresh entropy for None: check_random_state(None) would advance NumPy's global generator.
    seed = None
    if random_state is not None:
        seed = check_random_state(random_state).randint(2**32, size=4, dtype=np.uint32)
    return [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(n)]


def _numbered(word: str, n: int) -> np.ndarray:
    # Leading zeros, so that sorting the names keeps their order.
    return np.array([f"{word}_{i:0{len(str(n - 1))}d}" for i in range(n)])


def _random_order(
    rng: Generator, n_people: int, n_clips_per_emotion: int, n_emotions: int
) -> np.ndarray:
    """Return the stronger emotion of each clip, person by person."""
    in_turn = np.repeat(np.arange(n_emotions), n_clips_per_emotion)
    return rng.permuted(np.tile(in_turn, (n_people, 1)), axis=1).ravel()


def _draw_label(
    rng: Generator, stronger: np.ndarray, n_emotions: int, ambiguity: float
) -> tuple[np.ndarray, np.ndarray]:
    """Mix a second emotion into some clips; return the weights of all and the label drawn."""
    n_clips = len(stronger)
    second = (stronger + rng.integers(1, n_emotions, size=n_clips)) % n_emotions
    is_mixture = rng.uniform(size=n_clips) < ambiguity
    share = np.where(is_mixture, rng.uniform(0.5, 1.0, size=n_clips), 1.0)
    weights = np.zeros((n_clips, n_emotions))
    weights[np.arange(n_clips), stronger] = share
    weights[np.arange(n_clips), second] = 1 - share
    return weights, np.where(rng.uniform(size=n_clips) < share, stronger, second)


def _draw_absent(rng: Generator, n_clips: int, missing: float) -> np.ndarray:
    """Choose the absent modalities of each clip: the share asked for, never all of a clip."""
    n_modalities = len(_MODALITIES)
    kept = rng.integers(n_modalities, size=n_clips)
    order = rng.uniform(size=(n_clips, n_modalities))
    order[np.arange(n_clips), kept] = 2  # the last to go; missing is too small to reach them
    n_absent = round(missing * order.size)
    return (order.ravel().argsort().argsort() < n_absent).reshape(order.shape)


def _record(rng: Generator, modality: _Modality, clips: _Clips, knobs: _Knobs) -> np.ndarray:
    """Return one modality of all clips, (n_clips, n_channels, n_timesteps), in float32."""
    n_timesteps = int(modality.rate * _SECONDS)
    n_frames = np.maximum(1, np.ceil(clips.duration * n_timesteps))
    time = np.arange(n_timesteps) / n_frames[:, np.newaxis]  # in shares of the clip
    values = (
        knobs.spatial * _spatial(rng, modality, clips.weights, time)
        + knobs.temporal * _temporal(rng, modality, clips.weights, time, knobs.noise)
        + knobs.noise * _noise(rng, modality, time)
    )
    offset, gain = _shift(rng, modality, clips.person, knobs.person_shift)
    unmeasured = (time >= 1) | _draw_gaps(rng, time, knobs.missing) | clips.absent[:, np.newaxis]
    # Drawn last: data of versions without it stay what they were.
    values += knobs.coupling * _coupling(rng, modality, clips.weights, time)
    values += knobs.context * _contextual(rng, modality, clips.weights, clips.lively, time)
    values = offset + gain * values
    return np.where(unmeasured[:, np.newaxis], np.nan, values).astype(np.float32)


def _spatial(
    rng: Generator, modality: _Modality, weights: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Which channels are raised, and which follow a common source."""
    shape = weights.shape[1], modality.n_channels
    bias = weights @ rng.normal(0, _BIAS, size=shape)
    loading = weights @ rng.normal(0, _COMMON, size=shape)
    source = _slow(rng, 1, time)
    return bias[:, :, np.newaxis] + loading[:, :, np.newaxis] * source


def _temporal(
    rng: Generator, modality: _Modality, weights: np.ndarray, time: np.ndarray, noise: float
) -> np.ndarray:
    """Bursts at a time that depends on the emotion; the same loading for all emotions."""
    n_clips, n_emotions = weights.shape
    loading = rng.choice([-1, 1], modality.n_channels) * rng.uniform(0.5, 1.5, modality.n_channels)
    turn = rng.permutation(n_emotions) / n_emotions
    stray = noise * rng.normal(0, _STRAY, size=n_clips)
    harmonics = np.arange(1, len(_PATTERN) + 1)
    mixed = weights @ np.exp(-2j * pi * np.outer(turn, harmonics))
    mixed *= _PATTERN * np.exp(-2j * pi * np.outer(stray, harmonics))
    # Unit power for mixtures too: else the power would tell which two emotions were mixed.
    mixed /= np.sqrt((np.abs(mixed) ** 2).sum(axis=1, keepdims=True) / 2)
    waves = np.exp(2j * pi * harmonics[:, np.newaxis] * time[:, np.newaxis])
    pattern = (mixed[:, np.newaxis] @ waves).imag
    return _TEMPORAL * loading[:, np.newaxis] * pattern


def _coupling(
    rng: Generator, modality: _Modality, weights: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Sources that channels follow with a sign that depends on the emotion."""
    n_emotions = weights.shape[1]
    sign = rng.choice([-1.0, 1.0], size=(modality.n_channels, n_emotions))
    # Roots and a source for each emotion: the power of a channel is the same for mixtures too.
    source = np.sqrt(weights)[:, :, np.newaxis] * _slow(rng, n_emotions, time)
    return _COUPLED * (sign @ source)


def _contextual(
    rng: Generator, modality: _Modality, weights: np.ndarray, lively: np.ndarray, time: np.ndarray
) -> np.ndarray:
    """Whether a clip is lively; or else the cues, each of which stands for two emotions."""
    if modality.shows_context:
        shape = modality.n_channels, 1
        loading = rng.choice([-1, 1], shape) * rng.uniform(0.5, 1.5, shape)
        return _LIVELY * lively[:, np.newaxis, np.newaxis] * loading * _slow(rng, 1, time)
    looks_like = np.where(lively[:, np.newaxis], np.roll(weights, 1, axis=1), weights)
    return _CUE * _spatial(rng, modality, looks_like, time)


def _noise(rng: Generator, modality: _Modality, time: np.ndarray) -> np.ndarray:
    """Each clip's own offset, slow noise and white noise."""
    n_clips, n_timesteps = time.shape
    n_channels = modality.n_channels
    offset = rng.normal(0, _CLIP_OFFSET, size=(n_clips, n_channels, 1))
    white = rng.normal(0, _WHITE, size=(n_clips, n_channels, n_timesteps))
    return offset + white + _slow(rng, n_channels, time)


def _slow(rng: Generator, n_channels: int, time: np.ndarray) -> np.ndarray:
    """Whole periods over the clip with random phases: the same from every point in time."""
    angle = 2 * pi * _HARMONICS[:, np.newaxis] * time[:, np.newaxis]
    waves = np.concatenate([np.cos(angle), np.sin(angle)], axis=1)
    return rng.normal(0, np.tile(_SLOW, 2), size=(len(time), n_channels, len(_SLOW) * 2)) @ waves


def _shift(
    rng: Generator, modality: _Modality, person: np.ndarray, person_shift: float
) -> tuple[np.ndarray, np.ndarray]:
    """Offset and gain (n_clips, n_channels, 1) of the person of each clip."""
    shape = person.max() + 1, modality.n_channels, 1
    offset = rng.normal(0, _OFFSET, size=shape) * person_shift
    louder = rng.normal(0, _LOUDER, size=shape) * person_shift
    # As many channels are divided as multiplied; unlike exp(louder) this does not explode.
    gain = np.where(louder > 0, 1 + louder, 1 / (1 + np.abs(louder)))
    return offset[person], gain[person]


def _draw_gaps(rng: Generator, time: np.ndarray, missing: float) -> np.ndarray:
    """Choose clips with a gap, and where in the clip it lies, (n_clips, n_timesteps)."""
    has_gap = rng.uniform(size=(len(time), 1)) < missing
    start = rng.uniform(0, 1 - _GAP, size=(len(time), 1))
    return has_gap & (time >= start) & (time < start + _GAP)
