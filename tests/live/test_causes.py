# SPDX-License-Identifier: GPL-2.0-only
"""Where the SYN or its answer died, and the evidence for it: one hop, both ends on this host."""

import ctypes
import socket
import struct

import pytest

import bpfdrop
from expect import client_of, dropped, has, needs, on_wire, tells_of
from netlab import V4, V6

pytestmark = pytest.mark.role("client")

PORT = 80

RETRIES = "net.ipv4.tcp_syn_retries"
SO_ATTACH_FILTER = 26

# iptables is nftables underneath, and freed there since 6.7; before, in its caller.
NETFILTER = "nft_do_chain", "nf_hook_slow"

every_way = pytest.mark.parametrize("way", [V4, V6])


@pytest.fixture(autouse=True)
def brief(lab):
    """The kernel gives up after 3 s: one SYN at 0 s, one at 1 s, and on 6.5+ one at 2 s."""
    lab.client.sysctl(RETRIES, 1)


def hangs(lab, agent, watching, way, cause, *words):
    """Connects until the kernel gives up. Every line of it, and the SYNs that arrived."""
    wire = lab.server.sniff()
    assert agent.connect(way.target, PORT)["errno"] == "ETIMEDOUT"
    end = watching.wait_for(type="end", role="client")
    assert watching.of_type("loss") == []
    lines = [line for line in watching.lines if line["role"] == "client"]
    assert len(lines) > 1, lines
    for line in lines:
        has(line, **client_of(agent, lab, way, PORT), id=end["id"], cause=cause, icmp=None,
            closer=None)
        for word in words:
            assert word in line["why"], line
    has(end, verdict="timed_out", errno="ETIMEDOUT")
    return lines, wire.syns(PORT)


def all_sent(lines, syns):
    """Each SYN arrived, and was counted when it left."""
    stalls, end = lines[:-1], lines[-1]
    assert [stall["syn_sent"] for stall in stalls] == list(range(2, len(syns) + 1))
    for line in lines:
        has(line, **on_wire(syns[0]), syn_unsent=0, syn_retransmits=line["syn_sent"] - 1)
    has(end, syn_sent=len(syns))


def none_sent(lines, syns):
    assert not syns
    for line in lines:
        has(line, syn_sent=0, syn_retransmits=0)
    unsent = [line["syn_unsent"] for line in lines]
    assert unsent == sorted(unsent)
    has(lines[-1], syn_unsent=lines[0]["retry_limit"])  # retries; the first SYN is none


ARRIVAL = f"-p tcp --dport {PORT} -j DROP"
REPLY = f"-p tcp --sport {PORT} -j DROP"
BY_PEER = "in namespace", "of this host, drops it on arrival"
ON_INPUT = "answered, but this host drops the answer",


# where, rule, cause, words
SILENT = {
    "input": ("server", f"INPUT {ARRIVAL}", "dropped_by_peer", BY_PEER),
    "raw": ("server", f"PREROUTING -t raw {ARRIVAL}", "dropped_by_peer", BY_PEER),
    "mangle": ("server", f"PREROUTING -t mangle {ARRIVAL}", "dropped_by_peer", BY_PEER),
    "reply-input": ("client", f"INPUT {REPLY}", "reply_dropped_on_input", ON_INPUT),
    "reply-raw": ("client", f"PREROUTING -t raw {REPLY}", "reply_dropped_on_input", ON_INPUT),
    "reply-output": ("server", f"OUTPUT {REPLY}", "reply_dropped_on_path",
                     ("answered, but namespace", "of this host drops the answer")),
}


@pytest.mark.core("input-v4", "reply-input-v6")
@pytest.mark.slow(3)
@every_way
@pytest.mark.parametrize("case", SILENT)
def test_firewall_that_drops_in_silence(lab, agent, watch, way, case):
    where, rule, cause, words = SILENT[case]
    netns = getattr(lab, where)
    lab.server.listen(PORT)
    netns.iptables(f"-I {rule}", way)
    watching = watch()
    needs(watching, "kfree_skb")

    lines, syns = hangs(lab, agent, watching, way, cause, "NETFILTER_DROP", *words)

    all_sent(lines, syns)
    for line in lines:
        dropped(line, netns, "NETFILTER_DROP", *NETFILTER)


@pytest.mark.core("v4")
@pytest.mark.slow(3)
@every_way
def test_dropped_on_output(lab, agent, watch, way):
    lab.client.iptables(f"-I OUTPUT {ARRIVAL}", way)
    watching = watch()
    needs(watching, "kfree_skb")

    lines, syns = hangs(lab, agent, watching, way, "dropped_on_output", "no SYN sent",
                        "this host drops it on the way out: NETFILTER_DROP")

    none_sent(lines, syns)
    for line in lines:
        dropped(line, lab.client, "NETFILTER_DROP", *NETFILTER)


# The same through the two other front ends of netfilter.
NFT = {
    "output": ("client", "dropped_on_output"),
    "input": ("server", "dropped_by_peer"),
}


@pytest.mark.slow(3)
@pytest.mark.parametrize("hook", NFT)
def test_nftables_names_its_place(lab, agent, watch, hook):
    where, cause = NFT[hook]
    netns = getattr(lab, where)
    for command in ("table inet wall",
                    f"chain inet wall c {{ type filter hook {hook} priority 0; }}",
                    f"rule inet wall c tcp dport {PORT} drop"):
        netns.run("nft", "add", *command.split())
    watching = watch()
    needs(watching, "kfree_skb")
    lines, _ = hangs(lab, agent, watching, V4, cause, "NETFILTER_DROP in n")
    for line in lines:
        dropped(line, netns, "NETFILTER_DROP", *NETFILTER)


@pytest.mark.slow(3)
@every_way
def test_legacy_iptables_names_its_place(lab, agent, watch, way):
    command = "iptables-legacy" if way is V4 else "ip6tables-legacy"
    lab.server.run(command, "-w", "-I", "INPUT", *ARRIVAL.split())
    watching = watch()
    needs(watching, "kfree_skb")
    lines, syns = hangs(lab, agent, watching, way, "dropped_by_peer",
                        "NETFILTER_DROP in nf_hook_slow")
    all_sent(lines, syns)
    for line in lines:
        dropped(line, lab.server, "NETFILTER_DROP", "nf_hook_slow")


@pytest.mark.slow(3)
@every_way
def test_cgroup_program_on_the_way_out(lab, agent, watch, cgroup, way):
    (cgroup / "child" / "cgroup.procs").write_text(str(agent.pid))
    watching = watch()
    needs(watching, "kfree_skb")
    with bpfdrop.refusing_cgroup(cgroup, bpfdrop.EGRESS[way.family]):
        lines, syns = hangs(lab, agent, watching, way, "dropped_on_output", "no SYN sent",
                            "this host drops it on the way out: BPF_CGROUP_EGRESS")
    agent.kill()  # a cgroup with a process in it cannot be removed
    none_sent(lines, syns)
    for line in lines:
        dropped(line, lab.client, "BPF_CGROUP_EGRESS")


@pytest.mark.slow(3)
@every_way
def test_queue_that_is_full(lab, agent, watch, way):
    """A bucket too small for any SYN: the queueing discipline drops, the firewall does not."""
    lab.client.run("tc", "qdisc", "add", "dev", lab.client.DEVICE, "root", "tbf", "rate", "8kbit",
                   "burst", "10", "limit", "1")
    watching = watch()
    needs(watching, "kfree_skb")

    wire = lab.server.sniff()
    agent.start_connect(way.target, PORT)
    stall = watching.wait_for(type="stall")
    agent.kill()
    end = watching.wait_for(type="end")

    assert not wire.syns(PORT)
    for line in stall, end:
        has(line, **client_of(agent, lab, way, PORT), cause="dropped_on_output", syn_sent=0,
            syn_retransmits=0)
        assert line["drop"]["reason"].startswith("QDISC_"), line
        dropped(line, lab.client, line["drop"]["reason"])
    assert stall["syn_unsent"] >= 1
    has(end, verdict="abandoned", id=stall["id"])


# where, direction, cause
TC = {
    "egress": ("client", bpfdrop.TC_EGRESS, "TC_EGRESS", "dropped_on_output"),
    "ingress": ("server", bpfdrop.TC_INGRESS, "TC_INGRESS", "dropped_by_peer"),
    "reply-ingress": ("client", bpfdrop.TC_INGRESS, "TC_INGRESS", "reply_dropped_on_input"),
    "reply-egress": ("server", bpfdrop.TC_EGRESS, "TC_EGRESS", "reply_dropped_on_path"),
}


@pytest.mark.slow(1)
@every_way
@pytest.mark.parametrize("case", TC)
def test_bpf_program_on_a_device(lab, agent, watch, way, case):
    """Before IP has had it a segment still has the socket that sent it, wherever it is."""
    where, direction, reason, cause = TC[case]
    netns = getattr(lab, where)
    lab.server.listen(PORT)
    bpfdrop.refuse_device(netns, netns.DEVICE, direction)
    watching = watch()
    needs(watching, "kfree_skb")

    agent.start_connect(way.target, PORT)
    stall = watching.wait_for(type="stall")
    agent.kill()
    end = watching.wait_for(type="end")

    for line in stall, end:
        has(line, **client_of(agent, lab, way, PORT), id=end["id"], cause=cause)
        dropped(line, netns, reason)
        assert reason in line["why"], line
    if case == "egress":
        has(stall, syn_sent=0, syn_unsent=1)
    else:
        has(stall, syn_sent=2, syn_unsent=0)


@pytest.mark.slow(3)
@every_way
def test_stale_hardware_address_proves_nothing(lab, agent, watch, way):
    """Whoever else gets a frame throws it away, which is no fault of theirs, and it has left."""
    device = lab.client.DEVICE
    lab.client.ip(f"neigh replace {way.raddr} lladdr 02:00:00:00:00:99 dev {device} nud permanent")
    watching = watch()
    lines, syns = hangs(lab, agent, watching, way, "no_answer")
    all_sent(lines, syns)
    for line in lines:
        has(line, drop=None)


@pytest.mark.slow(3)
def test_reverse_path_filter(lab, agent, watch):
    """IPv4 only: IPv6 has none but a netfilter match."""
    lab.server.ip(f"route add blackhole {V4.laddr}/32")
    lab.server.sysctl("net.ipv4.conf.all.rp_filter", 1)
    watching = watch()
    needs(watching, "kfree_skb")
    lines, syns = hangs(lab, agent, watching, V4, "dropped_by_peer", "IP_RPFILTER", *BY_PEER)
    all_sent(lines, syns)
    for line in lines:
        dropped(line, lab.server, "IP_RPFILTER")


@pytest.mark.slow(3)
@every_way
def test_ipsec_policy_of_the_peer(lab, agent, watch, way):
    lab.server.listen(PORT)
    lab.server.run("ip", "xfrm", "policy", "add", "src", way.laddr, "dst", way.raddr,
                   "dir", "in", "action", "block")
    watching = watch()
    needs(watching, "kfree_skb")
    lines, syns = hangs(lab, agent, watching, way, "dropped_by_peer", "XFRM_POLICY", *BY_PEER)
    all_sent(lines, syns)
    for line in lines:
        dropped(line, lab.server, "XFRM_POLICY")


@pytest.mark.slow(3)
@every_way
def test_filter_on_the_listening_socket(lab, agent, watch, way):
    listener = lab.server.listen(PORT)
    drop_all = ctypes.create_string_buffer(struct.pack("=HBBI", 6, 0, 0, 0))  # BPF_RET, 0 bytes
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER,
                        struct.pack("HL", 1, ctypes.addressof(drop_all)))
    watching = watch()
    needs(watching, "kfree_skb")
    lines, syns = hangs(lab, agent, watching, way, "dropped_by_peer", "SOCKET_FILTER", *BY_PEER)
    all_sent(lines, syns)
    for line in lines:
        dropped(line, lab.server, "SOCKET_FILTER")


@pytest.mark.slow(3)
@every_way
def test_full_accept_queue_leaves_no_trace_of_a_drop(lab, agent, watch, way):
    """The kernel frees such a SYN as if it had been used, so nothing narrower can be claimed."""
    family = socket.AF_INET if way is V4 else socket.AF_INET6
    with lab.server.entered():
        lab.server.owns(socket.create_server((way.raddr, PORT), family=family, backlog=0))
    assert agent.connect(way.target, PORT, name="fills it")["errno"] is None
    watching = watch()
    lines, syns = hangs(lab, agent, watching, way, "no_answer", "no answer")
    all_sent(lines, [syn for syn in syns if syn.sport == lines[0]["lport"]])
    for line in lines:
        has(line, drop=None)


@every_way
def test_closed_before_any_retry_it_has_its_cause_all_the_same(lab, agent, watch, way):
    lab.server.iptables(f"-I INPUT {ARRIVAL}", way)
    wire = lab.server.sniff()
    watching = watch()
    needs(watching, "kfree_skb")

    agent.connect(way.target, PORT, blocking=False)
    syn = wire.wait_for(lambda segment: segment.is_syn)
    agent.call("pause", seconds=0.5)
    agent.call("close")

    end = watching.wait_for(type="end")
    has(end, **client_of(agent, lab, way, PORT), **on_wire(syn), verdict="abandoned",
        cause="dropped_by_peer", errno=None, icmp=None, syn_sent=1, syn_retransmits=0,
        syn_unsent=0)
    has(end["closer"], pid=agent.pid, how="close")
    dropped(end, lab.server, "NETFILTER_DROP", *NETFILTER)
    assert "NETFILTER_DROP" in end["why"], end
    assert watching.of_type("stall") == []


# where, rule, drop reason, SYNs that left
REFUSED = {
    "closed-port": (None, None, "NO_SOCKET", 1),
    "tcp-reset": ("server", f"INPUT -p tcp --dport {PORT} -j REJECT --reject-with tcp-reset",
                  "NETFILTER_DROP", 1),
    "own-tcp-reset": ("client", f"OUTPUT -p tcp --dport {PORT} -j REJECT --reject-with tcp-reset",
                      "NETFILTER_DROP", 0),
}


@every_way
@pytest.mark.parametrize("case", REFUSED)
def test_reset_shows_who_sent_it(lab, agent, watch, way, case):
    where, rule, reason, sent = REFUSED[case]
    if rule:
        getattr(lab, where).iptables(f"-I {rule}", way)
    wire = lab.server.sniff()
    watching = watch()
    needs(watching, "kfree_skb")

    assert agent.connect(way.target, PORT)["errno"] == "ECONNREFUSED"

    end = watching.wait_for(type="end")
    assert len(wire.syns(PORT)) == sent
    has(end, **client_of(agent, lab, way, PORT), verdict="refused", cause="rst",
        errno="ECONNREFUSED", icmp=None, closer=None, syn_sent=sent, syn_retransmits=0,
        syn_unsent=0)
    dropped(end, getattr(lab, where or "server"), reason)
    assert "RST" in end["why"]
    watching.stop()
    assert watching.lines == [end]


def reject(way, name, error, icmp_type, icmp_code):
    return pytest.param(way, name, error, (icmp_type, icmp_code), id=f"{way}-{name}")


REJECTS = [
    reject(V4, "icmp-port-unreachable", "ECONNREFUSED", 3, 3),
    reject(V4, "icmp-admin-prohibited", "EHOSTUNREACH", 3, 13),
    reject(V4, "icmp-host-unreachable", "EHOSTUNREACH", 3, 1),  # and no neighbour is to blame
    reject(V4, "icmp-net-unreachable", "ENETUNREACH", 3, 0),
    reject(V6, "icmp6-port-unreachable", "ECONNREFUSED", 1, 4),
    reject(V6, "icmp6-adm-prohibited", "EACCES", 1, None),  # several codes share this errno
    reject(V6, "icmp6-addr-unreachable", "EHOSTUNREACH", None, None),
    reject(V6, "icmp6-no-route", "ENETUNREACH", 1, 0),
]


@pytest.mark.core("v4-icmp-port-unreachable-server")
@pytest.mark.slow(1)
@pytest.mark.parametrize("where", ["server", "client"])
@pytest.mark.parametrize("way, name, error, icmp", REJECTS)
def test_reject_takes_a_second_and_says_why(lab, agent, watch, way, name, error, icmp, where):
    """By the peer or by the client's own OUTPUT: the first ICMP error finds the socket busy."""
    netns = getattr(lab, where)
    chain = {"server": "INPUT", "client": "OUTPUT"}[where]
    netns.iptables(f"-I {chain} -p tcp --dport {PORT} -j REJECT --reject-with {name}", way)
    wire = lab.server.sniff()
    watching = watch()
    needs(watching, "kfree_skb")

    reply = agent.connect(way.target, PORT)
    assert reply["errno"] == error
    assert reply["ended"] - reply["began"] > 1

    end = watching.wait_for(type="end")
    stall, = watching.of_type("stall")
    left = where == "server"
    assert len(wire.syns(PORT)) == 2 * left
    for line in stall, end:
        has(line, **client_of(agent, lab, way, PORT), closer=None, id=end["id"],
            syn_sent=2 * left, syn_retransmits=1 * left, syn_unsent=1 * (not left))
        dropped(line, netns, "NETFILTER_DROP", *NETFILTER)
    has(end, verdict="rejected", cause="icmp", errno=error)
    assert "one came at once, while connect() still held the socket" in end["why"], end
    check_icmp(end, icmp, netns, lab, way)
    has(stall, errno=None)
    if way is V4 or left:
        has(stall, cause="icmp")
        assert "but the kernel keeps trying" in stall["why"], stall
        check_icmp(stall, icmp, netns, lab, way)
    else:
        # No word of the sender, and a failed retry leaves the same errno behind: the drop is sure.
        has(stall, cause="dropped_on_output", icmp=None)
        assert "this host drops it on the way out" in stall["why"], stall


def check_icmp(line, icmp, netns, lab, way):
    """Type and code as far as the kernel keeps them; who sent it, only IPv4 knows."""
    icmp_type, code = icmp
    if icmp_type is None:
        has(line, icmp=None)
        return
    sender, words = {lab.server: (way.raddr, way.raddr),
                     lab.client: (way.laddr, "this host itself")}[netns]
    has(line["icmp"], type=icmp_type, code=code, **{"from": sender if way is V4 else None})
    assert line["icmp"]["name"], line
    assert (f"from {words}" in line["why"]) == (way is V4), line


GONE = {V4: "198.18.0.77", V6: "2001:2::77"}
BEHIND = {V4: "198.51.100.9", V6: "2001:db8::9"}


@pytest.mark.core("on-link-v4")
@pytest.mark.slow(4)
@every_way
@pytest.mark.parametrize("hop", ["on-link", "gateway"])
def test_neighbour_that_does_not_answer(lab, agent, watch, way, hop):
    lab.client.sysctl(RETRIES, 6)
    target = GONE[way]
    if hop == "gateway":
        target = BEHIND[way]
        lab.client.ip(f"route add {target} via {GONE[way]}")
    watching = watch()

    assert agent.connect(target, PORT)["errno"] == "EHOSTUNREACH"

    end = watching.wait_for(type="end")
    stalls = watching.of_type("stall")
    assert stalls
    who = client_of(agent, lab, way, PORT) | {"raddr": target}
    tells = tells_of(watching, "tcp_retransmit_skb:err")
    for stall in stalls:
        # Without the result of each retry it shows only when the kernel frees the SYNs.
        shows = tells or stall["drop"]
        has(stall, **who, cause="neighbour_unresolved" if shows else "no_answer", icmp=None,
            errno=None)
    has(end, **who, verdict="rejected", errno="EHOSTUNREACH")
    if way is V4 or tells:
        has(end, cause="neighbour_unresolved")
    if tells:  # Of what else happens to a retry, nothing is known.
        for stall in stalls:
            has(stall, syn_sent=1, syn_retransmits=0)
            assert "the next hop's address is not resolved" in stall["why"], stall
        assert [stall["syn_unsent"] for stall in stalls] == list(range(1, len(stalls) + 1))
        has(end, syn_sent=1, syn_retransmits=0, syn_unsent=len(stalls))
    if way is V4:
        has(end["icmp"], type=3, code=1, **{"from": way.laddr})
        assert "ARP or neighbour discovery for the next hop gets no answer" in end["why"], end
    else:
        has(end, icmp=None)  # the kernel keeps the errno only, and it has more than one code
        assert not tells or "the next hop's address is not resolved" in end["why"], end


@pytest.mark.slow(3)
@every_way
def test_kernel_that_gives_up_before_the_neighbour_does(lab, agent, watch, way):
    watching = watch()
    needs(watching, "tcp_retransmit_skb:err")
    reply = agent.connect(GONE[way], PORT,
                          options=[(socket.IPPROTO_TCP, 18, 1500)])  # TCP_USER_TIMEOUT
    assert reply["errno"] == "ETIMEDOUT"
    end = watching.wait_for(type="end")
    has(end, verdict="timed_out", cause="neighbour_unresolved", errno="ETIMEDOUT", syn_sent=1,
        syn_retransmits=0, icmp=None)
    assert "the next hop's address is not resolved" in end["why"], end


LIFTED = {
    "input": ("server", f"INPUT {ARRIVAL}", "dropped_by_peer"),
    "output": ("client", f"OUTPUT {ARRIVAL}", "dropped_on_output"),
    "reply-input": ("client", f"INPUT {REPLY}", "reply_dropped_on_input"),
    "reply-output": ("server", f"OUTPUT {REPLY}", "reply_dropped_on_path"),
}


@pytest.mark.core("input-v4")
@pytest.mark.slow(2)
@every_way
@pytest.mark.parametrize("case", LIFTED)
def test_answered_late_it_keeps_its_cause(lab, agent, watch, way, case):
    where, rule, cause = LIFTED[case]
    netns = getattr(lab, where)
    lab.client.sysctl(RETRIES, 6)
    lab.server.listen(PORT)
    watching = watch()
    needs(watching, "kfree_skb")

    with netns.rule(rule, way):
        agent.start_connect(way.target, PORT)
        stall = watching.wait_for(type="stall")
    assert agent.result()["errno"] is None

    end = watching.wait_for(type="end")
    has(stall, **client_of(agent, lab, way, PORT), cause=cause)
    has(end, **client_of(agent, lab, way, PORT), id=stall["id"], verdict="established",
        cause=cause, errno=None, icmp=None)
    dropped(end, netns, "NETFILTER_DROP", *NETFILTER)
    assert "answered late" in end["why"] and "NETFILTER_DROP" in end["why"], end
    if case == "output":
        has(end, syn_sent=1, syn_unsent=stall["syn_unsent"])
