"""The files of the session: blocks in, blocks out, and what a call has changed.

The model's code owns everything in the folder and may leave anything there: links to
elsewhere, pipes, deep trees. So every path is walked from a descriptor of the folder,
one component at a time, and no link is ever followed.
"""

import contextlib
import os
import stat
from collections.abc import Iterator

from sandbox import protocol

Stamp = tuple[int, int, int]  # inode, size, ctime: code can forge mtime but not ctime

_UPLOAD_PREFIX = ".upload-"


class FolderError(Exception):
    """A file cannot be written or read; the message says why."""


class Folder:
    """The session's data folder."""

    def __init__(self, path: str = protocol.DATA_FOLDER) -> None:
        self._root = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._uploads: dict[str, int] = {}

    def write_block(
        self, upload: str, name: str, data: bytes, *, first: bool, last: bool
    ) -> None:
        """Take one block of an upload; the last one puts the file under its name.

        Folders of the name that are not there are made.

        Raises:
            FolderError: the name is no file name, the folder is full, or a folder has
                this name, or a file or link that of one of the folders.
        """
        if not protocol.is_clean_name(name, folders=True):
            raise FolderError("this is not a usable file name")
        try:
            if first:
                self._begin(upload)
            elif upload not in self._uploads:
                raise FolderError("this upload was given up")
            view = memoryview(data)
            while view:
                view = view[os.write(self._uploads[upload], view) :]
            if last:
                self._finish(upload, name)
        except OSError as error:
            self.drop(upload)
            raise FolderError(_in_words(error)) from None

    def drop(self, upload: str) -> None:
        """Forget an upload and its bytes; one that is not there is no error."""
        descriptor = self._uploads.pop(upload, None)
        if descriptor is not None:
            os.close(descriptor)
            self._unlink(_UPLOAD_PREFIX + upload)

    def drop_all(self) -> None:
        """Forget every unfinished upload: whoever sent them is gone."""
        for upload in list(self._uploads):
            self.drop(upload)

    def _begin(self, upload: str) -> None:
        if not upload.isalnum() or len(self._uploads) >= 8:
            raise FolderError("too many uploads at once")
        self._uploads[upload] = os.open(
            _UPLOAD_PREFIX + upload,
            os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
            0o644,
            dir_fd=self._root,
        )

    def _finish(self, upload: str, name: str) -> None:
        *folders, last = name.split("/")
        at = self._open_below(folders, make=True)
        try:
            # rename replaces a link of this name rather than writing through it.
            os.rename(
                _UPLOAD_PREFIX + upload, last, src_dir_fd=self._root, dst_dir_fd=at
            )
        finally:
            os.close(at)
        os.close(self._uploads.pop(upload))

    def _unlink(self, name: str) -> None:
        with contextlib.suppress(OSError):  # the code may have removed it
            os.unlink(name, dir_fd=self._root)

    def read_block(self, name: str, offset: int, length: int) -> tuple[bytes, bool]:
        """Bytes of a regular file from `offset`, and whether the file ends there.

        Raises:
            FolderError: there is no such regular file, or it may not be read.
        """
        if not protocol.is_clean_name(name, folders=True):
            raise FolderError("this is not a usable file name")
        try:
            descriptor = self._open_regular(name)
            try:
                data = os.pread(descriptor, length, offset)
                size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)
        except OSError as error:
            raise FolderError(_in_words(error)) from None
        return data, not data or offset + len(data) >= size

    def _open_regular(self, name: str) -> int:
        *folders, last = name.split("/")
        at = self._open_below(folders)
        try:
            # Without O_NONBLOCK, opening a named pipe would wait for its writer.
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(last, flags, dir_fd=at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FolderError("this is not a regular file")
        return descriptor

    def _open_below(self, folders: list[str], *, make: bool = False) -> int:
        """The innermost of nested folders; with `make`, those missing are made."""
        at = os.dup(self._root)
        for folder in folders:
            try:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, 0o755, dir_fd=at)
                below = _open_folder(folder, at)
            finally:
                os.close(at)
            at = below
        return at

    def stamps(self) -> dict[str, Stamp]:
        """Every regular file with a name that can be shown, up to the listing limit."""
        found: dict[str, Stamp] = {}
        for name, info in self._walk(os.dup(self._root), "", 1):
            if len(found) >= protocol.MAX_LISTED_FILES:
                break
            found[name] = (info.st_ino, info.st_size, info.st_ctime_ns)
        return found

    def _walk(
        self, at: int, prefix: str, depth: int
    ) -> Iterator[tuple[str, os.stat_result]]:
        """Close `at` when done; hidden names and caches are not the model's work."""
        try:
            with os.scandir(at) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "__pycache__":
                        continue
                    if not protocol.is_clean_name(entry.name):
                        continue
                    info = os.stat(entry.name, dir_fd=at, follow_symlinks=False)
                    if stat.S_ISREG(info.st_mode):
                        yield prefix + entry.name, info
                    elif (
                        stat.S_ISDIR(info.st_mode) and depth < protocol.MAX_FOLDER_DEPTH
                    ):
                        below = _open_folder(entry.name, at)
                        yield from self._walk(
                            below, f"{prefix}{entry.name}/", depth + 1
                        )
        except OSError:
            pass  # a folder that may not be read shows nothing
        finally:
            os.close(at)


def _open_folder(name: str, at: int) -> int:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, dir_fd=at)


def _in_words(error: OSError) -> str:
    return (error.strerror or "input or output error").lower()
