"""A client that finds computers as Explorer does: WS-Discovery 1.0 and LLMNR (RFC 4795)."""

import subprocess
import sys

# Windows looks for computers, asks the one that answers what it is, and then for the address of its name (LLMNR).
EXPLORER = """\
import re, socket, struct, sys, urllib.request, uuid
SOAP = "http://www.w3.org/2003/05/soap-envelope"
XMLSOAP = "http://schemas.xmlsoap.org/ws"
def message(to, action, body):
    return f'''<?xml version="1.0" encoding="utf-8"?><soap:Envelope xmlns:soap="{SOAP}"
xmlns:wsa="{XMLSOAP}/2004/08/addressing" xmlns:wsd="{XMLSOAP}/2005/04/discovery"
xmlns:wsdp="{XMLSOAP}/2006/02/devprof"><soap:Header><wsa:To>{to}</wsa:To><wsa:Action>{XMLSOAP}/{action}</wsa:Action>
<wsa:MessageID>urn:uuid:{uuid.uuid4()}</wsa:MessageID></soap:Header><soap:Body>{body}</soap:Body></soap:Envelope>'''.encode()
def ask(what, where):
    asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asker.settimeout(2)
    asker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
    asker.sendto(what, where)
    return asker.recv(9000)
try:
    probe = "<wsd:Probe><wsd:Types>wsdp:Device</wsd:Types></wsd:Probe>"
    found = ask(message("urn:schemas-xmlsoap-org:ws:2005:04:discovery", "2005/04/discovery/Probe", probe),
                ("239.255.255.250", 3702)).decode()
    address = re.search("<wsd:XAddrs>(.*?)</wsd:XAddrs>", found)[1]
    device = re.search("<wsa:Address>(urn:uuid:.*?)</wsa:Address>", found)[1]
    what = message(device, "2004/09/transfer/Get", "")
    get = urllib.request.Request(address, what, {"Content-Type": "application/soap+xml"})
    described = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(get, timeout=5).read().decode()
    computer = re.search("<pub:Computer>(.*?)</pub:Computer>", described)[1]
    name = computer.partition("/")[0].encode()
    question = struct.pack("!6H", 7, 0, 1, 0, 0, 0) + bytes([len(name)]) + name + bytes(1) + struct.pack("!2H", 1, 1)
    answer = ask(question, ("224.0.0.252", 5355))
    print(computer, socket.inet_ntoa(answer[-4:]))
except OSError:  # no answer, or it is started anew just now
    print("nobody")
"""


def explored(network: int, address: str) -> str:
    """What a Windows there finds: `NAME/Workgroup:WORKGROUP ADDRESS`, or nobody."""
    command = ["nsenter", "--target", str(network), "--net", sys.executable, "-c", EXPLORER, address]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
