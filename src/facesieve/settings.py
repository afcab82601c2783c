"""Every default and every limit, with one sentence each."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import platformdirs
from pydantic import BeforeValidator, ConfigDict, Field, IPvAnyNetwork

from facesieve.errors import SettingsError
from facesieve.layered import Layered

# Limits on reading one picture. A dataset may be continued with other limits.
LIMITS = {
    *("max_file_bytes", "max_pixels", "max_side", "max_decode_bytes", "max_expansion"),
    *("max_jpeg_scans", "max_jpeg_work", "max_unpacked_bytes", "max_clip_bytes", "max_clip_frames", "max_clip_seconds"),
}

CLIP_LIMITS = ("max_clip_bytes", "max_clip_frames", "max_clip_seconds")
# How clips are read and their faces ranked. Only a dataset that has clips records these settings.
CLIP_SETTINGS = ("clip_every", "clip_frames", "clip_from", "clip_to", "animated", "shot_gap")

# Settings that do not change the content of a dataset: limits, speed, models, fetching, and how much a page shows.
# `identity` adds embeddings, and a dataset records their model by itself.
NOT_SHAPING = {
    *LIMITS,
    *CLIP_SETTINGS,
    *("batch_size", "batch_pixels", "workers", "threads", "engine", "isa", "identity"),
    *("shard_size", "sheet_faces", "manifest_rows", "cache_dir", "offline"),
    *("most_crop_files", "tar_bytes", "export_shard"),
    *("picture_timeout", "start_timeout"),
    *("fetch_connections", "fetch_connections_per_host", "fetch_rate_per_host", "fetch_connect_timeout"),
    *("fetch_timeout", "fetch_tries", "fetch_builds", "fetch_redirects", "fetch_buffer_bytes", "fetch_schemes"),
    *("fetch_allow_addresses", "fetch_respect_robots", "fetch_contact"),
    *("bucket_lease", "bucket_tries"),
}

# The values that match what versions without these settings did. With them, datasets of those versions can be
# continued.
FORMER_BEHAVIOUR = {"colour_profiles": False, "turns": 1, "min_label_faces": 3}

Device = Literal["cpu", "cuda"]
Share = Annotated[float, Field(ge=0.1, le=1)]  # a lower threshold would let through almost every candidate
_LONGEST = 10**6  # seconds; longer timeouts would overflow


def _as_number(value: Any) -> Any:
    """A number that an environment variable holds as text. pydantic does not convert text for a choice of numbers."""
    return int(value) if isinstance(value, str) and value.strip().isdecimal() else value


class Settings(Layered):
    """All settings. `FACESIEVE_<NAME>` in the environment overrides a file; arguments of the caller override both."""

    prefix: ClassVar[str] = "FACESIEVE_"

    # decode
    max_file_bytes: int = Field(100 * 2**20, gt=0, description="Largest encoded picture that is read, in bytes.")
    max_pixels: int = Field(200_000_000, gt=0, description="Largest picture that is decoded, in pixels.")
    max_side: int = Field(32_768, gt=0, description="Longest side of a picture that is decoded, in pixels.")
    max_decode_bytes: int = Field(
        650_000_000, gt=0, description="Most memory for decoding one picture, in bytes, without the file itself."
    )
    max_expansion: int = Field(
        1100,
        gt=0,
        description="Largest ratio of a picture's RGB bytes to the bytes of its file; a smaller file counts as 64 KiB.",
    )
    max_jpeg_scans: int = Field(200, gt=0, description="Most scans of a progressive JPEG.")
    max_jpeg_work: int = Field(1_200_000_000, gt=0, description="Most pixels times scans of a progressive JPEG.")
    colour_profiles: bool = Field(
        True, description="Convert pictures with an embedded wide-gamut profile (Display P3, Adobe RGB) to sRGB."
    )

    # clips
    clip_every: float = Field(0.2, gt=0, le=86_400, description="Seconds between the frames of a clip that are used.")
    clip_frames: Annotated[
        Literal["every", "scene", "all"] | Annotated[int, Field(ge=1)], BeforeValidator(_as_number)
    ] = Field(
        "every",
        description="Which frames are used: one every clip_every seconds, the first of each scene, all, or this many.",
    )
    clip_from: float = Field(0.0, ge=0, description="Second of a clip at which reading begins.")
    clip_to: float = Field(0.0, ge=0, description="Second of a clip at which reading ends; 0 is its end.")
    animated: Literal["first", "frames"] = Field(
        "first", description="Read the first frame of animated pictures, or read them as clips."
    )
    shot_gap: float = Field(
        1.0, ge=0, description="Seconds between two of the best shots of a track that have about the same pose."
    )
    max_clip_bytes: int = Field(4 * 2**30, gt=0, description="Largest clip that is read, in bytes.")
    max_clip_seconds: float = Field(0.0, ge=0, description="Longest clip that is read, in seconds; 0 is no limit.")
    max_clip_frames: int = Field(
        100_000, ge=1, description="Most frames of one clip that are used; the clip is truncated there."
    )

    # sources
    max_unpacked_bytes: int = Field(64 * 2**30, gt=0, description="Most bytes that one archive or list may unpack to.")

    # fetch
    fetch_connections: int = Field(64, ge=1, le=4096, description="Most URLs that one process fetches at a time.")
    fetch_connections_per_host: int = Field(
        16, ge=1, le=4096, description="Most URLs of one host that one process fetches at a time."
    )
    fetch_rate_per_host: float = Field(
        0.0, ge=0, description="Most URLs of one host that one process fetches in a second; 0 is no limit."
    )
    fetch_connect_timeout: float = Field(
        10.0, gt=0, le=_LONGEST, description="Seconds that finding and reaching a host may take."
    )
    fetch_timeout: float = Field(60.0, gt=0, le=_LONGEST, description="Seconds that one answer to a URL may take.")
    fetch_tries: int = Field(
        3, ge=1, le=20, description="Times that a URL is asked for in one build when its host fails or is busy."
    )
    fetch_builds: int = Field(
        3, ge=1, le=100, description="Builds that try to fetch a URL; a URL that failed in so many stays refused."
    )
    fetch_redirects: int = Field(5, ge=0, le=20, description="Most redirects that are followed from one URL.")
    fetch_buffer_bytes: int = Field(
        128 * 2**20, gt=0, description="Most memory for fetched pictures that wait in one process, in bytes."
    )
    fetch_schemes: tuple[Literal["https", "http", "s3", "gs", "az"], ...] = Field(
        ("https", "http", "s3", "gs", "az"), description="Kinds of URLs that are fetched, also from lists."
    )
    fetch_allow_addresses: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description="Networks that URLs may lead to though they are not public, such as 10.0.0.0/8.",
        examples=[["10.0.0.0/8", "127.0.0.1"]],
    )
    fetch_respect_robots: bool = Field(
        True, description="Refuse pictures whose X-Robots-Tag header says noai or noimageai."
    )
    fetch_contact: str = Field(
        "",
        pattern=r"^[\x21-\x7e ]*$",
        description="Address or page at which a host's owner reaches you; sent as User-Agent.",
    )

    # detect
    min_face_size: int = Field(20, ge=12, le=32_768, description="Smallest face that is searched for, in pixels.")
    scale_factor: float = Field(0.709, gt=0.1, le=0.95, description="Ratio between levels of the image pyramid.")
    steps_threshold: tuple[Share, Share, Share] = Field(
        (0.6, 0.7, 0.7), description="Lowest score of a candidate for P-Net, R-Net and O-Net."
    )

    turns: Annotated[Literal[1, 4], BeforeValidator(_as_number)] = Field(
        1, description="In how many orientations to search a picture without a confident upright face: 1 or 4."
    )

    # what runs the networks
    engine: Literal["auto", "native", "onnxruntime"] = Field(
        "auto", description="What runs MTCNN and head pose; auto uses the compiled extension if it was built."
    )
    isa: Literal["auto", "avx512", "avx2", "portable"] = Field(
        "auto", description="Instruction set of the compiled extension; auto uses the fastest that this machine has."
    )
    device: Device = Field(
        "cpu", description="Where networks run; cuda uses a GPU and needs ONNX Runtime's GPU package."
    )

    # align
    alignment: Literal["similarity", "affine", "perspective"] = Field(
        "similarity", description="Transform that maps the five landmarks to the template."
    )
    crop_size: int = Field(112, ge=16, le=1024, description="Side of the aligned crop, in pixels.")

    # pose
    pose: Literal["sievepose", "whenet", "hopenet", "geometric", "none"] = Field(
        "sievepose", description="Model that estimates the head pose, or none."
    )
    measure_floor: float = Field(
        0.9, ge=0, le=1, description="The pose of a face with a lower confidence is not measured."
    )

    # identity
    identity: Literal["none", "dlib-resnet", "sface"] = Field(
        "none", description="Model that computes an embedding of each face, or none."
    )

    # relate
    min_label_faces: int = Field(
        3,
        ge=2,
        le=1000,
        description="A label with fewer faces has no centre to compare its faces with.",
    )

    # run
    batch_size: int = Field(16, ge=1, le=4096, description="Most photos that go through the pipeline together.")
    batch_pixels: int = Field(2_000_000, ge=1, description="Pixels after which a batch is full, even with few photos.")
    workers: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"] = Field(
        "auto",
        description="Processes of a build; auto means one per core (affinity and CPU quota).",
    )
    threads: int = Field(1, ge=1, le=1024, description="Threads that one network uses.")
    shard_size: int = Field(64, ge=1, le=100_000, description="Pictures whose results are committed together.")

    picture_timeout: float = Field(
        120.0,
        gt=0,
        le=_LONGEST,
        description="Seconds that one picture may take with several workers; after that it is refused.",
    )
    start_timeout: float = Field(
        120.0,
        gt=0,
        le=_LONGEST,
        description="Seconds that a worker process may take to start; after that it is killed and replaced.",
    )

    # dataset
    jpeg_quality: int = Field(92, ge=1, le=100, description="JPEG quality of marked pictures and unaligned crops.")
    head_margin: float = Field(
        0.4, ge=0, le=4, description="Margin of the head crop on every side, as a share of the box's longer side."
    )
    sheet_faces: int = Field(
        500, ge=0, le=20_000, description="Most kept and most rejected faces that the contact sheet shows."
    )
    manifest_rows: int = Field(
        1_000_000, ge=1, description="Most rows of a manifest in one file; a larger manifest is a folder of such files."
    )
    most_crop_files: int = Field(
        200_000, ge=0, description="A new dataset of more pictures has its crops in tar shards, unless crops_as says."
    )
    tar_bytes: int = Field(
        128 * 2**20,
        ge=2**12,
        le=2**36,
        description="Usual size of the tar shards of a new dataset; some have half, some twice as much.",
    )

    # datasets in buckets
    bucket_lease: float = Field(
        60.0,
        ge=5,
        le=86_400,
        description="Seconds after which another machine may continue a dataset in a bucket whose build has died.",
    )
    bucket_tries: int = Field(
        8, ge=1, le=20, description="Times that an object of a dataset is copied when its host fails or is busy."
    )

    # export
    export_shard: int = Field(
        5000, ge=1, le=1_000_000, description="Faces in one tar or Parquet file of an export, written at a time."
    )

    # models
    cache_dir: Path = Field(
        default_factory=lambda: _user_cache(),
        description="Folder that holds converted model files.",
    )
    offline: bool = Field(False, description="Never fetch models; a missing model is an error.")

    def of_clips(self) -> dict[str, Any]:
        """How clips are read and their faces ranked, as plain values."""
        return self.model_dump(mode="json", include=set(CLIP_SETTINGS))

    def digest(self) -> str:
        """Sha256 of the settings that can change the content of a dataset."""
        return hashlib.sha256(json.dumps(self.shaping(), sort_keys=True).encode()).hexdigest()

    def shaping(self) -> dict[str, Any]:
        """The settings that can change the content of a dataset, as plain values."""
        return self.model_dump(mode="json", exclude=NOT_SHAPING)

    def limits(self) -> dict[str, Any]:
        """The limits on reading one picture, as plain values. They decide what is refused; they change no result.

        Those of clips are left out if they are the defaults, so that datasets without clips do not mention them.
        """
        usual = default_clip_limits()
        limits = self.model_dump(mode="json", include=LIMITS)
        return {name: value for name, value in limits.items() if usual.get(name) != value}


def default_clip_limits() -> dict[str, Any]:
    """The limits on clips that hold unless a dataset records others."""
    return {name: Settings.model_fields[name].default for name in CLIP_LIMITS}


class ServiceSettings(Layered):
    """Settings of the HTTP service: the table `[service]` of a file, `FACESIEVE_SERVICE_<NAME>` in the environment."""

    model_config = ConfigDict(defer_build=True)  # until the service needs it, because every process imports this file
    prefix: ClassVar[str] = "FACESIEVE_SERVICE_"
    table: ClassVar[str] = "service"

    # address
    address: str = Field("127.0.0.1", description="Address to listen on; beyond loopback a token must be set.")
    port: int = Field(30025, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    behind_proxy: bool = Field(False, description="Take the client's address from client_header, which a proxy sets.")
    client_header: Literal["x-forwarded-for", "x-real-ip"] = Field(
        "x-forwarded-for", description="Header in which the proxy sends the client's address."
    )
    proxies: int = Field(
        1,
        ge=1,
        le=10,
        description="Number of proxies in front; the client is this many addresses from the end of X-Forwarded-For.",
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        (),
        description="Networks of the proxies; only their header is trusted. If empty, every header is trusted.",
        examples=[["10.0.0.0/8", "127.0.0.1"]],
    )
    allowed_origins: tuple[str, ...] = Field(
        (), description="Origins whose web pages may call the service from a browser, or * for all."
    )

    # access
    tokens: tuple[str, ...] = Field(
        (), description="Accepted tokens, each as plain text or as `sha256:` and its digest."
    )
    token_file: Path | None = Field(None, description="File of accepted tokens, one per line.")
    open_metrics: bool = Field(True, description="Serve /metrics without a token.")

    # sizes
    formats: tuple[str, ...] = Field(("jpeg", "png", "webp"), description="Picture formats that are decoded.")
    accept_video: bool = Field(
        False, description="Read clips that clients send to /v1/faces, and answer the best shots of each track."
    )
    max_video_bytes: int = Field(32 * 2**20, gt=0, description="Largest clip, in bytes.")
    max_video_seconds: float = Field(30.0, gt=0, description="Longest clip, in seconds.")
    max_video_frames: int = Field(150, ge=1, description="Most frames of a clip that are used; it is truncated there.")
    accept_urls: bool = Field(
        False, description="Fetch the picture if a client sends JSON with its URL; fetch_* settings apply."
    )
    max_image_bytes: int = Field(10 * 2**20, gt=0, description="Largest encoded picture, in bytes.")
    max_request_bytes: int = Field(64 * 2**20, gt=0, description="Largest request body, in bytes.")
    max_held_bytes: int = Field(512 * 2**20, gt=0, description="Most memory for all request bodies together, in bytes.")
    max_json_bytes: int = Field(2**20, gt=0, description="Largest body of measures to judge, in bytes.")
    max_images: int = Field(100, ge=1, le=1000, description="Most pictures in one request.")
    max_pixels: int = Field(40_000_000, gt=0, description="Largest picture that is decoded, in pixels.")
    max_side: int = Field(16_384, gt=0, description="Longest side of a picture that is decoded, in pixels.")

    # counts and times
    max_connections: int = Field(
        0,
        ge=0,
        description="Most open connections; 0 means as many as the limit on file descriptors allows, at most 4096.",
    )
    max_connections_per_address: int = Field(
        1024, ge=1, description="Most open connections from one address; all clients behind a proxy share its address."
    )
    workers: int = Field(
        0,
        ge=0,
        le=1024,
        description="Worker processes, each for one picture at a time; 0 means one per core (affinity and CPU quota).",
    )
    niceness: int = Field(
        5, ge=0, le=19, description="Niceness of worker processes, so that answering requests has priority."
    )
    waiting: int = Field(
        64, ge=0, description="Most requests that wait for a worker; more are answered 429 with Retry-After."
    )
    deadline: float = Field(10.0, gt=0, description="Seconds after which every request is answered, waiting included.")
    grace: float = Field(
        1.0, ge=0, description="Seconds that a worker may go on after its client has left; after that it is killed."
    )
    start_timeout: float = Field(
        60.0,
        gt=0,
        description="Seconds that a worker process may take to start; after that it is killed and started again.",
    )
    write_timeout: float = Field(
        30.0,
        gt=0,
        description="Seconds that a client may take to read its answer; after that the connection is closed.",
    )
    header_timeout: float = Field(
        10.0, gt=0, description="Seconds that a connection may take to send its next headers."
    )
    drain: float = Field(15.0, ge=0, description="Seconds after SIGTERM in which accepted requests are still answered.")

    # answers and log
    policy: str = Field("reference", description="Policy for requests that name none.")
    log: Literal["json", "console"] = Field("json", description="Format of the log on stderr.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level that is logged; debug includes probes."
    )


class QueueSettings(Layered):
    """Settings of queue workers: the table `[queue]` of a file, `FACESIEVE_QUEUE_<NAME>` in the environment."""

    model_config = ConfigDict(defer_build=True)
    prefix: ClassVar[str] = "FACESIEVE_QUEUE_"
    table: ClassVar[str] = "queue"

    batch: int = Field(16, ge=1, le=10_000, description="Most jobs that one worker holds at a time.")
    lease: float = Field(
        60.0, ge=0.5, le=86_400, description="Seconds after which the jobs of a worker that died go to others."
    )
    executions: int = Field(
        3, ge=1, le=100, description="Times that a job may be begun; then it is moved to the dead jobs."
    )
    max_results: int = Field(
        100_000, ge=1, description="Results in the stream with which workers stop reading jobs until some are taken."
    )
    result_expiry: int = Field(86_400, ge=1, description="Seconds that a result with a key of its own is kept.")
    metrics_port: int = Field(0, ge=0, le=65535, description="Port for Prometheus; 0 is none.")
    accept_video: bool = Field(False, description="Read clips, and answer the best shots of each track.")
    max_video_seconds: float = Field(60.0, gt=0, description="Longest clip, in seconds.")
    max_video_frames: int = Field(300, ge=1, description="Most frames of a clip that are used; it is truncated there.")


def _user_cache() -> Path:
    """The default cache folder. Raises SettingsError when the user has no home folder."""
    try:
        folder = Path(platformdirs.user_cache_dir("facesieve", appauthor=False))
    except RuntimeError:
        folder = Path("~")
    if not folder.is_absolute():  # older versions of platformdirs return a path that begins with ~
        raise SettingsError(
            "no_cache_dir", "This user has no home folder to keep models in. Set FACESIEVE_CACHE_DIR to a folder."
        )
    return folder
