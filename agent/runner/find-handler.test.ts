import { expect, test } from 'vitest';
import { PluginManifest, taskTypeOf } from '../../shared/plugin.ts';
import { pluginContract } from '../../shared/node/plugin-contract.ts';
import { AgentUnderTest } from '../../test/harness/agent-under-test.ts';
import { defaultAgentConfig } from '../config.ts';
import type { Handler } from '../handlers/handler.ts';
import type { PluginTypes } from './find-handler.ts';
import type { Policy } from './policy.ts';

const code = 'aB3dE6gH';
const other = 'zY9xW8vU';

const manifest = PluginManifest.parse({
  ...{ name: 'net-diag', version: '1.0.0', summary: 'Looks at networks', program: 'netdiag' },
  task_types: Object.fromEntries(
    ['TRACEROUTE', 'ROUTE'].map((type) => [
      type,
      {
        summary: 'Looks',
        parameters: {
          type: 'object',
          properties: { host: { type: 'string' }, hops: { type: 'integer', default: 3 } },
          required: ['host'],
        },
      },
    ]),
  ),
});

/** A plugin that comes and goes, and answers with what it was given. */
class ComingAndGoing implements PluginTypes {
  #handlers: Record<string, Handler> = {};
  #tell: () => void = () => undefined;

  come(): void {
    const made = Object.keys(manifest.task_types).map((type) => {
      const handler: Handler = {
        contract: pluginContract(manifest, type),
        run: async (given) => ({ given }),
      };
      return [taskTypeOf(manifest.name, type), handler] as const;
    });
    this.#handlers = Object.fromEntries(made);
    this.#tell();
  }

  go(): void {
    this.#handlers = {};
    this.#tell();
  }

  types = () => Object.keys(this.#handlers) as ReturnType<PluginTypes['types']>;
  versions = () => ({});
  isInstalled = (plugin: string) => plugin === manifest.name && this.types().length > 0;
  handlerOf = (type: string) => this.#handlers[type];
  onChange = (listener: () => void) => {
    this.#tell = listener;
  };
}

async function online(policy: Policy = {}): Promise<{ agent: AgentUnderTest; plugins: ComingAndGoing }> {
  const agent = new AgentUnderTest();
  const plugins = new ComingAndGoing();
  agent.more = { plugins };
  agent.config = { ...defaultAgentConfig, policy };
  await agent.start();
  return { agent, plugins };
}
const listed = ({ controller }: AgentUnderTest) =>
  controller.hellos.at(-1)?.taskTypes.filter((type) => type.includes('.'));
const why = ({ controller }: AgentUnderTest) =>
  controller.received.flatMap((frame) => (frame.type === 'task.refused' ? [frame.message] : []));

test('a plugin that came runs without a restart, with the defaults of its schema, and the next hello lists it', async () => {
  const { agent, plugins } = await online();
  await using _ = agent;
  expect(listed(agent)).toEqual([]);
  plugins.come();
  await agent.clock.advance(5_000);
  expect(agent.controller.hellos).toHaveLength(2);
  expect(listed(agent)).toEqual(['NET_DIAG.TRACEROUTE', 'NET_DIAG.ROUTE']);

  agent.controller.offer({ code, taskType: 'NET_DIAG.ROUTE', parameters: { host: 'a' } });
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'COMPLETED',
    result: { given: { host: 'a', hops: 3 } },
  });

  plugins.go();
  await agent.clock.advance(5_000);
  expect(listed(agent)).toEqual([]);
});

test('what a plugin that is not there would run is refused, with the reason', async () => {
  const { agent, plugins } = await online();
  await using _ = agent;
  agent.controller.offer({ code, taskType: 'NET_DIAG.ROUTE', parameters: { host: 'a' } });
  await agent.rest();
  plugins.come();
  await agent.clock.advance(5_000);
  agent.controller.offer({ code: other, taskType: 'NET_DIAG.DANCE', parameters: {} });
  await agent.rest();
  expect(agent.controller.refusals().map(({ reason }) => reason)).toEqual(['unknown_type', 'unknown_type']);
  expect(why(agent)).toEqual([
    'The plugin net-diag is not installed on this device',
    'The plugin net-diag of this device has no task type NET_DIAG.DANCE',
  ]);
});

test('its parameters must fit the schema that is installed', async () => {
  const { agent, plugins } = await online();
  await using _ = agent;
  plugins.come();
  await agent.clock.advance(5_000);
  agent.controller.offer({ code, taskType: 'NET_DIAG.ROUTE', parameters: { host: 7 } });
  await agent.rest();
  expect(agent.controller.refusals()).toEqual([{ code, reason: 'bad_parameters' }]);
  expect(why(agent)[0]).toContain('host');
});

test('a task whose plugin went before it could run says so', async () => {
  const { agent, plugins } = await online();
  await using _ = agent;
  plugins.come();
  await agent.clock.advance(5_000);
  agent.controller.startsAccepted = false;
  agent.controller.offer({ code, taskType: 'NET_DIAG.ROUTE', parameters: { host: 'a' } });
  await agent.rest();
  plugins.go();
  await agent.clock.advance(5_000);
  agent.controller.send({ type: 'task.start', codes: [code] });
  await agent.clock.advance(1_000);
  expect(agent.controller.result(code)).toMatchObject({
    outcome: 'FAILED',
    error: { message: expect.stringContaining('The plugin net-diag is not installed on this device') },
  });
});

test.each<[string, Policy['task_types'], string[]]>([
  ['names one type', ['PING', 'NET_DIAG.ROUTE'], ['NET_DIAG.ROUTE']],
  ['names all of a plugin', ['NET_DIAG.*'], ['NET_DIAG.TRACEROUTE', 'NET_DIAG.ROUTE']],
  ['names another plugin', ['NET.*'], []],
  ['names none', ['PING'], []],
  ['says nothing', undefined, ['NET_DIAG.TRACEROUTE', 'NET_DIAG.ROUTE']],
])('a policy that %s decides which types of a plugin are listed and run', async (_what, types, expected) => {
  const { agent, plugins } = await online(types ? { task_types: types } : {});
  await using _ = agent;
  plugins.come();
  await agent.clock.advance(5_000);
  expect(listed(agent)).toEqual(expected);
  agent.controller.offer({ code, taskType: 'NET_DIAG.TRACEROUTE', parameters: { host: 'a' } });
  await agent.clock.advance(1_000);
  expect(agent.controller.refusals()).toEqual(
    expected.includes('NET_DIAG.TRACEROUTE') ? [] : [{ code, reason: 'policy' }],
  );
});
