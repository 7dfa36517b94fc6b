"""Why a classifier says what it says: exact contributions of modalities, rules and frames."""

from stf2m_sk.inspection._displays._confusion import ConfusionDisplay
from stf2m_sk.inspection._displays._embedding import EmbeddingDisplay
from stf2m_sk.inspection._displays._explanation import ExplanationDisplay
from stf2m_sk.inspection._displays._modality import ModalityDisplay
from stf2m_sk.inspection._displays._rule import RuleDisplay
from stf2m_sk.inspection._displays._shots import ShotsDisplay
from stf2m_sk.inspection._displays._timeline import TimelineDisplay
from stf2m_sk.inspection._displays._training import TrainingDisplay
from stf2m_sk.inspection._explain import explain
from stf2m_sk.inspection._explanation import Explanation
from stf2m_sk.inspection._occlusion import occlude_networks
from stf2m_sk.inspection._timeline import TimelineExplanation, explain_timeline

__all__ = [
    "ConfusionDisplay",
    "EmbeddingDisplay",
    "Explanation",
    "ExplanationDisplay",
    "ModalityDisplay",
    "RuleDisplay",
    "ShotsDisplay",
    "TimelineDisplay",
    "TimelineExplanation",
    "TrainingDisplay",
    "explain",
    "explain_timeline",
    "occlude_networks",
]
