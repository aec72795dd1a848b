"""A unit is fenced in as far as its needs leave, and inside that fence everything rivus does works."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rivus.units.hardening import installer, nameservers, worker
from rivus.units.needs import Needs
from tests.systemd_box import Box
from tests.units.houses import SYSTEM, USER, analyze, drop, furnish, units_of

OFFLINE = Needs(network=False)
ONE = "stages: {work: {handler: own.work, timeout: 30s, retry: [], %s}}\n"


def exposure(lines: list[str], most: float, folder: Path) -> bool:
    """Whether `systemd-analyze security` finds the exposure to be at most so much, of 10."""
    unit = folder / "rivus-x.service"
    unit.write_text("\n".join(["[Service]", "ExecStart=/bin/true", *lines]) + "\n")
    command = ("security", "--offline=yes", "--no-pager", f"--threshold={round(most * 10)}", str(unit))
    done = analyze(*command)
    assert "Overall exposure level" in done.stdout, done.stderr
    return done.returncode == 0


@pytest.mark.parametrize(
    ("needs", "most"),
    [
        (Needs(), 1.5),
        (Needs(hosts=("127.0.0.1",), secrets=("token",)), 1.5),
        (Needs(javascript=True, read=("/home/ann",), write=("/srv/out",)), 1.5),
        (OFFLINE, 0.5),
        (replace(OFFLINE, read=("/home/ann",), write=("/srv/out",), secrets=("token",)), 0.5),
    ],
)
def test_the_exposure_is_small(tmp_path: Path, needs: Needs, most: float) -> None:
    assert exposure(worker(SYSTEM, needs, ["192.168.1.1"]), most, tmp_path)


def test_a_service_without_a_fence_is_told_from_one(tmp_path: Path) -> None:
    assert not exposure([], 9, tmp_path)
    assert not exposure([line for line in worker(SYSTEM, OFFLINE) if "Private" not in line], 0.5, tmp_path)


def test_the_exposure_of_every_unit_is_small(tmp_path: Path) -> None:
    handlers = {"fetch": "web.page", "captions": "youtube.captions", "score": "score.keywords"}
    stages = {name: {"handler": handler} for name, handler in handlers.items()}
    units = units_of(tmp_path, j=json.dumps({"stages": stages}))
    limits = dict.fromkeys(units, 0.5)
    limits |= {"rivus-stage@j:fetch.service": 1.5, "rivus-stage@j:captions.service": 1.5, "rivus-units.service": 1.5}
    for name, text in units.items():
        if name.endswith(".service"):
            lines = text.partition("[Service]\n")[2].splitlines()
            assert exposure([line for line in lines if not line.startswith("Exec")], limits[name], tmp_path), name


def test_without_a_network_there_is_not_even_a_socket_for_it() -> None:
    lines = worker(SYSTEM, OFFLINE)
    assert {"PrivateNetwork=yes", "IPAddressDeny=any", "RestrictAddressFamilies=AF_UNIX"} <= set(lines)


def test_private_addresses_are_closed_but_for_name_servers_and_what_the_job_opens() -> None:
    lines = worker(SYSTEM, Needs(hosts=("10.1.0.0/16", "localhost")), ["192.168.1.1"])
    assert "IPAddressAllow=10.1.0.0/16 192.168.1.1 localhost" in lines
    assert any(line.startswith("IPAddressDeny=localhost link-local") for line in lines)
    assert not any(line.startswith("IPAddressAllow") for line in worker(SYSTEM, Needs()))


@pytest.mark.parametrize("host", ["nas.lan", "fe80::1%eth0"])
def test_a_host_that_is_no_address_leaves_the_filter_to_python(host: str) -> None:
    assert not any(line.startswith("IPAddress") for line in worker(SYSTEM, Needs(hosts=(host, "10.0.0.1"))))


def test_only_javascript_may_write_code_and_run_it() -> None:
    assert "MemoryDenyWriteExecute=yes" in worker(SYSTEM, Needs())
    assert "MemoryDenyWriteExecute=no" in worker(SYSTEM, Needs(javascript=True))


def test_nothing_but_the_spool_can_be_written() -> None:
    lines = worker(SYSTEM, Needs())
    assert [line for line in lines if "Paths" in line] == ["ReadWritePaths=-/var/lib/rivus/spool"]
    assert {"ProtectSystem=strict", "ProtectHome=yes"} <= set(lines)


def test_folders_in_homes_are_shown_and_nothing_else_of_the_homes() -> None:
    place = replace(SYSTEM, jobs=Path("/home/ann/jobs.d"), spool=Path("/srv/spool"))
    lines = worker(place, Needs(read=("/root/a", "/srv/b"), write=("/var/tmp/c",)))
    assert [line for line in lines if "Paths" in line or "ProtectHome" in line] == [
        "BindPaths=-/var/tmp/c", "BindReadOnlyPaths=-/home/ann/jobs.d", "BindReadOnlyPaths=-/root/a",
        "ProtectHome=tmpfs", "ReadWritePaths=-/srv/spool",
    ]  # fmt: skip


def test_a_secret_has_an_empty_default() -> None:
    assert worker(SYSTEM, Needs(secrets=("token",)))[-2:] == [
        r"SetCredential=token:\n", "LoadCredential=token:/etc/rivus/credentials/token",
    ]  # fmt: skip


def test_a_users_units_ask_only_for_what_needs_no_privileges() -> None:
    given = {line.partition("=")[0] for line in worker(USER, Needs(secrets=("token",), hosts=("10.0.0.1",)))}
    needing = {"User", "PrivateNetwork", "IPAddressDeny", "ProtectSystem", "CapabilityBoundingSet", "PrivateUsers"}
    assert not given & needing and {"NoNewPrivileges", "SystemCallFilter", "LoadCredential"} <= given
    assert not any("Protect" in line or "Paths" in line for line in installer(USER))


def test_a_hook_that_is_switched_on_gives_all_workers_the_network(tmp_path: Path) -> None:
    (tmp_path / "hooks.d").mkdir()
    (tmp_path / "hooks.d" / "on-failed").touch(0o755)
    units = units_of(tmp_path, replace(SYSTEM, jobs=tmp_path), j="stages: {score: {handler: score.keywords}}\n")
    for name in ("rivus-stage@j:score.service", "rivus-sweep.service", "rivus-failure@.service"):
        assert "PrivateNetwork" not in units[name]
    assert "PrivateNetwork" in units["rivus-units.service"]


def test_name_servers_are_addresses_or_nothing(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    text = "# nameserver 1.1.1.1\nnameserver 127.0.0.53\nsearch lan\nnameserver\t::1 # x\nnameserver evil\n"
    file.write_text(text + "nameserver 1.2.3\nnameserver fe80::1%eth0\n" + "nameserver 9.9.9.9\n" * 9)
    assert nameservers(file) == ["127.0.0.53", "::1", "fe80::1"]
    assert nameservers(tmp_path / "none") == [] and nameservers(tmp_path) == []


FENCED = '''
import mmap, os, socket
NETWORK = False
SECRETS = ("token", "absent")

def tried(action):
    try:
        action()
    except OSError as error:
        return type(error).__name__
    return "done"

def work(item, ctx):
    file, link = ctx.workdir / "a", ctx.workdir / "b"
    file.write_text("x")
    os.link(file, link)
    return {
        "user": os.getuid(), "secret": ctx.secret("token"),
        "absent": os.path.getsize(os.environ["CREDENTIALS_DIRECTORY"] + "/absent"),
        "socket": tried(lambda: socket.socket().connect(("127.0.0.1", item["port"]))),
        "etc": tried(lambda: open("/etc/rivus/x", "w")),
        "credentials": tried(lambda: os.listdir("/etc/rivus/credentials")),
        "home": os.listdir("/root"), "code": tried(lambda: mmap.mmap(-1, 4096, prot=7)),
        "kept": tried(lambda: open("/home/kept/x", "w")), "shown": tried(lambda: os.listdir("/home/shown")),
        "written": tried(lambda: open("/home/shown/x", "w")), "processes": os.path.exists("/proc/1/cmdline"),
    }
'''


def output(box: Box, job: str = "j", stage: str = "work", key: str = "a") -> dict[str, Any]:
    """What the handler gave, as soon as it is there."""
    folder = SYSTEM.spool / job / stage
    box.wait_for(lambda: any(box.names(folder / end) for end in ("done", "failed", "held", "later")), f"{job}:{stage}")
    found = json.loads(box.run("sh", "-c", f"cat {folder}/done/{key}.json || cat {folder}/*/*.json >&2").stdout)
    return dict(found["output"])


def test_a_stage_without_network_works_inside_its_fence(box: Box, tmp_path: Path) -> None:
    sandbox = "sandbox: {read: [/home/shown], write: [/home/kept]}"
    furnish(box, tmp_path, j=ONE % sandbox, own_py=FENCED)
    box.write(SYSTEM.credentials / "token", "s3cret-token\n", "600")
    box.run("sh", "-c", "mkdir /home/shown /home/kept; chown rivus: /home/shown /home/kept")
    box.run("systemctl", "start", "rivus-stage@j:work.path")
    with listening() as port:
        drop(box, SYSTEM.spool / "j/work/ready", "a", port=port)
        found = output(box)
    user = int(box.run("id", "-u", "rivus").stdout)
    assert found == {
        "user": user, "secret": "[secret token]", "absent": 1, "socket": "OSError", "etc": "OSError",
        "credentials": "PermissionError", "home": [], "code": "PermissionError", "kept": "done",
        "shown": "done", "written": "OSError", "processes": False,
    }  # fmt: skip


REACHING = '''
import mmap, socket, subprocess, sys
{javascript}
TRY = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1])), 0.5)"

def work(item, ctx):
    child = subprocess.run([sys.executable, "-c", TRY, str(item["port"])], capture_output=True)
    names = [found[4][0] for found in socket.getaddrinfo("localhost", 80, socket.AF_INET)]
    try:
        mmap.mmap(-1, 4096, prot=7)
        code = True
    except OSError:
        code = False
    return {{"reached": child.returncode == 0, "names": names[:1], "code": code}}
'''


@contextmanager
def listening() -> Iterator[int]:
    """A port of 127.0.0.1, which the machine sees too."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_stage_with_network_reaches_the_private_addresses_that_its_job_opens(box: Box, tmp_path: Path) -> None:
    furnish(
        box,
        tmp_path,
        closed=ONE.replace("own", "closed") % "",
        closed_py=REACHING.format(javascript=""),
        opened="allow_private_hosts: [127.0.0.1]\n" + ONE.replace("own", "opened") % "",
        opened_py=REACHING.format(javascript="JAVASCRIPT = True"),
    )
    with listening() as port:
        for job in ("closed", "opened"):
            drop(box, SYSTEM.spool / job / "work/ready", "a", port=port)
        box.run("systemctl", "start", "rivus-stage@closed:work.path", "rivus-stage@opened:work.path")
        assert output(box, "opened") == {"reached": True, "names": ["127.0.0.1"], "code": True}
        assert output(box, "closed") == {"reached": False, "names": ["127.0.0.1"], "code": False}


def test_a_javascript_runtime_starts_where_it_is_asked_for_and_not_elsewhere(box: Box, tmp_path: Path) -> None:
    if not shutil.which("node", path="/usr/bin:/bin"):
        pytest.skip("needs a node that units can see")
    command = "command: [node, -e, 'console.log(JSON.stringify({sum: 1 + 1}))'], retry: []"
    one = f"stages: {{work: {{{command}, sandbox: {{javascript: %s}}}}}}\n"
    furnish(box, tmp_path, j=one % "true", k=one % "false")
    for job in ("j", "k"):
        drop(box, SYSTEM.spool / job / "work/ready", "a")
    box.run("systemctl", "start", "rivus-stage@j:work.path", "rivus-stage@k:work.path")
    assert output(box) == {"sum": 2}
    work = SYSTEM.spool / "k/work"
    box.wait_for(lambda: any(box.names(work / end) for end in ("failed", "held", "later")), "a failure")


def test_a_stage_that_fails_with_work_left_is_not_started_in_a_tight_circle(box: Box, tmp_path: Path) -> None:
    furnish(box, tmp_path, j=ONE % "", own_py="NETWORK = False\n")
    box.write("/opt/bin/rivus-stage", "#!/bin/sh\nexit 78\n", "755")
    drop(box, SYSTEM.spool / "j/work/ready", "a")
    box.run("systemctl", "start", "rivus-stage@j:work.path")
    box.wait_for(lambda: state(box) == "stop-post", "the pause after a failure")
    assert box.journal("-u", "rivus-stage@j:work.service").count("Starting ") == 1
    box.run("systemctl", "kill", "--signal=KILL", "rivus-stage@j:work.service")
    box.wait_for(lambda: "rivus-failure@rivus-stage@j:work.service.service" in started(box), "the word about it")
    box.wait_for(lambda: state(box) == "stop-post", "the next start")
    assert box.journal("-u", "rivus-stage@j:work.service").count("Starting ") == 2


def test_a_stage_that_ends_well_makes_no_pause(box: Box, tmp_path: Path) -> None:
    furnish(box, tmp_path, j=ONE % "", own_py="NETWORK = False\ndef work(item, ctx): return {'x': 1}\n")
    box.run("systemctl", "start", "rivus-stage@j:work.path")
    for key in ("a", "b"):
        drop(box, SYSTEM.spool / "j/work/ready", key)
        box.wait_for(lambda: not box.names(SYSTEM.spool / "j/work/ready") and state(box) == "dead", key, seconds=10)
    assert box.names(SYSTEM.spool / "j/work/done") == ["a.json", "b.json"]


def test_sweep_and_check_up_work_inside_their_fence(box: Box, tmp_path: Path) -> None:
    furnish(box, tmp_path, j=ONE % "", own_py="NETWORK = False\n")
    later = SYSTEM.spool / "j/work/later"
    drop(box, later, "a")
    box.run("systemctl", "start", "rivus-sweep.service")
    assert box.names(SYSTEM.spool / "j/work/ready") == ["a.json"]
    box.run("systemctl", "mask", "--runtime", "rivus-units.service")
    box.run("systemctl", "start", "rivus-doctor.service")
    assert "Result=success" in box.run("systemctl", "show", "-pResult", "rivus-doctor.service").stdout


def state(box: Box) -> str:
    return box.run("systemctl", "show", "-P", "SubState", "rivus-stage@j:work.service").stdout.strip()


def started(box: Box) -> str:
    return box.journal("-u", "rivus-failure@*", "-o", "json", "--output-fields=UNIT")
