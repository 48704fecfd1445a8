# What vnode's Nomad token may do:
#   nomad acl policy apply -description "Pods of Kubernetes" vnode nomad-policy.hcl
#   nomad acl token create -name vnode -policy vnode
#
# List the Nomad namespaces of your --namespace-map and nothing else. There is no "agent", "operator" or "node write":
# vnode reads clients to publish them as a Node, it never changes one.

namespace "default" {
  capabilities = ["list-jobs", "read-job", "submit-job", "alloc-lifecycle", "read-fs"]

  # Whether a Pod that runs once may start is a variable; it holds nothing but an allocation's ID.
  variables {
    path "nomad/jobs/vk-*" {
      capabilities = ["list", "write", "destroy"]
    }
  }
}

namespace "k8s-*" {
  capabilities = ["list-jobs", "read-job", "submit-job", "alloc-lifecycle", "read-fs"]

  # Whether a Pod that runs once may start is a variable; it holds nothing but an allocation's ID.
  variables {
    path "nomad/jobs/vk-*" {
      capabilities = ["list", "write", "destroy"]
    }
  }
}

node {
  policy = "read"
}
