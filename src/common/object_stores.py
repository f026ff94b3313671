"""What an object store answers when it is not to be had, as a sentence for a person."""

from __future__ import annotations

import re

from common.errors import ConfigError, LakeError, SalesLakehouseError

# What an error of Hadoop's connectors holds, and what that means. The first that is found counts.
_REFUSALS: tuple[tuple[str, type[SalesLakehouseError], str], ...] = (
    (
        r"No FileSystem for scheme|ClassNotFoundException: Class org\.apache\.hadoop\.fs\.",
        ConfigError,
        "Spark has no connector for it here. For S3, write s3a://; see docs/object-stores.md for the others.",
    ),
    (
        r"UnknownStoreException|NoSuchBucket",
        ConfigError,
        "there is no such bucket. Check its name, and where it is not at Amazon, AWS_ENDPOINT_URL.",
    ),
    (
        r"Unable to load credentials|NoAuthWithAWSException|NoAwsCredentialsException",
        ConfigError,
        "there are no credentials. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role.",
    ),
    (
        # The answer to a look at an object has no body that could say which it is.
        r"Status Code: (403|401)|ExpiredToken|InvalidToken",
        ConfigError,
        "access is denied. The credentials are wrong, or have expired, or lack a permission that docs/object-stores.md "
        "lists.",
    ),
    (
        r"Unable to execute HTTP request|ConnectException|UnknownHostException|ConnectTimeoutException",
        LakeError,
        "it does not answer. Check the network, and AWS_ENDPOINT_URL where it is set; then run again.",
    ),
)


def refusal_of(error: Exception) -> SalesLakehouseError | None:
    """Why the object store that a run works on could not be used; None where that is not what the error is about."""
    said = str(error)
    store = re.search(r"\b(?:s3\w?|abfss?|gs)://[\w.@-]+|No FileSystem for scheme \"(?P<scheme>\w+)", said)
    if store is None:
        return None
    place = f"{store['scheme']}://" if store["scheme"] else store[0]
    meant = ((kind, meaning) for pattern, kind, meaning in _REFUSALS if re.search(pattern, said))
    return next((kind(f"{place} cannot be used: {meaning}") for kind, meaning in meant), None)
