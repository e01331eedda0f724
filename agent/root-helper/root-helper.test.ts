import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TaskError } from '../../shared/errors.ts';
import { signKeyChange } from '../../shared/node/key-change.ts';
import { exportPrivateKey, generateKeyPair, importPrivateKey, type KeyPair } from '../../shared/node/keys.ts';
import { systemClock } from '../../shared/node/system-clock.ts';
import { Reboot } from '../../shared/task-types/reboot.ts';
import { Script } from '../../shared/task-types/script.ts';
import { Shutdown } from '../../shared/task-types/shutdown.ts';
import { until } from '../../test/harness/until.ts';
import { type DummyContext, dummyContext } from '../handlers/dummy-context.ts';
import { type Handler, handle, type Interrupted } from '../handlers/handler.ts';
import { script } from '../handlers/script.ts';
import { describeHelper, giveDeviceKey } from './helper-connection.ts';
import { HelperUnderTest } from '../../test/harness/helper-under-test.ts';
import { OrderLedger } from './order-ledger.ts';
import { handlerByUser, remoteHandler } from './remote-handler.ts';

let helper: HelperUnderTest;

beforeEach(() => {
  helper = new HelperUnderTest();
});

afterEach(() => helper[Symbol.asyncDispose]());

const inScript = (text: string) => ({ taskType: 'SCRIPT', parameters: { script: text } });
const again = (one: DummyContext): DummyContext =>
  Object.assign(dummyContext(), { clock: systemClock, order: one.order });
const interrupted: Interrupted = { bootId: 'b', currentBootId: 'b', instanceId: 'i', startedAt: 1 };

test('runs what the controller signed; output, progress and the end come back', async () => {
  await helper.begin();
  const wish = helper.context(inScript('echo hello; echo oops >&2; exit 3'));
  await expect(remoteHandler(Script, helper.remote()).run({}, wish)).rejects.toMatchObject({
    code: 'exit_code',
    result: { exit_code: 3, stdout_lines: 1 },
  });
  expect(wish.lines.sort()).toEqual(['stderr: oops', 'stdout: hello']);
});

test('says what it can do', async () => {
  await helper.begin();
  expect(await describeHelper(helper.path)).toEqual({
    taskTypes: ['SCRIPT'],
    facts: { encryption_recipient: 'age1example' },
  });
});

test.each([
  ['that nobody signed', { by: generateKeyPair() }, {}, 'bad_signature'],
  ['for another device', {}, { device: 'device-2' }, 'wrong_device'],
  ['of a type that it does not run', {}, { taskType: 'REBOOT', parameters: {} }, 'unknown_type'],
])('refuses an order %s', async (_what, signed, order, code) => {
  await helper.begin();
  const mark = join(helper.folder.path, 'ran');
  const wish = helper.context({ ...inScript(`touch ${mark}`), ...order }, signed);
  await expect(remoteHandler(Script, helper.remote()).run({}, wish)).rejects.toMatchObject({ code });
});

test('the policy of the device counts, whatever the agent thinks of it', async () => {
  await helper.begin({ policy: { script_users: ['nobody'] } });
  await expect(
    remoteHandler(Script, helper.remote()).run({}, helper.context(inScript('true'))),
  ).rejects.toMatchObject({
    code: 'policy',
  });
});

test('an order runs once: whoever asks again is told how it ended', async () => {
  await helper.begin();
  const log = join(helper.folder.path, 'log');
  const wish = helper.context(inScript(`echo ran >> ${log}; wc -l < ${log}`));
  const first = await remoteHandler(Script, helper.remote()).run({}, wish);
  const second = again(wish);
  expect(await remoteHandler(Script, helper.remote()).run({}, second)).toEqual(first);
  expect(wish.lines).toEqual(['stdout: 1']);
  expect(second.lines).toEqual([]);
});

test('an order that was begun does not begin anew; it is picked up, and its type says what that means', async () => {
  await helper.begin();
  const wish = helper.context(inScript('sleep 60'));
  const stopped = expect(remoteHandler(Script, helper.remote()).run({}, wish)).rejects.toMatchObject({
    code: 'interrupted', // asked again by itself, as after a crash
  });
  await until('it runs', () => helper.ledger().has(JSON.parse(wish.order?.order ?? '')));
  await helper.end();
  await helper.begin();
  await stopped;
  await expect(remoteHandler(Script, helper.remote()).run({}, again(wish))).rejects.toMatchObject({
    code: 'interrupted',
  });
});

test('what may begin anew does so once', async () => {
  let runs = 0;
  const twice = handle(
    Reboot,
    async () => {
      runs += 1;
      if (runs === 1) throw new TaskError('agent_stopping', 'as if it was killed');
      return { previous_boot_id: 'a', boot_id: 'b', downtime_ms: 1 };
    },
    async () => 'rerun',
  ) as Handler;
  await helper.begin({ handlers: { REBOOT: twice } });
  const remote = remoteHandler(Reboot, helper.remote());
  const wish = helper.context({ taskType: 'REBOOT', parameters: {} });
  // Its first end is kept, so let the ledger know it as begun only.
  helper.ledger().begin(JSON.parse(wish.order?.order ?? ''));
  await expect(remote.run({}, wish)).rejects.toMatchObject({ code: 'replayed' });
  expect(await remote.recover?.({}, interrupted, again(wish))).toBe('rerun');
  runs = 1;
  expect(await remote.run({}, again(wish))).toMatchObject({ boot_id: 'b' });
});

test('a request to stop reaches the task', async () => {
  await helper.begin();
  const over = new AbortController();
  const wish = Object.assign(helper.context(inScript('echo begun; sleep 60')), { signal: over.signal });
  const ended = remoteHandler(Script, helper.remote()).run({}, wish);
  await until('it runs', () => wish.lines.length > 0);
  over.abort(new TaskError('cancelled', 'A person asked for it'));
  await expect(ended).rejects.toMatchObject({ code: 'cancelled' });
});

test('what only the agent can do is asked of it in the middle', async () => {
  const tells = handle(Shutdown, async (_parameters, { reportPhase, journal }) => {
    await reportPhase('powering_off', 'The device powers off');
    journal.write({ seen: true });
    return { powering_off_at: 'now', link_closed_at: null, boot_id: 'b' };
  }) as Handler;
  await helper.begin({ handlers: { SHUTDOWN: tells } });
  const wish = helper.context({ taskType: 'SHUTDOWN', parameters: {} });
  await remoteHandler(Shutdown, helper.remote()).run({}, wish);
  expect(wish.phases).toEqual(['powering_off']);
});

test('a person is asked through the agent, and the question can be withdrawn', async () => {
  const asks = handle(Reboot, async (_parameters, { ask }) => {
    const first = await ask({ prompt: 'Now?', options: ['yes', 'no'], safe: 'no' });
    const second = await ask({ prompt: 'Sure?', options: ['yes', 'no'] }, AbortSignal.timeout(20));
    return { previous_boot_id: first, boot_id: second, downtime_ms: 1 };
  }) as Handler;
  await helper.begin({ handlers: { REBOOT: asks } });
  const asked: string[] = [];
  const wish = Object.assign(helper.context({ taskType: 'REBOOT', parameters: {} }), {
    ask: async ({ prompt }: { prompt: string }, withdrawn?: AbortSignal) => {
      asked.push(prompt);
      if (prompt === 'Now?') return 'yes';
      return new Promise<string>((resolve) => {
        withdrawn?.addEventListener('abort', () => resolve('withdrawn'));
      });
    },
  });
  expect(await remoteHandler(Reboot, helper.remote()).run({}, wish)).toMatchObject({
    previous_boot_id: 'yes',
    boot_id: 'withdrawn',
  });
  expect(asked).toEqual(['Now?', 'Sure?']);
});

test('without a helper the error says so', async () => {
  await helper.begin();
  const nowhere = remoteHandler(Script, {
    ...helper.remote(),
    path: join(helper.folder.path, 'nothing.sock'),
  });
  const wish = Object.assign(helper.context(inScript('true')), {
    clock: { ...systemClock, sleep: async () => undefined },
  });
  await expect(nowhere.run({}, wish)).rejects.toMatchObject({ code: 'helper_lost' });
});

test('only what is asked as another user goes to the helper', async () => {
  await helper.begin();
  const both = handlerByUser(script, remoteHandler(Script, helper.remote()), 'me');
  const { order: _order, ...here } = helper.context(inScript('true'));
  await expect(both.run({ user: 'root' }, here)).rejects.toMatchObject({ code: 'internal' });
});

test('orders below those that were forgotten are refused', () => {
  const ledger = new OrderLedger(join(helper.folder.path, 'orders'), 8);
  const order = (number: number) => ({
    ...{
      device: 'd',
      attempt: 1,
      taskType: 'SCRIPT',
      parameters: {},
      timeoutMs: 1,
      force: false,
      expiresAt: 1,
    },
    code: String(number).padStart(8, '0'),
    sequence: number,
  });
  for (let number = 2; number <= 12; number += 1) {
    ledger.begin(order(number));
    ledger.saveEnd(order(number).code, { kind: 'completed', result: {} });
  }
  expect(() => ledger.begin(order(1))).toThrow(/no longer remembers orders up to/);
  expect(() => ledger.begin(order(12))).toThrow(/ran already/);
  expect(ledger.end(order(2))).toBeUndefined();
  expect(ledger.end(order(12))).toEqual({ kind: 'completed', result: {} });
});

/** How the key of the controller changed, as the agent hands it on. */
function changed(old: KeyPair, next: KeyPair) {
  const named = { old: old.publicKey, next: next.publicKey };
  const said = {
    purpose: 'controller-key',
    controller: 'c',
    old_until: systemClock.now() + 60_000,
    ...named,
  };
  return signKeyChange(said, { old, next });
}

test('an order of the controller’s new key runs once the helper saw itself that the old key handed on to it', async () => {
  await helper.begin();
  const next = generateKeyPair();
  const wish = () => helper.context(inScript('true'), { by: next });
  await expect(remoteHandler(Script, helper.remote()).run({}, wish())).rejects.toMatchObject({
    code: 'bad_signature',
  });

  const knowing = { ...helper.remote(), keyChanges: () => [changed(helper.keys, next)] };
  await expect(remoteHandler(Script, knowing).run({}, wish())).resolves.toMatchObject({ exit_code: 0 });
});

test('an agent cannot make the helper obey a key that the controller did not hand on to', async () => {
  await helper.begin();
  const [own, other] = [generateKeyPair(), generateKeyPair()];
  const stolen = { ...changed(helper.keys, own), by_old: changed(other, own).by_old };
  for (const change of [changed(other, own), stolen]) {
    const lying = { ...helper.remote(), keyChanges: () => [change] };
    const wish = helper.context(inScript('true'), { by: own });
    await expect(remoteHandler(Script, lying).run({}, wish)).rejects.toMatchObject({ code: 'bad_signature' });
  }
});

test('takes another key of the device for its requests, which gives orders no more weight', async () => {
  const taken: string[] = [];
  await helper.begin({
    takeDeviceKey: (pem) => {
      taken.push(importPrivateKey(pem).publicKey);
      return 'fingerprint';
    },
  });
  const next = generateKeyPair();
  await giveDeviceKey(helper.path, exportPrivateKey(next.privateKey));
  expect(taken).toEqual([next.publicKey]);
  const wish = helper.context(inScript('true'), { by: next });
  await expect(remoteHandler(Script, helper.remote()).run({}, wish)).rejects.toMatchObject({
    code: 'bad_signature',
  });
  await expect(giveDeviceKey(helper.path, 'no key')).rejects.toMatchObject({ code: 'helper_lost' });
});

test('a handler there can let the agent ask the controller, by the agent’s own way', async () => {
  const asked = handle(Script, async (_parameters, context) => {
    const attempt = await context.agentProbe?.('first', 500);
    context.output('stdout', JSON.stringify(attempt));
    return { exit_code: 0, signal: null, duration_ms: 1, stdout_lines: 1, stderr_lines: 0, truncated: false };
  });
  await helper.begin({ handlers: { SCRIPT: asked as Handler } });
  const attempt = { at: 1, ok: false, phase: 'tcp' as const, duration_ms: 2, error: 'dropped' };
  const wish = helper.context(inScript('true'));
  const probe = async (transaction: string, timeoutMs: number) => {
    expect([transaction, timeoutMs]).toEqual(['first', 500]);
    return attempt;
  };
  await remoteHandler(Script, { ...helper.remote(), probe }).run({}, wish);
  expect(wish.lines).toEqual([`stdout: ${JSON.stringify(attempt)}`]);
});
