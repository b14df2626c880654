"""TogetherCredentials: the block that holds a key and says where Together is. Sends nothing by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from prefect.blocks.abstract import CredentialsBlock
from pydantic import Field, HttpUrl, SecretStr

from prefect_together.blocks.settings import current_settings
from prefect_together.http.account import together_url, usable_key
from prefect_together.http.pool import shared_client
from prefect_together.http.urls import api_origin

if TYPE_CHECKING:
    from prefect_together.http.client import TogetherClient

LOGO = HttpUrl("https://raw.githubusercontent.com/prefect-together/prefect-together/main/docs/logo.png")
DOCUMENTATION = HttpUrl("https://github.com/prefect-together/prefect-together#readme")


class TogetherCredentials(CredentialsBlock):
    """An API key of Together AI, and where Together is.

    Example:
        Load stored credentials and give them to a task:
        ```python
        from prefect_together import TogetherCredentials

        credentials = TogetherCredentials.load("BLOCK_NAME")
        ```
    """

    _block_type_name: ClassVar[str | None] = "Together Credentials"
    _block_type_slug: ClassVar[str | None] = "together-credentials"
    _logo_url: ClassVar[HttpUrl | None] = LOGO
    _documentation_url: ClassVar[HttpUrl | None] = DOCUMENTATION

    api_key: SecretStr | None = Field(
        default=None, title="API key", description="The API key; left out, TOGETHER_API_KEY of the environment is used."
    )
    base_url: str = Field(
        default_factory=together_url,
        title="Base URL",
        description="Where the API is, without a version; left out, TOGETHER_BASE_URL or https://api.together.ai is used.",
    )
    timeout: float = Field(
        default=600.0,
        gt=0,
        description="Seconds to wait for an answer. Pictures are made while the request is open, so this should be long.",
    )

    def key(self) -> str:
        """Return the key itself.

        Raises:
            ConfigurationError: There is none.
        """
        given = self.api_key.get_secret_value() if self.api_key else ""
        return usable_key(given or None)

    def check(self) -> None:
        """Refuse what could not work or would give the key away.

        Raises:
            ConfigurationError: There is no key, or the base URL is unsafe or no URL.
        """
        self.key()
        api_origin(self.base_url)

    def get_client(self) -> TogetherClient:
        """Return the client of this account, shared by everything in this process that uses it.

        It belongs to the background loop: use it in work that is given to ``prefect_together._internal.event_loop``.

        Raises:
            ConfigurationError: There is no key, or the base URL is unsafe or no URL.
        """
        return shared_client(
            self.key(), self.base_url, timeout=self.timeout, max_connections=current_settings().max_connections
        )

    def onlooker(self) -> TogetherClient:
        """Return a client that knows where Together is and has no key: for what only looks and sends nothing.

        Raises:
            ConfigurationError: The base URL is unsafe or no URL.
        """
        return shared_client("", self.base_url, timeout=self.timeout, max_connections=1)
