"""HTTP requests to facts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_zt.errors import ConfigError
from jupyter_zt.model import Facts, HttpFacts, Risk, Verb
from jupyter_zt.policy import HttpSurface, OpenApi, analyze_http

DOCUMENT = {
    "openapi": "3.1.0",
    "servers": [{"url": "https://api.example/v1"}],
    "paths": {
        "/orders": {"get": {"operationId": "listOrders"}, "post": {"operationId": "addOrder"}},
        "/orders/{id}": {"get": {"operationId": "getOrder"}, "parameters": []},
        "/orders/mine": {"get": {"operationId": "myOrders"}},
        "/orders/{id}/items/{item}": {"delete": {}},
        "/reports/{name}.csv": {"get": {"operationId": "report"}},
        "/x/{a}/y": {"get": {"operationId": "one"}},
        "/x/y/{b}": {"get": {"operationId": "two"}},
    },
}
API = HttpSurface.at("https://api.example", OpenApi(DOCUMENT))


def test_everything_about_a_request() -> None:
    facts = analyze_http(
        "POST /v1/orders?notify=no&tag=a+b HTTP/1.1\n"
        "Content-Type: application/json; charset=utf-8\nAccept: application/json\n\n"
        '{"customer": {"name": "x"}, "items": [{"id": 1}, {"id": 2}], "a.b": [], "n": null}',
        API,
    )
    assert facts == Facts(
        Verb.HTTP_POST,
        http=HttpFacts(
            "POST",
            "https",
            "api.example",
            443,
            "/v1/orders",
            "/v1/orders",
            "addOrder",
            query=frozenset({"notify", "tag"}),
            query_values=frozenset({"notify=no", "tag=a b"}),
            headers=frozenset({"content-type", "accept"}),
            body="json",
            body_fields=frozenset({"customer.name", "items[].id", '"a.b"', "n"}),
            body_bytes=82,
        ),
    )
    assert Facts.from_json(facts.to_json()) == facts


@pytest.mark.parametrize(
    ("request_line", "template", "operation"),
    [
        ("GET /v1/orders", "/v1/orders", "listOrders"),
        ("GET /v1/orders/5", "/v1/orders/{id}", "getOrder"),
        ("GET /v1/x/../orders/%35", "/v1/orders/{id}", "getOrder"),
        ("GET /v1/orders/mine", "/v1/orders/mine", "myOrders"),
        ("PUT /v1/orders/5", "/v1/orders/{id}", ""),
        ("DELETE /v1/orders/5/items/7", "/v1/orders/{id}/items/{item}",
         "DELETE /orders/{id}/items/{item}"),
        ("GET /v1/reports/march.csv", "/v1/reports/{name}.csv", "report"),
        ("GET /v1/reports/march.xml", "", ""),
        ("GET /v1/orders/", "", ""),
        ("GET /orders", "", ""),
        ("GET /v1/x/y/y", "", ""),  # two templates fit, and the document does not say which
        ("GET https://other.example/v1/orders", "", ""),
    ],
)  # fmt: skip
def test_the_documents_operation(request_line: str, template: str, operation: str) -> None:
    facts = analyze_http(request_line, API)
    assert facts.http is not None
    assert (facts.http.template, facts.http.operation) == (template, operation)


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "fields"),
    [
        ("application/json", "5", "json", set()),
        ("application/problem+json", '{"a": {}}', "json", {"a"}),
        ("application/x-www-form-urlencoded", "a=1&b%20c=2", "form", {"a", "b c"}),
        ("text/csv", "a,b", "text", set()),
        ("image/png", "x", "binary", set()),
        ("", "x", "binary", set()),
    ],
)
def test_the_shape_of_a_body(content_type: str, body: str, kind: str, fields: set[str]) -> None:
    head = f"PUT /\nContent-Type: {content_type}\n\n" if content_type else "PUT /\n\n"
    facts = analyze_http(head + body, API)
    assert facts.http is not None
    assert (facts.http.body, facts.http.body_fields) == (kind, fields)


def test_a_delete_destroys() -> None:
    assert analyze_http("DELETE /v1/orders/5", API).risks == {Risk.DESTRUCTIVE}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"openapi": "3.0.0"},
        {"openapi": "9", "paths": {}},
        {"openapi": "3.0.0", "paths": {"/a//b": {}}},
    ],
)
def test_a_document_that_is_none_is_an_error(document: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        OpenApi(document)


@settings(max_examples=300, deadline=None)
@given(st.text(), st.text())
def test_the_analyzer_never_raises(target: str, rest: str) -> None:
    for command in (
        target,
        f"GET /{target}",
        f"GET https://{target}/",
        f"POST /\n{rest}\n\n{target}",
    ):
        facts = analyze_http(command, API)
        assert (facts.verb is Verb.UNKNOWN) == bool(facts.unknown)
        assert not facts.unknown.startswith("its analysis failed")
