import pytest

from vivavoce.errors import CredentialError
from vivavoce.wire.http import HttpCall
from vivavoce.wire.task import Reply, Task


class Deletes(Task):
    """A task that takes 404 for an answer."""

    def open(self):
        return HttpCall(method="DELETE", url="https://voices.example/1")

    def receive(self, reply):
        return True

    def refused(self, reply):
        return False if reply.status == 404 else super().refused(reply)


def test_a_refusal_may_be_a_result():
    """A task may read a result from a refusal; any other is the error that explains it."""
    assert Deletes().refused(Reply(status=404, headers={}, body=b"")) is False
    with pytest.raises(CredentialError, match="no such key"):
        Deletes().refused(Reply(status=401, headers={}, body=b"no such key"))
