"""What qwen claims, examined."""

from vivavoce_contract import ProviderContract


class TestQwen(ProviderContract):
    provider = "qwen"
