import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../../shared/node/system-clock.ts';
import { confinementMissing } from '../../test/harness/confinement.ts';
import { HelperUnderTest } from '../../test/harness/helper-under-test.ts';
import { type DummyContext, dummyContext } from '../handlers/dummy-context.ts';
import type { Handler } from '../handlers/handler.ts';
import { InstalledPlugins } from '../plugins/installed-plugins.ts';
import { pluginHandler, pluginTypes } from '../plugins/plugin-handlers.ts';
import { writePlugin } from '../plugins/plugin-under-test.ts';
import type { PluginTypes } from '../runner/find-handler.ts';
import { remoteHandler } from './remote-handler.ts';

const isUntested = confinementMissing('plugins in the root helper');

let helper: HelperUnderTest;
let installed: InstalledPlugins;
let plugins: PluginTypes;

beforeEach(() => {
  helper = new HelperUnderTest();
  chmodSync(helper.folder.path, 0o755);
  installed = new InstalledPlugins(helper.folder.path, pino({ level: 'silent' }));
  plugins = pluginTypes(installed, (found) => pluginHandler(found, ['nobody']));
});
afterEach(() => helper[Symbol.asyncDispose]());

/** Puts `probe` where the agent and its helper both find it; returns how the agent runs its type. */
function put(script: string, type: object = {}): Handler {
  const own = join(helper.folder.path, 'plugins/probe');
  mkdirSync(join(own, '1.0.0_a'), { recursive: true });
  writePlugin(join(own, '1.0.0_a'), script, { type });
  symlinkSync('1.0.0_a', join(own, 'current'));
  const contract = installed.find('PROBE.TRY')?.contract;
  if (!contract) throw new Error('the plugin is not found');
  return remoteHandler(contract, helper.remote());
}
const order = (parameters: object = {}) => ({ taskType: 'PROBE.TRY', parameters });

test.skipIf(isUntested)(
  'a plugin is run for the agent, with its log, its questions and its result',
  async () => {
    const handler = put(`echo '{"log":"begun"}'
    echo '{"question":{"prompt":"Go?","options":["yes","no"],"safe":"no"}}'
    read -r answer; printf '{"result":{"as":"%s","answer":%s}}\\n' "$(id -un)" "$answer"`);
    await helper.begin({ plugins });
    const wish = helper.context(order());
    expect(await handler.run({}, wish)).toEqual({ as: 'nobody', answer: { answer: 'no' } });
    expect(wish.lines).toEqual(['stdout: begun']);
    expect(wish.questions).toEqual(['Go?']);
  },
);

test('the helper looks itself whether it is installed, and whether the parameters fit', async () => {
  const handler = put('exit 0', { parameters: { type: 'object', properties: { n: { type: 'integer' } } } });
  await helper.begin({ plugins });
  await expect(handler.run({}, helper.context(order({ n: 'x' })))).rejects.toMatchObject({
    code: 'bad_parameters',
    message: expect.stringContaining('n: '),
  });
  const other = helper.context({ ...order(), code: 'zY9xW8vU', taskType: 'OTHER.TRY' });
  await expect(handler.run({}, other)).rejects.toMatchObject({
    code: 'unknown_type',
    message: 'The plugin other is not installed on this device',
  });
});

test('the policy of the device counts there too', async () => {
  const handler = put('exit 0');
  await helper.begin({ plugins, policy: { task_types: ['PROBE.OTHER'] } });
  await expect(handler.run({}, helper.context(order()))).rejects.toMatchObject({ code: 'policy' });
});

test.skipIf(isUntested)(
  'an interrupted one runs again only when its plugin calls it idempotent',
  async () => {
    const handler = put(`echo '{"result":{}}'`, { idempotent: true });
    await helper.begin({ plugins });
    const wish = helper.context(order());
    helper.ledger().begin(JSON.parse(wish.order?.order ?? ''));
    const again = (): DummyContext =>
      Object.assign(dummyContext(), { clock: systemClock, order: wish.order });
    await expect(handler.run({}, again())).rejects.toMatchObject({ code: 'replayed' });
    const interrupted = { bootId: 'b', currentBootId: 'b', instanceId: 'i', startedAt: 1 };
    expect(await handler.recover?.({}, interrupted, again())).toBe('rerun');
    expect(await handler.run({}, again())).toEqual({});
  },
);
