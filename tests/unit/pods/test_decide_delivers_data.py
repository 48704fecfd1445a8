"""When the data of a Pod is written, renewed and removed; the order of writes loses and leaks nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.pods.observations import (
    NOW,
    RUNNING,
    UID,
    allocation,
    circumstances,
    job,
    observation,
    pod,
    started,
    terminated,
)
from tests.unit.translators.material import VAULT, material, token
from translators.material import SECRET, Material, ObjectKey, Token
from translators.records.allocations import Allocation, TaskEvent
from translators.records.pods import Pod
from translators.support import decode_pod
from vnode.pods import actions
from vnode.pods.actions import Decision
from vnode.pods.decide import decide
from vnode.view.observation import JobFacts, Memory, Observation

KNOWN = material(secrets={"s": {"k": b"v"}})
FRESH = Token("a.b.c", NOW, NOW + timedelta(minutes=10))


def of_secret(**fields: Any) -> Pod:
    """The plain Pod with a volume of Secret `s`."""
    source = {"secret": {"secretName": "s"}}
    return _with_volume(source, **fields)


def of_token(**fields: Any) -> Pod:
    """The plain Pod with a token for vault."""
    projection = {"serviceAccountToken": {"path": "t", "audience": "vault", "expirationSeconds": 600}}
    return _with_volume({"projected": {"sources": [projection]}}, **fields)


def _with_volume(source: dict[str, Any], **fields: Any) -> Pod:
    plain = pod(**fields)
    read = decode_pod(
        {
            "metadata": {"name": "x"},
            "spec": {
                "containers": [{"name": "app", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
                "volumes": [{"name": "v", **source}],
            },
        }
    )
    container = replace(plain.spec.containers[0], volume_mounts=read.spec.containers[0].volume_mounts)
    return replace(plain, spec=replace(plain.spec, containers=(container,), volumes=read.spec.volumes))


def with_data(of: Pod, number: int = 1, **facts: Any) -> JobFacts:
    found = job(of, **facts)
    return replace(found, identity=replace(found.identity, variables=number))


def decided(seen: Observation, now: Any = NOW) -> Decision:
    return decide(seen, circumstances(), now)


def names(decision: Decision) -> list[str]:
    return [type(action).__name__ for action in decision.actions]


def about_data(decision: Decision) -> list[str]:
    """What was decided beside the status."""
    return [name for name in names(decision) if name in {"Deliver", "RequestTokens", "Recall", "Withdraw"}]


def test_the_job_is_registered_before_its_data_is_written() -> None:
    subject = of_secret()
    decision = decided(observation(subject, material=KNOWN))
    assert [name for name in names(decision) if name != "Note"] == ["Remember", "Register", "Remember", "Deliver"]
    deliver = decision.actions[-1]
    assert isinstance(deliver, actions.Deliver)
    assert (deliver.fresh, deliver.stamp, list(deliver.items.values())) == (True, "s1", [b"v"])
    assert "b'v'" not in repr(decision)


def test_a_pod_whose_objects_are_not_known_yet_waits_in_silence() -> None:
    assert decided(observation(of_secret(), material=Material(needs=frozenset()))).actions == ()


def test_a_missing_object_is_told_once_and_nothing_is_registered() -> None:
    missing = material(missing=(ObjectKey(SECRET, "s"),))
    first = decided(observation(of_secret(), material=missing))
    assert names(first) == ["PatchStatus", "Note", "Remember"]
    note = first.actions[1]
    assert isinstance(note, actions.Note)
    assert note.event.message == 'MountVolume.SetUp failed for volume "v" : secret "s" not found'
    memory = Memory(hindrance=note.event.message)
    assert "Note" not in names(decided(observation(of_secret(), material=missing, memory=memory)))


def test_tokens_are_asked_for_before_anything_is_registered() -> None:
    decision = decided(observation(of_token(), material=Material(needs=frozenset({VAULT}), live=True)))
    assert decision.actions == (actions.RequestTokens(frozenset({VAULT})),)


def test_nothing_is_asked_for_a_pod_that_waits_for_an_object() -> None:
    known = replace(material(missing=(ObjectKey(SECRET, "s"),)), needs=frozenset({VAULT}))
    assert "RequestTokens" not in names(decided(observation(of_secret(), material=known)))


def running(of: Pod, known: Material, **memory: Any) -> Observation:
    return observation(
        of,
        job=with_data(of),
        allocations=(allocation("running", events=(started(),)),),
        material=known,
        memory=Memory(**memory),
    )


def test_a_change_is_delivered_to_a_running_pod_and_only_once() -> None:
    subject = of_secret(status=RUNNING)
    changed = decided(running(subject, KNOWN, delivered="s0"))
    assert about_data(changed) == ["Deliver"]
    assert about_data(decided(running(subject, KNOWN, delivered="s1"))) == []


def test_what_vanished_stays_as_it_was() -> None:
    subject = of_secret(status=RUNNING)
    gone = material(missing=(ObjectKey(SECRET, "s"),))
    assert about_data(decided(running(subject, gone, delivered="s0"))) == []


def test_a_write_that_failed_is_repeated_for_tasks_that_wait_for_it() -> None:
    subject = of_secret()
    waits = observation(subject, job=with_data(subject), material=replace(KNOWN, live=False))
    assert about_data(decided(waits)) == ["Deliver"]


def test_variables_of_a_pod_that_runs_are_never_written_again() -> None:
    subject = of_secret(status=RUNNING)
    assert about_data(decided(running(subject, replace(KNOWN, live=False)))) == []


def test_after_a_restart_of_ours_the_tokens_are_looked_up_and_not_asked_for() -> None:
    subject = of_token(status=RUNNING)
    known = Material(needs=frozenset({VAULT}), live=True, stamp="s1")
    assert about_data(decided(running(subject, known))) == ["Recall"]
    assert about_data(decided(running(subject, known, recalled=True))) == ["RequestTokens"]


@pytest.mark.parametrize(("age", "renewed"), [(timedelta(minutes=7), False), (timedelta(minutes=9), True)])
def test_a_token_is_renewed_at_four_fifths_of_its_life(age: timedelta, renewed: object) -> None:
    subject = of_token(status=RUNNING)
    known = Material(tokens={VAULT: FRESH}, needs=frozenset({VAULT}), live=True, stamp="s1")
    decision = decided(running(subject, known, delivered="s1"), NOW + age)
    assert ("RequestTokens" in names(decision)) is renewed


@pytest.mark.parametrize(("behind", "renewed"), [(timedelta(seconds=30), False), (timedelta(minutes=5), True)])
def test_a_token_that_was_found_again_and_is_of_the_future_is_renewed(behind: timedelta, renewed: object) -> None:
    """Our clock is behind, and how much of the token's life is left cannot be told."""
    subject = of_token(status=RUNNING)
    known = Material(tokens={VAULT: FRESH}, needs=frozenset({VAULT}), live=True, stamp="s1")
    decision = decided(running(subject, known, delivered="s1"), NOW - behind)
    assert ("RequestTokens" in names(decision)) is renewed


def test_a_token_of_a_day_is_used_for_a_day() -> None:
    year = Token("t", NOW, NOW + timedelta(days=365))
    assert year.refresh_at(0) == NOW + timedelta(hours=24)
    assert token(life=timedelta(minutes=10)).refresh_at(1) - token().issued == timedelta(minutes=8, seconds=10)


def test_the_data_is_removed_before_the_end_is_told() -> None:
    subject = of_secret(policy="Never", status=RUNNING)
    ended = observation(
        subject,
        job=with_data(subject),
        allocations=(allocation("complete", state="dead", events=(started(), terminated(0))),),
        material=KNOWN,
    )
    order = names(decided(ended))
    assert order.index("Withdraw") < order.index("PatchStatus")


def test_a_deleted_pod_leaves_the_api_after_its_data() -> None:
    subject = of_secret(status=RUNNING, deleted_with_grace=30)
    ended = observation(
        subject,
        job=with_data(subject, stopped=True, resolved=True),
        allocations=(allocation("complete", state="dead", desired="stop", events=(started(), terminated(0))),),
    )
    order = names(decided(ended))
    assert order.index("Withdraw") < order.index("DeletePod")
    again = replace(ended, memory=Memory(withdrawn=True))
    assert "Withdraw" not in names(decided(again))


def test_the_data_of_a_job_that_somebody_purged_goes_with_its_pod() -> None:
    subject = of_secret(status=RUNNING, deleted_with_grace=30)
    gone = observation(subject, memory=Memory(delivered="s1", missing_at=NOW - timedelta(minutes=1)), confirmed=True)
    assert names(decided(gone))[0] == "Withdraw"


def test_an_orphan_is_removed_after_its_data() -> None:
    found = with_data(of_secret(), stopped=True, resolved=True)
    orphan = observation(None, absent=True, job=found)
    assert names(decided(orphan)) == ["Withdraw", "Purge", "Forget"]


def test_a_pod_without_data_asks_nothing_of_it() -> None:
    subject = pod(status=RUNNING)
    seen = observation(subject, job=job(subject), allocations=(allocation("running", events=(started(),)),))
    assert about_data(decided(seen)) == []


def test_a_change_that_does_not_fit_is_told_and_not_delivered() -> None:
    subject = of_secret(status=RUNNING)
    large = material(secrets={"s": {"k": bytes(60_000)}})
    decision = decided(running(subject, large, delivered="s0"))
    assert about_data(decision) == []
    reasons = [action.event.reason for action in decision.actions if isinstance(action, actions.Note)]
    assert reasons[-1] == "DataTooLarge"


MISSING = TaskEvent(type="Template", time=7, display_message=f"Missing: nomad.var.block(nomad/jobs/vk-{UID}@d.g)")
DELIVERED = Memory(delivered=KNOWN.stamp, recalled=True)


@pytest.mark.parametrize(
    "allocations",
    [
        (allocation("running", events=(started(), MISSING)),),
        (allocation("pending", state="pending", restarts=1, events=(started(), terminated(1), MISSING)),),
        (
            allocation("complete", state="dead", events=(started(), terminated(1)), desired="stop"),
            replace(allocation("pending", state="pending", events=(MISSING,)), id="a2", create_index=20),
        ),
    ],
    ids=["its agent was restarted", "it is restarted", "it moves"],
)
def test_data_that_somebody_removed_is_written_again_when_nomad_waits_for_it(
    allocations: tuple[Allocation, ...],
) -> None:
    subject = of_secret(status=RUNNING)
    seen = observation(subject, job=with_data(subject), allocations=allocations, material=KNOWN, memory=DELIVERED)
    note, remembered, deliver = decided(seen).actions[-3:]
    assert isinstance(note, actions.Note)
    assert note.event.reason == "NomadVariableMissing"
    assert isinstance(deliver, actions.Deliver)
    assert isinstance(remembered, actions.Remember)
    known = replace(DELIVERED, **remembered.changes)
    assert about_data(decided(replace(seen, memory=known))) == []


def test_a_container_that_waits_for_its_first_data_is_no_news() -> None:
    subject = of_secret()
    first = allocation("pending", state="pending", events=(MISSING,))
    seen = observation(subject, job=with_data(subject), allocations=(first,), material=KNOWN, memory=DELIVERED)
    assert about_data(decided(seen)) == []
