import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ageEncrypt, generateAgeKeys } from '../shared/node/age.ts';
import { generateKeyPair, importPublicKey, verifyText } from '../shared/node/keys.ts';
import { temporaryFolder } from '../test/harness/temporary-folder.ts';
import { DataFolder } from './data-folder.ts';
import { openDeviceKeys } from './device-keys.ts';

const keys = generateKeyPair();
const open = (path: string) => openDeviceKeys(new DataFolder(path), { keys });
async function* once(bytes: Uint8Array) {
  yield bytes;
}

test('are made once, readable by their owner only, and the same at every start', async () => {
  using folder = temporaryFolder('device-keys');
  const [first, again] = [await open(folder.path), await open(folder.path)];
  expect(again.recipient).toBe(first.recipient);
  expect(again.stateDigest('x')).toBe(first.stateDigest('x'));
  expect(again.secretToken('x')).toBe(first.secretToken('x'));
  for (const path of ['device.age', 'view.key']) {
    expect(statSync(`${folder.path}/${path}`).mode & 0o777).toBe(0o600);
  }
});

test('what is encrypted to the device is read by it and by nobody else', async () => {
  using folder = temporaryFolder('device-keys');
  using other = temporaryFolder('device-keys');
  const device = await open(folder.path);
  const sealed = await buffer(ageEncrypt(once(Buffer.from('secret')), [device.recipient]));
  expect((await buffer(device.decrypt(once(sealed)))).toString()).toBe('secret');
  await expect(buffer((await open(other.path)).decrypt(once(sealed)))).rejects.toThrow('no identity matched');
});

test('digests and tokens tell equality on this device, and nothing to another', async () => {
  using folder = temporaryFolder('device-keys');
  using other = temporaryFolder('device-keys');
  const [device, stranger] = [await open(folder.path), await open(other.path)];
  expect(device.secretToken('a')).toMatch(/^[0-9a-f]{8}$/);
  expect(device.stateDigest('a')).toMatch(/^[0-9a-f]{64}$/);
  expect(device.stateDigest('a').startsWith(device.secretToken('a'))).toBe(false);
  expect(device.secretToken('a')).not.toBe(device.secretToken('b'));
  expect(device.secretToken('a')).not.toBe(stranger.secretToken('a'));
});

test('signs as the device', async () => {
  using folder = temporaryFolder('device-keys');
  const { sign } = await open(folder.path);
  expect(verifyText('text', sign('text'), importPublicKey(keys.publicKey))).toBe(true);
});

test('a damaged key is named, and neither replaced nor shown', async () => {
  using folder = temporaryFolder('device-keys');
  await open(folder.path);
  const path = `${folder.path}/device.age`;
  const { identity } = await generateAgeKeys();
  writeFileSync(path, `${identity.slice(0, -3)}\n`);
  await expect(open(folder.path)).rejects.toThrow(/device\.age cannot be used/);
  await expect(open(folder.path)).rejects.not.toThrow(identity.slice(20, 40));
  expect(readFileSync(path, 'utf8')).toContain(identity.slice(0, -3));

  writeFileSync(path, `${identity}\n`);
  writeFileSync(`${folder.path}/view.key`, 'short');
  await expect(open(folder.path)).rejects.toThrow(/view\.key is not a key of 32 bytes/);
});

test('a comment of another identity is found before anything is read with it', async () => {
  using folder = temporaryFolder('device-keys');
  const device = await open(folder.path);
  const other = await generateAgeKeys();
  const path = `${folder.path}/device.age`;
  writeFileSync(path, readFileSync(path, 'utf8').replace(/^AGE.*$/m, other.identity));
  const sealed = await buffer(ageEncrypt(once(Buffer.from('secret')), [device.recipient]));
  await expect(buffer((await open(folder.path)).decrypt(once(sealed)))).rejects.toThrow('correct that line');
  writeFileSync(path, `${other.identity}\n`);
  expect((await open(folder.path)).recipient).toBe(other.recipient);
});
