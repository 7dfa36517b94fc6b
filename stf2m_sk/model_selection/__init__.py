"""Few-shot evaluation on new people and new emotions, with scikit-learn's own tools."""

from stf2m_sk.model_selection._episode_split import EpisodeSplit
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._folds import NovelClassSplit
from stf2m_sk.model_selection._protocol import FewShotProtocol
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._score import compare_few_shot, few_shot_score
from stf2m_sk.model_selection._scorer import make_few_shot_scorer
from stf2m_sk.model_selection.controls import (
    MajorityControl,
    NearestInTimeControl,
    PopulationOnly,
    ShuffledLabels,
    StimulusPriorControl,
)
from stf2m_sk.model_selection.leakage import Leak, LeakageReport, leakage_report

__all__ = [
    "Episode",
    "EpisodeSplit",
    "FewShotProtocol",
    "FewShotResult",
    "Leak",
    "LeakageReport",
    "MajorityControl",
    "NearestInTimeControl",
    "NovelClassSplit",
    "PopulationOnly",
    "ShuffledLabels",
    "StimulusPriorControl",
    "compare_few_shot",
    "few_shot_score",
    "leakage_report",
    "make_few_shot_scorer",
]
