# What vnode's Nomad token may do:
#   nomad acl policy apply -description "Pods of Kubernetes" vnode nomad-policy.hcl
#   nomad acl token create -name vnode -policy vnode
#
# List the Nomad namespaces of your --namespace-map and nothing else. There is no "agent", "operator" or "node write":
# vnode reads clients to publish them as a Node, it never changes one. Where Pods may use raw_exec, and kubectl exec into
# them is wanted, add "alloc-node-exec": such a command runs on the client itself, as everything of raw_exec does.

# Variables hold what the Pods' ConfigMaps and Secrets hold, and their tokens: read so that nothing is written twice.

namespace "default" {
  capabilities = ["list-jobs", "read-job", "submit-job", "alloc-lifecycle", "alloc-exec", "read-fs"]

  # Whether a Pod that runs once may start, and the data of Pods with ConfigMaps, Secrets or tokens.
  variables {
    path "nomad/jobs/vk-*" {
      capabilities = ["read", "write", "destroy"]
    }
  }
}

namespace "k8s-*" {
  capabilities = ["list-jobs", "read-job", "submit-job", "alloc-lifecycle", "alloc-exec", "read-fs"]

  # Whether a Pod that runs once may start, and the data of Pods with ConfigMaps, Secrets or tokens.
  variables {
    path "nomad/jobs/vk-*" {
      capabilities = ["read", "write", "destroy"]
    }
  }
}

node {
  policy = "read"
}
