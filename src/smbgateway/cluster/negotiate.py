"""Whether smbd answers: an SMB2 NEGOTIATE and its response (MS-SMB2 2.2.3, 2.2.4). A port in use says nothing."""

import socket
import struct

WAIT = 2.0  # seconds
DIALECTS = (0x0210, 0x0300, 0x0302)


def request() -> bytes:
    """NEGOTIATE, in the frame of the transport (2.1)."""
    header = struct.pack("<4sHHIHHIIQIIQ16s", b"\xfeSMB", 64, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, bytes(16))
    body = struct.pack("<HHHHI16sQ", 36, len(DIALECTS), 1, 0, 0, bytes(16), 0)
    message = header + body + struct.pack(f"<{len(DIALECTS)}H", *DIALECTS)
    return struct.pack(">I", len(message)) + message


def answers(port: int, address: str = "127.0.0.1") -> str:
    """`ok`, or what is wrong."""
    try:
        with socket.create_connection((address, port), WAIT) as connection:
            connection.sendall(request())
            answer = connection.recv(8)
    except OSError as error:
        return f"smbd does not answer: {error.strerror or error}"
    return "ok" if answer[4:8] == b"\xfeSMB" else "smbd does not answer with SMB2"
