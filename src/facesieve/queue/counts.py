"""Counts the jobs of one worker by outcome, for its last line and for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge


class JobCounts:
    """The counts of one worker.

    finished: jobs whose results this worker wrote, including refusals. refused: those that are refusals.
    again: how often a job was begun again because its process died or took too long.
    buried: jobs that were moved to the stream of dead jobs. held: jobs that are processed or wait in this worker.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.jobs = Counter("facesieve_queue_jobs", "Finished jobs, by outcome.", ["outcome"], registry=self.registry)
        self.refusals = Counter(
            "facesieve_queue_refusals", "Jobs without an answer, by code.", ["code"], registry=self.registry
        )
        self.held = Gauge("facesieve_queue_held", "Jobs that this worker holds.", registry=self.registry)
        self.finished = self.refused = self.again = self.buried = 0

    def finish(self, refusal: str) -> None:
        """A result was written. refusal: its code, or ""."""
        self.finished += 1
        self.refused += bool(refusal)
        self.jobs.labels("refused" if refusal else "answered").inc()
        if refusal:
            self.refusals.labels(refusal).inc()

    def begin_again(self) -> None:
        self.again += 1
        self.jobs.labels("begun_again").inc()

    def bury(self) -> None:
        self.buried += 1
        self.jobs.labels("buried").inc()
