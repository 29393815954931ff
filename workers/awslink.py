"""A client of one AWS service, and what an answer of AWS means that is none. The one importer of boto3.

Every client is made for a region that the caller names, never the environment's, and with the endpoint boto3
itself finds there (AWS_ENDPOINT_URL). Knows no question; puts no credential into a reason. Called by workers/aws.py,
workers/awsfacts.py and workers/awssecurity.py, which ask, and by workers/awswrites.py, which changes.
"""

import time
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
)
from botocore.loaders import create_loader
from botocore.parsers import ResponseParserError
from botocore.session import get_session

from commands.errors import Forbidden, Refused, Unanswered, Unreachable
from workers.reader import user_agent

# One retry: the house's limit for a read is five seconds in all, and a second retry would not fit.
_ATTEMPTS = 2

# What the services look like, parsed once: that of EC2 takes a tenth of a second, each time a client is made.
_MODELS = create_loader()

DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
BAD_CREDENTIALS = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "InvalidIdentityToken",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
        "AuthFailure",  # EC2's word
    }
)
THROTTLED = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded"}
)

ROLE = "give the bot's ServiceAccount an IAM role (IRSA or EKS Pod Identity)"


def client(service: str, region: str, seconds: int) -> Any:
    """A new client; raises BotoCoreError, or Refused over an address that is none."""
    config = Config(
        connect_timeout=3,
        read_timeout=seconds,
        retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
        user_agent_extra=user_agent(),
    )
    session = get_session()
    session.register_component("data_loader", _MODELS)
    try:
        return boto3.session.Session(botocore_session=session).client(
            service, region_name=region, config=config
        )
    except BotoCoreError:
        raise
    except ValueError as error:  # its words repeat the address, with its password
        raise Refused(
            f"{service}: the endpoint that the environment names is no HTTP address",
            mend=f"check AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_{service.upper()} and the AWS configuration file",
        ) from error


# For one call of one question.
_SECONDS = 2


def ask(
    service: str,
    action: str,
    region: str,
    deadline: float,
    *,
    arn: str = "*",
    passed: frozenset[str] = frozenset(),
    seconds: int = _SECONDS,
    **arguments: Any,
) -> Any:
    """The answer; raises ClientError over the codes in `passed`, which the caller knows better, and Unanswered.

    arn: what a policy would have to name.
    """
    what = f"{service}:{''.join(word.capitalize() for word in action.split('_'))}"
    if time.monotonic() >= deadline:
        raise Unreachable(f"{what}: no time left to ask")
    try:
        answer = getattr(client(service, region, seconds=seconds), action)(**arguments)
    except ClientError as error:
        if code_of(error) in passed:
            raise
        raise refusal(error, what, arn) from error
    except BotoCoreError as error:
        raise no_answer(error, what, region, service.upper()) from error
    except ResponseParserError as error:  # a page of somebody in between, and no BotoCoreError
        raise Unreachable(f"{what}: not an answer of AWS", mend=f"see what answers for {service}") from error
    return answer


def refusal(error: ClientError, what: str, arn: str) -> Unanswered:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if code in DENIED:
        statement = f'{{"Effect": "Allow", "Action": ["{what}"], "Resource": ["{arn}"]}}'
        return Forbidden(f"{what.partition(':')[0]}: access denied, needs {what}", mend=statement)
    if code in BAD_CREDENTIALS:
        return Forbidden(f"{what}: AWS does not accept the credentials ({code})", mend=ROLE)
    if code in THROTTLED or status == 429 or status >= 500:
        return Unreachable(f"{what}: AWS answers {code or status}, try later")
    return Refused(f"{what}: AWS answers {code or status}")


def listed(found: Any, key: str, what: str) -> list[Any]:
    """botocore takes any page with status 200 for an answer, and a login page for an empty one."""
    held = found.get(key)
    if not isinstance(held, list):
        raise Refused(f"{what}: not an answer of AWS")
    return held


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def no_answer(error: BotoCoreError, what: str, region: str, service: str = "EKS") -> Unanswered:
    match error:
        case NoCredentialsError() | PartialCredentialsError() | CredentialRetrievalError():
            return Unreachable(f"{what}: no AWS credentials found", mend=ROLE)
        case NoRegionError():
            return Refused(f"{what}: no AWS region configured", mend="set `region` of the cluster")
        case EndpointConnectionError() | ConnectionError() | HTTPClientError():
            kind = type(error).__name__
            return Unreachable(
                f"{what}: the {service} endpoint of {region} cannot be reached ({kind})",
                mend=f"let the bot reach the endpoint, or set AWS_ENDPOINT_URL_{service}",
            )
    return Refused(f"{what}: {type(error).__name__}")


def partition(region: str) -> str:
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"
