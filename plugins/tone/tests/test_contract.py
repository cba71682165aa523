"""What tone claims, examined."""

from vivavoce_contract import ProviderContract


class TestTone(ProviderContract):
    provider = "tone"
