"""Fuzzy rules, over windows of recordings and over feature vectors, and where they lie."""

from stf2m_sk.fuzzy._description import Pattern, describe_patterns
from stf2m_sk.fuzzy._firing import firing_strengths, log_firing
from stf2m_sk.fuzzy._pattern_transformer import FuzzyPatternTransformer
from stf2m_sk.fuzzy._patterns import place_patterns
from stf2m_sk.fuzzy._placement import RulePlacement, place_rules
from stf2m_sk.fuzzy._transformer import FuzzyRuleTransformer

__all__ = [
    "FuzzyPatternTransformer",
    "FuzzyRuleTransformer",
    "Pattern",
    "RulePlacement",
    "describe_patterns",
    "firing_strengths",
    "log_firing",
    "place_patterns",
    "place_rules",
]
