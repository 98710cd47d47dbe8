// The Vercel AI SDK with its OpenAI and Anthropic providers, each against both providers behind the gateway.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

import { CASES, PIXEL, startRig, TARGETS, TEXT, tokens } from "./rig.mjs";

let rig;
before(async () => {
  rig = await startRig();
});
after(() => rig?.close());
beforeEach(() => rig.forget());

/** The model of one of the SDK's providers, pointed at the gateway. */
const DIALECTS = {
  openai: (target, apiKey = rig.key) => createOpenAI({ baseURL: `${rig.url}/v1`, apiKey }).chat(target),
  anthropic: (target, apiKey = rig.key) => createAnthropic({ baseURL: `${rig.url}/v1`, apiKey })(target),
};

/** One answer, whole or gathered from its stream. */
async function say(stream, request) {
  const settings = { maxRetries: 0, maxOutputTokens: 2048, ...request };
  if (!stream) {
    const whole = await generateText(settings);
    return { text: whole.text, usage: whole.usage, reason: whole.finishReason, steps: whole.steps, output: request.output && whole.output };
  }
  let failure;
  const live = streamText({ ...settings, onError: ({ error }) => { failure = error; } });
  const pieces = [];
  for await (const piece of live.textStream) pieces.push(piece);
  if (failure) throw failure;
  return {
    text: await live.text,
    usage: await live.usage,
    reason: await live.finishReason,
    steps: await live.steps,
    output: request.output && (await live.output),
    pieces,
  };
}

const weather = tool({
  description: "The weather in a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `sunny in ${city}`,
});

for (const [dialect, modelOf] of Object.entries(DIALECTS)) {
  for (const { provider, stream, name } of CASES) {
    describe(`@ai-sdk/${dialect} ${name}`, () => {
      const model = () => modelOf(TARGETS[provider]);

      it("a text and its usage arrive as the provider wrote them", async () => {
        await rig.answers({ text: TEXT });
        const told = await say(stream, { model: model(), system: "Be exact.", prompt: "Say it." });
        assert.equal(told.text, TEXT);
        assert.equal(told.reason, "stop");
        assert.equal(told.usage.outputTokens, tokens(TEXT));
        assert.ok(told.usage.inputTokens > 0);
        if (stream) assert.ok(told.pieces.length > 3);
      });

      it("tools run and the conversation goes on by itself", async () => {
        const calls = ["Zürich", "Rome"].map((city) => ({ name: "weather", arguments: { city } }));
        await rig.script({ times: 1, answer: { tool_calls: calls } });
        const told = await say(stream, { model: model(), tools: { weather }, stopWhen: stepCountIs(3), prompt: "Weather in two cities?" });
        assert.equal(told.steps.length, 2);
        assert.deepEqual(told.steps[0].toolCalls.map((call) => call.input.city), ["Zürich", "Rome"]);
        assert.match(told.text, /sunny in Zürich/);
        assert.match(told.text, /sunny in Rome/);
      });

      it("a picture reaches the provider", async () => {
        const content = [{ type: "text", text: "What is this?" }, { type: "file", data: PIXEL, mediaType: "image/png" }];
        const told = await say(stream, { model: model(), messages: [{ role: "user", content }] });
        assert.match(told.text, /What is this\?/);
        assert.ok(JSON.stringify(await rig.lastRequest()).includes(PIXEL));
      });

      it("an object follows its schema", async () => {
        const schema = z.object({ order_id: z.number(), reason: z.string() });
        const told = await say(stream, { model: model(), output: Output.object({ schema }), prompt: "Read this e-mail." });
        assert.ok(schema.safeParse(told.output).success);
      });
    });
  }

  it(`@ai-sdk/${dialect}: a wrong key is an APICallError of status 401`, async () => {
    const stranger = generateText({ model: modelOf(TARGETS.openai, "an-invented-key"), maxRetries: 0, prompt: "Hi" });
    await assert.rejects(stranger, (error) => APICallError.isInstance(error) && error.statusCode === 401);
  });
}
