import { beforeEach, describe, expect, test } from 'vitest';
import { sampleVariable } from '../testing/configuration-samples.ts';
import { FakeController, paged } from '../testing/fake-controller.ts';
import { runMuster } from '../testing/run-muster.ts';

const all = '/api/v1/organizations/default/variables';

let controller: FakeController;
beforeEach(async () => {
  controller = await FakeController.start();
  controller.on(`PUT ${all}`, ({ body }) => ({ body: sampleVariable(body as object) }));
  return () => controller.close();
});
const variable = (args: string[], stdin?: string) =>
  runMuster(['variable', ...args], { url: controller.url, ...(stdin === undefined ? {} : { stdin }) });
const sent = () => controller.requests(`PUT ${all}`).map(({ body }) => body);

describe('set', () => {
  test.each<[string[], object]>([
    [['dns', '10.0.0.53'], { name: 'dns', value: '10.0.0.53', secret: false, scope: 'organization' }],
    [['dns', ''], { name: 'dns', value: '', secret: false, scope: 'organization' }],
    [
      ['mtu', '--json-value', '1400', '--label', 'site=branch'],
      { name: 'mtu', value: 1400, secret: false, scope: 'label', key: 'site=branch' },
    ],
    [
      ['lan', '--json-value', '{"a":[1,true,null]}', '--device', 'fw-1'],
      { name: 'lan', value: { a: [1, true, null] }, secret: false, scope: 'device', key: 'fw-1' },
    ],
  ])('%j', async (args, body) => {
    expect((await variable(['set', ...args])).exitCode).toBe(0);
    expect(sent()).toEqual([body]);
  });

  test('a secret comes from standard input, without its line end, and is not printed', async () => {
    controller.on(`PUT ${all}`, { body: sampleVariable({ name: 'psk', secret: true, value: null }) });
    const { exitCode, stdout, stderr } = await variable(
      ['set', 'psk', '--secret', '--value-stdin'],
      'hunter2 \n',
    );
    expect(exitCode).toBe(0);
    expect(sent()).toEqual([{ name: 'psk', value: 'hunter2 ', secret: true, scope: 'organization' }]);
    expect(stdout).toMatch(/Value: +\(secret\)\n/);
    expect(stdout + stderr).not.toContain('hunter2');
  });

  test.each([
    [['psk', 'hunter2', '--secret'], 'can be read by everybody'],
    [['psk', '--json-value', '"hunter2"', '--secret'], 'can be read by everybody'],
    [['psk', '--secret'], '--value-stdin'],
    [['dns'], 'no value'],
    [['dns', 'a', '--value-stdin'], 'give one of'],
    [['dns', '--json-value', '{a'], 'not JSON'],
    [['dns', 'a', '--label', 'x=y', '--device', 'd'], 'one scope'],
    [['dns', 'a', '--label', 'x=y', '--label', 'z=y'], 'give --label once'],
    [['psk', '--secret', '--value-stdin'], 'standard input is empty'],
  ])('%j is refused and nothing is sent', async (args, message) => {
    const { exitCode, stderr } = await variable(['set', ...args]);
    expect({ exitCode, seen: controller.seen.length }).toEqual({ exitCode: 2, seen: 0 });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('hunter2');
  });

  test('a value that is too long is refused', async () => {
    const { exitCode, stderr } = await variable(['set', 'a', '--value-stdin'], 'x'.repeat(300_000));
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('256 KiB') });
  });
});

test('lists variables, and never the value of a secret', async () => {
  const items = [
    sampleVariable({ value: { a: 1 }, scope: 'device', key: 'fw-1' }),
    sampleVariable({ name: 'psk', secret: true, value: null }),
  ];
  controller.on(`GET ${all}`, ({ query }) => ({ body: paged(items, query) }));
  const { stdout } = await variable(['list', '-f', 'simple', '--device', 'fw-1']);
  expect(stdout).toMatch(/^NAME +SCOPE +OF +VALUE .*\ndns +device +fw-1 +\{"a":1\} .*\npsk .*\(secret\)/);
  expect(controller.seen[0]?.query).toMatchObject({ scope: 'device', key: 'fw-1' });
  expect((await variable(['list', '--scope', 'label', '--device', 'x'])).exitCode).toBe(2);
});

test('unsets one in its scope', async () => {
  controller.on(`DELETE ${all}`, { status: 204 });
  const { stderr } = await variable(['unset', 'dns', '--label', 'site=branch']);
  expect(stderr).toBe('Removed dns of label site=branch\n');
  expect(controller.seen[0]?.query).toEqual({ name: 'dns', scope: 'label', key: 'site=branch' });
});
