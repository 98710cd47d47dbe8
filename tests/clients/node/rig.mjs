// One simulated provider and one gateway in front of it, for the Node suites; the Python rig in `tests/rig` does the
// same for the others. Nothing here knows an SDK, and nothing here asserts.

import { execFileSync, spawn } from "node:child_process";
import { createWriteStream, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** A target behind each provider's dialect. */
export const TARGETS = { openai: "openai/gpt-4.1", anthropic: "anthropic/claude-sonnet-4-5" };

/** Text that a careless translation spoils. */
export const TEXT = 'Grüße, 東京 — "quoted", a \\backslash,\na new line, a\u2028separator and a 🙂 at the end.';

/** A picture of one red pixel. */
export const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8Dwn4EIwDiqkL4KAcT9GO0U4BxoAAAAAElFTkSuQmCC";

/** Every provider's dialect, whole and streamed: the half of the four pairs that one client dialect sees. */
export const CASES = ["openai", "anthropic"].flatMap((provider) => [
  { provider, stream: false, name: `to ${provider}, whole` },
  { provider, stream: true, name: `to ${provider}, streamed` },
]);

/** What the simulated provider counts for a text. */
export const tokens = (text) => Math.ceil([...text].length / 4);

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));

function program() {
  const built = join(process.env.CARGO_TARGET_DIR ?? join(REPOSITORY, "target"), "release", "pointsman");
  const path = process.env.POINTSMAN_BIN ?? built;
  if (!existsSync(path)) {
    throw new Error(`no program at ${path}; build it with \`cargo build --release --package pointsman\`, or name one in POINTSMAN_BIN`);
  }
  return path;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const listener = createServer().once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const { port } = listener.address();
      listener.close(() => resolve(port));
    });
  });
}

async function until(holds, what, milliseconds = 60_000) {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const answer = await holds();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`still waiting for ${what}`);
    await pause(50);
  }
}

async function answers(url, key) {
  try {
    return (await fetch(url, key && { headers: { authorization: `Bearer ${key}` } })).ok;
  } catch {
    return false;
  }
}

/** Whether the running server knows of this key. While it knew none at all, any was as good as none. */
async function heardOf(url, key) {
  return (await answers(`${url}/v1/models`, key)) && !(await answers(`${url}/v1/models`, "an-invented-key"));
}

/** Starts both; `close` ends both. */
export async function startRig() {
  const directory = mkdtempSync(join(tmpdir(), "pointsman-node-"));
  const [simPort, port, admin] = await Promise.all([freePort(), freePort(), freePort()]);
  const environment = {
    ...process.env,
    POINTSMAN_ADMIN_TOKEN: "an-admin-token-for-tests-0123456789",
    SIM_OPENAI_KEY: "sk-sim-openai-0123456789",
    SIM_ANTHROPIC_KEY: "sk-ant-sim-0123456789",
  };
  const file = join(directory, "pointsman.yaml");
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({
    server: { listen: `127.0.0.1:${port}`, admin: `127.0.0.1:${admin}` },
    store: { data_dir: join(directory, "data") },
    providers: {
      openai: { base_url: `http://127.0.0.1:${simPort}/v1`, api_key: { env: "SIM_OPENAI_KEY" } },
      anthropic: { base_url: `http://127.0.0.1:${simPort}`, api_key: { env: "SIM_ANTHROPIC_KEY" } },
    },
    workflows: { "small-talk": { route: [TARGETS.openai] } },
    teams: { clients: { workflows: ["small-talk"], targets: ["openai/*", "anthropic/*"] } },
  }, null, 2));

  const children = [];
  const run = (name, ...args) => {
    const child = spawn(program(), args, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    const log = createWriteStream(join(directory, `${name}.log`));
    child.stdout.pipe(log, { end: false });
    child.stderr.pipe(log, { end: false });
    child.once("exit", () => log.end());
    children.push(child);
    return child;
  };
  const rig = new Rig(directory, `http://127.0.0.1:${simPort}`, `http://127.0.0.1:${port}`, children);
  try {
    run("sim", "sim", "--listen", `127.0.0.1:${simPort}`);
    await until(() => answers(`${rig.simUrl}/healthz`), `the simulated provider (its log is in ${directory})`);
    run("gateway", "serve", "-c", file);
    await until(() => answers(`${rig.url}/readyz`), `the gateway (its log is in ${directory})`);
    const made = execFileSync(program(), ["keys", "create", "--team", "clients", "--json", "-c", file], { env: environment });
    rig.key = JSON.parse(made).key;
    await until(() => heardOf(rig.url, rig.key), "the running server to hear of the new key");
    return rig;
  } catch (error) {
    rig.stop();
    throw error;
  }
}

class Rig {
  constructor(directory, simUrl, url, children) {
    Object.assign(this, { directory, simUrl, url, children });
  }

  /** Replaces the rules in force; `crates/sim/README.md` has them all. */
  async script(...rules) {
    await this.#sim("POST", "/_sim/script", { rules });
  }

  /** Every request gets this answer. */
  answers(line) {
    return this.script({ answer: line });
  }

  /** Every request meets this fault. */
  fails(kind, parameters = {}) {
    return this.script({ fault: { kind, ...parameters } });
  }

  /** No rules and an empty log. */
  async forget() {
    await this.script();
    await this.#sim("DELETE", "/_sim/log");
  }

  log() {
    return this.#sim("GET", "/_sim/log");
  }

  /** The body of the request that came last. */
  async lastRequest() {
    return JSON.parse((await this.log()).at(-1).body);
  }

  /** Waits until the provider notices that nobody listens any more. */
  wasLeft() {
    return until(async () => (await this.log()).some((entry) => entry.ended === "client_left"), "the provider to be cancelled", 5_000);
  }

  /** Ends both and keeps their logs, for a run that failed. */
  stop() {
    for (const child of this.children) child.kill("SIGKILL");
  }

  close() {
    this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  async #sim(method, path, body) {
    const response = await fetch(this.simUrl + path, {
      method,
      body: body && JSON.stringify(body),
      headers: { "content-type": "application/json" },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }
}
