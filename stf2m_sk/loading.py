"""Read a saved classifier."""

from __future__ import annotations

from pathlib import Path

from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.persistence import restore

__all__ = ["load"]


def load(path: str | Path) -> STF2MClassifier:
    """Read a classifier that `STF2MClassifier.save` has written.

    Parameters
    ----------
    path : str or Path
        File to read. Nothing in it is executed.

    Returns
    -------
    STF2MClassifier
        Fitted, on the CPU or, with ``device="auto"``, on the GPU if there is one. `callbacks`,
        `checkpoint`, `n_threads` and `random_state` are at their defaults.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        A ValueError, if the file is not one of ours, is damaged, or is of another version. Every
        byte is checked against the checksum that was written with it, then every value.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import stf2m_sk
    >>> X = np.random.default_rng(0).normal(size=(40, 2, 30))
    >>> y = np.repeat(["calm", "tense"], 20)
    >>> clf = stf2m_sk.STF2MClassifier(n_networks=0, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "model.safetensors"
    ...     clf.save(path)
    ...     again = stf2m_sk.load(path)
    >>> bool((again.predict_proba(X) == clf.predict_proba(X)).all())
    True
    """
    return restore(STF2MClassifier, Path(path))
