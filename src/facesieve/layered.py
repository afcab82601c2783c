"""How settings are read and checked: from a file, the environment and the caller; later ones win."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from facesieve.errors import SettingsError
from facesieve.small_file import read_toml

# Variables of the example clients; they begin with the same prefix as settings.
NOT_SETTINGS = ("FACESIEVE_TOKEN", "FACESIEVE_URL")


class Layered(BaseModel):
    """Settings from a file, the environment and the caller; later ones win.

    prefix: how their environment variables begin. table: their table in the file; empty for settings outside tables.
    """

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
        origins = dict.fromkeys(from_file, str(file)) | {name: cls.variable(name) for name in from_environment}
        try:
            return cls(**(from_file | from_environment | given))
        except SettingsError as error:
            if not isinstance(error.__cause__, ValidationError):  # such as a missing home folder
                raise
            not_given = {name: origin for name, origin in origins.items() if name not in given}
            raise SettingsError("bad_setting", cls._fault(error.__cause__, not_given)) from error.__cause__

    @classmethod
    def _fault(cls, error: ValidationError, origins: Mapping[str, str]) -> str:
        """What is wrong with the first wrong setting, as a sentence. origins: where each setting comes from."""
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = f" ({origins[name]})" if name in origins else ""
        field = cls.model_fields[name]
        form = f" Write it like {(field.examples or [list(field.default)])[0]}." if cls._is_list(name) else ""
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
            values = {name: value for name, value in values.items() if name not in cls._tables()}
        for name in values:
            if name not in cls.model_fields:
                near = _nearest(name, cls.model_fields if cls.table else [*cls.model_fields, *cls._tables()])
                hint = f"; did you mean {near}?" if near else "."
                homes = [table for table, kind in cls._tables().items() if name in kind.model_fields]
                if not cls.table and homes:
                    hint = f"; it belongs in the table [{homes[0]}]."
                table = f" in the table [{cls.table}]" if cls.table else ""
                raise SettingsError("bad_setting", f"Settings file {file} has an unknown setting {name!r}{table}{hint}")
        # A list with one item may be written as the item alone.
        return {
            name: [value] if cls._is_list(name) and isinstance(value, str) else value for name, value in values.items()
        }

    @staticmethod
    def _tables() -> dict[str, type[Layered]]:
        """The classes whose settings lie in a table of the file, by the name of that table."""
        return {kind.table: kind for kind in Layered.__subclasses__() if kind.table}

    @classmethod
    def _is_list(cls, name: str) -> bool:
        return get_origin(cls.model_fields[name].annotation) is tuple

    @classmethod
    def _check_spelling(cls, variable: str) -> None:
        """Raise SettingsError for a variable that is not a setting, but has almost the name of one."""
        kinds = Layered.__subclasses__()
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
