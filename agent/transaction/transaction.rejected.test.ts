import { describe, expect, test } from 'vitest';
import type { Manifest } from '../../shared/manifest.ts';
import type { SyncParameters } from '../../shared/task-types/sync.ts';
import { sha256 } from '../../test/harness/memory-orders.ts';
import { TransactionUnderTest } from '../../test/harness/transaction-under-test.ts';

const rules = '/etc/firewall/rules.conf';

async function device(): Promise<TransactionUnderTest> {
  const world = await TransactionUnderTest.start();
  world.machine.disk.files.edit(rules, 'old rules\n');
  world.machine.services.start();
  return world;
}

/** Runs an order that must be refused, and makes sure that nothing of the device was touched. */
async function refused(world: TransactionUnderTest, order: SyncParameters) {
  const before = { ...world.files };
  const end = await world.run(order);
  if (end.kind !== 'failed') throw new Error(`it was not refused: ${JSON.stringify(end)}`);
  expect(end.result).toMatchObject({ outcome: 'rejected', journal: 'REJECTED', on_disk: 'old' });
  expect(world.files).toEqual(before);
  expect(world.journal).not.toContain('ARMED');
  expect(world.journal.at(-1)).toBe('REJECTED');
  expect(world.machine.commands.ran.filter((text) => text.startsWith('host'))).toEqual([]);
  expect(await world.machine.pending()).toBeUndefined();
  expect(await world.machine.quarantined()).toEqual([]);
  return { code: end.code, message: end.message, at: end.result?.rejected_at };
}

type Change = (world: TransactionUnderTest) => {
  manifest?: Partial<Manifest>;
  parameters?: Partial<SyncParameters>;
};

const good = (world: TransactionUnderTest) => world.orders.file({ path: rules, text: 'new rules\n' });

const verified: Record<string, [Change, RegExp]> = {
  'another manifest than the order names': [
    () => ({ parameters: { manifest: sha256('something else') } }),
    /no blob|not the manifest/,
  ],
  'a manifest for another device': [() => ({ manifest: { device: 'device-2' } }), /for device device-2/],
  'another profile': [() => ({ manifest: { profile: { id: 'linux', rev: 1 } } }), /profile linux/],
  'another revision of the profile': [
    () => ({ manifest: { profile: { id: 'memory', rev: 2 } } }),
    /revision 2; this device has memory revision 1/,
  ],
  'another generation than the order names': [() => ({ parameters: { generation: 2 } }), /order names 2/],
  'a path that no unit manages': [
    (world) => ({
      manifest: { files: [world.orders.file({ path: '/etc/passwd', text: 'x', unit: 'firewall' })] },
    }),
    /\/etc\/passwd is none of the paths/,
  ],
  'a path of another unit': [
    (world) => ({ manifest: { files: [{ ...good(world), unit: 'router' }] } }),
    /none of the paths that unit router/,
  ],
  'a unit that the profile does not have': [
    (world) => ({ manifest: { files: [{ ...good(world), unit: 'kernel' }] } }),
    /unit kernel/,
  ],
  'a mode that is wider than the profile allows': [
    (world) => ({ manifest: { files: [{ ...good(world), mode: '0664' }] } }),
    /allows 0644 at most/,
  ],
  'an owner that the profile does not name': [
    (world) => ({ manifest: { files: [{ ...good(world), owner: 'nobody' }] } }),
    /has owner nobody/,
  ],
  'a path that is there twice': [
    (world) => ({ manifest: { files: [good(world), good(world)] } }),
    /in the manifest twice/,
  ],
  'a path that is wanted and unwanted': [
    () => ({ manifest: { absent: [{ path: rules, unit: 'firewall' }] } }),
    /in the manifest twice/,
  ],
  'a path with ..': [
    (world) => ({ manifest: { files: [{ ...good(world), path: '/etc/firewall/../shadow.conf' }] } }),
    /cannot be read/,
  ],
  'a file that is too large': [
    (world) => ({ manifest: { files: [{ ...good(world), size: 2_000_000 }] } }),
    /allows 1048576/,
  ],
  'a blob that is shorter than the manifest says': [
    (world) => ({ manifest: { files: [{ ...good(world), size: 20 }] } }),
    /is not the blob/,
  ],
  'a blob that is longer than the manifest says': [
    (world) => {
      const file = good(world);
      world.orders.blobs.set(file.blob, Buffer.from('new rules\nand more'));
      return { manifest: { files: [file] } };
    },
    /too large|is not the blob/,
  ],
  'a blob of which one byte is another': [
    (world) => {
      const file = good(world);
      world.orders.blobs.set(file.blob, Buffer.from('new rulez\n'));
      return { manifest: { files: [file] } };
    },
    /is not the blob/,
  ],
  'a file of the agent': [
    (world) => {
      world.ownPaths = [rules];
      return {};
    },
    /belongs to the agent/,
  ],
  'a path that a link leads to a file of the agent': [
    (world) => {
      world.machine.links.set('/etc/firewall', '/var/lib/muster');
      return {};
    },
    /leads to \/var\/lib\/muster\/rules.conf, which belongs to the agent/,
  ],
  'a path around a folder of the agent': [
    (world) => {
      world.ownPaths = [`${rules}/agent`];
      return {};
    },
    /belongs to the agent/,
  ],
  'an encrypted file that comes out as something else': [
    (world) => ({
      manifest: {
        files: [
          world.orders.file({
            path: rules,
            text: `sealed ${Buffer.from('x').toString('base64')}`,
            encoding: 'age',
            sha256: sha256('y'),
          }),
        ],
      },
    }),
    /came out as/,
  ],
};

describe('is refused before anything is touched:', () => {
  test.each(Object.entries(verified))('%s', async (_name, [change, message]) => {
    const world = await device();
    const files = [good(world)];
    const { manifest, parameters } = change(world);
    const end = await refused(world, world.orders.order({ files, ...manifest }, parameters));
    expect(end).toEqual({
      code: expect.stringMatching(/^rejected_(verify|fetch)$/) as string,
      at: end.code.slice('rejected_'.length),
      message: expect.stringMatching(message) as string,
    });
  });

  test('an older generation, and the confirmed one again', async () => {
    const world = await device();
    await world.run(world.orders.order({ generation: 5, files: [good(world)] }));
    for (const generation of [4, 5]) {
      world.nextTask(`again${generation}00`);
      expect(await world.run(world.orders.order({ generation, files: [good(world)] }))).toMatchObject({
        code: 'rejected_verify',
        message: expect.stringContaining('generation 5 is confirmed') as string,
      });
    }
    expect((await world.machine.confirmed())?.generation).toBe(5);
  });

  test('text that is no manifest', async () => {
    const world = await device();
    expect(await refused(world, world.orders.orderText('{"format":2}', { generation: 1 }))).toMatchObject({
      code: 'rejected_verify',
      at: 'verify',
    });
  });

  test('a blob that the controller does not hand out', async () => {
    const world = await device();
    const file = good(world);
    world.orders.blobs.delete(file.blob);
    expect(await refused(world, world.orders.order({ files: [file] }))).toMatchObject({
      code: 'rejected_fetch',
      at: 'fetch',
    });
  });

  test('a device that was edited by hand since the last transaction', async () => {
    const world = await device();
    await world.run(world.orders.order({ files: [good(world)] }));
    world.machine.disk.files.edit(rules, 'edited by hand\n');
    world.nextTask('second00');
    const files = [world.orders.file({ path: rules, text: 'newer rules\n' })];
    expect(await world.run(world.orders.order({ generation: 2, files }))).toMatchObject({
      code: 'rejected_drift',
      result: { rejected_at: 'drift' },
    });
    expect(world.files[rules]).toBe('edited by hand\n');

    world.nextTask('third000');
    const overwrite = world.orders.order({ generation: 2, files }, { on_drift: 'overwrite' });
    expect(await world.run(overwrite)).toMatchObject({ result: { outcome: 'applied' } });
  });

  test('a device that is not what the plan was made against', async () => {
    const world = await device();
    const order = world.orders.order({ files: [good(world)] }, { base: { firewall: 'of another time' } });
    expect(await refused(world, order)).toMatchObject({ code: 'rejected_drift' });
  });

  test.each([
    ['a marker that the manifest does not know', 'key <<muster:secret:OTHER>>', {}, /names the secret OTHER/],
    ['a broken marker', 'key <<muster:secret:UPLINK>', {}, /broken marker/],
    [
      'a secret without a value',
      'key <<muster:secret:UPLINK>>',
      { UPLINK: 'tag' },
      /no value for the secret UPLINK/,
    ],
  ])('%s', async (_name, text, secrets, message) => {
    const world = await device();
    const files = [world.orders.file({ path: rules, text, encoding: 'template' })];
    expect(await refused(world, world.orders.order({ files, secrets }))).toEqual({
      code: 'rejected_render',
      at: 'render',
      message: expect.stringMatching(message) as string,
    });
  });

  test('secrets and files that are encrypted to somebody else', async () => {
    const world = await device();
    const files = [
      world.orders.file({ path: rules, text: 'for another', encoding: 'age', sha256: sha256('x') }),
    ];
    expect(await refused(world, world.orders.order({ files }))).toMatchObject({ code: 'rejected_render' });
  });

  test.each([
    ['what a validator refuses', 'INVALID', 'rejected_validate'],
    ['what locks out visibly', 'LOCKS-OUT-VISIBLY', 'rejected_preflight'],
    ['what would not come up again', 'BREAKS-AT-START', 'rejected_preflight'],
  ])('%s', async (_name, text, code) => {
    const world = await device();
    const files = [world.orders.file({ path: rules, text })];
    expect(await refused(world, world.orders.order({ files }))).toMatchObject({
      code,
      at: code.slice('rejected_'.length),
    });
  });

  test('anything, while the controller cannot be reached even before the change', async () => {
    const world = await device();
    world.reachable = false;
    expect(await refused(world, world.orders.order({ files: [good(world)] }))).toMatchObject({
      code: 'no_baseline',
      at: 'baseline',
    });
  });
});

test('a content that was rolled back needs a release, once', async () => {
  const world = await device();
  const files = [world.orders.file({ path: rules, text: 'BREAKS' })];
  await world.run(world.orders.order({ files }));
  expect(await world.machine.quarantined()).toHaveLength(1);

  world.nextTask('second00');
  const again = await world.run(world.orders.order({ generation: 2, files }));
  expect(again).toMatchObject({ code: 'quarantined', result: { outcome: 'rejected' } });

  world.nextTask('third000');
  const released = await world.run(world.orders.order({ generation: 3, files }, { release: true }));
  expect(released).toMatchObject({ code: 'rolled_back' });
  expect(await world.machine.quarantined()).toHaveLength(1);

  world.nextTask('fourth00');
  expect(await world.run(world.orders.order({ generation: 4, files: [good(world)] }))).toMatchObject({
    result: { outcome: 'applied' },
  });
});
