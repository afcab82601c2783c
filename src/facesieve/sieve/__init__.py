"""What is kept, what is not, and every reason why."""

from facesieve.sieve.judge import Check, check, judge
from facesieve.sieve.policy import DEFAULT, Policy, Rule, presets
from facesieve.sieve.reasons import Reason

__all__ = ["DEFAULT", "Check", "Policy", "Reason", "Rule", "check", "judge", "presets"]
