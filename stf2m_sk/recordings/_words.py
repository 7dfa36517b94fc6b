"""Text: words by hashing, and the valence of what was said."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer

from stf2m_sk.recordings._optional import require
from stf2m_sk.recordings._signal import Signal

__all__ = ["words"]

_VALENCE = ("compound", "positive", "negative")


def words(signal: Signal, *, n_features: int = 32, seconds: float = 3.0) -> Signal:
    """Words of each moment as numbers, and how pleasant what was said lately is.

    Parameters
    ----------
    signal : Signal
        Text of shape (1, n_samples), usually a sample a second: the words of that second, "" for
        silence, None where nothing is known.
    n_features : int, default=32
        Columns into which words are hashed.
    seconds : float, default=3.0
        What was said in the last so many seconds counts for the valence.

    Returns
    -------
    Signal
        Values, as float32, of shape (n_features + 3, n_samples) at the signal's rate. "word i" is
        the number of the moment's words with hash i; half of all words count -1, so that words
        that share a column do not add up (feature hashing). "compound", "positive" and
        "negative" are VADER's: compound from -1 to 1, the others shares from 0 to 1. In silence
        words are 0, and valence is 0 once nothing was said lately. All are NaN where nothing is
        known.

    Raises
    ------
    ImportError
        If vaderSentiment is not installed (extra "text").
    ValueError
        If the signal is no text, or a parameter is impossible.

    Notes
    -----
    Hashing is scikit-learn's `HashingVectorizer`: lower case, no normalisation, the same on
    every machine. VADER knows English words and emoticons; for another language its three
    channels are 0. Reference: Hutto and Gilbert, ICWSM 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from stf2m_sk.recordings import Signal
    >>> from stf2m_sk.recordings import words
    >>> said = np.array([["what a wonderful day", "", None]], dtype=object)
    >>> numbers = words(Signal(said, rate=1))
    >>> numbers.values[numbers.channels.index("compound")].round(2).tolist()
    [0.5699999928474426, 0.5699999928474426, nan]
    """
    texts = _texts(signal)
    if n_features < 1:
        raise ValueError(f"n_features must be at least 1, given {n_features}")
    if not seconds > 0:
        raise ValueError(f"seconds must be above 0, given {seconds}")
    known = np.array([text is not None for text in texts], dtype=bool)
    values = np.full((n_features + len(_VALENCE), len(texts)), np.nan, dtype=np.float32)
    spoken = ["" if text is None else text for text in texts]
    values[:n_features, known] = _hashed(spoken, n_features)[:, known]
    span = max(1, math.floor(seconds * signal.rate + 1e-9))
    values[n_features:, known] = _valence(spoken, span)[:, known]
    names = *(f"word {i}" for i in range(n_features)), *_VALENCE
    return replace(signal, values=values, unit="", channels=names)


def _texts(signal: Signal) -> list[str | None]:
    if tuple(signal.values.shape[:-1]) != (1,) or signal.values.dtype != object:
        raise ValueError(
            "text must be an object array of shape (1, n_samples) of str or None, given "
            f"{signal.values.dtype} of shape {tuple(signal.values.shape)}"
        )
    texts = signal.read(0, signal.n_samples)[0].tolist()
    for i, text in enumerate(texts):
        if text is not None and not isinstance(text, str):
            raise ValueError(
                f"text must be str or None, given {text!r} at {signal.start + i / signal.rate:g} s"
            )
    return texts


def _hashed(texts: list[str], n_features: int) -> NDArray:
    if not texts:
        return np.zeros((n_features, 0))
    hasher = HashingVectorizer(n_features=n_features, norm=None, token_pattern=r"(?u)\b\w+\b")
    return hasher.transform(texts).toarray().T


def _valence(texts: list[str], span: int) -> NDArray:
    """VADER's three numbers for the last `span` texts together."""
    found = np.zeros((len(_VALENCE), len(texts)))
    for i in range(len(texts)):
        said = " ".join(text for text in texts[max(0, i + 1 - span) : i + 1] if text)
        if said:
            scores = _vader().polarity_scores(said)
            found[:, i] = scores["compound"], scores["pos"], scores["neg"]
    return found


@lru_cache(maxsize=1)
def _vader() -> object:
    """The analyser; it reads its lexicon once."""
    require("vaderSentiment", "text")
    return require("vaderSentiment.vaderSentiment", "text").SentimentIntensityAnalyzer()
