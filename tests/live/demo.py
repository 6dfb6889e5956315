#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""synwatch judging four connections, staged in throwaway namespaces.

Takes some ten seconds, touches nothing outside its namespaces and leaves
nothing behind.
"""

import os
import signal
import sys
import textwrap

from netlab import V4, Lab
from watch import TerminalWatch, program

COLUMNS = 80
LINEAR = "net.ipv4.tcp_syn_linear_timeouts"


class Screen(TerminalWatch):
    """What synwatch writes to its terminal, passed on to ours."""

    def received(self, data):
        say(data.decode(errors="replace").replace("\r\n", "\n"))


def main():
    if os.geteuid() != 0:
        sys.exit("the demo needs root: it loads BPF programs and makes network namespaces")
    if not os.access(program(), os.X_OK):
        sys.exit(f"there is no {program()}: run make first")
    # Ended by a signal, the namespaces still have to go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with Lab() as lab:
        stage(lab)


def stage(lab):
    # A short budget: 7 s instead of over two minutes until the kernel gives up.
    lab.client.sysctl("net.ipv4.tcp_syn_retries", 2)
    if lab.client.has_sysctl(LINEAR):
        lab.client.sysctl(LINEAR, 0)
    lab.server.listen(80)
    lab.server.iptables("-I INPUT -p tcp --dport 81 -j REJECT --reject-with tcp-reset")
    lab.server.iptables("-I INPUT -p tcp --dport 82 -j REJECT")
    lab.server.iptables("-I INPUT -p tcp --dport 83 -j DROP")
    agent = lab.client.agent()

    options = ["--netns", lab.client.path]
    if not sys.stdout.isatty():
        options.append("--no-color")
    screen = Screen(options, columns())
    try:
        screen.attached()
        caption("Port 80 listens. A healthy handshake is only counted.")
        agent.connect(V4.target, 80, name="healthy")
        caption("Port 81 resets: iptables -j REJECT --reject-with tcp-reset.")
        agent.connect(V4.target, 81, name="reset")
        screen.wait_for(rb"refused(.|\n)*refuses\s+it")
        caption("Port 82 rejects with ICMP: iptables -j REJECT. The application gets the same "
                "errno as before. Between two namespaces the first ICMP error finds the socket "
                "busy, so it takes one retry.")
        agent.connect(V4.target, 82, name="rejected")
        screen.wait_for(rb"rejected(.|\n)*refuses\s+it")
        caption("Port 83 drops silently: iptables -j DROP. tcp_syn_retries is 2 here, so the "
                "kernel gives up after 7 s.")
        agent.connect(V4.target, 83, name="dropped")
        screen.wait_for(rb"timed.out(.|\n)*used\s+up")
        caption("And Ctrl-C.")
        screen.stop()
    finally:
        screen.close()


def columns():
    return os.get_terminal_size(sys.stdout.fileno()).columns if sys.stdout.isatty() else COLUMNS


def caption(text):
    lines = textwrap.wrap(text, COLUMNS, initial_indent="# ", subsequent_indent="# ")
    say("\n" + "\n".join(lines) + "\n")


def say(text):
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    main()
