"""What of a record is secret, and the name by which the store keeps it."""

from .model import Receiver, User
from .samba import accounts


def secret_name(record: User | Receiver) -> str:
    """Each password has a name of its own, so that an undo finds the former one."""
    if isinstance(record, User):
        return accounts.secret_name(record)
    return f"receivers/{record.name}@{record.password_set or 0:08X}"


def secret_value(record: User | Receiver) -> str | None:
    """What is kept of a password that came with a request: of a user its hash, as nobody needs more."""
    if record.password is None:
        return None
    value = record.password.get_secret_value()
    return accounts.nt_hash(value) if isinstance(record, User) else value
