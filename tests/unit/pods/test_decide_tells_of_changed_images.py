"""A Pod whose image cannot be changed goes on with its own; that is told, once for each change."""

from dataclasses import replace

from tests.unit.pods.observations import NOW, RUNNING, allocation, circumstances, job, observation, pod, started
from translators.records.pods import Pod
from vnode.pods.actions import Note, PatchStatus, Remember, Stop
from vnode.pods.decide import decide
from vnode.pods.decide.changes import REASON
from vnode.view.observation import Memory, Observation


def _changed(image: str = "nomad.local/other") -> Pod:
    found = pod(status=RUNNING)
    container = replace(found.spec.containers[0], image=image)
    metadata = replace(found.metadata, generation=2)
    return replace(found, metadata=metadata, spec=replace(found.spec, containers=(container,)))


def _seen(found: Pod, memory: Memory | None = None, **of_job: bool) -> Observation:
    submitted = job(pod(status=RUNNING), **of_job)
    going = (allocation("running", events=(started(),)),)
    return observation(found, job=submitted, allocations=going, memory=memory or Memory())


def _told(seen: Observation) -> list[str]:
    actions = decide(seen, circumstances(), NOW).actions
    return [each.event.message for each in actions if isinstance(each, Note) and each.event.reason == REASON]


def test_a_changed_image_is_told_with_both_names_and_nothing_is_stopped() -> None:
    (message,) = _told(_seen(_changed()))
    assert "spec.containers{app} is to run nomad.local/other and goes on with nomad.local/binary" in message
    assert not any(isinstance(each, Stop) for each in decide(_seen(_changed()), circumstances(), NOW).actions)


def test_it_is_told_once_and_another_change_once_more() -> None:
    actions = decide(_seen(_changed()), circumstances(), NOW).actions
    (remembered,) = (each.changes for each in actions if isinstance(each, Remember) and "changed" in each.changes)
    memory = Memory(**remembered)
    assert _told(_seen(_changed(), memory)) == []
    assert len(_told(_seen(_changed("nomad.local/third"), memory))) == 1


def test_a_change_that_was_taken_back_is_none() -> None:
    assert _told(_seen(_changed("nomad.local/binary"))) == []


def test_the_status_goes_on_to_say_what_runs() -> None:
    patches = [
        each for each in decide(_seen(_changed()), circumstances(), NOW).actions if isinstance(each, PatchStatus)
    ]
    images = [one["image"] for each in patches for one in each.body["status"].get("containerStatuses", ())]
    assert "nomad.local/other" not in images
