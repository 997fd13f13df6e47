"""Files of a session: put, read, and what is told of those that a call has changed."""

import pytest

from sandbox import FileRefused, ProducedFile
from tests.sandbox.harness import Cells

pytestmark = pytest.mark.docker


async def test_files_go_in_and_out_unchanged(cells: Cells) -> None:
    data = bytes(range(256)) * 4000
    await cells.put("データ 'x' \"y\" 📊.bin", data)

    outcome = await cells.run(
        "import os, shutil\nname = os.listdir()[0]\nos.mkdir('d')\n"
        "shutil.copy(name, 'd/copy')\nos.path.getsize(name)"
    )

    assert outcome.logs == f"{len(data)}\n"
    assert outcome.files == [ProducedFile("d/copy", len(data))]
    assert await cells.read("d/copy") == data


async def test_an_empty_file_goes_in_and_out(cells: Cells) -> None:
    await cells.put("empty", b"")

    assert await cells.read("empty") == b""


async def test_only_what_a_call_changed_is_reported(cells: Cells) -> None:
    await cells.run("open('a', 'w').write('1'); open('b', 'w').write('1')")

    outcome = await cells.run("open('b', 'w').write('2'); open('a').read()")

    assert [file.name for file in outcome.files] == ["b"]


async def test_sparse_files_cannot_make_more_output_than_is_kept(cells: Cells) -> None:
    code = "for n in range(8): open(f's{n}', 'wb').truncate(100 << 20)\n"
    code += "open('giant', 'wb').truncate(200 << 20); open('z', 'w').write('1')"

    outcome = await cells.run(code)

    assert [file.name for file in outcome.files] == ["s0", "s1", "z"]
    assert "because larger than 128 MB: giant.]" in outcome.logs
    assert "256 MB of a call are kept; not these: s2, s3, s4, s5, s6 and 1" in (
        outcome.logs
    )


async def test_what_a_call_has_removed_is_named(cells: Cells) -> None:
    await cells.put("out/a", b"1")
    await cells.put("b", b"1")
    await cells.put("c", b"1")

    outcome = await cells.run("import os; os.remove('out/a'); os.rename('b', 'd')")

    assert outcome.gone == ["b", "out/a"]
    assert [file.name for file in outcome.files] == ["d"]


async def test_a_file_put_again_replaces_the_first(cells: Cells) -> None:
    await cells.put("a", b"first")
    await cells.put("a", b"second")

    assert await cells.read("a") == b"second"


async def test_a_name_with_folders_is_put_where_it_was_read(cells: Cells) -> None:
    await cells.run("import os; os.mkdir('out')")

    for name in ("out/x.csv", "new/deep/y.csv"):
        await cells.put(name, b"a\n1\n")

        assert await cells.read(name) == b"a\n1\n"
        assert (await cells.run(f"open({name!r}).read()")).logs == "'a\\n1\\n'\n"


async def test_no_link_or_file_is_taken_for_a_folder(cells: Cells) -> None:
    code = "import os; os.symlink('/tmp', 'link'); open('file', 'w').close()"
    await cells.run(code)

    for name in ("link/x", "file/x"):
        with pytest.raises(FileRefused, match="not a directory"):
            await cells.put(name, b"data")

    code = "sorted(os.listdir()), os.path.exists('/tmp/x')"
    assert (await cells.run(code)).logs == "(['file', 'link'], False)\n"


async def test_a_file_that_cannot_be_put_is_refused(cells: Cells) -> None:
    await cells.run("import os; os.mkdir('folder')")

    for name in ("../b", "a//b", "/b", "..", "nul\x00", "folder"):
        with pytest.raises(FileRefused):
            await cells.put(name, b"data")

    assert (await cells.run("os.listdir()")).logs == "['folder']\n"


async def test_a_file_for_which_there_is_no_room_leaves_nothing(cells: Cells) -> None:
    await cells.run("open('full', 'wb').write(bytes(505 << 20))")

    with pytest.raises(FileRefused, match="no space left"):
        await cells.put("more", bytes(10 << 20))

    assert (await cells.run("import os; os.listdir()")).logs == "['full']\n"


async def test_a_missing_file_is_refused(cells: Cells) -> None:
    with pytest.raises(FileRefused):
        await cells.read("missing")
