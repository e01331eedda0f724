import { type Duplex, duplexPair } from 'node:stream';
import { expect, test } from 'vitest';
import { CoreUnderTest } from '../../test/harness/core-under-test.ts';
import { until } from '../../test/harness/until.ts';

/** Somebody who may join, and the end of the wire that is theirs. */
function asker() {
  const [wire, far] = duplexPair();
  wire.on('error', () => undefined);
  return {
    wire,
    arrival: { accept: async (): Promise<Duplex> => far, refuse: () => undefined, onGone: () => undefined },
  };
}

test('the stream tells who opened a session, that it was joined, and what went over it', async () => {
  await using controller = await CoreUnderTest.start();
  const { core, organization, actor, store } = controller;
  const deviceId = await controller.device('fw-1');
  const opened = await core.sessions.open(actor, organization, 'fw-1', { mode: 'full' });
  const [device, operator] = [asker(), asker()];
  await core.sessions.deviceArrives(
    opened.session,
    { id: deviceId, organizationId: organization.id },
    device.arrival,
  );
  await core.sessions.operatorArrives(opened.session, opened.token, '192.0.2.1', operator.arrival);
  operator.wire.write('12345');
  await until('it arrives', () => device.wire.readableLength === 5);
  for (const { wire } of [operator, device]) wire.resume().end();

  const told = await until('its end is told', async () => {
    const events = await store.events.read({ organizationId: organization.id }, 0, 100);
    const mine = events.filter(({ type }) => type.startsWith('session.'));
    return mine.length === 3 && mine;
  });
  expect(told.map(({ type }) => type)).toEqual(['session.opened', 'session.joined', 'session.closed']);
  for (const event of told) {
    expect(event).toMatchObject({
      taskCode: opened.task,
      deviceName: 'fw-1',
      data: { session: opened.session, mode: 'full', opened_by: actor.name },
    });
    expect(JSON.stringify(event)).not.toContain(opened.token);
  }
  expect(Object.values(told[2]?.data ?? {})).toContain(5);
});
