"""Fine-grained emotion recognition from few labelled multi-modal recordings (ST-F2M)."""

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
