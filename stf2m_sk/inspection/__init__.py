"""Why a classifier says what it says: exact contributions of modalities, rules and frames."""

from stf2m_sk.inspection._explain import explain
from stf2m_sk.inspection._explanation import Explanation
from stf2m_sk.inspection._occlusion import occlude_networks
from stf2m_sk.inspection._timeline import TimelineExplanation, explain_timeline

__all__ = [
    "Explanation",
    "TimelineExplanation",
    "explain",
    "explain_timeline",
    "occlude_networks",
]
