"""OAuth 2.0 client credentials (RFC 6749): Authlib speaks the protocol, the platform's own register holds the rows.

An API key's id is the client's id, its secret the client's secret.
"""

from __future__ import annotations

from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.errors import InvalidScopeError
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from flask import Flask, Response, current_app
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.tag import Tag
from pydantic import BaseModel

from marketplace.api.calls import call
from marketplace.api.document import ProblemDocument
from marketplace.doors.identity import proving
from marketplace.doors.problems import MEDIA_TYPE
from marketplace.doors.requests import NUL
from tenants.kernel.errors import Invalid, Unauthenticated
from tenants.usecases import identity

oauth = APIBlueprint("oauth", __name__, abp_tags=[Tag(name="oauth", description="Tokens for programs.")])

METHODS = ["client_secret_basic", "client_secret_post"]
_KEY = "marketplace_oauth"


class Token(BaseModel):
    """An access token, for ``Authorization: Bearer``."""

    access_token: str
    token_type: str
    expires_in: int
    scope: str


class TokenError(BaseModel):
    """A refusal as RFC 6749 shapes it."""

    error: str
    error_description: str | None = None


class Client(ClientMixin):  # type: ignore[misc]  # authlib ships no types
    """A client as it introduced itself. The register checks its secret once, when the token is made."""

    def __init__(self, client_id: str) -> None:
        self.client_id = client_id
        self.client_secret = ""
        self.issued: identity.AccessTokenView | None = None

    def get_client_id(self) -> str:
        """Return the id."""
        return self.client_id

    def get_allowed_scope(self, scope: str | None) -> str:
        """Return the scope that is asked for; the register refuses what the client does not have."""
        return scope or ""

    def check_client_secret(self, client_secret: str) -> bool:
        """Keep the secret for the register."""
        self.client_secret = client_secret
        return True

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:  # noqa: ARG002 - authlib names them
        """Tell whether a client may introduce itself this way: never without a secret."""
        return method in METHODS

    def check_grant_type(self, grant_type: str) -> bool:
        """Tell whether a client may ask this way: programs have credentials of their own and nothing else."""
        return bool(grant_type == ClientCredentialsGrant.GRANT_TYPE)


class CredentialsGrant(ClientCredentialsGrant):  # type: ignore[misc]  # authlib ships no types
    """Client credentials, in the Authorization header or in the form."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def authenticate_token_endpoint_client(self) -> Client:
        """Return the client, whose secret the register has found right.

        Raises authlib's InvalidClientError and InvalidScopeError, which are answered as RFC 6749 says.
        """
        client: Client = super().authenticate_token_endpoint_client()
        scope = self.request.payload.scope or ""
        if NUL in client.client_id + client.client_secret + scope:
            raise _invalid_client()
        try:
            with proving("oauth", client.client_id) as work:
                client.issued = identity.issue_access_token(
                    work, client_id=client.client_id, client_secret=client.client_secret, scope=scope or None
                )
        except Unauthenticated as refused:
            raise _invalid_client() from refused
        except Invalid as refused:
            raise InvalidScopeError from refused
        return client


def _answers() -> dict[str, Any]:
    """Return the documented answers: the protocol's own refusals beside the platform's."""
    documented = call(Token, open_to_all=True)
    problem = {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}}}
    refusal = {"application/json": {"schema": TokenError.model_json_schema()}}
    documented["responses"] |= {
        400: {"description": "The request or the scope is not acceptable.", "content": refusal},
        401: {"description": "The client or its secret is wrong.", "content": refusal},
        429: {"description": "Too many tries; Retry-After says when there may be another.", "content": problem},
    }
    form = {
        "type": "object",
        "required": ["grant_type"],
        "properties": {name: {"type": "string"} for name in ("grant_type", "scope", "client_id", "client_secret")},
    }
    body = {"required": True, "content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return documented | {"openapi_extensions": {"requestBody": body}}


def serve_tokens(app: Flask) -> None:
    """Set up the authorization server of ``app``."""
    server = AuthorizationServer(app, query_client=Client, save_token=lambda _token, _request: None)
    server.register_grant(CredentialsGrant)
    server.register_token_generator("default", _bearer_token)
    app.extensions[_KEY] = server


@oauth.post("/oauth/token", **_answers())
def give_token() -> Response:
    """Give a program an access token for its credentials."""
    answer: Response = current_app.extensions[_KEY].create_token_response()
    answer.headers.setdefault("Cache-Control", "no-store")
    return answer


def _bearer_token(client: Client, **_: Any) -> dict[str, Any]:
    """Return the token that the register has issued to ``client`` in this request."""
    issued = client.issued
    assert issued is not None, "the grant authenticates before it gives a token"  # noqa: S101 - for the type checker
    return {
        "token_type": "Bearer",
        "access_token": issued.token,
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }


def _invalid_client() -> Exception:
    from authlib.oauth2.rfc6749.errors import InvalidClientError

    refusal: Exception = InvalidClientError(status_code=401)
    return refusal
