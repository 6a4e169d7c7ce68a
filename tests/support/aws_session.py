"""Sessions of boto3 with keys that open nothing, as every stand-in of AWS wants them.

    client = aws_session().client("sts")

What boto3 knows of AWS's services are megabytes of JSON, which each session of its own would read
anew: a third of a test's time.
"""

import boto3
import botocore.session
from botocore.loaders import create_loader

REGION = "eu-central-1"
_LOADER = create_loader()


def aws_session(region: str = REGION) -> boto3.Session:
    """A session that shares with all others of the process what it knows of AWS's services."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _LOADER)
    return boto3.Session(
        aws_access_key_id="local",
        aws_secret_access_key="local",
        region_name=region,
        botocore_session=core,
    )
