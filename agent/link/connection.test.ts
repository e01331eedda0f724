import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../../shared/node/logger.ts';
import type { Hello } from '../../shared/protocol/hello.ts';
import { maxFrameBytes } from '../../shared/protocol/version.ts';
import { memorySocketPair } from '../../test/harness/memory-socket.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { Connection } from './connection.ts';

const hello = { type: 'hello', bootId: 'boot' } as Hello;
const welcome = {
  type: 'welcome',
  protocol: 1,
  session: 'session',
  clock: 0,
  heartbeatMs: 25_000,
  ackedSeq: 0,
  tasks: [],
  factsWanted: false,
};

function open() {
  const clock = new TestClock();
  const [mine, theirs] = memorySocketPair();
  const up: unknown[] = [];
  const handed: string[] = [];
  theirs.listen({
    frame: (text) => up.push(JSON.parse(text)),
    alive: () => undefined,
    closed: (code) => handed.push(`peer saw ${code}`),
  });
  const connection = new Connection({
    socket: mine,
    clock,
    log: silentLogger(),
    listener: {
      welcome: ({ session }) => handed.push(`welcome ${session}`),
      instruction: ({ type }) => handed.push(type),
    },
  });
  connection.open(hello);
  const say = async (...frames: unknown[]) => {
    for (const frame of frames) theirs.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
    await clock.advance(0);
  };
  return { connection, clock, up, handed, theirs, say };
}

test('says hello first and hands over what follows the welcome, in order', async () => {
  const { up, handed, say } = open();
  await say(welcome, { type: 'task.start', codes: [] }, { type: 'report.ack', seq: 1 });
  expect(up).toEqual([hello]);
  expect(handed).toEqual(['welcome session', 'task.start', 'report.ack']);
});

test.each([
  ['an instruction before welcome', [{ type: 'report.ack', seq: 1 }]],
  ['a second welcome', [welcome, welcome]],
  ['text that is not JSON', [welcome, 'hello?']],
  ['a known type of wrong shape', [welcome, { type: 'task.start', codes: 'all' }]],
])('%s closes the link with badFrame', async (_what, frames) => {
  const { connection, say } = open();
  await say(...frames);
  expect(await connection.ended).toMatchObject({ code: 4000 });
});

test('an unknown type is answered with an error and is not fatal', async () => {
  const { connection, up, say } = open();
  await say(welcome, { type: 'task.dance' });
  expect(up.at(-1)).toMatchObject({ type: 'error', code: 'unknown_type' });
  expect(connection.isOver).toBe(false);
});

test('a frame over the limit closes the link with frameTooLarge', async () => {
  const { connection, say } = open();
  await say(welcome, 'x'.repeat(maxFrameBytes + 1));
  expect(await connection.ended).toMatchObject({ code: 4001 });
});

test('after the end nothing is handed over and nothing is sent', async () => {
  const { connection, handed, up, say } = open();
  await say(welcome);
  connection.close(1000, 'done');
  connection.send(hello);
  await say({ type: 'task.start', codes: [] });
  expect(handed).toEqual(['welcome session', 'peer saw 1000']);
  expect(up).toHaveLength(1);
  expect(await connection.ended).toEqual({ code: 1000, reason: 'done' });
});

test('a round trip in progress ends with the link', async () => {
  const { connection, theirs, say } = open();
  theirs.answersPings = false;
  await say(welcome);
  const measured = connection.roundTrip(new AbortController().signal);
  const failed = expect(measured).rejects.toThrow(/the link ended/);
  connection.terminate(1006, 'gone');
  await failed;
});

test('no frame whatever makes it throw', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(fc.string(), fc.jsonValue(), fc.record({ type: fc.string(), codes: fc.jsonValue() })),
      ),
      async (frames) => {
        const { connection, say } = open();
        await say(welcome, ...frames);
        connection.close(1000, 'done');
        expect((await connection.ended).code).toBeGreaterThan(0);
      },
    ),
    { numRuns: 50 },
  );
});
