import { connect, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import type { EventRow, NewEvent } from '../../controller/store/events.ts';
import { ApiUnderTest, type Member } from '../../test/harness/api.ts';
import { until } from '../../test/harness/until.ts';
import { sseText } from './sse-text.ts';

interface Sent {
  id: string;
  event: string;
  data: Record<string, unknown>;
}

/** A reader of the stream as a browser is one. */
class Reader {
  readonly status: number;
  readonly headers: Headers;
  text = '';
  ended = false;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.status = response.status;
    this.headers = response.headers;
    this.#abort = abort;
    void this.#read(response).catch(() => undefined);
  }

  static async open(
    base: string,
    member: Member,
    query = '',
    headers: Record<string, string> = {},
  ): Promise<Reader> {
    const abort = new AbortController();
    const response = await fetch(`${base}/api/v1/events${query}`, {
      headers: { authorization: `Bearer ${member.token}`, ...headers },
      signal: abort.signal,
    });
    return new Reader(response, abort);
  }

  get events(): Sent[] {
    return this.text.split('\n\n').flatMap((block) => {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      if (event === undefined) return [];
      const id = /^id: (.*)$/m.exec(block)?.[1] ?? '';
      return [
        { id, event, data: JSON.parse(/^data: (.*)$/m.exec(block)?.[1] ?? '') as Record<string, unknown> },
      ];
    });
  }

  seen = (count: number): Promise<Sent[]> =>
    until(`${count} events`, () => (this.events.length >= count ? this.events : undefined), {
      last: () => this.text.slice(-2000),
    });

  said = (what: RegExp) =>
    until(String(what), () => what.test(this.text), { last: () => this.text.slice(-2000) });

  close(): void {
    this.#abort.abort();
  }

  async #read(response: Response): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const bytes of response.body ?? []) this.text += decoder.decode(bytes, { stream: true });
    } finally {
      this.ended = true;
    }
  }
}

async function listening(config: Parameters<typeof ApiUnderTest.start>[0] = {}) {
  const api = await ApiUnderTest.start(config);
  await api.device('edge-1');
  await api.device('edge-2');
  const base = await api.listen();
  return {
    api,
    base,
    open: (query?: string, headers?: Record<string, string>) => Reader.open(base, api.admin, query, headers),
  };
}

describe('a stream of events', () => {
  test('sends what happens from now on, each with its cursor', async () => {
    const { api, open } = await listening();
    await using _ = api;
    await api.submit(['edge-1']);
    const reader = await open();
    expect(reader.status).toBe(200);
    expect(reader.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(reader.headers.get('x-request-id')).toBeTruthy();

    const { run, tasks } = await api.submit(['edge-2']);
    const events = await reader.seen(2);
    expect(events.map(({ data }) => data['run'])).toEqual(events.map(() => run));
    const created = events.find(({ data }) => data['task'] === tasks[0]);
    expect(created?.data).toMatchObject({
      organization: 'default',
      device: 'edge-2',
      cursor: Number(created?.id),
    });
    expect(created?.data['type']).toBe(created?.event);
  });

  test('resumes after the last id, without a gap and without a repetition', async () => {
    const { api, open } = await listening();
    await using _ = api;
    const reader = await open('?after=0');
    await api.submit(['edge-1']);
    const before = await reader.seen(2);
    reader.close();
    await api.submit(['edge-2']);

    const last = before.at(-1)?.id ?? '';
    const resumed = await open('?after=0', { 'last-event-id': last });
    const after = await resumed.seen(2);
    const all = await (await open('?after=0')).seen(before.length + after.length);
    expect(all.map(({ id }) => id)).toEqual([...before, ...after].map(({ id }) => id));
  });

  test('names where to resume before the first event', async () => {
    const { api, open } = await listening();
    await using _ = api;
    await api.submit(['edge-1']);
    const { newest } = await api.store.events.range();
    await (await open()).said(new RegExp(`^: open\\nid: ${newest}\\n\\n`));
  });

  test('of one task or one run leaves out the others', async () => {
    const { api, open } = await listening();
    await using _ = api;
    const first = await api.submit(['edge-1']);
    const second = await api.submit(['edge-1']);
    const task = first.tasks[0] ?? '';
    const ofTask = await open(`?after=0&task=${task}`);
    const ofRun = await open(`?after=0&run=${second.run}`);
    await api.call('PUT', `/api/v1/tasks/${task}/cancel`);
    await api.call('POST', `/api/v1/runs/${second.run}/cancel`);
    await ofTask.said(/task\.cancelled/);
    await ofRun.said(/task\.cancelled/);
    expect(new Set(ofTask.events.map(({ data }) => data['task']))).toEqual(new Set([task]));
    expect(new Set(ofRun.events.map(({ data }) => data['run']))).toEqual(new Set([second.run]));
  });

  test.each([
    ['?task=zzzzzzzz', {}, 404],
    ['?run=00000000-0000-4000-8000-000000000000', {}, 404],
    ['?organization=elsewhere', {}, 404],
    ['?after=soon', {}, 400],
    ['?colour=red', {}, 400],
    ['', { 'last-event-id': 'soon' }, 400],
  ])('with %s %o is answered %i before it begins', async (query, headers, status) => {
    const { api, open } = await listening();
    await using _ = api;
    expect((await open(query, headers)).status).toBe(status);
  });

  test('begins with a reset when its cursor is no longer kept, or was never given', async () => {
    const { api, open } = await listening();
    await using _ = api;
    await api.submit(['edge-1']);
    await api.submit(['edge-1']);
    await api.store.events.prune(1, 0);
    const { oldest, newest } = await api.store.events.range();
    const [reset, next] = await (await open('?after=1')).seen(2);
    expect(reset).toMatchObject({ event: 'reset', data: { oldest } });
    expect(Number(next?.id)).toBe(oldest);

    const [future] = await (await open(`?after=${newest + 1_000}`)).seen(1);
    expect(future).toMatchObject({ event: 'reset', data: { oldest } });
  });

  test('shows signs of life when nothing happens', async () => {
    const { api, open } = await listening({ eventHeartbeatMs: 20 });
    await using _ = api;
    await (await open()).said(/(: heartbeat\n\n.*){2}/s);
  });

  test('ends with its token', async () => {
    const { api, base } = await listening({ eventHeartbeatMs: 20 });
    await using _ = api;
    const viewer = await api.member('viewer');
    const reader = await Reader.open(base, viewer);
    await reader.said(/heartbeat/);
    const actor = { name: 'test', organizationId: viewer.organization.id, ipAddress: null, requestId: null };
    await api.core.tokens.revokeAccessToken(actor, viewer.account.id, viewer.row.name);
    await reader.said(/: the token has ended/);
    await until('the end', () => reader.ended);
  });

  test('ends when the server closes, which does not wait for it', async () => {
    const { api, open } = await listening();
    const reader = await open();
    await api[Symbol.asyncDispose]();
    await until('the end', () => reader.ended);
  });

  test('is refused with 503 when there are too many', async () => {
    const { api, open } = await listening({ maxEventStreams: 1 });
    await using _ = api;
    const first = await open();
    expect((await open()).status).toBe(503);
    first.close();
    await until('room again', async () => {
      const next = await open();
      return next.status === 200;
    });
  });
});

describe('a reader that reads nothing', () => {
  test('is disconnected, and what is sent to it stays bounded', async () => {
    const { api, base } = await listening({ slowReaderMs: 300 });
    await using _ = api;
    const socket = await silentReader(base, api.admin);
    const reserved = process.memoryUsage().arrayBuffers;
    for (let batch = 0; batch < 40; batch++)
      await api.store.events.append(largeEvents(api.admin.organization.id, 50));
    await api.submit(['edge-1']);

    await until(
      'the disconnection',
      () => api.app.server.listening && openSockets(api).then((count) => count === 0),
    );
    expect(process.memoryUsage().arrayBuffers - reserved).toBeLessThan(30_000_000);
    socket.destroy();
  });
});

/** Asks for the stream and never takes a byte of the answer. */
async function silentReader(base: string, member: Member): Promise<Socket> {
  const { port } = new URL(base);
  const socket = connect(Number(port), '127.0.0.1');
  socket.pause();
  await new Promise((resolve) => socket.once('connect', resolve));
  socket.write(
    `GET /api/v1/events?after=0 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${member.token}\r\n\r\n`,
  );
  return socket;
}

const openSockets = (api: ApiUnderTest): Promise<number> =>
  new Promise((resolve, reject) => {
    api.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });

const largeEvents = (organizationId: string, count: number): NewEvent[] =>
  Array.from({ length: count }, () => ({
    type: 'task.progress' as const,
    at: Date.now(),
    organizationId,
    deviceId: null,
    taskId: null,
    runId: null,
    data: { message: 'x'.repeat(20_000) },
  }));

test('no text of an event can break out of its data line', () => {
  const event: EventRow = {
    cursor: 7,
    type: 'task.progress',
    at: 0,
    organizationId: 'o',
    organizationName: 'default',
    deviceId: null,
    deviceName: null,
    taskId: null,
    taskCode: null,
    runId: null,
    data: { message: 'one\n\nevent: forged\r\ndata: {}\u2028' },
  };
  const lines = sseText({ kind: 'event', event }).split(/\r\n|\r|\n/);
  expect(lines.map((line) => line.split(':')[0])).toEqual(['id', 'event', 'data', '', '']);
});
