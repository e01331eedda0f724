import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseJournal } from '../../agent/transaction/linux/journal.ts';
import type { JournalRecord } from '../../agent/transaction/machine.ts';
import { Appliance, applianceUnavailable } from '../harness/appliance.ts';
import { notTested } from '../harness/not-tested.ts';
import { projectRoot } from '../harness/source-files.ts';
import { until } from '../harness/until.ts';

const data = '/var/lib/muster-root-helper';
const driver = join(projectRoot, 'test', 'harness', 'transaction-driver.ts');
const ruleset = (name: string) => `#!/usr/sbin/nft -f\nflush ruleset\ntable inet ${name} {\n}\n`;
const rules = '/etc/nftables.conf';
const boots = readFileSync(join(projectRoot, 'systemd', 'muster-guard-boot.service'), 'utf8');

/** A transaction inside that has got as far as `holdAt`; killing the returned process kills the agent. */
async function holding(appliance: Appliance, plan: Record<string, unknown>) {
  const agent = appliance.spawn([process.execPath, driver, data, JSON.stringify({ id: 'first', ...plan })]);
  let complaint = '';
  agent.stderr?.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const said = await Promise.race([once(agent.stdout ?? agent, 'data'), once(agent, 'exit')]);
  expect(String(said[0]), complaint).toBe(`${String(plan.holdAt)}\n`);
  return agent;
}

const journalOf = async (appliance: Appliance): Promise<JournalRecord[]> =>
  parseJournal(Buffer.from(await appliance.read(`${data}/transactions/first/journal`)));

const timersOf = (appliance: Appliance): Promise<string> =>
  appliance.must('systemctl', 'list-units', '--all', '--plain', '--no-legend', 'muster-guard-first*');

/** `rules` gets a new ruleset, which is not loaded. */
async function stagedRules(appliance: Appliance): Promise<Record<string, string>> {
  await appliance.write(rules, ruleset('old'));
  return { [rules]: ruleset('new') };
}

describe.skipIf(notTested('the guard under systemd', applianceUnavailable()))('under systemd', () => {
  test('the timer undoes the transaction within 2 s of its deadline when agent and Node.js are gone', async () => {
    await using appliance = await Appliance.boot();
    const files = await stagedRules(appliance);
    const commands = [{ argv: ['nft', '-f', rules], timeoutSeconds: 10 }];
    const agent = await holding(appliance, { holdAt: 'PROBING', deadlineSeconds: 3, files, commands });
    expect(await timersOf(appliance)).toContain('muster-guard-first.timer');
    agent.kill('SIGKILL');
    await appliance.must('mount', '--bind', '/dev/null', process.execPath);
    expect((await appliance.exec([process.execPath, '--version'])).exitCode).not.toBe(0);
    expect(await appliance.read(rules)).toBe(ruleset('new'));

    const end = await until('the timer has acted', async () => {
      const last = (await journalOf(appliance)).at(-1);
      return last?.state === 'ROLLED_BACK' || last?.state === 'ROLLBACK_FAILED' ? last : undefined;
    });
    const [deadline] = (await appliance.read(`${data}/transactions/first/deadline`)).split(' ');
    expect(end).toMatchObject({ state: 'ROLLED_BACK' });
    expect(end.uptimeMs).toBeLessThanOrEqual(Number(deadline) + 2000);
    expect(await appliance.read(rules)).toBe(ruleset('old'));
    expect(await appliance.must('nft', 'list', 'tables')).toBe('table inet old\n');
    await until('nothing of the guard is left', async () => (await timersOf(appliance)) === '');
  }, 120_000);

  test('a confirmation takes the timer away', async () => {
    await using appliance = await Appliance.boot();
    const plan = { id: 'first', deadlineSeconds: 600, files: await stagedRules(appliance) };
    const said = await appliance.must(process.execPath, driver, data, JSON.stringify(plan));
    expect(said).toBe('confirmed\n');
    await until('nothing of the guard is left', async () => (await timersOf(appliance)) === '');
    expect(await appliance.read(rules)).toBe(ruleset('new'));
  }, 120_000);

  test('stopping the agent’s service with all its processes leaves the guard alone', async () => {
    await using appliance = await Appliance.boot({
      files: {
        '/etc/systemd/system/agent.service': `[Service]\nExecStart=${process.execPath} ${driver} ${data} ${JSON.stringify(
          JSON.stringify({
            id: 'first',
            holdAt: 'PROBING',
            deadlineSeconds: 4,
            files: { [rules]: ruleset('new') },
          }),
        ).replaceAll('\\\\n', '\\\\\\\\n')}\nStandardInput=null\n`,
      },
    });
    await appliance.write(rules, ruleset('old'));
    await appliance.must('systemctl', 'start', 'agent.service');
    await until('it probes', async () => (await journalOf(appliance)).at(-1)?.state === 'PROBING', {
      last: () => appliance.console().slice(-1000),
    });
    await appliance.must('systemctl', 'kill', '--signal=KILL', 'agent.service');
    await until(
      'the timer has acted',
      async () => (await journalOf(appliance)).at(-1)?.state === 'ROLLED_BACK',
    );
    expect(await appliance.read(rules)).toBe(ruleset('old'));
  }, 120_000);

  for (const holdAt of ['APPLYING', 'PROBING']) {
    test(`after a power cut at ${holdAt} the old files are back before the firewall is loaded`, async () => {
      await using appliance = await Appliance.boot({
        units: ['muster-guard-boot.service', 'nftables.service'],
        files: { '/etc/systemd/system/muster-guard-boot.service': boots, [rules]: ruleset('old') },
      });
      const files = { [rules]: ruleset('new'), '/etc/made.d/made': 'new' };
      await holding(appliance, { holdAt, deadlineSeconds: 600, files });
      expect(await appliance.read(rules)).toBe(ruleset('new'));
      await appliance.kill();
      await appliance.start();

      expect(await appliance.read(rules)).toBe(ruleset('old'));
      expect(await appliance.must('nft', 'list', 'tables')).toBe('table inet old\n');
      expect((await appliance.exec(['ls', '-A', '/etc/made.d'])).exitCode).not.toBe(0);
      expect((await journalOf(appliance)).slice(-2)).toMatchObject([
        { state: 'ROLLING_BACK' },
        { state: 'ROLLED_BACK', detail: expect.stringContaining('commands were not run') as string },
      ]);
      const moment = async (unit: string, property: string): Promise<number> =>
        Number(await appliance.must('systemctl', 'show', '--value', '-p', property, unit));
      expect(await moment('muster-guard-boot.service', 'ExecMainExitTimestampMonotonic')).toBeLessThanOrEqual(
        await moment('nftables.service', 'ExecMainStartTimestampMonotonic'),
      );
    }, 120_000);
  }

  test('after a power cut that follows the confirmation the new files stay', async () => {
    await using appliance = await Appliance.boot({
      units: ['muster-guard-boot.service', 'nftables.service'],
      files: { '/etc/systemd/system/muster-guard-boot.service': boots, [rules]: ruleset('old') },
    });
    const plan = { id: 'first', deadlineSeconds: 600, files: { [rules]: ruleset('new') } };
    expect(await appliance.must(process.execPath, driver, data, JSON.stringify(plan))).toBe('confirmed\n');
    await appliance.kill();
    await appliance.start();
    expect(await appliance.must('nft', 'list', 'tables')).toBe('table inet new\n');
    expect((await journalOf(appliance)).at(-1)?.state).toBe('CONFIRMED');
  }, 120_000);

  test('the boot unit is accepted by systemd as it is', async () => {
    await using appliance = await Appliance.boot({
      files: { '/etc/systemd/system/muster-guard-boot.service': boots },
    });
    const end = await appliance.exec(['systemd-analyze', 'verify', '--man=no', 'muster-guard-boot.service']);
    expect(end).toMatchObject({ exitCode: 0, stderr: expect.not.stringContaining('muster-guard') as string });
  }, 120_000);
});
