"""Fuzzy rules over a feature vector: where rules lie, how strongly they fire, the TSK features."""

from stf2m_sk.fuzzy._firing import firing_strengths, log_firing
from stf2m_sk.fuzzy._patterns import place_patterns
from stf2m_sk.fuzzy._placement import RulePlacement, place_rules
from stf2m_sk.fuzzy._transformer import FuzzyRuleTransformer

__all__ = [
    "FuzzyRuleTransformer",
    "RulePlacement",
    "firing_strengths",
    "log_firing",
    "place_patterns",
    "place_rules",
]
