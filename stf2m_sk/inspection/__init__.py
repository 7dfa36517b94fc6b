"""Why a classifier says what it says: exact contributions of modalities, rules and frames."""

from stf2m_sk.inspection._explain import explain
from stf2m_sk.inspection._explanation import Explanation

__all__ = ["Explanation", "explain"]
