import { expect, test } from 'vitest';
import { defaultSlots } from '../../shared/task-types/task-type.ts';
import { whyBusy } from './lanes.ts';

const slots = { ...defaultSlots, script: 1 };
const script = { code: 'script01', type: 'SCRIPT' };
const reboot = { code: 'reboot01', type: 'REBOOT' };
const session = { code: 'connect1', type: 'CONNECT' };

test.each([
  ['a free lane takes', { type: 'SCRIPT', force: false }, [], undefined],
  [
    'a full lane does not',
    { type: 'SCRIPT', force: false },
    [script],
    /All 1 slots of lane script.*script01/,
  ],
  ['not even by force', { type: 'SCRIPT', force: true }, [script], /slots/],
  ['other lanes do not count', { type: 'PING', force: false }, [script], undefined],
  [
    'a type that needs an idle device waits',
    { type: 'REBOOT', force: false },
    [script],
    /needs an idle device/,
  ],
  ['unless forced', { type: 'REBOOT', force: true }, [script], undefined],
  ['open sessions are no work', { type: 'REBOOT', force: false }, [session], undefined],
  ['nothing runs beside it', { type: 'PING', force: false }, [reboot], /Nothing runs beside REBOOT/],
  ['except sessions', { type: 'CONNECT', force: false }, [reboot], undefined],
  [
    'a task of an unknown type is still work',
    { type: 'REBOOT', force: false },
    [{ code: 'later001', type: 'LATER' }],
    /later001/,
  ],
] as const)('%s', (_what, task, occupants, expected) => {
  const why = whyBusy(task, occupants, slots);
  if (expected === undefined) expect(why).toBeUndefined();
  else expect(why).toMatch(expected);
});
