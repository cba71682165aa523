"""What espeak claims, examined."""

from vivavoce_contract import ProviderContract


class TestEspeak(ProviderContract):
    provider = "espeak"
