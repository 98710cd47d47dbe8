"""A key travels as each SDK sends it, opens what its team may call, and nothing else."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import anthropic
import openai
import pytest

from clients import anthropic_talk, openai_talk
from clients.scene import NARROW_TEAM, TARGETS, configuration
from rig.program import await_until

QUESTION = [{"role": "user", "content": "Hi"}]


def post(url: str, body: dict, **headers: str) -> tuple[int, dict]:
    """One request without an SDK: the status and the JSON body."""
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json", **headers})
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("header", ["authorization", "x_api_key", "x_goog_api_key"])
def test_a_key_opens_either_dialect_in_any_header_that_an_sdk_uses(gateway, key, path, header):
    value = f"Bearer {key}" if header == "authorization" else key
    status, body = post(
        gateway.url + path, {"model": TARGETS["openai"], "max_tokens": 20, "messages": QUESTION}, **{header: value}
    )
    assert status == 200, body


@pytest.mark.parametrize("wrong", ["an-invented-key", "sk-sim-openai-0123456789"], ids=["invented", "the-providers"])
def test_a_wrong_key_is_the_openai_sdks_authentication_error(gateway, key, sim, wrong, stream):
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=wrong, max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as refused:
            openai_talk.ask(client, stream, model=TARGETS["openai"], messages=QUESTION)
    assert refused.value.body["message"]
    assert refused.value.body["code"]
    assert wrong not in str(refused.value), "an error never repeats a credential"
    assert sim.log() == [], "nothing was sent"


@pytest.mark.parametrize("credential", ["api_key", "auth_token"])
def test_a_wrong_key_is_the_anthropic_sdks_authentication_error(gateway, key, sim, credential, stream):
    with anthropic.Anthropic(base_url=gateway.url, max_retries=0, **{credential: "an-invented-key"}) as client:
        with pytest.raises(anthropic.AuthenticationError) as refused:
            anthropic_talk.ask(client, stream, model=TARGETS["anthropic"], messages=QUESTION)
    assert refused.value.body["type"] == "error"
    assert refused.value.body["error"]["type"] == "authentication_error"
    assert sim.log() == [], "nothing was sent"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_once_a_key_exists_every_call_needs_one(gateway, key, path):
    status, body = post(gateway.url + path, {"model": TARGETS["openai"], "max_tokens": 20, "messages": QUESTION})
    assert status == 401
    assert body["error"]["message"]


def test_the_right_key_in_the_anthropic_sdks_auth_token_is_accepted(gateway, key):
    with anthropic.Anthropic(base_url=gateway.url, auth_token=key, max_retries=0) as client:
        assert anthropic_talk.ask(client, False, model=TARGETS["openai"], messages=QUESTION).text


def test_a_teams_key_calls_its_workflow_and_no_other_target(gateway, key):
    narrow = gateway.create_key(NARROW_TEAM)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=narrow, max_retries=0) as client:
        assert openai_talk.ask(client, False, model="small-talk", messages=QUESTION).text
        with pytest.raises(openai.PermissionDeniedError) as refused:
            openai_talk.ask(client, False, model=TARGETS["openai"], messages=QUESTION)
    assert TARGETS["openai"] in str(refused.value), "the error names what was not allowed"


def test_a_revoked_key_opens_nothing(gateway, key):
    made = gateway.create_key_and_id(NARROW_TEAM)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=made["key"], max_retries=0) as client:
        assert openai_talk.ask(client, False, model="small-talk", messages=QUESTION).text
        gateway.command("keys", "revoke", made["id"])

        def refused() -> bool:
            try:
                openai_talk.ask(client, False, model="small-talk", messages=QUESTION)
            except openai.AuthenticationError:
                return True
            return False

        await_until(refused, "the running server to hear of it", 5)


def test_while_no_key_exists_loopback_needs_none(start_gateway, sim):
    gateway = start_gateway(configuration(sim))
    status, body = post(gateway.url + "/v1/chat/completions", {"model": "small-talk", "messages": QUESTION})
    assert status == 200, body
    with anthropic.Anthropic(base_url=gateway.url, api_key="whatever", max_retries=0) as client:
        assert anthropic_talk.ask(client, False, model="small-talk", messages=QUESTION).text
