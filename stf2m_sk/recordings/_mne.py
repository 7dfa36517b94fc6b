"""Recordings from MNE-Python, which need not be installed for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._signal import Signal

if TYPE_CHECKING:
    import mne

__all__ = ["MneValues", "from_mne"]

# MNE holds values in SI units.
_UNITS = {
    **dict.fromkeys(("eeg", "eog", "ecg", "emg", "seeg", "ecog", "dbs", "bio"), "V"),
    "mag": "T",
    "grad": "T/m",
    "gsr": "S",
    "temperature": "degC",
}


def from_mne(raw: mne.io.BaseRaw, *, person: str = "", name: str = "") -> Recording:
    """Make a recording of a Raw of MNE-Python.

    Parameters
    ----------
    raw : mne.io.BaseRaw
        With values in memory or in its file.
    person : str, default=""
        Who was recorded.
    name : str, default=""
        Name of the recording.

    Returns
    -------
    Recording
        A signal for each type of channel ("eeg", "eog", ...), with the channels of that type in
        the order of `raw`, float64 in the units of MNE (V, T, S, ...); values are read when a
        slice is taken. Annotations are its annotations, with `label` for the description. Times are
        seconds since 1970 if `raw` has a measurement date, else on the clock of `raw`, whose
        first sample is at ``raw.first_time``.

    Raises
    ------
    TypeError
        If `raw` is no Raw.
    RecordingError
        If it has no channel or no sample.

    Examples
    --------
    >>> import mne  # doctest: +SKIP
    >>> from_mne(mne.io.read_raw_fif("sample_raw.fif"))["eeg"]  # doctest: +SKIP
    """
    needed = ("ch_names", "info", "n_times", "first_time", "annotations", "get_channel_types")
    missing = [attribute for attribute in needed if not hasattr(raw, attribute)]
    if missing:
        raise TypeError(
            f"raw must be a Raw of MNE-Python, got {type(raw).__name__} without "
            f"{', '.join(missing)}; epochs and evoked responses are no recordings"
        )
    if not raw.ch_names or not raw.n_times:
        raise RecordingError("raw: has no channel or no sample")
    measured = raw.info["meas_date"]
    origin = measured.timestamp() if measured is not None else 0.0
    types = raw.get_channel_types()
    signals = {}
    for kind in dict.fromkeys(types):
        picks = [channel for channel, found in enumerate(types) if found == kind]
        signals[kind] = Signal(
            MneValues(raw, picks),
            float(raw.info["sfreq"]),
            origin + float(raw.first_time),
            _UNITS.get(kind, ""),
            [raw.ch_names[channel] for channel in picks],
        )
    return Recording(signals, _annotations(raw, origin), person, name)


class MneValues:
    """Channels of a Raw, read when a slice is taken; float64 of shape (n_channels, n_samples).

    Parameters
    ----------
    raw : mne.io.BaseRaw
    picks : list of int
        Numbers of the channels.
    """

    dtype = np.dtype(np.float64)

    def __init__(self, raw: mne.io.BaseRaw, picks: list[int]) -> None:
        self._raw, self._picks = raw, picks
        self.shape = (len(picks), int(raw.n_times))

    def __getitem__(self, key: tuple) -> NDArray[np.float64]:
        """Values at ``[..., first:last]``, as a NumPy array."""
        first, last, step = key[-1].indices(self.shape[1])
        if len(key) != 2 or key[0] is not Ellipsis or step != 1:
            raise TypeError(f"values are read as values[..., first:last], got the key {key!r}")
        if last <= first:
            return np.empty((len(self._picks), 0))
        values, _ = self._raw[self._picks, first:last]
        return values


def _annotations(raw: mne.io.BaseRaw, origin: float) -> pd.DataFrame | None:
    """Onsets of a Raw count from its measurement date, or from the time 0 of its clock."""
    found = raw.annotations
    if not len(found):
        return None
    starts = origin + np.asarray(found.onset, dtype=np.float64)
    ends = starts + np.asarray(found.duration, dtype=np.float64)
    return pd.DataFrame({"start": starts, "end": ends, "label": list(map(str, found.description))})
