"""A model and the settings of its recordings: two files in one folder."""

from __future__ import annotations

from pathlib import Path

from stf2m_sk import STF2MClassifier, load
from stf2m_sk.cli._settings import Settings, read_settings, write_settings
from stf2m_sk.cli._writing import check_place, draft_folder

__all__ = ["check_output", "load_model", "save_model"]

_CLASSIFIER, _SETTINGS = "classifier.safetensors", "settings.json"


def check_output(path: Path) -> None:
    """Refuse a place for a model where something else is.

    Parameters
    ----------
    path : Path
        Folder to be written.

    Raises
    ------
    FileExistsError
        If something is there that is no model; a model is replaced.
    FileNotFoundError
        If the folder around it does not exist.
    """
    check_place(path)
    if path.exists() and not (path / _SETTINGS).is_file():
        raise FileExistsError(f"{path}: is there and is no model; give another name with -o")


def save_model(path: Path, classifier: STF2MClassifier, settings: Settings) -> None:
    """Write a model, whole or not at all.

    Parameters
    ----------
    path : Path
        Folder to write, with ``classifier.safetensors``, which `stf2m_sk.load` reads, and
        ``settings.json``.
    classifier : STF2MClassifier
        Fitted.
    settings : Settings
        Of its training.
    """
    with draft_folder(path) as draft:
        classifier.save(draft / _CLASSIFIER)
        write_settings(draft / _SETTINGS, settings)


def load_model(path: Path) -> tuple[STF2MClassifier, Settings]:
    """Read what `save_model` has written.

    Parameters
    ----------
    path : Path
        Folder.

    Returns
    -------
    classifier : STF2MClassifier
    settings : Settings

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it is no model.
    ValueError
        If one of its files is damaged, or the two do not belong together.
    """
    written = "expected the folder that `train` or `adapt` wrote"
    if not path.is_dir():
        raise FileNotFoundError(f"{path}: there is no such folder; {written}")
    for name in (_CLASSIFIER, _SETTINGS):
        if not (path / name).is_file():
            raise FileNotFoundError(f"{path}: is no model, since it lacks {name}; {written}")
    settings = read_settings(path / _SETTINGS)
    classifier = load(path / _CLASSIFIER)
    for modality in classifier.schema_:
        n_samples = round(settings.window * modality.rate)
        if modality.n_timesteps != n_samples:
            raise ValueError(
                f"{path / _SETTINGS}: a window of {settings.window:g} s has {n_samples} samples of "
                f"{modality.name!r}, but {_CLASSIFIER} was trained on {modality.n_timesteps}; the "
                "two files do not belong together"
            )
    return classifier, settings
