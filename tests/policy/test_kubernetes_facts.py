"""Kubernetes requests and kubectl lines to facts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_zt.model import Facts, KubernetesFacts, Risk, Verb
from jupyter_zt.policy import analyze_kubernetes

NS = "/api/v1/namespaces/shop"
APPS = "/apis/apps/v1/namespaces/shop"


def found(command: str) -> KubernetesFacts:
    facts = analyze_kubernetes(command)
    assert facts.kubernetes is not None, facts.unknown
    assert Facts.from_json(facts.to_json()) == facts
    return facts.kubernetes


@pytest.mark.parametrize(
    ("request_line", "facts"),
    [
        (f"GET {NS}/pods", KubernetesFacts("list", "", "v1", "pods", "", "shop")),
        (f"GET {NS}/pods/web",
         KubernetesFacts("get", "", "v1", "pods", "", "shop", "web", selective=True)),
        (f"GET {NS}/pods/web/log",
         KubernetesFacts("get", "", "v1", "pods", "log", "shop", "web", selective=True)),
        (f"GET {NS}/pods?watch=1&labelSelector=a%3Db",
         KubernetesFacts("watch", "", "v1", "pods", "", "shop", selective=True)),
        (f"GET {NS}/pods?watch=false", KubernetesFacts("list", "", "v1", "pods", "", "shop")),
        (f"GET {NS}/pods?fieldSelector=metadata.name%3Dweb",
         KubernetesFacts("list", "", "v1", "pods", "", "shop", "web", selective=True)),
        ("GET /api/v1/nodes", KubernetesFacts("list", "", "v1", "nodes")),
        ("GET /api/v1/namespaces", KubernetesFacts("list", "", "v1", "namespaces")),
        (f"GET {NS}",
         KubernetesFacts("get", "", "v1", "namespaces", "", "shop", "shop", selective=True)),
        (f"PUT {NS}/finalize",
         KubernetesFacts("update", "", "v1", "namespaces", "finalize", "shop", "shop",
                         selective=True)),
        (f"POST {APPS}/deployments?dryRun=All",
         KubernetesFacts("create", "apps", "v1", "deployments", "", "shop", dry_run=True)),
        (f"DELETE {APPS}/deployments/web",
         KubernetesFacts("delete", "apps", "v1", "deployments", "", "shop", "web",
                         selective=True)),
        (f"DELETE {APPS}/deployments",
         KubernetesFacts("deletecollection", "apps", "v1", "deployments", "", "shop")),
        ("GET /version", KubernetesFacts("get", path="/version")),
        ("GET /apis/apps/v1", KubernetesFacts("get", path="/apis/apps/v1")),
    ],
)  # fmt: skip
def test_a_request_is_what_the_api_server_sees(request_line: str, facts: KubernetesFacts) -> None:
    assert found(request_line) == facts


def test_the_name_of_what_is_created_is_in_its_manifest() -> None:
    manifest = '{"kind": "Pod", "metadata": {"name": "web", "namespace": "shop"}}'
    assert found(f"POST {NS}/pods\n\n{manifest}").name == "web"


@pytest.mark.parametrize(
    ("line", "request_line"),
    [
        ("kubectl get pods -n shop", f"GET {NS}/pods"),
        ("kubectl get po web --namespace=shop", f"GET {NS}/pods/web"),
        ("kubectl get deploy/web -n shop -o yaml", f"GET {APPS}/deployments/web"),
        ("kubectl get pods -A -l app=web", "GET /api/v1/pods?labelSelector=app%3Dweb"),
        ("kubectl get pods -w -n shop", f"GET {NS}/pods?watch=true"),
        ("kubectl get widgets.example.com -n shop",
         "GET /apis/example.com/v1/namespaces/shop/widgets"),
        ("kubectl get nodes", "GET /api/v1/nodes"),
        ("kubectl describe svc web -n shop", f"GET {NS}/services/web"),
        ("kubectl logs web -n shop -c app --tail 5 -f", f"GET {NS}/pods/web/log"),
        ("kubectl delete pod web -n shop --dry-run=server", f"DELETE {NS}/pods/web?dryRun=All"),
        ("kubectl scale deploy web --replicas=3 -n shop",
         (f'PATCH {APPS}/deployments/web/scale\nContent-Type: application/merge-patch+json\n\n'
         '{"spec": {"replicas": 3}}')),
        ("kubectl rollout restart deploy/web -n shop",
         f"PATCH {APPS}/deployments/web\nContent-Type: application/merge-patch+json\n\n{{}}"),
        ("kubectl rollout status deploy/web -n shop", f"GET {APPS}/deployments/web"),
        ("kubectl label pod web a=b -n shop",
         f"PATCH {NS}/pods/web\nContent-Type: application/merge-patch+json\n\n{{}}"),
        ("kubectl patch deploy web -n shop --type=json -p '[]'",
         f"PATCH {APPS}/deployments/web\nContent-Type: application/json-patch+json\n\n[]"),
        (("kubectl apply -f - -n shop\n\napiVersion: apps/v1\nkind: Deployment\n"
         "metadata: {name: web}"),
         (f"PATCH {APPS}/deployments/web\nContent-Type: application/apply-patch+yaml\n\n"
         "metadata: {name: web}")),
        (("kubectl create -f -\n\napiVersion: v1\nkind: Pod\n"
         "metadata: {name: web, namespace: shop}"),
         f"POST {NS}/pods\n\nmetadata: {{name: web}}"),
        ("kubectl version", "GET /version"),
    ],
)  # fmt: skip
def test_a_line_is_the_request_that_it_sends(line: str, request_line: str) -> None:
    assert analyze_kubernetes(line) == analyze_kubernetes(request_line)
    assert analyze_kubernetes(line).unknown == ""


@pytest.mark.parametrize(
    ("command", "risks"),
    [
        (f"GET {NS}/pods", set()),
        (f"DELETE {NS}/pods/web", {Risk.DESTRUCTIVE}),
        (f"DELETE {NS}/pods", {Risk.DESTRUCTIVE, Risk.UNBOUNDED}),
        (f"DELETE {NS}/pods?labelSelector=a", {Risk.DESTRUCTIVE}),
        (f"POST {NS}/pods/web/eviction", {Risk.DESTRUCTIVE}),
        ("GET /metrics", {Risk.CATALOG}),
        ("GET /logs/", {Risk.CATALOG}),
        ("GET /apis/rbac.authorization.k8s.io/v1/clusterroles", set()),
        ("GET /apis/example.com/v1/secrets", set()),
    ],
)
def test_the_risks_of_a_request(command: str, risks: set[Risk]) -> None:
    assert analyze_kubernetes(command).risks == risks


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text())
def test_the_analyzer_never_raises(one: str, other: str) -> None:
    for command in (
        one,
        f"GET /api/v1/{one}",
        f"kubectl get {one}",
        f"kubectl apply -f -\n\n{other}",
        f"PATCH {NS}/pods/x\nContent-Type: application/json-patch+json\n\n[{one}]",
    ):
        facts = analyze_kubernetes(command)
        assert (facts.verb is Verb.UNKNOWN) == bool(facts.unknown)
        assert not facts.unknown.startswith("its analysis failed"), facts.unknown
