"""Code that tries to get out, or to take more than its share."""

import asyncio

import pytest

from sandbox import FileRefused
from sandbox.docker_client import Docker
from tests.sandbox.harness import Cells

pytestmark = pytest.mark.docker

# Makes a system call by its number, so that no wrapper of a library stands between.
CALL = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    return -ctypes.get_errno() if libc.syscall(*arguments) < 0 else "WENT THROUGH"
"""


async def _is_refused(cells: Cells, code: str) -> None:
    """The code prints REFUSED for an OSError, or the answer of a bare system call."""
    outcome = await cells.run(
        CALL
        + f"__import__('shutil').copy('/bin/ls', '/mnt/data/ls')\ntry:\n    print({code})\nexcept OSError: print('REFUSED')"
    )
    assert outcome.logs.strip() in ("REFUSED", "-1", "-38"), outcome.logs


@pytest.mark.parametrize(
    "code",
    [
        "__import__('socket').create_connection(('1.1.1.1', 53), 2)",
        "__import__('socket').create_connection(('172.17.0.1', 22), 2)",
        "__import__('socket').getaddrinfo('example.org', 80)",
        "__import__('socket').socket(40, 1)",  # AF_VSOCK: not covered by network none
        "__import__('socket').socket(16, 3)",  # AF_NETLINK
        "__import__('socket').socket(17, 3)",  # AF_PACKET
        "__import__('socket').socket(38, 5)",  # AF_ALG
    ],
)
async def test_there_is_no_way_to_a_network(cells: Cells, code: str) -> None:
    await _is_refused(cells, code)


@pytest.mark.parametrize(
    "path",
    [
        "/x",
        "/etc/x",
        "/opt/sandbox/guest/sandbox/guest/worker.py",
        "/usr/bin/x",
        "/sys/x",
        "/proc/sys/kernel/core_pattern",
        "/proc/sysrq-trigger",
        "/dev/sda",
        "/dev/kmsg",
        "/proc/1/mem",
        "/proc/1/oom_score_adj",
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    ],
)
async def test_nothing_but_its_own_folders_can_be_written(
    cells: Cells, path: str
) -> None:
    await _is_refused(cells, f"open({path!r}, 'w').write('x')")


@pytest.mark.parametrize(
    "code",
    [
        "os.listdir('/proc/1/fd')",  # the way to the host
        "open('/proc/1/environ').read()",
        "open('/proc/1/mem', 'rb').read(1)",
        "os.readlink('/proc/1/exe')",
        "open('/proc/kcore', 'rb').read(1)",
        "open('/etc/shadow').read()",
        "os.listdir('/root')",
        "os.setuid(0)",
        "os.setgroups([0])",
        "os.chroot('/tmp')",
        "os.mknod('/tmp/sda', 0o60600, os.makedev(8, 0))",
        "os.chown('/mnt/data', 0, 0)",
        "os.posix_spawn('/mnt/data/ls', ['ls'], {})",
        "__import__('resource').prlimit(1, 7, (0, 0))",
    ],
)
async def test_what_is_not_its_own_is_out_of_reach(cells: Cells, code: str) -> None:
    await _is_refused(cells, code)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("ptrace", "101, 16, 1, 0, 0"),
        ("process_vm_readv", "310, 1, 0, 0, 0, 0, 0"),
        ("mount", "165, b'none', b'/tmp', b'tmpfs', 0, 0"),
        ("umount2", "166, b'/mnt/data', 0"),
        ("pivot_root", "155, b'/tmp', b'/tmp'"),
        ("unshare", "272, 0x10000000"),
        ("setns", "308, 3, 0"),
        ("clone with a new namespace", "56, 0x10000011, 0, 0, 0, 0"),
        ("clone3", "435, 0, 0"),
        ("bpf", "321, 0, 0, 0"),
        ("perf_event_open", "298, 0, 0, -1, -1, 0"),
        ("io_uring_setup", "425, 8, 0"),
        ("userfaultfd", "323, 0"),
        ("keyctl", "250, 0, -3, 0"),
        ("add_key", "248, 0, 0, 0, 0, 0"),
        ("pidfd_getfd", "438, 0, 0, 0"),
        ("init_module", "175, 0, 0, 0"),
        ("reboot", "169, 0, 0, 0, 0"),
        ("swapon", "167, b'/tmp', 0"),
        ("open_by_handle_at", "304, 0, 0, 0"),
        ("kexec_load", "246, 0, 0, 0, 0"),
        ("personality", "135, 0x0040000"),
        ("quotactl", "179, 0, 0, 0, 0"),
    ],
)
async def test_a_dangerous_system_call_is_not_there(
    cells: Cells, name: str, arguments: str
) -> None:
    machine = (await cells.run("import platform; platform.machine()")).logs.strip()
    if machine != "'x86_64'":
        pytest.skip("the numbers are those of x86_64")

    await _is_refused(cells, f"call({arguments})")


async def test_process_one_takes_no_signal_from_inside(cells: Cells) -> None:
    outcome = await cells.run(
        "import os\n"
        "for number in range(1, 65):\n"
        "    try: os.kill(1, number)\n"
        "    except OSError: pass\n"
        "'alive'"
    )

    assert outcome.logs == "'alive'\n"
    assert (await cells.run("1")).status == "ok"


async def test_killing_everything_leaves_a_session_that_works(cells: Cells) -> None:
    outcome = await cells.run(
        "import os; os.system('sleep 9 &'); os.kill(-1, 9); os._exit(1)"
    )

    assert outcome.variables_lost
    assert (await cells.run("1")).logs == "1\n"


async def test_a_fork_bomb_is_held_and_cleared_away(cells: Cells) -> None:
    bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass"

    outcome = await asyncio.wait_for(cells.run(bomb, timeout_seconds=1), 30)

    assert outcome.status in ("timeout", "out_of_memory")
    left = await cells.run(
        "import os; len([p for p in os.listdir('/proc') if p.isdigit()])"
    )
    assert int(left.logs.split()[-1]) <= 3


async def test_no_program_is_setuid(cells: Cells) -> None:
    outcome = await cells.run("!find / -xdev -perm /6000 -type f 2>/dev/null")

    assert outcome.logs == ""


async def test_no_secret_is_in_the_environment(cells: Cells) -> None:
    outcome = await cells.run("import os; sorted(os.environ)")

    assert "TOKEN" not in outcome.logs and "DOCKER" not in outcome.logs


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("open('/mnt/data/x', 'wb').write(bytes(600 << 20))", "o"),
        ("open('/tmp/x', 'wb').write(bytes(70 << 20))", "No space left"),
        ("open('/mnt/data/x', 'wb').truncate(1 << 40)", "File too large"),
        ("[open('/dev/null') for _ in range(5000)]", "Too many open files"),
    ],
)
async def test_disk_and_descriptors_have_an_end(
    cells: Cells, code: str, word: str
) -> None:
    outcome = await cells.run(code)

    assert outcome.status in ("error", "out_of_memory")
    assert word in outcome.logs
    assert (await cells.run("1")).status == "ok"


async def test_links_and_pipes_lead_nowhere(cells: Cells) -> None:
    await cells.run(
        "import os\n"
        "os.symlink('/etc/passwd', 'passwd')\n"
        "os.symlink('/etc', 'etc')\n"
        "os.mkfifo('pipe')\n"
        "os.mkdir('d'); os.symlink('/proc/1', 'd/one')"
    )

    for name in ("passwd", "etc/passwd", "pipe", "d/one/environ", "../../etc/passwd"):
        with pytest.raises(FileRefused):
            await asyncio.wait_for(cells.read(name), 5)


async def test_a_file_put_over_a_link_replaces_the_link(cells: Cells) -> None:
    await cells.run(
        "import os; open('/tmp/t', 'w').write('old'); os.symlink('/tmp/t', 'a')"
    )

    await cells.put("a", b"new")

    assert (await cells.run("open('/tmp/t').read()")).logs == "'old'\n"
    assert await cells.read("a") == b"new"


async def test_odd_names_and_trees_are_left_out_and_harm_nothing(
    cells: Cells,
) -> None:
    outcome = await cells.run(
        "import os\n"
        "open('new\\nline', 'w').write('x'); open(b'\\xff', 'w').write('x')\n"
        "for _ in range(60):\n"
        "    os.mkdir('deep'); os.chdir('deep')\n"
        "open('far', 'w').write('x')\n"
        "os.chdir('/mnt/data'); open('ok', 'w').write('x')\n"
        "for n in range(3000): open(f'many{n}', 'w').close()"
    )

    assert outcome.status == "ok"
    assert len(outcome.files) == 64
    assert "Only 64 files" in outcome.logs


async def test_a_worker_that_lies_is_replaced(cells: Cells) -> None:
    """Descriptor 4 is the worker's own; what it says there is believed by nobody."""
    lies = [
        "os.write(4, b'garbage\\n' * 100)",
        'os.write(4, b\'{"kind":"image","data":"PHN2Zz4="}\\n\')',
        'os.write(4, b\'{"kind":"image","data":{"a":1}}\\n{"kind":7}\\n[]\\n\')',
        "os.close(4)",
        "os.closerange(0, 100)",
        "[os.write(4, b'x' * 65536) for _ in range(200)]",
    ]
    for lie in lies:
        outcome = await asyncio.wait_for(cells.run(f"import os; {lie}"), 20)
        assert outcome.images == []
        assert (await cells.run("1")).logs.endswith("1\n")


async def test_saying_done_early_stops_the_code(cells: Cells) -> None:
    outcome = await cells.run(
        "import os, time\n"
        'os.write(4, b\'{"kind":"done","error":false}\\n\')\n'
        "time.sleep(0.5); open('later', 'w').write('x')"
    )

    assert outcome.files == []


async def test_the_engine_itself_sees_every_restriction(
    cells: Cells, docker: Docker
) -> None:
    info = await docker.inspect_container(cells.session.epoch)

    host = info["HostConfig"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["Memory"] == host["MemorySwap"] == 1 << 30
    assert host["PidsLimit"] == 128
    assert host["LogConfig"]["Type"] == "none"
    assert host["IpcMode"] == "private"
    assert not host["Binds"] and not host["Privileged"]
    assert info["Config"]["User"] == "65534:65534"
