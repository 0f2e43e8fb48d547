"""What the page is told: the table ``[web]``."""

from __future__ import annotations

from dataclasses import dataclass

from device.errors import ConfigError
from device.settings import is_loopback, within


@dataclass(frozen=True, slots=True, kw_only=True)
class WebConfig:
    """A page at ``host``:``port``; its password is in ``password_file`` (empty: ``web-password`` in the page's
    own state directory). ``names``: what browsers may call this machine, beyond localhost and addresses.

    ``sentences_file``: what to say when recording, one sentence a line; empty for English ones.

    ``tls_cert`` and ``tls_key`` (PEM files) encrypt it. Beyond this machine it takes them, or ``plain_http``.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 8737
    password_file: str = ""
    names: tuple[str, ...] = ()
    tls_cert: str = ""
    tls_key: str = ""
    plain_http: bool = False
    sentences_file: str = ""

    def __post_init__(self) -> None:
        # 0 is any free port, for tests.
        within("web.port", self.port, 0, 65_535)
        if bool(self.tls_cert) != bool(self.tls_key):
            raise ConfigError("certificate and key go together", where="web.tls_key", received=self.tls_key,
                              allowed="both or none of web.tls_cert and web.tls_key")  # fmt: skip
        if not (self.tls or self.plain_http or is_loopback(self.host)):
            raise ConfigError("everybody on this network could read the password", where="web.host",
                              received=self.host, allowed="127.0.0.1, or with web.tls_cert and web.tls_key; "
                              "web.plain_http = true if something else encrypts it")  # fmt: skip

    @property
    def tls(self) -> bool:
        return bool(self.tls_cert)
