"""From a classifier and a recording to a timeline."""

from __future__ import annotations

import warnings
from dataclasses import replace

from stf2m_sk.recordings._check import findings, in_words
from stf2m_sk.recordings._display import not_numeric
from stf2m_sk.recordings._errors import RecordingError, RecordingWarning
from stf2m_sk.recordings._reading import Clips, answer_all, expected_schema, reader_of
from stf2m_sk.recordings._recording import Recording
from stf2m_sk.recordings._timeline import Timeline
from stf2m_sk.recordings._windows import check_window, whole_grid
from stf2m_sk.views import ViewSchema

__all__ = ["check_modality", "predict_timeline"]

_SAME_RATE = 1e-6  # relative


def predict_timeline(
    classifier: object,
    recording: Recording,
    *,
    window: float,
    step: float | None = None,
    causal: bool = False,
    unlabelled: bool = True,
    smooth: float = 0.0,
) -> Timeline:
    """Predict the emotion of every moment of a recording.

    Parameters
    ----------
    classifier : STF2MClassifier, Pipeline, or any classifier of Views with `predict_proba`
        Fitted on a population or adapted to the person. It is not changed.
    recording : Recording
        Signals of the names, channels and rates that the classifier was trained on. Other
        signals are not looked at.
    window : float
        Seconds that one prediction looks at: the length of the training clips.
    step : float, default=None
        Seconds from one prediction to the next; None: as long as a window.
    causal : bool, default=False
        Whether a window may know only what lies before its end: for live use, or to judge it.
    unlabelled : bool, default=True
        Whether the windows serve as the person's unlabelled clips, in place of others that the
        classifier may have read. Labelled clips of the person that it has read stay. Needs an
        STF2MClassifier, or a Pipeline that ends in one, whose other steps stay as they are.
    smooth : float, default=0.0
        Seconds over which probabilities are averaged, see `Timeline.smoothed`.

    Returns
    -------
    Timeline
        Windows from the start of the recording, step by step, wholly inside it; at least one.
        NaN where nothing is measured.

    Raises
    ------
    NotFittedError
        If the classifier is not fitted.
    RecordingError
        If the recording has no signal that the classifier knows, or one differs from training in
        rate or channels.
    TypeError
        If the classifier cannot do what is asked of it; the message says what to pass.
    ValueError
        If a number is out of its range.

    Warns
    -----
    RecordingWarning
        If a signal is missing that the classifier was trained on, or `Recording.check` finds
        something, such as a level 30 times off.

    Notes
    -----
    Windows are read and predicted some at a time: memory does not grow with the recording, but
    for the features of windows, of which 64 MB are kept so that they are computed once.

    With ``causal=True`` the unlabelled clips of window i are the windows up to and with i, read
    anew after each of the first ten and then after each tenth more. Source: ours.

    Examples
    --------
    >>> from stf2m_sk import STF2MClassifier
    >>> from stf2m_sk.datasets import make_emotion_views
    >>> from stf2m_sk.recordings import Recording, Signal
    >>> from stf2m_sk.recordings import predict_timeline
    >>> data = make_emotion_views(n_people=4, random_state=0)
    >>> new = data.groups == data.groups[-1]
    >>> clf = STF2MClassifier(n_networks=0, n_kernels=20, random_state=0)
    >>> clf = clf.fit(data.views[~new], data.target[~new], groups=data.groups[~new])
    >>> schema, clips = clf.schema_, data.views[new]
    >>> signals = {}
    >>> for name in clips.names:
    ...     values = clips[name].transpose(1, 0, 2).reshape(schema[name].n_channels, -1)
    ...     signals[name] = Signal(values, rate=schema[name].rate)
    >>> seconds = schema["skin"].n_timesteps / schema["skin"].rate
    >>> timeline = predict_timeline(clf, Recording(signals), window=seconds)
    >>> len(timeline) == len(clips)
    True
    """
    window, step = check_window(window, step)
    reader = reader_of(classifier, unlabelled=unlabelled, causal=causal)
    recording, messages = _known_signals(recording, classifier)
    for message in messages:
        warnings.warn(message, RecordingWarning, stacklevel=2)
    starts = whole_grid(recording.start, recording.stop, window, step)
    probabilities = answer_all(reader, Clips(recording.signals, starts, window))
    timeline = Timeline(
        start=starts,
        end=starts + window,
        probabilities=probabilities,
        classes=reader.classes,
        origin=recording.start,
        name=recording.name,
        person=recording.person,
        causal=causal,
    )
    return timeline.smoothed(smooth)


def check_modality(schema: ViewSchema, name: str, rate: float, n_channels: int) -> None:
    """Compare a signal with what a classifier was trained on.

    Raises
    ------
    RecordingError
        If the rate or the number of channels differs.
    """
    modality = schema[name]
    if modality.rate is not None and abs(modality.rate - rate) > _SAME_RATE * rate:
        raise RecordingError(
            f"signal {name!r} has {rate:.9g} Hz, but the classifier was trained on "
            f"{modality.rate:.9g} Hz: recording.resample({name!r}, {modality.rate:.9g})"
        )
    if modality.n_channels != n_channels:
        raise RecordingError(
            f"signal {name!r} has {n_channels} channels, but the classifier was trained on "
            f"{modality.n_channels}"
        )


def _known_signals(recording: Recording, classifier: object) -> tuple[Recording, list[str]]:
    """The part of a recording that the classifier looks at, and what to warn of."""
    schema = expected_schema(classifier)
    recording = replace(recording, annotations=None)
    messages = []
    if schema is None:
        names = list(recording.signals)
    else:
        names = [name for name in schema.names if name in recording.signals]
        missing = [name for name in schema.names if name not in recording.signals]
        others = [name for name in recording.signals if name not in schema]
        if not names:
            raise RecordingError(
                f"{recording.title} has signals {others}, but the classifier was trained on "
                f"{missing}; expected the same names, see with_signals"
            )
        if missing:
            unknown = f" (and has {others}, which it does not know)" if others else ""
            messages.append(
                f"{recording.title} lacks {missing}, which the classifier was trained on{unknown}"
            )
    recording = recording.select(*names)
    for name, signal in recording.signals.items():
        if not signal.is_numeric:
            raise RecordingError(not_numeric(recording.title, name, signal))
        if schema is not None:
            check_modality(schema, name, signal.rate, signal.n_channels)
    said = in_words(findings(recording, classifier if hasattr(classifier, "model_") else None))
    return recording, messages + ([f"{recording.title}: {said}"] if said else [])
