import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Cluster } from '../harness/cluster.ts';
import { until } from '../harness/until.ts';
import { labMissing } from './lab.ts';
import { ruleset, SyncedDevice } from './synced-device.ts';

const units = ['muster-agent.service', 'muster-agent-root-helper.socket', 'muster-agent-root-helper.service'];

/** Passes what is tried before the change, for it lets one connection through; the next ones show what it is. */
const lockOut = (mark: number): string =>
  ruleset(
    `ip daddr 192.0.2.${mark} drop`,
    'tcp dport 7443 ct state new limit rate over 1/hour burst 1 packets drop',
  );

/** A packet filter that cuts the device off once it is loaded: the old one comes back, whoever is left to bring it. */
describe.skipIf(labMissing('lock-outs by the packet filter'))('a ruleset that locks the device out', () => {
  let cluster: Cluster;
  let synced: SyncedDevice;
  let before: Awaited<ReturnType<SyncedDevice['look']>>;
  const box = () => synced.device.box;

  beforeAll(async () => {
    cluster = await Cluster.create('lock-out');
    synced = await SyncedDevice.enrolled(cluster);
    before = await synced.look();
  });

  afterAll(async () => {
    await synced?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });

  /** Settles when the new rules run and nobody gets through any more. */
  async function lockedOut(rules: string): Promise<string> {
    const code = await synced.sync(rules);
    await synced.reaches(code, 'PROBING');
    expect((await synced.look()).running).not.toBe(before.running);
    return code;
  }

  async function isBack(code: string): Promise<void> {
    const task = await cluster.controller.ended(code, 120_000);
    expect(task).toMatchObject({ status: 'FAILED', error_code: 'rolled_back', result: { on_disk: 'old' } });
    expect(await synced.look()).toEqual(before);
    await synced.device.online();
    expect(await synced.device.run('PING')).toMatchObject({ status: 'COMPLETED' });
  }

  test('is taken back when the controller is not reached any more', async () => {
    await isBack(await lockedOut(lockOut(1)));
  });

  test('is taken back by the guard when agent and root helper are killed, and do not come again', async () => {
    const code = await lockedOut(lockOut(2));
    await box().must('systemctl', 'mask', '--runtime', ...units);
    await box().must(
      'systemctl',
      'kill',
      '-s',
      'KILL',
      'muster-agent.service',
      'muster-agent-root-helper.service',
    );
    await until(
      'neither runs',
      async () => (await box().exec(['pgrep', '-f', 'programs/muster-agent'])).exitCode === 1,
    );
    await until('the old rules are back', async () => (await synced.journal(code)) === 'ROLLED_BACK', {
      deadlineMs: 60_000,
    });
    expect(await synced.look()).toEqual(before);
    expect(await cluster.controller.task(code)).toMatchObject({ status: 'IN_PROGRESS' });

    await box().must('systemctl', 'unmask', '--runtime', ...units);
    await box().must('systemctl', 'restart', 'muster-agent-root-helper.socket', 'muster-agent.service');
    await isBack(code);
  });

  test('is taken back at boot when the power is cut before it was confirmed', async () => {
    const code = await lockedOut(lockOut(3));
    await box().kill();
    expect(await synced.journal(code)).toBe('PROBING');
    await box().start();
    expect(await synced.look()).toEqual(before);
    await isBack(code);
  });

  test('is taken back when it stops nobody but the agent', async () => {
    await isBack(await synced.sync(ruleset('meta skuid "muster-agent" drop')));
  });
});
