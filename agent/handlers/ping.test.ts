import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { Ping } from '../../shared/task-types/ping.ts';
import { createProcesses } from '../system/processes.ts';
import { dummyContext } from './dummy-context.ts';
import { ping } from './ping.ts';

test('without a host the round trip of the link is measured', async () => {
  const result = await ping.run(Ping.parameters.parse({}), dummyContext());
  expect(Ping.result.parse(result)).toEqual({ round_trip_ms: 12.346 });
});

test('without a link it fails as the link says', async () => {
  const context = dummyContext({ roundTrip: () => Promise.reject(new TaskError('no_link', 'no link')) });
  await expect(ping.run({ count: 4 }, context)).rejects.toMatchObject({ code: 'no_link' });
});

describe('with a host', () => {
  test('runs ping on the device, streams its output and repeats it in the result', async () => {
    const context = dummyContext();
    const result = await context.clock.through(ping.run({ host: '10.0.0.1', count: 3 }, context));
    expect(Ping.result.parse(result)).toMatchObject({
      round_trip_ms: 1,
      host: '10.0.0.1',
      sent: 3,
      received: 3,
      output: expect.stringContaining('icmp_seq=3'),
    });
    expect(context.lines).toContain('stdout: 3 packets transmitted, 3 received, 0% packet loss, time 0ms');
    expect(context.system.processes.executions[0]?.command.argv).toEqual([
      'ping',
      '-n',
      '-c',
      '3',
      '--',
      '10.0.0.1',
    ]);
  });

  test('no reply fails', async () => {
    const context = dummyContext();
    context.system.processes.behaviour = () => [
      { print: '2 packets transmitted, 0 received, 100% packet loss, time 1001ms\n' },
      { exitCode: 1 },
    ];
    await expect(ping.run({ host: '10.0.0.1', count: 2 }, context)).rejects.toMatchObject({
      code: 'no_reply',
      message: '10.0.0.1 answered none of 2 echo requests',
      result: { sent: 2, received: 0, round_trip_ms: null },
    });
  });

  test('a name that is unknown is told in ping’s words', async () => {
    const context = dummyContext();
    context.system.processes.behaviour = () => [
      { print: 'ping: nosuch: Name or service not known\n', stream: 'stderr' },
      { exitCode: 2 },
    ];
    await expect(ping.run({ host: 'nosuch', count: 2 }, context)).rejects.toMatchObject({
      code: 'ping_failed',
      message: 'ping could not ping nosuch: ping: nosuch: Name or service not known',
    });
  });

  test('a flood of replies does not hide the summary', async () => {
    const context = dummyContext();
    context.system.processes.behaviour = () => [
      { print: '64 bytes from 10.0.0.1: DUP!\n'.repeat(5000) },
      { print: '2 packets transmitted, 2 received, +4998 duplicates, 0% packet loss\n' },
    ];
    const result = await ping.run({ host: '10.0.0.1', count: 2 }, context);
    expect(result).toMatchObject({ received: 2 });
    expect(result.output?.length).toBeLessThanOrEqual(16_384);
  });

  test('a device without ping says so', async () => {
    const context = dummyContext();
    Object.assign(context.system, { processes: createProcesses({ path: '/nonexistent' }) });
    await expect(ping.run({ host: '127.0.0.1', count: 1 }, context)).rejects.toMatchObject({
      code: 'program_missing',
      message: expect.stringContaining('ping'),
    });
  });

  test('a cancel request ends it', async () => {
    const context = dummyContext();
    const running = ping.run({ host: '10.0.0.1', count: 100 }, context);
    await context.clock.advance(5000);
    context.abort(new TaskError('cancelled', 'cancelled by somebody'));
    await expect(running).rejects.toMatchObject({ code: 'cancelled' });
  });
});

const path = process.env.PATH ?? '';
const hasPing = (() => {
  try {
    execFileSync('ping', ['-n', '-c', '1', '127.0.0.1'], { env: { PATH: path }, stdio: 'ignore' });
    return true;
  } catch {
    console.warn(
      'SKIPPED: this machine has no working ping (Debian: iputils-ping); the real one is not tested',
    );
    return false;
  }
})();

test.runIf(hasPing)('the real ping reaches loopback', async () => {
  const context = dummyContext();
  Object.assign(context.system, { processes: createProcesses({ path }) });
  const result = await ping.run({ host: '127.0.0.1', count: 2 }, context);
  expect(result).toMatchObject({ sent: 2, received: 2, round_trip_ms: expect.any(Number) });
  expect(context.lines.length).toBeGreaterThan(4);
});

test.runIf(hasPing)('the real ping does not know a name that cannot exist', async () => {
  const context = dummyContext();
  Object.assign(context.system, { processes: createProcesses({ path }) });
  await expect(ping.run({ host: 'a..b', count: 1 }, context)).rejects.toMatchObject({
    code: 'ping_failed',
    message: expect.stringContaining('a..b'),
  });
});
