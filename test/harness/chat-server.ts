import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SeenMessage {
  role: string;
  content: string | null;
  tool_calls?: { id: string; function: { name: string; arguments: string } }[];
  tool_call_id?: string;
}

/** What the client sent. */
export interface ChatRequest {
  authorization: string | undefined;
  model: string;
  stream?: boolean;
  messages: SeenMessage[];
  tools?: { function: { name: string; parameters: object } }[];
  max_completion_tokens?: number;
}

/** What the model says, or what goes wrong instead. */
export type Reply =
  | {
      text?: string;
      /** Name and arguments; text that is no JSON is sent as it is. */
      calls?: [name: string, args: object | string][];
      /** None: the endpoint does not count. */
      usage?: [tokensIn: number, tokensOut: number] | 'none';
      finish?: string;
    }
  | { status: number; headers?: Record<string, string>; error?: object }
  /** Sent as it is, as JSON or as what the headers say. */
  | { raw: string; headers?: Record<string, string> }
  /** Never answered; or the connection is cut after a while. */
  | 'silence'
  | 'reset';

export type Script = (request: ChatRequest, index: number) => Reply | Promise<Reply>;

/** An endpoint that speaks as OpenAI's chat completions over real HTTP, whole or in pieces, and says what a test scripts. */
export class ChatServer implements AsyncDisposable {
  readonly requests: ChatRequest[] = [];
  /** Requests whose client went away before the answer. */
  aborted = 0;
  script: Script;
  readonly #server: Server;

  private constructor(script: Script) {
    this.script = script;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(script: Script | Reply[]): Promise<ChatServer> {
    const server = new ChatServer(typeof script === 'function' ? script : inOrder(script));
    server.#server.listen(0, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of request) text += String(part);
    if (request.url !== '/v1/chat/completions') {
      response.writeHead(404).end();
      return;
    }
    response.on('close', () => {
      if (!response.writableFinished) this.aborted += 1;
    });
    const { authorization } = request.headers;
    const seen = { ...(JSON.parse(text) as ChatRequest), authorization };
    this.requests.push(seen);
    const reply = await this.script(seen, this.requests.length - 1);
    if (reply === 'silence') return;
    if (reply === 'reset') request.socket.resetAndDestroy();
    else if ('raw' in reply) {
      response.writeHead(200, { 'content-type': 'application/json', ...reply.headers }).end(reply.raw);
    } else if ('status' in reply) {
      response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
      response.end(JSON.stringify({ error: reply.error ?? { message: `scripted ${reply.status}` } }));
    } else if (seen.stream) streamed(response, reply);
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(whole(reply)));
  }
}

type Said = Extract<Reply, { text?: string }>;

const inOrder =
  (replies: Reply[]): Script =>
  (_request, index) =>
    replies[index] ?? { text: 'nothing more is scripted' };

const callsOf = ({ calls = [] }: Said) =>
  calls.map(([name, args], index) => ({
    id: `call_${index}`,
    type: 'function',
    function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) },
  }));

const finishOf = ({ finish, calls = [] }: Said) => finish ?? (calls.length > 0 ? 'tool_calls' : 'stop');

const usageOf = ({ usage = [10, 5] }: Said) =>
  usage === 'none'
    ? undefined
    : { prompt_tokens: usage[0], completion_tokens: usage[1], total_tokens: usage[0] + usage[1] };

const envelope = { id: 'chat-1', created: 1, model: 'scripted' };

const whole = (reply: Said) => ({
  ...envelope,
  object: 'chat.completion',
  choices: [
    {
      index: 0,
      finish_reason: finishOf(reply),
      message: {
        role: 'assistant',
        content: reply.text ?? null,
        ...(reply.calls && { tool_calls: callsOf(reply) }),
      },
    },
  ],
  usage: usageOf(reply),
});

/** Text by characters, arguments in halves. */
function streamed(response: ServerResponse, reply: Said): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  const send = (value: object) =>
    response.write(`data: ${JSON.stringify({ ...envelope, object: 'chat.completion.chunk', ...value })}\n\n`);
  const delta = (value: object, finish: string | null = null) =>
    send({ choices: [{ index: 0, delta: value, finish_reason: finish }] });
  delta({ role: 'assistant', content: '' });
  for (const character of reply.text ?? '') delta({ content: character });
  for (const [index, call] of callsOf(reply).entries()) {
    const { name, arguments: text } = call.function;
    const half = Math.ceil(text.length / 2);
    delta({ tool_calls: [{ index, ...call, function: { name, arguments: text.slice(0, half) } }] });
    delta({ tool_calls: [{ index, function: { arguments: text.slice(half) } }] });
  }
  delta({}, finishOf(reply));
  const usage = usageOf(reply);
  if (usage !== undefined) send({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}
