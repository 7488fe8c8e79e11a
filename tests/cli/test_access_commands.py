"""Users and keys by command: what is printed once, what is listed, and what is refused."""

from __future__ import annotations

from pathlib import Path

from cli_process import Deeplens, Result


def test_users_and_keys(deeplens: Deeplens, tmp_path: Path) -> None:
    folder = tmp_path / "w"
    assert deeplens("init", folder).code == 0

    def run(*words: str) -> Result:
        return deeplens("--workspace", folder, *words)

    made = run("users", "invite", "ana", "--role", "admin", "--url", "https://pictures.example.org/")
    assert made.out.startswith("https://pictures.example.org/sign-in/link?token=")
    with (folder / "workspace.toml").open("a", encoding="utf-8") as stream:
        stream.write('\n[service]\nport = 8443\ntls_cert = "cert.pem"\ntls_key = "key.pem"\n')
    link = run("users", "reset-link", "ana", "--json").json["summary"]["link"]
    assert link.startswith("https://127.0.0.1:8443/sign-in/link?token=")
    wrong = run("users", "invite", "bo", "--role", "boss")
    assert (wrong.code, "analyst" in wrong.err) == (2, True)
    assert run("users", "invite", "bo").code == 0
    assert "bo is approver" in run("users", "role", "bo", "approver").out
    # Neither has set a password, so that no administrator is left whom this could shut out.
    assert run("users", "role", "ana", "viewer").code == 0
    key = run("keys", "make", "nightly", "--user", "bo", "--scope", "search:read", "--expires", "90d").out
    assert key.startswith("dlk_")
    refused = run("keys", "make", "x", "--user", "bo", "--scope", "admin")
    assert (refused.code, "plans:approve" in refused.err) == (2, True)
    listed = run("keys", "list", "--json")
    assert key.split()[0] not in listed.out
    (row,) = listed.json["rows"]
    assert (row["user"], row["scopes"], row["last_used_at"]) == ("bo", "search:read", None)
    # An id is meant before a name: anybody can call a key so.
    assert run("keys", "make", row["key_id"], "--user", "bo", "--scope", "search:read").code == 0
    assert "(nightly, of bo) is not good any more" in run("keys", "revoke", row["key_id"]).out
    assert "signed out" in run("users", "disable", "bo").out
    assert [(user["name"], user["active"]) for user in run("users", "list", "--json").json["rows"]] == [
        ("ana", True),
        ("bo", False),
    ]
    assert run("users", "enable", "bo").code == 0
    told = run("audit", "--action", "user", "--json").out
    assert "token=" not in told and link.rpartition("=")[2] not in told
