"""LangChain's chat models, both of them against both providers."""

from __future__ import annotations

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from clients.scene import PIXEL, TARGETS, TEXT, Refund, tokens


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@pytest.fixture(params=["ChatOpenAI", "ChatAnthropic"])
def chat(request, gateway, key, provider):
    if request.param == "ChatOpenAI":
        return ChatOpenAI(
            base_url=f"{gateway.url}/v1",
            api_key=key,
            model=TARGETS[provider],
            max_retries=0,
            stream_usage=True,
            use_responses_api=False,
        )
    return ChatAnthropic(base_url=gateway.url, api_key=key, model=TARGETS[provider], max_tokens=2048, max_retries=0)


def say(chat, stream: bool, messages) -> AIMessage:
    """One answer; a streamed one is the sum of its pieces, as LangChain adds them."""
    if not stream:
        return chat.invoke(messages)
    pieces = list(chat.stream(messages))
    assert len(pieces) > 1
    whole = pieces[0]
    for piece in pieces[1:]:
        whole += piece
    return whole


def test_a_text_and_its_usage_arrive(chat, sim, stream):
    sim.answers(text=TEXT)
    answer = say(chat, stream, [SystemMessage("Be brief."), HumanMessage("Say it.")])
    assert answer.text == TEXT
    assert answer.usage_metadata["output_tokens"] == tokens(TEXT)
    assert answer.usage_metadata["input_tokens"] > 0


def test_tools_are_called_and_answered(chat, sim, stream):
    cities = ["Paris", "Rome"]
    sim.answers(tool_calls=[{"name": "weather", "arguments": {"city": city}} for city in cities])
    bound = chat.bind_tools([weather])
    question = HumanMessage("Weather in two cities?")
    asked = say(bound, stream, [question])
    assert [call["args"] for call in asked.tool_calls] == [{"city": city} for city in cities]

    sim.forget()
    results = [ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"]) for call in asked.tool_calls]
    answer = say(bound, stream, [question, asked, *results])
    assert "sunny in Paris" in answer.text
    assert "sunny in Rome" in answer.text


def test_a_picture_can_be_asked_about(chat, sim):
    picture = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    answer = chat.invoke([HumanMessage([{"type": "text", "text": "What is this?"}, picture])])
    assert "What is this?" in answer.text
    assert PIXEL in str(sim.last_request())


def test_structured_output_is_an_object_of_its_class(chat):
    made = chat.with_structured_output(Refund, method="json_schema").invoke("Read this e-mail.")
    assert isinstance(made, Refund)
    assert made.reason


def test_a_full_context_is_langchains_own_error_for_it(chat, sim, stream):
    """Agents shorten their history on this error; on any other they give up."""
    sim.fails("context_exceeded")
    with pytest.raises(ContextOverflowError):
        say(chat, stream, [HumanMessage("Summarise all of it.")])
