"""The contract of whichever provider ``vivavoce contract`` was asked to examine."""

from __future__ import annotations

from vivavoce_contract.contract import ProviderContract
from vivavoce_contract.plugin import Asked

__all__ = ["TestProvider"]


class TestProvider(ProviderContract):
    """Named when it is collected."""

    provider = Asked.provider
    models = Asked.models
    cassettes = Asked.cassettes
