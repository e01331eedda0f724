import { expect, test } from 'vitest';
import type { CreatedEnrolmentToken } from '../../shared/api/access.ts';
import { signKeyChange } from '../../shared/node/key-change.ts';
import { generateKeyPair, type KeyPair, keyFingerprint, signText } from '../../shared/node/keys.ts';
import { EnrolmentTicket, ticketPrefix } from '../../shared/protocol/enrol.ts';
import { archiveReportPath, deviceKeyPath } from '../../shared/protocol/transfer.ts';
import { ApiDevice } from '../../test/harness/api-device.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

const all = '/api/v1/organizations/default/devices';

function changeOf(api: ApiUnderTest, device: ApiDevice, next: KeyPair) {
  const named = { device: device.id, old: device.keys.publicKey, next: next.publicKey };
  const said = { purpose: 'device-key', controller: api.core.identity.controllerId, ...named };
  return signKeyChange(said, { old: device.keys, next });
}

test('a device shows its new key with the old one; people see both, and what is waited for', async () => {
  await using api = await ApiUnderTest.start();
  const device = await ApiDevice.make(api, 'fw');
  const wanted = await api.call('POST', `${all}/fw/rotate-key`);
  expect(wanted.body).toMatchObject({ key_rotation: true, next_key_fingerprint: null });

  const next = generateKeyPair();
  const shown = await device.call('POST', deviceKeyPath, changeOf(api, device, next));
  expect(shown.body).toEqual({ next: keyFingerprint(next.publicKey) });
  expect((await api.call('GET', `${all}/fw`)).body).toMatchObject({
    key_fingerprint: keyFingerprint(device.keys.publicKey),
    next_key_fingerprint: keyFingerprint(next.publicKey),
    key_rotation: true,
  });
});

test('a key that the old one did not sign for is not held', async () => {
  await using api = await ApiUnderTest.start();
  const [device, other] = [await ApiDevice.make(api), await ApiDevice.make(api)];
  const next = generateKeyPair();
  for (const change of [
    { ...changeOf(api, device, next), by_old: signText('something else', device.keys.privateKey) },
    changeOf(api, other, next),
    {},
  ]) {
    expect((await device.call('POST', deviceKeyPath, change)).status).toBe(400);
  }
});

test('an archive may be signed with either key while both are accepted', async () => {
  await using api = await ApiUnderTest.start();
  const device = await ApiDevice.make(api);
  const next = generateKeyPair();
  await device.call('POST', deviceKeyPath, changeOf(api, device, next));
  const task = await device.task('BACKUP');
  const told = async (by: KeyPair) => {
    const statement = JSON.stringify({ no: 'archive' });
    const report = { statement, signature: signText(statement, by.privateKey), outcome: 'stored' };
    return (await device.call('POST', archiveReportPath(task), report)).text;
  };
  expect(await told(generateKeyPair())).toContain('not signed with the key of this device');
  for (const key of [device.keys, next]) expect(await told(key)).not.toContain('not signed');
});

test('a revoked device shows since when, until a machine took its place with the token', async () => {
  await using api = await ApiUnderTest.start();
  const device = await ApiDevice.make(api, 'fw');
  expect((await api.call('POST', `${all}/fw/revoke`)).body['key_revoked_at']).toEqual(expect.any(String));
  const refused = await device.call('POST', deviceKeyPath, changeOf(api, device, generateKeyPair()));
  expect(refused).toMatchObject({ status: 403, body: { code: 'key_ended' } });

  const made = await api.call('POST', `${all}/fw/rebind`, { body: { expires_in_seconds: 3600 } });
  expect(made.body).toMatchObject({ max_uses: 1, uses: 0, is_expired: false });
  const { token } = made.body as CreatedEnrolmentToken;
  const text = Buffer.from(token.slice(ticketPrefix.length), 'base64url').toString();
  const { secret } = EnrolmentTicket.parse(JSON.parse(text));
  const { publicKey } = generateKeyPair();
  const wish = { secret, name: 'other', public_key: publicKey, nonce: 'n'.repeat(16), agent_version: '1' };
  expect((await api.call('POST', '/api/v1/enrol', { as: null, body: wish })).body['status']).toBe('ENABLED');
  expect((await api.call('GET', `${all}/fw`)).body).toMatchObject({
    uuid: device.id,
    key_revoked_at: null,
    key_fingerprint: keyFingerprint(publicKey),
  });
});
