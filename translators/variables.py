"""Private data of a Pod on its way to its tasks: Nomad Variables, and the templates that read them.

A Variable holds 64 KiB, and a task may read three of its own without any policy (nomad/acl `implicit paths`): that of
its job, of its group and its own. The data of a Pod is a map of items; it lies in the first of these, or in as many as
it needs; that of the group belongs to the permit of a Pod that runs once. How many is said in the job's Meta, for the
templates of a job never change. What is larger lies deeper, in as many Variables as it takes, below a path that only a
policy of the job's own lets its tasks read (nomad/acl, workload policies). A piece of an item is base64 by itself, so
that whatever a user wrote is never template text; the names of items are made by us and need no quoting.

Several Variables are written one after the other, and whoever writes may die between two. Each says of which data it is
a part, and a template that finds parts of different ones renders nothing: its file stays as it was.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256

#: nomad/structs: the sum of the bytes of all keys and values of one Variable.
CAPACITY = 65536

#: In how many Variables a task finds its data: the job's; its own, too; the group's, too.
ONE, TWO, THREE = 1, 2, 3
#: More than three lie deeper; so many hold 3 MiB, and a job of a hundred files names each of them a hundred times.
_MOST_DEEP = 64
#: Of four that are needed, one more: what grows later has to fit into as many.
_SPARE = 4

#: An item that is always there, for a Variable cannot be empty, and a template waits for one that is not there. It
#: holds a digest of the items' names as the templates of the job know them, and, in one of several Variables, a digest
#: of all that they hold together.
_PRESENT = "vnode"
_DIGEST = 16
_GROUP = "pod"
#: What is for one task alone stands at that task's own path, as it is; no other item begins like this.
_OWN = "@"
_DEEP = "data"
_FOUR = 4
#: What every task may read and nobody writes, unless all jobs of a site share a Variable: naming it is how a template
#: waits. Below a task's own paths it would be refused, and a task whose template is refused for minutes is killed.
NOWHERE = "nomad/jobs"


def item_name(kind: str, *parts: str) -> str:
    """The name of an item: of what it holds, without a sign that a template or a Variable would have to escape."""
    return f"{kind}-{sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"


def own_item(task: str) -> str:
    """The name of an item that is for one task alone: a JSON object of texts, the items of a Variable at its own path.

    Only where the data lies in one Variable, or deeper, is that path free.
    """
    return f"{_OWN}{task}"


def own_paths(items: Iterable[str], job: str) -> tuple[str, ...]:
    """The paths of what is for one task alone."""
    return tuple(_own_path(job, name) for name in sorted(items) if name.startswith(_OWN))


def own_path(job: str, task: str) -> str:
    """The path that only one task may read."""
    return f"nomad/jobs/{job}/{_GROUP}/{task}"


def paths(job: str, tasks: Iterable[str], count: int) -> tuple[str, ...]:
    """The paths of all Variables of a job."""
    first = f"nomad/jobs/{job}"
    if is_deep(count):
        return tuple(f"{first}/{_DEEP}/{index:02d}" for index in range(count))
    group = f"{first}/{_GROUP}"
    shared = (first, group) if count == THREE else (first,)
    return (*shared, *(f"{group}/{task}" for task in tasks)) if count != ONE else shared


def is_deep(count: int) -> bool:
    """Whether tasks need a policy of their own to read so many Variables; see `policy`."""
    return count > THREE


def policy(namespace: str, job: str) -> str:
    """The rules by which the tasks of a job read what lies deeper; HCL, of names that hold nothing to be escaped."""
    path = f'path "nomad/jobs/{job}/{_DEEP}/*" {{ capabilities = ["read"] }}'
    return f'namespace "{namespace}" {{ variables {{ {path} }} }}'


def template(job: str, task: str, count: int, item: str) -> str:
    """The text of a template that gives the bytes of an item; it waits until all Variables are there, and fit."""
    piece = f'{{{{ (index . "{item}").Value | base64Decode }}}}'
    first, *others = paths(job, (task,), count)
    if not others:
        return f'{{{{ with nomadVar "{first}" }}}}{piece}{{{{ end }}}}'
    whole = f'(index . "{_PRESENT}").Value'
    noted = f'{{{{ with nomadVar "{first}" }}}}{{{{ $whole = {whole} }}}}{piece}{{{{ end }}}}'
    compared = f"{{{{ if ne {whole} $whole }}}}{{{{ $torn = $whole }}}}{{{{ end }}}}"
    more = "".join(f'{{{{ with nomadVar "{path}" }}}}{compared}{piece}{{{{ end }}}}' for path in others)
    waits = f'{{{{ if $torn }}}}{{{{ with nomadVar "{NOWHERE}" }}}}{{{{ end }}}}{{{{ end }}}}'
    return f'{{{{ $whole := "" }}}}{{{{ $torn := "" }}}}{noted}{more}{waits}'


def count(items: Mapping[str, bytes], most: int = THREE, *, deep: bool = False) -> int:
    """How many Variables these items need, more than three where they may lie `deep`.

    Raises:
        ValueError: when there are not enough.
    """
    for number in range(ONE, most + 1):
        if _fits(items, number):
            return number
    for number in range(THREE + 1, _MOST_DEEP + 1) if deep else ():
        if _fits(items, number):
            return min(number + number // _SPARE, _MOST_DEEP)
    held = sum(map(len, items.values()))
    room = (CAPACITY * (_MOST_DEEP if deep else most) * 3 // 4) // 1024
    raise ValueError(f"{held} bytes do not fit into Nomad's Variables of one Pod, which hold about {room} KiB")


def names(items: Iterable[str]) -> str:
    """A digest of the names of items that templates read."""
    return sha256(chr(0).join(_shared(items)).encode()).hexdigest()[:_DIGEST]


def known_names(variable: Mapping[str, str]) -> str:
    """The digest of the names that the templates of the job know, in one of its Variables."""
    return variable.get(_PRESENT, "")[:_DIGEST]


def fit(variables: Iterable[Mapping[str, str]]) -> bool:
    """Whether Variables are parts of the same data: nobody died between two of them."""
    return len({variable.get(_PRESENT, "") for variable in variables}) <= 1


def pack(
    items: Mapping[str, bytes], job: str, tasks: Iterable[str], number: int, known: str = ""
) -> dict[str, dict[str, str]]:
    """The Variables by path that hold the items; `known` is the digest of the names that the templates know.

    Raises:
        ValueError: when they do not fit.
    """
    parts = _split(items, number, known or names(items))
    every = paths(job, tasks, number)
    own = {_own_path(job, name): json.loads(content) for name, content in items.items() if name.startswith(_OWN)}
    return {**{path: parts[min(index, len(parts) - 1)] for index, path in enumerate(every)}, **own}


def unpack(variables: Iterable[Mapping[str, str]]) -> dict[str, bytes]:
    """The items in the Variables of a job, of one of its tasks where there are three; empty ones are left out."""
    found: dict[str, bytes] = {}
    for variable in variables:
        for name, text in variable.items():
            if name != _PRESENT:
                found[name] = found.get(name, b"") + b64decode(text)
    return found


def _own_path(job: str, item: str) -> str:
    return own_path(job, item.removeprefix(_OWN))


def _fits(items: Mapping[str, bytes], number: int) -> bool:
    try:
        _split(items, number, names(items))
    except ValueError:
        return False
    return True


def _split(items: Mapping[str, bytes], number: int, known: str) -> list[dict[str, str]]:
    """Fill one Variable after the other, an item going on in the next where it does not fit."""
    present = known if number == ONE else known + _content(items)
    parts: list[dict[str, str]] = [{_PRESENT: present} for _ in range(number)]
    room = [CAPACITY - len(_PRESENT) - len(present)] * number
    at = 0
    for name in _shared(items):
        # An empty item is left out: what is not there reads as empty, and Nomad garbles its errors over empty values.
        text = b64encode(items[name]).decode()
        while text:
            if at == number:
                raise ValueError("the items do not fit")
            taken = min(len(text), max(0, room[at] - len(name)) // _FOUR * _FOUR)
            if taken:
                parts[at][name] = text[:taken]
                room[at] -= len(name) + taken
                text = text[taken:]
            if text:
                at += 1
    return parts


def _shared(items: Iterable[str]) -> list[str]:
    return sorted(each for each in items if not each.startswith(_OWN))


def _content(items: Mapping[str, bytes]) -> str:
    found = sha256()
    for name in _shared(items):
        found.update(f"{name}\n{sha256(items[name]).hexdigest()}\n".encode())
    return found.hexdigest()[:_DIGEST]
