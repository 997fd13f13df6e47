"""Office files are zip archives: opened here, and only after a look at their sizes."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.ingest.parse.document import invalid

# Far beyond honest files: XML of repeated rows shrinks 20 to 60 times, a bomb 1,000.
_MAX_UNPACKED_BYTES = 1 << 30
_MAX_RATIO = 200
_SMALL_BYTES = 1 << 22  # whatever its ratio, this little does no harm
_MAX_MEMBERS = 20_000
_ENCRYPTED = 0x1  # bit of a member's flags


@contextmanager
def open_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip whose members, as declared, unpack to something sane.

    The declaration can be trusted: `zipfile` reads no more of a member than it declares.

    Raises:
        ParseFailed: `invalid_file` for a bomb, an encrypted or a damaged archive.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _check(archive.infolist())
            yield archive
    except (zipfile.BadZipFile, EOFError) as error:
        raise invalid(
            "The file is damaged or was cut short; it cannot be opened.", repr(error)
        ) from error


def _check(members: list[zipfile.ZipInfo]) -> None:
    unpacked = sum(member.file_size for member in members)
    bombs = any(
        member.file_size > _SMALL_BYTES
        and member.file_size > _MAX_RATIO * member.compress_size
        for member in members
    )
    if bombs or unpacked > _MAX_UNPACKED_BYTES or len(members) > _MAX_MEMBERS:
        raise invalid(
            "The file unpacks to far more than its size, as a zip bomb does; it was not "
            "opened."
        )
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise invalid("The file is protected by a password.")
