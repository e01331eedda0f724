import { expect, test } from 'vitest';
import type { CreatedEnrolmentToken } from '../../shared/api/access.ts';
import { generateKeyPair, importPublicKey, keyFingerprint, verifyText } from '../../shared/node/keys.ts';
import { EnrolAnswer, EnrolmentTicket, EnrolStatement, ticketPrefix } from '../../shared/protocol/enrol.ts';
import { ApiUnderTest } from '../../test/harness/api.ts';

const root = '/api/v1/organizations/default/enrolment-tokens';

test('a device joins with the ticket that was made for it, and the answer is proved by the fingerprint in it', async () => {
  await using api = await ApiUnderTest.start();
  const created = await api.call('POST', root, { body: { name: 'rack-7', labels: { rack: '7' } } });
  const { token } = created.body as CreatedEnrolmentToken;
  expect(token.startsWith(ticketPrefix)).toBe(true);
  const ticket = EnrolmentTicket.parse(
    JSON.parse(Buffer.from(token.slice(ticketPrefix.length), 'base64url').toString()),
  );

  const nonce = 'fresh-and-random-text';
  const { publicKey } = generateKeyPair();
  const wish = {
    secret: ticket.secret,
    name: 'edge-1',
    public_key: publicKey,
    nonce,
    agent_version: '0.1.0',
  };
  const joined = await api.call('POST', '/api/v1/enrol', { as: null, body: wish });
  expect(joined.status, joined.text).toBe(200);
  const answer = EnrolAnswer.parse(joined.body);
  expect(answer.status).toBe('PENDING');
  expect(keyFingerprint(answer.controller_key)).toBe(ticket.fingerprint);
  expect(verifyText(answer.statement, answer.signature, importPublicKey(answer.controller_key))).toBe(true);
  expect(EnrolStatement.parse(JSON.parse(answer.statement))).toMatchObject({ nonce, name: 'edge-1' });

  const device = await api.call('GET', '/api/v1/organizations/default/devices/edge-1');
  expect(device.body).toMatchObject({ status: 'PENDING', labels: { rack: '7' } });

  const another = { ...wish, name: 'edge-2', public_key: generateKeyPair().publicKey };
  const refused = await api.call('POST', '/api/v1/enrol', { as: null, body: another });
  expect([401, 403]).toContain(refused.status);
});

test('enrolment tokens are listed without their secret, and end when they are revoked', async () => {
  await using api = await ApiUnderTest.start();
  const created = await api.call('POST', root, { body: { name: 'fleet', max_uses: null } });
  expect(created.body).toMatchObject({ name: 'fleet', max_uses: null, uses: 0, auto_approve: false });
  expect(await api.call('POST', root, { body: { name: 'fleet' } })).toMatchObject({ status: 409 });
  const listed = await api.call('GET', root);
  expect(listed.body).toMatchObject({ total: 1, items: [{ name: 'fleet', is_revoked: false }] });
  expect(listed.text).not.toContain(ticketPrefix);

  expect((await api.call('DELETE', `${root}/fleet`)).status).toBe(204);
  expect((await api.call('DELETE', `${root}/nothing`)).status).toBe(404);
});

test('a wrong secret is 401', async () => {
  await using api = await ApiUnderTest.start();
  const { publicKey } = generateKeyPair();
  const wish = {
    secret: 'wrong',
    name: 'edge-1',
    public_key: publicKey,
    nonce: 'n'.repeat(16),
    agent_version: '1',
  };
  expect(await api.call('POST', '/api/v1/enrol', { as: null, body: wish })).toMatchObject({
    status: 401,
    body: { code: 'not_authenticated' },
  });
});
