"""Fine-grained emotion recognition from few labelled multi-modal recordings (ST-F2M)."""

from importlib import import_module

from stf2m_sk._version import __version__ as __version__
from stf2m_sk.checking import check_clips
from stf2m_sk.classifier import STF2MClassifier
from stf2m_sk.loading import load
from stf2m_sk.model_file import ModelFileError
from stf2m_sk.personalised import PersonalisedClassifier
from stf2m_sk.pooled import PooledClassifier
from stf2m_sk.training.checkpoint import CheckpointError
from stf2m_sk.views import Views, ViewSchema

__all__ = [
    "CheckpointError",
    "ModelFileError",
    "PersonalisedClassifier",
    "PooledClassifier",
    "STF2MClassifier",
    "ViewSchema",
    "Views",
    "check_clips",
    "load",
]

# Modules that are public too; `stf2m_sk.recordings` imports it where it is first written.
_MODULES = (
    "compliance",
    "datasets",
    "encoding",
    "fuzzy",
    "inspection",
    "metrics",
    "model_selection",
    "pipelines",
    "preprocessing",
    "recordings",
    "views",
)


def __getattr__(name: str):
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES, "__version__"])
