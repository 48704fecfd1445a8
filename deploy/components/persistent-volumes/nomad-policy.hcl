# What vnode's Nomad token may do beside nomad-policy.hcl of deploy/base/vnode, to serve PersistentVolumeClaims:
#   nomad acl policy apply -description "Volumes of Kubernetes" vnode-volumes nomad-policy.hcl
#   nomad acl token update -policy-name vnode -policy-name vnode-volumes <accessor>
#
# List the Nomad namespaces of your --namespace-map and nothing else.

namespace "default" {
  capabilities = ["host-volume-read", "host-volume-create", "host-volume-delete"]
}

namespace "k8s-*" {
  capabilities = ["host-volume-read", "host-volume-create", "host-volume-delete"]
}

# Those that vnode makes. A volume of your own that a PersistentVolume names needs a rule with its name.
host_volume "pvc-*" {
  policy = "write"
}
