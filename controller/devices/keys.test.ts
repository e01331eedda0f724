import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { SignJWT } from 'jose';
import { expect, test } from 'vitest';
import { AppError } from '../../shared/errors.ts';
import { signKeyChange } from '../../shared/node/key-change.ts';
import { generateKeyPair, keyFingerprint, type KeyPair } from '../../shared/node/keys.ts';
import { EnrolmentTicket, EnrolStatement, ticketPrefix } from '../../shared/protocol/enrol.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { memorySocketPair } from '../../test/harness/memory-socket.ts';
import { ScriptedDevice } from '../../test/harness/scripted-device.ts';

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: AppError) => error.code,
  );

/** A device with a key, as the controller sees it. */
class Keyed {
  readonly controller: CoreUnderTest;
  readonly id: string;
  keys: KeyPair;

  constructor(controller: CoreUnderTest, id: string, keys: KeyPair) {
    this.controller = controller;
    this.id = id;
    this.keys = keys;
  }

  static async make(controller: CoreUnderTest, name = 'fw-1'): Promise<Keyed> {
    const id = randomUUID();
    const keys = generateKeyPair();
    await controller.store.devices.insert({
      id,
      organizationId: controller.organization.id,
      name,
      status: 'ENABLED',
      publicKey: keys.publicKey,
      labels: { site: 'a' },
      agentVersion: '0.1.0',
      createdAt: controller.clock.now(),
    });
    return new Keyed(controller, id, keys);
  }

  async #token(keys: KeyPair): Promise<string> {
    const now = Math.floor(this.controller.clock.now() / 1000);
    const jwt = new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA' })
      .setAudience('controller')
      .setSubject(this.id);
    const token = jwt
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + 50);
    return `Bearer ${await token.sign(keys.privateKey)}`;
  }

  async dial(keys = this.keys): Promise<unknown> {
    return codeOf(this.controller.core.admission.authenticate(await this.#token(keys)));
  }

  async ask(keys = this.keys): Promise<unknown> {
    return codeOf(this.controller.core.admission.authenticateRequest(await this.#token(keys)));
  }

  async refusal(keys = this.keys): Promise<AppError> {
    return this.controller.core.admission.authenticate(await this.#token(keys)).then(
      () => {
        throw new Error('it was admitted');
      },
      (error: AppError) => error,
    );
  }

  change(next: KeyPair, over: { old?: KeyPair; device?: string; controller?: string } = {}) {
    const { old = this.keys, device = this.id, controller = 'controller' } = over;
    const keys = { old: old.publicKey, next: next.publicKey };
    return signKeyChange({ purpose: 'device-key', controller, device, ...keys } as typeof keys, {
      old,
      next,
    });
  }

  hold(next: KeyPair, over = {}): Promise<string> {
    return this.controller.core.deviceKeys.hold(this.id, this.change(next, over));
  }
}

const audited = async ({ store, organization }: CoreUnderTest) =>
  (await store.audit.list({ organizationId: organization.id }, { page: 1, perPage: 20 })).items.map(
    ({ action }) => action,
  );

test('both keys are accepted until the device dials with the new one; a request alone ends nothing', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const next = generateKeyPair();
  expect(await device.dial(next)).toBe('not_authenticated');
  expect(await device.hold(next)).toBe(keyFingerprint(next.publicKey));
  expect([await device.dial(), await device.ask(), await device.ask(next), await device.dial()]).toEqual(
    Array(4).fill('done'),
  );

  expect(await device.dial(next)).toBe('done');
  expect(await device.dial()).toBe('key_ended');
  expect(await device.ask()).toBe('key_ended');
  expect(await device.dial(next)).toBe('done');
  expect(await audited(controller)).toEqual(['device.key_rotated']);
  expect(await controller.eventTypes()).toEqual(['device.key_rotated']);
});

test('an answer that was lost costs nothing: the same key may be shown again, before and after it is taken', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const next = generateKeyPair();
  const shown = device.change(next);
  const show = () => controller.core.deviceKeys.hold(device.id, shown);
  expect(await show()).toBe(await show());
  await device.dial(next);
  expect(await show()).toBe(keyFingerprint(next.publicKey));
  expect(await device.dial(next)).toBe('done');
});

test('a device that lost the next key before it came with it shows another', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const [lost, next] = [generateKeyPair(), generateKeyPair()];
  await device.hold(lost);
  await device.hold(next);
  expect(await device.dial(lost)).toBe('not_authenticated');
  expect(await device.dial(next)).toBe('done');
});

test('a key that another device has or had, or that is signed for somebody else, is not taken', async () => {
  await using controller = await CoreUnderTest.start();
  const [device, other] = [await Keyed.make(controller), await Keyed.make(controller, 'fw-2')];
  const next = generateKeyPair();
  expect(await codeOf(device.hold(other.keys))).toBe('conflict');
  await other.hold(next);
  expect(await codeOf(device.hold(next))).toBe('conflict');
  await other.dial(next);
  expect(await codeOf(device.hold(other.keys))).toBe('conflict');

  const fresh = generateKeyPair();
  for (const over of [{ device: other.id }, { controller: 'elsewhere' }]) {
    expect(await codeOf(device.hold(fresh, over))).toBe('bad_request');
  }
  expect(await codeOf(device.hold(fresh, { old: generateKeyPair() }))).toBe('conflict');
});

test('a device that is to make a new key loses its link, and is told at every welcome until it came with one', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const link = await controller.connect(device.id);
  await controller.core.devices.rotateKey(controller.actor, 'fw-1');
  expect((await link.closing()).code).toBe(closeCodes.goingAway);

  const known = { controllerKey: 'f'.repeat(64) };
  const again = await controller.connect(device.id, { connection: 2, ...known });
  expect(again.received).toContainEqual(expect.objectContaining({ type: 'welcome', rotateKey: true }));
  const next = generateKeyPair();
  await device.hold(next);
  await device.dial(next);
  const done = await controller.connect(device.id, { connection: 3, ...known });
  expect(done.received[0]).not.toHaveProperty('rotateKey');
  expect(await audited(controller)).toEqual(['device.key_rotated', 'device.rotate_key']);
});

test('a revoked key is refused for ever, with its own reason and a long wait, and loses its link', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const next = generateKeyPair();
  await device.hold(next);
  const link = await controller.connect(device.id);
  await controller.core.devices.revoke(controller.actor, 'fw-1');
  expect((await link.closing()).code).toBe(closeCodes.deviceNotEnabled);

  const refusal = await device.refusal();
  expect(refusal).toMatchObject({ code: 'key_ended', detail: { retry_after_ms: 3_600_000 } });
  expect(refusal.message).toContain('the key was revoked');
  expect(await device.dial(next)).toBe('key_ended');
  await controller.core.devices.approve(controller.actor, 'fw-1');
  expect(await device.dial()).toBe('key_ended');
  expect(await codeOf(controller.core.devices.rotateKey(controller.actor, 'fw-1'))).toBe('conflict');
  expect(await codeOf(device.hold(generateKeyPair()))).toBe('conflict');
});

test('the key of a removed device is told so; who has no key of it learns nothing', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  await controller.core.devices.remove(controller.actor, 'fw-1');
  expect((await device.refusal()).message).toContain('the device was removed');
  expect((await device.refusal(generateKeyPair())).code).toBe('not_authenticated');
});

async function rebindSecret(controller: CoreUnderTest, id: string, expiresInMs = 60_000): Promise<string> {
  const wish = { name: `rebind ${randomUUID()}`, maxUses: 1, autoApprove: false, labels: {} };
  const expiresAt = controller.clock.now() + expiresInMs;
  const { ticket } = await controller.core.tokens.mintEnrolmentToken(
    controller.actor,
    controller.organization,
    {
      ...wish,
      expiresAt,
      device: { id, name: 'fw-1' },
    },
  );
  const text = Buffer.from(ticket.slice(ticketPrefix.length), 'base64url').toString();
  return EnrolmentTicket.parse(JSON.parse(text)).secret;
}

const joining = (secret: string, keys: KeyPair) => ({
  secret,
  name: 'reinstalled',
  public_key: keys.publicKey,
  nonce: 'nonce-nonce-nonce-nonce',
  agent_version: '0.2.0',
});
const origin = { ipAddress: null, requestId: null };

test('a machine that was installed anew takes the place of its device: id, name and labels stay, the key before ends', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const link = await controller.connect(device.id, { epoch: 9 });
  const secret = await rebindSecret(controller, device.id);
  const fresh = generateKeyPair();
  const answer = await controller.core.devices.enrol(joining(secret, fresh), origin);
  const statement = EnrolStatement.parse(JSON.parse(answer.statement));
  expect(statement).toMatchObject({ device_id: device.id, name: 'fw-1', public_key: fresh.publicKey });
  expect(answer.status).toBe('ENABLED');
  expect((await link.closing()).code).toBe(closeCodes.deviceNotEnabled);

  expect((await device.refusal()).message).toContain('another machine took its place');
  expect(await device.dial(fresh)).toBe('done');
  // The count of its starts begins anew with its database.
  await controller.connect(device.id, { epoch: 1, storeId: 'store-2', instanceId: 'new' });
  expect(await controller.store.devices.get(device.id)).toMatchObject({
    labels: { site: 'a' },
    quarantinedAt: null,
  });
  expect(await audited(controller)).toEqual(['device.rebind', 'enrolment_token.create']);

  // The same machine asking again gets the same answer; another one nothing.
  await controller.core.devices.enrol(joining(secret, fresh), origin);
  expect(await codeOf(controller.core.devices.enrol(joining(secret, generateKeyPair()), origin))).toBe(
    'not_authenticated',
  );
});

test('after a rebinding a second agent with the new key is found out as before', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  const fresh = generateKeyPair();
  await controller.core.devices.enrol(joining(await rebindSecret(controller, device.id), fresh), origin);
  await controller.connect(device.id, { epoch: 1, storeId: 'store-2', instanceId: 'one' });
  const second = controller.link(device.id);
  second.hello({ epoch: 1, storeId: 'store-2', instanceId: 'two' });
  expect((await second.closing()).code).toBe(closeCodes.quarantined);
});

test('a rebinding heals a revoked device, and is refused when its token expired, its device is gone, or the key is an old one', async () => {
  await using controller = await CoreUnderTest.start();
  const device = await Keyed.make(controller);
  await controller.core.devices.revoke(controller.actor, 'fw-1');
  const { devices } = controller.core;
  const secret = await rebindSecret(controller, device.id);
  expect(await codeOf(devices.enrol(joining(secret, device.keys), origin))).toBe('conflict');
  const fresh = generateKeyPair();
  expect(await codeOf(devices.enrol(joining(secret, fresh), origin))).toBe('done');
  expect(await device.dial(fresh)).toBe('done');

  const late = await rebindSecret(controller, device.id, 1);
  controller.clock.jump(1);
  expect(await codeOf(devices.enrol(joining(late, generateKeyPair()), origin))).toBe('token_expired');
  const orphan = await rebindSecret(controller, device.id);
  await devices.remove(controller.actor, 'fw-1');
  expect(await codeOf(devices.enrol(joining(orphan, generateKeyPair()), origin))).toBe('not_found');
});

test('a welcome tells of the changes of the controller’s key to whoever does not know them, and to no older agent', async () => {
  const [old, next] = [generateKeyPair(), generateKeyPair()];
  const said = { purpose: 'controller-key', controller: 'controller', old_until: 500 };
  const keys = { old: old.publicKey, next: next.publicKey };
  const keyChanges = [signKeyChange({ ...said, ...keys }, { old, next })];
  await using controller = await CoreUnderTest.start(
    {},
    { identity: { controllerId: 'controller', keys: next, keyChanges } },
  );
  const welcomed = async (name: string, hello: object): Promise<object | undefined> => {
    const { received } = await controller.connect(await controller.device(name), hello);
    return received.find(({ type }) => type === 'welcome');
  };
  const oldKey = keyFingerprint(old.publicKey);
  const newKey = keyFingerprint(next.publicKey);
  expect(await welcomed('knows-old', { controllerKey: oldKey })).toHaveProperty('keyChanges', keyChanges);
  expect(
    await welcomed('trusts-old-longer', { controllerKey: newKey, oldControllerKeyUntil: 900 }),
  ).toHaveProperty('keyChanges');
  expect(
    await welcomed('knows-all', { controllerKey: newKey, oldControllerKeyUntil: 500 }),
  ).not.toHaveProperty('keyChanges');
  expect(await welcomed('enrolled-later', { controllerKey: newKey })).not.toHaveProperty('keyChanges');
  expect(await welcomed('older-agent', {})).not.toHaveProperty('keyChanges');
});

test.each(['revoked', 'rebound'])(
  'a link that was opened before its key was %s and says hello after it is closed',
  async (how) => {
    await using controller = await CoreUnderTest.start();
    const device = await Keyed.make(controller);
    const [here, there] = memorySocketPair();
    controller.core.openLink(
      {
        id: device.id,
        organizationId: controller.organization.id,
        publicKey: device.keys.publicKey,
      },
      here,
    );
    const { keys } = controller.store.devices;
    if (how === 'revoked') await keys.revoke(device.id, 1);
    else await keys.replace(device.id, generateKeyPair().publicKey, 1);
    const link = new ScriptedDevice(device.id, there);
    link.hello();
    expect((await link.closing()).code).toBe(closeCodes.deviceNotEnabled);
  },
);

/** Where the device is with its key: what it has on disk. */
interface Disk {
  key: KeyPair;
  next: KeyPair | undefined;
}

/** A key that was only held cannot sign for another one before the device has come with it: that is refused, and changes nothing. */
async function isHeld(device: Keyed, next: KeyPair, old: KeyPair): Promise<boolean> {
  try {
    await device.hold(next, { old });
    return true;
  } catch (error) {
    if (error instanceof AppError && error.code === 'conflict') return false;
    throw error;
  }
}

/** One step of the agent, which may die right after it; the answer of the controller may be lost. */
const steps = {
  make: (disk: Disk) => {
    disk.next ??= generateKeyPair();
  },
  show: async (disk: Disk, device: Keyed) => {
    if (!disk.next || !(await isHeld(device, disk.next, disk.key))) return;
    disk.key = disk.next;
    disk.next = undefined;
  },
  'show, and the answer is lost': async (disk: Disk, device: Keyed) => {
    if (disk.next) await isHeld(device, disk.next, disk.key);
  },
  'lose what was made': (disk: Disk) => {
    disk.next = undefined;
  },
  dial: async (disk: Disk, device: Keyed) => {
    expect(await device.dial(disk.key)).toBe('done');
  },
};
type Step = keyof typeof steps;

test('whatever is lost, and whoever dies at which step, the key that the device has on disk is accepted', async () => {
  const names = Object.keys(steps) as Step[];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...names), { maxLength: 12 }), async (story) => {
      await using controller = await CoreUnderTest.start();
      const device = await Keyed.make(controller);
      const disk: Disk = { key: device.keys, next: undefined };
      for (const step of story) {
        await steps[step](disk, device);
        expect(await device.ask(disk.key)).toBe('done');
      }
      expect(await device.dial(disk.key)).toBe('done');
    }),
    { numRuns: 40 },
  );
});
