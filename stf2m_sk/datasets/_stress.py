"""The bundled recording of four states of stress."""

from __future__ import annotations

from importlib.resources import files

import numpy as np

from stf2m_sk.datasets._dataset import Dataset
from stf2m_sk.views import Views

_DATA = files("stf2m_sk.datasets") / "data"
_MODALITIES = ("acc", "eda", "temp", "spo2", "hr")


def load_stress(*, return_X_y: bool = False) -> Dataset | tuple[Views, np.ndarray]:
    """Load the bundled stress recording: 20 people, 1375 clips of 30 s, five modalities.

    Twenty people relaxed and went through physical, cognitive and emotional stress, wearing
    sensors for acceleration, skin conductance, temperature, oxygen saturation and heart rate.
    The data is the Non-EEG Dataset for Assessment of Neurological Status (PhysioNet ``noneeg``
    1.0.0), stored to the resolution of the sensors; it is part of the package, nothing is
    downloaded. Its licence is ODC-By 1.0, which asks for attribution.

    Parameters
    ----------
    return_X_y : bool, default=False
        If True, return ``(views, target)`` instead of the Bunch.

    Returns
    -------
    data : sklearn.utils.Bunch
        With the attributes

        views : Views of 1375 clips
            ``acc`` (3 channels, 240 time steps, 8 Hz, g), ``eda`` (1, 240, 8 Hz, microsiemens),
            ``temp`` (1, 240, 8 Hz, degrees Celsius), ``spo2`` (1, 30, 1 Hz, percent) and ``hr``
            (1, 30, 1 Hz, beats per minute), float32, in the order of the recording.
        target : ndarray of str of shape (1375,)
            The state in each clip.
        target_names : ndarray of str of shape (4,)
            ``cognitive_stress``, ``emotional_stress``, ``physical_stress``, ``relax``.
        groups : ndarray of str of shape (1375,)
            The person, ``S01`` to ``S20``. Split by it.
        segment : ndarray of int of shape (1375,)
            The phase within the person's recording; clips of one person and one segment follow
            each other in time.
        DESCR : str
            The full description, with source, licence and cautions.
    (views, target) : tuple
        If ``return_X_y`` is True.

    Notes
    -----
    The order of the phases is the same for all people and each kind of stress is a single block:
    nearness in time alone tells much of the label within a person. ``DESCR`` says more.

    References
    ----------
    Birjandtalab, Cogan, Pouyan, Nourani: A Non-EEG Biosignals Dataset for Assessment and
    Visualization of Neurological Status. IEEE SiPS 2016. doi:10.1109/SiPS.2016.27

    Examples
    --------
    >>> from stf2m_sk.datasets import load_stress
    >>> stress = load_stress()
    >>> len(stress.views), stress.views["acc"].shape
    (1375, (1375, 3, 240))
    >>> stress.target_names.tolist()
    ['cognitive_stress', 'emotional_stress', 'physical_stress', 'relax']
    >>> len(set(stress.groups))
    20
    """
    with (_DATA / "noneeg_stress.npz").open("rb") as file, np.load(file) as sample:
        arrays = dict(sample)
    views = Views(
        {name: _in_units(arrays, name) for name in _MODALITIES},
        rates={name: float(arrays[f"rate_{name}"]) for name in _MODALITIES},
        channel_names={name: arrays[f"channels_{name}"].tolist() for name in _MODALITIES},
    )
    target = arrays["y"]
    if return_X_y:
        return views, target
    return Dataset(
        views=views,
        target=target,
        target_names=np.unique(target),
        groups=arrays["groups"],
        segment=arrays["segment"].astype(np.int64),
        DESCR=(_DATA / "noneeg_stress.rst").read_text(encoding="utf-8"),
    )


def _in_units(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    # A division, not a product: 7 / 100 is the float32 nearest to 0.07, 7 * 0.01 need not be.
    return arrays[name].astype(np.float32) / np.float32(arrays[f"steps_per_unit_{name}"])
