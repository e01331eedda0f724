import { type Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { until } from '../../test/harness/until.ts';
import { type Arrival, Rendezvous } from './rendezvous.ts';

/** Somebody who asks to join: what became of it is told. */
class Asker implements Arrival {
  readonly socket: Duplex;
  refused: AppError | undefined;
  accepted = false;
  readonly #far: Duplex;
  readonly #fails: boolean;
  #gone: () => void = () => {};

  constructor(fails = false) {
    [this.#far, this.socket] = duplexPair();
    for (const one of [this.#far, this.socket]) one.on('error', () => {});
    this.#fails = fails;
  }

  async accept(): Promise<Duplex> {
    if (this.#fails) throw new AppError('conflict', 'taken before');
    this.accepted = true;
    return this.#far;
  }

  refuse(error: AppError): void {
    this.refused = error;
  }

  onGone(callback: () => void): void {
    this.#gone = callback;
  }

  leave(): void {
    this.#gone();
  }
}

function rendezvous(maxSessions = 10) {
  const told: string[] = [];
  const meetings = new Rendezvous(
    {
      opened: (session) => told.push(`opened ${session}`),
      closed: (session) => told.push(`closed ${session}`),
    },
    maxSessions,
  );
  return { meetings, told };
}

test('neither side is answered before the other is there, whoever comes first', async () => {
  const { meetings, told } = rendezvous();
  const [device, operator] = [new Asker(), new Asker()];
  meetings.arrive('s', 'device', device);
  expect(device.accepted).toBe(false);
  expect(meetings.waiting()).toEqual(['s']);
  meetings.arrive('s', 'operator', operator);
  await until('it is open', () => told.includes('opened s'));
  expect([device.accepted, operator.accepted]).toEqual([true, true]);
  operator.socket.write('hello');
  await until('it is spliced', () => String(device.socket.read() as Buffer | null) === 'hello');
});

test('a side is taken once, while it waits and while it is joined', async () => {
  const { meetings, told } = rendezvous();
  meetings.arrive('s', 'device', new Asker());
  expect(() => meetings.arrive('s', 'device', new Asker())).toThrow(/device's side .* is taken/);
  meetings.arrive('s', 'operator', new Asker());
  await until('it is open', () => told.includes('opened s'));
  expect(() => meetings.arrive('s', 'operator', new Asker())).toThrow(/taken/);
});

test('who leaves while waiting leaves nothing behind', () => {
  const { meetings } = rendezvous();
  const device = new Asker();
  meetings.arrive('s', 'device', device);
  device.leave();
  expect(meetings.size).toBe(0);
  meetings.arrive('s', 'device', new Asker());
});

test('a side that cannot be taken refuses the other too, and the session can be tried again', async () => {
  const { meetings, told } = rendezvous();
  const [device, operator] = [new Asker(true), new Asker()];
  meetings.arrive('s', 'device', device);
  meetings.arrive('s', 'operator', operator);
  await until('the device is refused', () => device.refused !== undefined);
  expect(operator.socket.destroyed || operator.accepted).toBe(true);
  expect(meetings.size).toBe(0);
  expect(told).toEqual([]);
});

test('ending a session tells who waits, and cuts off who is joined', async () => {
  const { meetings, told } = rendezvous();
  const waiting = new Asker();
  meetings.arrive('w', 'operator', waiting);
  meetings.end('w', new AppError('conflict', 'over'));
  expect(waiting.refused?.message).toBe('over');
  const [device, operator] = [new Asker(), new Asker()];
  meetings.arrive('s', 'device', device);
  meetings.arrive('s', 'operator', operator);
  await until('it is open', () => told.includes('opened s'));
  meetings.end('s', new AppError('conflict', 'over'));
  await until('it is closed', () => told.includes('closed s'));
  expect(meetings.size).toBe(0);
});

test('more sessions than agreed are refused, with a time to come again', () => {
  const { meetings } = rendezvous(1);
  meetings.arrive('one', 'device', new Asker());
  expect(() => meetings.arrive('two', 'device', new Asker())).toThrow(/at most 1 sessions/);
  meetings.arrive('one', 'operator', new Asker());
});
