import { readFileSync, writeFileSync } from 'node:fs';
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
import type { VirtualMachine } from './machine/virtual-machine.ts';
import type { WriteCache } from './machine/volatile-disk.ts';
import { pauses } from './pausing-profile.ts';
import { ReleaseVariants } from './release-variants.ts';
import { motdPath, ruleset, rulesPath, SyncedDevice, syncedMachine, transactions } from './synced-device.ts';

/** An emulated machine beside other work: a boot, a restart of the agent, a task. */
const bootsMs = 900_000;
const endsMs = 300_000;

const missing = labMissing('an agent on a machine with a disk that forgets', machinePrograms);

const yearMs = 365 * 86_400_000;
const releases = '/var/lib/muster-releases';

/**
 * What only a machine with a kernel, a disk and a clock of its own can show; everything else is shown on appliances,
 * which boot a hundred times faster. One machine for all: each test finds it online and leaves it so.
 */
describe.skipIf(missing)('on a virtual machine', () => {
  const folder = temporaryFolder('virtual-machine');
  let cluster: Cluster;
  let device: InstalledDevice<VirtualMachine>;
  let synced: SyncedDevice<VirtualMachine>;
  let variants: ReleaseVariants;
  const box = () => device.box;
  const ended = (code: string): Promise<Task> => cluster.controller.ended(code, endsMs);

  beforeAll(async () => {
    variants = await ReleaseVariants.open(join(folder.path, 'releases'));
    const config = join(folder.path, 'controller.yaml');
    writeFileSync(config, JSON.stringify({ releases: { public_keys: [variants.publicKey] } }));
    cluster = await Cluster.create('virtual-machine', { startArguments: ['--config', config] });
    device = await InstalledDevice.onVirtualMachine(cluster, 'edge-1', {
      units: syncedMachine.units,
      files: { ...syncedMachine.files, '/etc/muster/release.pub': variants.publicKey },
    });
    synced = new SyncedDevice(device, cluster);
    await box().must('mkdir', pauses);
  }, bootsMs);

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

  /** The power goes, and comes back when the controller is there again. */
  async function powerCut(cache: WriteCache): Promise<void> {
    await box().powerCut(cache);
    if (!cluster.controller.program.isAlive) await cluster.controller.start();
    await box().start();
  }

  test(
    'a REBOOT is COMPLETED by the boot id of another run of a real kernel',
    async () => {
      const before = await box().bootId();
      const task = await ended(await device.submit('REBOOT'));
      expect(task).toMatchObject({ status: 'COMPLETED', result: { previous_boot_id: before } });
      await box().booted(2);
      expect(task.result?.['boot_id']).toBe(await box().bootId());
      expect(task.result?.['boot_id']).not.toBe(before);
      expect(task.result?.['downtime_ms']).toBeGreaterThan(1000);
    },
    bootsMs,
  );

  describe('whenever the power is cut', () => {
    test(
      'what the agent has said is on its disk, and its database is whole',
      async () => {
        const events = ['accepted', 'started', 'finished'];
        const looks = Array.from({ length: 9 }, (_, count) => ({
          event: events[count % 3] ?? '',
          cache: count < 3 ? 'lose' : { tear: `look ${count}` },
        })) satisfies { event: string; cache: WriteCache }[];
        for (const { event, cache } of looks) {
          const code = await device.submit('SCRIPT', { script: 'echo a line; sleep 1' });
          await says(`"task.${event}"`, code);
          await box().cutPoint(cache, (left) => {
            const db = openSqlite(join(left.path, '/var/lib/muster-agent/agent.sqlite'));
            try {
              expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
              const row = db
                .prepare<[string], { state: string }>('SELECT state FROM tasks WHERE code = ?')
                .get(code);
              const since = ['accepted', 'running', 'finished'].slice(events.indexOf(event));
              expect(since, `${event} was said`).toContain(row?.state);
            } finally {
              db.close();
            }
          });
          expect(await ended(code)).toMatchObject({ status: 'COMPLETED' });
        }
      },
      bootsMs,
    );

    test(
      'files that a SYNC has changed go back before any service starts',
      async () => {
        const before = await synced.look();
        await box().write(`${pauses}/verify`, '');
        const code = await synced.sync(ruleset('ip daddr 192.0.2.9 drop'));
        await synced.reaches(code, 'APPLIED');
        for (const cache of [
          'lose',
          'keep',
          { tear: '1' },
          { tear: '2' },
          { tear: '3' },
        ] satisfies WriteCache[]) {
          await box().cutPoint(cache, async (left) => {
            await left.run(['sh', `${transactions}/guard.sh`, 'boot', transactions]);
            const [rules, motd] = [rulesPath, motdPath].map((path) =>
              readFileSync(join(left.path, path), 'utf8'),
            );
            expect({ rules, motd }).toEqual({ rules: before.rules, motd: before.motd });
          });
        }
        await box().must('rm', `${pauses}/verify`);
        expect(await ended(code)).toMatchObject({ status: 'COMPLETED' });
      },
      bootsMs,
    );
  });

  describe('when the power is cut', () => {
    /** Writes down that it ran, safe from power cuts, and goes on when it is let go. */
    const noting = (file: string, then: string) =>
      `echo ran >> ${file}; sync; echo a line; until [ -e /run/go ]; do sleep 0.2; done; ${then}`;

    test.each<[string, WriteCache]>([
      ['all that was not flushed is lost', 'lose'],
      ['a part of that is lost', { tear: 'outbox' }],
    ])(
      'results that wait are delivered once, and nothing runs again: %s',
      async (_name, cache) => {
        const ran = `/var/lib/ran-${typeof cache === 'string' ? cache : 'tear'}`;
        const script = (name: string, then: string) =>
          device.submit('SCRIPT', { script: noting(`${ran}-${name}`, then), user: 'root' });
        const [waits, runs] = [await script('waits', 'true'), await script('runs', 'sleep 600')];
        for (const name of ['waits', 'runs']) {
          await until(`${name} ran`, () => device.has(`${ran}-${name}`), { deadlineMs: endsMs });
        }
        await cluster.controller.kill();
        await box().must('touch', '/run/go');
        await says('"task.finished"', waits);

        await powerCut(cache);

        expect(await ended(waits)).toMatchObject({ status: 'COMPLETED' });
        expect(await ended(runs)).toMatchObject({ status: 'FAILED', error_code: 'interrupted' });
        expect(await cluster.controller.logs(waits)).toEqual(['a line']);
        for (const name of ['waits', 'runs']) expect(await box().read(`${ran}-${name}`)).toBe('ran\n');
      },
      bootsMs,
    );

    test.each<[string, string, WriteCache]>([
      ['while files and services change', 'apply', 'lose'],
      ['before it is confirmed', 'verify', { tear: 'sync' }],
    ])(
      'a SYNC that was cut %s is undone, and says so',
      async (_name, step, cache) => {
        const before = await synced.look();
        await box().write(`${pauses}/${step}`, '');
        await box().must('sync');
        const code = await synced.sync(ruleset(`ip daddr 192.0.2.1 comment "${step}" drop`));
        await synced.reaches(code, step === 'apply' ? 'APPLYING' : 'APPLIED');

        await powerCut(cache);

        expect(await ended(code)).toMatchObject({
          status: 'FAILED',
          error_code: 'rolled_back',
          result: { on_disk: 'old' },
        });
        expect(await synced.look()).toEqual(before);
        await box().must('rm', `${pauses}/${step}`);
      },
      bootsMs,
    );

    test(
      'a SYNC that was confirmed stays, also when the controller could not be told',
      async () => {
        await box().write(`${pauses}/verify`, '');
        const code = await synced.sync(ruleset('ip daddr 192.0.2.2 drop'));
        await synced.reaches(code, 'APPLIED');
        await box().must('rm', `${pauses}/verify`);
        await says('"task.finished"', code);

        await powerCut('lose');

        expect(await ended(code)).toMatchObject({ status: 'COMPLETED', result: { on_disk: 'new' } });
        const now = await synced.look();
        expect([now.rules, now.running].map((text) => text.includes('192.0.2.2'))).toEqual([true, true]);
      },
      bootsMs,
    );

    test(
      'a PLUGIN_INSTALL goes on, from the unpacking and from the trial',
      async () => {
        const install = async (version: string): Promise<string> => {
          const { exitCode, stderr } = await cluster.muster(['release', 'add', variants.make({ version })]);
          expect(exitCode, stderr).toBe(0);
          return device.submit('PLUGIN_INSTALL', { version, trial_seconds: 300 });
        };
        const unpacking = await install('2.0.0');
        await until(
          'it unpacks',
          async () => (await box().must('ls', `${releases}/versions`)).includes('2.0.0'),
          { deadlineMs: endsMs },
        );
        await powerCut('lose');
        expect(await ended(unpacking)).toMatchObject({ status: 'COMPLETED', result: { version: '2.0.0' } });

        const trial = await install('2.1.0');
        await until(
          'it is on trial',
          async () => (await box().must('cat', `${releases}/trial`)).includes('state=TRIAL'),
          { deadlineMs: endsMs },
        );
        await powerCut({ tear: 'trial' });
        expect(await ended(trial)).toMatchObject({ status: 'COMPLETED', result: { version: '2.1.0' } });
        expect(await box().must('muster-agent', 'version')).toBe('muster-agent 2.1.0\n');
      },
      bootsMs,
    );

    test(
      'a REBOOT that went down by it is COMPLETED all the same',
      async () => {
        const before = await box().bootId();
        const code = await device.submit('REBOOT');
        await says('Stopping', 'muster-agent.service');
        await powerCut('lose');
        expect(await ended(code)).toMatchObject({
          status: 'COMPLETED',
          result: { previous_boot_id: before, boot_id: await box().bootId() },
        });
      },
      bootsMs,
    );
  });

  describe('when its clock is wrong', () => {
    test.each([
      ['ahead', yearMs],
      ['behind', -yearMs],
    ])(
      'by a year, %s, an agent learns the time of its controller and works',
      async (_name, offMs) => {
        const code = await device.submit('SHUTDOWN');
        await says('Stopping', 'muster-agent.service');
        await box().powerCut('lose');
        expect(await ended(code)).toMatchObject({ status: 'COMPLETED' });

        await box().start({ clock: new Date(Date.now() + offMs) });
        await device.online();

        const shown = Number(await box().must('date', '+%s')) * 1000;
        expect(Math.abs(shown - Date.now() - offMs)).toBeLessThan(yearMs / 100);
        expect(await ended(await device.submit('PING'))).toMatchObject({ status: 'COMPLETED' });
        const script = { script: 'id -u', user: 'root' };
        expect(await ended(await device.submit('SCRIPT', script))).toMatchObject({ status: 'COMPLETED' });
        await says('"clock_skew"');
      },
      bootsMs,
    );
  });
});
