"""DICOM over TLS: whom it lets in, whom it keeps out, and what it says."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from dicom_node import requested, sender, tls
from dicom_node.asking import Asker
from dicom_node.audit.trail import silent
from dicom_node.config import (
    CompletenessSection,
    Config,
    DatabaseSection,
    Destination,
    NodeSection,
    TlsSection,
)
from dicom_node.demo_pacs import wait_for_port
from dicom_node.errors import ConfigError, PeerUnreachable
from dicom_node.sender import Peer
from dicom_node.verbs import checking, working
from tests.dicom_factories import STUDY_UID, as_received, mr_image
from tests.dicom_node.listening.conftest import SOON_CLOSING, Start
from tests.dicom_node.listening.raw_peer import RawPeer
from tests.peers import require_peer
from tests.ports import free_port, orthanc
from tests.waiting import comes_true


def test_a_peer_with_a_certificate_of_our_authority_is_served(
    start: Start, section: TlsSection, client: ssl.SSLContext
) -> None:
    node = start(secured=tls.inbound(section))

    sender.echo("SCANNER", secured(node.peer, client))


def secured(peer: Peer, context: ssl.SSLContext, name: str = "") -> Peer:
    return Peer(peer.ae_title, peer.host, peer.port, tls=context, tls_name=name)


def test_a_dcmtk_sender_is_served(
    start: Start, section: TlsSection, tmp_path: Path
) -> None:
    (storescu,) = require_peer("dcmtk", "storescu")
    node = start(secured=tls.inbound(section))
    image = tmp_path / "image.dcm"
    as_received(mr_image()).save_as(image)
    folder = section.peer_ca.parent
    own = [str(folder / name) for name in ("scanner.key", "scanner.crt")]
    scanner = ["+tls", *own, "+cf", str(section.peer_ca)]
    there = ["-aec", node.peer.ae_title, "127.0.0.1", str(node.peer.port)]

    done = subprocess.run([storescu, *scanner, *there, image], check=False)

    assert done.returncode == 0
    assert len(list(node.files.data_directory.rglob("*.dcm"))) == 1


def test_a_peer_without_a_certificate_is_kept_out_unless_the_site_lets_it_in(
    start: Start,
    section: TlsSection,
    caplog: pytest.LogCaptureFixture,
) -> None:
    anonymous = ssl.create_default_context(cafile=section.peer_ca)
    node = start(secured=tls.inbound(section))

    with pytest.raises(PeerUnreachable):
        sender.echo("SCANNER", secured(node.peer, anonymous))
    assert comes_true(lambda: "peer did not return a certificate" in caplog.text)

    lenient = msgspec.structs.replace(section, accept_clients_without_certificate=True)
    sender.echo("SCANNER", secured(start(secured=tls.inbound(lenient)).peer, anonymous))


def test_a_certificate_of_another_authority_is_refused_on_both_sides(
    start: Start,
    section: TlsSection,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    stranger = self_signed(tmp_path, "stranger")
    node = start(secured=tls.inbound(section))
    wants_us = msgspec.structs.replace(stranger, peer_ca=section.peer_ca)

    with pytest.raises(PeerUnreachable):
        sender.echo("SCANNER", secured(node.peer, tls.outbound(wants_us)))
    # The receiver's own thread says so, perhaps a moment later.
    assert comes_true(
        lambda: "127.0.0.1: TLS: its certificate is refused: self-signed" in caplog.text
    )
    with pytest.raises(PeerUnreachable, match="its certificate is refused: "):
        sender.echo("SCANNER", secured(node.peer, tls.outbound(stranger)))


def self_signed(folder: Path, name: str, *extra: str) -> TlsSection:
    """Make a certificate that signs itself, with whatever is wrong about it."""
    (openssl,) = require_peer("openssl", "openssl")
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    files = ["-keyout", str(key), "-out", str(certificate), "-subj", f"/CN={name}"]
    subprocess.run(
        [openssl, "req", "-x509", *kind, *files, *extra],
        check=True,
        capture_output=True,
    )
    return TlsSection(certificate, key, certificate)


def test_a_destination_of_another_name_is_refused_unless_that_name_is_configured(
    start: Start, section: TlsSection, client: ssl.SSLContext
) -> None:
    node = start(secured=tls.inbound(section))

    with pytest.raises(PeerUnreachable, match=r"not valid for 'pacs\.example'"):
        sender.echo("SCANNER", secured(node.peer, client, "pacs.example"))
    sender.echo("SCANNER", secured(node.peer, client, "localhost"))


@pytest.mark.parametrize(
    "version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda it: it.name
)
def test_both_versions_of_the_profile_are_spoken(
    start: Start, section: TlsSection, version: ssl.TLSVersion
) -> None:
    node = start(secured=tls.inbound(section))
    context = tls.outbound(section)
    context.minimum_version = context.maximum_version = version

    sender.echo("SCANNER", secured(node.peer, context))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_older_version_is_not_spoken(start: Start, section: TlsSection) -> None:
    node = start(secured=tls.inbound(section))
    context = tls.outbound(section)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1_1
    context.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises(PeerUnreachable, match="TLS: "):
        sender.echo("SCANNER", secured(node.peer, context))


def test_a_cipher_suite_outside_the_profile_is_not_taken(
    start: Start, section: TlsSection
) -> None:
    node = start(secured=tls.inbound(section))
    context = tls.outbound(section)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES256-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")

    with pytest.raises(PeerUnreachable, match="TLS: "):
        sender.echo("SCANNER", secured(node.peer, context))


def test_a_peer_without_tls_is_closed_and_the_log_says_why(
    start: Start, section: TlsSection, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(secured=tls.inbound(section))

    with pytest.raises(PeerUnreachable):
        sender.echo("SCANNER", node.peer)

    assert "closed a connection from 127.0.0.1: TLS: wrong version number" in (
        caplog.text
    )


def test_a_silent_handshake_ends_at_its_deadline(
    start: Start, section: TlsSection, caplog: pytest.LogCaptureFixture
) -> None:
    node = start(SOON_CLOSING, secured=tls.inbound(section))

    assert RawPeer(node.peer).is_closed()
    assert "no association request within 1 s" in caplog.text


def test_the_manuals_certificates_suit_and_last_two_years(section: TlsSection) -> None:
    ends = tls.expiry(section)

    assert ends > datetime.now(UTC) + timedelta(days=700)


def test_a_key_that_others_may_read_is_refused_with_the_command(
    section: TlsSection, tmp_path: Path
) -> None:
    open_to_all = Path(shutil.copy(section.key, tmp_path / "open.key"))
    open_to_all.chmod(0o644)

    with pytest.raises(ConfigError, match=rf"tls\.key: .*0644.*chmod 640 {tmp_path}"):
        tls.expiry(msgspec.structs.replace(section, key=open_to_all))


def test_a_file_that_is_not_there_is_named(section: TlsSection, tmp_path: Path) -> None:
    missing = msgspec.structs.replace(section, peer_ca=tmp_path / "no.crt")

    with pytest.raises(ConfigError, match=r"tls\.peer_ca: .*no\.crt cannot be read"):
        tls.inbound(missing)


def test_a_key_of_another_certificate_is_refused(
    section: TlsSection, tmp_path: Path
) -> None:
    other = self_signed(tmp_path, "other")

    with pytest.raises(ConfigError, match=r"tls\.certificate: .*key values mismatch"):
        tls.outbound(msgspec.structs.replace(section, key=other.key))


def test_a_key_with_a_password_is_refused_instead_of_asked_for(
    section: TlsSection, tmp_path: Path
) -> None:
    (openssl,) = require_peer("openssl", "openssl")
    protected = tmp_path / "protected.key"
    encrypt = ["-aes256", "-passout", "pass:secret", "-out", str(protected)]
    subprocess.run([openssl, "pkey", "-in", str(section.key), *encrypt], check=True)

    with pytest.raises(ConfigError, match=r"tls\.key: .*protected by a password"):
        tls.inbound(msgspec.structs.replace(section, key=protected))


def test_a_certificate_for_servers_only_is_refused(tmp_path: Path) -> None:
    servers = self_signed(tmp_path, "s", "-addext", "extendedKeyUsage=serverAuth")
    servers.key.chmod(0o600)

    with pytest.raises(ConfigError, match=r"tls\.certificate: .*for server and client"):
        tls.expiry(servers)


def test_a_dcmtk_archive_is_sent_to_and_shown_our_certificate(
    section: TlsSection, tmp_path: Path
) -> None:
    (storescp,) = require_peer("dcmtk", "storescp")
    port, folder = free_port(), section.peer_ca.parent
    own = ["+tls", str(folder / "node.key"), str(folder / "node.crt")]
    trust = ["+cf", str(section.peer_ca), "--require-peer-cert"]
    pacs = Destination("pacs", "PACS", "localhost", port, tls=True)
    archive = subprocess.Popen([storescp, *own, *trust, "-od", tmp_path, str(port)])
    try:
        wait_for_port(port, archive)
        sender.echo("LUMBARNODE", requested.peer(pacs, tls.outbound(section)))
        with pytest.raises(PeerUnreachable):
            sender.echo("LUMBARNODE", requested.peer(pacs, None))
    finally:
        archive.terminate()
        archive.wait()


@pytest.fixture(scope="module")
def archive(
    section: TlsSection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Config]:
    """A configuration that asks an Orthanc which speaks TLS, and takes no other."""
    require_peer("orthanc", "Orthanc")
    folder, port = section.peer_ca.parent, free_port()
    own = tmp_path_factory.mktemp("archive")
    with orthanc(
        own / "orthanc",
        "ARCHIVE",
        port,
        DicomTlsEnabled=True,
        DicomTlsPrivateKey=str(folder / "node.key"),
        DicomTlsCertificate=str(folder / "node.crt"),
        DicomTlsTrustedCertificates=str(section.peer_ca),
        DicomTlsRemoteCertificateRequired=True,
    ) as running:
        image = own / "image.dcm"
        as_received(mr_image()).save_as(image, enforce_file_format=True)
        running.fill([image])
        yield Config(
            NodeSection("LUMBARNODE", Path("nowhere")),
            DatabaseSection("sqlite:///nowhere"),
            tls=section,
            completeness=CompletenessSection(
                "ARCHIVE", "localhost", port, "move", tls=True
            ),
        )


def test_an_archive_is_asked_over_tls(
    archive: Config, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    node, secured = start(), requested.outgoing_tls(archive)
    parts = node.database, node.settler, secured, silent()
    (*_, tick) = working._asking_ticks(archive, *parts)
    asker = getattr(tick.run, "__self__")  # noqa: B009
    assert isinstance(asker, Asker)

    takes = checking._answers_questions(archive, secured)
    with asker.ask() as query:
        (count,) = query.series_counts(STUDY_UID)

    assert takes
    assert "takes C-FIND\ncompleteness: takes C-MOVE" in capsys.readouterr().out
    assert count.instances == 1


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tls": False}, "no DICOM peer there"),
        ({"tls_name": "pacs.example"}, "not valid for 'pacs.example'"),
    ],
    ids=["plain", "another name"],
)
def test_an_archive_that_is_not_proven_is_not_asked(
    archive: Config,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, object],
    said: str,
) -> None:
    asked = msgspec.structs.replace(archive.completeness, **changed)
    config = msgspec.structs.replace(archive, completeness=asked)

    assert not checking._answers_questions(config, requested.outgoing_tls(archive))
    assert said in capsys.readouterr().out


def test_only_a_destination_that_asks_for_it_is_sent_to_with_tls(
    section: TlsSection,
) -> None:
    secured = tls.outbound(section)

    plain = requested.peer(Destination("a", "A", "h", 104), secured)
    asked = requested.peer(
        Destination("b", "B", "h", 104, tls=True, tls_name="pacs.example"), secured
    )

    assert plain.tls is None
    assert (asked.tls, asked.tls_name) == (secured, "pacs.example")


def test_check_config_says_until_when_the_certificates_are_good(
    section: TlsSection, tmp_path: Path
) -> None:
    soon = self_signed(tmp_path, "soon", "-days", "12")
    soon.key.chmod(0o600)
    ends = tls.expiry(soon)
    left = ends - datetime.now(UTC)

    assert timedelta(days=11) < left < timedelta(days=13)
    assert "all certificates are good until" in checking._certificates(section)
    assert f"ends on {ends:%Y-%m-%d}: renew it" in checking._certificates(soon)
