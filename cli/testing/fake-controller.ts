import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Run } from '../../shared/api/runs.ts';
import type { Task, TaskLogLine } from '../../shared/api/tasks.ts';
import { runId, sampleRun } from './samples.ts';

export interface SeenRequest {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: unknown;
}

export interface Answer {
  status?: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Break the connection instead. */
  broken?: true;
  /** Bytes instead of a body; `Range: bytes=N-` is honoured unless `wholeOnly`. */
  bytes?: Uint8Array;
  wholeOnly?: true;
  /** Break the connection after so many bytes. */
  cutAfter?: number;
}

type Handler = (request: SeenRequest) => Answer | Promise<Answer>;

const bodyOf = ({ headers }: IncomingMessage, text: string): unknown => {
  if (text === '') return undefined;
  return headers['content-type'] === 'application/octet-stream' ? text : JSON.parse(text);
};

/** Speaks the REST interface to the real command line over real HTTP; the test decides what happens to tasks. */
export class FakeController implements AsyncDisposable {
  readonly tasks = new Map<string, Task>();
  readonly logs = new Map<string, TaskLogLine[]>();
  readonly seen: SeenRequest[] = [];
  /** How often failed tasks are tried again; the run goes on while there are fewer tasks than tries. */
  maxRetries = 0;
  readonly #handlers = new Map<string, Handler>();
  readonly #streams = new Set<ServerResponse>();
  readonly #server: Server;
  #cursor = 0;
  #ticks = 0;

  private constructor() {
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  static async start(port = 0): Promise<FakeController> {
    const controller = new FakeController();
    controller.#server.listen(port, '127.0.0.1');
    await once(controller.#server, 'listening');
    return controller;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Replaces what is answered to `GET /api/v1/…`. */
  on(route: string, handler: Handler | Answer): void {
    this.#handlers.set(route, typeof handler === 'function' ? handler : () => handler);
  }

  requests(route: string): SeenRequest[] {
    return this.seen.filter(({ method, path }) => `${method} ${path}` === route);
  }

  add(...tasks: Task[]): void {
    for (const task of tasks) this.tasks.set(task.task, task);
  }

  /** Changes a task and, unless told otherwise, sends an event. */
  change(code: string, changes: Partial<Task>, options: { silent?: boolean } = {}): void {
    const task = this.tasks.get(code);
    if (task === undefined) throw new Error(`there is no task ${code}`);
    this.#ticks += 1;
    const updated_at = new Date(Date.UTC(2026, 0, 1) + this.#ticks * 1000).toISOString();
    const ended = changes.status !== undefined && /COMPLETED|FAILED|CANCELLED|EXPIRED/.test(changes.status);
    this.tasks.set(code, { ...task, updated_at, ...(ended ? { completed_at: updated_at } : {}), ...changes });
    if (!options.silent) this.emit('task.progress', { task: code });
  }

  log(code: string, stream: TaskLogLine['stream'], text: string): void {
    const lines = this.logs.get(code) ?? [];
    const cursor = lines.length + 1;
    this.logs.set(code, [...lines, { cursor, line: cursor, stream, at: '2026-01-01T00:00:00.000Z', text }]);
  }

  emit(type: string, about: { task?: string; device?: string; run?: string } = {}): void {
    this.#cursor += 1;
    const event = {
      cursor: this.#cursor,
      type,
      at: '2026-01-01T00:00:00.000Z',
      organization: 'default',
      device: about.device ?? null,
      task: about.task ?? null,
      run: about.run ?? null,
      data: {},
    };
    for (const stream of this.#streams) {
      stream.write(`id: ${event.cursor}\nevent: ${type}\ndata: ${JSON.stringify(event)}\n\n`);
    }
  }

  breakStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    let text = '';
    for await (const part of request) text += String(part);
    const seen: SeenRequest = {
      method: request.method ?? '',
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body: bodyOf(request, text),
    };
    this.seen.push(seen);
    const handler = this.#handlers.get(`${seen.method} ${seen.path}`);
    if (handler === undefined && seen.path === '/api/v1/events') {
      this.#stream(response);
      return;
    }
    const answer = await (handler ?? ((one: SeenRequest) => this.#builtIn(one)))(seen);
    if (answer.broken) {
      response.destroy();
      return;
    }
    if (answer.bytes !== undefined) {
      sendBytes(response, seen, { ...answer, bytes: answer.bytes });
      return;
    }
    response.writeHead(answer.status ?? 200, {
      'content-type': 'application/json',
      'x-request-id': 'request-1',
      ...answer.headers,
    });
    response.end(answer.body === undefined ? '' : JSON.stringify(answer.body));
  }

  #stream(response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`: open\nid: ${this.#cursor}\n\n`);
    this.#streams.add(response);
    response.on('close', () => this.#streams.delete(response));
  }

  #builtIn({ method, path, query }: SeenRequest): Answer {
    const all = [...this.tasks.values()];
    const [, code = '', rest] = /^\/api\/v1\/tasks\/([^/]+)(\/logs)?$/.exec(path) ?? [];
    const task = this.tasks.get(code);
    if (method === 'GET' && path === '/api/v1/tasks')
      return { body: paged(sorted(all, query.sort_by), query) };
    if (method === 'GET' && path === `/api/v1/runs/${runId}`) return { body: this.#run() };
    if (method === 'GET' && task !== undefined && rest === undefined) return { body: task };
    if (method === 'GET' && task !== undefined) {
      const items = (this.logs.get(code) ?? []).filter(({ cursor }) => cursor > Number(query.after));
      return {
        body: {
          items,
          next: items.at(-1)?.cursor ?? Number(query.after),
          complete: task.completed_at !== null,
        },
      };
    }
    return refused(404, 'not_found', `${method} ${path} does not exist`);
  }

  #run(): Run {
    const all = [...this.tasks.values()];
    const open = all.some(({ completed_at }) => completed_at === null);
    const failed = all.filter(({ status }) => status === 'FAILED').length;
    const isOver = !open && (failed === 0 || failed > this.maxRetries || failed < all.length);
    return sampleRun({
      max_retries: this.maxRetries,
      completed_at: isOver ? '2026-01-01T00:00:09.000Z' : null,
    });
  }
}

/** As the controller sends content: from where the range begins, with the length that is to come. */
function sendBytes(
  response: ServerResponse,
  { headers }: SeenRequest,
  { bytes, wholeOnly, cutAfter }: Answer & { bytes: Uint8Array },
): void {
  const asked = /^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1];
  const from = asked === undefined || wholeOnly ? 0 : Number(asked);
  const part = bytes.subarray(from);
  response.writeHead(from > 0 ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': part.length,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
  });
  if (cutAfter === undefined) response.end(part);
  else response.write(part.subarray(0, cutAfter), () => response.destroy());
}

export const refused = (status: number, code: string, error: string, detail?: unknown): Answer => ({
  status,
  body: { error, code, detail, request_id: 'request-1' },
});

export function paged<Item>(items: Item[], query: Record<string, string>) {
  const page = Number(query.page ?? 1);
  const perPage = Number(query.per_page ?? 30);
  return {
    items: items.slice((page - 1) * perPage, page * perPage),
    total: items.length,
    page,
    per_page: perPage,
    pages: Math.ceil(items.length / perPage),
  };
}

function sorted(tasks: Task[], sortBy = 'created_at:desc'): Task[] {
  const [field = '', direction] = sortBy.split(':');
  const key = (task: Task) => String(task[field as keyof Task]);
  const ascending = tasks.toSorted((left, right) => (key(left) < key(right) ? -1 : 1));
  return direction === 'desc' ? ascending.reverse() : ascending;
}
