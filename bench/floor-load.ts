/** Producer and fleet for `floor-controller.ts`, as one worker: what a task costs at the least, measured the same way as Muster. */
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { answer } from './children.ts';
import { Completions } from './completions.ts';
import { preciseNow } from './measure.ts';

const completions = new Completions();
let producer: WebSocket;
let sent = 0;
const committed = new Map<number, () => void>();

async function connect({ port, devices }: { port: number; devices: number }): Promise<void> {
  for (let device = 0; device < devices; device += 1) await fleetMember(port, `device-${device}`);
  producer = new WebSocket(`ws://127.0.0.1:${port}/producer`, { perMessageDeflate: false });
  await once(producer, 'open');
  producer.on('message', (data) => {
    const { n } = JSON.parse(String(data));
    committed.get(n)?.();
    committed.delete(n);
  });
}

function fleetMember(port: number, device: string): Promise<void> {
  const started = new Map<string, number>();
  return new Promise((settle, fail) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/agent`, { perMessageDeflate: false });
    socket.once('error', fail);
    socket.once('open', () => socket.send(JSON.stringify({ type: 'hello', device })));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'welcome') settle();
      else if (message.type === 'task') {
        started.set(message.id, JSON.parse(message.payload).startedAt);
        socket.send(
          JSON.stringify({
            type: 'result',
            id: message.id,
            result: { exitCode: 0, stdout: 'Linux', durationMs: 3 },
          }),
        );
      } else {
        completions.add(started.get(message.id) ?? 0);
        started.delete(message.id);
      }
    });
  });
}

function add(device: number): Promise<void> {
  sent += 1;
  const n = sent;
  const payload = {
    argv: ['uname', '-a'],
    env: { LANG: 'C' },
    note: 'x'.repeat(120),
    startedAt: preciseNow(),
  };
  return new Promise((settle) => {
    committed.set(n, settle);
    producer.send(JSON.stringify({ n, device: `device-${device}`, payload }));
  });
}

answer({
  connect,
  burst: async ({ tasks, devices }: { tasks: number; devices: number }) => {
    completions.expect(tasks);
    const startedAt = performance.now();
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < tasks) await add(next++ % devices);
    };
    await Promise.all(Array.from({ length: 256 }, lane));
    await completions.reached(90_000);
    return { seconds: (performance.now() - startedAt) / 1000, ...completions.figures() };
  },
  paced: async ({ perSecond, seconds, devices }: { perSecond: number; seconds: number; devices: number }) => {
    completions.expect(perSecond * seconds);
    const startedAt = performance.now();
    for (let index = 0; index < perSecond * seconds; index += 1) {
      const wait = startedAt + (index * 1000) / perSecond - performance.now();
      if (wait > 0) await sleep(wait);
      void add((index * 37) % devices);
    }
    await completions.reached(30_000);
    return completions.figures();
  },
});
