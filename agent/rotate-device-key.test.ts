import { existsSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TaskError } from '../shared/errors.ts';
import { readKeyChange } from '../shared/node/key-change.ts';
import { generateKeyPair, importPrivateKey, keyFingerprint, type KeyPair } from '../shared/node/keys.ts';
import { silentLogger } from '../shared/node/logger.ts';
import { DeviceKeyChange, SignedKeyChange } from '../shared/protocol/key-change.ts';
import { deviceKeyPath } from '../shared/protocol/transfer.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { DataFolder } from './data-folder.ts';
import { DeviceKey } from './device-key.ts';
import { readKeys, saveKeys } from './identity.ts';
import { DialRefused } from './link/dial-refused.ts';
import { type KeyRotationParts, rotateDeviceKey } from './rotate-device-key.ts';

const never = new AbortController().signal;
const killed = new Error('killed');

let temporary: ReturnType<typeof temporaryFolder>;
let folder: DataFolder;
let first: KeyPair;
/** What the controller holds: keys it accepts, the newest last. */
let accepted: string[];
/** What the root helper signs with. */
let helper: string;

beforeEach(() => {
  temporary = temporaryFolder('device-key');
  folder = new DataFolder(temporary.path);
  first = saveKeys(folder, generateKeyPair());
  accepted = [first.publicKey];
  helper = first.publicKey;
});
afterEach(() => temporary[Symbol.dispose]());

type Step = 'make' | 'post' | 'answer' | 'share' | 'take';

/** A new process of the agent over the same folder; it dies before `step`. */
function agent(dieBefore?: Step) {
  const keys = readKeys(folder);
  if (!keys) throw new Error('the device lost its key');
  const key = new DeviceKey(folder, keys);
  const alive = (step: Step): void => {
    if (step === dieBefore) throw killed;
  };
  const parts: KeyRotationParts = {
    key: {
      get publicKey() {
        return key.publicKey;
      },
      get privateKey() {
        return key.privateKey;
      },
      next: () => {
        alive('make');
        return key.next();
      },
      takeNext: () => {
        alive('take');
        key.takeNext();
      },
      giveUpNext: () => key.giveUpNext(),
    },
    device: { id: 'device', controllerId: 'controller' },
    async post(path, body) {
      alive('post');
      expect(path).toBe(deviceKeyPath);
      const said = readKeyChange(DeviceKeyChange, SignedKeyChange.parse(body));
      if (!said || !accepted.includes(said.old)) throw new Error('refused');
      accepted = [...new Set([said.old, said.next])];
      alive('answer');
      return { next: keyFingerprint(said.next) };
    },
    share: async (pem) => {
      alive('share');
      helper = importPrivateKey(pem).publicKey;
    },
    log: silentLogger(),
  };
  return { rotate: () => rotateDeviceKey(parts, never), key };
}

test('the new key is held by the controller, taken by the root helper, and then takes its place', async () => {
  const { rotate, key } = agent();
  expect(await rotate()).toBe(true);
  expect(key.publicKey).not.toBe(first.publicKey);
  expect(readKeys(folder)?.publicKey).toBe(key.publicKey);
  expect(accepted).toEqual([first.publicKey, key.publicKey]);
  expect(helper).toBe(key.publicKey);
  expect(existsSync(folder.nextKey)).toBe(false);
});

test.each<Step>(['make', 'post', 'answer', 'share', 'take'])(
  'an agent that dies before the step "%s" has a key that is accepted, and so has its helper; the next one goes on',
  async (step) => {
    expect(await agent(step).rotate()).toBe(false);
    expect(accepted).toContain(readKeys(folder)?.publicKey);
    expect(accepted).toContain(helper);
    const made = existsSync(folder.nextKey) ? agent().key.next().publicKey : undefined;

    const { rotate, key } = agent();
    expect(await rotate()).toBe(true);
    if (made !== undefined) expect(key.publicKey).toBe(made);
    expect(accepted.at(-1)).toBe(key.publicKey);
    expect(helper).toBe(key.publicKey);
  },
);

test('a key that the controller will never take is given up; any other failure keeps it', async () => {
  const { key } = agent();
  const made = key.next().publicKey;
  const failing = (error: Error) =>
    rotateDeviceKey(
      {
        key,
        device: { id: 'device', controllerId: 'controller' },
        post: () => Promise.reject(error),
        share: undefined,
        log: silentLogger(),
      },
      never,
    );
  expect(await failing(new Error('unreachable'))).toBe(false);
  expect(key.next().publicKey).toBe(made);
  const cause = new DialRefused('conflict', 'in use');
  expect(await failing(new TaskError('transfer_failed', 'refused', { cause }))).toBe(false);
  expect(key.next().publicKey).not.toBe(made);
  expect(key.publicKey).toBe(first.publicKey);
});
