import { beforeEach, describe, expect, test } from 'vitest';
import { until } from '../../test/harness/until.ts';
import { FakeController, refused } from '../testing/fake-controller.ts';
import { startMuster } from '../testing/run-muster.ts';
import { runId, sampleAnswer, sampleRun, sampleTask } from '../testing/samples.ts';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  return () => controller.close();
});

/** The controller makes these tasks at every request. */
function willCreate(...tasks: ReturnType<typeof sampleTask>[]): void {
  controller.on('POST /api/v1/organizations/default/tasks', () => {
    controller.add(...tasks);
    return { body: sampleAnswer(...tasks) };
  });
}

describe('--wait', () => {
  const one = sampleTask();
  const two = sampleTask({ task: 'Zz000000', device_name: 'edge-2' });
  const waiting = async (args: string[], ...tasks: ReturnType<typeof sampleTask>[]) => {
    willCreate(...tasks);
    const muster = startMuster(['run', 'ping', '--all', ...args], { url: controller.url });
    await until('it listens and knows the tasks', () => {
      return controller.streams === 1 && controller.requests('GET /api/v1/tasks').length > 0;
    });
    return muster;
  };

  test('tells each change, ends with a table and 0', async () => {
    const muster = await waiting(['--wait', '-f', 'simple'], one, two);
    controller.change('aB3dE6gH', { status: 'IN_PROGRESS', started_at: '2026-01-01T00:00:01.000Z' });
    await until('the change is told', () =>
      muster.stderr.includes('edge-1 aB3dE6gH PENDING -> IN_PROGRESS\n'),
    );
    controller.change('aB3dE6gH', { status: 'COMPLETED', message: '1.5 ms' });
    controller.change('Zz000000', { status: 'COMPLETED' });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /^DEVICE +TASK +STATUS +TOOK +MESSAGE\nedge-1 +aB3dE6gH +COMPLETED .* 1\.5 ms\nedge-2 /,
    );
  });

  test.each([
    ['3 when some fail', 'COMPLETED', 'FAILED', 3],
    ['1 when none is completed', 'CANCELLED', 'FAILED', 1],
  ] as const)('ends with %s', async (_, first, second, expected) => {
    const muster = await waiting(['--wait', '--json'], one, two);
    controller.change('aB3dE6gH', { status: first });
    controller.change('Zz000000', { status: second, error_code: 'interrupted' });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(expected);
    expect(JSON.parse(stdout)).toMatchObject({ run: runId, tasks: [{ status: first }, { status: second }] });
  });

  test('stays while a failed task may be tried again, and ends as the last try did', async () => {
    controller.maxRetries = 1;
    const muster = await waiting(['--wait', '-f', 'simple'], one);
    controller.change('aB3dE6gH', { status: 'FAILED' });
    await until(
      'it asks whether the run is over',
      () => controller.requests(`GET /api/v1/runs/${runId}`).length > 0,
    );
    controller.add(sampleTask({ task: 'Zz000000', status: 'SCHEDULED', retry_of: 'aB3dE6gH' }));
    controller.change('Zz000000', { status: 'COMPLETED' });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Zz000000');
    expect(stdout).not.toContain('aB3dE6gH');
  });

  test('ends with 7 at --timeout and says how to come back', async () => {
    const muster = await waiting(['--wait', '--timeout', '1s'], one);
    const { exitCode, stderr } = await muster.ended;
    expect(exitCode).toBe(7);
    expect(stderr).toContain('muster task watch aB3dE6gH');
  });

  test('Ctrl-C detaches: 130, and how to come back and to cancel', async () => {
    const muster = await waiting(['--wait'], one, two);
    muster.interrupt();
    const { exitCode, stderr } = await muster.ended;
    expect(exitCode).toBe(130);
    expect(stderr).toContain(`muster run watch ${runId}`);
    expect(stderr).toContain(`muster run cancel ${runId}`);
  });

  test('does not hang when an event never comes', async () => {
    const muster = await waiting(['--wait'], one);
    controller.change('aB3dE6gH', { status: 'COMPLETED' }, { silent: true });
    expect((await muster.ended).exitCode).toBe(0);
  });

  test('does without events when the controller has none', async () => {
    controller.on('GET /api/v1/events', refused(404, 'not_found', 'no such route'));
    willCreate(one);
    const muster = startMuster(['run', 'ping', '--all', '--wait'], { url: controller.url });
    await until('it asks for events', () => controller.requests('GET /api/v1/events').length > 0);
    controller.change('aB3dE6gH', { status: 'COMPLETED' });
    expect((await muster.ended).exitCode).toBe(0);
  });

  test('resumes the stream after the last event', async () => {
    const muster = await waiting(['--wait'], one);
    controller.emit('device.online');
    controller.breakStreams();
    await until('it listens again', () => controller.requests('GET /api/v1/events').length === 2);
    expect(controller.requests('GET /api/v1/events')[1]?.headers['last-event-id']).toBe('1');
    controller.change('aB3dE6gH', { status: 'COMPLETED' });
    expect((await muster.ended).exitCode).toBe(0);
  });

  test('outlives a restart of the controller', async () => {
    const muster = await waiting(['--wait'], one);
    const { port } = controller;
    controller.breakStreams();
    await controller.close();
    await until('the trouble is told', () => muster.stderr.includes('connection refused'));
    controller = await FakeController.start(port);
    controller.add({ ...one, status: 'COMPLETED', completed_at: '2026-01-01T00:00:09.000Z' });
    const { exitCode, stderr } = await muster.ended;
    expect(exitCode).toBe(0);
    expect(stderr).toContain('The controller answers again');
  });

  test('waits for every task of a fleet of more than one page', async () => {
    const fleet = Array.from({ length: 250 }, (_, at) =>
      sampleTask({
        task: `T${String(at).padStart(7, '0')}`,
        device_name: `edge-${String(at).padStart(3, '0')}`,
      }),
    );
    const muster = await waiting(['--wait', '-q'], ...fleet);
    for (const { task } of fleet) controller.change(task, { status: 'COMPLETED' });
    const { exitCode, stdout, stderr } = await muster.ended;
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout.trim().split('\n')).toHaveLength(250);
  });

  test('--follow prints the logs, with the device in front when there are several', async () => {
    const muster = await waiting(['--follow'], one, two);
    controller.log('aB3dE6gH', 'stdout', 'hello');
    controller.log('Zz000000', 'stdout', 'hello');
    controller.change('aB3dE6gH', { status: 'COMPLETED' });
    controller.change('Zz000000', { status: 'COMPLETED' });
    const { exitCode, stdout } = await muster.ended;
    expect(exitCode).toBe(0);
    expect(stdout.trim().split('\n').sort()).toEqual(['edge-1 | hello', 'edge-2 | hello']);
  });
});

test('watching a run without tasks ends as the run did', async () => {
  const ended = sampleRun({ status: 'FAILED', completed_at: '2026-01-01T00:00:09.000Z' });
  const looks = [sampleRun(), sampleRun()];
  controller.on(`GET /api/v1/runs/${runId}`, () => ({ body: looks.shift() ?? ended }));
  const muster = startMuster(['run', 'watch', runId], { url: controller.url });
  await until('it listens and has looked', () => controller.streams === 1 && looks.length === 0);
  controller.emit('run.ended', { run: runId });
  expect((await muster.ended).exitCode).toBe(1);
});
