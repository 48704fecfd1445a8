"""The catalogue: everything that `vnode doctor` can find wrong, and what to do about it.

docs/doctor.md lists the same, checked by a unit test. The advice names flags; what stands in braces is filled in with
what was seen.
"""

from enum import Enum


class Status(Enum):
    """How a check ended; the value is how it is printed."""

    OK = "ok"
    #: Nothing is wrong, but something cannot be known from here.
    HINT = "hint"
    #: A run works, though not as well or as safely as it could.
    WARNING = "warning"
    #: A run does not work, or not for every Pod.
    FAILURE = "failure"
    #: An earlier check failed, so that this one means nothing.
    SKIPPED = "skipped"


_HINT, _WARNING, _FAILURE = Status.HINT, Status.WARNING, Status.FAILURE


class Problem(Enum):
    """One kind of problem: how bad it is, what it is, and what to do."""

    def __init__(self, status: Status, meaning: str, advice: str) -> None:
        self.status = status
        self.meaning = meaning
        self.advice = advice

    @property
    def id(self) -> str:
        """The name by which output and documentation call it."""
        return self.name.lower().replace("_", "-")

    KUBERNETES_CREDENTIALS = (
        _FAILURE,
        "The kubeconfig cannot be used, or the API server does not accept the identity in it.",
        (
            "Give --kubeconfig a file with a valid user, for instance with a token of "
            "`kubectl create token vnode --namespace vnode`."
        ),
    )
    KUBERNETES_ADDRESS = (
        _FAILURE,
        "The API server does not answer.",
        "Correct clusters[].cluster.server in the kubeconfig, and let firewalls and network policies pass it.",
    )
    KUBERNETES_CA = (
        _FAILURE,
        "The API server's certificate is not signed by the authority in the kubeconfig.",
        (
            "Put the cluster's own authority into clusters[].cluster.certificate-authority of the kubeconfig "
            "(ConfigMap kube-root-ca.crt holds it)."
        ),
    )
    KUBERNETES_TLS_NAME = (
        _FAILURE,
        "The API server's certificate is for another name than the one it is called by.",
        "Call it by a name in the certificate, or set clusters[].cluster.tls-server-name in the kubeconfig.",
    )
    KUBERNETES_VERSION = (
        _FAILURE,
        "The API server is older than vnode supports.",
        "Upgrade Kubernetes to {minimum} or newer.",
    )
    RBAC = (
        _FAILURE,
        "A right that vnode needs in Kubernetes is not granted.",
        "kubectl apply -f deploy/base/vnode/rbac.yaml, and bind its roles to {user}.",
    )
    CLIENT_CA = (
        _FAILURE,
        "The authority of the API server's client certificate is not known: `kubectl logs` would get 401.",
        "Give --client-ca-file the authority that signed the API server's --kubelet-client-certificate.",
    )
    SERVING_SELF_SIGNED = (
        _WARNING,
        "No serving certificate is set, so vnode signs its own: an API server that verifies kubelets refuses it.",
        (
            "Nothing, where the API server has no --kubelet-certificate-authority. Else let the cluster sign one "
            "(--server-tls-bootstrap), or give --kubelet-certificate and --kubelet-key a certificate of that "
            "authority. Until then only `kubectl logs --insecure-skip-tls-verify-backend` works."
        ),
    )
    SERVING_APPROVAL = (
        _HINT,
        "The cluster signs the serving certificate once somebody approves vnode's request, which is not known here.",
        (
            "While vnode runs: `kubectl get certificatesigningrequests`, look at the request of the Node, and "
            "`kubectl certificate approve <its name>`; or let an approver do it, at each renewal too."
        ),
    )
    SERVING_FILES = (
        _FAILURE,
        "The serving certificate or its key cannot be used.",
        "Give both --kubelet-certificate and --kubelet-key files in PEM that vnode may read and that belong together.",
    )
    SERVING_EXPIRED = (
        _FAILURE,
        "The serving certificate is not valid at this time.",
        "Renew it; vnode reads a changed file by itself.",
    )
    SERVING_NAME = (
        _FAILURE,
        "The serving certificate does not hold the Node's address.",
        "Have one issued with {address} among its subject alternative names, or change --node-address.",
    )
    SERVING_UNTRUSTED = (
        _WARNING,
        "No authority of the cluster that is known here signed the serving certificate.",
        (
            "Nothing, where the API server has no --kubelet-certificate-authority or that one signed it. Else have it "
            "signed by that authority, for instance by a CertificateSigningRequest with signer "
            "kubernetes.io/kubelet-serving and `kubectl certificate approve`. Until then only "
            "`kubectl logs --insecure-skip-tls-verify-backend` works."
        ),
    )
    CLOCK_SKEW = (
        _WARNING,
        "Our clock and a peer's differ: by more than 5 s a warning, by more than 60 s a failure.",
        "Let the machines keep time by NTP; tokens, certificates and the age of leases are judged by these clocks.",
    )
    NOMAD_SETTINGS = (
        _FAILURE,
        "A setting or file about Nomad cannot be used.",
        "Correct the setting; files must be in PEM where they are certificates, and readable for vnode's user.",
    )
    NOMAD_ADDRESS = (
        _FAILURE,
        "Nobody answers at an address of Nomad. A warning while another address answers.",
        "Start Nomad there or correct --nomad-address, and let firewalls and network policies pass it.",
    )
    NOMAD_SCHEME = (
        _FAILURE,
        "Nomad speaks TLS where http:// is set, or no TLS where https:// is set.",
        "Write --nomad-address {address}.",
    )
    NOMAD_CA = (
        _FAILURE,
        "Nomad's certificate is not signed by an authority that is trusted.",
        "Give --nomad-ca-cert the authority that signed the certificates of Nomad's agents (tls.ca_file there).",
    )
    NOMAD_TLS_NAME = (
        _FAILURE,
        "Nomad's certificate is for another name than the host of its address.",
        "Set --nomad-tls-server-name {name}, the name in certificates of `nomad tls cert create -server`.",
    )
    NOMAD_CERTIFICATE_EXPIRED = (
        _FAILURE,
        "Nomad's certificate is not valid at this time.",
        "Renew the certificate of that agent (tls.cert_file), and reload it with SIGHUP; or set our clock right.",
    )
    NOMAD_CLIENT_CERT = (
        _FAILURE,
        "Nomad demands a client certificate (tls.verify_https_client), and none was shown or it was not accepted.",
        (
            "Give --nomad-client-cert and --nomad-client-key a valid certificate of Nomad's authority "
            "(`nomad tls cert create -cli`)."
        ),
    )
    NOMAD_CLEAR_TEXT = (
        _WARNING,
        "The token travels unencrypted.",
        "Switch on tls.http in Nomad's agents, and write --nomad-address https://….",
    )
    NOMAD_LEADER = (
        _FAILURE,
        "Nomad answers but has no leader: nothing can be read or started.",
        "Look at `nomad server members` and `nomad operator raft list-peers`; a majority of the servers must be up.",
    )
    NOMAD_REGION = (
        _FAILURE,
        "Nomad does not know the region.",
        "Set --nomad-region to one of: {regions}.",
    )
    NOMAD_TOKEN = (
        _FAILURE,
        "Nomad does not accept the token, or none is given although ACLs are on.",
        (
            "Create one with `nomad acl token create -name vnode -policy vnode`, and give its SecretID with "
            "--nomad-token-file or NOMAD_TOKEN."
        ),
    )
    NOMAD_ACL_OFF = (
        _WARNING,
        "Nomad's ACLs are off: whoever reaches its API may run anything on its clients.",
        "Set `acl {{ enabled = true }}` in Nomad's agents, `nomad acl bootstrap`, and make a token for vnode.",
    )
    NOMAD_MANAGEMENT_TOKEN = (
        _WARNING,
        "The token may do everything in Nomad.",
        "Make one with no more than deploy/base/vnode/nomad-policy.hcl.",
    )
    NOMAD_NAMESPACE = (
        _FAILURE,
        "A Nomad namespace that --namespace-map leads to does not exist.",
        "nomad namespace apply {namespace}, or change --namespace-map.",
    )
    NOMAD_CAPABILITY = (
        _FAILURE,
        "The token lacks a capability.",
        "Add it to the token's policy: {rule} (all of them: deploy/base/vnode/nomad-policy.hcl).",
    )
    NOMAD_CAPABILITY_UNKNOWN = (
        _HINT,
        "Whether the token has a capability is not known: its policies are not readable, and no Pod runs to try it on.",
        "Compare the token's policies with deploy/base/vnode/nomad-policy.hcl, or look again when Pods run.",
    )
    NOMAD_POOL_EMPTY = (
        _FAILURE,
        "No Nomad client of the node pool and datacenters can take a Pod.",
        (
            'Start a client with `client {{ node_pool = "{pool}" }}`, end its drain or make it eligible '
            "(`nomad node status`), or change --node-pool or --datacenters."
        ),
    )
    NOMAD_DRIVER = (
        _FAILURE,
        "The default driver is healthy on no client of the pool. A warning for another driver that the policy allows.",
        (
            "Enable it on the clients (`nomad node status -verbose` says why it is not healthy), or change "
            "--default-driver or the policy."
        ),
    )
    NOMAD_VERSION = (
        _FAILURE,
        "A Nomad agent is older than vnode supports.",
        "Upgrade Nomad to {minimum} or newer.",
    )
    GC_MAX_ALLOCS = (
        _WARNING,
        "A client keeps few allocations: running ones count too, and above it the logs of finished Pods are deleted.",
        "Set `client {{ gc_max_allocs = {recommended} }}` on it.",
    )
    GC_MAX_ALLOCS_UNKNOWN = (
        _HINT,
        'gc_max_allocs of a client is not known: that needs `agent { policy = "read" }` and a way to its address.',
        (
            "See that `client {{ gc_max_allocs = {recommended} }}` is set on the clients; the default, 50, "
            "deletes logs of finished Pods early."
        ),
    )
