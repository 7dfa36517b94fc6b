"""Few-shot evaluation on new people and new emotions, with scikit-learn's own tools."""

from stf2m_sk.model_selection._compare import compare_few_shot
from stf2m_sk.model_selection._comparison import FewShotComparison
from stf2m_sk.model_selection._episode_split import EpisodeSplit
from stf2m_sk.model_selection._episodes import Episode
from stf2m_sk.model_selection._folds import (
    NewPersonNovelClassSplit,
    NewPersonSplit,
    NovelClassSplit,
)
from stf2m_sk.model_selection._metrics import (
    METRICS,
    expected_calibration_error,
    quadrant_accuracy,
    quadrant_metric,
    soft_label_agreement,
    soft_label_cross_entropy,
)
from stf2m_sk.model_selection._result import FewShotResult
from stf2m_sk.model_selection._score import few_shot_score
from stf2m_sk.model_selection._scorer import FewShotScorer, make_few_shot_scorer
from stf2m_sk.model_selection.controls import (
    MajorityControl,
    NearestInTimeControl,
    PopulationOnly,
    ShuffledLabels,
    StimulusPriorControl,
)
from stf2m_sk.model_selection.leakage import Leak, LeakageReport, leakage_report

__all__ = [
    "METRICS",
    "Episode",
    "EpisodeSplit",
    "FewShotComparison",
    "FewShotResult",
    "FewShotScorer",
    "Leak",
    "LeakageReport",
    "MajorityControl",
    "NearestInTimeControl",
    "NewPersonNovelClassSplit",
    "NewPersonSplit",
    "NovelClassSplit",
    "PopulationOnly",
    "ShuffledLabels",
    "StimulusPriorControl",
    "compare_few_shot",
    "expected_calibration_error",
    "few_shot_score",
    "leakage_report",
    "make_few_shot_scorer",
    "quadrant_accuracy",
    "quadrant_metric",
    "soft_label_agreement",
    "soft_label_cross_entropy",
]
