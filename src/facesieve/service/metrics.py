"""The metrics of the service, for Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from facesieve.processes.worker_slot import Ended
from facesieve.service.admission import Admission
from facesieve.service.log import Log
from facesieve.service.worker import PictureReply

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """The metrics of one service. Two services in one process share nothing."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self.requests = Counter(
            "facesieve_requests", "Requests that ended.", ("route", "status", "code"), registry=registry
        )
        self.seconds = Histogram(
            "facesieve_request_seconds",
            "Seconds from the last header of the request to the last byte of the answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.pictures = Counter("facesieve_pictures", "Pictures by outcome.", ("outcome",), registry=registry)
        self.fetches = Counter(
            "facesieve_fetches", "URLs that were fetched, by result.", ("result",), registry=registry
        )
        self.work = Histogram(
            "facesieve_work_seconds", "Seconds that a worker took for one picture.", buckets=_SECONDS, registry=registry
        )
        self.faces = Counter("facesieve_faces", "Faces found, kept or rejected.", ("verdict",), registry=registry)
        self.reasons = Counter("facesieve_rejections", "Reasons of rejected faces.", ("reason",), registry=registry)
        self.connections = Gauge("facesieve_connections", "Connections that are open.", registry=registry)
        self.connections_refused = Counter(
            "facesieve_connections_refused", "Connections refused because all open ones were in use.", registry=registry
        )
        self.connections_closed = Counter(
            "facesieve_connections_closed_idle", "Idle connections closed to make room.", registry=registry
        )
        self.accept_failures = Counter(
            "facesieve_accept_failures", "How often the system had no descriptor for a connection.", registry=registry
        )
        self.replaced = Counter(
            "facesieve_workers_replaced", "Worker processes that ended, by reason.", ("reason",), registry=registry
        )
        for reason in Ended:
            self.replaced.labels(reason.value)  # so that each is 0 before the first
        self.failed_starts = Counter(
            "facesieve_worker_start_failures", "Worker processes that did not start.", registry=registry
        )
        self.unread = Counter(
            "facesieve_unread_answers", "Answers that the client did not read in time.", registry=registry
        )

    def watch(self, admission: Admission, workers: Callable[[], int]) -> None:
        """Read these gauges from the admission and the workers at each scrape."""
        gauges = {
            "facesieve_workers": ("Worker processes that are alive.", workers),
            "facesieve_working": ("Pictures that workers process now.", lambda: admission.queue.working),
            "facesieve_waiting": ("Pictures that wait for a worker.", lambda: admission.queue.waiting),
            "facesieve_held_bytes": ("Bytes of bodies and answers in memory.", lambda: admission.held.total),
        }
        for name, (sentence, value) in gauges.items():
            Gauge(name, sentence, registry=self._registry).set_function(value)

    def watch_fetches(self, fetching: Callable[[], int]) -> None:
        """Read the number of fetches in progress at each scrape."""
        Gauge("facesieve_fetching", "URLs that are being fetched.", registry=self._registry).set_function(fetching)

    def watch_log(self, log: Log) -> None:
        """Read the number of lost log lines at each scrape."""
        self._registry.register(_Dropped(log))

    def count(self, reply: PictureReply) -> None:
        """Count a picture that a worker has answered."""
        self.pictures.labels(reply.refusal or "read").inc()
        self.work.observe(reply.seconds)
        self.faces.labels("kept").inc(reply.kept)
        self.faces.labels("rejected").inc(reply.faces - reply.kept)
        for reason, faces in reply.reasons.items():
            self.reasons.labels(reason).inc(faces)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self._registry)


class _Dropped(Collector):
    """The number of lost log lines. The log counts them itself, because it exists before the metrics."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def collect(self) -> Iterator[CounterMetricFamily]:
        sentence = "Lines of the log that could not be written."
        yield CounterMetricFamily("facesieve_log_lines_dropped", sentence, value=self._log.dropped)
