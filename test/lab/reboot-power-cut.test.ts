import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '../../shared/api/tasks.ts';
import { Cluster } from '../harness/cluster.ts';
import { type Direction, type Frame, FrameGate } from '../harness/frame-gate.ts';
import { until } from '../harness/until.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';

const helper = 'muster-agent-root-helper.service';
const slowStop = '/run/systemd/system/slow-stop.service';

const reports = (frame: Frame, type: string): boolean =>
  frame.type === 'report.batch' && (frame['reports'] as { type: string }[]).some((one) => one.type === type);

/** States of a task that a message ends: it is held, so that the power is cut right before the other side hears of it. */
const heldMessages: {
  at: string;
  direction: Direction;
  matches: (frame: Frame) => boolean;
  boots: number;
}[] = [
  {
    at: 'it was accepted, and the controller does not know',
    direction: 'up',
    matches: (frame) => reports(frame, 'task.accepted'),
    boots: 2,
  },
  {
    at: 'it is IN_PROGRESS, and the device was not told to start',
    direction: 'down',
    matches: ({ type }) => type === 'task.start',
    boots: 2,
  },
  {
    at: 'it is proven, and the controller does not know',
    direction: 'up',
    matches: (frame) => reports(frame, 'task.result'),
    boots: 2,
  },
];

/** A machine that loses its power, or does not obey, with the real package on it. */
describe.skipIf(labMissing('REBOOT and what waits, with the power cut'))('an installed agent', () => {
  let cluster: Cluster;
  let gate: FrameGate;
  let device: InstalledDevice;
  const box = () => device.box;

  beforeAll(async () => {
    cluster = await Cluster.create('reboot-power-cut');
    gate = await FrameGate.open(cluster.controller.url);
    device = await InstalledDevice.enrolled(cluster, 'edge-1', {
      controllerPort: Number(new URL(gate.url).port),
    });
  });

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await gate?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  async function powerCut(): Promise<void> {
    await box().kill();
    gate.cut();
    await box().start();
  }

  /** How often this machine was told to reboot, in all boots. */
  async function rebootsAsked(): Promise<number> {
    const told = await box().must('journalctl', '--no-pager', '-o', 'cat', '-u', 'systemd-logind');
    return told.split('\n').filter((line) => line.includes('will reboot now')).length;
  }

  async function proven(code: string): Promise<Task> {
    const task = await cluster.controller.ended(code, 120_000);
    expect(task).toMatchObject({ status: 'COMPLETED' });
    expect(task.result?.['boot_id']).not.toBe(task.result?.['previous_boot_id']);
    await device.online();
    return task;
  }

  test.each(heldMessages)('a REBOOT when the power is cut after $at: done once', async (moment) => {
    const [boots, asked] = [box().boots, await rebootsAsked()];
    const { caught } = gate.hold(moment.direction, moment.matches);
    const code = await device.submit('REBOOT');
    await caught;
    await powerCut();
    await proven(code);
    await box().booted(boots + moment.boots);
    expect(box().boots).toBe(boots + moment.boots);
    expect(await rebootsAsked()).toBe(asked + 1);
  });

  test('a REBOOT that runs and was not commanded when the power is cut: the boot proves it, and there is no second one', async () => {
    const [boots, asked] = [box().boots, await rebootsAsked()];
    await box().must('systemctl', 'start', helper);
    await box().must('systemctl', 'kill', '-s', 'STOP', helper);
    const code = await device.submit('REBOOT');
    await device.holds(code, 'running');
    await powerCut();
    await proven(code);
    expect(box().boots).toBe(boots + 1);
    expect(await rebootsAsked()).toBe(asked);
  });

  test('a REBOOT that takes the services down when the power is cut: the boot proves it, and there is no second one', async () => {
    const [boots, asked] = [box().boots, await rebootsAsked()];
    const waits = 'Type=oneshot\nRemainAfterExit=yes\nExecStart=true\nExecStop=sleep 60\n';
    await box().write(slowStop, `[Service]\n${waits}`);
    await box().must('systemctl', 'start', 'slow-stop');
    const code = await device.submit('REBOOT');
    await until('it goes down', async () => {
      const { stdout } = await box().exec(['systemctl', 'is-system-running']);
      return stdout.trim() === 'stopping';
    });
    await powerCut();
    await proven(code);
    expect(box().boots).toBe(boots + 1);
    expect(await rebootsAsked()).toBe(asked + 1);
  });

  test('a REBOOT is proven when the root helper comes later than the agent', async () => {
    const boots = box().boots;
    await box().must('systemctl', 'start', helper);
    await box().must('systemctl', 'kill', '-s', 'STOP', helper);
    const code = await device.submit('REBOOT');
    await device.holds(code, 'running');
    const later = '/etc/systemd/system/muster-agent-root-helper.socket.d/later.conf';
    await box().write(later, '[Unit]\nConditionPathExists=/run/later\n');
    await powerCut();
    await device.online();
    await device.holds(code, 'running');
    expect(await cluster.controller.task(code)).toMatchObject({ status: 'IN_PROGRESS' });

    await box().must('rm', later);
    await box().must('systemctl', 'daemon-reload');
    await box().must('systemctl', 'start', 'muster-agent-root-helper.socket');
    await proven(code);
    expect(box().boots).toBe(boots + 1);
    expect(await device.run('SCRIPT', { script: 'true', user: 'root' })).toMatchObject({
      status: 'COMPLETED',
    });
  });

  test('a REBOOT that the machine refuses ends as not_rebooted at once, and the device serves on', async () => {
    const boots = box().boots;
    await box().must('systemctl', 'mask', '--runtime', 'reboot.target');
    const task = await device.run('REBOOT');
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'not_rebooted' });
    await box().must('systemctl', 'unmask', '--runtime', 'reboot.target');
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
    expect(box().boots).toBe(boots);
  });

  test('a REBOOT that is swallowed ends as not_rebooted at its deadline, asked for once although both programs are killed', async () => {
    const [boots, asked] = [box().boots, await rebootsAsked()];
    await box().write('/run/systemd/system/reboot.target', '[Unit]\nDescription=Does nothing\n');
    await box().must('systemctl', 'daemon-reload');
    const code = await device.submit('REBOOT', {}, { timeout_seconds: 30 });
    await until('it was told to', async () => (await rebootsAsked()) === asked + 1);
    await box().must('systemctl', 'kill', '-s', 'KILL', helper, 'muster-agent.service');
    const task = await cluster.controller.ended(code);
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'not_rebooted' });
    await box().must('rm', '/run/systemd/system/reboot.target');
    await box().must('systemctl', 'daemon-reload');
    expect(await device.run('PING')).toMatchObject({ status: 'COMPLETED' });
    expect(box().boots).toBe(boots);
    expect(await rebootsAsked()).toBe(asked + 1);
  });

  test('what waits in the outbox when the power is cut is told to the controller once it is back, and nothing ran twice', async () => {
    const [go, ran] = ['/run/go', '/var/lib/muster-agent/ran'];
    const script = (name: string) =>
      `echo ran >> ${ran}-${name}; until [ -e ${go} ]; do sleep 0.1; done; echo ended`;
    const codes = [
      await device.submit('SCRIPT', { script: script('own') }),
      await device.submit('SCRIPT', { script: script('root'), user: 'root' }),
    ];
    for (const name of ['own', 'root']) {
      await until(`the script of ${name} runs`, () => device.has(`${ran}-${name}`));
    }
    await cluster.controller.kill();
    await box().write(go, '');
    for (const code of codes) await device.holds(code, 'finished');
    await powerCut();
    await cluster.controller.start();

    for (const code of codes) {
      const task = await cluster.controller.ended(code, 120_000);
      expect(task).toMatchObject({ status: 'COMPLETED', attempt: 1, result: { exit_code: 0 } });
      expect(await cluster.controller.logs(code)).toEqual(['ended']);
    }
    for (const name of ['own', 'root']) expect(await box().read(`${ran}-${name}`)).toBe('ran\n');
  });
});
