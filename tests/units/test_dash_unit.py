"""The dashboard under a real systemd: started by a visit, gone when nobody looks."""

from __future__ import annotations

from tests.systemd_box import Box
from tests.units.test_production import TICKS, active, install, job, rivus_processes

SOCKET, SERVICE = "rivus-dash.socket", "rivus-dash.service"


def visit(box: Box, path: str = "/", *options: str) -> str:
    return box.run("curl", "--silent", "--max-time", "30", *options, f"http://127.0.0.1:8470{path}").stdout


def test_a_visit_starts_the_dashboard_and_nobody_ends_it(house_box: Box) -> None:
    job(house_box)
    install(house_box)
    assert active(house_box, SOCKET) == "active"
    assert active(house_box, SERVICE) == "inactive"
    assert "Ticks" in visit(house_box)
    assert active(house_box, SERVICE) == "active"
    assert visit(house_box, "/job/ticks", "-o", "/dev/null", "-w", "%{http_code}") == "200"
    assert visit(house_box, "/", "-H", "Host: evil.example", "-o", "/dev/null", "-w", "%{http_code}") == "403"
    house_box.run("systemctl", "stop", SERVICE)
    assert "Ticks" in visit(house_box)
    house_box.run("systemctl", "kill", "--signal=KILL", SERVICE)
    house_box.wait_for(lambda: active(house_box, SERVICE) != "active", "its end")
    assert "Ticks" in visit(house_box)


def test_it_is_gone_once_nobody_has_looked_for_a_while(house_box: Box) -> None:
    job(house_box, TICKS.replace("every: 2s", "every: 1h"))
    install(house_box)
    house_box.write(
        "/etc/systemd/system/rivus-dash.service.d/idle.conf",
        "[Service]\nExecStart=\nExecStart=/usr/local/bin/rivus-dash --idle 2s "
        "--jobs /etc/rivus/jobs.d --spool /var/lib/rivus/spool\n",
    )
    house_box.run("systemctl", "daemon-reload")
    assert "Ticks" in visit(house_box)
    house_box.wait_for(lambda: active(house_box, SERVICE) == "inactive", "its end")
    house_box.wait_for(lambda: not rivus_processes(house_box), "an idle machine")
    assert active(house_box, SOCKET) == "active"

