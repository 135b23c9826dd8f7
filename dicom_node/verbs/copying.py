"""What goes to and from folders: ``grade``, ``export-grades``, ``backup``, ``demo``."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from dicom_node.errors import NodeError
from dicom_node.verbs.opening import device_uid, load, opened, own_version

FAILED = 1


def grade(arguments: argparse.Namespace) -> int:
    """Grade a folder, without network and database."""
    from dicom_node import folder
    from dicom_node.report.context import Installation
    from grading.bundle import accept, load_bundle, shipped_bundle_path
    from grading.grader import Grader

    bundle = load_bundle(arguments.bundle or shipped_bundle_path())
    accept(bundle, arguments.accept_phantom_bundle)
    found = folder.grade_folder(arguments.folder, Grader(bundle), arguments.boxes)
    installation = Installation(
        device_uid=device_uid("grade"),
        serial_number="grade",
        software_version=own_version(),
    )
    if arguments.out:
        now = datetime.now(UTC)
        folder.write_all(found, installation, now, arguments.out)
    print(folder.as_json_text(found) if arguments.json else folder.as_text(found))
    for line in folder.complaints(found):
        print(line, file=sys.stderr)
    return 0 if any(study.grades for study in found.studies) else FAILED


def export_grades(arguments: argparse.Namespace) -> int:
    """Write all grades as a table for an evaluation."""
    from dicom_node import export, pseudonyms
    from storage.files import Files

    config = load(arguments)
    database, directory = opened(config), config.node.data_directory
    try:
        exported = export.export_grades(
            export.Export(
                database=database,
                files=Files(directory),
                key=pseudonyms.key_of(directory),
                site=config.node.institution_name,
                demographics=arguments.demographics,
            ),
            arguments.csv,
        )
    except OSError as error:
        raise NodeError(f"{error.filename}: {error.strerror}") from error
    finally:
        database.close()
    print(f"{exported.rows} rows of {exported.studies} studies are in {arguments.csv}")
    for line in exported.left_out:
        print(line, file=sys.stderr)
    return FAILED if exported.left_out else 0


def backup(arguments: argparse.Namespace) -> int:
    """Copy a running node's database and files."""
    from dicom_node.pseudonyms import KEY_NAME
    from storage.backup import back_up
    from storage.installation import ID_NAME, installation_id

    config = load(arguments)
    opened(config).close()
    directory, target = config.node.data_directory, arguments.target
    installation_id(directory)
    kept = [directory / ID_NAME, directory / KEY_NAME, arguments.config]
    try:
        copied = back_up(
            config.database_url, directory, target, [it for it in kept if it.exists()]
        )
    except OSError as error:
        raise NodeError(f"{error.filename or target}: {error.strerror}") from error
    print(
        f"{copied.database.name} and {copied.files} files "
        f"({copied.size_bytes >> 20} MB) are in {target}; "
        f"{copied.there_already} files were there already"
    )
    return 0


def demo(arguments: argparse.Namespace) -> int:
    """Show the whole path on this machine."""
    from dicom_node.demo import demo

    return demo(arguments.study, arguments.out)
