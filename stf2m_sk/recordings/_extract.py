"""Raw signals to signals of features, cached by content and in parallel over recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from os import PathLike
from types import MappingProxyType

import joblib
import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from stf2m_sk.recordings._content import content_key, extractor_key
from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._faces import video
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal
from stf2m_sk.recordings._voice import voice
from stf2m_sk.recordings._words import words

__all__ = ["extract"]

_DEFAULT = MappingProxyType({"audio": voice, "video": video, "text": words})

# A Signal as plain values, so that what lies in a cache does not depend on our classes.
_Plain = tuple[NDArray, float, float, str, tuple[str, ...]]

Extractor = Callable[[Signal], Signal | Mapping[str, Signal]] | torch.nn.Module


def extract(
    recordings: Recording | Iterable[Recording],
    extractors: Mapping[str, Extractor | None] | None = None,
    *,
    cache: str | PathLike | joblib.Memory | None = None,
    n_jobs: int | None = None,
    progress: bool = False,
) -> Recording | list[Recording]:
    """Turn voice, video and text into signals that can be cut.

    Parameters
    ----------
    recordings : Recording or iterable of Recording
        With raw signals; values are read block by block.
    extractors : mapping of str to callable, torch.nn.Module or None, default=None
        By the name of a signal: a function of the Signal, or None to keep the signal as it is.
        Names that are left out keep the default: `voice` for "audio", `video` for "video",
        `words` for "text". Signals without an extractor stay as they are. An extractor returns

        - a Signal, which takes the old one's name, or
        - a mapping of name to Signal, which takes the old one's place.

        A module is called in eval mode, without gradients, with a float32 tensor of shape (1,
        n_channels, n_samples). Its output of shape (1, n_out, n_frames) becomes a Signal of the
        same start, whose rate follows from the numbers of samples and frames.
    cache : path-like or joblib.Memory, default=None
        Folder in which results are kept, by the content of the signal (SHA-256 of its file, or
        of its values), and by the extractor: its name, source code and parameters. A file that
        was renamed is found again, one that was changed is not. None: nothing is kept.
    n_jobs : int, default=None
        Recordings that are worked on at the same time, as in `joblib.Parallel`.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    Recording or list of Recording
        New recordings; a single one if a single one was given.

    Raises
    ------
    RecordingError
        If an extractor fails, or returns something else, for a signal: the message names
        recording and signal.
    ImportError
        If an extra is not installed.
    TypeError
        If an extractor cannot be called, or something is no Recording.
    ValueError
        If `extractors` names a signal that no recording has, or if `cache` is given and an
        extractor has no name to be found again by, such as a lambda.

    Notes
    -----
    A cache holds pickles, as every `joblib.Memory`: use a folder only if all who can write to it
    are trusted.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Recording, Signal
    >>> from stf2m_sk.recordings import extract
    >>> def smoothed(signal):
    ...     pairs = signal.values.reshape(signal.n_channels, -1, 2)
    ...     return Signal(pairs.mean(axis=2), signal.rate / 2, signal.start)
    >>> audio = Signal(np.zeros((1, 32_000)), rate=16_000)
    >>> raw = Recording({"eda": Signal(np.ones((1, 8)), rate=4), "audio": audio}, name="first")
    >>> extract(raw, {"eda": smoothed}).signals
    {'eda': Signal(1x4 @ 2 Hz, 0 s to 2 s), 'mel': Signal(40x81 @ 40 Hz, 0 s to 2.025 s, dB), \
'prosody': Signal(6x81 @ 40 Hz, 0 s to 2.025 s)}
    """
    single = isinstance(recordings, Recording)
    given = [recordings] if single else list(recordings)
    chosen = _chosen(given, extractors or {})
    memory, keys = None, dict.fromkeys(chosen)
    if cache is not None:
        keys = {name: extractor_key(extractor) for name, extractor in chosen.items()}
        memory = cache if isinstance(cache, joblib.Memory) else joblib.Memory(cache, verbose=0)
    work = partial(_extracted, extractors=chosen, keys=keys, memory=memory)
    jobs = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
    results = jobs(joblib.delayed(work)(recording) for recording in given)
    done = list(tqdm(results, total=len(given), disable=not progress, unit="recording"))
    return done[0] if single else done


def _chosen(
    recordings: list[Recording], extractors: Mapping[str, Extractor | None]
) -> dict[str, Extractor]:
    """Extractors by name, the defaults among them, without those that are None."""
    for recording in recordings:
        if not isinstance(recording, Recording):
            raise TypeError(f"expected Recordings, given {type(recording).__name__}")
    present = dict.fromkeys(name for recording in recordings for name in recording.signals)
    for name, extractor in extractors.items():
        if extractor is not None and not callable(extractor):
            raise TypeError(f"extractor of {name!r} must be callable or None, given {extractor!r}")
        if recordings and name not in present:
            raise ValueError(
                f"extractors names the signal {name!r}, which no recording has; there are "
                f"{list(present)}"
            )
    merged = {**_DEFAULT, **extractors}
    return {name: e for name, e in merged.items() if e is not None and name in present}


def _extracted(
    recording: Recording,
    extractors: Mapping[str, Extractor],
    keys: Mapping[str, str | None],
    memory: joblib.Memory | None,
) -> Recording:
    new: dict[str, Signal] = {}
    for name, signal in recording.signals.items():
        found = {name: signal}
        if name in extractors:
            place = f"{recording.title}: signal {name!r}: {_name(extractors[name])}"
            try:
                plain = _plain_signals(name, signal, extractors[name], keys[name], memory)
            except ImportError:
                raise
            except Exception as error:
                raise RecordingError(f"{place}: {error or type(error).__name__}") from error
            found = {made: Signal(*values) for made, values in plain.items()}
        twice = [made for made in found if made in new]
        if twice:
            raise RecordingError(
                f"{recording.title}: signal {name!r}: there is a signal {twice[0]!r} already; "
                "rename one of the two"
            )
        new |= found
    return recording.with_signals(new)


def _plain_signals(
    name: str,
    signal: Signal,
    extractor: Extractor,
    key: str | None,
    memory: joblib.Memory | None,
) -> dict[str, _Plain]:
    if memory is None:
        return _computed("", name, signal, extractor)
    kept = memory.cache(_computed, ignore=["signal", "extractor"], verbose=0)
    return kept(f"{key} {content_key(signal)}", name, signal, extractor)


def _computed(key: str, name: str, signal: Signal, extractor: Extractor) -> dict[str, _Plain]:
    """What an extractor makes of a signal; `key` stands for both in a cache."""
    if isinstance(extractor, torch.nn.Module):
        made = _module_output(extractor, signal)
    else:
        made = extractor(signal)
    if isinstance(made, Signal):
        made = {name: made}
    if not isinstance(made, Mapping) or not all(isinstance(s, Signal) for s in made.values()):
        raise TypeError(f"expected a Signal or a mapping of name to Signal, got {made!r:.80}")
    return {
        name: (np.asarray(s.values), s.rate, s.start, s.unit, tuple(s.channels))
        for name, s in made.items()
    }


def _module_output(module: torch.nn.Module, signal: Signal) -> Signal:
    if not signal.is_numeric:
        raise ValueError(f"a module takes channels of numbers, given {signal}")
    weight = next(module.parameters(), torch.zeros(0))
    values = torch.from_numpy(signal.read(0, signal.n_samples).astype(np.float32))
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            output = module(values[None].to(weight.device))
    finally:
        module.train(was_training)
    shape = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
    if not isinstance(output, torch.Tensor) or output.ndim != 3 or len(output) != 1:
        raise ValueError(f"expected an output of shape (1, n_out, n_frames), got {shape}")
    if not (output.shape[2] and signal.n_samples):
        raise ValueError(f"no frame came out of {signal.n_samples} samples: is it too short?")
    rate = signal.rate * output.shape[2] / signal.n_samples
    return Signal(output[0].float().cpu().numpy(), rate, signal.start)


def _name(extractor: Extractor) -> str:
    while isinstance(extractor, partial):
        extractor = extractor.func
    return getattr(extractor, "__name__", type(extractor).__name__)
