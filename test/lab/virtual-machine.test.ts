import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Task } from '../../shared/api/tasks.ts';
import { openSqlite } from '../../shared/node/sqlite.ts';
import { Cluster } from '../harness/cluster.ts';
import { temporaryFolder } from '../harness/temporary-folder.ts';
import { until } from '../harness/until.ts';
import { InstalledDevice } from './installed-device.ts';
import { labMissing } from './lab.ts';
import { machinePrograms } from './machine/machine-image.ts';
import type { MountedDisk } from './machine/mounted-disk.ts';
import type { VirtualMachine } from './machine/virtual-machine.ts';
import type { WriteCache } from './machine/volatile-disk.ts';
import { pauses, pausingProfile } from './pausing-profile.ts';
import { ReleaseVariants } from './release-variants.ts';
import { motdPath, ruleset, rulesPath, SyncedDevice, syncedMachine, transactions } from './synced-device.ts';

/** An emulated machine beside other work: boots, a restart of the agent, a task. */
const timeout = 900_000;
const endsMs = 300_000;

const missing = labMissing('an agent on a machine with a disk that forgets', machinePrograms);

const weekMs = 7 * 86_400_000;
const yearMs = 365 * 86_400_000;
const releases = '/var/lib/muster-releases';
/** What the agent says of a task, and the state that its database has then. */
const sayings: [string, string][] = [
  ['task.accepted', 'accepted'],
  ['task.started', 'running'],
  ['task.finished', 'finished'],
];

/**
 * What only a machine with a kernel, a disk and a clock of its own can show; everything else is shown on appliances,
 * which boot a hundred times faster. One machine for all: each test finds it online and leaves it so.
 */
describe.skipIf(missing)('on a virtual machine', { timeout }, () => {
  const folder = temporaryFolder('virtual-machine');
  let cluster: Cluster;
  let device: InstalledDevice<VirtualMachine>;
  let synced: SyncedDevice<VirtualMachine>;
  let variants: ReleaseVariants;
  const box = () => device.box;
  const ended = (code: string): Promise<Task> => cluster.controller.ended(code, endsMs);

  beforeAll(async () => {
    variants = await ReleaseVariants.open(join(folder.path, 'releases'));
    cluster = await Cluster.create('virtual-machine', {
      config: { releases: { public_keys: [variants.publicKey] } },
    });
    device = await InstalledDevice.onVirtualMachine(cluster, 'edge-1', {
      units: syncedMachine.units,
      files: {
        ...syncedMachine.files,
        '/etc/muster/profiles/debian.yaml': pausingProfile.replace('confirm_s: 30', 'confirm_s: 180'),
        '/etc/muster/release.pub': variants.publicKey,
      },
    });
    synced = new SyncedDevice(device, cluster);
    await box().must('mkdir', pauses);
  }, timeout);

  afterAll(async () => {
    await device?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  /** Waits for a line of this boot's console: what the agent says there is on its disk before. */
  const says = (...words: string[]): Promise<true> =>
    until(
      `the console says ${words.join(' ')}`,
      () => {
        const lines = box().console({ thisBoot: true }).split('\n');
        return lines.some((line) => words.every((word) => line.includes(word)));
      },
      { deadlineMs: endsMs, everyMs: 50 },
    );

  /** Settles when a file inside has this text. */
  const contains = (path: string, text: string): Promise<true> =>
    until(
      `${path} has ${text}`,
      async () => (await box().exec(['grep', '--quiet', '--fixed-strings', text, path])).exitCode === 0,
      { deadlineMs: endsMs },
    );

  /** The power goes, and comes back when the controller is there again. */
  async function powerCut(cache: WriteCache): Promise<void> {
    await box().powerCut(cache);
    if (!cluster.controller.program.isAlive) await cluster.controller.start();
    await box().start();
  }

  /** A SYNC that waits at this step of its transaction. */
  async function syncAt(step: 'apply' | 'verify', address: string): Promise<string> {
    await box().write(`${pauses}/${step}`, '');
    await box().must('sync');
    const code = await synced.sync(ruleset(`ip daddr ${address} drop`));
    await contains(`${transactions}/${code}/journal`, step === 'apply' ? 'APPLYING' : 'APPLIED');
    return code;
  }

  /** What the agent's database on a disk knows of a task. SQLite follows links, and would leave the disk: it reads a copy. */
  function databaseLeft(left: MountedDisk, code: string): { integrity: unknown; state: string | undefined } {
    using copy = temporaryFolder('database');
    const data = join(left.path, '/var/lib/muster-agent');
    for (const name of readdirSync(data).filter((one) => one.startsWith('agent.sqlite'))) {
      copyFileSync(join(data, name), join(copy.path, name));
    }
    const db = openSqlite(join(copy.path, 'agent.sqlite'));
    try {
      const row = db.prepare<[string], { state: string }>('SELECT state FROM tasks WHERE code = ?').get(code);
      return { integrity: db.pragma('integrity_check', { simple: true }), state: row?.state };
    } finally {
      db.close();
    }
  }

  test('a REBOOT is COMPLETED by the boot id of another run of a real kernel', async () => {
    const before = await box().bootId();
    const task = await ended(await device.submit('REBOOT'));
    expect(task).toMatchObject({ status: 'COMPLETED', result: { previous_boot_id: before } });
    await box().booted(2);
    expect(task.result?.['boot_id']).toBe(await box().bootId());
    expect(task.result?.['boot_id']).not.toBe(before);
    expect(task.result?.['downtime_ms']).toBeGreaterThan(1000);
  });

  describe('whenever the power is cut', () => {
    test.each<[string, WriteCache]>([
      ['all that was not flushed is lost', 'lose'],
      ['a part of that is lost', { tear: 'first' }],
      ['another part of that is lost', { tear: 'second' }],
    ])('what the agent has said is on its disk, and its database is whole: %s', async (_name, cache) => {
      for (const [event] of sayings) {
        const code = await device.submit('SCRIPT', { script: 'echo a line; sleep 1' });
        await says(`"${event}"`, code);
        await box().cutPoint(cache, (left) => {
          const { integrity, state } = databaseLeft(left, code);
          expect(integrity).toBe('ok');
          const possible = sayings.slice(sayings.findIndex(([said]) => said === event));
          expect(possible.map(([, since]) => since)).toContain(state);
        });
        expect(await ended(code)).toMatchObject({ status: 'COMPLETED' });
      }
    });

    test('files that a SYNC has changed go back before any service starts', async () => {
      const before = await synced.look();
      const code = await syncAt('verify', '192.0.2.9');
      const cuts: WriteCache[] = ['lose', 'keep', { tear: '1' }, { tear: '2' }, { tear: '3' }];
      for (const cache of cuts) {
        await box().cutPoint(cache, async (left) => {
          await left.run(['sh', `${transactions}/guard.sh`, 'boot', transactions]);
          const text = (path: string) => readFileSync(join(left.path, path), 'utf8');
          expect(text(rulesPath)).toBe(before.rules);
          expect(text(motdPath)).toBe(before.motd);
        });
      }
      await box().must('rm', `${pauses}/verify`);
      expect(['COMPLETED', 'FAILED']).toContain((await ended(code)).status);
    });
  });

  describe('when the power is cut', () => {
    /** Writes down that it ran, safe from power cuts, and goes on when it is let go. */
    const noting = (file: string, then: string) =>
      `echo ran >> ${file}; sync; echo a line; until [ -e /run/go ]; do sleep 0.2; done; ${then}`;

    test.each<[string, WriteCache]>([
      ['all that was not flushed is lost', 'lose'],
      ['a part of that is lost', { tear: 'outbox' }],
    ])('results that wait are delivered once, and nothing runs again: %s', async (_name, cache) => {
      const ran = `/var/lib/ran-${typeof cache === 'string' ? cache : 'tear'}`;
      const script = (name: string, then: string) =>
        device.submit('SCRIPT', { script: noting(`${ran}-${name}`, then), user: 'root' });
      const [waits, runs] = [await script('waits', 'true'), await script('runs', 'sleep 600')];
      for (const name of ['waits', 'runs']) await contains(`${ran}-${name}`, 'ran');
      await cluster.controller.kill();
      await box().must('touch', '/run/go');
      await says('"task.finished"', waits);

      await powerCut(cache);

      expect(await ended(waits)).toMatchObject({ status: 'COMPLETED' });
      expect(await ended(runs)).toMatchObject({ status: 'FAILED', error_code: 'interrupted' });
      expect(await cluster.controller.logs(waits)).toEqual(['a line']);
      for (const name of ['waits', 'runs']) expect(await box().read(`${ran}-${name}`)).toBe('ran\n');
    });

    test.each<['apply' | 'verify', WriteCache]>([
      ['apply', 'lose'],
      ['verify', { tear: 'sync' }],
    ])('a SYNC that was cut at %s is undone, and says so', async (step, cache) => {
      const before = await synced.look();
      const code = await syncAt(step, step === 'apply' ? '192.0.2.1' : '192.0.2.2');

      await powerCut(cache);

      expect(await ended(code)).toMatchObject({
        status: 'FAILED',
        error_code: 'rolled_back',
        result: { on_disk: 'old' },
      });
      expect(await synced.look()).toEqual(before);
      await box().must('rm', `${pauses}/${step}`);
    });

    test('a SYNC that was confirmed stays, although the controller could not be told', async () => {
      const code = await synced.sync(ruleset('ip daddr 192.0.2.3 drop'));
      await says('"helper.task_ended"', code);

      await powerCut('lose');

      expect(await ended(code)).toMatchObject({ status: 'COMPLETED', result: { on_disk: 'new' } });
      const { rules, running } = await synced.look();
      expect(rules).toContain('192.0.2.3');
      expect(running).toContain('192.0.2.3');
    });

    test('a PLUGIN_INSTALL goes on, from the unpacking and from the trial', async () => {
      const install = async (version: string): Promise<string> => {
        const { exitCode, stderr } = await cluster.muster(['release', 'add', variants.make({ version })]);
        expect(exitCode, stderr).toBe(0);
        const body = { targets: { devices: [device.name] }, version, trial_seconds: 300 };
        const answer = await cluster.controller.call(
          'POST',
          '/api/v1/organizations/default/plugin-install',
          body,
        );
        return (answer['tasks'] as { task: string }[])[0]?.task ?? '';
      };
      const unpacking = await install('2.0.0');
      await until(
        'it unpacks',
        async () => (await box().exec(['ls', `${releases}/versions`])).stdout.includes('2.0.0'),
        { deadlineMs: endsMs },
      );
      await powerCut('lose');
      expect(await ended(unpacking)).toMatchObject({ status: 'COMPLETED', result: { version: '2.0.0' } });

      const trial = await install('2.1.0');
      await contains(`${releases}/trial`, 'version=2.1.0');
      await contains(`${releases}/trial`, 'state=TRIAL');
      await powerCut({ tear: 'trial' });
      expect(await ended(trial)).toMatchObject({ status: 'COMPLETED', result: { version: '2.1.0' } });
      expect(await box().must('muster-agent', 'version')).toBe('muster-agent 2.1.0\n');
    });

    test('a REBOOT that the cut completes is COMPLETED', async () => {
      const before = await box().bootId();
      const code = await device.submit('REBOOT');
      await says('Stopping', 'muster-agent.service');
      await powerCut('lose');
      expect(await ended(code)).toMatchObject({
        status: 'COMPLETED',
        result: { previous_boot_id: before, boot_id: await box().bootId() },
      });
    });
  });

  describe('when its clock is wrong', () => {
    test.each([
      ['ahead', yearMs],
      ['behind', -yearMs],
    ])(
      'by a year, %s, after a SHUTDOWN: it learns the time of its controller and works',
      async (_, offMs) => {
        const code = await device.submit('SHUTDOWN');
        await says('Stopping', 'muster-agent.service');
        await box().powerCut('lose');
        await box().start({ clock: new Date(Date.now() + offMs) });
        await device.online();
        expect(await ended(code)).toMatchObject({ status: 'COMPLETED' }); // by another boot

        // systemd does not believe a clock that is behind its own build, and puts it there.
        const isOffMs = Number(await box().must('date', '+%s')) * 1000 - Date.now();
        expect(Math.sign(isOffMs)).toBe(Math.sign(offMs));
        expect(Math.abs(isOffMs)).toBeGreaterThan(weekMs);
        expect(await ended(await device.submit('PING'))).toMatchObject({ status: 'COMPLETED' });
        const script = { script: 'id -u', user: 'root' };
        expect(await ended(await device.submit('SCRIPT', script))).toMatchObject({ status: 'COMPLETED' });
        await says('"clock_skew"');
      },
    );
  });
});
