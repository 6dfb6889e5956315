# SPDX-License-Identifier: GPL-2.0-only
"""What is claimed where the kernel lacks a hook: less.

synwatch decides by the kernel's BTF what there is to attach to. It gets to see
one in which a tracepoint has another name.
"""

import stat
from pathlib import Path

import pytest

import watch as watch_module
from expect import client_of, has, needs, tells_of
from netlab import V4, V6
from outside import V4 as OUTSIDE_V4
from outside import Outside, answer
from serving import Counters, fill, of_server

PORT = 80

BTF = Path("/sys/kernel/btf/vmlinux")

# What is no tracepoint's name.
FUNCTIONS = "nf_ct_attach",

every_way = pytest.mark.parametrize("way", [V4, V6])


@pytest.fixture
def without(tmp_path, monkeypatch, watch):
    """without(hooks, *options): a watch on a kernel that does not have these. stand_in:
    it may have what takes their place."""
    def start(hooks, *options, stand_in=False):
        btf = BTF.read_bytes()
        for hook in hooks:
            prefix = "" if hook in FUNCTIONS else "btf_trace_"
            name = f"\0{prefix}{hook}\0".encode()
            assert btf.count(name) <= 1, f"more than one {hook} to take away"
            btf = btf.replace(name, name[:-2] + b"?\0")
        doctored = tmp_path / "vmlinux"
        doctored.write_bytes(btf)
        wrapper = tmp_path / "synwatch"
        wrapper.write_text(
            "#!/bin/sh\n"
            'exec unshare --mount sh -c \'mount --bind "$0" "$1" && shift && exec "$@"\' '
            f'"{doctored}" "{BTF}" "{watch_module.program()}" "$@"\n')
        wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("SYNWATCH", str(wrapper))
        watching = watch(*options)
        for hook in hooks:
            missing = watching.session["hooks"][hook]
            assert missing == "this kernel does not have it" or (stand_in and missing is True)
        return watching

    return start


SILENT = {
    "dropped_by_peer": ("server", f"INPUT -p tcp --dport {PORT} -j DROP"),
    "reply_dropped_on_input": ("client", f"INPUT -p tcp --sport {PORT} -j DROP"),
    "reply_dropped_on_path": ("server", f"OUTPUT -p tcp --sport {PORT} -j DROP"),
}


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("cause", SILENT)
def test_without_drops_it_is_no_answer(lab, agent, without, way, cause):
    where, rule = SILENT[cause]
    lab.server.listen(PORT)
    getattr(lab, where).iptables(f"-I {rule}", way)
    watching = without(["kfree_skb"], "--role", "client")
    agent.start_connect(way.target, PORT)
    stall = watching.wait_for(type="stall")
    agent.kill()
    end = watching.wait_for(type="end")
    for line in stall, end:
        has(line, **client_of(agent, lab, way, PORT), id=end["id"], cause="no_answer", drop=None)
        assert "no answer" in line["why"], line


@pytest.mark.slow(1)
@every_way
def test_without_drops_the_result_of_a_retry_still_tells(lab, agent, without, way):
    """6.17+; before, nothing does."""
    lab.client.iptables(f"-I OUTPUT -p tcp --dport {PORT} -j DROP", way)
    watching = without(["kfree_skb"])
    agent.start_connect(way.target, PORT)
    stall = watching.wait_for(type="stall")
    has(stall, **client_of(agent, lab, way, PORT), drop=None, syn_retransmits=0)
    if stall["cause"] != "no_answer":
        has(stall, cause="dropped_on_output", syn_sent=0, syn_unsent=1)
        assert "the last retry did not leave this host (EPERM)" in stall["why"], stall


@pytest.mark.slow(1)
@pytest.mark.parametrize("hooks, cause", [
    (["tcp_send_reset"], "bad_answer"),
    (["kfree_skb"], "bad_answer"),
    (["tcp_send_reset", "kfree_skb"], "no_answer"),
])
def test_bad_answer_needs_one_of_its_two_witnesses(lab, agent, without, hooks, cause):
    outside = lab.client.owns(Outside(lab.client))
    watching = without(hooks)
    agent.connect(OUTSIDE_V4.target, PORT, blocking=False)
    outside.send(answer(outside.syn(PORT), "SA", ack=7))
    has(watching.wait_for(type="stall"), cause=cause, raddr=OUTSIDE_V4.raddr)


@pytest.mark.core("v4")
@every_way
def test_without_resets_a_refusal_is_not_called_one(lab, agent, without, way):
    """Nor a rejection: the errno is the same, but what brought it was not seen."""
    watching = without(["tcp_receive_reset"], "--role", "client")
    assert agent.connect(way.target, PORT)["errno"] == "ECONNREFUSED"
    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, way, PORT), verdict="unknown", errno="ECONNREFUSED",
        icmp=None)
    assert end["cause"] not in ("rst", "icmp"), end


@pytest.mark.core
def test_without_cookies_the_inode_number_is_the_identity(lab, agent, watch):
    watching = watch()
    if tells_of(watching, "get_socket_cookie"):
        pytest.skip("this kernel has get_socket_cookie")
    agent.connect("203.0.113.1", PORT)
    own = {entry.stat().st_ino for entry in Path(f"/proc/{agent.pid}/fd").iterdir()}
    end = watching.wait_for(type="end", pid=agent.pid)
    assert int(end["id"].partition(":")[0], 16) in own, (end, own)


@pytest.mark.core
def test_without_icmp_a_rejection_is_no_more_than_a_drop(lab, agent, without):
    """Before 6.11 fentry programs stand in for icmp_send; these need nf_ct_attach."""
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j REJECT")
    watching = without(["icmp_send", "nf_ct_attach"], "--role", "server")
    needs(watching, "kfree_skb")
    agent.start_connect(V4.target, PORT)
    end = watching.wait_for(type="end")
    has(end, verdict="ignored", cause="netfilter", icmp=None)
    assert "(a REJECT would look the same)" in end["why"], end


@pytest.mark.core
def test_without_its_tracepoint_a_rejection_is_seen_at_the_entry(lab, agent, without):
    lab.server.iptables(f"-I INPUT -p tcp --dport {PORT} -j REJECT")
    watching = without(["icmp_send"], "--role", "server", stand_in=True)
    needs(watching, "kfree_skb", "icmp_send")
    agent.start_connect(V4.target, PORT)
    end = watching.wait_for(type="end")
    has(end, verdict="rejected", cause="netfilter")
    has(end["icmp"], type=3, code=3)


@pytest.mark.slow(1)
@every_way
def test_without_consumed_ones_nobody_is_named_who_was_ignored(lab, agent, without, way):
    """That somebody was, the listener itself has counted."""
    server = lab.server.agent()
    server.call("listen", address=way.raddr, port=PORT, backlog=0)
    fill(lab.client.agent(), lab, way, 1)
    watching = without(["consume_skb"], "--role", "server")
    counters = Counters(lab.server)
    agent.start_connect(way.target, PORT)
    crowd = watching.wait_for(type="crowd")
    has(crowd, cause="accept_queue_full", pid=server.pid, lport=PORT, half_open=0, dropped=0)
    agent.kill()
    counters.check(watching)
    assert of_server(watching) == []
