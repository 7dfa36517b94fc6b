"""Channels of a file, each with its own rate, as signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stf2m_sk.recordings._errors import RecordingError
from stf2m_sk.recordings._files import unique_names

__all__ = ["grouped_channels", "start_of"]


def grouped_channels(
    place: object,
    labels: Sequence[str],
    rates: Sequence[float],
    signals: Mapping[str, Sequence[str]] | None,
) -> dict[str, list[int]]:
    """Numbers of the channels of each signal.

    Parameters
    ----------
    place : object
        What an error begins with.
    labels : sequence of str
        Names of the channels in the file.
    rates : sequence of float
        Their rates in Hz.
    signals : mapping of str to sequence of str, or None
        Labels of each signal, by its name. None makes each channel a signal of its own; the second
        of one label gets a number.

    Returns
    -------
    dict of str to list of int

    Raises
    ------
    RecordingError
        If a label is not in the file, is there more than once, or channels of one signal have
        different rates.

    Examples
    --------
    >>> from stf2m_sk.recordings._channels import grouped_channels
    >>> grouped_channels("a.edf", ["C3", "C4", "EDA"], [256, 256, 4], {"eeg": ["C3", "C4"]})
    {'eeg': [0, 1]}
    """
    if signals is None:
        return {name: [channel] for channel, name in enumerate(unique_names(labels))}
    groups = {}
    for name, wanted in signals.items():
        for label in wanted:
            if labels.count(label) != 1:
                raise RecordingError(
                    f"{place}: expected one channel named {label!r}, there are "
                    f"{labels.count(label)}; channels are {', '.join(labels)}"
                )
        groups[name] = [labels.index(label) for label in wanted]
        if len({rates[channel] for channel in groups[name]}) != 1:
            raise RecordingError(
                f"{place}: channels of signal {name!r} must have one rate, they have "
                f"{[f'{rates[channel]:g} Hz' for channel in groups[name]]}"
            )
    return groups


def start_of(local: datetime | None, tz: str | None) -> float:
    """Seconds since 1970 of a local time; 0 if the time or its zone is not known.

    Parameters
    ----------
    local : datetime or None
        Date and time without zone, as files hold it.
    tz : str or None
        Time zone of the place, such as "UTC" or "Europe/Dublin".

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no such time zone, or a zone but no time.

    Examples
    --------
    >>> from datetime import datetime
    >>> from stf2m_sk.recordings._channels import start_of
    >>> start_of(datetime(1970, 1, 1, 1, 0, 30), "UTC")
    3630.0
    """
    if tz is None:
        return 0.0
    if local is None:
        raise ValueError("tz was given, but the file does not say when it was recorded")
    try:
        zone = ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"there is no time zone {tz!r}; give one such as 'UTC'") from error
    return local.replace(tzinfo=zone).timestamp()
