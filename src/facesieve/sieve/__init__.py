"""Decides from numbers alone: ordered rules over measures give a verdict with every reason."""

from facesieve.sieve.explain import Finding, check_rules
from facesieve.sieve.judge import Judgement, judge, judge_columns
from facesieve.sieve.policy import DEFAULT, Policy
from facesieve.sieve.reasons import Reason
from facesieve.sieve.rule import Rule

__all__ = ["DEFAULT", "Finding", "Judgement", "Policy", "Reason", "Rule", "check_rules", "judge", "judge_columns"]
