"""The demo's processes on a slow machine: their time limits, and what is reported when they take longer."""

import sys
from pathlib import Path

import pytest

from demo import processes
from demo.processes import Ports, ServerNotStarted, ServerProcess, Servers, seconds_to_start


@pytest.mark.parametrize(("load", "seconds"), [(0.1, 60), (4, 60), (12, 180), (400, 600)])
def test_busy_machine_gets_more_time(monkeypatch: pytest.MonkeyPatch, load: float, seconds: float) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, load, load))
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    assert seconds_to_start() == seconds


def test_silent_process_is_reported_with_time_and_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "seconds_to_start", lambda: 0.3)
    silent = [sys.executable, "-c", "import time; time.sleep(60)"]
    part = ServerProcess(
        "The part", silent[1:], environment={}, answers_at="http://127.0.0.1:9/", log=tmp_path / "part.log"
    )
    part.start()
    try:
        with pytest.raises(ServerNotStarted) as told:
            part.wait_until_ready()
    finally:
        part.kill()

    assert "The part does not answer at http://127.0.0.1:9/ after 0 seconds" in str(told.value)
    assert "a load of" in str(told.value)
    assert "part.log is empty" in str(told.value)


def test_configured_ports_are_used(tmp_path: Path) -> None:
    servers = Servers(dialect="reference", log_folder=tmp_path, ports=Ports(site=18_765, light=18_766))

    assert (servers.site_url, servers.light_url) == ("http://127.0.0.1:18765", "http://127.0.0.1:18766")
