"""The Anthropic Python SDK against both providers, whole and streamed."""

from __future__ import annotations

import json
from decimal import Decimal

import anthropic
import pytest

from clients.anthropic_talk import PING, WEATHER, ask, result, said
from clients.scene import PICTURE_URL, PIXEL, REASONING_TARGETS, TARGETS, TEXT, Refund, tokens
from clients.test_openai_sdk import turns_seen


def user(content) -> list[dict]:
    return [{"role": "user", "content": content}]


def test_a_text_arrives_character_by_character_as_the_provider_wrote_it(anthropic_client, sim, provider, stream):
    sim.answers(text=TEXT)
    told = ask(anthropic_client, stream, model=TARGETS[provider], messages=user("Say it."))
    message = told.message
    assert told.text == TEXT
    assert (message.type, message.role, message.stop_reason) == ("message", "assistant", "end_turn")
    assert message.id
    assert message.model.endswith(TARGETS[provider].split("/")[1])
    assert message.usage.output_tokens == tokens(TEXT)
    assert message.usage.input_tokens > 0
    if stream:
        assert len(told.deltas("text_delta")) > 3, "the text came in pieces"


@pytest.mark.parametrize("form", ["string", "blocks"])
def test_the_system_prompt_and_earlier_turns_reach_the_provider_in_order(anthropic_client, sim, provider, stream, form):
    system = "You are brief." if form == "string" else [{"type": "text", "text": "You are brief."}]
    turns = [("user", "My order is 4711."), ("assistant", "Thank you, noted."), ("user", "Where is it?")]
    messages = [{"role": role, "content": text} for role, text in turns]
    told = ask(anthropic_client, stream, model=TARGETS[provider], system=system, messages=messages)
    assert "Where is it?" in told.text
    assert turns_seen(sim) == [("system", "You are brief."), *turns]


@pytest.mark.parametrize("source", ["base64", "url"])
def test_a_picture_reaches_the_provider(anthropic_client, sim, provider, stream, source):
    given = (
        {"type": "url", "url": PICTURE_URL}
        if source == "url"
        else {"type": "base64", "media_type": "image/png", "data": PIXEL}
    )
    content = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": given}]
    told = ask(anthropic_client, stream, model=TARGETS[provider], messages=user(content))
    assert "What is this?" in told.text
    text, picture = sim.last_request()["messages"][-1]["content"]
    assert text["text"] == "What is this?"
    if provider == "anthropic":
        assert picture["source"] == given
    else:
        assert picture["image_url"]["url"] == (PICTURE_URL if source == "url" else f"data:image/png;base64,{PIXEL}")


def test_a_tool_is_called_and_its_result_carries_the_conversation_on(anthropic_client, sim, provider, stream):
    wanted = {"city": 'Zürich "old town"\n🙂'}
    sim.answers(tool_calls=[{"name": "weather", "arguments": wanted}])
    messages = user("What is the weather?")
    first = ask(anthropic_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert first.message.stop_reason == "tool_use"
    [call] = first.calls
    assert call.id
    assert (call.name, call.input) == ("weather", wanted)
    if stream:
        pieces = [delta.partial_json for delta in first.deltas("input_json_delta")]
        assert len([piece for piece in pieces if piece]) > 1, "arguments came in pieces"
        assert json.loads("".join(pieces)) == wanted

    sim.forget()
    messages += [said(first), *user([result(call, "17 degrees, light rain")])]
    second = ask(anthropic_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert second.message.stop_reason == "end_turn"
    assert second.text == "Here is what I found. weather returned: 17 degrees, light rain."


def test_parallel_calls_of_one_tool_keep_their_ids_and_results(anthropic_client, sim, provider, stream):
    cities = ["Paris", "Rome", "Oslo"]
    sim.answers(text="Looking.", tool_calls=[{"name": "weather", "arguments": {"city": c}} for c in cities])
    messages = user("Weather in three cities?")
    first = ask(anthropic_client, stream, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert first.text == "Looking."
    assert [call.input["city"] for call in first.calls] == cities
    assert len({call.id for call in first.calls}) == 3

    sim.forget()
    pairs = list(zip(first.calls, cities, strict=True))
    results = [result(call, f"sunny in {city}") for call, city in reversed(pairs)]
    turn = user([*results, {"type": "text", "text": "And which is warmest?"}])
    second = ask(anthropic_client, stream, model=TARGETS[provider], messages=[*messages, said(first), *turn], tools=[WEATHER])
    assert second.text
    body = json.dumps(sim.last_request(), ensure_ascii=False)
    for call, city in pairs:
        assert body.count(call.id) == 2, "a call and its result carry one id"
        assert f"sunny in {city}" in body
    assert "And which is warmest?" in body


def test_a_failed_tool_says_so_to_the_provider(anthropic_client, sim, provider):
    sim.answers(tool_calls=[{"name": "weather", "arguments": {"city": "Paris"}}])
    messages = user("Weather?")
    first = ask(anthropic_client, False, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    sim.forget()
    failed = {**result(first.calls[0], "station offline"), "is_error": True}
    messages += [said(first), *user([failed])]
    second = ask(anthropic_client, False, model=TARGETS[provider], messages=messages, tools=[WEATHER])
    assert "station offline" in second.text


def test_a_call_without_arguments_has_an_empty_object(anthropic_client, provider, stream):
    messages = user("call ping")
    first = ask(anthropic_client, stream, model=TARGETS[provider], messages=messages, tools=[PING])
    [call] = first.calls
    assert (call.name, call.input) == ("ping", {})

    messages += [said(first), *user([result(call, "pong")])]
    second = ask(anthropic_client, stream, model=TARGETS[provider], messages=messages, tools=[PING])
    assert second.text == "Here is what I found. ping returned: pong."


@pytest.mark.parametrize(
    ("choice", "called"),
    [({"type": "none"}, []), ({"type": "any"}, ["weather"]), ({"type": "tool", "name": "ping"}, ["ping"])],
    ids=["none", "any", "tool"],
)
def test_tool_choice_is_obeyed(anthropic_client, provider, stream, choice, called):
    told = ask(
        anthropic_client,
        stream,
        model=TARGETS[provider],
        messages=user("call weather" if choice["type"] == "none" else "Hello there"),
        tools=[WEATHER, PING],
        tool_choice=choice,
    )
    assert [call.name for call in told.calls] == called


def test_one_call_at_a_time_where_parallel_calls_are_off(anthropic_client, provider, stream):
    told = ask(
        anthropic_client,
        stream,
        model=TARGETS[provider],
        messages=user("call weather and ping"),
        tools=[WEATHER, PING],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
    )
    assert [call.name for call in told.calls] == ["weather"]


def test_parsed_output_follows_its_schema(anthropic_client, sim, provider):
    message = anthropic_client.messages.parse(
        model=TARGETS[provider], max_tokens=1024, messages=user("Read this e-mail."), output_format=Refund
    )
    assert isinstance(message.parsed_output, Refund)
    assert message.parsed_output.reason
    assert '"order_id"' in json.dumps(sim.last_request()), "the provider was told the schema"


def test_parsed_output_streams(anthropic_client, provider):
    with anthropic_client.messages.stream(
        model=TARGETS[provider], max_tokens=1024, messages=user("Read this e-mail."), output_format=Refund
    ) as live:
        pieces = list(live.text_stream)
        message = live.get_final_message()
    assert isinstance(message.parsed_output, Refund)
    assert len(pieces) > 1


def test_signed_thinking_comes_back_to_its_provider_byte_for_byte(anthropic_client, sim, stream):
    """The simulated provider checks the signature over the thinking text, as the vendor does."""
    thought = "The city is missing. Ask the tool — it knows “Zürich”."
    sim.answers(reasoning=thought, tool_calls=[{"name": "weather", "arguments": {"city": "Zürich"}}])
    request = {
        "model": TARGETS["anthropic"],
        "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [WEATHER],
    }
    messages = user("Weather?")
    first = ask(anthropic_client, stream, messages=messages, **request)
    assert [block.type for block in first.message.content] == ["thinking", "tool_use"]
    assert first.thinking == thought
    signature = first.message.content[0].signature
    assert signature

    sim.forget()
    messages += [said(first), *user([result(first.calls[0], "sunny")])]
    second = ask(anthropic_client, stream, messages=messages, **request)
    assert "weather returned: sunny" in second.text
    returned = sim.last_request()["messages"][1]["content"][0]
    assert returned == {"type": "thinking", "thinking": thought, "signature": signature}


def test_redacted_thinking_comes_back_whole(anthropic_client, sim, stream):
    sim.answers(reasoning="Hidden.", redacted=True, tool_calls=[{"name": "weather", "arguments": {"city": "Bern"}}])
    request = {
        "model": TARGETS["anthropic"],
        "max_tokens": 4096,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": [WEATHER],
    }
    messages = user("Weather?")
    first = ask(anthropic_client, stream, messages=messages, **request)
    assert [block.type for block in first.message.content] == ["redacted_thinking", "tool_use"]

    sim.forget()
    messages += [said(first), *user([result(first.calls[0], "sunny")])]
    assert "sunny" in ask(anthropic_client, stream, messages=messages, **request).text


def test_a_forged_signature_is_the_providers_to_refuse(anthropic_client, sim):
    forged = {"type": "thinking", "thinking": "I never thought this.", "signature": "Zm9yZ2Vk"}
    messages = [*user("Hi"), {"role": "assistant", "content": [forged, {"type": "text", "text": "Hello."}]}, *user("Again")]
    with pytest.raises(anthropic.BadRequestError, match="signature"):
        ask(
            anthropic_client,
            False,
            model=TARGETS["anthropic"],
            max_tokens=4096,
            thinking={"type": "enabled", "budget_tokens": 1024},
            messages=messages,
        )


def test_another_vendors_reasoning_is_shown_as_thinking_and_can_be_sent_back(anthropic_client, sim, stream):
    sim.answers(text="Four.", reasoning="Two and two make four.")
    request = {"model": REASONING_TARGETS["openai"], "max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 1024}}
    messages = user("2 + 2?")
    first = ask(anthropic_client, stream, messages=messages, **request)
    assert first.text == "Four."
    assert first.thinking == "Two and two make four."

    sim.forget()
    second = ask(anthropic_client, stream, messages=[*messages, said(first), *user("And 3 + 3?")], **request)
    assert "3 + 3" in second.text


def test_reasoning_tokens_are_part_of_the_output_tokens(anthropic_client, provider, stream):
    told = ask(
        anthropic_client,
        stream,
        model=REASONING_TARGETS[provider],
        max_tokens=4096,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=user("2 + 2?"),
    )
    usage = told.message.usage
    assert usage.output_tokens_details.thinking_tokens > 0
    assert usage.output_tokens == tokens(told.text) + usage.output_tokens_details.thinking_tokens


def test_the_length_limit_ends_with_max_tokens(anthropic_client, provider, stream):
    told = ask(anthropic_client, stream, model=TARGETS[provider], max_tokens=5, messages=user("Tell me."))
    assert told.message.stop_reason == "max_tokens"
    assert 0 < len(told.text) <= 20
    assert told.message.usage.output_tokens == 5


def test_a_stop_sequence_ends_the_answer_before_it(anthropic_client, sim, provider, stream):
    sim.answers(text="one two three four")
    told = ask(anthropic_client, stream, model=TARGETS[provider], stop_sequences=["three"], messages=user("Count."))
    assert told.text.strip() == "one two"
    if provider == "anthropic":
        assert (told.message.stop_reason, told.message.stop_sequence) == ("stop_sequence", "three")
    else:
        # OpenAI does not tell a stop sequence from an ordinary end.
        assert told.message.stop_reason in ("end_turn", "stop_sequence")


def test_a_refusal_never_reads_as_an_ordinary_end(anthropic_client, sim, provider, stream):
    sim.fails("refusal")
    told = ask(anthropic_client, stream, model=TARGETS[provider], messages=user("Something bad."))
    assert told.message.stop_reason == "refusal"
    details = told.message.stop_details
    assert "can't help" in told.text + ((details and details.explanation) or ""), "the refusal's words reach the client"


def test_a_content_filter_never_reads_as_an_ordinary_end(anthropic_client, sim, provider, stream):
    sim.fails("content_filter")
    try:
        told = ask(anthropic_client, stream, model=TARGETS[provider], messages=user("Something bad."))
    except anthropic.APIError as error:
        assert provider == "anthropic"
        assert "filter" in str(error)
    else:
        assert told.message.stop_reason == "refusal"


def test_cached_tokens_stand_beside_the_input_tokens(anthropic_client, sim, provider, stream):
    request = {"model": TARGETS[provider], "messages": user("A long question, asked again. " * 20)}
    plain = ask(anthropic_client, stream, **request).message.usage
    sim.answers(cached_tokens=40)
    cached = ask(anthropic_client, stream, **request).message.usage
    assert cached.cache_read_input_tokens == 40
    assert cached.input_tokens == plain.input_tokens - 40, "what came from a cache is counted apart"


def test_cache_marks_reach_the_provider_that_knows_them(anthropic_client, stream):
    system = [{"type": "text", "text": f"A manual, {stream=}. " * 60, "cache_control": {"type": "ephemeral"}}]
    request = {"model": TARGETS["anthropic"], "system": system, "messages": user("Summary?")}
    first = ask(anthropic_client, stream, **request).message.usage
    second = ask(anthropic_client, stream, **request).message.usage
    assert first.cache_creation_input_tokens > 0
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens


def test_cache_marks_do_not_disturb_a_provider_that_lacks_them(anthropic_client, stream):
    system = [{"type": "text", "text": "A manual.", "cache_control": {"type": "ephemeral"}}]
    told = ask(anthropic_client, stream, model=TARGETS["openai"], system=system, messages=user("Summary?"))
    assert "Summary?" in told.text


def test_headers_tell_what_happened_and_the_ledger_agrees(anthropic_client, gateway, provider, stream):
    told = ask(anthropic_client, stream, model=TARGETS[provider], messages=user("Hi"))
    assert told.headers["x-pointsman-served-by"] == TARGETS[provider]
    assert told.headers["x-pointsman-attempts"] == "1"
    row = gateway.row(told.headers["x-pointsman-request-id"])
    assert (row["end"], row["served_by"], row["dialect"], row["stream"]) == ("served", TARGETS[provider], "anthropic", stream)
    assert row["usage"]["input"] == told.message.usage.input_tokens
    assert row["usage"]["output"] == told.message.usage.output_tokens
    if not stream:
        assert Decimal(told.headers["x-pointsman-cost-usd"]) == Decimal(row["cost_usd"]) > 0


def test_tokens_can_be_counted_beforehand(anthropic_client):
    request = {"model": TARGETS["anthropic"], "messages": user("How many tokens is this?")}
    counted = anthropic_client.messages.count_tokens(**request)
    told = ask(anthropic_client, False, **request)
    assert counted.input_tokens == told.message.usage.input_tokens


def test_tokens_that_the_provider_does_not_count_are_not_invented(anthropic_client, sim):
    with pytest.raises(anthropic.BadRequestError, match="counting of tokens"):
        anthropic_client.messages.count_tokens(model=TARGETS["openai"], messages=user("How many?"))
    assert sim.log() == []


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "web_search_20250305"),
        ({"messages": [*user("Go on."), {"role": "assistant", "content": "It is"}]}, "unfinished turn"),
        ({"messages": user([{"type": "image", "source": {"type": "file", "file_id": "file_1"}}])}, "file id"),
    ],
    ids=["a-tool-of-the-vendors", "an-unfinished-turn", "another-vendors-file"],
)
def test_what_the_provider_cannot_be_told_is_refused_and_never_dropped(anthropic_client, sim, stream, part, named):
    request = {"messages": user("Hi"), **part}
    with pytest.raises(anthropic.BadRequestError, match=named) as refused:
        ask(anthropic_client, stream, model=TARGETS["openai"], **request)
    assert refused.value.body["error"]["details"]["error_code"] == "cannot_carry"
    assert sim.log() == [], "nothing was sent"


def test_models_can_be_listed(anthropic_client):
    ids = {model.id for model in anthropic_client.models.list()}
    assert {"small-talk", *TARGETS.values()} <= ids


@pytest.mark.parametrize("model", ["small-talk", TARGETS["openai"]], ids=["workflow", "target"])
def test_one_model_of_the_list_can_be_asked_for(anthropic_client, model):
    assert anthropic_client.models.retrieve(model).id == model


def test_the_beta_surface_of_the_sdk_is_the_same_door(anthropic_client, provider, stream):
    request = {"model": TARGETS[provider], "max_tokens": 200, "messages": user("Hi")}
    if stream:
        with anthropic_client.beta.messages.stream(**request) as live:
            message = live.get_final_message()
    else:
        message = anthropic_client.beta.messages.create(**request)
    assert message.content[0].text
    assert message.stop_reason == "end_turn"


def test_a_workflow_is_called_by_name(anthropic_client, stream):
    told = ask(anthropic_client, stream, model="small-talk", messages=user("Hi"))
    assert told.headers["x-pointsman-workflow"] == "small-talk"
    assert told.headers["x-pointsman-served-by"] == TARGETS["openai"]
