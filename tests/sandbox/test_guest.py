"""What a model sees of its code: values, errors, pictures, limits."""

import asyncio

import pytest

from tests.sandbox.harness import Cells

pytestmark = pytest.mark.docker


async def test_state_is_kept_and_the_last_value_is_shown(cells: Cells) -> None:
    await cells.run("x = 20")

    outcome = await cells.run("x += 1\nx * 2")

    assert (outcome.status, outcome.logs) == ("ok", "42\n")
    assert not outcome.variables_lost


async def test_both_streams_and_children_keep_their_order(cells: Cells) -> None:
    code = """
import os, sys
print("one")
print("two", file=sys.stderr)
os.system("echo three")
!echo four
"five"
"""

    outcome = await cells.run(code)

    assert outcome.logs.split() == ["one", "two", "three", "four", "'five'"]


async def test_an_error_is_an_outcome_with_its_traceback(cells: Cells) -> None:
    outcome = await cells.run("def f():\n    return 1 / 0\nf()")

    assert outcome.status == "error"
    assert "return 1 / 0" in outcome.logs
    assert "ZeroDivisionError: division by zero" in outcome.logs
    assert "\x1b" not in outcome.logs


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("def", "SyntaxError"),
        ("input()", "EOFError"),
        ("import sys; sys.exit(1)", "SystemExit"),
        ("open('missing.csv')", "FileNotFoundError"),
    ],
)
async def test_ways_to_fail_keep_the_session(
    cells: Cells, code: str, word: str
) -> None:
    await cells.run("kept = 1")

    outcome = await cells.run(code)

    assert outcome.status == "error"
    assert word in outcome.logs
    assert (await cells.run("kept")).logs == "1\n"


async def test_exit_does_not_end_the_session(cells: Cells) -> None:
    await cells.run("kept = 1")
    await cells.run("exit()")

    assert (await cells.run("kept")).logs == "1\n"


async def test_figures_are_png_and_files_are_named(cells: Cells) -> None:
    code = """
import matplotlib.pyplot as plt, pandas as pd
plt.plot([1, 2]); plt.show()
plt.figure(); plt.bar(["a"], [3])
frame = pd.DataFrame({"a": [1]})
frame.to_csv("out.csv", index=False)
frame.to_excel("out.xlsx")
None
"""

    outcome = await cells.run(code)

    assert outcome.status == "ok", outcome.logs
    assert len(outcome.images) == 2
    assert [file.name for file in outcome.files] == ["out.csv", "out.xlsx"]
    assert await cells.read("out.csv") == b"a\n1\n"


async def test_a_picture_is_shown_as_the_last_value(cells: Cells) -> None:
    outcome = await cells.run("from PIL import Image\nImage.new('RGB', (8, 8))")

    assert len(outcome.images) == 1


async def test_only_so_many_pictures_are_kept(cells: Cells) -> None:
    code = "from PIL import Image\nfor _ in range(30): display(Image.new('L', (1, 1)))"

    outcome = await cells.run(code)

    assert len(outcome.images) == 10
    assert "Only the first 10 images" in outcome.logs


async def test_a_timeout_keeps_the_variables(cells: Cells) -> None:
    await cells.run("kept = 1")

    outcome = await cells.run("while True: pass", timeout_seconds=0.5)

    assert outcome.status == "timeout"
    assert "limit is 0.5 seconds" in outcome.logs
    assert (await cells.run("kept")).logs == "1\n"


async def test_code_that_will_not_stop_loses_its_variables_and_is_told(
    cells: Cells,
) -> None:
    await cells.run("kept = 1")
    code = "import time\nwhile True:\n  try: time.sleep(9)\n  except: pass"

    outcome = await cells.run(code, timeout_seconds=0.5)

    assert outcome.status == "timeout"
    assert outcome.variables_lost
    assert "variables were lost" in outcome.logs
    assert "NameError" in (await cells.run("kept")).logs


async def test_a_call_can_be_interrupted(cells: Cells) -> None:
    running = asyncio.create_task(cells.run("import time; time.sleep(60)"))
    await asyncio.sleep(0.5)

    await cells.client.interrupt(cells.session_id, "call-1")

    outcome = await asyncio.wait_for(running, 10)
    assert outcome.status == "error"
    assert "Stopped on request" in outcome.logs


async def test_too_much_memory_is_an_outcome_and_the_files_stay(
    cells: Cells,
) -> None:
    await cells.put("kept", b"file")

    outcome = await cells.run("x = []\nwhile True: x.append(bytearray(1 << 26))")

    assert outcome.status == "out_of_memory"
    assert outcome.variables_lost
    assert "memory" in outcome.logs
    assert await cells.read("kept") == b"file"


async def test_a_process_that_dies_is_replaced_and_said(cells: Cells) -> None:
    outcome = await cells.run("import os; os.kill(os.getpid(), 11)")

    assert outcome.status == "crashed"
    assert outcome.variables_lost
    assert "SIGSEGV" in outcome.logs
    assert (await cells.run("1")).logs == "1\n"


async def test_a_flood_of_output_is_cut_and_costs_no_time(cells: Cells) -> None:
    outcome = await asyncio.wait_for(cells.run("print('x' * 20_000_000)"), 10)

    assert len(outcome.logs) < 300_000
    assert "more bytes were dropped" in outcome.logs


async def test_nothing_runs_between_calls(cells: Cells) -> None:
    await cells.run(
        "import subprocess, threading, time\n"
        "child = subprocess.Popen(['sleep', '100'])\n"
        "count = 0\n"
        "def tick():\n  global count\n  while True: count += 1; time.sleep(0.01)\n"
        "threading.Thread(target=tick, daemon=True).start()"
    )
    before = int((await cells.run("count")).logs)
    await asyncio.sleep(1)

    outcome = await cells.run("print(count, child.poll())")

    after, child = outcome.logs.split()
    assert int(after) - before < 20
    assert child == "-9"


async def test_a_call_is_answered_from_the_journal_and_not_run_again(
    cells: Cells,
) -> None:
    code = "count = globals().get('count', 0) + 1; count"
    first = await cells.run(code)
    cells.count -= 1

    again = await cells.run(code)

    assert (again.logs, again.replayed) == (first.logs, True)
    assert (await cells.run("count")).logs == "1\n"


async def test_a_module_of_the_session_shadows_nothing_of_ours(cells: Cells) -> None:
    await cells.put("json.py", b"raise SystemExit")
    await cells.put("mine.py", b"value = 7")
    await cells.run("import os; os._exit(0)")

    outcome = await cells.run("import mine; mine.value")

    assert outcome.logs.startswith("7")


async def test_a_forked_child_does_not_speak_for_its_parent(cells: Cells) -> None:
    code = "import os, time\nif os.fork(): time.sleep(1)\nprint('end')"

    outcome = await cells.run(code)

    assert outcome.logs == "end\nend\n"
