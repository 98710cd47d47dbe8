"""The OpenAI Python SDK against both providers, whole and streamed: what an application asks must reach the provider,
and what the provider answers must reach the application."""

from __future__ import annotations

import json
from decimal import Decimal

import openai
import pytest

from clients.openai_talk import PING, WEATHER, ask, said
from clients.scene import PICTURE_URL, PIXEL, REASONING_TARGETS, TARGETS, TEXT, Refund, tokens


def turns_seen(sim) -> list[tuple[str, str]]:
    """The conversation as the provider got it: roles and texts, the system prompt first whatever its place."""
    body = sim.last_request()
    system = body.get("system") or []
    if isinstance(system, str):
        system = [{"text": system}]
    seen = [("system", block["text"]) for block in system]
    for message in body["messages"]:
        content = message["content"]
        text = content if isinstance(content, str) else "".join(p.get("text", "") for p in content or [])
        seen.append((message["role"].replace("developer", "system"), text))
    return seen


def test_a_text_arrives_character_by_character_as_the_provider_wrote_it(openai_client, sim, provider, stream):
    sim.answers(text=TEXT)
    told = ask(openai_client, stream, model=TARGETS[provider], messages=[{"role": "user", "content": "Say it."}])
    assert told.text == TEXT
    assert told.finish == "stop"
    assert told.id
    assert told.model.endswith(TARGETS[provider].split("/")[1])
    assert told.usage.completion_tokens == tokens(TEXT)
    assert told.usage.prompt_tokens > 0
    assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens
    if stream:
        assert told.pieces > 3, "the text came in pieces"
        assert told.finishes == 1


def test_system_prompts_and_earlier_turns_reach_the_provider_in_order(openai_client, sim, provider, stream):
    messages = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "My order is 4711."},
        {"role": "assistant", "content": "Thank you, noted."},
        {"role": "user", "content": "Where is it?"},
    ]
    told = ask(openai_client, stream, model=TARGETS[provider], messages=messages)
    assert "Where is it?" in told.text
    assert turns_seen(sim) == [(m["role"], m["content"]) for m in messages]


def test_the_newer_developer_role_counts_as_system(openai_client, sim, provider):
    messages = [{"role": "developer", "content": "Answer in German."}, {"role": "user", "content": "Hello"}]
    ask(openai_client, False, model=TARGETS[provider], messages=messages)
    assert turns_seen(sim) == [("system", "Answer in German."), ("user", "Hello")]


@pytest.mark.parametrize("source", ["base64", "url"])
def test_a_picture_reaches_the_provider(openai_client, sim, provider, stream, source):
    url = PICTURE_URL if source == "url" else f"data:image/png;base64,{PIXEL}"
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": url}}]
    told = ask(openai_client, stream, model=TARGETS[provider], messages=[{"role": "user", "content": content}])
    assert "What is this?" in told.text
    text, picture = sim.last_request()["messages"][-1]["content"]
    assert text["text"] == "What is this?"
    if provider == "openai":
        assert picture["image_url"]["url"] == url
    elif source == "url":
        assert picture["source"] == {"type": "url", "url": PICTURE_URL}
    else:
        assert picture["source"] == {"type": "base64", "media_type": "image/png", "data": PIXEL}


def test_a_tool_is_called_and_its_result_carries_the_conversation_on(openai_client, sim, provider, stream):
    wanted = {"city": 'Zürich "old town"\n🙂'}
    sim.answers(tool_calls=[{"name": "weather", "arguments": wanted}])
    messages = [{"role": "user", "content": "What is the weather?"}]
    first = ask(openai_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert first.finish == "tool_calls"
    [call] = first.calls
    assert call.id
    assert call.name == "weather"
    assert json.loads(call.arguments) == wanted
    if stream:
        assert call.pieces > 1, "arguments came in pieces"

    sim.forget()
    messages += [said(first), {"role": "tool", "tool_call_id": call.id, "content": "17 degrees, light rain"}]
    second = ask(openai_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert second.finish == "stop"
    assert second.text == "Here is what I found. weather returned: 17 degrees, light rain."


def test_parallel_calls_of_one_tool_keep_their_ids_and_results(openai_client, sim, provider, stream):
    cities = ["Paris", "Rome", "Oslo"]
    sim.answers(text="Looking.", tool_calls=[{"name": "weather", "arguments": {"city": c}} for c in cities])
    messages = [{"role": "user", "content": "Weather in three cities?"}]
    first = ask(openai_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert first.text == "Looking."
    assert [json.loads(c.arguments)["city"] for c in first.calls] == cities
    assert len({c.id for c in first.calls}) == 3

    sim.forget()
    # An application answers as its tools return, here last call first.
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": f"sunny in {city}"}
        for call, city in reversed(list(zip(first.calls, cities, strict=True)))
    ]
    second = ask(openai_client, stream, model=TARGETS[provider], messages=[*messages, said(first), *results], tools=[WEATHER])
    for city in cities:
        assert f"sunny in {city}" in second.text

    body = sim.last_request()
    if provider == "anthropic":
        asked = {b["id"]: b["input"]["city"] for b in body["messages"][1]["content"] if b["type"] == "tool_use"}
        returned = {b["tool_use_id"]: b["content"] for b in body["messages"][2]["content"]}
    else:
        asked = {c["id"]: json.loads(c["function"]["arguments"])["city"] for c in body["messages"][1]["tool_calls"]}
        returned = {m["tool_call_id"]: m["content"] for m in body["messages"][2:]}
    assert asked.keys() == returned.keys()
    assert all(asked[id_] in json.dumps(returned[id_]) for id_ in asked), "each result stands by its own call"


def test_a_call_without_arguments_has_an_empty_object(openai_client, provider, stream):
    messages = [{"role": "user", "content": "call ping"}]
    first = ask(openai_client, stream, model=TARGETS[provider], messages=messages, tools=[PING])
    [call] = first.calls
    assert (call.name, json.loads(call.arguments)) == ("ping", {})

    messages += [said(first), {"role": "tool", "tool_call_id": call.id, "content": "pong"}]
    second = ask(openai_client, stream, model=TARGETS[provider], messages=messages, tools=[PING])
    assert second.text == "Here is what I found. ping returned: pong."


@pytest.mark.parametrize(
    ("choice", "called"),
    [("none", []), ("required", ["weather"]), ({"type": "function", "function": {"name": "ping"}}, ["ping"])],
    ids=["none", "required", "named"],
)
def test_tool_choice_is_obeyed(openai_client, provider, stream, choice, called):
    told = ask(
        openai_client,
        stream,
        model=TARGETS[provider],
        messages=[{"role": "user", "content": "call weather" if choice == "none" else "Hello there"}],
        tools=[WEATHER, PING],
        tool_choice=choice,
    )
    assert [c.name for c in told.calls] == called


def test_one_call_at_a_time_where_parallel_calls_are_off(openai_client, provider, stream):
    told = ask(
        openai_client,
        stream,
        model=TARGETS[provider],
        messages=[{"role": "user", "content": "call weather and ping"}],
        tools=[WEATHER, PING],
        parallel_tool_calls=False,
    )
    assert [c.name for c in told.calls] == ["weather"]


def test_parsed_output_follows_its_schema(openai_client, sim, provider):
    completion = openai_client.chat.completions.parse(
        model=TARGETS[provider], messages=[{"role": "user", "content": "Read this e-mail."}], response_format=Refund
    )
    parsed = completion.choices[0].message.parsed
    assert isinstance(parsed, Refund)
    assert parsed.reason, "the provider filled the fields"
    assert '"order_id"' in json.dumps(sim.last_request()), "the provider was told the schema"


def test_parsed_output_streams(openai_client, provider):
    request = {"model": TARGETS[provider], "messages": [{"role": "user", "content": "Read this e-mail."}]}
    with openai_client.chat.completions.stream(**request, response_format=Refund) as live:
        pieces = [event.delta for event in live if event.type == "content.delta"]
        parsed = live.get_final_completion().choices[0].message.parsed
    assert isinstance(parsed, Refund)
    assert len(pieces) > 1
    assert Refund.model_validate_json("".join(pieces)) == parsed


def test_a_strict_tool_is_parsed_by_the_sdk(openai_client, sim, provider):
    sim.answers(tool_calls=[{"name": "Refund", "arguments": {"order_id": 7, "reason": "late", "urgent": True, "items": ["a"]}}])
    completion = openai_client.chat.completions.parse(
        model=TARGETS[provider],
        messages=[{"role": "user", "content": "File it."}],
        tools=[openai.pydantic_function_tool(Refund)],
    )
    [call] = completion.choices[0].message.tool_calls
    assert call.function.parsed_arguments == Refund(order_id=7, reason="late", urgent=True, items=["a"])


def test_reasoning_is_shown_apart_from_the_answer(openai_client, sim, provider, stream):
    sim.answers(text="Four.", reasoning="Two and two make four.")
    told = ask(
        openai_client,
        stream,
        model=REASONING_TARGETS[provider],
        reasoning_effort="low",
        max_completion_tokens=4096,
        messages=[{"role": "user", "content": "2 + 2?"}],
    )
    assert told.text == "Four."
    assert told.reasoning == "Two and two make four."
    body = sim.last_request()
    if provider == "openai":
        assert body["reasoning_effort"] == "low"
    else:
        assert body["thinking"]["type"] in ("enabled", "adaptive"), "an effort asks for thinking"


def test_reasoning_tokens_are_counted(openai_client, provider, stream):
    told = ask(
        openai_client,
        stream,
        model=REASONING_TARGETS[provider],
        reasoning_effort="low",
        max_completion_tokens=4096,
        messages=[{"role": "user", "content": "2 + 2?"}],
    )
    reasoned = told.usage.completion_tokens_details.reasoning_tokens
    assert reasoned > 0
    assert told.usage.completion_tokens == tokens(told.text) + reasoned, "reasoning is part of the output"


def test_the_length_limit_ends_with_length(openai_client, provider, stream):
    told = ask(openai_client, stream, model=TARGETS[provider], max_tokens=5, messages=[{"role": "user", "content": "Tell me."}])
    assert told.finish == "length"
    assert 0 < len(told.text) <= 20
    assert told.usage.completion_tokens == 5


def test_a_stop_sequence_ends_the_answer_before_it(openai_client, sim, provider, stream):
    sim.answers(text="one two three four")
    told = ask(openai_client, stream, model=TARGETS[provider], stop=["three"], messages=[{"role": "user", "content": "Count."}])
    assert told.text.strip() == "one two"
    assert told.finish == "stop"


def test_a_refusal_never_reads_as_an_answer(openai_client, sim, provider, stream):
    sim.fails("refusal")
    told = ask(openai_client, stream, model=TARGETS[provider], messages=[{"role": "user", "content": "Something bad."}])
    assert told.text == ""
    assert "can't help" in told.refusal, "the refusal's words reach the client"


def test_a_content_filter_never_reads_as_a_normal_stop(openai_client, sim, provider, stream):
    sim.fails("content_filter")
    try:
        told = ask(openai_client, stream, model=TARGETS[provider], messages=[{"role": "user", "content": "Something bad."}])
    except openai.APIError as error:
        # Anthropic filters with an error, which is then the client's too.
        assert provider == "anthropic"
        assert "filter" in str(error)
    else:
        assert told.finish == "content_filter"


def test_cached_tokens_are_part_of_the_prompt_tokens(openai_client, sim, provider, stream):
    request = {"model": TARGETS[provider], "messages": [{"role": "user", "content": "A long question, asked again. " * 20}]}
    plain = ask(openai_client, stream, **request).usage
    sim.answers(cached_tokens=40)
    cached = ask(openai_client, stream, **request).usage
    assert cached.prompt_tokens_details.cached_tokens == 40
    assert cached.prompt_tokens == plain.prompt_tokens, "what came from a cache is counted within"
    assert (plain.prompt_tokens_details is None) or not plain.prompt_tokens_details.cached_tokens


def test_a_stream_without_include_usage_carries_none(openai_client, provider):
    chunks = list(
        openai_client.chat.completions.create(
            model=TARGETS[provider], messages=[{"role": "user", "content": "Hi"}], stream=True
        )
    )
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks), "no chunk is there for usage alone"


def test_headers_tell_what_happened_and_the_ledger_agrees(openai_client, gateway, provider, stream):
    told = ask(openai_client, stream, model=TARGETS[provider], messages=[{"role": "user", "content": "Hi"}])
    assert told.headers["x-pointsman-served-by"] == TARGETS[provider]
    assert told.headers["x-pointsman-attempts"] == "1"
    row = gateway.row(told.headers["x-pointsman-request-id"])
    assert row["end"] == "served"
    assert row["served_by"] == TARGETS[provider]
    assert row["dialect"] == "openai"
    assert row["stream"] is stream
    assert row["team"] == "clients"
    assert row["usage"]["output"] == told.usage.completion_tokens
    assert [a["target"] for a in row["attempts"]] == [TARGETS[provider]]
    assert Decimal(row["cost_usd"]) > 0
    if not stream:
        assert Decimal(told.headers["x-pointsman-cost-usd"]) == Decimal(row["cost_usd"])


def test_a_workflow_is_called_by_name(openai_client, stream):
    told = ask(openai_client, stream, model="small-talk", messages=[{"role": "user", "content": "Hi"}])
    assert told.headers["x-pointsman-workflow"] == "small-talk"
    assert told.headers["x-pointsman-served-by"] == TARGETS["openai"]


def test_a_bare_model_id_is_found_in_the_catalog(openai_client, stream):
    told = ask(openai_client, stream, model="gpt-4.1", messages=[{"role": "user", "content": "Hi"}])
    assert told.headers["x-pointsman-served-by"] == "openai/gpt-4.1"


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-1"}}]}]}, "file id"),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}]}
                ]
            },
            "audio",
        ),
    ],
    ids=["several-answers", "logprobs", "penalty", "another-vendors-file", "audio"],
)
def test_what_the_provider_cannot_be_told_is_refused_and_never_dropped(openai_client, sim, stream, part, named):
    request = {"messages": [{"role": "user", "content": "Hi"}], **part}
    with pytest.raises(openai.BadRequestError, match=named) as refused:
        ask(openai_client, stream, model=TARGETS["anthropic"], **request)
    assert refused.value.code == "cannot_carry"
    assert sim.log() == [], "nothing was sent"


def test_models_can_be_listed(openai_client):
    ids = {model.id for model in openai_client.models.list()}
    assert {"small-talk", *TARGETS.values()} <= ids


@pytest.mark.parametrize("model", ["small-talk", TARGETS["openai"]], ids=["workflow", "target"])
def test_one_model_of_the_list_can_be_asked_for(openai_client, model):
    assert openai_client.models.retrieve(model).id == model


def test_a_model_that_is_not_in_the_list_is_not_found(openai_client):
    with pytest.raises(openai.NotFoundError, match="nobody"):
        openai_client.models.retrieve("nobody/nothing")
