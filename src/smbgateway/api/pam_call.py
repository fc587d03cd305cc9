"""A program, not a module of ours: asks PAM whether a password is right, and tells the groups of the user.

    pam_call.py SERVICE NAME < PASSWORD

It ends with 0 and prints one group a line, or with 1 where PAM refuses. A process of its own: PAM waits after a wrong
password, loads what the administrator has set up, and may hang with a directory server.
"""

import grp
import os
import pwd
import sys


def main() -> int:
    """Returns what the process shall end with."""
    try:
        import pam
    except ImportError:
        sys.stderr.write("python3-pampy is not installed\n")
        return 2
    service, name = sys.argv[1:]
    asked = pam.PamAuthenticator()
    if not asked.authenticate(name, sys.stdin.read(), service=service):
        sys.stderr.write(f"{asked.reason}\n")
        return 1
    found = pwd.getpwnam(name)
    for number in os.getgrouplist(name, found.pw_gid):
        print(grp.getgrgid(number).gr_name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
