// The OpenAI dialect, as much of it as this model can honour: a request body becomes a prompt and
// options, a generation becomes a response body. What the model cannot do (tools, pictures, several
// choices) is refused with a 400 that says so; nothing is dropped in silence.

/** The only model here, and what `/v1/models` lists. */
export const MODEL = "gemma-3-270m";

const DEFAULT_MAX_TOKENS = 256;

/** An answer the client can read: HTTP status, OpenAI error code, a sentence, the parameter at fault. */
export class Refusal extends Error {
  constructor(status, code, message, param = null) {
    super(message);
    this.status = status;
    this.body = {
      error: {
        message,
        type: status >= 500 ? "server_error" : "invalid_request_error",
        param,
        code,
      },
    };
  }
}

const bad = (param, message) => new Refusal(400, "invalid_value", message, param);

// The file is the base model: it was never taught a chat template, but it continues a transcript.
const SPEAKERS = { user: "User", assistant: "Assistant" };
const END_OF_TURN = ["\nUser:", "\nAssistant:"];

/**
 * Reads a chat completion request.
 *
 * Returns `{ prompt, prefix, maxTokens, temperature, topP, seed, stop, schema, stream, includeUsage }`.
 * `prefix` is true where the last message is the assistant's: the answer then continues that text.
 * `schema` is undefined for free text, null for any JSON, else a JSON schema.
 */
export function readRequest(body) {
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    throw bad(null, "the body must be a JSON object");
  }
  if (body.model !== MODEL) {
    throw new Refusal(404, "model_not_found", `the model ${JSON.stringify(body.model)} is not here; ask for ${MODEL}`, "model");
  }
  if (body.tools?.length) throw bad("tools", `${MODEL} cannot call tools; leave them out`);
  if ((body.n ?? 1) !== 1) throw bad("n", "only one choice can be made; leave n out");

  const { prompt, prefix } = transcript(body.messages);
  return {
    prompt,
    prefix,
    maxTokens: count(body, "max_completion_tokens") ?? count(body, "max_tokens") ?? DEFAULT_MAX_TOKENS,
    temperature: number(body, "temperature", 0, 2) ?? 0,
    topP: number(body, "top_p", 0, 1) ?? 1,
    seed: number(body, "seed", -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    stop: [...END_OF_TURN, ...stops(body.stop)],
    schema: schemaOf(body.response_format),
    stream: body.stream === true,
    includeUsage: body.stream_options?.include_usage === true,
  };
}

function transcript(messages) {
  if (!Array.isArray(messages) || messages.length === 0) {
    throw bad("messages", "messages must be a list with at least one message");
  }
  let prompt = "";
  for (const [index, message] of messages.entries()) {
    const where = `messages[${index}]`;
    const text = textOf(message?.content, `${where}.content`);
    if (message.role === "system" || message.role === "developer") prompt += `${text}\n\n`;
    else if (message.role in SPEAKERS) prompt += `${SPEAKERS[message.role]}: ${text}\n`;
    else throw bad(`${where}.role`, `the role ${JSON.stringify(message.role)} is not understood; use system, user or assistant`);
  }
  if (messages.at(-1).role === "assistant") return { prompt: prompt.slice(0, -1), prefix: true };
  return { prompt: `${prompt}Assistant:`, prefix: false };
}

function textOf(content, where) {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) throw bad(where, "content must be a string or a list of text parts");
  return content.map((part) => {
    if (part?.type === "text" && typeof part.text === "string") return part.text;
    throw bad(where, `${MODEL} reads text only; a part of type ${JSON.stringify(part?.type)} cannot be carried`);
  }).join("");
}

function schemaOf(format) {
  switch (format?.type ?? "text") {
    case "text": return undefined;
    case "json_object": return null;
    case "json_schema":
      if (typeof format.json_schema?.schema !== "object") {
        throw bad("response_format.json_schema.schema", "a JSON schema must be given");
      }
      return format.json_schema.schema;
    default: throw bad("response_format.type", "use text, json_object or json_schema");
  }
}

function stops(stop) {
  const list = stop === undefined || stop === null ? [] : [stop].flat();
  if (list.length > 4 || !list.every((text) => typeof text === "string" && text !== "")) {
    throw bad("stop", "stop must be a string or a list of at most four strings, none of them empty");
  }
  return list;
}

function count(body, name) {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (!Number.isInteger(value) || value < 1) throw bad(name, `${name} must be a whole number above zero`);
  return value;
}

function number(body, name, low, high) {
  const value = body[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "number" || value < low || value > high) throw bad(name, `${name} must be a number from ${low} to ${high}`);
  return value;
}

/** Token counts in the dialect's shape. */
export function usage(promptTokens, completionTokens) {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** A whole response. */
export function completion(id, created, content, finishReason, tokens) {
  return {
    id,
    object: "chat.completion",
    created,
    model: MODEL,
    choices: [{ index: 0, message: { role: "assistant", content, refusal: null }, logprobs: null, finish_reason: finishReason }],
    usage: tokens,
  };
}

/** One streamed chunk; `delta` null makes the closing chunk that carries only usage. */
export function chunk(id, created, delta, finishReason = null, tokens = undefined) {
  return {
    id,
    object: "chat.completion.chunk",
    created,
    model: MODEL,
    choices: delta === null ? [] : [{ index: 0, delta, logprobs: null, finish_reason: finishReason }],
    ...(tokens === undefined ? {} : { usage: tokens }),
  };
}
