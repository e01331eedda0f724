import { expect, test } from 'vitest';
import type { FrameSocket } from '../../shared/frame-socket.ts';
import { Connection } from './connection.ts';
import { Process, WallClock } from './process.ts';
import { Scheduler } from './scheduler.ts';
import { Trace } from './trace.ts';

function connect() {
  const scheduler = new Scheduler();
  const wall = new WallClock(scheduler, 0);
  const [agent, controller] = [
    new Process('agent', scheduler, wall),
    new Process('controller', scheduler, wall),
  ];
  const trace = new Trace(scheduler, true);
  const delays = [30, 10, 20];
  const connection = new Connection({
    name: '#1',
    agent,
    controller,
    around: { scheduler, trace, delayMs: () => delays.shift() ?? 10 },
    sent: () => {},
  });
  return {
    scheduler,
    agent,
    connection,
    up: heard(connection.controllerSocket),
    down: heard(connection.agentSocket),
  };
}

function heard(socket: FrameSocket): string[] {
  const seen: string[] = [];
  socket.listen({
    frame: (text) => seen.push(text),
    alive: () => seen.push('alive'),
    closed: (code) => seen.push(`closed ${code}`),
  });
  return seen;
}

test('frames arrive in the order they were sent, however long each takes', async () => {
  const { scheduler, connection, up } = connect();
  for (const text of ['a', 'b', 'c']) connection.agentSocket.send(text);
  await scheduler.run(100);
  expect(up).toEqual(['a', 'b', 'c']);
});

test('a half-dead link: one side is told, the other hears late frames and then nothing', async () => {
  const { scheduler, connection, up, down } = connect();
  for (const text of ['a', 'b', 'c']) connection.agentSocket.send(text);
  connection.cut({
    agentLearns: 5,
    controllerLearns: 'never',
    upArrive: 2,
    downArrive: 0,
    lateMs: 500,
  });
  connection.controllerSocket.send('into the void');

  await scheduler.run(400);
  expect([up, down]).toEqual([[], ['closed 1006']]);
  await scheduler.run(1_000);
  expect(up).toEqual(['a', 'b']);
  expect(connection.controllerSocket.bufferedBytes).toBe('into the void'.length);
});

test('a ping is answered, and a close reaches both sides', async () => {
  const { scheduler, connection, up, down } = connect();
  connection.agentSocket.ping();
  connection.agentSocket.close(4005, 'superseded');
  await scheduler.run(1_000);
  expect(up).toEqual(['alive', 'closed 4005']);
  expect(down).toEqual(['alive', 'closed 4005']);
});

test('nothing reaches a dead process', async () => {
  const { scheduler, connection, agent, down } = connect();
  connection.controllerSocket.send('a');
  agent.die();
  await scheduler.run(1_000);
  expect(down).toEqual([]);
});
