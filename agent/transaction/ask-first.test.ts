import { expect, test } from 'vitest';
import { TransactionUnderTest } from '../../test/harness/transaction-under-test.ts';
import { TaskError } from '../../shared/errors.ts';
import type { HandlerContext } from '../handlers/handler.ts';

const rules = '/etc/firewall/rules.conf';

/** A device that is sent new rules and asks first; `answer` decides, or does something meanwhile. */
async function asking(answer: HandlerContext['ask'], text = 'new rules\n') {
  const world = await TransactionUnderTest.start();
  world.machine.disk.files.edit(rules, 'old rules\n');
  world.machine.services.start();
  const asked: Parameters<HandlerContext['ask']>[0][] = [];
  world.context.ask = (question) => {
    asked.push(question);
    expect(world.files[rules]).toBe('old rules\n');
    expect(world.journal).not.toContain('ARMED');
    return answer(question);
  };
  const order = () =>
    world.orders.order({ files: [world.orders.file({ path: rules, text })] }, { ask: true });
  return { world, asked, order, run: () => world.run(order()) };
}

test('yes applies; the question says what changes', async () => {
  const { world, asked, run } = await asking(async () => 'yes');
  expect(await run()).toMatchObject({ kind: 'completed', result: { outcome: 'applied' } });
  expect(world.files[rules]).toBe('new rules\n');
  expect(asked).toEqual([
    {
      prompt: `Apply generation 1, which changes 1 file? change ${rules}`,
      options: ['yes', 'no'],
      safe: null,
    },
  ]);
});

test.each([
  ['no', async () => 'no', 'declined'],
  [
    'nobody',
    async () => {
      throw new TaskError('unanswered', 'Nobody answered in time');
    },
    'unanswered',
  ],
] as [string, HandlerContext['ask'], string][])(
  '%s leaves the device as it was',
  async (_who, answer, code) => {
    const { world, run } = await asking(answer);
    expect(await run()).toMatchObject({
      kind: 'failed',
      code,
      result: { outcome: 'rejected', journal: 'REJECTED', on_disk: 'old', rejected_at: 'ask' },
    });
    expect(world.files[rules]).toBe('old rules\n');
    expect(await world.machine.quarantined()).toEqual([]);
  },
);

test('a device that was changed while the answer was awaited is left as it is', async () => {
  const { world, run } = await asking(async () => {
    world.machine.disk.files.edit(rules, 'by hand\n');
    return 'yes';
  });
  expect(await run()).toMatchObject({ kind: 'failed', code: 'rejected_drift' });
  expect(world.files[rules]).toBe('by hand\n');
});

test('nothing is asked when nothing changes, or nothing would be applied', async () => {
  const same = await asking(async () => 'no', 'old rules\n');
  expect(await same.run()).toMatchObject({ kind: 'completed', result: { outcome: 'unchanged' } });
  const dry = await asking(async () => 'no');
  expect(await dry.world.run({ ...dry.order(), dry_run: true })).toMatchObject({ kind: 'completed' });
  expect([...same.asked, ...dry.asked]).toEqual([]);
});

test('a no that nobody was told of stays a no after a crash', async () => {
  const { world, order, run } = await asking(async () => 'no');
  await run();
  world.newAgent();
  expect(await world.recover(order())).toMatchObject({ kind: 'failed', code: 'declined' });
});

test('the prompt has room for as many paths as fit', async () => {
  const { world, asked } = await asking(async () => 'no');
  const files = Array.from({ length: 40 }, (_, index) =>
    world.orders.file({ path: `/etc/firewall/${'x'.repeat(60)}-${index}.conf`, text: 'new\n' }),
  );
  await world.run(world.orders.order({ files }, { ask: true }));
  const prompt = asked[0]?.prompt ?? '';
  expect(prompt.length).toBeLessThanOrEqual(1024);
  expect(prompt).toMatch(/^Apply generation 1, which changes 4\d files\? .* and \d+ more$/);
});
