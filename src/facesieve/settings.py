"""Every default and every limit, with one sentence each."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, get_origin

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, ValidationError

from facesieve.errors import SettingsError
from facesieve.small_file import read_toml

# Limits on reading one picture. A dataset may be continued with other limits.
LIMITS = {
    *("max_file_bytes", "max_pixels", "max_side", "max_decode_bytes", "max_expansion"),
    *("max_jpeg_scans", "max_jpeg_work", "max_unpacked_bytes"),
}

# Settings that do not change the content of a dataset: limits, speed, models, fetching, and how much a page shows.
# `identity` adds embeddings, and a dataset records their model by itself.
NOT_SHAPING = {
    *LIMITS,
    *("batch_size", "batch_pixels", "workers", "threads", "engine", "isa", "identity"),
    *("shard_size", "sheet_faces", "manifest_rows", "cache_dir", "offline"),
    *("picture_timeout", "start_timeout"),
    *("fetch_connections", "fetch_connections_per_host", "fetch_rate_per_host", "fetch_connect_timeout"),
    *("fetch_timeout", "fetch_tries", "fetch_builds", "fetch_redirects", "fetch_buffer_bytes", "fetch_schemes"),
    *("fetch_allow_addresses", "fetch_respect_robots", "fetch_contact"),
}

# The values that match what versions without these settings did. With them, datasets of those versions can be
# continued.
FORMER_BEHAVIOUR = {"colour_profiles": False, "turns": 1}

Device = Literal["cpu", "cuda"]
Share = Annotated[float, Field(ge=0.1, le=1)]  # a lower threshold would let through almost every candidate
_LONGEST = 10**6  # seconds; longer timeouts would overflow

TABLES = ("service", "queue")  # tables of a settings file that other classes read

# Variables of the example clients; they begin with the same prefix as settings.
NOT_SETTINGS = ("FACESIEVE_TOKEN", "FACESIEVE_URL")


class Layered(BaseModel):
    """Settings from a file, the environment and the caller; later ones win. `table`: their table in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)
    prefix: ClassVar[str]
    table: ClassVar[str] = ""

    def __init__(self, **given: Any) -> None:
        """Raises SettingsError that names the setting when one is unknown or out of range."""
        for name in given:
            if name not in type(self).model_fields:  # pydantic cannot handle a name that is not valid Unicode
                raise SettingsError("bad_setting", self._unknown(name))
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise SettingsError("bad_setting", self._fault(error, {})) from error

    @classmethod
    def load(cls, file: Path | None = None, **given: Any) -> Self:
        """Read settings from a TOML file, the environment and the given values; later ones win.

        Raises SettingsError that names the setting when one is unknown, unreadable or out of range.
        """
        texts = {name: text for name, text in given.items() if isinstance(text, str) and name in cls.model_fields}
        given |= {name: _parts(name, text) for name, text in texts.items() if cls._is_list(name)}
        from_file = cls._of_file(file) if file else {}
        from_environment = cls._of_environment()
        places = dict.fromkeys(from_file, str(file)) | {name: cls.variable(name) for name in from_environment}
        try:
            return cls(**(from_file | from_environment | given))
        except SettingsError as error:
            if not isinstance(error.__cause__, ValidationError):  # such as a missing home folder
                raise
            not_given = {name: place for name, place in places.items() if name not in given}
            raise SettingsError("bad_setting", cls._fault(error.__cause__, not_given)) from error.__cause__

    @classmethod
    def _fault(cls, error: ValidationError, places: Mapping[str, str]) -> str:
        """What is wrong with the first wrong setting, as a sentence. places: where each setting comes from."""
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = f" ({places[name]})" if name in places else ""
        form = f" Write it like {list(cls.model_fields[name].default)}." if cls._is_list(name) else ""
        return f"Setting {name!r}{where}: {first['msg']}.{form}"

    @classmethod
    def _unknown(cls, name: str) -> str:
        longer = (known for known in cls.model_fields if known.startswith(name))
        near = _nearest(name, cls.model_fields) or next(longer, None)
        return f"There is no setting {name!r}" + (f"; did you mean {near}?" if near else ".")

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable of a setting."""
        return cls.prefix + name.upper()

    @classmethod
    def _of_environment(cls) -> dict[str, Any]:
        """The settings in environment variables, as text; lists are split into their items.

        Raises SettingsError for an empty variable, and for one whose name looks like a misspelt setting.
        """
        values: dict[str, Any] = {}
        for variable, text in os.environ.items():
            if not variable.upper().startswith(cls.prefix):
                continue
            name = variable[len(cls.prefix) :].lower()
            if name not in cls.model_fields:
                cls._check_spelling(variable)
            elif not text.strip():
                raise SettingsError("bad_setting", f"{variable} is empty: set a value, or remove the variable.")
            else:
                values[name] = _parts(variable, text) if cls._is_list(name) else text
        return values

    @classmethod
    def _of_file(cls, file: Path) -> dict[str, Any]:
        """The part of a settings file for this class: its table, or everything outside tables.

        Raises SettingsError that names the first unknown setting, and the nearest known one.
        """
        values = _read(file)
        if cls.table:
            values = values.get(cls.table, {})
            if not isinstance(values, dict):
                raise SettingsError(
                    "bad_setting", f"Settings file {file}: {cls.table} must be a table, written [{cls.table}]."
                )
        else:
            values = {name: value for name, value in values.items() if name not in TABLES}
        for name in values:
            if name not in cls.model_fields:
                near = _nearest(name, cls.model_fields if cls.table else [*cls.model_fields, *TABLES])
                hint = f"; did you mean {near}?" if near else "."
                if not cls.table and name in ServiceSettings.model_fields:
                    hint = "; it belongs in the table [service]."
                place = f" in the table [{cls.table}]" if cls.table else ""
                raise SettingsError("bad_setting", f"Settings file {file} has an unknown setting {name!r}{place}{hint}")
        # A list with one item may be written as the item alone.
        return {
            name: [value] if cls._is_list(name) and isinstance(value, str) else value for name, value in values.items()
        }

    @classmethod
    def _is_list(cls, name: str) -> bool:
        return get_origin(cls.model_fields[name].annotation) is tuple

    @classmethod
    def _check_spelling(cls, variable: str) -> None:
        """Raise SettingsError for a variable that is not a setting, but has almost the name of one."""
        kinds = (Settings, ServiceSettings, QueueSettings)
        known = [settings.variable(name) for settings in kinds for name in settings.model_fields]
        if variable.upper() in {*known, *NOT_SETTINGS} or _set_by_kubernetes(variable):
            return
        # Names are compared without their prefix, because with it all of them are similar.
        prefix = max((kind.prefix for kind in kinds if variable.upper().startswith(kind.prefix)), key=len)
        name = variable.upper().removeprefix(prefix)
        short = [other.removeprefix(prefix) for other in known if other.startswith(prefix)]
        near = f"SERVICE_{name}" if f"SERVICE_{name}" in short else _nearest(name, short)
        # Other programs may use variables that begin with FACESIEVE_, but not with FACESIEVE_SERVICE_.
        if near or cls.table:
            hint = f"; did you mean {prefix}{near}?" if near else "."
            raise SettingsError("unknown_variable", f"The environment variable {variable} is not a setting{hint}")


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
    fetch_schemes: tuple[Literal["https", "http"], ...] = Field(
        ("https", "http"), description="Kinds of URLs that are fetched."
    )
    fetch_allow_addresses: tuple[IPvAnyNetwork, ...] = Field(
        (), description="Networks that URLs may lead to though they are not public, such as 10.0.0.0/8."
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

    turns: Literal[1, 4] = Field(
        1, description="In how many orientations to search a picture without a confident upright face: 1 or 4."
    )

    # what runs the networks
    engine: Literal["auto", "native", "onnxruntime"] = Field(
        "auto", description="What runs MTCNN and WHENet; auto uses the compiled extension if it was built."
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
    pose: Literal["whenet", "hopenet", "geometric", "none"] = Field(
        "whenet", description="Model that estimates the head pose, or none."
    )
    measure_floor: float = Field(
        0.9, ge=0, le=1, description="The pose of a face with a lower confidence is not measured."
    )

    # identity
    identity: Literal["none", "dlib-resnet", "sface"] = Field(
        "none", description="Model that computes an embedding of each face, or none."
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

    # models
    cache_dir: Path = Field(
        default_factory=lambda: _user_cache(),
        description="Folder that holds converted model files.",
    )
    offline: bool = Field(False, description="Never fetch models; a missing model is an error.")

    def digest(self) -> str:
        """Sha256 of the settings that can change the content of a dataset."""
        return hashlib.sha256(json.dumps(self.shaping(), sort_keys=True).encode()).hexdigest()

    def shaping(self) -> dict[str, Any]:
        """The settings that can change the content of a dataset, as plain values."""
        return self.model_dump(mode="json", exclude=NOT_SHAPING)

    def limits(self) -> dict[str, Any]:
        """The limits on reading one picture, as plain values. They decide what is refused; they change no result."""
        return self.model_dump(mode="json", include=LIMITS)


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
        (), description="Networks of the proxies; only their header is trusted. If empty, every header is trusted."
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


def _read(file: Path) -> dict[str, Any]:
    try:
        return read_toml(file)
    except OSError as error:
        raise SettingsError("unreadable_settings", f"Cannot read settings file {file}: {error.strerror}.") from error
    except ValueError as error:
        raise SettingsError("bad_settings_file", f"Settings file {file} is not TOML: {error}.") from error


def _parts(variable: str, text: str) -> Any:
    """The items of a list in an environment variable: JSON, or plain text separated by commas or line ends.

    >>> _parts("X", '["a", "b"]'), _parts("X", "a, b"), _parts("X", "a")
    (['a', 'b'], ['a', 'b'], ['a'])
    """
    data = os.fsencode(text)
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        text = data.decode("latin-1").strip()
    if len(text) > 1 and text[0] == text[-1] == "'":  # env files keep the quotes of the shell
        text = text[1:-1].strip()
    if text[:1] not in ("[", "{", '"'):
        return [part.strip() for part in re.split(r"[,\r\n]+", text)]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        message = (
            f'{variable} begins like JSON but is not valid JSON: write ["a", "b"], or a,b without brackets and quotes.'
        )
        raise SettingsError("bad_setting", message) from None
    return [value] if isinstance(value, str) else value


def _nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most similar; None if none is."""
    from difflib import get_close_matches  # only mistakes need it

    near = get_close_matches(name, list(known), 1, 0.75)
    return near[0] if near else None


def _set_by_kubernetes(variable: str) -> bool:
    """Whether Kubernetes set it: pods get variables with the address of a Service that is named `facesieve`."""
    linked = os.environ.get("FACESIEVE_PORT", "").startswith(("tcp://", "udp://"))
    return linked and re.fullmatch(r"FACESIEVE_(PORT|PORT_\w+|SERVICE_HOST|SERVICE_PORT_\w+)", variable) is not None
