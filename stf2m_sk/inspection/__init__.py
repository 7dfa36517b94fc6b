"""Why a classifier says what it says, and how sure one can be of it."""

from stf2m_sk.doubt import UnlikeClipsWarning
from stf2m_sk.inspection._blend import blend
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
from stf2m_sk.inspection._prediction_sets import CoverageError, PredictionSets
from stf2m_sk.inspection._rules import rule_table
from stf2m_sk.inspection._short import ShortRules, short_rules
from stf2m_sk.inspection._timeline import TimelineExplanation, explain_timeline
from stf2m_sk.inspection._unlikeness import unlikeness

__all__ = [
    "ConfusionDisplay",
    "CoverageError",
    "EmbeddingDisplay",
    "Explanation",
    "ExplanationDisplay",
    "ModalityDisplay",
    "PredictionSets",
    "RuleDisplay",
    "ShortRules",
    "ShotsDisplay",
    "TimelineDisplay",
    "TimelineExplanation",
    "TrainingDisplay",
    "UnlikeClipsWarning",
    "blend",
    "explain",
    "explain_timeline",
    "occlude_networks",
    "rule_table",
    "short_rules",
    "unlikeness",
]
