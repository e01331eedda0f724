import { expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { Sync } from '../../shared/task-types/sync.ts';
import { sha256 } from '../../test/harness/memory-orders.ts';
import { TransactionUnderTest } from '../../test/harness/transaction-under-test.ts';
import { memoryKeys } from '../../test/harness/memory-orders.ts';
import { statesNow } from './live-files.ts';

const old = '/etc/firewall/rules.conf';

/** A device with an old configuration. */
async function device(): Promise<TransactionUnderTest> {
  const world = await TransactionUnderTest.start();
  world.machine.disk.files.edit(old, 'old rules\n');
  world.machine.disk.files.edit('/etc/router/main.conf', 'old routes\n');
  world.machine.disk.files.edit('/etc/resolver/main.conf', 'old names\n');
  world.machine.services.start();
  return world;
}

const everything = (world: TransactionUnderTest, text = 'new') => [
  world.orders.file({ path: old, text: `${text} rules\n` }),
  world.orders.file({ path: '/etc/router/main.conf', text: `${text} routes\n` }),
  world.orders.file({ path: '/etc/resolver/main.conf', text: `${text} names\n` }),
];

test('applies what is desired, and says what every step did', async () => {
  const world = await device();
  const end = await world.run(world.orders.order({ files: everything(world) }));

  expect(end).toMatchObject({
    kind: 'completed',
    result: { outcome: 'applied', journal: 'CONFIRMED', on_disk: 'new', changes_total: 3, generation: 1 },
  });
  if (end.kind !== 'completed') return;
  expect(Sync.result.safeParse(end.result).success).toBe(true);
  expect(end.result.steps.map(({ step, ok }) => (ok ? step : `${step} failed`))).toEqual([
    'admit',
    'baseline',
    'fetch',
    'verify',
    'drift',
    'render',
    'drift',
    'validate',
    'preflight',
    'snapshot',
    'arm',
    'apply',
    'check',
    'probe',
    'confirm',
  ]);
  expect(world.journal).toEqual([
    'RECEIVED',
    'VERIFIED',
    'RENDERED',
    'VALIDATED',
    'SNAPSHOTTED',
    'ARMED',
    'APPLYING',
    'APPLYING',
    'APPLYING',
    'APPLIED',
    'PROBING',
    'CONFIRMED',
  ]);
  expect(world.files[old]).toBe('new rules\n');
  expect(world.context.lines).toContain('agent: firewall: syntax: ok after 1 ms');
  expect(end.result.units).toEqual(
    await statesNow(world.profile.units, { machine: world.machine, keys: memoryKeys }),
  );
  expect(await world.machine.confirmed()).toMatchObject({ generation: 1, content: end.result.content });
});

test('applies units in the order of the profile and goes back in the reverse order', async () => {
  const world = await device();
  world.machine.disk.files.edit('/etc/resolver/main.conf', 'old names\n');
  await world.run(world.orders.order({ files: everything(world, 'BREAKS').toReversed() }));

  const reloads = world.machine.commands.ran.filter((text) => /^host .* reload$/.test(text));
  expect(reloads).toEqual(
    ['firewall', 'router', 'resolver', 'resolver', 'router', 'firewall'].map((unit) => `host ${unit} reload`),
  );
});

test('content that is there already is confirmed without touching anything', async () => {
  const world = await device();
  await world.run(world.orders.order({ files: everything(world) }));
  const { ran } = world.machine.commands;
  const before = ran.length;
  world.nextTask('second00');

  const end = await world.run(world.orders.order({ generation: 2, files: everything(world) }));

  expect(end).toMatchObject({
    kind: 'completed',
    result: { outcome: 'unchanged', journal: 'CONFIRMED', changes: [], on_disk: 'new' },
  });
  expect(ran).toHaveLength(before);
  expect((await world.machine.confirmed())?.generation).toBe(2);
});

test('a changed mode or owner is a change', async () => {
  const world = await device();
  const files = [world.orders.file({ path: old, text: 'old rules\n', mode: '0600' })];
  const end = await world.run(world.orders.order({ files }));

  expect(end).toMatchObject({ result: { changes: [{ path: old, unit: 'firewall', change: 'mode' }] } });
  expect(world.machine.disk.files.get(old)?.mode).toBe('0600');
  expect(world.orders.fetched).toHaveLength(1); // the manifest: the content was here
});

test('deletes what the manifest names as absent, and what the last one wrote and this one does not name', async () => {
  const world = await device();
  await world.run(world.orders.order({ files: everything(world) }));
  world.nextTask('second00');
  const absent = [{ path: '/etc/resolver/main.conf', unit: 'resolver' }];
  const files = everything(world, 'newer').slice(0, 1);
  const end = await world.run(world.orders.order({ generation: 2, files, absent }));

  expect(end).toMatchObject({ kind: 'completed', result: { changes_total: 3 } });
  expect(world.files).toEqual({ [old]: 'newer rules\n' });
});

test('a restore leaves what else was configured', async () => {
  const world = await device();
  await world.run(world.orders.order({ files: everything(world) }));
  world.nextTask('second00');
  const files = everything(world, 'older').slice(0, 1);
  await world.run(world.orders.order({ generation: 2, files }, { reason: 'restore' }));

  expect(world.files['/etc/router/main.conf']).toBe('new routes\n');
  expect((await world.machine.confirmed())?.files).toHaveLength(3);
});

test('what only a restore brought is not deleted by the next sync', async () => {
  const world = await device();
  const [bundled, ...others] = everything(world);
  await world.run(world.orders.order({ files: [bundled].flatMap((file) => file ?? []) }));
  world.nextTask('second00');
  await world.run(world.orders.order({ generation: 2, files: others }, { reason: 'restore' }));
  const restored = { ...world.files };
  world.nextTask('third000');
  await world.run(world.orders.order({ generation: 3, files: [bundled].flatMap((file) => file ?? []) }));

  expect(world.files).toEqual(restored);
  expect((await world.machine.confirmed())?.files).toHaveLength(1);
});

test('a dry run ends before the snapshot', async () => {
  const world = await device();
  const end = await world.run(world.orders.order({ files: everything(world) }, { dry_run: true }));

  expect(end).toMatchObject({
    kind: 'completed',
    result: { outcome: 'dry_run', changes_total: 3, on_disk: 'old' },
  });
  expect(world.journal.at(-1)).toBe('REJECTED');
  expect(world.files[old]).toBe('old rules\n');
  expect(await world.machine.confirmed()).toBeUndefined();
});

test('secrets are put in on the device, and appear in nothing that leaves it', async () => {
  const world = await device();
  world.orders.secrets = { UPLINK: 'correct horse battery', OTHER: 'never named' };
  const text = 'password <<muster:secret:UPLINK>>\nINVALID <<muster:secret:UPLINK>>\n';
  const good = world.orders.file({ path: old, text: text.replace('INVALID', 'also'), encoding: 'template' });
  const secrets = { UPLINK: 'tag' };
  const end = await world.run(world.orders.order({ files: [good], secrets }));
  expect(end).toMatchObject({ kind: 'completed' });
  expect(world.files[old]).toBe('password correct horse battery\nalso correct horse battery\n');

  world.nextTask('second00');
  const bad = world.orders.file({ path: old, text, encoding: 'template' });
  const refused = await world.run(world.orders.order({ generation: 2, files: [bad], secrets }));
  expect(refused).toMatchObject({ code: 'rejected_validate' });
  const told = JSON.stringify([end, refused, world.context.lines, world.context.progresses]);
  expect(told).toContain('error near this line');
  expect(told).not.toContain('correct horse');
});

test('a file that is encrypted to the device is decrypted and held against the manifest', async () => {
  const world = await device();
  const plain = 'restored rules\n';
  const sealed = `sealed ${Buffer.from(plain).toString('base64')}`;
  const files = [world.orders.file({ path: old, text: sealed, encoding: 'age', sha256: sha256(plain) })];
  expect(await world.run(world.orders.order({ files }))).toMatchObject({ result: { outcome: 'applied' } });
  expect(world.files[old]).toBe(plain);
});

test('a second transaction is told that one is not over', async () => {
  const world = await device();
  await world.machine.begin('other');
  expect(await world.run(world.orders.order({ files: everything(world) }))).toMatchObject({
    code: 'busy',
    message: expect.stringContaining('other') as string,
  });
});

test('a cancel before the guard is armed touches nothing, and the next transaction can begin', async () => {
  const world = await device();
  const work = world.begin(world.orders.order({ files: everything(world) }));
  world.context.abort(new TaskError('cancelled', 'It was cancelled'));
  expect(await world.clock.through(work)).toMatchObject({ code: 'cancelled' });
  expect(world.files[old]).toBe('old rules\n');
  expect(await world.machine.pending()).toBeUndefined();
});
