"""The bed's Node with a real kubelet: does it run what vnode runs, so that the two can be compared?"""

import pytest

from tests.e2e.bed.bed import Bed
from tests.e2e.bed.real_node import real_node
from tests.e2e.conftest import Namespaces
from tests.e2e.manifests import pod


@pytest.mark.timeout(300, func_only=True)
def test_a_pod_moves_by_the_name_of_its_node_alone(bed: Bed, namespaces: Namespaces) -> None:
    with real_node(bed) as node, namespaces() as namespace:
        namespace.create(pod("there", "echo hello; exec sleep 3600", node=node.name, terminationGracePeriodSeconds=1))
        found = namespace.wait_ready("there")
        assert found["spec"]["nodeName"] == node.name
        assert found["status"]["containerStatuses"][0]["containerID"].startswith("containerd://")
        assert namespace.logs("there") == "hello\n"
        assert namespace.kubectl("exec", "there", "--", "cat", "/etc/hostname").stdout == "there\n"
