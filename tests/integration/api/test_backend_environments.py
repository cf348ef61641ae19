from __future__ import annotations

from typing import Any

from tests.support.control import InProcess, refused


def test_life_of_an_environment(client: Any) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    given = {"stackName": "amplify-site", "deploymentArtifacts": "site-deployment"}
    created = client.create_backend_environment(appId=app_id, environmentName="prod", **given)
    environment = created["backendEnvironment"]
    assert environment == {
        "backendEnvironmentArn": f"arn:aws:amplify:us-east-1:000000000000:apps/{app_id}"
        "/backendenvironments/prod",
        "environmentName": "prod",
        **given,
        "createTime": environment["createTime"],
        "updateTime": environment["createTime"],
    }
    assert (
        client.get_backend_environment(appId=app_id, environmentName="prod")["backendEnvironment"]
        == environment
    )
    deleted = client.delete_backend_environment(appId=app_id, environmentName="prod")
    assert deleted["backendEnvironment"] == environment
    for call in (client.get_backend_environment, client.delete_backend_environment):
        with refused("NotFoundException", "Backend environment prod not found."):
            call(appId=app_id, environmentName="prod")


def test_names_are_filled_in(client: Any) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    for name in ("dev", "x" * 255):
        found = client.create_backend_environment(appId=app_id, environmentName=name)["backendEnvironment"]
        assert found["stackName"].startswith(f"amplify-{app_id}-{name[:3]}")
        assert found["deploymentArtifacts"] == f"{found['stackName']}-deployment"


def test_name_is_taken_once(client: Any) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    other = client.create_app(name="other")["app"]["appId"]
    client.create_backend_environment(appId=app_id, environmentName="dev")
    client.create_backend_environment(appId=other, environmentName="dev")
    with refused("BadRequestException", f"already exists for the app {app_id}"):
        client.create_backend_environment(appId=app_id, environmentName="dev")


def test_list_with_and_without_name(client: Any) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    names = ["b", "a", "c"]
    for name in names:
        client.create_backend_environment(appId=app_id, environmentName=name)

    def listed(**more: Any) -> list[str]:
        found = client.list_backend_environments(appId=app_id, **more)
        return [one["environmentName"] for one in found["backendEnvironments"]]

    assert listed() == names
    assert listed(environmentName="a") == ["a"]
    assert listed(environmentName="none") == []


def test_unknown_app(client: Any, preamp: InProcess) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    client.create_backend_environment(appId=app_id, environmentName="dev")
    there = preamp.client(region="eu-west-1")
    with refused("NotFoundException", f"App {app_id} not found."):
        there.get_backend_environment(appId=app_id, environmentName="dev")
    with refused("NotFoundException", "App dnone not found."):
        client.list_backend_environments(appId="dnone")


def test_environments_go_with_their_app(client: Any, preamp: InProcess) -> None:
    app_id = client.create_app(name="site")["app"]["appId"]
    client.create_backend_environment(appId=app_id, environmentName="dev")
    client.delete_app(appId=app_id)
    with preamp.database.read() as conn:
        assert conn.exec_driver_sql("SELECT count(*) FROM backend_environments").scalar() == 0
