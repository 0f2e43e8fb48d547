"""What ``voicelatch check`` says of the things around the door: light, gateway, page. The door opens without them.

Nothing is connected to: the door's unit has no network, and the gateway is told at once by its broker what it refuses.
"""

from __future__ import annotations

import importlib.util
import ssl
from pathlib import Path

from device.errors import ConfigError, RuntimeMissingError
from device.gateway.mqtt import read_password as read_mqtt_password
from device.gateway.mqtt import require_safe_opening
from device.gateway.settings import MetricsConfig, MqttConfig
from device.hardware.clock import SystemClock
from device.service.signals import SignalsConfig
from device.settings import is_loopback
from device.web.password import NAME
from device.web.password import read_password as read_page_password
from device.web.settings import WebConfig


def describe_light(asked: SignalsConfig, *, chip_label: str = "") -> str:
    """The light's pin, on the chip labelled ``chip_label``, is claimed and let go. Raises
    :class:`~device.errors.IndicatorError` where it is not to be had, :class:`RuntimeMissingError` without the backend.
    """
    from device.hardware.led import Led

    led = Led(asked.led_pin, clock=SystemClock(), active_high=asked.led_active_high, pin_factory=asked.pin_factory,
              chip_label=chip_label)  # fmt: skip
    led.close()
    return f"pin {asked.led_pin} of {led.chip} claimed, dark"


def describe_tones(asked: SignalsConfig) -> str:
    """The output is looked for, nothing played. Raises :class:`~device.errors.IndicatorError` where there is none."""
    from device.hardware.speaker import find_output

    return f"tones at {find_output(asked.sound_device)}, volume {asked.volume:g}"


def describe_mqtt(asked: MqttConfig, *, opens: bool = False) -> str:
    """Library, password and certificates; where the broker ``opens`` the door, who could. Raises
    :class:`RuntimeMissingError` or :class:`ConfigError`."""
    _library("paho", "mqtt")
    if opens:
        require_safe_opening(asked)
    if asked.ca_file:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(asked.ca_file)
        except OSError as error:
            raise ConfigError("cannot be read as certificates", where=f"mqtt.ca_file = {asked.ca_file}",
                              received=error) from error  # fmt: skip
    way = "with TLS" if asked.tls else "WITHOUT TLS"
    return f"{asked.host}:{asked.port} {way}, {_mqtt_login(asked)}; not asked: systemctl status voicelatch-gateway"


def describe_metrics(asked: MetricsConfig) -> str:
    """Raises :class:`RuntimeMissingError` without the library."""
    _library("prometheus_client", "metrics")
    local = is_loopback(asked.address)
    reach = "this machine alone" if local else "for whoever reaches this machine, without a password"
    return f"http://{asked.address}:{asked.port}/metrics, {reach}"


def describe_page(asked: WebConfig, *, state: Path) -> str:
    """Libraries, password, certificate. ``state``: where the password is unless [web] says otherwise. Raises
    :class:`RuntimeMissingError` or :class:`ConfigError`."""
    for name in ("bottle", "cheroot"):
        _library(name, "web")
    password = _page_password(Path(asked.password_file) if asked.password_file else state / NAME)
    if asked.tls:
        try:
            # An encrypted key must not ask whoever is at the terminal: the service has none.
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(asked.tls_cert, asked.tls_key, password=lambda: "")
        except PermissionError:
            # As it should be, where the page is another user.
            password += "; its key this user may not read"
        except (OSError, ValueError) as error:
            raise ConfigError("the certificate or its key cannot be used", where=f"web.tls_cert = {asked.tls_cert}",
                              received=error, allowed="PEM files that this user may read") from error  # fmt: skip
    reach = "this machine alone" if is_loopback(asked.host) else "the network"
    return f"{'https' if asked.tls else 'http'}://{asked.host}:{asked.port}/ for {reach}; {password}"


def _page_password(path: Path) -> str:
    try:
        read_page_password(path)
    except ConfigError as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        # As it should be: the page is a user of its own, and the daemon has no business with its password.
        return "its password is the page's own, which this user may not read"
    return "its password is set"


def _mqtt_login(asked: MqttConfig) -> str:
    if not asked.user:
        return "without a user"
    try:
        read_mqtt_password(Path(asked.password_file))
    except ConfigError as error:
        if not isinstance(error.__cause__, PermissionError):
            raise
        # As it should be: the daemon has no business with it.
        return f"as {asked.user}, whose password this user may not read"
    return f"as {asked.user}"


def _library(name: str, part: str) -> None:
    if importlib.util.find_spec(name) is None:
        raise RuntimeMissingError(f"{name} is not installed", where=part,
                                  next_step=f"sudo systemd/install.sh --with {part}")  # fmt: skip
