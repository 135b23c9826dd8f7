"""``config.toml`` to frozen structs: read once, one source, one truth.

Every mistake is a `ConfigError` that names the file, the key and what it must be.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Literal

import msgspec

from dicom_node.errors import ConfigError
from storage.database import database_file
from storage.space import Watermarks

AE_TITLE = re.compile(r"[!-\[\]-~](?:[ -\[\]-~]{0,14}[!-\[\]-~])?")
"""1 to 16 printable characters, no backslash, no outer blanks (PS3.5 6.2, AE)."""
DEVICE = re.compile(r"auto|cpu|cuda(?::[0-9]+)?")
LARGEST = 1e6
"""Of seconds, megabytes and counts: beyond it is a slip, and would overflow a date."""
MOST_DAYS = 36_500
MOST_MEGABYTES = 1 << 40
"""An exabyte; the database counts bytes in 64 bits."""
MOST_AUDIT = 100_000
MAX_STUDY_SECONDS = 1200.0
"""With the start of a grading process still below `service.MAX_TICK_SECONDS`."""
MAX_POLL_SECONDS = 60.0
"""Well below `service.MAX_IDLE_SECONDS`, after which a clock counts as standing."""
NO_TLS = (
    "there is no [tls]; it must name our certificate, its key, and the authority that "
    "signed the peer's"
)
EXIT_STATUS = 78
"""EX_CONFIG of sysexits.h: systemd is told not to restart after it."""


class NodeSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[node]``: who we are and where our files lie."""

    ae_title: str
    data_directory: Path
    host: str = "127.0.0.1"
    port: int = 11112
    institution_name: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class DatabaseSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[database]``: a URL, or a file that holds one where it has a password."""

    url: str = ""
    url_file: Path | None = None


class ReceiverSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[receiver]``: who may send, how much at once, and when a study is quiet."""

    quiet_seconds: float = 60.0
    allowed_calling_ae_titles: tuple[str, ...] = ()
    allowed_addresses: tuple[str, ...] = ()
    max_associations: int = 25
    max_connections: int = 200
    max_connections_per_address: int = 50
    setup_seconds: float = 10.0
    idle_seconds: float = 60.0
    max_object_megabytes: float = 512.0
    memory_megabytes: float = 1024.0
    urgent_calling_ae_titles: tuple[str, ...] = ()
    """Whose studies are graded before others."""


class TlsSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[tls]``: the certificates with which connections are secured."""

    certificate: Path
    key: Path
    peer_ca: Path
    inbound: bool = True
    accept_clients_without_certificate: bool = False


class CompletenessSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[completeness]``: the PACS that is asked whether a study is complete."""

    ae_title: str = ""
    """Empty, as the other two: nobody is asked, the quiet time decides alone."""
    host: str = ""
    port: int = 0
    fetch: Literal["none", "move"] = "none"
    """Whether the PACS is told to send what is missing, by C-MOVE to ourselves."""
    tls: bool = False
    tls_name: str = ""
    """The name in its certificate, where that is not `host`."""

    @property
    def asks(self) -> bool:
        """Whether there is somebody to ask."""
        return bool(self.ae_title)


class ModelSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[model]``: which bundle grades, on what, and whether a phantom's may."""

    bundle: Path | None = None
    device: str = "auto"
    engine: Literal["torch", "onnx"] = "torch"
    """What computes the grading network; ``onnx`` is an extra and knows no GPU."""
    accept_phantom_bundle: bool = False


class WorkerSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[worker]``: how long things may take before they count as dead."""

    lease_seconds: float = 300.0
    index_timeout_seconds: float = 30.0
    study_timeout_seconds: float = 600.0
    poll_seconds: float = 1.0


class DiskSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[disk]``: when images are refused, and how long they are kept."""

    refuse_below_mb: int = 1024
    resume_above_mb: int = 2048
    also_watch: tuple[Path, ...] = ()
    """Folders on further file systems that must not fill up."""
    keep_days: int = 30
    """0 keeps the images of finished studies for ever."""
    quarantine_mb: int = 1024
    """0 keeps every quarantined file."""

    @property
    def watermarks(self) -> Watermarks:
        """The two marks in bytes."""
        return Watermarks(self.refuse_below_mb << 20, self.resume_above_mb << 20)


class AuditSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[audit]``: where the audit trail goes (PS3.15 A.5)."""

    to: Literal["off", "file", "syslog-udp", "syslog-tcp", "syslog-unix"] = "file"
    address: str = ""
    """``HOST:PORT``, or the path of a socket."""
    source_id: str = ""
    """How a repository knows this node; without it, the AE title."""
    max_file_mb: int = 50
    files: int = 20


class ReportSection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[report]``: in which language and words."""

    language: Literal["en", "zh-CN", "ko-KR"] = "en"
    phrases: Path | None = None
    """A site's own narrative; its language counts."""


class Destination(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``[[destinations]]``: a PACS that gets every report."""

    name: str
    ae_title: str
    host: str
    port: int
    shadow: bool = False
    """Made and kept, never sent: for watching the node before trusting it."""
    objects: tuple[Literal["sr", "picture", "pdf", "text"], ...] = ("sr", "picture")
    sr_class: Literal["comprehensive", "comprehensive-3d"] = "comprehensive"
    """What a structured report is offered as first."""
    tls: bool = False
    tls_name: str = ""
    """The name in its certificate, where that is not `host`."""
    commitment: bool = False
    """Asked whether it keeps what it took (PS3.4 annex J)."""
    commitment_ae_title: str = ""
    """Who is asked, where it is another AE; likewise host and port."""
    commitment_host: str = ""
    commitment_port: int | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    node: NodeSection
    database: DatabaseSection
    receiver: ReceiverSection = ReceiverSection()
    tls: TlsSection | None = None
    completeness: CompletenessSection = CompletenessSection()
    model: ModelSection = ModelSection()
    worker: WorkerSection = WorkerSection()
    report: ReportSection = ReportSection()
    disk: DiskSection = DiskSection()
    audit: AuditSection = AuditSection()
    destinations: tuple[Destination, ...] = ()

    @property
    def database_url(self) -> str:
        """The URL, from the file that holds it where one is named."""
        if self.database.url_file is None:
            return self.database.url
        return self.database.url_file.read_text(encoding="utf-8").strip()

    @property
    def watched_folders(self) -> tuple[Path, ...]:
        """The folders whose file systems must not fill up."""
        file = database_file(self.database_url)
        beside = (file.parent,) if file else ()
        return (self.node.data_directory, *beside, *self.disk.also_watch)


def load(path: Path) -> Config:
    """Read and check a configuration file.

    Raises
    ------
    ConfigError
        The file is missing, not TOML, has an unknown key, or a value that would
        fail later; the message says which key and what it must be.
    """
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=Config, dec_hook=_path)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); name another file with "
            "--config, or copy the example config.toml there"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {_in_our_words(error)}") from error
    for problem in _problems(config):
        raise ConfigError(f"{path}: {problem}")
    return config


def encode(config: Config) -> bytes:
    """Return a configuration for another process of ours; see `decode`."""
    return msgspec.json.encode(config, enc_hook=str)


def decode(encoded: bytes) -> Config:
    """Return the configuration that `encode` was given."""
    return msgspec.json.decode(encoded, type=Config, dec_hook=_path)


def _path(kind: type, value: object) -> Path:
    """Make the one type of a value that msgspec leaves to us.

    Raises
    ------
    ValueError
        The value is no text; msgspec adds the key.
    """
    if kind is not Path or not isinstance(value, str):
        raise ValueError(f"Expected a path as `str`, got `{type(value).__name__}`")
    return Path(value)


def _in_our_words(error: Exception) -> str:
    """Turn msgspec's ``... - at `$.node.port``` into "node.port: ..."."""
    sentence, _, place = str(error).partition(" - at `$.")
    where = place.rstrip("`")
    unknown = re.fullmatch(
        r"Object contains unknown field `(.+)`", sentence.split(" - at")[0]
    )
    if unknown:
        key = f"{where}.{unknown[1]}" if where else unknown[1]
        return f"{key}: unknown key; remove it or mend its spelling"
    missing = re.fullmatch(
        r"Object missing required field `(.+)`", sentence.split(" - at")[0]
    )
    if missing:
        key = f"{where}.{missing[1]}" if where else missing[1]
        return f"{key}: missing; it must be set"
    return f"{where}: {sentence}" if where else sentence


def _problems(config: Config) -> list[str]:
    return [
        *_title_problems(config),
        *_number_problems(config),
        *_address_problems(config),
        *_database_problems(config),
        *_device_problems(config),
        *_disk_problems(config),
        *_audit_problems(config),
        *_destination_problems(config),
        *_completeness_problems(config),
    ]


def _title_problems(config: Config) -> list[str]:
    titles = [("node.ae_title", config.node.ae_title)]
    titles += [
        ("receiver.allowed_calling_ae_titles", title)
        for title in config.receiver.allowed_calling_ae_titles
    ]
    titles += [
        ("receiver.urgent_calling_ae_titles", title)
        for title in config.receiver.urgent_calling_ae_titles
    ]
    titles += [
        (f"destinations[{i}].ae_title", destination.ae_title)
        for i, destination in enumerate(config.destinations)
    ]
    if config.completeness.asks:
        titles.append(("completeness.ae_title", config.completeness.ae_title))
    titles += [
        (f"destinations[{i}].commitment_ae_title", destination.commitment_ae_title)
        for i, destination in enumerate(config.destinations)
        if destination.commitment_ae_title
    ]
    return [
        f"{key}: {title!r} is no AE title; it must be 1 to 16 printable ASCII "
        "characters without backslash and without blanks at its ends"
        for key, title in titles
        if not AE_TITLE.fullmatch(title)
    ]


def _number_problems(config: Config) -> list[str]:
    ports = [("node.port", config.node.port)]
    ports += [
        (f"destinations[{i}].port", destination.port)
        for i, destination in enumerate(config.destinations)
    ]
    ports += [
        (f"destinations[{i}].commitment_port", destination.commitment_port)
        for i, destination in enumerate(config.destinations)
        if destination.commitment_port is not None
    ]
    problems = [
        f"{key}: {port} is no port; it must be 1 to 65535"
        for key, port in ports
        if not 1 <= port <= 65535
    ]
    ranges = (
        ("receiver.quiet_seconds", config.receiver.quiet_seconds),
        ("receiver.max_associations", config.receiver.max_associations),
        ("receiver.max_connections", config.receiver.max_connections),
        (
            "receiver.max_connections_per_address",
            config.receiver.max_connections_per_address,
        ),
        ("receiver.setup_seconds", config.receiver.setup_seconds),
        ("receiver.idle_seconds", config.receiver.idle_seconds),
        ("receiver.max_object_megabytes", config.receiver.max_object_megabytes),
        ("receiver.memory_megabytes", config.receiver.memory_megabytes),
        ("worker.lease_seconds", config.worker.lease_seconds),
        ("worker.index_timeout_seconds", config.worker.index_timeout_seconds),
        ("worker.study_timeout_seconds", config.worker.study_timeout_seconds),
        ("worker.poll_seconds", config.worker.poll_seconds),
    )
    problems += [
        f"{key}: {value} must be more than 0 and at most {LARGEST:.0f}"
        for key, value in ranges
        if not 0 < value <= LARGEST
    ]
    receiver = config.receiver
    if receiver.max_connections < receiver.max_associations:
        problems.append(
            f"receiver.max_connections: {receiver.max_connections} must not be less "
            f"than max_associations, {receiver.max_associations}"
        )
    if receiver.memory_megabytes < receiver.max_object_megabytes:
        problems.append(
            f"receiver.memory_megabytes: {receiver.memory_megabytes} must not be less "
            f"than max_object_megabytes, {receiver.max_object_megabytes}, or an image "
            "of that size could never be received"
        )
    if config.worker.study_timeout_seconds > MAX_STUDY_SECONDS:
        problems.append(
            f"worker.study_timeout_seconds: {config.worker.study_timeout_seconds} must "
            f"be at most {MAX_STUDY_SECONDS:.0f}: a worker that does one thing for "
            "half an hour is taken for hung and started anew"
        )
    if config.worker.poll_seconds > MAX_POLL_SECONDS:
        problems.append(
            f"worker.poll_seconds: {config.worker.poll_seconds} must be at most "
            f"{MAX_POLL_SECONDS:.0f}: a worker that does nothing for minutes is taken "
            "for hung and started anew"
        )
    return problems


def _address_problems(config: Config) -> list[str]:
    problems = []
    for text in config.receiver.allowed_addresses:
        try:
            ipaddress.ip_network(text)
        except ValueError as error:
            problems.append(
                f"receiver.allowed_addresses: {text!r} is no address or network "
                f"({error}); write 192.0.2.7 or 192.0.2.0/24"
            )
    listed = (
        config.receiver.allowed_calling_ae_titles and config.receiver.allowed_addresses
    )
    if not listed and not _is_loopback(config.node.host):
        problems.append(
            f"node.host: {config.node.host!r} is reachable from the network, so both "
            "receiver.allowed_calling_ae_titles and receiver.allowed_addresses must "
            "list who may send; or listen on 127.0.0.1"
        )
    return problems


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _database_problems(config: Config) -> list[str]:
    section = config.database
    if bool(section.url) == (section.url_file is not None):
        return ["database: set either url or url_file, and not both"]
    if section.url_file is not None and not section.url_file.is_file():
        cure = "write the URL there, or name the file that holds it"
        return [f"database.url_file: {section.url_file} is not a file; {cure}"]
    try:
        url = config.database_url
    except (OSError, UnicodeDecodeError) as error:
        cannot = f"{section.url_file} cannot be read ({type(error).__name__})"
        cure = "it must be one line of UTF-8 text that this user may read"
        return [f"database.url_file: {cannot}; {cure}"]
    if not url.startswith(("sqlite:///", "postgresql+psycopg://")):
        kinds = (
            "sqlite:/// and a path, or postgresql+psycopg:// and user, host, database"
        )
        # The URL itself may hold a password, so it is not shown.
        return [f"database.url: must begin with {kinds}"]
    return []


def _device_problems(config: Config) -> list[str]:
    device, engine = config.model.device, config.model.engine
    if not DEVICE.fullmatch(device):
        must = "must be auto, cpu, cuda or cuda:0, cuda:1 ..."
        return [f"model.device: {device!r} {must}"]
    if engine == "onnx" and device.startswith("cuda"):
        clash = f"{engine!r} computes on the CPU, but model.device is {device!r}"
        return [f"model.engine: {clash}; set engine to torch, or device to cpu"]
    return []


def _disk_problems(config: Config) -> list[str]:
    disk = config.disk
    numbers = (
        ("refuse_below_mb", disk.refuse_below_mb, MOST_MEGABYTES),
        ("resume_above_mb", disk.resume_above_mb, MOST_MEGABYTES),
        ("keep_days", disk.keep_days, MOST_DAYS),
        ("quarantine_mb", disk.quarantine_mb, MOST_MEGABYTES),
    )
    problems = [
        f"disk.{key}: {value} must be 0 to {most}"
        for key, value, most in numbers
        if not 0 <= value <= most
    ]
    if disk.resume_above_mb <= disk.refuse_below_mb:
        problems.append(
            f"disk.resume_above_mb: {disk.resume_above_mb} must be more than "
            f"disk.refuse_below_mb, {disk.refuse_below_mb}, or images would be refused "
            "and taken by turns"
        )
    problems += [
        f"disk.also_watch: {folder} is no folder; name one that exists"
        for folder in disk.also_watch
        if not folder.is_dir()
    ]
    return problems


def _audit_problems(config: Config) -> list[str]:
    audit = config.audit
    problems = [
        f"audit.{key}: {value} must be 1 to {MOST_AUDIT}"
        for key, value in (("max_file_mb", audit.max_file_mb), ("files", audit.files))
        if not 1 <= value <= MOST_AUDIT
    ]
    host, _, port = audit.address.rpartition(":")
    needs = audit.to.removeprefix("syslog-")
    if needs in ("udp", "tcp") and not (host and _is_port(port)):
        problems.append(
            f"audit.address: {audit.address!r} must be HOST:PORT of the syslog server, "
            f"with a port from 1 to 65535"
        )
    if needs == "unix" and not audit.address.startswith("/"):
        problems.append(
            f"audit.address: {audit.address!r} must be the path of a socket, /dev/log"
        )
    return problems


def _is_port(text: str) -> bool:
    """Return whether a number is a port; getaddrinfo makes 4464 of 70000."""
    return text.isascii() and text.isdecimal() and 1 <= int(text[:6]) <= 65535


def _destination_problems(config: Config) -> list[str]:
    names = [destination.name for destination in config.destinations]
    problems = [
        f"destinations: the name {name!r} stands twice; each must have its own"
        for name in sorted(set(names))
        if names.count(name) > 1
    ]
    problems += [
        f"destinations[{i}].{key}: must not be empty"
        for i, destination in enumerate(config.destinations)
        for key, value in (("name", destination.name), ("host", destination.host))
        if not value.strip()
    ]
    problems += [
        f'destinations[{i}].objects: must hold "picture", because it is the one '
        "object that every viewer shows"
        for i, destination in enumerate(config.destinations)
        if "picture" not in destination.objects
    ]
    problems += [
        f"destinations[{i}].tls: {NO_TLS}"
        for i, destination in enumerate(config.destinations)
        if destination.tls and config.tls is None
    ]
    return problems


def _completeness_problems(config: Config) -> list[str]:
    section = config.completeness
    if section.asks:
        problems = [] if section.host.strip() else ["completeness.host: must be set"]
        if not 1 <= section.port <= 65535:
            cure = "it must be 1 to 65535"
            problems.append(f"completeness.port: {section.port} is no port; {cure}")
        if section.tls and config.tls is None:
            problems.append(f"completeness.tls: {NO_TLS}")
        return problems
    if section != CompletenessSection():
        cure = "name the PACS that is asked, or leave the whole section out"
        return [f"completeness.ae_title: missing; {cure}"]
    return []
