import { expect, test } from 'vitest';
import { ApiUnderTest } from '../../test/harness/api.ts';
import { DesiredUnderTest } from '../../test/harness/desired.ts';
import { generateKeyPair } from '../../shared/node/keys.ts';

const count = 10_000;

async function fill(api: ApiUnderTest): Promise<void> {
  const { publicKey } = generateKeyPair();
  const facts = {
    encryption_recipient: `age1${'q'.repeat(58)}`,
    interfaces: Array.from({ length: 20 }, (_, n) => `eth${n}`),
  };
  await api.store.transaction(async ({ devices }) => {
    for (let n = 0; n < count; n++) {
      await devices.insert({
        id: `device-${n}`,
        organizationId: api.admin.organization.id,
        name: `fw-${n}`,
        status: 'ENABLED',
        publicKey: `${publicKey}${n}`,
        labels: { site: `site-${n % 50}` },
        agentVersion: '0.1.0',
        createdAt: 0,
      });
      await devices.saveFacts(`device-${n}`, 'digest', facts, 0);
    }
  });
}

test('a sync of ten thousand devices takes seconds, and others are served meanwhile', {
  timeout: 180_000,
}, async () => {
  await using api = await ApiUnderTest.start({ checkAnswers: false });
  const desired = new DesiredUnderTest(api);
  await fill(api);
  for (let site = 0; site < 50; site++)
    await desired.variable('dns', `192.0.2.${site}`, { scope: 'label', key: `site=site-${site}` });
  await desired.variable('psk', 'a secret of all', { secret: true });
  await desired.bundle('base', {
    '/etc/hosts':
      '127.0.0.1 localhost {{ device.name }}\n{% for i in device.facts.interfaces %}# {{ i }}\n{% endfor %}',
    '/etc/resolv.conf': 'nameserver {{ dns }}\n',
    '/etc/key': '{{ psk }}\n',
    '/etc/motd': 'welcome\n'.repeat(50),
  });

  const url = await api.listen();
  const headers = { authorization: `Bearer ${api.admin.token}` };
  let served = 0;
  const asking = new AbortController();
  const others = (async () => {
    while (!asking.signal.aborted) {
      const answer = await fetch(`${url}/api/v1/organizations/default/devices/fw-1`, { headers });
      await answer.arrayBuffer();
      served += 1;
    }
  })();
  const began = performance.now();
  const { tasks, errors } = await desired.sync();
  const seconds = (performance.now() - began) / 1000;
  asking.abort();
  await others;

  expect(tasks).toHaveLength(count);
  expect(errors).toEqual([]);
  expect(seconds).toBeLessThan(60);
  expect(served, `answers in ${seconds} s`).toBeGreaterThan(20);
});
