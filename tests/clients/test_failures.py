"""What a client sees when something is wrong: its own SDK's error class, a sentence that helps, and never an answer
that is not one. Each test has a gateway of its own, since a failing target is rested for a while."""

from __future__ import annotations

import urllib.error
import urllib.request

import anthropic
import openai
import pytest

from clients import anthropic_talk, openai_talk
from clients.scene import TARGETS, TEAM, configuration
from rig.gateway import PROVIDER_KEYS

QUESTION = [{"role": "user", "content": "Hi"}]


class Asker:
    """One of the two SDKs, asked in the same way."""

    def __init__(self, sdk, talk, client) -> None:
        self.sdk, self.talk, self.client = sdk, talk, client

    def ask(self, stream: bool, **request):
        return self.talk.ask(self.client, stream, **{"messages": QUESTION, **request})



@pytest.fixture
def fresh(start_gateway, sim):
    return start_gateway(configuration(sim))


@pytest.fixture(params=["openai", "anthropic"], ids=["by-openai", "by-anthropic"])
def asker(request, fresh):
    """A client of the fresh gateway."""
    if request.param == "openai":
        with openai.OpenAI(base_url=f"{fresh.url}/v1", api_key=fresh.create_key(TEAM), max_retries=0, timeout=60) as client:
            yield Asker(openai, openai_talk, client)
    else:
        with anthropic.Anthropic(base_url=fresh.url, api_key=fresh.create_key(TEAM), max_retries=0, timeout=60) as client:
            yield Asker(anthropic, anthropic_talk, client)


def told_in_its_dialect(asker: Asker, error) -> None:
    """The body has the shape that the SDK knows, and a sentence."""
    if asker.sdk is openai:
        assert error.body["message"] and error.body["type"]
    else:
        assert error.body["type"] == "error"
        assert error.body["error"]["type"] and error.body["error"]["message"]


@pytest.mark.parametrize(
    "wrong",
    [{"messages": "not a list"}, {"messages": []}, {"temperature": "hot"}, {"max_tokens": -5}],
    ids=["messages-no-list", "no-messages", "temperature-no-number", "negative-limit"],
)
def test_a_bad_body_is_a_bad_request(asker, provider, stream, wrong):
    with pytest.raises(asker.sdk.BadRequestError) as refused:
        asker.ask(stream, model=TARGETS[provider], extra_body=wrong)
    told_in_its_dialect(asker, refused.value)


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize(
    "body",
    [
        b'{"model": "small-talk", "model": "openai/gpt-4.1", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "small-talk", "Model": "openai/gpt-4.1", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}',
        b'{"model": "small-talk"',
        b"\xff\xfe",
        b"",
    ],
    ids=["key-twice", "key-in-another-case", "cut-json", "no-utf-8", "empty"],
)
def test_a_body_that_can_be_read_in_two_ways_or_none_is_refused(fresh, sim, path, body):
    request = urllib.request.Request(fresh.url + path, body, {"content-type": "application/json"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as response:
        assert response.code == 400
        assert b'"error"' in response.read()
    assert sim.log() == [], "nothing was sent"


@pytest.mark.parametrize("model", ["no-such-workflow", "openai/no-such-model-9", "nobody/gpt-4.1"])
def test_an_unknown_model_is_not_found(asker, sim, stream, model):
    sim.fails("model_gone")
    with pytest.raises(asker.sdk.NotFoundError, match=model.split("/")[-1]) as refused:
        asker.ask(stream, model=model)
    told_in_its_dialect(asker, refused.value)


def test_a_rate_limit_says_how_long_to_wait(asker, sim, provider, stream):
    sim.fails("rate_limit", retry_after=30)
    with pytest.raises(asker.sdk.RateLimitError) as refused:
        asker.ask(stream, model=TARGETS[provider])
    assert 1 <= float(refused.value.response.headers["retry-after"]) <= 31
    told_in_its_dialect(asker, refused.value)


@pytest.mark.parametrize("fault", ["server_error", "overloaded", "reset", "empty_body", "html_200", "error_in_200"])
def test_a_broken_provider_is_a_server_error(asker, fresh, sim, provider, stream, fault):
    sim.fails(fault)
    with pytest.raises(asker.sdk.APIStatusError) as failed:
        asker.ask(stream, model=TARGETS[provider])
    assert failed.value.status_code >= 500
    told_in_its_dialect(asker, failed.value)
    row = fresh.row(failed.value.response.headers["x-pointsman-request-id"])
    assert row["end"] == "failed"
    assert row["attempts"] and all(attempt["failure"] for attempt in row["attempts"])


def test_a_full_context_is_a_bad_request_that_says_so(asker, sim, provider, stream):
    """Applications shorten the conversation when they read what each vendor says: OpenAI's code, Anthropic's words."""
    sim.fails("context_exceeded")
    with pytest.raises(asker.sdk.BadRequestError) as refused:
        asker.ask(stream, model=TARGETS[provider])
    told_in_its_dialect(asker, refused.value)
    if asker.sdk is openai:
        assert refused.value.code == "context_length_exceeded"
    assert "prompt is too long" in refused.value.message.lower()


def test_a_refusal_is_served_as_it_is_and_the_ledger_knows_it_for_one(asker, fresh, sim, provider, stream):
    sim.fails("refusal")
    told = asker.ask(stream, model=TARGETS[provider])
    assert told.headers["x-pointsman-attempts"] == "1", "a refusal is not an outage"
    row = fresh.row(told.headers["x-pointsman-request-id"])
    assert (row["end"], row["served_by"]) == ("served", TARGETS[provider])
    assert [attempt["failure"] for attempt in row["attempts"]] == ["refusal"]


@pytest.mark.parametrize(
    "stream",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.xfail(strict=True, reason="`hold: whole` is not enforced yet, as `check` says")
        ),
    ],
    ids=["whole", "streamed"],
)
def test_a_refusal_goes_to_the_next_step_where_the_workflow_says_so(start_gateway, sim, provider, stream):
    # Held whole, a stream can still be answered by somebody else once its first words are known for a refusal.
    other = next(target for name, target in TARGETS.items() if name != provider)
    config = configuration(sim)
    config["workflows"]["small-talk"].update(
        route=[TARGETS[provider], other], on={"refusal": "next"}, stream={"hold": "whole"}
    )
    gateway = start_gateway(config)
    sim.script({"times": 1, "fault": {"kind": "refusal"}}, {"answer": {"text": "Gladly."}})
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="none", max_retries=0) as client:
        told = openai_talk.ask(client, stream, model="small-talk", messages=QUESTION)
    assert (told.text, told.refusal) == ("Gladly.", "")
    assert told.headers["x-pointsman-served-by"] == other
    row = gateway.row(told.headers["x-pointsman-request-id"])
    assert [attempt["failure"] for attempt in row["attempts"]] == ["refusal", None]


@pytest.mark.parametrize("fault", ["cut", "reset_mid", "in_stream_error"])
def test_a_stream_that_is_cut_ends_in_an_error_and_never_in_a_normal_end(asker, fresh, sim, provider, fault):
    sim.fails(fault, after_tokens=5)
    with pytest.raises(asker.sdk.APIError):
        asker.ask(True, model=TARGETS[provider])
    [row] = [row for row in fresh.ledger() if row["attempts"]]
    assert row["end"] == "failed"


@pytest.mark.parametrize("fault", ["crlf_frames", "comments", "split_frames", "no_final_newline", "double_finish", "no_usage"])
def test_an_odd_but_whole_answer_reads_like_any_other(asker, sim, provider, stream, fault):
    if fault == "no_usage" and stream and asker.sdk is anthropic and provider == "anthropic":
        pytest.skip("passed on as it came, this SDK cannot read it; no count is invented for it")
    sim.script({"fault": {"kind": fault}, "answer": {"text": "All is well, 東京."}})
    told = asker.ask(stream, model=TARGETS[provider])
    assert told.text == "All is well, 東京."
    if stream and asker.sdk is openai and provider == "anthropic":
        assert told.finishes == 1, "a translated stream is our own and has one end"


def test_a_providers_key_never_reaches_a_client(asker, sim, provider, stream):
    sim.fails("echo_key")
    with pytest.raises(asker.sdk.APIError) as failed:
        asker.ask(stream, model=TARGETS[provider])
    told = f"{failed.value} {failed.value.body}"
    assert not [key for key in PROVIDER_KEYS.values() if key in told]


def test_one_transient_failure_is_retried_and_the_client_does_not_notice(asker, fresh, sim, provider, stream):
    sim.script({"times": 1, "fault": {"kind": "server_error"}})
    told = asker.ask(stream, model=TARGETS[provider])
    assert told.text
    assert told.headers["x-pointsman-attempts"] == "2"
    row = fresh.row(told.headers["x-pointsman-request-id"])
    assert [bool(attempt["failure"]) for attempt in row["attempts"]] == [True, False]
