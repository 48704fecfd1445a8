"""Downloads that stand in a task's directory before it starts.

A line of the annotation is a URL; its query parameter `checksum` is Nomad's and not the server's. The grammar is
strict, so that our reading of a host and Nomad's cannot differ, and so that Nomad interpolates nothing.
"""

import re
from urllib.parse import parse_qsl

from translators.annotations import Setting
from translators.records.jobs import Artifact

#: A single file, and where it stands; the task may start it by this name.
FILE = "file"
_DIRECTORY = "local/"

_URL = re.compile(
    r"https?://(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
    r"(?P<path>/[!$&-;=@A-Za-z_~%]*)?(?:\?(?P<query>[!$&-;=?@A-Za-z_~%\[\]{}|^]*))?",
    re.ASCII,
)
_NAME = re.compile(r"[A-Za-z0-9_+@~][A-Za-z0-9._+@~-]*")
_CHECKSUM = re.compile(r"sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128}")


def artifacts(setting: Setting | None, *, runs_itself: bool) -> tuple[Artifact, ...]:
    """The artifacts of a container; with `runs_itself` the one downloaded file is what the task starts.

    Raises:
        Refused: naming the annotation and the line.
    """
    lines = [line.strip() for line in setting.text.splitlines()] if setting else []
    found = [line for line in lines if line]
    if setting is None or not found:
        return ()
    if runs_itself and len(found) > 1:
        raise setting.refused("names several artifacts; say with `command` which of them is run")
    return tuple(_artifact(line, setting, runs_itself=runs_itself) for line in found)


def _artifact(line: str, setting: Setting, *, runs_itself: bool) -> Artifact:
    if "${" in line:
        raise setting.refused(f"{line}: ${{…}} cannot be used here, for Nomad would replace it")
    url = _URL.fullmatch(line)
    if url is None:
        raise setting.refused(
            f"{line}: is no URL that can be downloaded; write http:// or https://, a host without user or password, "
            "and no fragment"
        )
    source, options = _checksum(line, url["query"], setting)
    if not runs_itself:
        return Artifact(getter_source=source, getter_options=options, relative_dest=_DIRECTORY)
    name = (url["path"] or "").rpartition("/")[2]
    if _NAME.fullmatch(name) is None:
        raise setting.refused(f"{line}: its last part is no plain file name to run; set `command`")
    return Artifact(getter_source=source, getter_options=options, getter_mode=FILE, relative_dest=f"{_DIRECTORY}{name}")


def _checksum(line: str, query: str | None, setting: Setting) -> tuple[str, dict[str, str]]:
    """Take the checksum out of a URL; every other parameter stays as it was written."""
    if query is None:
        return line, {}
    parts = query.split("&")
    sums = [value for name, value in parse_qsl(query, keep_blank_values=True) if name == "checksum"]
    if not sums:
        return line, {}
    if len(sums) > 1 or _CHECKSUM.fullmatch(sums[0]) is None:
        raise setting.refused(f"{line}: its checksum must be one sha256:<64 hex digits> (or sha512:<128 hex digits>)")
    rest = "&".join(part for part in parts if parse_qsl(part, keep_blank_values=True)[:1] != [("checksum", sums[0])])
    bare = line.partition("?")[0]
    return (f"{bare}?{rest}" if rest else bare), {"checksum": sums[0].lower()}
