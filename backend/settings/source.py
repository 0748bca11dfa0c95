"""Fills a settings model from a mapping of environment variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from backend.errors import BadSettings
from backend.settings.checks import BadValue
from backend.settings.variable import accepted
from workflows.notice import Notice, made

Model = TypeVar("Model", bound="EnvironmentModel")
VARIABLE = re.compile(r"\$\{?[A-Za-z_]|%[A-Za-z_]+%")
"""As a shell or Windows writes one. A path with one would become a folder of that name."""
VERBATIM = ("WAN_AUTH",)
"""Read as written: a login of blanks is an error, never a page without a login."""


class EnvironmentModel(BaseSettings):
    """A frozen model that read() fills: it never looks at os.environ or at files by itself."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Source(EnvSettingsSource):
    """The variables of a mapping; a blank one counts as unset. Folders are resolved against `here`."""

    def __init__(self, model: type[BaseSettings], environ: Mapping[str, str], here: Path) -> None:
        super().__init__(model, case_sensitive=True)
        self._here = here
        names = {field.validation_alias for field in model.model_fields.values()}
        found = {name: text if name in VERBATIM else text.strip() for name, text in environ.items()}
        self.env_vars = {name: text for name, text in found.items() if name in names and text}

    def prepare_field_value(
        self, field_name: str, field: FieldInfo, value: Any, value_is_complex: bool
    ) -> Any:
        """The value for the model: a folder as an absolute path. Raises BadSettings."""
        if value is None or field.annotation not in (Path, Path | None):
            return super().prepare_field_value(field_name, field, value, value_is_complex)
        name = str(field.validation_alias)
        try:
            folder = self._here / Path(value).expanduser()
        except RuntimeError as error:
            raise BadSettings.of("setting_without_home", name=name, given=value) from error
        if VARIABLE.search(value) and not folder.exists():
            raise BadSettings.of("setting_with_variable", name=name, given=value)
        return folder


def read(model: type[Model], environ: Mapping[str, str], here: Path, **computed: Any) -> Model:
    """The model, filled from `environ` and, where that says nothing, from `computed`.

    Raises BadSettings with one sentence for each variable that cannot be used.
    """
    given = Source(model, environ, here)()
    try:
        return model(**{**computed, **given})
    except ValidationError as error:
        raise _refusal(model, error, given) from None  # pydantic's text repeats values


def _refusal(model: type[BaseSettings], error: ValidationError, given: Mapping[str, Any]) -> BadSettings:
    fields = {field.validation_alias: field for field in model.model_fields.values()}
    reasons: dict[str, Notice] = {}
    for problem in error.errors(include_url=False):
        name = str(problem["loc"][0])
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, BadValue):
            reasons[name] = cause.reason
        else:
            reasons[name] = _unusable(name, fields[name], given)
    if len(reasons) == 1:
        return BadSettings.because(*reasons.values())
    every = tuple(reasons.values())
    return BadSettings.of("settings_refused", reasons=every, hints=every)


def _unusable(name: str, field: FieldInfo, given: Mapping[str, Any]) -> Notice:
    takes = accepted(field)
    if not field.repr:
        return made("secret_setting_unusable", {"name": name, "takes": takes})
    return made("setting_unusable", {"name": name, "given": str(given[name]), "takes": takes})
