"""The configuration: what loads, and how every mistake is named with its cure."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_node.config import AE_TITLE, Config, TlsSection, decode, encode, load
from dicom_node.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "config.toml"
SMALLEST = """
[node]
ae_title = "NODE"
data_directory = "here"
[database]
url = "sqlite:///node.sqlite"
"""
PACS = '[[destinations]]\nname = "pacs"\nae_title = "PACS"\nhost = "h"\nport = 104\n'
LISTS = 'allowed_calling_ae_titles = ["PACS"]\nallowed_addresses = ["192.0.2.0/24"]\n'


def loaded(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return load(path)


def complaint(tmp_path: Path, text: str) -> str:
    """Return what the error says after naming the file."""
    with pytest.raises(ConfigError) as error:
        loaded(tmp_path, text)
    path = f"{tmp_path / 'config.toml'}: "
    assert str(error.value).startswith(path)
    return str(error.value).removeprefix(path)


def test_the_example_loads_and_listens_on_this_machine_only() -> None:
    config = load(EXAMPLE)

    assert config.node.host == "127.0.0.1"
    assert not config.model.accept_phantom_bundle
    assert [destination.name for destination in config.destinations] == ["pacs"]


def test_the_example_shows_every_key() -> None:
    text = EXAMPLE.read_text()
    config = load(EXAMPLE)
    sections: list[msgspec.Struct] = [
        config.node,
        config.database,
        config.receiver,
        config.completeness,
        config.model,
        config.worker,
        config.report,
        config.disk,
        config.audit,
        *config.destinations,
        TlsSection(Path(), Path(), Path()),
    ]

    hidden = [
        key
        for section in sections
        for key in section.__struct_fields__
        if not re.search(rf"(?m)^(# )?{key} = ", text)
    ]

    assert hidden == []


def test_what_is_left_out_has_the_value_the_example_shows(tmp_path: Path) -> None:
    smallest, example = loaded(tmp_path, SMALLEST), load(EXAMPLE)

    assert smallest.receiver == example.receiver
    assert smallest.worker == example.worker
    assert smallest.completeness == example.completeness
    assert not smallest.completeness.asks
    assert smallest.model == example.model
    assert smallest.report == example.report
    assert smallest.disk == example.disk
    assert smallest.audit == example.audit
    assert smallest.node.port == example.node.port
    assert smallest.node.log_level == example.node.log_level
    assert smallest.destinations == ()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            SMALLEST + "[receiver]\nquiet = 60\n",
            "receiver.quiet: unknown key; remove it or mend its spelling",
        ),
        (SMALLEST + "[reciever]\n", "reciever: unknown key; remove it"),
        (SMALLEST + PACS + "shadows = true\n", "destinations[0].shadows: unknown"),
        (
            SMALLEST.replace('ae_title = "NODE"', ""),
            "node.ae_title: missing; it must be set",
        ),
        ('[node]\nae_title = "A"\ndata_directory = "d"\n', "database: missing"),
        (SMALLEST + '[receiver]\nquiet_seconds = "60"\n', "receiver.quiet_seconds: Ex"),
        (SMALLEST.replace('"NODE"', "7"), "node.ae_title: Expected `str`, got `int`"),
        (
            SMALLEST.replace("[node]", '[node]\nlog_level = "LOUD"'),
            "node.log_level: Invalid enum value 'LOUD'",
        ),
    ],
)
def test_a_wrong_key_or_type_is_named(tmp_path: Path, text: str, expected: str) -> None:
    assert complaint(tmp_path, text).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[disk]\nkeep_days = -1\n", "disk.keep_days: -1 must be 0 to 36500"),
        ("[disk]\nkeep_days = 1000000\n", "disk.keep_days: 1000000 must be 0 to"),
        ("[disk]\nquarantine_mb = 1099511627777\n", "disk.quarantine_mb: 1099"),
        (
            "[disk]\nrefuse_below_mb = 5\nresume_above_mb = 5\n",
            "disk.resume_above_mb: 5 must be more than disk.refuse_below_mb, 5",
        ),
        ('[disk]\nalso_watch = ["/none"]\n', "disk.also_watch: /none is no folder"),
        ("[audit]\nfiles = 0\n", "audit.files: 0 must be 1 to 100000"),
        (
            '[audit]\nto = "syslog-udp"\naddress = "log.example:70000"\n',
            "audit.address: 'log.example:70000' must be HOST:PORT",
        ),
        (
            '[audit]\nto = "syslog-tcp"\naddress = "log.example"\n',
            "audit.address: 'log.example' must be HOST:PORT",
        ),
        ('[audit]\nto = "syslog-unix"\n', "audit.address: '' must be the path"),
        ('[audit]\nto = "paper"\n', "audit.to: Invalid enum value 'paper'"),
    ],
)
def test_an_impossible_disk_or_audit_trail_is_refused(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert complaint(tmp_path, SMALLEST + text).startswith(expected)


def test_an_sqlite_databases_disk_is_watched_too(tmp_path: Path) -> None:
    text = SMALLEST.replace("///node", "////elsewhere/node")
    further = f'[disk]\nalso_watch = ["{tmp_path}"]\n'

    watched = loaded(tmp_path, text + further).watched_folders

    assert watched == (Path("here"), Path("/elsewhere"), tmp_path)


ASKED = '[completeness]\nae_title = "PACS"\nhost = "h"\nport = 104\n'


def test_a_pacs_to_ask_is_named_in_full(tmp_path: Path) -> None:
    assert loaded(tmp_path, SMALLEST + ASKED).completeness.asks


@pytest.mark.parametrize(
    ("changed", "to", "expected"),
    [
        ('ae_title = "PACS"', "", "completeness.ae_title: missing; name the PACS"),
        ('"PACS"', '"A\\\\B"', "completeness.ae_title: 'A\\\\B' is no AE title"),
        ('host = "h"', "", "completeness.host: must be set"),
        ("port = 104", "", "completeness.port: 0 is no port; it must be 1 to 65535"),
        ("port = 104", 'port = 104\nfetch = "get"', "completeness.fetch: Invalid"),
        (ASKED, '[completeness]\nfetch = "move"\n', "completeness.ae_title: missing"),
        ("port = 104", "port = 104\ntls = true", "completeness.tls: there is no [tls]"),
    ],
)
def test_a_pacs_to_ask_that_is_named_in_part_is_refused(
    tmp_path: Path, changed: str, to: str, expected: str
) -> None:
    found = complaint(tmp_path, SMALLEST + ASKED.replace(changed, to))

    assert found.startswith(expected)


@pytest.mark.parametrize("title", ["", " NODE", "NODE ", "A" * 17, "A\\\\B", "KLÄR"])
def test_an_impossible_ae_title_is_refused(tmp_path: Path, title: str) -> None:
    node = complaint(tmp_path, SMALLEST.replace("NODE", title))
    calling = complaint(
        tmp_path, SMALLEST + f'[receiver]\nallowed_calling_ae_titles = ["{title}"]\n'
    )
    called = complaint(tmp_path, SMALLEST + PACS.replace('"PACS"', f'"{title}"'))

    for key, found in (
        ("node.ae_title", node),
        ("receiver.allowed_calling_ae_titles", calling),
        ("destinations[0].ae_title", called),
    ):
        assert found.startswith(f"{key}: ")
        assert "it must be 1 to 16 printable ASCII characters" in found


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_every_title_without_blanks_and_backslash_fits_up_to_16_characters(
    title: str,
) -> None:
    fits = len(title) <= 16 and "\\" not in title

    assert bool(AE_TITLE.fullmatch(title)) is fits


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_port_beyond_its_range_is_refused(tmp_path: Path, port: int) -> None:
    ours = complaint(tmp_path, SMALLEST.replace("[node]", f"[node]\nport = {port}"))
    theirs = complaint(tmp_path, SMALLEST + PACS.replace("104", str(port)))

    assert ours == f"node.port: {port} is no port; it must be 1 to 65535"
    assert theirs.startswith(f"destinations[0].port: {port} is no port")


@pytest.mark.parametrize(
    "key",
    [
        "receiver.quiet_seconds",
        "receiver.setup_seconds",
        "receiver.idle_seconds",
        "receiver.max_object_megabytes",
        "receiver.memory_megabytes",
        "worker.lease_seconds",
        "worker.index_timeout_seconds",
        "worker.study_timeout_seconds",
        "worker.poll_seconds",
    ],
)
@pytest.mark.parametrize("value", ["0", "-1.5", "nan", "inf", "1e7"])
def test_a_time_that_cannot_pass_is_refused(
    tmp_path: Path, key: str, value: str
) -> None:
    section, name = key.split(".")

    found = complaint(tmp_path, f"{SMALLEST}[{section}]\n{name} = {value}\n")

    assert found.startswith(f"{key}: {float(value)} must be more than 0 and at most")


def test_a_worker_may_not_pause_as_long_as_one_that_hangs(tmp_path: Path) -> None:
    found = complaint(tmp_path, f"{SMALLEST}[worker]\npoll_seconds = 61\n")

    assert found.startswith("worker.poll_seconds: 61.0 must be at most 60")


def test_a_study_may_not_take_as_long_as_a_worker_that_hangs(tmp_path: Path) -> None:
    found = complaint(tmp_path, f"{SMALLEST}[worker]\nstudy_timeout_seconds = 1201\n")

    assert found.startswith("worker.study_timeout_seconds: 1201.0 must be at most 1200")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('commitment_ae_title = "A\\\\B"', "destinations[0].commitment_ae_title: "),
        ("commitment_port = 0", "destinations[0].commitment_port: 0 is no port"),
    ],
)
def test_whoever_answers_for_a_destination_must_be_possible(
    tmp_path: Path, line: str, expected: str
) -> None:
    assert complaint(tmp_path, f"{SMALLEST}{PACS}{line}\n").startswith(expected)


def test_an_urgent_sender_must_have_a_possible_title(tmp_path: Path) -> None:
    text = f'{SMALLEST}[receiver]\nurgent_calling_ae_titles = [" ER"]\n'

    assert complaint(tmp_path, text).startswith("receiver.urgent_calling_ae_titles: ")


def test_another_process_gets_the_configuration_that_was_loaded() -> None:
    config = load(EXAMPLE)

    assert decode(encode(config)) == config


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "node", ""])  # noqa: S104
@pytest.mark.parametrize("lists", ["", *LISTS.splitlines()])
def test_a_wide_address_without_both_lists_is_refused(
    tmp_path: Path, host: str, lists: str
) -> None:
    text = SMALLEST.replace("[node]", f'[node]\nhost = "{host}"')

    found = complaint(tmp_path, f"{text}[receiver]\n{lists}\n")

    assert found.startswith(f"node.host: {host!r} is reachable from the network")
    assert "or listen on 127.0.0.1" in found


def test_a_wide_address_with_both_lists_is_accepted(tmp_path: Path) -> None:
    text = SMALLEST.replace("[node]", '[node]\nhost = "0.0.0.0"')

    assert loaded(tmp_path, f"{text}[receiver]\n{LISTS}").node.host == "0.0.0.0"  # noqa: S104


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_list(tmp_path: Path, host: str) -> None:
    text = SMALLEST.replace("[node]", f'[node]\nhost = "{host}"')

    assert loaded(tmp_path, text).node.host == host


@pytest.mark.parametrize("address", ["pacs", "192.0.2.7/24", "192.0.2.256", ""])
def test_what_is_no_address_is_refused_with_an_example(
    tmp_path: Path, address: str
) -> None:
    found = complaint(
        tmp_path, f'{SMALLEST}[receiver]\nallowed_addresses = ["{address}"]\n'
    )

    assert found.startswith(f"receiver.allowed_addresses: {address!r} is no address")
    assert found.endswith("write 192.0.2.7 or 192.0.2.0/24")


def test_the_database_is_named_once(tmp_path: Path) -> None:
    both = SMALLEST + 'url_file = "node.url"\n'
    neither = SMALLEST.replace('url = "sqlite:///node.sqlite"', "")

    for text in (both, neither):
        assert complaint(tmp_path, text) == (
            "database: set either url or url_file, and not both"
        )


def test_an_unknown_database_is_refused_without_showing_its_password(
    tmp_path: Path,
) -> None:
    text = SMALLEST.replace("sqlite:///node.sqlite", "mysql://user:word@host/node")

    found = complaint(tmp_path, text)

    assert found.startswith("database.url: must begin with sqlite:///")
    assert "word@" not in found


def with_url_file(path: Path) -> str:
    return SMALLEST.replace('url = "sqlite:///node.sqlite"', f"url_file = '{path}'")


def test_the_url_comes_from_the_file_that_holds_it(tmp_path: Path) -> None:
    url_file = tmp_path / "url"
    url_file.write_text("postgresql+psycopg://node@host/node\n")

    config = loaded(tmp_path, with_url_file(url_file))

    assert config.database_url == "postgresql+psycopg://node@host/node"


def test_a_url_file_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")

    missing = complaint(tmp_path, with_url_file(tmp_path / "nowhere"))
    unfit = complaint(tmp_path, with_url_file(binary))

    assert missing.startswith(f"database.url_file: {tmp_path / 'nowhere'} is not a fi")
    assert unfit.startswith(f"database.url_file: {binary} cannot be read (Unicode")


@pytest.mark.parametrize("device", ["gpu", "cuda:", "CPU", ""])
def test_an_unknown_device_is_refused(tmp_path: Path, device: str) -> None:
    found = complaint(tmp_path, f'{SMALLEST}[model]\ndevice = "{device}"\n')

    assert found.startswith(f"model.device: {device!r} must be auto, cpu, cuda")


def test_an_engine_that_knows_no_gpu_is_not_sent_to_one(tmp_path: Path) -> None:
    model = '[model]\ndevice = "cuda:1"\nengine = "onnx"\n'

    found = complaint(tmp_path, SMALLEST + model)

    assert found.startswith("model.engine: 'onnx' computes on the CPU, but model.dev")


def test_destinations_have_names_of_their_own(tmp_path: Path) -> None:
    twice = complaint(tmp_path, SMALLEST + PACS + PACS)
    nameless = complaint(tmp_path, SMALLEST + PACS.replace('"pacs"', '" "'))
    nowhere = complaint(tmp_path, SMALLEST + PACS.replace('"h"', '""'))

    assert twice.startswith("destinations: the name 'pacs' stands twice")
    assert nameless == "destinations[0].name: must not be empty"
    assert nowhere == "destinations[0].host: must not be empty"


def test_a_file_that_is_not_there_is_named_with_its_cure(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read .* --config"):
        load(tmp_path / "nowhere.toml")


@pytest.mark.parametrize("content", [b"[node", b"\xff\xfe", b"node = 1"])
def test_a_file_that_is_no_configuration_is_named(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(content)

    with pytest.raises(ConfigError, match=r"config\.toml: \S"):
        load(path)


def test_a_destination_says_which_objects_it_gets(tmp_path: Path) -> None:
    asked = (
        'objects = ["sr", "picture", "pdf", "text"]\nsr_class = "comprehensive-3d"\n'
    )

    [usual] = loaded(tmp_path, SMALLEST + PACS).destinations
    [everything] = loaded(tmp_path, SMALLEST + PACS + asked).destinations

    assert (usual.objects, usual.sr_class) == (("sr", "picture"), "comprehensive")
    assert everything.objects == ("sr", "picture", "pdf", "text")
    assert everything.sr_class == "comprehensive-3d"


@pytest.mark.parametrize("objects", ["[]", '["sr"]', '["pdf", "text"]'])
def test_a_destination_without_the_picture_is_refused(
    tmp_path: Path, objects: str
) -> None:
    said = complaint(tmp_path, f"{SMALLEST}{PACS}objects = {objects}\n")

    assert said.startswith('destinations[0].objects: must hold "picture"')


@pytest.mark.parametrize(
    "line", ['objects = ["picture", "fax"]', 'sr_class = "3d"', "objects = 3"]
)
def test_an_object_that_nobody_makes_is_refused(tmp_path: Path, line: str) -> None:
    assert "destinations[0]." in complaint(tmp_path, f"{SMALLEST}{PACS}{line}\n") or (
        "destinations[...]" in complaint(tmp_path, f"{SMALLEST}{PACS}{line}\n")
    )


def test_a_language_that_nobody_wrote_is_refused(tmp_path: Path) -> None:
    said = complaint(tmp_path, f'{SMALLEST}[report]\nlanguage = "tlh"\n')

    assert said.startswith("report.language: ")


def test_encryption_needs_certificates_and_is_off_without_them(tmp_path: Path) -> None:
    asked = complaint(tmp_path, f"{SMALLEST}{PACS}tls = true\n")
    half = complaint(tmp_path, f'{SMALLEST}[tls]\ncertificate = "node.crt"\n')

    assert asked.startswith("destinations[0].tls: there is no [tls]; it must name our")
    assert half == "tls.key: missing; it must be set"
    assert loaded(tmp_path, SMALLEST).tls is None


def test_less_memory_than_one_image_may_take_is_refused(tmp_path: Path) -> None:
    said = complaint(tmp_path, f"{SMALLEST}[receiver]\nmemory_megabytes = 511\n")

    assert said.startswith(
        "receiver.memory_megabytes: 511.0 must not be less than max_object_megabytes, "
        "512.0"
    )


def test_fewer_connections_than_associations_are_refused(tmp_path: Path) -> None:
    said = complaint(tmp_path, f"{SMALLEST}[receiver]\nmax_connections = 24\n")

    assert said == (
        "receiver.max_connections: 24 must not be less than max_associations, 25"
    )
