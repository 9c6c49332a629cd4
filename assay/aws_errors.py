"""Errors of AWS calls in words that a person can act on."""

import re

from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from assay.errors import UserError

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_IDENTITY = {
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
NOT_ALLOWED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "ACCESS_DENIED"}
GONE = {"NoSuchBucket", "ResourceNotFoundException", "EntityNotFoundException"}
OF_ARROW = re.compile(
    r"(?:key '(?P<key>[^']*)' in )?bucket '(?P<bucket>[^']*)'.*AWS Error (?P<code>\w+) during (?P<call>\w+)"
)
"""How Arrow, which reads the tables, says that S3 has refused: its error has no parts, and the class tells nothing."""
ASK = "ask for this permission, or use another --profile"
NETWORK = "is the network up, and (locally) the cloud running? assay up"


def explain(error: Exception) -> UserError | None:
    """Return what an error of an AWS call means and what to do; None if a person cannot fix it."""
    if isinstance(error, ClientError):
        return _explain_refusal(error)
    if isinstance(error, ProfileNotFound):
        return UserError(str(error), "name an existing profile: aws configure list-profiles")
    if isinstance(error, NoRegionError):
        return UserError("no AWS region is known", "name one: --region, or AWS_REGION")
    if isinstance(error, NoCredentialsError):
        return UserError("no AWS credentials were found", "name a profile with --profile, or start: assay up")
    if isinstance(error, SSOError | TokenRetrievalError):
        return UserError("the AWS session has expired", "sign in again: aws sso login")
    if isinstance(error, EndpointConnectionError | HTTPClientError):
        return UserError(str(error), NETWORK)
    if isinstance(error, OSError) and (refused := OF_ARROW.search(str(error))):
        what = f"{refused['call']}: s3://{refused['bucket']}/{refused['key'] or ''}"
        if refused["code"] in NOT_ALLOWED:
            return UserError(f"not allowed: {what}", ASK)
        if refused["code"] == "NETWORK_CONNECTION":
            return UserError(f"no connection: {what}", NETWORK)
    return None


def _explain_refusal(error: ClientError) -> UserError | None:
    code = error.response.get("Error", {}).get("Code", "")
    message = error.response.get("Error", {}).get("Message", "")
    call = error.operation_name
    if code in EXPIRED:
        return UserError("the AWS credentials have expired", "sign in again, for instance: aws sso login")
    if code in UNKNOWN_IDENTITY:
        return UserError("AWS does not know these credentials", "check --profile and the AWS_* variables")
    if code in NOT_ALLOWED:
        return UserError(f"not allowed: {call}: {message}", ASK)
    if code in GONE:
        return UserError(f"{call}: {message}", "is the stack complete? deploy it again: assay deploy")
    return None
