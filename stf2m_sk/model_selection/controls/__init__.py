"""Controls: what a classifier has to be better than before its score means something."""

from stf2m_sk.model_selection.controls._labels import (
    MajorityControl,
    NearestInTimeControl,
    StimulusPriorControl,
)
from stf2m_sk.model_selection.controls._wrappers import PopulationOnly, ShuffledLabels

__all__ = [
    "MajorityControl",
    "NearestInTimeControl",
    "PopulationOnly",
    "ShuffledLabels",
    "StimulusPriorControl",
]
