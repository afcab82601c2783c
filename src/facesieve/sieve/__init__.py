"""Decides from measures alone which faces are kept: ordered rules return a verdict with all reasons."""

from facesieve.sieve.findings import Finding, check_rules
from facesieve.sieve.judge import Judgement, Relation, Relations, judge, judge_columns, passing_before
from facesieve.sieve.policy import DEFAULT, Policy
from facesieve.sieve.reasons import Reason
from facesieve.sieve.rule import Rule

__all__ = [
    "DEFAULT",
    "Finding",
    "Judgement",
    "Policy",
    "Reason",
    "Relation",
    "Relations",
    "Rule",
    "check_rules",
    "judge",
    "judge_columns",
    "passing_before",
]
