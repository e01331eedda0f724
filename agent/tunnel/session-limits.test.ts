import { duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { Mux } from '../../shared/node/mux/mux.ts';
import { RecordParser, recordBytes } from '../../shared/tunnel/record.ts';
import { openRequestBytes } from '../../shared/tunnel/service.ts';
import { TestClock } from '../../test/harness/test-clock.ts';
import { until } from '../../test/harness/until.ts';
import { createStreams } from '../system/streams/create-streams.ts';
import { RemoteAccess } from './remote-access.ts';
import { DeviceSession, type SessionEnd } from './session.ts';

const second = 1000;
const minute = 60 * second;

/** A session whose device lives by a clock that the case moves. */
function opened(limits: { idleMs: number; maxMs: number }) {
  const [near, far] = duplexPair();
  const clock = new TestClock();
  const session = new DeviceSession(far, {
    streams: createStreams(),
    policy: RemoteAccess.parse({}),
    mode: 'full',
    clock,
    recordings: undefined,
    ...limits,
  });
  let end: SessionEnd | undefined;
  const stop = new AbortController();
  const ended = session.run(stop.signal).then((told) => (end = told));
  return { near, clock, ended, stop, end: () => end };
}

/** Time passes at the pace of an operator's side that answers pings: its own comes back after all that the device asked before. */
async function pass(clock: TestClock, operator: Mux, ms: number): Promise<void> {
  for (let passed = 0; passed < ms && !operator.isOver; passed += 5 * second) {
    await clock.advance(5 * second);
    await Promise.race([
      operator.ping(),
      until('the session is over', () => operator.isOver, { everyMs: 5 }),
    ]);
  }
}

test('keep-alives hold a session open for as long as they come, and the idle limit counts from the last', async () => {
  const { near, clock, ended, end, stop } = opened({ idleMs: 15 * minute, maxMs: 8 * 60 * minute });
  const operator = new Mux(near, { side: 'operator', onClose: () => {} });
  const stream = operator.open(openRequestBytes({ service: 'exec', argv: ['cat'] }));
  let echoed = '';
  const parser = new RecordParser((type, payload) => {
    if (type === 'stdout') echoed += Buffer.from(payload).toString();
  });
  stream.on('data', (part: Buffer) => parser.push(part));
  for (let count = 1; count <= 20; count += 1) {
    for (const part of recordBytes('stdin', Buffer.from('.'))) stream.write(part);
    await until('the keep-alive is answered', () => echoed.length === count);
    await pass(clock, operator, minute);
  }
  expect(end()).toBeUndefined();
  await pass(clock, operator, 13 * minute);
  expect(end()).toBeUndefined();
  await pass(clock, operator, 3 * minute);
  expect(await ended).toMatchObject({ code: 'idle', message: 'Nothing was sent for 900 s' });
  stop.abort();
});

test('pings of the session itself are no use of it', async () => {
  const { near, clock, ended } = opened({ idleMs: 15 * minute, maxMs: 60 * minute });
  const operator = new Mux(near, { side: 'operator', onClose: () => {} });
  await pass(clock, operator, 16 * minute);
  expect(await ended).toMatchObject({ code: 'idle' });
});

test('an operator’s side that answers no ping is given up after ten seconds', async () => {
  const { near, clock, ended, end } = opened({ idleMs: 15 * minute, maxMs: 60 * minute });
  near.resume(); // takes everything, says nothing
  await clock.advance(9 * second);
  expect(end()).toBeUndefined();
  await clock.advance(2 * second);
  expect(await ended).toMatchObject({ code: 'peerLost' });
});
