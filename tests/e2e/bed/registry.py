"""A registry with one image that only its user may pull, on loopback, where an engine wants no TLS.

Source of the protocol: the OCI distribution specification; docker image manifest v2, schema 2.
"""

import base64
import gzip
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.e2e.bed.docker import Docker

_DOCKER = "application/vnd.docker"
_MANIFEST = f"{_DOCKER}.distribution.manifest.v2+json"


class Registry:
    """The registry; `image` is the name under which its image is pulled."""

    def __init__(self, address: str, user: str, password: str) -> None:
        """Made by `serve`."""
        self.address = address
        self.image = f"{address}/private:1"
        self.user = user
        self.password = password

    @property
    def docker_config(self) -> str:
        """What `docker login` leaves, and a Secret of type kubernetes.io/dockerconfigjson holds."""
        login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return json.dumps({"auths": {self.address: {"auth": login}}})


@contextmanager
def serve(docker: Docker, source: str, port: int, user: str, password: str) -> Iterator[Registry]:
    """Serve an image of this engine until the block ends."""
    found = Registry(f"127.0.0.1:{port}", user, password)
    wanted = f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
    content = _content(_saved(docker, source))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("Authorization") != wanted:
                self._answer(401, b"{}", "application/json")
            elif self.path == "/v2/":
                self._answer(200, b"{}", "application/json")
            elif self.path.rpartition("/")[2] in content:
                self._answer(200, *content[self.path.rpartition("/")[2]])
            else:
                self._answer(404, b"{}", "application/json")

        def do_HEAD(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

        def _answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="private"')
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", _digest(body))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _content(saved: tarfile.TarFile) -> dict[str, tuple[bytes, str]]:
    """Manifest and blobs by the last part of their path, with their types."""
    [listed] = json.loads(_member(saved, "manifest.json"))
    configuration = _member(saved, listed["Config"])
    layers = [gzip.compress(_member(saved, name), compresslevel=1, mtime=0) for name in listed["Layers"]]
    described = [_described(f"{_DOCKER}.image.rootfs.diff.tar.gzip", layer) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _described(f"{_DOCKER}.container.image.v1+json", configuration),
        "layers": described,
    }
    encoded = json.dumps(manifest).encode()
    blobs = {_digest(blob): (blob, "application/octet-stream") for blob in (configuration, *layers)}
    return {"1": (encoded, _MANIFEST), _digest(encoded): (encoded, _MANIFEST), **blobs}


def _saved(docker: Docker, image: str) -> tarfile.TarFile:
    folder = docker.socket.parent / "saved.tar"
    docker.run("save", f"--output={folder}", image)
    return tarfile.open(fileobj=io.BytesIO(folder.read_bytes()))


def _member(saved: tarfile.TarFile, name: str) -> bytes:
    opened = saved.extractfile(name)
    return b"" if opened is None else opened.read()


def _described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "size": len(content), "digest": _digest(content)}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
