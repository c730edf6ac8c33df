"""What is true of the whole suite: under `make test` it runs against the built wheel, not the checkout."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import versemill
from versemill import mill


def pytest_sessionstart(session: pytest.Session) -> None:
    wheel = os.environ.get("VERSEMILL_WHEEL")
    for package in (versemill, mill) if wheel else ():
        if not Path(str(package.__file__)).is_relative_to(str(wheel)):
            raise pytest.UsageError(f"{package.__name__} comes from {package.__file__}, not from the wheel in {wheel}")


@dataclass(frozen=True)
class S3:
    """An S3 server of this machine.

    Attributes:
        port: on the loopback interface.
        environment: variables by which pyarrow, fsspec and AWS's own tools find it, in this process and in workers.
        bucket: makes a bucket of that name and returns its URI.
    """

    port: int
    environment: dict[str, str]
    bucket: Callable[[str], str]


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    """Moto's S3 on the loopback interface, in a process of its own; nothing leaves the machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    endpoint = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + 60
        while True:
            assert server.poll() is None, "moto.server ended; is moto installed?"
            try:
                urllib.request.urlopen(endpoint, timeout=5).close()
                break
            except OSError:
                assert time.monotonic() < end, "moto.server does not answer"
                time.sleep(0.1)
        environment = {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

        def bucket(name: str) -> str:
            urllib.request.urlopen(urllib.request.Request(f"{endpoint}/{name}", method="PUT"), timeout=30).close()
            return f"s3://{name}"

        yield S3(port, environment, bucket)
    finally:
        server.kill()
        server.wait()
