import { expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import type { Hello } from '../../shared/protocol/hello.ts';
import { ReportBatch } from '../../shared/protocol/report.ts';
import { memorySocketPair } from '../../test/harness/memory-socket.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { seededRandom } from '../../test/simulation/random.ts';
import { Connection } from '../link/connection.ts';
import { AgentStore } from '../store/agent-store.ts';
import { defaultOutboxBounds } from '../store/log-bounds.ts';
import { deliver } from './deliver.ts';

function stage() {
  const clock = new TestClock();
  const store = new AgentStore(openSqlite(':memory:'), seededRandom('deliver'), defaultOutboxBounds);
  const [mine, theirs] = memorySocketPair();
  const frames: string[] = [];
  theirs.listen({ frame: (text) => frames.push(text), alive: () => undefined, closed: () => undefined });
  const listener = { welcome: () => undefined, instruction: () => undefined };
  const connection = new Connection({ socket: mine, clock, log: silentLogger(), listener });
  connection.open({ type: 'hello' } as Hello);
  const append = (count: number, text = 'line') =>
    store.write(() => {
      for (let index = 0; index < count; index += 1) {
        const line = store.outbox.lastSeq() + 1;
        store.outbox.append('log', {
          type: 'task.log',
          code: 'aB3dE6gH',
          at: 0,
          line,
          stream: 'stdout',
          text,
        });
      }
    });
  const start = (ackedSeq = 0, protocol = 2) =>
    deliver(connection, store, { ackedSeq, protocol }, connection.over).catch(() => undefined);
  const batches = () =>
    frames.slice(1).map((text) => ReportBatch.parse(JSON.parse(text)).reports.map(({ seq }) => seq));
  return { clock, store, connection, frames, append, start, batches };
}

test('a controller that does not know questions is not told of them, and everything else arrives', async () => {
  const { clock, store, append, start, batches } = stage();
  append(1);
  const closed = {
    type: 'task.question_closed',
    code: 'aB3dE6gH',
    at: 0,
    question: '0197a3c0-5b1e-4c55-9d0e-111111111111',
    reason: 'deadline',
  } as const;
  store.write(() => store.outbox.append('question', closed));
  append(1);
  void start(0, 1);
  await clock.advance(0);
  expect(batches().flat()).toEqual([1, 3]);
});

test('a row leaves in the turn of its commit', async () => {
  const { clock, append, start, batches } = stage();
  void start();
  await clock.advance(0);
  append(1);
  await clock.advance(0);
  append(2);
  await clock.advance(0);
  expect(batches()).toEqual([[1], [2, 3]]);
});

test('a frame has at most 256 rows and 256 KiB', async () => {
  const { clock, append, start, batches, frames } = stage();
  append(300);
  append(40, 'x'.repeat(16_000));
  void start();
  await clock.advance(0);
  expect(batches()[0]).toHaveLength(256);
  for (const frame of frames.slice(1)) expect(frame.length).toBeLessThan(260 * 1024);
  expect(batches().flat()).toEqual(Array.from({ length: 340 }, (_, index) => index + 1));
});

test('what is not acknowledged is bounded, by rows and by bytes, and goes on with the acknowledgements', async () => {
  const { clock, store, append, start, batches } = stage();
  append(5_000);
  void start();
  await clock.advance(0);
  expect(batches().flat().length).toBeLessThanOrEqual(2_048 + 255);

  const sent = batches().flat().length;
  store.outbox.ack(1_000);
  await clock.advance(0);
  expect(batches().flat().length).toBeGreaterThan(sent);
  while (store.outbox.size().rows > 0) {
    store.outbox.ack(batches().flat().at(-1) ?? 0);
    await clock.advance(0);
  }
  expect(batches().flat()).toEqual(Array.from({ length: 5_000 }, (_, index) => index + 1));
});

test('a peer that acknowledges nothing gets at most about a mebibyte', async () => {
  const { clock, append, start, frames } = stage();
  append(500, 'x'.repeat(16_000));
  void start();
  await clock.advance(0);
  expect(frames.join('').length).toBeLessThan(1.5 * 1024 * 1024);
});

test('begins after what the controller has, and ends with the link', async () => {
  const { clock, connection, append, start, batches } = stage();
  append(3);
  const delivering = start(2);
  await clock.advance(0);
  expect(batches()).toEqual([[3]]);
  connection.terminate(1006, 'gone');
  await delivering;
  append(1);
  await clock.advance(0);
  expect(batches()).toEqual([[3]]);
});
