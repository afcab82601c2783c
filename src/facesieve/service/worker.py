"""What a worker process runs: it answers one encoded picture, or measures to judge again, with JSON.

Pictures of unknown origin are decoded in a process that may die. Then one request fails, and the service goes on.
"""

from __future__ import annotations

import os
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from facesieve.decode.containers import is_clip
from facesieve.processes.protocol import Handler, Send, run_child
from facesieve.processes.trim import trim
from facesieve.records import Face, Record, RefusalCode
from facesieve.service.answers import AnswerOptions, encoded, modern, reference, without_pose
from facesieve.service.api_errors import ApiError, ErrorCode
from facesieve.service.clips import check_clip_options, clip_answer
from facesieve.service.sieve_reply import SieveOptions, SieveReply, sieve_answer
from facesieve.settings import Settings


@dataclass(frozen=True, slots=True)
class PictureReply:
    """A worker's reply to one picture: JSON, or the code of a refusal; and the counts for metrics.

    message: for the client. If the refusal is `internal`, it is a traceback for the log instead.
    reasons: number of rejected faces by reason. seconds: time for pipeline and crops.
    """

    body: bytes = b""
    refusal: str = ""
    message: str = ""
    faces: int = 0
    kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0


def run_worker(pipe: Connection, settings: Settings, niceness: int) -> None:
    """Run a worker process: build the pipeline, warm it up, and answer until the service closes the pipe."""
    os.nice(niceness)

    def prepare() -> Handler:
        responder = Responder(settings)

        def answer(options: AnswerOptions | SieveOptions, data: bytes, _: Send) -> PictureReply | SieveReply:
            if isinstance(options, SieveOptions):
                return sieve_answer(data, options.default)
            return responder.reply_to(data, options)

        return answer

    run_child(pipe, prepare, trim)


class Responder:
    """Answers pictures with JSON. The pipeline is built and warmed up at the start."""

    def __init__(self, settings: Settings) -> None:
        import cv2
        import numpy as np

        from facesieve.pipeline import Pipeline

        cv2.setNumThreads(settings.threads)
        self._settings = settings
        # No answer has an embedding.
        self._pipeline = Pipeline(settings.model_copy(update={"identity": "none"}))
        self._pipeline.process([np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)])

    def reply_to(self, image: bytes, options: AnswerOptions) -> PictureReply:
        """The reply to one encoded picture. Errors are replies too; nothing is raised."""
        started = time.perf_counter()
        try:
            return self._reply_to(image, options, started)
        except ApiError as error:
            return PictureReply(refusal=error.code, message=error.message, seconds=_since(started))
        except MemoryError:
            code = RefusalCode.OUT_OF_MEMORY
            return PictureReply(refusal=code, message=code.sentence, seconds=_since(started))
        except Exception:
            message = traceback.format_exc()
            return PictureReply(refusal=ErrorCode.INTERNAL.value, message=message, seconds=_since(started))

    def _reply_to_clip(self, clip: bytes, options: AnswerOptions, started: float) -> PictureReply:
        record = self._pipeline.track(clip, options.clip_policy, rejected_crops=False)
        if record.photo is None:
            return _refused(record, started)
        body = encoded(clip_answer(record, options, self._settings, {"pipeline_ms": _since(started) * 1e3}))
        return _counted(body, record.faces, started)

    def _reply_to(self, image: bytes, options: AnswerOptions, started: float) -> PictureReply:
        if options.clip_policy is not None and is_clip(image):
            check_clip_options(options)
            return self._reply_to_clip(image, options, started)
        measured = self._pipeline.measure([image], pose=options.pose)
        [record] = measured.judged(options.policy if options.pose else without_pose(options.policy))
        if record.photo is None:
            return _refused(record, started)
        faces, timings = record.faces, {"pipeline_ms": _since(started) * 1e3}
        answer: Any
        if options.form == "reference":
            answer = reference(record.photo, faces, self._settings)
        else:
            answer = modern(record.photo, faces, options, self._settings, timings)
        return _counted(encoded(answer), faces, started)


def _refused(record: Record, started: float) -> PictureReply:
    refusal = record.refusal
    code = refusal.code if refusal else RefusalCode.UNREADABLE
    return PictureReply(refusal=code, message=refusal.message if refusal else "", seconds=_since(started))


def _counted(body: bytes, faces: Sequence[Face], started: float) -> PictureReply:
    reasons = Counter(reason for face in faces for reason in face.verdict.reasons)
    kept = sum(face.verdict.kept for face in faces)
    return PictureReply(body, "", "", len(faces), kept, dict(reasons), _since(started))


def _since(started: float) -> float:
    return time.perf_counter() - started
