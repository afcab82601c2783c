"""One rule: the limits of one measure."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from facesieve.quality import measure_named
from facesieve.records import Floats, Mask
from facesieve.sieve.nearest import did_you_mean
from facesieve.sieve.reasons import NEEDS_POSE, REASON_OF, Reason


def _usual_reason(given: dict[str, Any]) -> Reason:
    """The reason of a rule without one. Older versions of pydantic also call this when `measure` is wrong or absent."""
    return REASON_OF.get(given.get("measure", ""), Reason.NOT_MEASURED)


class Rule(BaseModel):
    """A face passes when low <= value <= high. None is no limit.

    A value that was not measured (NaN) passes only an optional rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str = Field(description="Name of the measure, as in the manifest.")
    low: float | None = Field(default=None, allow_inf_nan=False, description="Least value that passes.")
    high: float | None = Field(default=None, allow_inf_nan=False, description="Greatest value that passes.")
    reason: Reason = Field(
        default_factory=_usual_reason, description="The reason in the verdict when the face does not pass."
    )

    optional: bool = Field(default=False, description="Whether a face passes if the measure is unknown.")

    @model_serializer(mode="wrap")
    def _without_optional(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The fields as plain values. A rule that is not optional does not mention it, as in earlier versions."""
        return {name: value for name, value in serialize(self).items() if name != "optional" or value}

    @field_validator("measure")
    @classmethod
    def _known(cls, name: str) -> str:
        if measure_named(name) is None:
            raise ValueError(f"there is no measure {name!r}{did_you_mean(name, REASON_OF)}")
        return name

    @field_validator("reason")
    @classmethod
    def _of_rules(cls, reason: Reason) -> Reason:
        if reason is Reason.BY_HAND:
            raise ValueError("the reason by_hand is for faces that a person rejects. Choose another one.")
        return reason

    @model_validator(mode="after")
    def _check_limits(self) -> Rule:
        if self.low is None and self.high is None:
            raise ValueError(f"the rule on {self.measure} has neither low nor high.")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"the rule on {self.measure} has low {self.low:g} above high {self.high:g}.")
        return self

    @property
    def when_missing(self) -> Reason:
        """The reason in the verdict when the value was not measured."""
        if self.measure == "rank_in_track":  # only distinct shots have a rank
            return self.reason
        return Reason.POSE_NOT_MEASURED if self.measure in NEEDS_POSE else Reason.NOT_MEASURED

    def passes(self, values: Floats) -> Mask:
        """(N,) boolean: whether each of (N,) float64 values passes."""
        low = -np.inf if self.low is None else self.low
        high = np.inf if self.high is None else self.high
        answer: Mask = (values >= low) & (values <= high)
        return answer | np.isnan(values) if self.optional else answer

    def limits(self) -> str:
        """The limits in words, such as `at least 100` or `-45 to 45`."""
        if self.low is None:
            return f"at most {self.high:g}"
        if self.high is None:
            return f"at least {self.low:g}"
        return f"{self.low:g} to {self.high:g}"
