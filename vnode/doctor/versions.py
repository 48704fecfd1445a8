"""Which versions of the peers are supported: those whose API has everything that a run asks for."""

import re

Version = tuple[int, int]

#: kubectl and API servers from here on are what the streaming protocols are tested with.
KUBERNETES_MINIMUM: Version = (1, 29)
#: The first with the `Disconnect` block; see nomad/api tasks.go.
NOMAD_MINIMUM: Version = (1, 8)

_VERSION = re.compile(r"v?(\d+)\.(\d+)")


def parse(text: str) -> Version | None:
    """Major and minor of e.g. `v1.36.3`, `1.29+`, `1.8.0-beta.1` or `1.11.3+ent`; None when there are none."""
    found = _VERSION.match(text)
    return (int(found[1]), int(found[2])) if found else None


def written(version: Version) -> str:
    """The version as people write it."""
    return f"{version[0]}.{version[1]}"
