import { describe, expect, test } from 'vitest';
import type { AppError } from '../../shared/errors.ts';
import { generateKeyPair, importPublicKey, keyFingerprint, verifyText } from '../../shared/node/keys.ts';
import { EnrolmentTicket, EnrolStatement, ticketPrefix } from '../../shared/protocol/enrol.ts';
import { closeCodes } from '../../shared/protocol/version.ts';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';

const origin = { ipAddress: '192.0.2.1', requestId: 'r1' };
type Wish = Parameters<CoreUnderTest['core']['tokens']['mintEnrolmentToken']>[2];
const aToken: Wish = { name: 'site', maxUses: 1, autoApprove: false, labels: { site: 'a' }, expiresAt: null };

async function ticketOf(controller: CoreUnderTest, over: Partial<Wish> = {}) {
  const wish = { ...aToken, ...over };
  const { ticket, row } = await controller.core.tokens.mintEnrolmentToken(
    controller.actor,
    controller.organization,
    wish,
  );
  expect(ticket.startsWith(ticketPrefix)).toBe(true);
  const text = Buffer.from(ticket.slice(ticketPrefix.length), 'base64url').toString();
  const parsed = EnrolmentTicket.parse(JSON.parse(text));
  expect(row.hash).not.toContain(parsed.secret);
  return parsed;
}

const request = (secret: string, name = 'fw-1', key = generateKeyPair().publicKey) => ({
  secret,
  name,
  public_key: key,
  nonce: 'nonce-nonce-nonce-nonce',
  agent_version: '0.1.0',
  labels: { site: 'own', rack: '7' },
});

const codeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'done',
    (error: AppError) => error.code,
  );

describe('enrolment', () => {
  test('makes a PENDING device and answers with a statement that the ticket’s key signed', async () => {
    await using controller = await CoreUnderTest.start();
    const { secret, fingerprint, url } = await ticketOf(controller);
    expect(url).toBe('http://127.0.0.1:7443');
    const asked = request(secret);
    const answer = await controller.core.devices.enrol(asked, origin);

    expect(keyFingerprint(answer.controller_key)).toBe(fingerprint);
    expect(verifyText(answer.statement, answer.signature, importPublicKey(answer.controller_key))).toBe(true);
    const statement = EnrolStatement.parse(JSON.parse(answer.statement));
    expect(statement).toMatchObject({ nonce: asked.nonce, name: 'fw-1', controller_id: 'controller' });
    const device = await controller.store.devices.get(statement.device_id);
    expect(device).toMatchObject({ status: 'PENDING', labels: { site: 'a', rack: '7' } });
    expect(await controller.eventTypes()).toEqual(['device.enrolled']);
  });

  test('enables the device at once when its token says so', async () => {
    await using controller = await CoreUnderTest.start();
    const { secret } = await ticketOf(controller, { autoApprove: true });
    expect((await controller.core.devices.enrol(request(secret), origin)).status).toBe('ENABLED');
  });

  test('with the same key again gives the same device and costs no use', async () => {
    await using controller = await CoreUnderTest.start();
    const { secret } = await ticketOf(controller);
    const asked = request(secret);
    const first = await controller.core.devices.enrol(asked, origin);
    const second = await controller.core.devices.enrol(asked, origin);
    expect(second.statement).toBe(first.statement);
    expect(await codeOf(controller.core.devices.enrol(request(secret, 'fw-2'), origin))).toBe(
      'not_authenticated',
    );
  });

  test('by many at once uses the token no more often than it allows', async () => {
    await using controller = await CoreUnderTest.start();
    const { secret } = await ticketOf(controller, { maxUses: 3 });
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_one, index) =>
        codeOf(controller.core.devices.enrol(request(secret, `fw-${index}`), origin)),
      ),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(3);
  });

  test('with a wrong, revoked or expired token is refused, and a name that is taken too', async () => {
    await using controller = await CoreUnderTest.start();
    const { devices, tokens } = controller.core;
    expect(await codeOf(devices.enrol(request('wrong-wrong-wrong-wrong'), origin))).toBe('not_authenticated');

    const revoked = await ticketOf(controller, { name: 'revoked' });
    await tokens.revokeEnrolmentToken(controller.actor, 'revoked');
    expect(await codeOf(devices.enrol(request(revoked.secret), origin))).toBe('not_authenticated');

    const expired = await ticketOf(controller, { name: 'expired', expiresAt: controller.clock.now() + 1 });
    controller.clock.jump(1);
    expect(await codeOf(devices.enrol(request(expired.secret), origin))).toBe('token_expired');

    const good = await ticketOf(controller, { name: 'good' });
    await controller.device('fw-1');
    expect(await codeOf(devices.enrol(request(good.secret), origin))).toBe('name_taken');
    // The refusal cost no use.
    expect(await codeOf(devices.enrol(request(good.secret, 'fw-2'), origin))).toBe('done');
  });
});

describe('a device', () => {
  test('is approved, renamed, labelled, disabled and enabled, each with an audit entry', async () => {
    await using controller = await CoreUnderTest.start();
    const { devices } = controller.core;
    const { actor } = controller;
    await controller.device('fw-1', { status: 'PENDING', labels: { a: '1', b: '2' } });
    expect((await devices.approve(actor, 'fw-1')).status).toBe('ENABLED');
    expect((await devices.rename(actor, 'fw-1', 'fw-9')).name).toBe('fw-9');
    expect((await devices.changeLabels(actor, 'fw-9', { a: null, c: '3' })).labels).toEqual({
      b: '2',
      c: '3',
    });
    expect((await devices.replaceLabels(actor, 'fw-9', { d: '4' })).labels).toEqual({ d: '4' });
    expect((await devices.disable(actor, 'fw-9')).status).toBe('DISABLED');
    expect((await devices.enable(actor, 'fw-9')).status).toBe('ENABLED');

    const filter = { organizationId: controller.organization.id };
    const { items } = await controller.store.audit.list(filter, { page: 1, perPage: 20 });
    expect(items.map(({ action }) => action).reverse()).toEqual([
      'device.approve',
      'device.rename',
      'device.label',
      'device.label',
      'device.disable',
      'device.enable',
    ]);
    expect(await codeOf(devices.approve(actor, 'fw-1'))).toBe('not_found');
    expect(await codeOf(devices.changeLabels(actor, 'fw-9', { 'not a key': 'x' }))).toBe('bad_request');
  });

  test('loses its link when it is disabled, and its tasks wait', async () => {
    await using controller = await CoreUnderTest.start();
    const device = await controller.connect(await controller.device('fw-1'), { slots: {} });
    const [code = ''] = await controller.submit(['fw-1']);
    await controller.core.devices.disable(controller.actor, 'fw-1');
    expect((await device.closing()).code).toBe(closeCodes.deviceNotEnabled);
    expect((await controller.task(code)).status).toBe('PENDING');
  });

  test('that is removed frees its name', async () => {
    await using controller = await CoreUnderTest.start();
    await controller.device('fw-1');
    await controller.core.devices.remove(controller.actor, 'fw-1');
    await controller.device('fw-1');
  });

  test('is found by exact name, else by a pattern that occurs in its name', async () => {
    await using controller = await CoreUnderTest.start();
    const { devices } = controller.core;
    const { id } = controller.organization;
    const one = await controller.device('fw-1');
    const two = await controller.device('fw-2');
    expect(await devices.idsMatching(id, 'fw-1')).toEqual([one]);
    expect(await devices.idsMatching(id, 'fw-\\d')).toEqual([one, two]);
    expect(await devices.idsMatching(id, 'w-')).toEqual([one, two]);
    expect(await devices.idsMatching(id, '^w-')).toEqual([]);
    expect(await codeOf(devices.idsMatching(id, '('))).toBe('bad_request');
  });
});
