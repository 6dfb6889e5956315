# SPDX-License-Identifier: GPL-2.0-only
"""nginx that does not keep up with its clients: its accept queue is what they wait for."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from expect import has
from netlab import TIMEOUT
from serving import PORT, Counters, every_way, listener_queue, queues, until
from watch import program

BACKLOG = 1
CONNECTIONS = 20  # wrk's

CONFIGURATION = """\
daemon off;
worker_processes 1;
user root;
pid {directory}/pid;
error_log {directory}/error.log;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen {address} backlog={backlog};
        return 200 "served";
    }}
}}
"""


def binary():
    """As `make deps-test` has unpacked it, or one that is installed."""
    unpacked = Path(program()).parent / "nginx" / "usr" / "sbin" / "nginx"
    found = unpacked if unpacked.exists() else shutil.which("nginx")
    return found or pytest.skip("there is no nginx here")


class Nginx:
    """A master and its worker, who share the listener."""

    def __init__(self, netns, directory, way):
        address = f"[{way.raddr}]:{PORT}" if way.family == 6 else f"{way.raddr}:{PORT}"
        path = directory / "nginx.conf"
        path.write_text(CONFIGURATION.format(directory=directory, address=address,
                                             backlog=BACKLOG))
        self._process = subprocess.Popen(netns.command(
            binary(), "-p", directory, "-c", path, "-e", directory / "error.log"))
        self.master = self._process.pid
        children = Path(f"/proc/{self.master}/task/{self.master}/children")
        until(lambda: listener_queue(netns, way) == 0 and children.read_text())
        self.worker = int(children.read_text())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.kill(self.worker, signal.SIGCONT)
        self._process.terminate()
        self._process.wait(TIMEOUT)


@pytest.mark.slow(4)
@every_way
@pytest.mark.parametrize("age", ["older", "younger"])
def test_accept_queue_of_a_worker_that_hangs(lab, watch, tmp_path, way, age):
    if age == "older":
        nginx = lab.server.owns(Nginx(lab.server, tmp_path, way))
    watching = watch()
    if age == "younger":
        nginx = lab.server.owns(Nginx(lab.server, tmp_path, way))
    counters = Counters(lab.server)
    os.kill(nginx.worker, signal.SIGSTOP)

    host = f"[{way.target}]" if way.family == 6 else way.target
    wrk = subprocess.Popen(lab.client.command("wrk", "-t1", f"-c{CONNECTIONS}", "-d3s",
                                              "--timeout", "1s", f"http://{host}:{PORT}/"),
                           stdout=subprocess.PIPE, text=True)
    server = watching.wait_for(role="server", cause="accept_queue_full")
    client = watching.wait_for(type="stall", role="client", cause="dropped_by_peer")
    assert listener_queue(lab.server, way) == BACKLOG + 1
    os.kill(nginx.worker, signal.SIGCONT)
    # From then on it keeps up.
    assert " requests in " in wrk.communicate(timeout=TIMEOUT)[0]

    has(server, netns=lab.server.inode, laddr=way.raddr, lport=PORT, comm="nginx",
        pid=nginx.master)
    assert server["owners"] == 2 or age == "younger", server
    queues(server, backlog=BACKLOG + 1, limit=BACKLOG)
    assert f"the accept queue is full ({BACKLOG + 1} of {BACKLOG})" in server["why"], server
    has(client, comm="wrk", raddr=way.raddr, rport=PORT)
    assert "its accept queue is full" in client["why"], client
    summary = counters.check(watching)
    assert summary["listen_drops"] > 0
    causes = {line["cause"] for line in watching.lines if line.get("role") == "server"}
    assert causes == {"accept_queue_full"}
