"""Signs requests to AWS services that boto3 has no client for: Amazon Managed Prometheus, asked by workers/http.py.

Takes the credentials that every AWS client takes (IRSA, Pod Identity), and never writes them anywhere.
"""

import threading
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError, NoCredentialsError

from commands.errors import Unreachable
from workers.http import Ask

_ROLE = "give the bot's ServiceAccount an IAM role (IRSA or EKS Pod Identity)"
_SENT = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")


class Signer:
    """service: as AWS names it in a signature, "aps" for Amazon Managed Prometheus."""

    def __init__(self, service: str, region: str) -> None:
        self._service = service
        self._region = region
        self._lock = threading.Lock()
        self._credentials: Any = None

    def headers(self, ask: Ask) -> Mapping[str, str]:
        """What is to be sent besides its own headers, which are signed as well. Raises Unanswered."""
        request = AWSRequest(ask.method, ask.url, data=ask.body, headers=dict(ask.headers))
        try:
            frozen = self._known().get_frozen_credentials()
            SigV4Auth(frozen, self._service, self._region).add_auth(request)
        except BotoCoreError as error:
            reason = f"{ask.what}: no AWS credentials to sign with ({type(error).__name__})"
            raise Unreachable(reason, mend=_ROLE) from error
        return {name: request.headers[name] for name in _SENT if name in request.headers}

    def _known(self) -> Any:
        """They renew themselves; where there were none they are looked for again."""
        with self._lock:
            if self._credentials is None:
                self._credentials = boto3.session.Session().get_credentials()
            if self._credentials is None:
                raise NoCredentialsError
            return self._credentials
