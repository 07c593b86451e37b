"""What an administrator sets for Jupyter ZT reaches every part that it is meant for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.extension.jupyter_stack import running_jupyter
from tests.fixtures_postgres import PostgresServer


async def test_recordings_are_guarded_wherever_they_are(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    folder = tmp_path / "root" / "evidence"
    settings = [f"c.ZT.recordings_dir = {str(folder)!r}"]
    with running_jupyter(tmp_path, postgres, own_settings=settings) as jupyter:
        analyst, reviewer = jupyter.person("analyst"), jupyter.person("reviewer")
        auditor = jupyter.person("auditor")
        kernel, _ = analyst.start_kernel("a.ipynb")
        page = await analyst.page(kernel)
        [listed] = [
            message["content"]["text"]
            for message in await page.run("import os; print(os.listdir('evidence'))")
            if message["header"]["msg_type"] == "stream"
        ]
        assert analyst.http.delete(f"/api/kernels/{kernel}").status_code == 204

        [recording] = folder.glob("a.*.zt.ipynb")
        path = f"/api/contents/evidence/{recording.name}"
        body = {"type": "file", "format": "text", "content": "x"}
        assert listed == "[]\n"
        assert not jupyter.recordings.exists()
        for person, status, count in ((analyst, 200, 1), (reviewer, 403, 0), (auditor, 200, 1)):
            assert person.http.get(path).status_code == status
            assert len(person.http.get("/api/contents/evidence").json()["content"]) == count
            assert person.http.put(path, json=body).status_code == 403
            assert person.http.delete("/api/contents/evidence").status_code == 403
        ordinary = {"type": "directory"}
        assert analyst.http.put("/api/contents/recordings", json=ordinary).status_code == 201


def test_a_risk_that_the_extensions_own_settings_accept_is_accepted_and_said(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "bin" / "bwrap"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=":")
    settings = ["c.ZT.allow_unsandboxed = True"]
    with running_jupyter(tmp_path, postgres, own_settings=settings) as jupyter:
        analyst = jupyter.person("analyst")
        kernel, _ = analyst.start_kernel("a.ipynb")
        [session] = analyst.http.get("/zt/api/sessions").json()

        assert analyst.http.get("/zt/api/me").json()["unsandboxed"] is True
        assert session["sandbox"]["state"] == "unsandboxed"
        assert analyst.http.delete(f"/api/kernels/{kernel}").status_code == 204
