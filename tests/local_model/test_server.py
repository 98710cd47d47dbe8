"""The local model by itself, through the OpenAI SDK: it is the ground that `test_plug.py` stands on."""

from __future__ import annotations

import json

import openai
import pytest

from rig import LocalModel
from rig.local_model import MODEL
from rig.program import await_until

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture
def client(local: LocalModel):
    with openai.OpenAI(base_url=f"{local.url}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def streamed(client: openai.OpenAI, **request) -> tuple[str, str, object, int]:
    """Text, finish reason, usage and the number of pieces."""
    text, finish, usage, pieces = "", None, None, 0
    for chunk in client.chat.completions.create(model=MODEL, stream=True, **request):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            pieces += bool(choice.delta.content)
            finish = choice.finish_reason or finish
    return text, finish, usage, pieces


def test_it_knows_something_and_says_the_same_whole_and_streamed(client):
    request = {"messages": FRANCE, "max_tokens": 12, "temperature": 0}
    whole = client.chat.completions.create(model=MODEL, **request)
    text, finish, usage, pieces = streamed(client, stream_options={"include_usage": True}, **request)
    assert "Paris" in whole.choices[0].message.content
    assert text == whole.choices[0].message.content
    assert finish == whole.choices[0].finish_reason
    assert usage == whole.usage
    assert pieces > 2
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_the_length_limit_is_kept_and_named(client):
    _, finish, usage, _ = streamed(client, messages=FRANCE, max_tokens=3, stream_options={"include_usage": True})
    assert finish == "length"
    assert usage.completion_tokens == 3


def test_a_stop_sequence_ends_the_answer_before_it(client):
    whole = client.chat.completions.create(model=MODEL, messages=FRANCE, max_tokens=20, stop=["Paris"])
    assert "Paris" not in whole.choices[0].message.content
    assert whole.choices[0].finish_reason == "stop"


def test_an_answer_follows_a_json_schema(client):
    schema = {
        "type": "object",
        "properties": {"order_id": {"type": "integer"}, "intent": {"enum": ["refund", "status"]}},
        "required": ["order_id", "intent"],
        "additionalProperties": False,
    }
    whole = client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": "Where is my order 4711? Give the order id and the intent."}],
        max_tokens=60,
        response_format={"type": "json_schema", "json_schema": {"name": "order", "schema": schema, "strict": True}},
    )
    answer = json.loads(whole.choices[0].message.content)
    assert answer["intent"] in ("refund", "status")
    assert isinstance(answer["order_id"], int)


def test_an_unfinished_turn_of_the_assistant_is_continued(client):
    messages = [*FRANCE, {"role": "assistant", "content": "The capital of France is"}]
    whole = client.chat.completions.create(model=MODEL, messages=messages, max_tokens=3)
    assert whole.choices[0].message.content.startswith(" Paris")


def test_a_seed_repeats_a_sampled_answer(client):
    request = {"model": MODEL, "messages": FRANCE, "max_tokens": 12, "temperature": 1.0}
    once, again = (client.chat.completions.create(seed=7, **request).choices[0].message.content for _ in range(2))
    assert once == again


def test_what_it_cannot_do_is_refused_and_never_dropped(client):
    with pytest.raises(openai.BadRequestError, match="cannot call tools"):
        client.chat.completions.create(
            model=MODEL, messages=FRANCE, tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}]
        )
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]}]
    with pytest.raises(openai.BadRequestError, match="text only"):
        client.chat.completions.create(model=MODEL, messages=picture)
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="gpt-4.1", messages=FRANCE)
    with pytest.raises(openai.BadRequestError, match="maximum context length"):
        client.chat.completions.create(model=MODEL, messages=FRANCE, max_tokens=100_000)


def test_a_client_that_leaves_ends_its_generation(client, local):
    before = local.health()["cancelled"]
    story = [{"role": "user", "content": "Write a very long story about a lighthouse."}]
    live = client.chat.completions.create(model=MODEL, messages=story, max_tokens=3000, temperature=1, seed=3, stream=True)
    next(iter(live))
    live.close()
    await_until(lambda: local.health()["cancelled"] == before + 1, "the generation to be cancelled", 20)
    assert local.health()["generating"] == 0
